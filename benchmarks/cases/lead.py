"""When an alarm that watches only the loss would go off, and how far ahead of it a finding is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WINDOW = 128
"""Steps whose mean and deviation define a spike, as in OLMo."""
DEVIATIONS = 6.0
LEAST = 16
"""Steps needed before a spike can be told from noise."""

PATIENCE = 0.1
"""Share of the planned steps without improvement that is a plateau."""
IMPROVED = 0.99
"""A mean below this share of the best one before is an improvement."""


def loss_alarm(losses: Sequence[float]) -> int | None:
    """The first step at which a loss-based alarm goes off, None if it never does.

    It goes off at a loss that is not finite, at a spike of six standard deviations over the last 128 steps, and when
    the mean loss has not improved by 1 % for a tenth of the training.

    Args:
        losses: of every step of the training.
    """
    values = np.array(losses, np.float64)
    alarms = [_first(~np.isfinite(values)), _spike(values), _plateau(values)]
    return min((step for step in alarms if step is not None), default=None)


def lead(found_step: int, alarm_step: int | None, observed: Sequence[int]) -> int:
    """Observed steps from a finding to the alarm, or to the last observed step if there is no alarm.

    Negative if the alarm comes first.
    """
    end = observed[-1] + 1 if alarm_step is None else alarm_step
    steps = np.asarray(observed)
    low, high = sorted((found_step, end))
    return int(np.count_nonzero((steps >= low) & (steps < high))) * (1 if end >= found_step else -1)


def _first(flags: NDArray[np.bool_]) -> int | None:
    places = np.flatnonzero(flags)
    return int(places[0]) if places.size else None


def _spike(values: NDArray[np.float64]) -> int | None:
    for step in range(LEAST, len(values)):
        recent = values[max(step - WINDOW, 0) : step]
        if values[step] > recent.mean() + DEVIATIONS * recent.std():
            return step
    return None


def _plateau(values: NDArray[np.float64]) -> int | None:
    patience = max(math.ceil(PATIENCE * len(values)), LEAST)
    best, since = math.inf, 0
    # A mean over half the patience: single batches are noisy.
    width = max(patience // 2, 1)
    for step in range(width, len(values)):
        mean = float(values[step - width : step].mean())
        if mean < best - (1 - IMPROVED) * abs(best) or math.isinf(best):
            best, since = mean, step
        elif step - since >= patience:
            return step
    return None
