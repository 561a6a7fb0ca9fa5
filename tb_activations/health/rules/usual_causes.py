"""What explains many findings at once, and what advice can name with numbers: the scale of data, the learning rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.records.formatting import number

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

RISEN = 10.0
"""A learning rate that has risen by this factor within the window was raised, and the one before it is known."""


def to_standardize(history: History) -> str:
    """A sentence and a space that advise to standardize inputs or targets which are far from that; "" if none is."""
    return history.once_a_step("to standardize", _to_standardize)


def lower_rate(history: History) -> float:
    """A rate to try instead of one that is too high: the one before a rise, otherwise a tenth; NaN if unknown."""
    return history.once_a_step("lower rate", _lower_rate)


def rate_now(history: History) -> float:
    """The learning rate of the latest step, NaN if it was not measured."""
    return history.once_a_step("learning rate", lambda _: float(history.total("learning_rate")[-1]))


def _to_standardize(history: History) -> str:
    parts = []
    sizes = _known(history.total("input_rms"))
    if sizes.size and float(np.median(sizes)) > LARGE:
        parts.append(f"the inputs (root mean square {number(float(np.median(sizes)))})")
    ends = _known(np.abs([*history.total("target_min"), *history.total("target_max")]))
    if history.spec.loss in DISTANCES and ends.size and float(ends.max()) > LARGE:
        parts.append(f"the targets (up to {number(float(ends.max()))} in size)")
    return f"Standardize {' and '.join(parts)} first: mean 0, deviation 1. " if parts else ""


def _lower_rate(history: History) -> float:
    rate = rate_now(history)
    before = _known(history.total("learning_rate"))
    before = before[before > 0]
    lowest = float(before.min()) if before.size else np.nan
    return lowest if lowest * RISEN <= rate else rate / RISEN


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]
