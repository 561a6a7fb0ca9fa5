"""Descriptions that change during a run: how they merge, and where old rows are in the new ones."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_activations.health.diagnosis import Diagnosis
from tb_activations.health.rules import configure
from tb_activations.records.descriptions import Places, in_rows, is_same_model, joined, moved
from tb_activations.records.specs import LayerSpec, RunSpec, WeightSpec
from tests.health.trainings import chain, record


def spec(*layers: LayerSpec, weights: tuple[WeightSpec, ...] = ()) -> RunSpec:
    return RunSpec("model", layers, weights)


def layer(name: str, **fields: Any) -> LayerSpec:
    return dataclasses.replace(LayerSpec(name, "Dense", units=4, output_shape=(None, 4), trainable=True), **fields)


def names(of: RunSpec) -> list[str]:
    return [layer.name for layer in of.layers]


_SUBSETS = st.lists(st.lists(st.sampled_from("abcdefg"), unique=True, min_size=1), min_size=1, max_size=6)


@given(_SUBSETS)
def test_rows_only_grow_and_settle(steps: list[list[str]]) -> None:
    run = spec(*map(layer, steps[0]))
    for seen in steps[1:]:
        before = names(run)
        run = joined(run, spec(*map(layer, seen)), is_new_training=False)
        assert [name for name in names(run) if name in before] == before
        assert set(names(run)) == {*before, *seen}
    # Steps that alternate between known shapes change nothing.
    for seen in steps * 2:
        assert joined(run, spec(*map(layer, seen)), is_new_training=False) == run


def test_a_new_layer_is_placed_where_it_was_called() -> None:
    run = spec(layer("in"), layer("out"))
    assert names(joined(run, spec(layer("in"), layer("middle"), layer("out")), is_new_training=False)) == [
        "in",
        "middle",
        "out",
    ]


def test_a_layer_called_for_the_first_time_leaves_the_end() -> None:
    run = spec(layer("in"), layer("out"), layer("late", units=0, output_shape=(), not_observed="it was not called"))
    run = joined(run, spec(layer("in"), layer("late"), layer("out")), is_new_training=False)
    assert names(run) == ["in", "late", "out"]
    assert run.layers[1] == layer("late")
    # Left out again, it keeps its description.
    unseen = layer("late", units=0, output_shape=(), not_observed="it was not called")
    assert joined(run, spec(layer("in"), layer("out"), unseen), is_new_training=False) == run


def test_a_varying_axis_has_no_length_and_no_units() -> None:
    one = spec(layer("h", output_shape=(None, 7, 4)), layer("flat", output_shape=(None, 28), units=28))
    other = spec(layer("h", output_shape=(None, 9, 4)), layer("flat", output_shape=(None, 36), units=36))
    run = joined(one, other, is_new_training=False)
    assert run.layers == (
        layer("h", output_shape=(None, None, 4)),
        layer("flat", output_shape=(None, None), units=0),
    )
    assert joined(run, one, is_new_training=False) == run


def test_a_layer_stays_trained_within_a_training_but_not_in_a_new_one() -> None:
    free, frozen = spec(layer("a")), spec(layer("a", trainable=False))
    assert joined(free, frozen, is_new_training=False).layers[0].trainable
    assert not joined(free, frozen, is_new_training=True).layers[0].trainable
    assert joined(frozen, free, is_new_training=False).layers[0].trainable
    without = spec(layer("a"), weights=(WeightSpec("a/kernel", "a", (4, 4), has_gradient=False),))
    reached = spec(layer("a"), weights=(WeightSpec("a/kernel", "a", (4, 4)),))
    assert joined(reached, without, is_new_training=False).weights == reached.weights
    assert joined(reached, without, is_new_training=True).weights == without.weights
    assert joined(reached, spec(layer("a")), is_new_training=True).weights == reached.weights


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (spec(layer("a"), layer("b")), True),
        (spec(layer("a"), layer("b"), layer("b@1", call_site=1, units=0)), True),
        (spec(layer("a"), layer("b", units=0, not_observed="it was not called")), True),
        (spec(layer("a"), layer("b", units=5)), False),
        (spec(layer("a"), layer("c")), False),
        (spec(layer("a")), False),
    ],
)
def test_the_same_model(other: RunSpec, expected: bool) -> None:
    assert is_same_model(spec(layer("a"), layer("b")), other) is expected


@given(st.permutations(range(5)), st.integers(0, 2))
def test_moved_values_are_in_their_new_places(order: list[int], axis: int) -> None:
    values = np.arange(5 * 5 * 5, dtype=np.float32).reshape(5, 5, 5)
    to = np.array([*order, -1])
    result = moved(values, to, np.nan, axis)
    np.testing.assert_array_equal(np.take(result, range(5), axis), np.take(values, order, axis))
    assert np.isnan(np.take(result, 5, axis)).all()


def test_a_record_in_new_rows() -> None:
    old, new = chain("a", "out"), chain("a", "b", "out")
    before = record(old, 3, values={"a": {"mean": 1.0}, "out": {"mean": 3.0}})
    after = in_rows(before, Places(old, new))
    np.testing.assert_array_equal(after.layer("mean"), np.array([1, np.nan, 3], np.float32))
    assert len(after.unit_activity) == new.unit_count
    assert np.isnan(after.unit_activity[new.unit_slice(1)]).all()
    np.testing.assert_array_equal(after.unit_peak[new.unit_slice(2)], before.unit_peak[old.unit_slice(1)])


def test_a_diagnosis_continues_as_if_the_rows_had_always_existed() -> None:
    old, new = chain("a", "out"), chain("a", "b", "out")
    rules = configure(["dead_units", "nonfinite"])
    grown, whole = Diagnosis(old, rules), Diagnosis(new, rules)
    dead = {"a": range(10)}
    for step in range(12):
        seen = record(old, step, silent=dead)
        grown.judge(seen)
        whole.judge(in_rows(seen, Places(old, new)))
    grown.redescribe(new)
    last = record(new, 12, silent=dead)
    one, other = grown.judge(last), whole.judge(last)
    np.testing.assert_array_equal(one.outcomes, other.outcomes)
    assert one.findings == other.findings
    assert [finding.layer for finding in one.findings] == ["a"]
    assert one.findings[0].checks == 13
