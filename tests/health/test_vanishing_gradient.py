from __future__ import annotations

import math

import numpy as np
import pytest

from tb_activations.health.diagnosis import Judgement
from tb_activations.health.rules import configure
from tb_activations.records.finding import Finding, Outcome, Severity
from tests.health.trainings import chain, judge, outcome, record, replaced, still_open

SPEC = chain("a", "b", "c", "out", activation="sigmoid")
RULE = ["vanishing_gradient"]
WEIGHTS = 5.0
NAN = math.nan


def trained(elasticities: dict[str, float], *, losses: list[float] | None = None, steps: int = 20) -> list[Finding]:
    """The open findings after a training in which layers have these elasticities (the others about 0.5)."""
    losses = losses or [1.0] * steps
    elasticities = {**{layer.name: 0.5 for layer in SPEC.layers}, **elasticities}
    records = [
        record(
            SPEC,
            step,
            values={name: {"weight_gradient_norm": value * loss / WEIGHTS} for name, value in elasticities.items()},
            loss=loss,
        )
        for step, loss in enumerate(losses)
    ]
    return still_open(judge(SPEC, records, RULE)[-1])


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_the_unit_of_the_loss_changes_nothing(unit: float) -> None:
    (finding,) = trained({"a": 1e-9}, losses=[unit] * 20)
    assert (finding.layer, finding.severity) == ("a", Severity.PROBLEM)
    assert finding.value == pytest.approx(1e-9, rel=1e-3)
    assert finding.since_step == 0


def test_a_layer_with_less_gradient_than_those_nearer_the_loss_is_found() -> None:
    defaults = configure(RULE)[0].thresholds
    low, lower = 0.3 * defaults["warning_elasticity"], 0.3 * defaults["problem_elasticity"]
    assert [finding.severity for finding in trained({"a": low})] == [Severity.WARNING]
    assert [finding.severity for finding in trained({"a": lower})] == [Severity.PROBLEM]


@pytest.mark.parametrize(
    ("elasticity", "ratio", "final", "is_found"),
    [
        (1e-4, 1e-5, 1.0, True),
        (1e-4, 1e-3, 1.0, False),
        (1e-4, NAN, 1.0, False),
        (1e-4, 1e-5, 0.9, False),
        (2e-3, 1e-5, 1.0, False),
    ],
)
def test_a_small_gradient_in_all_layers_is_found_where_nothing_moves_or_is_learned(
    elasticity: float, ratio: float, final: float, is_found: bool
) -> None:
    losses = np.linspace(1.0, final, 24)
    records = [
        record(
            SPEC,
            step,
            values={
                layer.name: {"weight_gradient_norm": elasticity * loss / WEIGHTS, "update_ratio": ratio}
                for layer in SPEC.layers
            },
            loss=loss,
        )
        for step, loss in enumerate(losses.tolist())
    ]
    findings = still_open(judge(SPEC, records, RULE)[-1])
    assert {finding.severity for finding in findings} == ({Severity.WARNING} if is_found else set())


@pytest.mark.parametrize(
    ("last", "constant", "is_found"),
    [(1e-6, 1.0, True), (1e-3, 1.0, False), (1e-6, 2.0, False)],
    ids=["stuck", "about to move", "better than a constant"],
)
def test_where_nothing_moves_or_is_learned_a_gradient_need_not_be_tiny(
    last: float, constant: float, is_found: bool
) -> None:
    """An elasticity of 0.0125, compared with 0.5 nearer the loss."""
    records = [
        record(
            SPEC,
            step,
            values={"a": {"weight_gradient_norm": 0.0025, "update_ratio": last if step > 24 else 1e-6}},
            totals={"constant_loss": constant},
        )
        for step in range(30)
    ]
    assert [one.layer for one in still_open(judge(SPEC, records, RULE)[-1])] == (["a"] if is_found else [])


def test_a_gradient_as_small_as_in_all_layers_is_no_finding() -> None:
    low = 0.5 * configure(RULE)[0].thresholds["warning_elasticity"]
    assert trained(dict.fromkeys(("a", "b", "c", "out"), low)) == []


def test_a_uniformly_vanished_gradient_is_found() -> None:
    findings = trained(dict.fromkeys(("a", "b", "c", "out"), 1e-12))
    assert {finding.layer for finding in findings} == {"a", "b", "c", "out"}
    assert [finding.layer for finding in findings if finding.root is None] == ["out"]


def test_a_network_that_learns_anyway_gets_a_note() -> None:
    assert [finding.severity for finding in trained({"a": 1e-9}, losses=[1.0] * 3 + [0.01] * 30)] == [Severity.NOTE]


def test_a_layer_that_keeps_pace_is_a_note_once_the_loss_beats_a_constant() -> None:
    def course(ratio: float, loss: float) -> list[Severity]:
        values = {"a": {"weight_gradient_norm": 1e-4, "update_ratio": ratio}}
        records = [record(SPEC, step, values=values, loss=loss, totals={"constant_loss": 1.0}) for step in range(30)]
        return [finding.severity for finding in still_open(judge(SPEC, records, RULE)[-1])]

    assert course(1e-3, 0.9) == [Severity.NOTE]
    assert course(1e-6, 0.9) == [Severity.PROBLEM]
    assert course(1e-3, 1.0) == [Severity.PROBLEM]


def test_a_branch_with_little_gradient_behind_a_layer_with_enough_is_a_note() -> None:
    (finding,) = trained({"b": 1e-5})
    assert (finding.layer, finding.severity) == ("b", Severity.NOTE)
    findings = trained({"a": 1e-5, "b": 1e-5})
    assert {(finding.layer, finding.severity) for finding in findings} == {
        ("a", Severity.PROBLEM),
        ("b", Severity.PROBLEM),
    }


