"""Statistics of values that were NaN or infinite: the norm of the finite rest would read as healthy, or as zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.run import Run

_SPOILED_BY_ANY = {
    "gradient_norm": "gradient_nonfinite",
    "gradient_mean_abs": "gradient_nonfinite",
    "weight_gradient_norm": "weight_gradient_nonfinite",
    "weight_gradient_mean_abs": "weight_gradient_nonfinite",
    "weight_norm": "weight_nonfinite",
    "update_ratio": "weight_nonfinite",
}
"""Norms, and the number of non-finite values among what they measure. One such value makes the norm non-finite."""
_SPOILED_BY_ALL = frozenset(
    {"mean", "std", "min", "max", "zero_fraction", "silent_fraction", "sample_std", "unit_std", "saturated_fraction"}
)
"""Statistics of outputs, which describe the finite ones as long as there are any."""


def layer_values(run: Run, stat: str) -> NDArray[np.float32]:
    """`[S, L]`: a statistic of `LAYER_COLUMNS`, +infinity where its values were not finite, NaN where not measured."""
    values = run.stat(stat)
    if stat in _SPOILED_BY_ANY:
        return _spoiled(values, run.stat(_SPOILED_BY_ANY[stat]) > 0)
    if stat in _SPOILED_BY_ALL:
        count = run.stat("nonfinite")
        return _spoiled(values, (count > 0) & (count >= run.stat("elements")))
    return values


def step_values(run: Run, stat: str) -> NDArray[np.float32]:
    """`[S]`: a statistic of `STEP_COLUMNS`; the loss is +infinity where it was not finite, NaN where not measured."""
    values = run.step_stat(stat)
    return _spoiled(values, run.step_stat("loss_nonfinite") == 1) if stat == "loss" else values


def _spoiled(values: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(where, np.float32(np.inf), values) if where.any() else values
