"""Advice that names the operations which may have made a loss or outputs non-finite, with their lines."""

from __future__ import annotations

import dataclasses
import math

import pytest

from tb_activations.records.finding import Finding
from tb_activations.records.specs import FragileOperation, RunSpec
from tests.health.trainings import chain, judge, record, replaced, still_open

LOG = FragileOperation("logarithm", "likelihood (train.py:41)", "out")
ROOT = FragileOperation("square root", "train_step (train.py:50)", "a", "b")
SPEC = chain("a", "b", "out", activation="relu")
COUNTS, SHARES = {"target_min": 0.0, "target_max": 9.0}, {"target_min": 0.0, "target_max": 1.0}
LOST = {"nonfinite": 9.0}


def with_operations(*operations: FragileOperation, spec: RunSpec = SPEC) -> RunSpec:
    return dataclasses.replace(spec, fragile_operations=operations)


def advice(
    spec: RunSpec,
    values: dict[str, dict[str, float]],
    totals: dict[str, float] | None = None,
    *,
    loss: float = math.nan,
) -> str:
    (finding,) = still_open(judge(spec, [record(spec, 0, loss=loss, values=values, totals=totals or {})])[-1])
    return finding.advice


LOST_WEIGHTS = {"weight_nonfinite": 9.0, "weight_gradient_nonfinite": 9.0}


def lost_between(*operations: FragileOperation) -> list[Finding]:
    """The findings of a training whose weights are all NaN from one observed step to the next."""
    spec = with_operations(*operations)
    lost = record(spec, 9, loss=math.nan, values=dict.fromkeys(("a", "b", "out"), LOST_WEIGHTS))
    return still_open(judge(spec, [record(spec, 0), lost])[-1])


def test_weights_lost_between_observed_steps_lead_to_the_only_layer_behind_such_operations() -> None:
    first, *others = lost_between(ROOT)
    assert (first.rule, first.layer, first.origin, first.root) == ("nonfinite", "b", "suspected", None)
    assert first.message.endswith(
        "it began after step 0, between two observed steps, probably in the square root in train_step (train.py:50)."
    )
    assert "Check the square root in train_step (train.py:50): keep the argument above zero" in first.advice
    assert {one.root for one in others} == {first.id}


@pytest.mark.parametrize("operations", [(ROOT, dataclasses.replace(LOG, before="out")), (LOG,), ()])
def test_several_suspects_are_named_but_none_is_the_root(operations: tuple[FragileOperation, ...]) -> None:
    first, *_ = lost_between(*operations)
    assert (first.layer, first.origin) == ("a", "unseen")
    assert all(one.place in first.advice for one in operations)


@pytest.mark.parametrize(("targets", "activation"), [(COUNTS, "softplus"), (SHARES, "sigmoid"), ({}, "softplus")])
def test_outputs_below_zero_need_an_activation_above_it(targets: dict[str, float], activation: str) -> None:
    told = advice(with_operations(LOG), {"out": {"min": -2.0}}, targets)
    assert told.startswith(
        f"End out in {activation}, so that its outputs stay above zero: the logarithm in likelihood (train.py:41) "
        "takes them, and they go down to -2."
    )


def test_the_layer_before_one_without_weights_is_named() -> None:
    spec = chain("a", "b", "out", activation=None)
    spec = replaced(replaced(spec, "out", parameters=0, activation=None, inputs=("b",)), "b", inputs=("a",))
    assert advice(with_operations(LOG, spec=spec), {"out": {"min": 0.0}}, COUNTS).startswith("End b in softplus")


@pytest.mark.parametrize(
    ("operation", "values", "activation"),
    [
        (LOG, {"min": 0.5}, None),
        (LOG, {"min": 0.0}, "sigmoid"),
        (dataclasses.replace(LOG, takes=""), {"min": -1.0}, None),
    ],
    ids=["positive", "rounded to zero", "other argument"],
)
def test_otherwise_the_line_to_check_is_named(
    operation: FragileOperation, values: dict[str, float], activation: str | None
) -> None:
    spec = replaced(SPEC, "out", activation=activation)
    told = advice(with_operations(operation, spec=spec), {"out": values}, COUNTS)
    assert told.startswith("Check the logarithm in likelihood (train.py:41) for an argument that can be zero")


def test_without_known_operations_all_kinds_are_named() -> None:
    assert advice(SPEC, {}).startswith("Check the loss function for the logarithm or square root of a number")


def test_many_operations_are_counted_and_equal_lines_named_once() -> None:
    others = [dataclasses.replace(LOG, takes="", place=f"f (train.py:{line})") for line in (1, 1, 2, 3, 4, 5)]
    told = advice(with_operations(*others), {})
    assert told.startswith(
        "Check the logarithm in f (train.py:1), the logarithm in f (train.py:2), the logarithm in f (train.py:3) and "
        "2 more for"
    )


def test_lost_outputs_lead_to_the_operation_before_their_layer() -> None:
    told = advice(with_operations(LOG, ROOT), {"b": LOST, "a": {"min": -1.5}})
    assert told.startswith("End a in softplus, so that its outputs stay above zero: the square root in train_step")
    assert "Check b: the square root in train_step (train.py:50), and NaN in its inputs" in told


def test_lost_gradients_lead_to_an_operation_whose_result_relu_has_hidden() -> None:
    told = advice(with_operations(ROOT), {"b": {"weight_gradient_nonfinite": 9.0}, "a": {"min": -1.5}}, loss=1.0)
    assert told.startswith("End a in softplus, so that its outputs stay above zero: the square root in train_step")


def test_lost_gradients_lead_to_the_operations_of_the_loss() -> None:
    lost = {"gradient_nonfinite": 9.0}
    told = advice(with_operations(dataclasses.replace(LOG, takes="")), {"out": lost}, loss=1.0)
    assert "the loss: the logarithm in likelihood (train.py:41)" in told
