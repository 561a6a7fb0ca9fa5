"""What the rule for exploding gradients knows of the latest step, and what it says about a layer."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.rules.base import Sign
from tb_activations.health.rules.pull import Pull
from tb_activations.records.finding import Severity


@dataclasses.dataclass(frozen=True)
class Alarm:
    """One sign of an exploding gradient in a layer.

    Attributes:
        remark: how the value was computed, if that is unusual; begins with a comma.
    """

    sign: Sign
    value: float
    threshold: float
    severity: Severity
    since_step: int
    remark: str = ""
    closing: float = math.nan


class Remedies(NamedTuple):
    """The learning rate, a lower one to try, and what to standardize first."""

    rate: float
    lower_rate: float
    to_standardize: str


@dataclasses.dataclass(frozen=True)
class Scene:
    """What is known of the latest step.

    Attributes:
        steps: `[checks, layers]`, the sizes of the latest steps that may be explosions, NaN for the others.
        largest: `[layers]`, the largest of them.
        swollen: `[layers]`, the largest growth of a kernel from one observed step to the next, NaN where unknown.
        tension: `[layers]`, median elasticity, also of steps with few rows.
        sizes: `[layers]`, size of the outputs before the first step.
        growth: `[layers]`, growth of the gradient from block to block where that is an alarm, otherwise NaN.
        blown_up: the alarm of a blown-up loss; the layer in row `culprit` is blamed for it.
        is_known: `[layers]`, whether a gradient was measured.
        has_fallen: whether the loss has fallen, by slack.
    """

    steps: NDArray[np.float64]
    largest: NDArray[np.float64]
    swollen: NDArray[np.float64]
    pull: Pull
    tension: NDArray[np.float64]
    sizes: NDArray[np.float64]
    growth: NDArray[np.float64]
    blown_up: Alarm | None
    culprit: int
    is_known: NDArray[np.bool_]
    has_fallen: Mapping[float, bool]
    has_learned: bool
