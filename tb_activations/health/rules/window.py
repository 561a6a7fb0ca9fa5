"""Statistics over the window of observed steps that several rules use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.progress import constant_loss

LEARNED = 0.7
"""A network whose loss is below this share of its start is learning."""


def medians(table: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """`[layers]` median over the checks that are not NaN, and `[layers]` their number; NaN without any."""
    counts = np.count_nonzero(~np.isnan(table), axis=0)
    result = np.full(table.shape[1], np.nan)
    if not len(table):
        return result, counts
    # `np.nanmedian` uses masked arrays, which are slower than everything else in a rule. NaN sorts to the end.
    ordered = np.sort(np.ascontiguousarray(table.T), axis=1)
    rows = np.arange(table.shape[1])
    low, high = ordered[rows, np.maximum(counts - 1, 0) // 2], ordered[rows, counts // 2 % len(table)]
    known = counts > 0
    result[known] = np.where(counts % 2 == 1, low, (low + high) / 2)[known]
    return result, counts


def trailing(flags: NDArray[np.bool_]) -> int:
    """Number of true flags in a row at the end."""
    broken = np.flatnonzero(~flags)
    return len(flags) if not broken.size else int(len(flags) - 1 - broken[-1])


def since(history: History, flags: NDArray[np.bool_]) -> int:
    """The first step of the run of true flags at the end; the latest step if its flag is false."""
    return int(history.steps[-max(trailing(flags), 1)])


def trailing_all(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The same for each column of a table of flags."""
    if not len(flags):
        return np.zeros(flags.shape[1], np.int64)
    counts: NDArray[np.int64] = np.where(flags.all(axis=0), len(flags), np.argmin(flags[::-1], axis=0))
    return counts


def has_learned(history: History, share: float = LEARNED) -> bool:
    """Whether the loss is below `share` of its start; one that starts below zero must fall as far from there.

    A start above the loss of the best constant prediction does not count: whoever falls from there to the constant has
    learned nothing.
    """
    return history.loss < _learned_below(history, share)


def had_learned(history: History, share: float = LEARNED) -> bool:
    """Whether that was so at any step."""
    return history.lowest_loss < _learned_below(history, share)


def _learned_below(history: History, share: float) -> float:
    start = float(np.fmin(history.initial_loss, constant_loss(history)))
    return share * start if start > 0 else start - (1 - share) * abs(start)
