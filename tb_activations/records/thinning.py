"""Selects fewer steps than were recorded, for a screen that cannot show more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.records.finding import Outcome

LARGEST_ANSWER = 2**24
"""Numbers in one answer at most; answers with more numbers per step have fewer steps."""

_RANK = np.array([outcome.rank for outcome in Outcome], np.uint8)
"""`[outcomes]`: how bad each outcome is."""
_OUTCOME = np.argsort(_RANK).astype(np.uint8)
"""`[ranks]`: the outcome of each rank."""


def shown(steps: int, limit: int, width: int = 1) -> NDArray[np.int64]:
    """Indices of the steps in an answer: the first, the last and evenly spaced ones between; the last if only one fits.

    Args:
        steps: number of recorded steps.
        limit: requested number of steps, at least 1.
        width: numbers per step in the answer.
    """
    limit = min(limit, max(1, LARGEST_ANSWER // max(1, width)))
    if steps <= limit:
        return np.arange(steps, dtype=np.int64)
    if limit == 1:
        # `linspace` would choose the first step; the last one shows the state of the run.
        return np.array([steps - 1], np.int64)
    return np.linspace(0, steps - 1, limit).round().astype(np.int64)


def health(outcomes: NDArray[np.uint8], indices: NDArray[np.int64]) -> NDArray[np.uint8]:
    """`[layers, shown steps]`: the worst outcome of all rules over the steps that each shown step represents.

    A shown step represents itself and the steps between it and the previous shown one. No problem of a short time is
    lost that way.

    Args:
        outcomes: `[S, layers, rules]` uint8; without rules, every outcome is `NOT_APPLICABLE`.
        indices: as returned by `shown`.
    """
    # `reduceat` does not accept an empty list of starts.
    if not len(indices):
        return np.empty((outcomes.shape[1], 0), np.uint8)
    # The values of outcomes are fixed by stored files and not ordered by severity, so the maximum is taken over ranks.
    ranks = _RANK[outcomes].max(axis=2, initial=0)
    starts = np.concatenate([[0], indices[:-1] + 1])
    return _OUTCOME[np.maximum.reduceat(ranks, starts, axis=0)].T
