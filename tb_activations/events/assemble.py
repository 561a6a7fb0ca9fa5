"""Builds one `Run` from the points of all tags.

The points come from event files or from TensorBoard's data provider. The provider may return a sample of what was
written, may include points that a restart replaced, and may return them unsorted.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_activations.events import schema
from tb_activations.events.epoch_metrics import epoch_from_json
from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.findings import stored_findings
from tb_activations.events.json_codec import run_from_json
from tb_activations.events.packing import unpack
from tb_activations.events.rows import Description, Rows
from tb_activations.events.run import Run
from tb_activations.events.sequences import table_of
from tb_activations.events.series import Point, Series, columns, ordered
from tb_activations.events.states import StoredState, state_from_json
from tb_activations.events.units import UnitTable
from tb_activations.records.epoch_metrics import EpochMetrics
from tb_activations.records.finding import Finding, Outcome
from tb_activations.records.specs import RunSpec

_TIME_AXIS = (schema.LAYERS, schema.STEP, schema.WEIGHTS, schema.UNITS, schema.OUTCOMES)
"""Tags written at (almost) every observed step; the first one that has points determines the steps of the run."""

_EMPTY = Series(b"", ())
_FIRST_STEP = -(2**63)

Parse = Callable[[bytes], RunSpec]


def remembering(parse: Parse) -> Parse:
    """`parse` with the last result cached: all runs of a sweep have the same description."""
    last: dict[bytes, RunSpec] = {}

    def once(text: bytes) -> RunSpec:
        if text not in last:
            spec = parse(text)
            last.clear()
            last[text] = spec
        return last[text]

    return once


def decode(series: Mapping[str, Series], name: str = ".", parse: Parse = run_from_json) -> Run:
    """The run in these series; a missing tag counts as never measured.

    The newest description determines the rows. Points written under an earlier description are moved to these rows.
    Points that do not fit (wrong shape or type, or from another model) are skipped and counted in `Run.dropped`.

    Args:
        series: by tag; must contain `schema.RUN`.
        name: of the run.
        parse: reads a description, as `run_from_json` does.

    Raises:
        SchemaError: a newer version of this package wrote the run.
        UnreadableRunError: the run has no description, or an unreadable one.
    """
    return _Decoder(series, parse).run(name)


def describe(series: Series) -> RunSpec:
    """The newest description of a run, from the points of `schema.RUN`.

    Raises:
        SchemaError: a newer version of this package wrote the run.
        UnreadableRunError: there is no description, or an unreadable one.
    """
    columns(series, schema.RUN)
    return _descriptions(series, run_from_json)[-1].spec


class _Decoder:
    def __init__(self, series: Mapping[str, Series], parse: Parse) -> None:
        self._columns = {tag: columns(series[tag], tag) for tag in schema.COLUMNS if tag in series}
        self._descriptions = _descriptions(series.get(schema.RUN, _EMPTY), parse)
        self.spec = self._descriptions[-1].spec
        self._rows = Rows(self._descriptions)
        self.dropped = 0
        self._starts = [description.step for description in self._descriptions]
        times = (description.wall_time for description in self._descriptions)
        # For each of these steps: the latest time at which a training started at or before it.
        self._latest = list(accumulate((-math.inf if math.isnan(time) else time for time in times), max))
        self._points = {tag: self._current(tag, series[tag].points) for tag in self._columns}

    def run(self, name: str) -> Run:
        layers, weights = len(self.spec.layers), len(self.spec.weights)
        tables = {
            schema.LAYERS: self._numbers(schema.LAYERS, (layers,)),
            schema.WEIGHTS: self._numbers(schema.WEIGHTS, (weights,)),
            schema.STEP: self._numbers(schema.STEP, ()),
        }
        training_rules = self._columns.get(schema.TRAINING, ())
        rules = self._rules(training_rules)
        tables[schema.OUTCOMES] = self._outcomes(rules)
        tables[schema.TRAINING] = self._training(training_rules)
        points = self._points.get(schema.UNITS, [])
        units = self._rows.units(points)
        self.dropped += len(points) - len(units)
        tables[schema.UNITS] = [point for point in points if point.step in units]
        axis = next((tables[tag] for tag in _TIME_AXIS if tables[tag]), [])
        steps = np.array([point.step for point in axis], np.int64)
        histogram_points = self._fitting(schema.HISTOGRAMS, (layers, *schema.HISTOGRAM_SHAPE), np.float32)
        histogram_shape = (layers, *schema.HISTOGRAM_SHAPE)
        sequences, misfits = table_of(self._points.get(schema.SEQUENCES, []), layers)
        self.dropped += misfits
        states, epochs = self._states(), self._epochs()
        return Run(
            name=name,
            spec=self.spec,
            steps=steps,
            wall_times=np.array([point.wall_time for point in axis], np.float64),
            layer_table=_aligned(
                tables[schema.LAYERS], steps, (layers, len(schema.COLUMNS[schema.LAYERS])), np.float32(np.nan)
            ),
            weight_table=_aligned(
                tables[schema.WEIGHTS], steps, (weights, len(schema.COLUMNS[schema.WEIGHTS])), np.float32(np.nan)
            ),
            step_table=_aligned(tables[schema.STEP], steps, (len(schema.COLUMNS[schema.STEP]),), np.float32(np.nan)),
            unit_table=UnitTable(self.spec.unit_count if units else 0, [units.get(step) for step in steps.tolist()]),
            histogram_steps=np.array([point.step for point in histogram_points], np.int64),
            histogram_table=_stacked(histogram_points, histogram_shape, np.dtype(np.float32)),
            sequence_table=sequences,
            outcomes=_held(tables[schema.OUTCOMES], steps, (layers, len(rules))),
            rules=rules,
            training=_held(tables[schema.TRAINING], steps, (len(training_rules),)),
            training_rules=training_rules,
            findings=self._findings(),
            cost=self._cost(),
            dropped=self.dropped,
            states=states,
            epoch_metrics=epochs,
        )

    def _current(self, tag: str, points: Sequence[Point]) -> list[Point]:
        """Points in order and in the newest rows, without those that a later start replaced."""
        valid = [point for point in ordered(points) if not self._is_replaced(point)]
        if tag == schema.UNITS:
            return valid
        current = self._rows.in_newest(tag, [_unpacked(tag, point) for point in valid])
        self.dropped += len(valid) - len(current)
        return current

    def _is_replaced(self, point: Point) -> bool:
        begun = bisect.bisect_right(self._starts, point.step)
        return begun > 0 and point.wall_time < self._latest[begun - 1]

    def _fitting(self, tag: str, shape: tuple[int, ...], kind: type[np.generic]) -> list[Point]:
        points = self._points.get(tag, [])
        fitting = [point for point in points if point.value.shape == shape and point.value.dtype == kind]
        self.dropped += len(points) - len(fitting)
        return fitting

    def _numbers(self, tag: str, rows: tuple[int, ...]) -> list[Point]:
        """Float tables, columns in the order of this version."""
        stored, wanted = self._columns.get(tag, ()), schema.COLUMNS[tag]
        points = self._fitting(tag, (*rows, len(stored)), np.float32)
        if stored == wanted:
            return points
        return [point._replace(value=_reordered(point.value, stored, wanted)) for point in points]

    def _rules(self, training_rules: tuple[str, ...]) -> tuple[str, ...]:
        # TensorBoard keeps a tag's first metadata forever. After a restart with other rules, trust the description.
        stored = self._columns.get(schema.OUTCOMES, ())
        judged = tuple(rule for rule in self.spec.thresholds if rule not in training_rules)
        newest = self._points.get(schema.OUTCOMES, [])[-1:]
        fits = bool(newest) and newest[0].value.shape[-1:] == (len(judged),)
        return judged if fits and set(judged) != set(stored) else stored

    def _outcomes(self, rules: tuple[str, ...]) -> list[Point]:
        since = _valid_since(self._descriptions, lambda spec: tuple(spec.thresholds))
        fitting = self._fitting(schema.OUTCOMES, (len(self.spec.layers), len(rules)), np.uint8)
        known = [point for point in fitting if point.step >= since and point.value.max(initial=0) <= max(Outcome)]
        self.dropped += len(fitting) - len(known)
        return known

    def _training(self, rules: tuple[str, ...]) -> list[Point]:
        points = self._fitting(schema.TRAINING, (len(rules),), np.uint8)
        known = [point for point in points if point.value.max(initial=0) <= max(Outcome)]
        self.dropped += len(points) - len(known)
        return known

    def _findings(self) -> tuple[Finding, ...]:
        findings, unreadable = stored_findings([point.value for point in self._points.get(schema.FINDINGS, [])])
        self.dropped += unreadable
        return findings

    def _states(self) -> tuple[StoredState, ...]:
        states = []
        for point in self._points.get(schema.STATE, []):
            try:
                states.append(state_from_json(_text(point.value, "a state of the training")))
            except UnreadableRunError:
                self.dropped += 1
        return tuple(states)

    def _epochs(self) -> tuple[EpochMetrics, ...]:
        epochs = []
        for point in self._points.get(schema.EPOCH, []):
            try:
                epochs.append(epoch_from_json(_text(point.value, "the metrics of an epoch"), point.step))
            except UnreadableRunError:
                self.dropped += 1
        return tuple(epochs)

    def _cost(self) -> dict[str, float]:
        points = self._numbers(schema.COST, ())
        if not points:
            return {}
        return dict(zip(schema.COST_COLUMNS, map(float, points[-1].value), strict=True))


def _descriptions(series: Series, parse: Parse) -> list[Description]:
    points = ordered(series.points)
    if not points:
        raise UnreadableRunError(f"the run has no description ({schema.RUN}), so its records cannot be read")
    # Repeated fit() calls repeat the description: parse each text once.
    texts = [_text(point.value, "the run's description") for point in points]
    specs = {text: parse(text) for text in set(texts)}
    return [Description(point.step, point.wall_time, specs[text]) for point, text in zip(points, texts, strict=True)]


def _unpacked(tag: str, point: Point) -> Point:
    """Points of version 1 are not packed."""
    is_packed = tag in schema.PACKED and point.value.dtype == np.uint8 and point.value.ndim == 1
    return point._replace(value=unpack(point.value.tobytes(), schema.PACKED[tag])) if is_packed else point


def _text(value: object, what: str) -> bytes:
    text = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if not isinstance(text, bytes):
        raise UnreadableRunError(f"{what} is not text")
    return text


def _valid_since(descriptions: Sequence[Description], part: Callable[[RunSpec], object]) -> int:
    """The step since which `part` of the description has its newest value."""
    newest = part(descriptions[-1].spec)
    since = descriptions[-1].step
    for description in reversed(descriptions):
        if part(description.spec) != newest:
            return since
        since = description.step
    # Nothing differs. Points before the first description belong to it as well.
    return _FIRST_STEP


def _reordered(value: NDArray[np.float32], stored: Sequence[str], wanted: Sequence[str]) -> NDArray[np.float32]:
    table = np.full((*value.shape[:-1], len(wanted)), np.nan, np.float32)
    for position, column in enumerate(wanted):
        if column in stored:
            table[..., position] = value[..., stored.index(column)]
    return table


def _stacked(points: Sequence[Point], shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
    if not points:
        return np.empty((0, *shape), kind)
    return np.stack([point.value for point in points])


def _aligned(
    points: Sequence[Point], steps: NDArray[np.int64], shape: tuple[int, ...], missing: np.generic
) -> NDArray[Any]:
    """`[S, *shape]`, `missing` at steps without a point; without any points read-only, in the memory of one value."""
    if not points:
        return np.broadcast_to(missing, (len(steps), *shape))
    own = np.array([point.step for point in points], np.int64)
    if np.array_equal(own, steps):
        return _stacked(points, shape, missing.dtype)
    table = np.full((len(steps), *shape), missing)
    _, here, there = np.intersect1d(steps, own, assume_unique=True, return_indices=True)
    table[here] = _stacked(points, shape, missing.dtype)[there]
    return table


def _held(points: Sequence[Point], steps: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """`[S, *shape]`, each point valid until the next; `INSUFFICIENT_DATA` before the first."""
    own = np.array([point.step for point in points], np.int64)
    table = _stacked(points, shape, np.dtype(np.uint8))
    table = np.concatenate([np.full((1, *shape), Outcome.INSUFFICIENT_DATA, np.uint8), table])
    return table[np.searchsorted(own, steps, side="right")]