def test_weights_on_their_way_from_zero_are_not_judged() -> None:
    def course(growth: float) -> list[Judgement]:
        values = [{"a": {"weight_gradient_norm": 1e-4, "weight_norm": 1.0 + growth * step}} for step in range(20)]
        return judge(SPEC, [record(SPEC, step, values=own) for step, own in enumerate(values)], RULE)

    assert [still_open(entry) for entry in course(0.2)] == [[]] * 20
    assert outcome(SPEC, course(0.2)[-1], "a", 0) == Outcome.INSUFFICIENT_DATA
    assert [finding.layer for finding in still_open(course(0.0)[-1])] == ["a"]


def test_the_root_is_nearest_the_loss_and_the_rest_follows() -> None:
    findings = trained({"a": 1e-11, "b": 1e-9, "c": 1e-7})
    assert [(finding.layer, finding.root) for finding in findings] == [
        ("c", None),
        ("a", findings[0].id),
        ("b", findings[0].id),
    ]


def test_one_spike_hides_no_finding_and_one_dip_makes_none() -> None:
    spike = [
        record(SPEC, step, values={"a": {"weight_gradient_norm": 9.0 if step == 15 else 1e-12}}) for step in range(20)
    ]
    dip = [
        record(SPEC, step, values={"a": {"weight_gradient_norm": 1e-12 if step == 15 else 0.1}}) for step in range(20)
    ]
    assert [finding.layer for finding in still_open(judge(SPEC, spike, RULE)[-1])] == ["a"]
    assert judge(SPEC, dip, RULE)[-1].findings == ()


@pytest.mark.parametrize("loss", [math.nan, math.inf, 0.0])
def test_without_a_usable_loss_there_is_no_finding(loss: float) -> None:
    judgement = judge(SPEC, [record(SPEC, step, loss=loss) for step in range(20)], RULE)[-1]
    assert outcome(SPEC, judgement, "a", 0) == Outcome.INSUFFICIENT_DATA


def test_too_few_checks_are_not_enough() -> None:
    judgements = judge(SPEC, [record(SPEC, step) for step in range(20)], RULE)
    assert outcome(SPEC, judgements[8], "a", 0) == Outcome.INSUFFICIENT_DATA
    assert outcome(SPEC, judgements[9], "a", 0) == Outcome.OK


def test_a_layer_that_is_not_trained_is_not_judged() -> None:
    spec = replaced(SPEC, "a", trainable=False)
    judgement = judge(spec, [record(spec, step) for step in range(20)], RULE)[-1]
    assert outcome(spec, judgement, "a", 0) == Outcome.NOT_APPLICABLE


def test_a_layer_at_the_threshold_is_one_finding() -> None:
    threshold = configure(RULE)[0].thresholds["warning_elasticity"]
    records = [
        record(
            SPEC,
            step,
            values={
                "a": {"weight_gradient_norm": threshold * (0.2 if step < 20 else 1.2) / WEIGHTS},
                "out": {"weight_gradient_norm": 10.0},
            },
        )
        for step in range(60)
    ]
    changes = [finding for judgement in judge(SPEC, records, RULE) for finding in judgement.changes]
    assert [finding.severity for finding in changes] == [Severity.WARNING]


def test_since_is_the_step_at_which_the_gradient_vanished() -> None:
    records = [
        record(SPEC, step, values={"a": {"weight_gradient_norm": 0.1 if step < 8 else 1e-12}}) for step in range(30)
    ]
    (finding,) = judge(SPEC, records, RULE)[-1].findings
    assert finding.since_step == 8
    assert finding.opened_step > 8


def test_query_and_key_projections_may_have_smaller_gradients() -> None:
    spec = chain("block/attention/query", "block/attention/key", "block/attention/value", "out")
    for name in ("query", "key", "value"):
        spec = replaced(spec, f"block/attention/{name}", class_name="EinsumDense")
    faint = {layer.name: {"weight_gradient_norm": 1e-3} for layer in spec.layers[:3]}
    records = [record(spec, step, values={**faint, "out": {"weight_gradient_norm": 10.0}}) for step in range(30)]
    found = still_open(judge(spec, records, ["vanishing_gradient"])[-1])
    assert [finding.layer for finding in found] == ["block/attention/value"]


@pytest.mark.parametrize("class_name", ["Attention", "AdditiveAttention"])
def test_weights_that_scale_scores_may_have_smaller_gradients(class_name: str) -> None:
    spec = replaced(chain("attention", "other", "out"), "attention", class_name=class_name)
    faint = {name: {"weight_gradient_norm": 1e-3} for name in ("attention", "other")}
    records = [record(spec, step, values={**faint, "out": {"weight_gradient_norm": 10.0}}) for step in range(30)]
    found = still_open(judge(spec, records, ["vanishing_gradient"])[-1])
    assert [finding.layer for finding in found] == ["other"]


@pytest.mark.parametrize("rule", ["vanishing_gradient", "no_gradient"])
def test_weights_that_are_lost_open_nothing(rule: str) -> None:
    """ReLU may turn NaN into zeros, whose gradient is zero."""
    nothing = {"weight_gradient_norm": 0.0}
    zero = dict.fromkeys(("a", "b"), nothing)
    lost = {**zero, "out": {"weight_nonfinite": 3.0}}
    assert still_open(judge(SPEC, [record(SPEC, step, values=lost) for step in range(20)], [rule])[-1]) == []
    before = [record(SPEC, step, values=zero) for step in range(15)]
    after = [record(SPEC, step, values=lost) for step in range(15, 20)]
    layers = {finding.layer for finding in still_open(judge(SPEC, [*before, *after], [rule])[-1])}
    assert layers >= {"a", "b"}
