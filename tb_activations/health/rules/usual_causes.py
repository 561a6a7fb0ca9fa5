"""What explains many findings at once, and comes first in their advice: the scale of data, the precision of weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.progress import constant_loss, is_falling, is_stuck
from tb_activations.records.formatting import number
from tb_activations.records.specs import LayerSpec

LARGE = 10.0
"""Inputs with a larger root mean square, and larger targets, are far from standardized."""

DISTANCES = frozenset(
    {
        "mean_squared_error",
        "mean_absolute_error",
        "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error",
        "huber",
        "log_cosh",
    }
)
"""Losses that compare outputs with targets number by number."""

OF_ANY_SIGN = DISTANCES - {"mean_squared_logarithmic_error"}
"""Those of them that have a gradient for outputs below zero, too."""

LOW_PRECISION = ("bfloat16", "float16")


def to_standardize(history: History) -> str:
    """A sentence and a space that advise to standardize inputs or targets which are far from that; "" if none is."""
    return history.once_a_step("to standardize", _to_standardize)


def is_approaching(history: History) -> bool:
    """Whether the loss of a regression falls from a start above that of the best constant prediction, still above it.

    Until the outputs as a whole have moved to targets far from zero, every unit is driven to the side that moves them.
    """
    is_above = history.spec.loss in DISTANCES and bool(history.initial_loss > constant_loss(history))
    return is_above and is_stuck(history) and is_falling(history)


def _to_standardize(history: History) -> str:
    parts = []
    sizes = _known(history.total("input_rms"))
    if sizes.size and float(np.median(sizes)) > LARGE:
        parts.append(f"the inputs (root mean square {number(float(np.median(sizes)))})")
    ends = _known(np.array([*history.total("target_min"), *history.total("target_max")]))
    # Targets of both signs are neither classes nor counts, so they can be scaled for a custom loss, too.
    is_scalable = history.spec.loss in DISTANCES or (not history.spec.loss and ends.size and float(ends.min()) < 0)
    if is_scalable and ends.size and float(np.abs(ends).max()) > LARGE:
        parts.append(f"the targets (up to {number(float(np.abs(ends).max()))} in size)")
    return f"Standardize {' and '.join(parts)} first: mean 0, deviation 1. " if parts else ""


def weighted_before(history: History, layer: LayerSpec) -> LayerSpec:
    """The layer itself if it has weights, else the nearest one before it that has; itself if none is known."""
    seen, current = {layer.name}, layer
    while not current.parameters and current.inputs and current.inputs[0] not in seen:
        seen.add(current.inputs[0])
        row = history.row_of.get(current.inputs[0])
        if row is None:
            break
        current = history.spec.layers[row]
    return current if current.parameters else layer


def in_float32(dtype: str, what: str) -> str:
    """A sentence and a space that advise to keep the weights of `what` in float32; "" if they are."""
    if dtype not in LOW_PRECISION:
        return ""
    return (
        f"Keep the weights of {what} in float32 (dtype policy mixed_{dtype}): {dtype} loses steps smaller than a few "
        "thousandths of a weight. "
    )


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]
