from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tb_activations.health.verdict import headline
from tb_activations.records.columns import STEP_COLUMNS
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import RunSpec
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, judge, outcome, record, replaced, replay, still_open

SPEC = chain("a", "b", "c", "out")
RULE = ["nonfinite"]
BAD_WEIGHTS = {"weight_nonfinite": 3.0}


def test_the_first_layer_in_call_order_is_the_root_of_the_outputs() -> None:
    values = {name: {"nonfinite": 7.0} for name in ("b", "c", "out")}
    judgement = judge(SPEC, [record(SPEC, 0), record(SPEC, 1, values=values, loss=math.nan)], RULE)[-1]
    first, *others = judgement.findings
    assert (first.layer, first.root, first.severity, first.since_step) == ("b", None, Severity.PROBLEM, 1)
    assert {finding.layer: finding.root for finding in others} == {"c": first.id, "out": first.id}
    assert "7 values of b" in first.message
    assert first.sign == "outputs"


def test_the_nonfinite_gradient_nearest_the_loss_is_the_root() -> None:
    values = {name: {"gradient_nonfinite": 1.0, "weight_gradient_nonfinite": 1.0} for name in ("a", "b")}
    first, second = judge(SPEC, [record(SPEC, 0, values=values)], RULE)[-1].findings
    assert (first.layer, first.root, first.sign) == ("b", None, "gradients")
    assert (second.layer, second.root) == ("a", first.id)


def test_the_first_finding_stays_the_root_when_everything_is_nan() -> None:
    early = {"b": {"gradient_nonfinite": 1.0}}
    late = {layer.name: {"nonfinite": 1.0, "gradient_nonfinite": 1.0, **BAD_WEIGHTS} for layer in SPEC.layers}
    records = [record(SPEC, 0, values=early), *(record(SPEC, step, values=late, loss=math.nan) for step in (1, 2))]
    first = judge(SPEC, records, RULE)[-1].findings[0]
    assert (first.layer, first.since_step, first.checks, first.sign) == ("b", 0, 3, "gradients")


def test_weights_are_checked_even_if_the_loss_is_finite() -> None:
    (finding,) = judge(SPEC, [record(SPEC, 0, values={"a": BAD_WEIGHTS}, loss=0.5)], RULE)[-1].findings
    assert (finding.severity, finding.sign) == (Severity.PROBLEM, "weights")
    assert "checkpoint" in finding.advice


def test_lost_weights_explain_the_outputs_of_their_layer() -> None:
    # As seen on CPU: relu turns NaN into 0, so only the head's outputs are NaN although every weight is lost.
    values = {layer.name: dict(BAD_WEIGHTS) for layer in SPEC.layers} | {"out": {"nonfinite": 9.0, **BAD_WEIGHTS}}
    first, *others = judge(SPEC, [record(SPEC, 5, values=values, loss=math.nan)], RULE)[-1].findings
    assert (first.layer, first.sign) == ("a", "weights")
    assert {finding.root for finding in others} == {first.id}


def test_a_skipped_step_under_loss_scaling_is_a_note_until_it_lasts() -> None:
    values = {"a": {"gradient_nonfinite": 1.0}}
    records = [record(SPEC, step, values=values, loss_scale=2.0**15) for step in range(12)]
    severities = [judgement.findings[0].severity for judgement in judge(SPEC, records, RULE)]
    assert severities[:9] == [Severity.NOTE] * 9
    assert severities[9:] == [Severity.PROBLEM] * 3
    unscaled = judge(SPEC, [record(SPEC, 0, values=values)], RULE)[-1]
    assert unscaled.findings[0].severity is Severity.PROBLEM


def test_a_mask_of_infinities_that_reaches_nothing_is_a_note() -> None:
    (finding,) = judge(SPEC, [record(SPEC, 0, values={"b": {"nonfinite": 5.0}})], RULE)[-1].findings
    assert finding.severity is Severity.NOTE
    assert "mask" in finding.might_be_wrong


def test_the_finding_closes_when_everything_is_finite_again() -> None:
    records = [record(SPEC, 0, values={"b": {"gradient_nonfinite": 1.0}}), record(SPEC, 1)]
    judgement = judge(SPEC, records, RULE)[-1]
    assert still_open(judgement) == []
    assert judgement.changes[0].closed_step == 1


@pytest.mark.parametrize(
    ("dtype", "expected"), [("int32", Outcome.NOT_APPLICABLE), ("float32", Outcome.INSUFFICIENT_DATA)]
)
def test_a_layer_without_statistics_is_not_called_healthy(dtype: str, expected: Outcome) -> None:
    spec = replaced(SPEC, "a", dtype=dtype)
    unknown = dict.fromkeys(
        ("nonfinite", "gradient_nonfinite", "weight_gradient_nonfinite", "weight_nonfinite"), math.nan
    )
    judgement = judge(spec, [record(spec, 0, values={"a": unknown})], RULE)[-1]
    assert outcome(spec, judgement, "a", 0) == expected
    assert outcome(spec, judgement, "b", 0) == Outcome.OK


