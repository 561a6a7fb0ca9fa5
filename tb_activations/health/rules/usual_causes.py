"""What explains many findings at once, and what advice can name with numbers: the scale of data, the learning rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.gains import too_large
from tb_activations.health.rules.kernels import kernel_steps
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

OF_ANY_GRADIENT = frozenset(
    {
        *("Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Lion", "Lamb", "Adafactor", "Adagrad", "Adadelta", "Muon"),
    }
)
"""Optimizers of Keras that divide by the size of the gradient: the learning rate alone decides how far they step."""

USUAL_STEP = 0.005
"""Update-to-weight ratio of the median step at the beginning of healthy trainings: half of them have 0.003 to 0.014."""

LARGE_STEP = 0.01
"""The same of their largest steps."""

SAFE_STEP = 0.05
"""The largest steps of 95 % of them are smaller."""

RATE_PHRASES = (
    "(try ",
    "(here about ",
    "a learning rate near ",
    "Lower the learning rate: about ",
    "Raise the learning rate: ",
)
"""What comes before a learning rate to try, where advice names one: the tab puts it into the code to copy."""

LEAST_RATE = 1e-6
"""With a lower rate a network in float32 hardly moves: it is no remedy for a step that was too large."""

LOW_PRECISION = ("bfloat16", "float16")

RISEN = 10.0
"""A learning rate that has risen by this factor within the window was raised, and the one before it is known."""


def to_standardize(history: History) -> str:
    """A sentence and a space that advise to standardize inputs or targets which are far from that; "" if none is."""
    return history.once_a_step("to standardize", _to_standardize)


def lower_rate(history: History) -> float:
    """A rate to try instead of one that is too high; NaN if unknown.

    The one before a rise, otherwise a tenth, or what makes the first steps small: they started from weights that were
    still sound. A tenth too where only a rate below `LEAST_RATE` would.
    """
    return history.once_a_step("lower rate", _lower_rate)


def is_beyond_rates(history: History) -> bool:
    """Whether the first steps were so large that no usable learning rate would have made them small."""
    return history.once_a_step("beyond rates", lambda _: bool(_calm_rate(history) < LEAST_RATE))


def rate_now(history: History) -> float:
    """The learning rate of the latest step, NaN if it was not measured."""
    return history.once_a_step("learning rate", lambda _: float(history.total("learning_rate")[-1]))


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
    ends = _known(np.abs([*history.total("target_min"), *history.total("target_max")]))
    if history.spec.loss in DISTANCES and ends.size and float(ends.max()) > LARGE:
        parts.append(f"the targets (up to {number(float(ends.max()))} in size)")
    return f"Standardize {' and '.join(parts)} first: mean 0, deviation 1. " if parts else ""


def _lower_rate(history: History) -> float:
    rate = rate_now(history)
    before = _known(history.total("learning_rate"))
    before = before[before > 0]
    lowest = float(before.min()) if before.size else np.nan
    if lowest * RISEN <= rate:
        return lowest
    return rate / RISEN if is_beyond_rates(history) else float(np.fmin(rate / RISEN, _calm_rate(history)))


def _calm_rate(history: History) -> float:
    """The rate that would have made the first kept steps of half of the kernels small, NaN if they were not measured.

    Gradients shrink as a network learns, so under plain SGD the first steps are the largest. Where the size of the
    gradient does not matter, later steps are as long as the first ones. The steps of kernels that start far too large
    say nothing of those from a start of the right size.
    """
    steps, rates = kernel_steps(history, len(history.steps)), history.total("learning_rate")
    first = np.where(too_large(history), np.nan, steps[0]) if len(steps) else np.empty(0)
    known = first[np.isfinite(first) & (first > 0)]
    size = LARGE_STEP if is_of_any_gradient(history) else SAFE_STEP
    return float(rates[0] * size * _lengthening(history) / np.median(known)) if known.size else np.nan


def _lengthening(history: History) -> float:
    """By which factor the first kept step is longer than later ones for the same gradient.

    RMSprop divides by a running mean of squares that starts at zero and, unlike that of Adam, is not corrected for it.
    """
    optimizer = history.spec.optimizer
    rho = optimizer.get("rho")
    if optimizer.get("class_name") != "RMSprop" or not isinstance(rho, float) or not 0 < rho < 1:
        return 1.0
    return float((1 - rho ** (float(history.steps[0]) + 1)) ** -0.5)


def is_of_any_gradient(history: History) -> bool:
    """Whether the optimizer's steps do not depend on the size of the gradient."""
    return history.spec.optimizer.get("class_name") in OF_ANY_GRADIENT


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
