"""What the rule for exploding gradients knows of the latest step, and what it says about a layer."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.rules.base import Sign
from tb_activations.health.rules.pull import Pull
from tb_activations.records.finding import Severity
from tb_activations.records.formatting import number
from tb_activations.records.specs import LayerSpec

OF_THE_START = frozenset({"signal", "elasticity"})
"""Signs that the weights themselves are too large, whatever the steps."""

NAMED = 6
"""Layers that advice names one by one."""


@dataclasses.dataclass(frozen=True)
class Alarm:
    """One sign of an exploding gradient in a layer.

    Attributes:
        remark: how the value was computed, if that is unusual; begins with a comma.
        is_present: whether the latest step shows it, not one of those before.
    """

    sign: Sign
    value: float
    threshold: float
    severity: Severity
    since_step: int
    remark: str = ""
    closing: float = math.nan
    is_present: bool = True


class Remedies(NamedTuple):
    """The learning rate, a lower one to try, where to clip, what to standardize first, and layers that start too large.

    `is_beyond_rates` says that no usable learning rate makes the first steps small.
    """

    rate: float
    lower_rate: float
    is_beyond_rates: bool
    clipping: str
    to_standardize: str
    too_large: Sequence[str]


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


def advice(layer: LayerSpec, sign: Sign, remedies: Remedies) -> str:
    """What to do about an explosion at this layer, the most likely cause first.

    Steps are huge because of the learning rate, unless the kernels start far too large: then both are to blame, and
    with a lower rate alone the network stays where it started.
    """
    rate = f"the learning rate from {number(remedies.rate)} (try {number(remedies.lower_rate)})"
    clip = f"clip gradients ({remedies.clipping})"
    names, extra = remedies.too_large, _in_time(layer)
    if names and sign.id not in OF_THE_START:
        start = "its kernel starts" if len(names) == 1 else "their kernels start"
        text = f"{_initializer(_listed(names))}: {start} far too large. Also lower {rate}, and {clip}.{extra}"
        return remedies.to_standardize + text
    start, slower = _initializer(layer.name), f"lower {rate} or warm it up"
    if remedies.is_beyond_rates and not remedies.to_standardize and sign.id not in OF_THE_START:
        return f"{_sentence(clip)}: no usable learning rate makes such steps small. Also {slower}.{extra}"
    first, second = (start, slower) if sign.id in OF_THE_START else (slower, start)
    text = f"{_sentence(first)}, {clip}, and {_clause(second)}.{extra}"
    return remedies.to_standardize + text


def _initializer(where: str) -> str:
    return (
        f"Use an initializer that keeps the size of the signal in {where} (he_normal for relu, glorot_uniform for tanh)"
    )


def _in_time(layer: LayerSpec) -> str:
    if not any(part in layer.class_name for part in ("RNN", "LSTM", "GRU")):
        return ""
    return " Shorter sequences, an orthogonal recurrent initializer or an LSTM keep it bounded in time."


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _clause(text: str) -> str:
    return text[0].lower() + text[1:]