def test_the_origin_stays_named_while_weights_are_lost() -> None:
    bad = {"a": {"nonfinite": 1.0}, "b": {"nonfinite": 9.0, "weight_gradient_nonfinite": 1.0}}
    lost = {"b": {"weight_nonfinite": 4.0}}
    records = [record(SPEC, step, values={3: bad}.get(step, lost if step > 3 else {})) for step in range(8)]
    findings = still_open(judge(SPEC, records, ["nonfinite"])[-1])
    assert [(finding.layer, finding.since_step, finding.root) for finding in findings] == [
        ("a", 3, None),
        ("b", 3, "nonfinite:a:3"),
    ]


LOST = {
    layer.name: {"nonfinite": 9.0, "gradient_nonfinite": 9.0, "weight_gradient_nonfinite": 9.0, **BAD_WEIGHTS}
    for layer in SPEC.layers
}
"""Everything is NaN, as in every step after the one that broke the weights."""


def given(made: StepRecord, input_rms: float) -> StepRecord:
    """The record of a step whose model received inputs of this size."""
    totals = made.totals.copy()
    totals[STEP_COLUMNS.index("input_rms")] = input_rms
    return dataclasses.replace(made, totals=totals)


def after(bad: StepRecord, steps: int = 60) -> list[StepRecord]:
    """Three healthy steps, a bad one, and only NaN afterwards."""
    lost = [record(SPEC, step, values=LOST, loss=math.nan) for step in range(4, steps)]
    return [*(record(SPEC, step) for step in range(3)), dataclasses.replace(bad, step=3), *lost]


def root_of(records: list[StepRecord], spec: RunSpec = SPEC) -> Finding:
    """The only open finding at the end that follows from nothing."""
    (root,) = [finding for finding in still_open(judge(spec, records, RULE)[-1]) if finding.root is None]
    return root


HIDDEN_BY_RELU = {"a": {"weight_gradient_nonfinite": 4.0}}


@pytest.mark.parametrize("size", [math.nan, math.inf])
@pytest.mark.parametrize("values", [HIDDEN_BY_RELU, {"a": {"nonfinite": 5.0, "weight_gradient_nonfinite": 4.0}}])
def test_nonfinite_inputs_stay_named(size: float, values: dict[str, dict[str, float]]) -> None:
    root = root_of(after(given(record(SPEC, 3, values=values), size)))
    assert (root.layer, root.since_step, root.opened_step) == ("a", 3, 3)
    assert "first seen at step 3: the input data of a were not finite" in root.message
    assert "input data" in root.advice
    assert "learning rate" not in root.advice
    assert root.sign != "weights"


def test_bad_inputs_of_the_first_step_are_recognized_at_the_second() -> None:
    # From the first step alone, a size of NaN could also mean that it is not measured.
    bad = given(record(SPEC, 0, values={"a": {"nonfinite": 5.0}}, loss=math.nan), math.nan)
    spec = replaced(SPEC, "a", class_name="Lambda")
    first, second = judge(spec, [bad, record(spec, 1, values=LOST, loss=math.nan)], RULE)
    assert "input data" not in first.findings[0].message
    root = next(finding for finding in second.findings if finding.root is None)
    assert "first seen at step 0: the input data of the model were not finite" in root.message


def test_inputs_that_are_not_measured_are_not_blamed() -> None:
    bad = record(SPEC, 3, values={"b": {"nonfinite": 5.0}}, loss=math.nan)
    records = [given(entry, math.nan) for entry in after(bad)]
    root = root_of(records)
    assert (root.layer, root.sign, root.since_step) == ("b", "outputs", 3)
    assert "input data" not in root.message


def test_nan_in_the_second_input_is_found_at_the_layer_that_takes_it() -> None:
    spec = replaced(replaced(SPEC, "b", inputs=()), "c", inputs=("a", "b"))
    spec = replaced(spec, "out", inputs=("c",))
    root = root_of(after(record(spec, 3, values={"b": {"weight_gradient_nonfinite": 4.0}})), spec)
    assert (root.layer, root.since_step) == ("b", 3)
    assert "the input data of b were not finite" in root.message


@pytest.mark.parametrize("loss", [math.nan, math.inf, 1.0])
def test_nan_that_begins_in_the_loss_points_to_targets_and_sample_weights(loss: float) -> None:
    backward = {layer.name: {"gradient_nonfinite": 9.0, "weight_gradient_nonfinite": 9.0} for layer in SPEC.layers}
    root = root_of(after(record(SPEC, 3, values=backward, loss=loss)))
    assert (root.layer, root.since_step, root.sign) == ("out", 3, "gradients")
    assert "it began in the loss" in root.message
    assert "targets and sample weights" in root.advice
    assert "learning rate" not in root.advice


def test_nan_that_a_layer_produces_is_attributed_to_it() -> None:
    values = {"b": {"nonfinite": 5.0}, "c": {"nonfinite": 5.0}, "out": {"nonfinite": 5.0}}
    root = root_of(after(record(SPEC, 3, values=values, loss=math.nan)))
    assert (root.layer, root.sign, root.value, root.since_step) == ("b", "outputs", 5.0, 3)
    assert "Check b:" in root.advice
    assert root.message.endswith("Its weights have been lost since.")


