"""Points of one run that was described several times, with other rows each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_activations.events import schema
from tb_activations.events.packing import pack
from tb_activations.events.rows import Description, Rows
from tb_activations.events.series import Point
from tb_activations.events.unit_coding import NOT_MEASURED
from tb_activations.events.units import UnitTable
from tb_activations.records.finding import Outcome
from tb_activations.records.specs import LayerSpec, RunSpec, WeightSpec

FIRST = RunSpec(
    "m", (LayerSpec("a", "Dense", units=2), LayerSpec("c", "Dense", units=1)), (WeightSpec("c/kernel", "c", (1,)),)
)
NEWEST = RunSpec(
    "m",
    (LayerSpec("a", "Dense", units=2), LayerSpec("b", "Dense", units=3), LayerSpec("c", "Dense", units=1)),
    (WeightSpec("a/kernel", "a", (1,)), WeightSpec("c/kernel", "c", (1,))),
)
ROWS = Rows([Description(0, 0.0, FIRST), Description(10, 1.0, NEWEST)])
NAN = float("nan")


def moved(tag: str, value: Any, step: int = 5, rows: Rows = ROWS) -> list[Any]:
    return [point.value.tolist() for point in rows.in_newest(tag, [Point(step, 0.5, value)])]


@pytest.mark.parametrize(
    ("tag", "value", "expected"),
    [
        (schema.LAYERS, np.array([[1], [3]], np.float32), [[1], [NAN], [3]]),
        (schema.WEIGHTS, np.array([[7]], np.float32), [[NAN], [7]]),
        (schema.OUTCOMES, np.array([[1], [2]], np.uint8), [[1], [Outcome.INSUFFICIENT_DATA], [2]]),
        (schema.STEP, np.array([1, 2], np.float32), [1, 2]),
    ],
)
def test_what_was_written_earlier_stands_in_the_rows_of_today(tag: str, value: Any, expected: Any) -> None:
    np.testing.assert_array_equal(moved(tag, value), [expected])


@pytest.mark.parametrize("step", [10, 11])
def test_what_was_written_under_the_newest_is_left_as_it_is(step: int) -> None:
    value = np.arange(3, dtype=np.float32)[:, None]
    assert moved(schema.LAYERS, value, step) == [value.tolist()]


def test_what_stands_before_the_first_description_belongs_to_it() -> None:
    assert moved(schema.LAYERS, np.ones((2, 1), np.float32), step=-3)[0][0] == [1]


@pytest.mark.parametrize(
    "value",
    [np.ones((3, 1), np.float32), np.ones((2, 1), np.int32), np.array([b"a", b"b"], object), np.float32(1)],
)
def test_what_does_not_fit_its_own_description_is_left_out(value: Any) -> None:
    assert moved(schema.LAYERS, np.asarray(value)) == []


def test_another_model_altogether_is_left_out() -> None:
    other = RunSpec("other", (LayerSpec("x", "Dense", units=2),))
    rows = Rows([Description(0, 0.0, other), Description(10, 1.0, NEWEST)])
    assert moved(schema.LAYERS, np.ones((1, 1), np.float32), rows=rows) == []
    assert moved(schema.STEP, np.ones(1, np.float32), rows=rows) == []


def test_a_claim_of_units_that_no_record_bears_out_takes_no_memory() -> None:
    huge = RunSpec("m", (LayerSpec("a", "Dense", units=2), LayerSpec("b", "Dense", units=10**15)))
    small = RunSpec("m", (LayerSpec("a", "Dense", units=2),))
    rows = Rows([Description(0, 0.0, small), Description(10, 1.0, huge)])
    assert rows.units([Point(5, 0.5, np.ones((2, 2), np.uint8))]) == {}


@pytest.mark.parametrize("is_packed", [False, True])
def test_units_that_were_written_earlier_stand_in_the_places_of_today(is_packed: bool) -> None:
    codes = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    value = np.frombuffer(pack(np.stack([*codes, np.ones(3, np.uint8)])), np.uint8) if is_packed else codes
    newest = Point(10, 1.0, np.zeros((2, NEWEST.unit_count), np.uint8))
    units = ROWS.units([Point(5, 0.5, value), Point(6, 0.6, np.ones((2, 4), np.uint8)), newest])
    assert sorted(units) == [5, 10]
    table = UnitTable(NEWEST.unit_count, [units[5]])
    expected = [[1, 2, *[NOT_MEASURED] * 3, 3], [4, 5, *[NOT_MEASURED] * 3, 6]]
    np.testing.assert_array_equal(table.of_units(slice(0, 6)), [expected])


LAYERS = st.lists(
    st.builds(lambda name, units: LayerSpec(name, "Dense", units=units), st.sampled_from("abcd"), st.integers(0, 3)),
    max_size=4,
)
SPECS = st.builds(
    lambda layers, weights: RunSpec("m", tuple(layers), tuple(WeightSpec(name, name, ()) for name in weights)),
    LAYERS,
    st.lists(st.sampled_from("abcd"), max_size=3),
)
VALUES = st.builds(
    lambda shape, kind: np.zeros(shape, kind),
    st.lists(st.integers(0, 6), max_size=3),
    st.sampled_from([np.float32, np.uint8, np.int64, bool, object]),
)


@given(
    st.lists(SPECS, min_size=1, max_size=4),
    st.sampled_from([*schema.COLUMNS]),
    st.lists(st.tuples(st.integers(-1, 12), VALUES), max_size=5),
)
def test_whatever_files_hold_nothing_is_made_up(specs: list[RunSpec], tag: str, values: list[tuple[int, Any]]) -> None:
    """Also where names come twice, rows are none, and values have any shape and type."""
    rows = Rows([Description(3 * place, 0.0, spec) for place, spec in enumerate(specs)])
    points = [Point(step, 0.0, value) for step, value in values]
    newest = {
        schema.LAYERS: len(specs[-1].layers),
        schema.HISTOGRAMS: len(specs[-1].layers),
        schema.OUTCOMES: len(specs[-1].layers),
        schema.WEIGHTS: len(specs[-1].weights),
    }
    for stored in rows.units(points).values() if tag == schema.UNITS else ():
        assert UnitTable(specs[-1].unit_count, [stored]).of_units(slice(0, None)).shape[2] == specs[-1].unit_count
    for point in rows.in_newest(tag, points) if tag != schema.UNITS else ():
        if tag == schema.SEQUENCES and not any(point.value is value for _, value in values):
            assert set(point.value[:, 0].tolist()) <= set(range(len(specs[-1].layers)))
            continue
        is_as_it_was = any(point.value is value for _, value in values)
        assert is_as_it_was or newest[tag] in point.value.shape
