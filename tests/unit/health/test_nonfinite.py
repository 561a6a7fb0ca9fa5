from __future__ import annotations

import math

import pytest

from tb_activations.health.records import Outcome, Severity
from tests.unit.health.trainings import chain, judge, outcome, record, replaced, still_open

SPEC = chain("a", "b", "c", "out")
RULE = ["nonfinite"]
BAD_WEIGHTS = {"weight_nonfinite": 3.0}


def test_the_first_layer_in_call_order_is_the_root_of_the_outputs() -> None:
    figures = {name: {"nonfinite": 7.0} for name in ("b", "c", "out")}
    judgement = judge(SPEC, [record(SPEC, 0), record(SPEC, 1, figures=figures, loss=math.nan)], RULE)[-1]
    first, *others = judgement.findings
    assert (first.layer, first.root, first.severity, first.since_step) == ("b", None, Severity.PROBLEM, 1)
    assert {finding.layer: finding.root for finding in others} == {"c": first.id, "out": first.id}
    assert "7 of the values of b" in first.message
    assert first.quantity == "outputs not finite"


def test_gradients_go_wrong_from_the_loss_down() -> None:
    figures = {name: {"gradient_nonfinite": 1.0, "weight_gradient_nonfinite": 1.0} for name in ("a", "b")}
    first, second = judge(SPEC, [record(SPEC, 0, figures=figures)], RULE)[-1].findings
    assert (first.layer, first.root, first.quantity) == ("b", None, "gradients not finite")
    assert (second.layer, second.root) == ("a", first.id)


def test_what_was_first_stays_the_root_when_all_is_lost() -> None:
    early = {"b": {"gradient_nonfinite": 1.0}}
    late = {layer.name: {"nonfinite": 1.0, "gradient_nonfinite": 1.0, **BAD_WEIGHTS} for layer in SPEC.layers}
    records = [record(SPEC, 0, figures=early), *(record(SPEC, step, figures=late, loss=math.nan) for step in (1, 2))]
    first = judge(SPEC, records, RULE)[-1].findings[0]
    assert (first.layer, first.since_step, first.checks, first.quantity) == ("b", 0, 3, "gradients not finite")


def test_weights_are_looked_at_though_the_loss_is_finite() -> None:
    (finding,) = judge(SPEC, [record(SPEC, 0, figures={"a": BAD_WEIGHTS}, loss=0.5)], RULE)[-1].findings
    assert (finding.severity, finding.quantity) == (Severity.PROBLEM, "weights not finite")
    assert "checkpoint" in finding.advice


def test_lost_weights_explain_the_outputs_of_their_layer() -> None:
    # Seen so on CPU: relu turns NaN into 0, so that only the head's outputs are NaN though every weight is lost.
    figures = {layer.name: dict(BAD_WEIGHTS) for layer in SPEC.layers} | {"out": {"nonfinite": 9.0, **BAD_WEIGHTS}}
    first, *others = judge(SPEC, [record(SPEC, 5, figures=figures, loss=math.nan)], RULE)[-1].findings
    assert (first.layer, first.quantity) == ("a", "weights not finite")
    assert {finding.root for finding in others} == {first.id}


def test_a_skipped_step_under_loss_scaling_is_a_note_until_it_lasts() -> None:
    figures = {"a": {"gradient_nonfinite": 1.0}}
    records = [record(SPEC, step, figures=figures, loss_scale=2.0**15) for step in range(12)]
    severities = [judgement.findings[0].severity for judgement in judge(SPEC, records, RULE)]
    assert severities[:9] == [Severity.NOTE] * 9
    assert severities[9:] == [Severity.PROBLEM] * 3
    unscaled = judge(SPEC, [record(SPEC, 0, figures=figures)], RULE)[-1]
    assert unscaled.findings[0].severity is Severity.PROBLEM


def test_a_mask_of_infinities_that_reaches_nothing_is_a_note() -> None:
    (finding,) = judge(SPEC, [record(SPEC, 0, figures={"b": {"nonfinite": 5.0}})], RULE)[-1].findings
    assert finding.severity is Severity.NOTE
    assert "mask" in finding.might_be_wrong


def test_it_closes_when_all_is_finite_again() -> None:
    records = [record(SPEC, 0, figures={"b": {"gradient_nonfinite": 1.0}}), record(SPEC, 1)]
    judgement = judge(SPEC, records, RULE)[-1]
    assert still_open(judgement) == []
    assert judgement.changes[0].closed_step == 1


@pytest.mark.parametrize(
    ("dtype", "expected"), [("int32", Outcome.NOT_APPLICABLE), ("float32", Outcome.INSUFFICIENT_DATA)]
)
def test_a_layer_without_figures_is_not_called_healthy(dtype: str, expected: Outcome) -> None:
    spec = replaced(SPEC, "a", dtype=dtype)
    unknown = dict.fromkeys(
        ("nonfinite", "gradient_nonfinite", "weight_gradient_nonfinite", "weight_nonfinite"), math.nan
    )
    judgement = judge(spec, [record(spec, 0, figures={"a": unknown})], RULE)[-1]
    assert outcome(spec, judgement, "a", 0) == expected
    assert outcome(spec, judgement, "b", 0) == Outcome.OK


def test_where_it_began_stays_named_while_weights_are_lost() -> None:
    bad = {"a": {"nonfinite": 1.0}, "b": {"nonfinite": 9.0, "weight_gradient_nonfinite": 1.0}}
    lost = {"b": {"weight_nonfinite": 4.0}}
    records = [record(SPEC, step, figures={3: bad}.get(step, lost if step > 3 else {})) for step in range(8)]
    findings = still_open(judge(SPEC, records, ["nonfinite"])[-1])
    assert [(finding.layer, finding.since_step, finding.root) for finding in findings] == [
        ("a", 3, None),
        ("b", 3, "nonfinite:a:3"),
    ]
