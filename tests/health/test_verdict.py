from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tb_activations.health.verdict import NOTHING_TRAINED, Verdict, is_trained, verdict
from tb_activations.records.finding import WHOLE, Finding, Outcome, Severity
from tb_activations.records.specs import RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, judge, record, replaced

SPEC = chain("a", "b", "c", "out")
RULES = ("dead_units", "vanishing_gradient", "nonfinite")


def of(spec: RunSpec, records: list[StepRecord]) -> Verdict:
    judgement = judge(spec, records, RULES)[-1]
    return verdict(spec, judgement.findings, judgement.outcomes, list(RULES), {})


def healthy(spec: RunSpec, steps: int = 20) -> list[StepRecord]:
    return [record(spec, step) for step in range(steps)]


def test_a_healthy_run() -> None:
    result = of(SPEC, healthy(SPEC))
    assert result == Verdict(None, "No problems found in 4 layers; 3 rules checked.", "", 0, 4, 3, 0)


def test_a_rule_that_applies_to_no_layer_is_counted_separately() -> None:
    spec = chain("a", "b", "out", activation="tanh")
    result = of(spec, healthy(spec))
    assert result.sentence == "No problems found in 3 layers; 2 rules checked, 1 not applicable."
    assert (result.rules_checked, result.rules_not_applicable) == (2, 1)


def test_too_early_to_tell() -> None:
    assert of(SPEC, healthy(SPEC, 1)).sentence == (
        "No problems found so far in 4 layers; 1 rule checked, 2 waiting for more steps."
    )
    nothing = np.full((4, 3), Outcome.INSUFFICIENT_DATA, np.uint8)
    assert verdict(SPEC, [], nothing, list(RULES), {}).sentence == "Not enough data yet to judge 4 layers."


def test_a_sick_run_names_the_first_layer_its_finding_and_the_step() -> None:
    records = [record(SPEC, step, silent={"b": range(10), "c": range(8)} if step >= 4 else {}) for step in range(20)]
    result = of(SPEC, records)
    assert result.sentence.startswith(
        "b: 100% of units dead since step 4. 1 finding follows from it. 2 of 4 layers need attention."
    )
    assert (result.severity, result.layer, result.layers_affected, result.layers_total) == (Severity.PROBLEM, "b", 2, 4)


def test_one_sick_layer_without_consequences() -> None:
    spec = chain("a", "b", "c", "out", units=20)
    records = [record(spec, step, silent={"c": range(10)}) for step in range(20)]
    assert of(spec, records).sentence == "c: 50% of units dead since step 0. 1 of 4 layers needs attention."


def test_notes_alone_need_no_attention() -> None:
    result = of(SPEC, [record(SPEC, step, silent={"b": [0, 1]}) for step in range(20)])
    assert result.sentence == ("No problems found in 4 layers; 3 rules checked. 1 note, first: b: 20% of units dead.")
    assert (result.severity, result.layers_affected) == (Severity.NOTE, 0)


def test_closed_findings_do_not_count() -> None:
    result = of(SPEC, [record(SPEC, 0, values={"a": {"weight_nonfinite": 1.0}}), *healthy(SPEC)[1:]])
    assert result.severity is None


def test_layers_that_could_not_be_observed_and_single_calls_are_not_counted() -> None:
    spec = replaced(replaced(SPEC, "a", not_observed="inside a loop"), "b", call_site=1)
    assert of(spec, healthy(spec)).layers_total == 2


def test_a_failed_rule_is_never_healthy() -> None:
    outcomes = np.full((4, 2), Outcome.ERROR, np.uint8)
    assert verdict(SPEC, [], outcomes, ["x", "y"], {}).sentence == "4 layers not evaluated: 2 rules failed."
    outcomes[:, 0] = Outcome.OK
    assert (
        verdict(SPEC, [], outcomes, ["x", "y"], {}).sentence
        == "No problems found in 4 layers; 1 rule checked, 1 failed."
    )


def test_a_finding_of_an_unknown_rule_is_described() -> None:
    judgement = judge(SPEC, [record(SPEC, step, silent={"b": range(8)}) for step in range(20)], RULES)[-1]
    strange = dataclasses.replace(judgement.findings[0], rule="melted", sign="share molten", layer="elsewhere")
    result = verdict(SPEC, [strange], judgement.outcomes, list(RULES), {})
    assert result.sentence.startswith("elsewhere: melted: share molten 80% since step 0.")


def test_mismatched_outcomes_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"\[4 layers, 3 rules\], got \(2, 3\)"):
        verdict(SPEC, [], np.zeros((2, 3), np.uint8), list(RULES), {})


FROZEN = dataclasses.replace(SPEC, layers=tuple(dataclasses.replace(layer, trainable=False) for layer in SPEC.layers))


def test_an_untrained_model_is_judged_only_in_part() -> None:
    assert of(FROZEN, healthy(FROZEN)).sentence == (
        f"{NOTHING_TRAINED} No problems found in 4 layers; 2 rules checked, 1 not applicable."
    )
    sick = of(FROZEN, [record(FROZEN, step, silent={"b": range(10)}) for step in range(20)])
    assert sick.sentence.startswith(f"{NOTHING_TRAINED} b: 100% of units dead since step 0.")


def test_one_trained_layer_or_weight_is_a_training() -> None:
    assert is_trained(replaced(FROZEN, "out", trainable=True))
    assert is_trained(dataclasses.replace(FROZEN, weights=(WeightSpec("scale", "", (1,)),)))
    # The weight is from an earlier training, in which the layer was not frozen.
    assert not is_trained(dataclasses.replace(FROZEN, weights=(WeightSpec("out/kernel", "out", (4, 4)),)))


def finding(rule: str, layer: str, severity: Severity, since: int) -> Finding:
    return Finding(
        rule=rule,
        layer=layer,
        severity=severity,
        sign="loss",
        unit="",
        value=1.0,
        threshold=1.0,
        samples=1,
        checks=1,
        since_step=since,
        opened_step=since,
        last_step=since,
        message="",
        might_be_wrong="",
        advice="",
        source="",
    )


GOOD = np.full((4, 3), Outcome.OK, np.uint8)


def test_a_finding_about_the_training_names_no_layer() -> None:
    whole = finding("nonfinite_loss", WHOLE, Severity.PROBLEM, 3)
    result = verdict(SPEC, [whole], GOOD, list(RULES), {"nonfinite_loss": int(Outcome.PROBLEM)})
    assert result.sentence == "The loss is NaN or infinite since step 3."
    assert (result.layer, result.layers_affected, result.rules_checked) == ("", 0, 4)


def test_a_training_that_does_not_learn_is_not_called_free_of_problems_first() -> None:
    whole = finding("no_learning", WHOLE, Severity.NOTE, 30)
    result = verdict(SPEC, [whole], GOOD, list(RULES), {"no_learning": int(Outcome.NOTE)})
    assert result.sentence.startswith("The training does not learn since step 30. Apart from that, no problems found")


def test_the_root_with_the_most_consequences_comes_first_then_the_earliest() -> None:
    early, late = finding("dead_units", "c", Severity.PROBLEM, 1), finding("dead_units", "b", Severity.PROBLEM, 5)
    assert verdict(SPEC, [late, early], GOOD, list(RULES), {}).layer == "c"
    follower = dataclasses.replace(finding("vanishing_gradient", "a", Severity.PROBLEM, 6), root=late.id)
    assert verdict(SPEC, [early, follower, late], GOOD, list(RULES), {}).layer == "b"
