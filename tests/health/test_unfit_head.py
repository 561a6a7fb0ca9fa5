from __future__ import annotations

import dataclasses
import math

import pytest

from tb_activations.health.rules.unfit_head import (
    BATCH_AXIS,
    CLASSES,
    ONE_UNIT,
    OUTPUT_PROBABILITY,
    REACH,
    TARGET_PROBABILITY,
    TARGET_SUM,
)
from tb_activations.records.finding import Finding, Severity
from tb_activations.records.specs import RunSpec
from tests.health.trainings import chain, judge, record, replaced, still_open

RULE = ["unfit_head"]
CROSSENTROPY, CATEGORICAL = "sparse_categorical_crossentropy", "categorical_crossentropy"


def head(activation: str, loss: str, units: int = 1, *, from_logits: bool = False) -> RunSpec:
    spec = replaced(chain("a", "out"), "out", activation=activation, output_shape=(None, units), units=units)
    return dataclasses.replace(spec, loss=loss, from_logits=from_logits)


def found(spec: RunSpec, totals: dict[str, float], losses: list[float] | None = None) -> list[Finding]:
    records = [record(spec, step, loss=loss, totals=totals) for step, loss in enumerate(losses or [1.0] * 20)]
    return still_open(judge(spec, records, RULE)[-1])


@pytest.mark.parametrize(
    ("spec", "totals", "sign"),
    [
        (head("softmax", "mean_squared_error"), {}, ONE_UNIT),
        (head("tanh", "mean_squared_error"), {"target_min": 100.0, "target_max": 300.0}, REACH),
        (head("relu", "mean_absolute_error"), {"target_min": -2.0, "target_max": 2.0}, REACH),
        (head("sigmoid", "binary_crossentropy"), {"target_min": -1.0, "target_max": 1.0}, TARGET_PROBABILITY),
        (head("softmax", CATEGORICAL, 3), {"target_sum_min": 0.0, "target_sum_max": 1.0}, TARGET_SUM),
        (head("softmax", CATEGORICAL, 3), {"target_sum_min": 1.0, "target_sum_max": 2.0}, TARGET_SUM),
        (head("linear", CROSSENTROPY, 3), {"output_min": -4.0, "output_max": 3.0}, OUTPUT_PROBABILITY),
    ],
)
def test_a_head_that_cannot_fit_is_a_problem_of_the_head(spec: RunSpec, totals: dict[str, float], sign: object) -> None:
    (finding,) = found(spec, totals)
    assert (finding.layer, finding.sign, finding.severity) == ("out", sign.id, Severity.PROBLEM)  # type: ignore[attr-defined]


def test_a_class_without_a_unit_is_found_where_it_leaves_no_finite_loss() -> None:
    spec, classes = head("softmax", CROSSENTROPY, 3), {"target_min": 1.0, "target_max": 3.0}
    (finding,) = found(spec, classes, [math.nan] * 3)
    assert (finding.layer, finding.sign, finding.severity) == ("out", CLASSES.id, Severity.PROBLEM)
    # With a finite loss, the training step compares something else, such as similarities of embeddings.
    assert found(spec, classes, [1.0] * 3) == []


def test_a_single_target_out_of_reach_is_an_outlier() -> None:
    def course(beyond: int) -> list[Finding]:
        """The targets of so many of the batches reach beyond 1."""
        spec = head("sigmoid", "mean_squared_error")
        tops = [{"target_min": 0.0, "target_max": 3.0 if 20 - step <= beyond else 0.9} for step in range(20)]
        records = [record(spec, step, totals=top) for step, top in enumerate(tops)]
        return still_open(judge(spec, records, RULE)[-1])

    assert course(1) == []
    assert [finding.sign for finding in course(15)] == [REACH.id]


def test_a_head_whose_outputs_the_training_step_scales_is_not_out_of_reach() -> None:
    spec, prices = head("tanh", "mean_squared_error"), {"target_min": 100.0, "target_max": 300.0}
    assert len(found(spec, {**prices, "output_min": -1.0, "output_max": 1.0})) == 1
    assert found(spec, {**prices, "output_min": 90.0, "output_max": 280.0}) == []


