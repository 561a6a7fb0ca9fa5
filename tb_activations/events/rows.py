"""Moves points written under an earlier description of a run to the rows of the newest one."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_activations.events import schema, sequences
from tb_activations.events.series import Point
from tb_activations.events.units import StoredUnits
from tb_activations.records.descriptions import Places, moved
from tb_activations.records.finding import Outcome
from tb_activations.records.specs import RunSpec

_MISSING: dict[str, np.generic] = {
    schema.LAYERS: np.float32(np.nan),
    schema.HISTOGRAMS: np.float32(np.nan),
    schema.OUTCOMES: np.uint8(Outcome.INSUFFICIENT_DATA),
    schema.WEIGHTS: np.float32(np.nan),
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
        return [kept for point in points if (kept := self._moved(tag, point)) is not None]

    def units(self, points: Sequence[Point]) -> dict[int, StoredUnits]:
        """The units by step, for the newest description; points of another model or shape are dropped."""
        stored = {point.step: StoredUnits(_content(point.value)) for point in points}
        newest = self._unit_count
        if not any(units.count == newest for units in stored.values()):
            # A damaged description may claim any number of units: allocate nothing that no record confirms.
            return {}
        kept = {}
        for step, units in stored.items():
            at = self._at(step)
            if at is None and units.count == newest:
                kept[step] = units
            elif at is not None and not _is_of_another_model(at) and units.count == at.old.unit_count:
                kept[step] = dataclasses.replace(units, places=at.units)
        return kept

    def _at(self, step: int) -> Places | None:
        # Points before the first description belong to it as well.
        return self._places[max(bisect.bisect_right(self._steps, step) - 1, 0)]

    def _moved(self, tag: str, point: Point) -> Point | None:
        at = self._at(point.step)
        if at is None:
            return point
        if _is_of_another_model(at):
            return None
        if tag == schema.SEQUENCES:
            table = sequences.moved(point.value, at.layers)
            return None if table is None else point._replace(value=table)
        if tag not in _MISSING:
            return point
        missing = _MISSING[tag]
        if point.value.shape[:1] != (_length(tag, at.old),) or point.value.dtype != missing.dtype:
            return None
        return point._replace(value=moved(point.value, _to(tag, at), missing))


def _content(value: NDArray[Any]) -> bytes | NDArray[np.uint8]:
    if value.dtype != np.uint8:
        return b""
    return value.tobytes() if value.ndim == 1 else value


def _is_of_another_model(at: Places) -> bool:
    return bool(at.old.layers) and not (at.layers >= 0).any()


def _places(old: RunSpec, newest: RunSpec) -> Places | None:
    return None if _rows(old) == _rows(newest) else Places(old, newest)


def _rows(spec: RunSpec) -> object:
    return [(layer.name, layer.units) for layer in spec.layers], [weight.name for weight in spec.weights]


def _length(tag: str, spec: RunSpec) -> int:
    return len(spec.weights) if tag == schema.WEIGHTS else len(spec.layers)


def _to(tag: str, at: Places) -> NDArray[np.int64]:
    return at.weights if tag == schema.WEIGHTS else at.layers
