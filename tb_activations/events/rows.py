"""Moves points written under an earlier description of a run to the rows of the newest one."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tb_activations.events import schema
from tb_activations.events.series import Point
from tb_activations.events.unit_coding import NOT_MEASURED
from tb_activations.records.descriptions import Places, moved
from tb_activations.records.finding import Outcome
from tb_activations.records.specs import RunSpec

_MISSING: dict[str, np.generic] = {
    schema.LAYERS: np.float32(np.nan),
    schema.HISTOGRAMS: np.float32(np.nan),
    schema.OUTCOMES: np.uint8(Outcome.INSUFFICIENT_DATA),
    schema.WEIGHTS: np.float32(np.nan),
    schema.UNITS: np.uint8(NOT_MEASURED),
}
"""For each tag with rows: the value for a row that the run did not have yet."""


@dataclasses.dataclass(frozen=True)
class Description:
    """A run's description, with the step and time at which it was written."""

    step: int
    wall_time: float
    spec: RunSpec


class Rows:
    """The rows of a run with one or several descriptions."""

    def __init__(self, descriptions: Sequence[Description]) -> None:
        """`descriptions`: at least one, in ascending order of steps."""
        newest = descriptions[-1].spec
        self._steps = [description.step for description in descriptions]
        self._places = [_places(description.spec, newest) for description in descriptions]
        self._unit_count = newest.unit_count

    def in_newest(self, tag: str, points: Sequence[Point]) -> list[Point]:
        """The points of a tag in the rows of the newest description; points of another model are dropped."""
        if tag == schema.UNITS and not any(point.value.shape == (2, self._unit_count) for point in points):
            # A damaged description may claim any number of units: allocate nothing that no record confirms.
            return list(points)
        return [kept for point in points if (kept := self._moved(tag, point)) is not None]

    def _moved(self, tag: str, point: Point) -> Point | None:
        # Points before the first description belong to it as well.
        at = self._places[max(bisect.bisect_right(self._steps, point.step) - 1, 0)]
        if at is None:
            return point
        if at.old.layers and not (at.layers >= 0).any():
            return None
        if tag not in _MISSING:
            return point
        axis, missing = 1 if tag == schema.UNITS else 0, _MISSING[tag]
        is_fitting = point.value.shape[axis : axis + 1] == (_length(tag, at.old),)
        if not is_fitting or point.value.dtype != missing.dtype:
            return None
        return point._replace(value=moved(point.value, _to(tag, at), missing, axis))


def _places(old: RunSpec, newest: RunSpec) -> Places | None:
    return None if _rows(old) == _rows(newest) else Places(old, newest)


def _rows(spec: RunSpec) -> object:
    return [(layer.name, layer.units) for layer in spec.layers], [weight.name for weight in spec.weights]


def _length(tag: str, spec: RunSpec) -> int:
    if tag == schema.UNITS:
        return spec.unit_count
    return len(spec.weights) if tag == schema.WEIGHTS else len(spec.layers)


def _to(tag: str, at: Places) -> NDArray[np.int64]:
    if tag == schema.UNITS:
        return at.units
    return at.weights if tag == schema.WEIGHTS else at.layers