@pytest.mark.parametrize(
    ("spec", "totals"),
    [
        (
            head("softmax", CROSSENTROPY, 3),
            {"target_min": 0.0, "target_max": 2.0, "output_min": 0.0, "output_max": 1.0},
        ),
        (head("linear", CROSSENTROPY, 3, from_logits=True), {"output_min": -4.0, "output_max": 3.0}),
        (head("tanh", "mean_squared_error"), {"target_min": -1.0, "target_max": 1.0}),
        (head("linear", "mean_squared_error"), {"target_min": 100.0, "target_max": 300.0}),
        (head("sigmoid", "binary_crossentropy"), {"target_min": 0.0, "target_max": 1.0}),
        (head("softmax", CATEGORICAL, 3), {"target_sum_min": 0.95, "target_sum_max": 1.0}),
        (head("sigmoid", "binary_crossentropy"), {"target_sum_min": 0.0, "target_sum_max": 3.0}),
        (head("tanh", ""), {"target_min": 100.0, "target_max": 300.0}),
        (head("tanh", "mean_squared_error"), {}),
    ],
)
def test_a_head_that_fits_or_cannot_be_judged_has_no_finding(spec: RunSpec, totals: dict[str, float]) -> None:
    assert found(spec, totals) == []


def test_a_network_that_learns_nevertheless_gets_a_warning() -> None:
    spec = head("relu", "mean_squared_error")
    (finding,) = found(spec, {"target_min": -1.0, "target_max": 1.0}, [1 / (1 + step) for step in range(20)])
    assert finding.severity is Severity.WARNING


def test_what_follows_from_a_softmax_of_one_unit_is_listed_under_it() -> None:
    spec = head("softmax", "mean_squared_error")
    values = {"out": {"sample_std": 0.0, "std": 0.0, "weight_gradient_norm": 0.0, "update_ratio": 0.0}}
    findings = still_open(judge(spec, [record(spec, step, values=values) for step in range(40)])[-1])
    assert (findings[0].rule, findings[0].root) == ("unfit_head", None)
    assert len(findings) > 1
    assert {finding.root for finding in findings[1:]} == {findings[0].id}


def with_means(means: list[float], sizes: list[int], least: float = 0.0) -> list[Finding]:
    """The findings for a head of three units, given the means of its outputs and the sizes of the batches."""
    spec = head("softmax", CROSSENTROPY, 3)
    records = [
        record(spec, step, batch=size, values={"out": {"mean": mean, "min": least, "max": 0.9}})
        for step, (mean, size) in enumerate(zip(means, sizes, strict=True))
    ]
    return still_open(judge(spec, records, RULE)[-1])


def test_a_softmax_over_the_samples_of_a_batch_is_found_by_its_sums() -> None:
    sizes = [32, 32, 20, 32, 32, 20]
    (finding,) = with_means([1 / size for size in sizes], sizes)
    assert (finding.layer, finding.sign, finding.severity) == ("out", BATCH_AXIS.id, Severity.PROBLEM)
    assert "axis=-1" in finding.advice
    # A softmax over the classes has the mean of 1 in 3, whatever the size of the batch.
    assert with_means([1 / 3] * 6, sizes) == []
    assert with_means([1 / 3] * 6, [3] * 6) == []
    assert with_means([1 / size for size in sizes], sizes, least=-0.1) == []
    assert with_means([1 / 32] * 6, sizes) == []


def test_a_softmax_over_the_samples_in_a_lambda_is_found_too() -> None:
    spec = replaced(head("softmax", CROSSENTROPY, 3), "out", units=0, activation=None)
    values = {"out": {"mean": 1 / 32, "min": 0.0, "max": 0.9, "elements": 96.0}}
    records = [record(spec, step, batch=32, values=values) for step in range(6)]
    (finding,) = still_open(judge(spec, records, RULE)[-1])
    assert (finding.sign, finding.value) == (BATCH_AXIS.id, 32)
