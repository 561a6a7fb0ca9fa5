"""Whether the loss of a training has improved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.rules.elasticity import rows_of_loss

LATEST = 16
"""Observed steps whose median loss counts, because the loss of a single batch is noisy."""

STUCK = 0.98
"""A loss above this share of what a network without training reaches is no better than that."""

FEWEST_ROWS = 4
"""Samples or positions from which the best constant prediction for them counts."""

FALLEN = 0.9
"""A loss below this share of what it was half a window ago is falling, not swinging."""

STEADY = 3.0
"""Deviations of the rank sum of the later half of the losses (Mann & Whitney 1947): that many are a fall for certain,
even if it is a small one, for which `STUCK` counts instead of `FALLEN`."""


def recent_loss(history: History) -> float:
    """Median of the latest finite losses, NaN without any."""
    recent = history.losses[-LATEST:]
    finite = recent[np.isfinite(recent)]
    return float(np.median(finite)) if finite.size else float("nan")


def constant_loss(history: History) -> float:
    """Loss of the best constant prediction, the median over the kept steps; NaN if unknown.

    That of a few samples is unknown: a constant that fits them says nothing about others.
    """
    return history.once_a_step("constant loss", lambda _: _constant_loss(history))


def _constant_loss(history: History) -> float:
    known = history.total("constant_loss")
    known = known[np.isfinite(known) & (rows_of_loss(history) >= FEWEST_ROWS)]
    return float(np.median(known)) if known.size else float("nan")


def untrained_loss(history: History) -> float:
    """The loss of the best constant prediction, the initial loss where that is unknown; NaN if both are.

    A training may begin with a network that has solved its task, so the initial loss alone says little.
    """
    constant = constant_loss(history)
    return constant if np.isfinite(constant) else history.initial_loss


def is_stuck(history: History, share: float = STUCK) -> bool:
    """Whether the loss is above `share` of that without training, so no better than it; false if unknown."""
    untrained = untrained_loss(history)
    return recent_loss(history) > untrained - (1 - share) * abs(untrained)


def is_known_stuck(history: History) -> bool:
    """The same against the best constant prediction; false where that is unknown.

    Adversarial losses and those of policies do not fall below their start, however well the training goes.
    """
    return bool(np.isfinite(constant_loss(history))) and is_stuck(history)


def beats_constant(history: History) -> bool:
    """Whether the loss is known to be better than that of the best constant prediction."""
    return bool(np.isfinite(constant_loss(history))) and not is_stuck(history)


def is_falling(history: History) -> bool:
    """Whether the loss of the later half of the kept steps is clearly below that of the earlier half.

    A loss far above what it leads to falls slowly: targets in the hundreds are reached in steps of the learning rate.
    It falls nevertheless if nearly every later loss is below nearly every earlier one.
    """
    return history.once_a_step("falling", lambda _: _is_falling(history.losses))


def _is_falling(losses: NDArray[np.float64]) -> bool:
    halves = losses[: len(losses) // 2], losses[len(losses) // 2 :]
    earlier, later = (half[np.isfinite(half)] for half in halves)
    if not earlier.size or not later.size:
        return False
    before, after = float(np.median(earlier)), float(np.median(later))
    share = STUCK if _rank_deviations(earlier, later) >= STEADY else FALLEN
    return after < before - (1 - share) * abs(before)


def _rank_deviations(earlier: NDArray[np.float64], later: NDArray[np.float64]) -> float:
    """By how many standard deviations of chance more pairs fall from an earlier to a later loss than rise."""
    pairs = earlier.size * later.size
    falls = (
        float(np.count_nonzero(earlier[:, None] > later[None])) + np.count_nonzero(earlier[:, None] == later[None]) / 2
    )
    return float((falls - pairs / 2) / np.sqrt(pairs * (earlier.size + later.size + 1) / 12))


def is_warming_up(history: History) -> bool:
    """Whether the learning rate has risen over the kept steps to its highest value."""
    rates = history.total("learning_rate")
    rates = rates[np.isfinite(rates)]
    return bool(rates.size > 1 and rates[-1] > rates[0] and rates[-1] >= rates.max())
