"""Fewer steps than were recorded, for a screen that cannot show more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.records.finding import Outcome

LARGEST_ANSWER = 2**24
"""Numbers in one answer; a wider one holds fewer steps."""

_RANK = np.array([outcome.rank for outcome in Outcome], np.uint8)
"""`[outcomes]`: how bad each outcome is."""
_OUTCOME = np.argsort(_RANK).astype(np.uint8)
"""`[ranks]`: the outcome of each rank."""


def shown(steps: int, limit: int, width: int = 1) -> NDArray[np.int64]:
    """Indices of the steps an answer holds: the first, the last and evenly spaced ones between; of one, the last.

    Args:
        steps: how many were recorded.
        limit: how many are asked for, at least 1.
        width: numbers in the answer for each step.
    """
    limit = min(limit, max(1, LARGEST_ANSWER // max(1, width)))
    if steps <= limit:
        return np.arange(steps, dtype=np.int64)
    if limit == 1:
        return np.array([steps - 1], np.int64)
    return np.linspace(0, steps - 1, limit).round().astype(np.int64)


def health(outcomes: NDArray[np.uint8], indices: NDArray[np.int64]) -> NDArray[np.uint8]:
    """`[layers, shown steps]`: the worst outcome of all rules over the steps each shown step stands for.

    A shown step stands for itself and those between it and the shown step before.

    Args:
        outcomes: `[S, layers, rules]` uint8; without rules nothing is applicable.
        indices: as `shown` gives them.
    """
    if not len(indices):
        return np.empty((outcomes.shape[1], 0), np.uint8)
    ranks = _RANK[outcomes].max(axis=2, initial=0)
    starts = np.concatenate([[0], indices[:-1] + 1])
    return _OUTCOME[np.maximum.reduceat(ranks, starts, axis=0)].T
