"""Learning rates that make steps of the usual size, and norms to clip gradients to: numbers that advice can name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.gains import too_large
from tb_activations.health.rules.kernels import kernel_steps
from tb_activations.records.formatting import number

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

FIRST_STEP = 0.02
"""Update-to-weight ratio of the very first step of Adam and its relatives, in the median kernel of healthy trainings:
half of them have 0.01 to 0.036. It is as long as the learning rate allows, whatever the gradient."""

RATE_PHRASES = (
    "(try ",
    "(here about ",
    "a learning rate near ",
    "Lower the learning rate: about ",
    "Raise the learning rate: ",
)
"""What comes before a learning rate to try, where advice names one: the tab puts it into the code to copy."""

CLIPPING = "clipnorm="
"""What comes before a norm to clip gradients to."""

MOST_RATE = 10.0
"""No usual optimizer learns at a higher rate: a gradient that needs one is too small."""

LEAST_RATE = 1e-6
"""With a lower rate a network in float32 hardly moves: it is no remedy for a step that was too large."""

TOO_SMALL = "The gradient is too small for any usual learning rate"
"""Begins `GRADIENT_TOO_SMALL`."""

GRADIENT_TOO_SMALL = (
    f"{TOO_SMALL}: use an initializer that keeps the size of the signal "
    "(he_normal for relu, glorot_uniform for tanh), normalize, and look for a factor that makes the loss small."
)
"""Advice where a learning rate above `MOST_RATE` would be needed."""

RISEN = 10.0
"""A learning rate that has risen by this factor within the window was raised, and the one before it is known."""


def lower_rate(history: History) -> float:
    """A rate to try instead of one that is too high; NaN if unknown.

    One from before a rise, otherwise a tenth, or what makes the first steps small: they started from weights that were
    still sound. A tenth too where only a rate below `LEAST_RATE` would.
    """
    return history.once_a_step("lower rate", _lower_rate)


def rate_before_rise(history: History) -> float:
    """The highest rate with small steps from before the learning rate rose, NaN if it did not rise by `RISEN`."""
    return history.once_a_step("rate before a rise", _rate_before_rise)


def clipping(history: History) -> str:
    """The argument of an optimizer that clips gradients: at 1, or at those of the first steps where these are larger.

    A lower limit would shorten the steps of a sound training by plain SGD, for which the learning rate was computed.
    """
    return f"{CLIPPING}{number(norm) if (norm := _sound_norm(history)) > 1 else '1.0'}"


def is_beyond_rates(history: History) -> bool:
    """Whether the first steps were so large that no usable learning rate would have made them small."""
    return history.once_a_step("beyond rates", lambda _: bool(_calm_rate(history) < LEAST_RATE))


def rate_now(history: History) -> float:
    """The learning rate of the latest step, NaN if it was not measured."""
    return history.once_a_step("learning rate", lambda _: float(history.total("learning_rate")[-1]))


def _lower_rate(history: History) -> float:
    rate, before = rate_now(history), rate_before_rise(history)
    if before > 0:
        return before
    return rate / RISEN if is_beyond_rates(history) else float(np.fmin(rate / RISEN, _calm_rate(history)))


def _rate_before_rise(history: History) -> float:
    rate, rates = rate_now(history), history.total("learning_rate").astype(np.float64)
    is_lower = (rates > 0) & (rates * RISEN <= rate)
    steps = np.nan_to_num(_median_steps(history), nan=np.inf)
    is_calm = is_lower & (steps <= _usual_first_step(history))
    if is_calm.any():
        return float(rates[is_calm].max())
    return float(rates[is_lower].min()) if is_lower.any() else np.nan


def _median_steps(history: History) -> NDArray[np.float64]:
    """`[checks]`: the update-to-weight ratio of the median kernel at each kept check, NaN if it was not measured."""
    steps = kernel_steps(history, len(history.steps))
    is_known = np.isfinite(steps).any(axis=1) if steps.size else np.zeros(len(steps), bool)
    medians = np.full(len(steps), np.nan)
    medians[is_known] = np.nanmedian(np.where(np.isfinite(steps), steps, np.nan)[is_known], axis=1)
    return medians


def _usual_first_step(history: History) -> float:
    return FIRST_STEP if is_of_any_gradient(history) else SAFE_STEP


def _sound_norm(history: History) -> float:
    """The largest gradient of a weight at the first kept step; 1 if it is unknown or does not matter."""
    norms = history.weight_stat("gradient_norm")
    first = norms[0][np.isfinite(norms[0])] if len(norms) else np.empty(0)
    if not first.size or is_of_any_gradient(history) or is_beyond_rates(history):
        return 1.0
    return float(first.max())


def _calm_rate(history: History) -> float:
    """The rate that would have made the first kept steps of half of the kernels small, NaN if they were not measured.

    Gradients shrink as a network learns, so under plain SGD the first steps are the largest. Where the size of the
    gradient does not matter, later steps are as long as the first ones. The steps of kernels that start far too large
    say nothing of those from a start of the right size.
    """
    steps, rates = kernel_steps(history, len(history.steps)), history.total("learning_rate")
    first = np.where(too_large(history), np.nan, steps[0]) if len(steps) else np.empty(0)
    known = first[np.isfinite(first) & (first > 0)]
    size = _usual_first_step(history)
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