def test_weights_lost_between_two_observed_steps_have_an_unknown_origin() -> None:
    records = [record(SPEC, 0), record(SPEC, 10), record(SPEC, 20, values={"a": BAD_WEIGHTS})]
    (finding,) = judge(SPEC, records, RULE)[-1].findings
    assert "after step 10, between two observed steps, so its origin is unknown" in finding.message
    assert headline(finding) == "non-finite weights of unknown origin"
    assert finding.advice.index("inputs and targets") < finding.advice.index("learning rate")
    (first,) = judge(SPEC, records[-1:], RULE)[-1].findings
    assert "before the first observed step" in first.message


def test_a_layer_that_becomes_nan_later_names_the_earlier_one() -> None:
    findings = judge(SPEC, after(record(SPEC, 3, values={"b": {"gradient_nonfinite": 1.0}})), RULE)[-1].findings
    later = next(finding for finding in findings if finding.layer == "c")
    assert "after b (non-finite gradients, step 3)" in later.message
    assert "Start with b" in later.advice


def test_a_recurring_bad_batch_is_reported_since_its_first_step() -> None:
    bad = given(record(SPEC, 0, values=HIDDEN_BY_RELU), math.nan)
    records = [dataclasses.replace(bad if step % 20 == 5 else record(SPEC, step), step=step) for step in range(200)]
    findings = judge(SPEC, records, RULE)[-1].findings
    assert [finding.since_step for finding in findings] == [5, 165, 185]
    assert all("input data" in finding.message for finding in findings)
    assert all("Not the first time" in finding.message for finding in findings[1:])
    assert "non-finite gradients at step 5" in findings[-1].message


def test_a_finding_that_returns_soon_keeps_its_first_step() -> None:
    bad = given(record(SPEC, 0, values=HIDDEN_BY_RELU), math.nan)
    odd = {"a": {"nonfinite": 2.0}}
    pattern = {5: bad, 7: record(SPEC, 7, values=odd), 9: record(SPEC, 9, values=odd)}
    records = [dataclasses.replace(pattern.get(step, record(SPEC, step)), step=step) for step in range(10)]
    (finding,) = still_open(judge(SPEC, records, RULE)[-1])
    assert (finding.opened_step, finding.since_step, finding.sign) == (5, 5, "gradients")
    assert finding.message.endswith("in that step. Seen again at step 9.")
    assert "input data" in finding.advice


def test_masked_outputs_are_not_the_origin_of_nan() -> None:
    mask = {"b": {"nonfinite": 5.0}}
    poisoned = {"b": {"nonfinite": 5.0, "gradient_nonfinite": 2.0}, "c": {"gradient_nonfinite": 2.0}}
    records = [record(SPEC, step, values=mask if step < 10 else poisoned) for step in range(12)]
    findings = still_open(judge(SPEC, records, RULE)[-1])
    assert {finding.since_step for finding in findings} == {10}
    assert {finding.sign for finding in findings} == {"gradients"}
    assert [finding.layer for finding in findings if finding.root is None] == ["c"]


def test_an_overflow_under_loss_scaling_is_not_attributed_to_the_loss() -> None:
    backward = {layer.name: {"gradient_nonfinite": 9.0} for layer in SPEC.layers}
    findings = judge(SPEC, [record(SPEC, 0), record(SPEC, 1, values=backward, loss_scale=2.0**15)], RULE)[-1].findings
    assert {finding.severity for finding in findings} == {Severity.NOTE}
    assert not any("began in the loss" in finding.message for finding in findings)


def test_a_replay_of_stored_records_finds_the_same_origin() -> None:
    records = after(given(record(SPEC, 3, values=HIDDEN_BY_RELU), math.nan))
    # A stored run leaves out only steps in which nothing changed.
    thinned = [*records[:6], *records[6::7]]
    for stored in (records, thinned):
        root = next(finding for finding in replay(SPEC, stored, RULE).findings if finding.root is None)
        assert (root.layer, root.since_step) == ("a", 3)
        assert "input data" in root.message


def test_nonfinite_inputs_alone_are_no_finding() -> None:
    records = [given(record(SPEC, step), math.nan if step == 3 else 1.0) for step in range(6)]
    judgement = judge(SPEC, records, RULE)[-1]
    assert judgement.findings == ()
    assert np.all(judgement.outcomes == Outcome.OK)


@pytest.mark.parametrize(("count", "is_data"), [(0.0, False), (3.0, True), (math.nan, True)])
def test_finite_data_are_not_the_origin_of_nan(count: float, is_data: bool) -> None:
    # A recurrence overflows with finite weights.
    spec = replaced(SPEC, "a", class_name="SimpleRNN")
    values = {"a": {"nonfinite": 5.0, "weight_gradient_nonfinite": 4.0}}
    bad = record(spec, 3, values=values, totals={"input_nonfinite": count})
    assert ("input data" in root_of(after(bad), spec).message) is is_data
