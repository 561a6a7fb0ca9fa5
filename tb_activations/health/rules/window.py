"""Questions of rules about the window of observed steps: medians, since when, whether the network has learned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History

LEARNED = 0.7
"""A loss below this share of its start: the network learns, whatever a layer looks like."""


def medians(table: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """`[layers]` median over the checks and over how many of them; NaN where there is none."""
    counts = np.count_nonzero(~np.isnan(table), axis=0)
    result = np.full(table.shape[1], np.nan)
    if not len(table):
        return result, counts
    # `np.nanmedian` goes through masked arrays, which costs more than everything else in a rule. NaN sorts to the end.
    ordered, columns = np.sort(table, axis=0), np.arange(table.shape[1])
    low, high = ordered[np.maximum(counts - 1, 0) // 2, columns], ordered[counts // 2 % len(table), columns]
    known = counts > 0
    result[known] = np.where(counts % 2 == 1, low, (low + high) / 2)[known]
    return result, counts


def trailing(flags: NDArray[np.bool_]) -> int:
    """How many of the last checks in a row hold."""
    broken = np.flatnonzero(~flags)
    return len(flags) if not broken.size else int(len(flags) - 1 - broken[-1])


def since(history: History, flags: NDArray[np.bool_]) -> int:
    """The first of the last steps in a row that hold; the latest step if none does."""
    return int(history.steps[-max(trailing(flags), 1)])


def has_learned(history: History, share: float = LEARNED) -> bool:
    """Whether the loss is below `share` of its start; never for losses that start at zero or below."""
    return history.loss < share * history.initial_loss


def rows_per_unit(history: History, row: int) -> NDArray[np.float64]:
    """`[checks kept]`: number of samples (and positions) that a layer's statistics are over."""
    return history.rows[:, row]


def kernel_steps(history: History, checks: int) -> NDArray[np.float64]:
    """`[checks, layers]`: the largest update-to-weight ratio of a layer's kernels at the last checks, NaN without one.

    Vectors are left out: biases begin at zero, and any step is huge compared with zero.
    """
    kept = max(min(checks, len(history.steps)), 0)
    ratios = history.weight_stat("update_ratio")[len(history.steps) - kept :].astype(np.float64)
    steps = np.full((kept, len(history.spec.layers)), np.nan)
    rows = {layer.name: row for row, layer in enumerate(history.spec.layers)}
    for place, weight in enumerate(history.spec.weights):
        if len(weight.shape) > 1 and weight.layer in rows:
            row = rows[weight.layer]
            steps[:, row] = np.fmax(steps[:, row], ratios[:, place])
    return steps
