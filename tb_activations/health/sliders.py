"""How each threshold of a rule is shown and moved: its name, unit, limits and a useful range around its default."""

from __future__ import annotations

import dataclasses
from typing import Literal

from tb_activations.health.rules import Rule
from tb_activations.health.rules.base import ThresholdUnit

DECADES = 3
"""A logarithmic slider reaches this far to both sides of the default."""
LEAST_LINEAR_SHARE = 0.05
"""Smaller shares would all be at the start of a linear slider."""
FIRST_LOGARITHMIC = 10
"""Below, neighboring positions of a logarithmic slider would be the same whole number."""
LONGEST_LINEAR = 4
"""A slider of steps ends at this multiple of its default, if the rule allows more."""


@dataclasses.dataclass(frozen=True)
class Slider:
    """One threshold.

    Attributes:
        id: as in `LayerHealth(rules=...)`.
        title: for people.
        low, high: the lowest and the highest value that the rule allows.
        scale: of the slider.
        start, end: of the slider, within `low` and `high`.
        step: between two positions of a linear slider, 0 on a logarithmic one.
        is_whole: whether only whole numbers make sense.
    """

    id: str
    title: str
    unit: ThresholdUnit
    default: float
    low: float
    high: float
    scale: Literal["linear", "log"]
    start: float
    end: float
    step: float
    is_whole: bool


def sliders(rule: type[Rule]) -> list[Slider]:
    """The thresholds of a rule in their declared order."""
    return [_slider(rule, name, default) for name, default in rule().thresholds.items()]


def _slider(rule: type[Rule], name: str, default: float) -> Slider:
    low, high = rule.limits[name]
    label = rule.labels[name]
    shared = (name, label.title, label.unit, default, low, high)
    is_whole = label.unit in ("steps", "samples")
    if label.unit == "steps" or (is_whole and default < FIRST_LOGARITHMIC):
        return Slider(*shared, "linear", low, min(high, LONGEST_LINEAR * default), 1, is_whole=True)
    if default <= 0 or (label.unit == "share" and default >= LEAST_LINEAR_SHARE):
        return Slider(*shared, "linear", low, min(high, 1), 0.01, is_whole=False)
    # Through text, because 1e-6 / 1e3 is 9.999999999999999e-10.
    start, end = (float(f"{default * 10.0**power:.12g}") for power in (-DECADES, DECADES))
    first = max(low, start, FIRST_LOGARITHMIC if is_whole else 0)
    return Slider(*shared, "log", first, min(high, end), 0, is_whole=is_whole)
