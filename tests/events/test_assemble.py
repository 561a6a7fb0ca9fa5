"""The decoder on series as TensorBoard's data provider gives them: sampled, unsorted, partly stale."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_activations.events import schema
from tb_activations.events.assemble import decode, describe
from tb_activations.events.errors import SchemaError, UnreadableRunError
from tb_activations.events.json_codec import run_to_json
from tb_activations.events.series import Point, Series, ordered
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS
from tb_activations.records.finding import Outcome
from tb_activations.records.specs import LayerSpec, RunSpec

SPEC = RunSpec("m", (LayerSpec("a", "Dense", units=2), LayerSpec("b", "Dense")), thresholds={"x": {}, "y": {}})
NOTHING = np.empty(0)


def series(tag: str, points: Sequence[tuple[int, float, Any]], columns: Sequence[str] | None = None) -> Series:
    names = schema.COLUMNS[tag] if columns is None else columns
    content = json.dumps({"schema": 1, "columns": list(names)}).encode()
    return Series(content, [Point(step, time, np.asarray(value)) for step, time, value in points])


def description(spec: RunSpec = SPEC, step: int = 0, time: float = 0.0) -> tuple[int, float, Any]:
    return step, time, np.array(run_to_json(spec).encode(), object)


def layers(fill: float, columns: int = len(LAYER_COLUMNS)) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.full((2, columns), fill, np.float32)


def run_series(*points: tuple[int, float, Any]) -> Series:
    return series(schema.RUN, points or (description(),))


@given(st.lists(st.integers(0, 20)))
def test_ordered_points_grow_and_keep_the_last_word(steps: list[int]) -> None:
    points = [Point(step, float(time), NOTHING) for time, step in enumerate(steps)]
    kept = ordered(points)
    assert [point.step for point in kept] == sorted({point.step for point in kept})
    for point in points:
        survives = all(later.step > point.step for later in points[int(point.wall_time) + 1 :])
        assert (point in kept) == survives


def test_only_the_description_is_a_run_without_steps() -> None:
    run = decode({schema.RUN: run_series()})
    assert run.stat("mean").shape == (0, 2)
    assert run.units("a").shape == (0, 0)
    assert run.histograms("gradient")[1].shape == (0, 2, 32)
    assert run.outcomes.shape == (0, 2, 0)
    assert list(run.records()) == []
    assert run.cost == {}


def test_tags_sampled_differently_are_aligned_by_step() -> None:
    totals = [(step, 0.0, np.full(len(STEP_COLUMNS), step, np.float32)) for step in (0, 2)]
    run = decode(
        {
            schema.RUN: run_series(),
            schema.LAYERS: series(schema.LAYERS, [(step, 0.0, layers(step)) for step in (0, 1, 2)]),
            schema.STEP: series(schema.STEP, totals),
        }
    )
    np.testing.assert_array_equal(run.step_stat("loss"), [0, np.nan, 2])
    np.testing.assert_array_equal(run.stat("mean")[:, 0], [0, 1, 2])


def test_outcomes_hold_until_the_next() -> None:
    judged = [(1, 0.0, np.zeros((2, 2), np.uint8)), (3, 0.0, np.full((2, 2), Outcome.PROBLEM, np.uint8))]
    run = decode(
        {
            schema.RUN: run_series(),
            schema.LAYERS: series(schema.LAYERS, [(step, 0.0, layers(1)) for step in range(5)]),
            schema.OUTCOMES: series(schema.OUTCOMES, judged, ["x", "y"]),
        }
    )
    assert run.outcomes[:, 0, 0].tolist() == [Outcome.INSUFFICIENT_DATA, 0, 0, 3, 3]


def test_outcomes_with_unknown_codes_are_left_out() -> None:
    judged = [(0, 0.0, np.zeros((2, 2), np.uint8)), (1, 0.0, np.full((2, 2), 77, np.uint8))]
    run = decode({schema.RUN: run_series(), schema.OUTCOMES: series(schema.OUTCOMES, judged, ["x", "y"])})
    assert (run.steps.tolist(), run.outcomes.max(), run.dropped) == ([0], 0, 1)


def test_after_a_restart_with_other_rules_the_description_names_them() -> None:
    # TensorBoard keeps the metadata that the first training wrote.
    second = RunSpec("m", SPEC.layers, thresholds={"p": {}, "q": {}})
    judged = [(0, 1.0, np.zeros((2, 2), np.uint8)), (10, 6.0, np.ones((2, 2), np.uint8))]
    run = decode(
        {
            schema.RUN: run_series(description(), description(second, step=10, time=5.0)),
            schema.LAYERS: series(schema.LAYERS, [(0, 1.0, layers(1)), (10, 6.0, layers(1))]),
            schema.OUTCOMES: series(schema.OUTCOMES, judged, ["x", "y"]),
        }
    )
    assert run.rules == ("p", "q")
    assert run.outcomes[:, 0, 0].tolist() == [Outcome.INSUFFICIENT_DATA, Outcome.NOTE]


def test_a_restart_takes_back_what_other_tags_still_hold() -> None:
    run = decode(
        {
            schema.RUN: run_series(description(time=0.0), description(step=5, time=50.0)),
            schema.LAYERS: series(schema.LAYERS, [(0, 1.0, layers(0)), (9, 9.0, layers(1)), (5, 51.0, layers(2))]),
            schema.HISTOGRAMS: series(
                schema.HISTOGRAMS, [(step, 1.0 + step, np.ones((2, 2, 32), np.float32)) for step in (0, 9)]
            ),
        }
    )
    assert run.steps.tolist() == [0, 5]
    assert run.histogram_steps.tolist() == [0]


def test_columns_are_found_by_name() -> None:
    table = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    stored = series(schema.LAYERS, [(0, 0.0, table)], ["max", "of a later version", "mean"])
    run = decode({schema.RUN: run_series(), schema.LAYERS: stored})
    np.testing.assert_array_equal(run.stat("max"), [[1, 4]])
    np.testing.assert_array_equal(run.stat("mean"), [[3, 6]])
    assert np.isnan(run.stat("std")).all()


@pytest.mark.parametrize(
    "value",
    [np.ones((3, 17), np.float32), np.ones((2, 17), np.float64), np.ones(17, np.float32), np.array([b"x"], object)],
)
def test_what_does_not_fit_the_description_is_counted(value: Any) -> None:
    points = [(0, 0.0, layers(1)), (1, 0.0, value)]
    run = decode({schema.RUN: run_series(), schema.LAYERS: series(schema.LAYERS, points)})
    assert (run.steps.tolist(), run.dropped) == ([0], 1)


@pytest.mark.parametrize("text", [b"", b"[]", b'{"rule": 3}', "text", 3])
def test_a_damaged_finding_is_counted(text: Any) -> None:
    written = [(0, 0.0, np.array([text], object))]
    run = decode({schema.RUN: run_series(), schema.FINDINGS: series(schema.FINDINGS, written)})
    assert (run.findings, run.dropped) == ((), 1)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b'{"schema": "1", "columns": []}', b'{"schema": 1, "columns": [1]}']
)
def test_metadata_of_something_else_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadableRunError, match=f"metadata of {schema.LAYERS}"):
        decode({schema.RUN: run_series(), schema.LAYERS: Series(content, [])})


def test_any_tag_of_a_newer_schema_is_refused() -> None:
    newer = Series(b'{"schema": %d, "columns": []}' % (schema.SCHEMA_VERSION + 1), [])
    with pytest.raises(SchemaError) as caught:
        decode({schema.RUN: run_series(), schema.COST: newer})
    assert (caught.value.found, caught.value.known) == (schema.SCHEMA_VERSION + 1, schema.SCHEMA_VERSION)


@pytest.mark.parametrize("read", [lambda found: decode({schema.RUN: found}), describe])
@pytest.mark.parametrize("value", [np.array(b"nope", object), np.array([b"a", b"b"], object), np.ones(3, np.float32)])
def test_a_damaged_description_is_refused(read: Any, value: Any) -> None:
    with pytest.raises(UnreadableRunError, match="run's description"):
        read(run_series((0, 0.0, value)))


def test_without_a_description_there_is_no_run() -> None:
    with pytest.raises(UnreadableRunError, match="no description"):
        decode({schema.LAYERS: series(schema.LAYERS, [(0, 0.0, layers(1))])})
