"""The rules for attention: what counts as growth and collapse, and what is healthy."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import pytest

from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import LayerSpec, RunSpec
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, judge, record, still_open

HEADS = LayerSpec("attention/heads", "AttentionHeads", units=4, part_of="attention")
SPEC = dataclasses.replace(chain("attention", "head"), layers=(*chain("attention", "head").layers, HEADS))
STEPS = 40


def _records(
    values: Callable[[int], Mapping[str, float]],
    *,
    spec: RunSpec = SPEC,
    loss: Callable[[int], float] = lambda step: 1.0,
    peaks: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
) -> list[StepRecord]:
    records = []
    for step in range(STEPS):
        entry = record(spec, step, values={HEADS.name: values(step)}, loss=loss(step))
        peak = entry.unit_peak.copy()
        peak[-len(peaks) :] = peaks
        records.append(dataclasses.replace(entry, unit_peak=peak))
    return records


def _found(rule: str, records: Sequence[StepRecord], spec: RunSpec = SPEC) -> list[Finding]:
    return still_open(judge(spec, records, [rule])[-1])


def _falling(step: int) -> float:
    return math.exp(-step / 10)


def test_growing_logits_name_the_head_with_the_largest() -> None:
    records = _records(lambda step: {"logit_max": 3.0 * 1.15**step}, peaks=(2.0, 900.0, 3.0, 30.0), loss=_falling)
    (finding,) = _found("attention_logits", records)
    assert (finding.layer, finding.units, finding.unit_count) == (HEADS.name, (1,), 4)
    assert finding.severity is Severity.WARNING
    # A falling loss does not hide logits that still grow.
    assert "in head 1" in finding.message


def test_growth_is_found_before_the_logits_saturate_everything() -> None:
    judgements = judge(SPEC, _records(lambda step: {"logit_max": 3.0 * 1.15**step}), ["attention_logits"])
    first = next(place for place, judgement in enumerate(judgements) if judgement.findings)
    # Above 100 since step 26; the median of three observed steps follows one step later.
    assert first == 27


def test_large_logits_that_were_there_from_the_start_are_healthy() -> None:
    assert _found("attention_logits", _records(lambda step: {"logit_max": 400.0 + step})) == []


def test_logits_that_grew_but_stay_small_are_healthy() -> None:
    assert _found("attention_logits", _records(lambda step: {"logit_max": min(2.0 + 2.0 * step, 70.0)})) == []


def test_logits_that_have_stopped_growing_in_a_network_that_learns_are_a_note() -> None:
    records = _records(lambda step: {"logit_max": 3.0 if step < 2 else 140.0}, loss=_falling)
    (finding,) = _found("attention_logits", records)
    assert finding.severity is Severity.NOTE
    stuck = _records(lambda step: {"logit_max": 3.0 if step < 2 else 140.0})
    assert _found("attention_logits", stuck)[0].severity is Severity.WARNING


def test_huge_logits_are_a_problem_and_float16_says_where_it_ends() -> None:
    spec = dataclasses.replace(SPEC, layers=(*SPEC.layers[:-1], dataclasses.replace(HEADS, dtype="float16")))
    records = _records(lambda step: {"logit_max": 3.0 if step < 9 else 5000.0}, spec=spec)
    (finding,) = _found("attention_logits", records, spec)
    assert finding.severity is Severity.PROBLEM
    assert "65,504" in finding.message


def test_infinite_logits_are_huge() -> None:
    (finding,) = _found("attention_logits", _records(lambda step: {"logit_max": 3.0 if step < 9 else math.inf}))
    assert finding.severity is Severity.PROBLEM


def test_sharp_heads_are_healthy_while_the_loss_falls() -> None:
    assert _found("attention_collapse", _records(lambda step: {"attention_entropy": 0.01}, loss=_falling)) == []


def test_sharp_heads_of_a_network_that_learns_nothing_are_collapsed() -> None:
    (finding,) = _found("attention_collapse", _records(lambda step: {"attention_entropy": 0.01}))
    assert (finding.severity, finding.sign) == (Severity.PROBLEM, "entropy")
    assert finding.units == (0, 1, 2, 3)


def test_sharp_heads_are_collapsed_when_the_loss_rises_again() -> None:
    records = _records(
        lambda step: {"attention_entropy": 0.7 if step < 20 else 0.01},
        loss=lambda step: _falling(step) if step < 20 else 0.4,
    )
    (finding,) = _found("attention_collapse", records)
    assert finding.severity is Severity.WARNING


def test_one_sharp_head_among_others_is_healthy() -> None:
    # One of four heads has no entropy left; the mean is over all of them.
    assert _found("attention_collapse", _records(lambda step: {"attention_entropy": 0.75 * 0.8})) == []


def _alike(similarity: float) -> dict[str, float]:
    return {"attention_entropy": 0.8, "head_similarity": similarity, "similar_head": 1, "similar_other": 3}


def test_heads_that_began_alike_and_stay_alike_are_named() -> None:
    (finding,) = _found("attention_collapse", _records(lambda step: _alike(1.0), loss=_falling))
    assert (finding.severity, finding.sign, finding.units) == (Severity.WARNING, "similarity", (1, 3))
    assert finding.since_step == 0
    assert "Heads 1 and 3" in finding.message


@pytest.mark.parametrize("similarity", [lambda step: min(0.5 + step / 10, 1.0), lambda step: 1.0 - step / 100])
def test_heads_that_became_alike_or_part_are_healthy(similarity: Callable[[int], float]) -> None:
    assert _found("attention_collapse", _records(lambda step: _alike(similarity(step)))) == []


@pytest.mark.parametrize("rule", ["attention_logits", "attention_collapse"])
def test_models_without_attention_are_not_applicable(rule: str) -> None:
    spec = chain("one", "two")
    judgement = judge(spec, [record(spec, step) for step in range(STEPS)], [rule])[-1]
    assert (judgement.outcomes == Outcome.NOT_APPLICABLE).all()
    assert judgement.findings == ()


def test_outliers_are_a_note_unless_the_layer_outputs_shares() -> None:
    spec = chain("hidden", "head")
    records = [record(spec, step, values={"hidden": {"max": 100.0}}) for step in range(STEPS)]
    (finding,) = _found("outliers", records, spec)
    assert (finding.layer, finding.severity) == ("hidden", Severity.NOTE)
    assert finding.value == pytest.approx(100 / math.hypot(0.5, 1.0))
    shares = chain("hidden", "head", activation="softmax")
    assert _found("outliers", records, shares) == []


def test_ordinary_outputs_are_no_outliers() -> None:
    spec = chain("hidden", "head")
    records = [record(spec, step, values={"hidden": {"max": 30.0, "min": -40.0}}) for step in range(STEPS)]
    assert _found("outliers", records, spec) == []
