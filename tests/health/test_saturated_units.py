from __future__ import annotations

import dataclasses

import pytest

from tb_activations.records.finding import Outcome, Severity
from tests.health.trainings import chain, judge, outcome, record, replaced, still_open

SPEC = chain("a", "b", "out", activation="tanh")
RULE = ["saturated_units"]
NAN = float("nan")


def pressed(share: float, *, layer: str = "b") -> dict[str, dict[str, float]]:
    return {name: {"saturated_fraction": share if name == layer else 0.05} for name in ("a", "b", "out")}


@pytest.mark.parametrize(
    ("share", "severity"),
    [(0.27, None), (0.36, Severity.NOTE), (0.5, Severity.WARNING), (0.9, Severity.PROBLEM)],
)
def test_the_share_of_outputs_at_the_bounds_decides(share: float, severity: Severity | None) -> None:
    findings = still_open(judge(SPEC, [record(SPEC, s, values=pressed(share)) for s in range(20)], RULE)[-1])
    assert [finding.severity for finding in findings] == ([severity] if severity else [])
    assert [finding.layer for finding in findings] == (["b"] if severity else [])


def test_a_network_that_learns_gets_at_most_a_warning() -> None:
    records = [record(SPEC, step, values=pressed(0.9), loss=1 / (1 + step)) for step in range(20)]
    assert [finding.severity for finding in still_open(judge(SPEC, records, RULE)[-1])] == [Severity.WARNING]


def test_heads_gates_and_unbounded_layers_are_not_judged() -> None:
    spec = replaced(SPEC, "b", is_gate=True)
    judgement = judge(spec, [record(spec, step, values=pressed(1.0)) for step in range(20)], RULE)[-1]
    assert outcome(spec, judgement, "b", 0) == Outcome.NOT_APPLICABLE
    values = {"out": {"saturated_fraction": 1.0}}
    learning = [record(SPEC, step, values=values, loss=1 / (1 + step)) for step in range(20)]
    judgement = judge(SPEC, learning, RULE)[-1]
    assert [outcome(SPEC, judgement, name, 0) for name in ("a", "out")] == [Outcome.NOT_APPLICABLE] * 2


def test_an_output_that_other_layers_take_is_judged_as_an_output() -> None:
    spec = dataclasses.replace(replaced(SPEC, "b", is_output=True), loss="mean_squared_error")
    for losses, expected in (([1 / (1 + step) for step in range(20)], []), ([1.0] * 20, ["b"])):
        records = [record(spec, step, values=pressed(0.9), loss=loss) for step, loss in enumerate(losses)]
        assert [finding.layer for finding in still_open(judge(spec, records, RULE)[-1])] == expected


SATURATED_HEAD = {"out": {"saturated_fraction": 1.0}}


@pytest.mark.parametrize(("loss", "constant"), [("hinge", NAN), ("", 1.0)])
def test_a_saturated_head_counts_while_the_loss_is_stuck(loss: str, constant: float) -> None:
    spec, known = dataclasses.replace(SPEC, loss=loss), {"constant_loss": constant}
    stuck = [record(spec, step, values=SATURATED_HEAD, totals=known) for step in range(20)]
    (finding,) = still_open(judge(spec, stuck, RULE)[-1])
    assert (finding.layer, finding.severity) == ("out", Severity.PROBLEM)


def test_a_saturated_head_may_be_right_where_a_loss_need_not_fall() -> None:
    adversarial = [record(SPEC, step, values=SATURATED_HEAD) for step in range(20)]
    assert still_open(judge(SPEC, adversarial, RULE)[-1]) == []


def test_the_output_of_a_network_inside_the_model_is_a_head_and_its_hidden_layers_are_not() -> None:
    spec = chain("generator/hidden", "generator/pixels", "discriminator/hidden", "discriminator/out", activation="tanh")
    values = {name: {"saturated_fraction": 0.9} for name in ("generator/hidden", "generator/pixels")}
    (finding,) = still_open(judge(spec, [record(spec, step, values=values) for step in range(20)], RULE)[-1])
    assert finding.layer == "generator/hidden"
    whole = replaced(spec, "discriminator/hidden", name="generator")
    found = still_open(judge(whole, [record(whole, step, values=values) for step in range(20)], RULE)[-1])
    assert {finding.layer for finding in found} == {"generator/hidden", "generator/pixels"}


def test_since_is_the_step_at_which_saturation_began() -> None:
    records = [record(SPEC, step, values=pressed(0.9 if step >= 8 else 0.1)) for step in range(30)]
    (finding,) = still_open(judge(SPEC, records, RULE)[-1])
    assert (finding.since_step, finding.opened_step) == (8, 13)


def test_few_checks_are_not_enough() -> None:
    judgement = judge(SPEC, [record(SPEC, step, values=pressed(0.9)) for step in range(9)], RULE)[-1]
    assert outcome(SPEC, judgement, "b", 0) == Outcome.INSUFFICIENT_DATA


@pytest.mark.parametrize(("fall", "severity"), [(0.99, Severity.WARNING), (1.0, Severity.PROBLEM)])
def test_while_the_loss_falls_it_gets_at_most_a_warning(fall: float, severity: Severity) -> None:
    # From a bad start it may take long to become better than a constant prediction.
    losses = [9 * fall**step for step in range(30)]
    totals = {"constant_loss": 0.5}
    records = [record(SPEC, s, values=pressed(0.9), loss=loss, totals=totals) for s, loss in enumerate(losses)]
    assert [finding.severity for finding in still_open(judge(SPEC, records, RULE)[-1])] == [severity]


@pytest.mark.parametrize(("constant", "loss", "is_found"), [(0.08, 0.1, False), (0.3, 0.4, True)])
def test_a_head_whose_targets_are_nearly_all_the_same_is_rightly_at_the_bound(
    constant: float, loss: float, is_found: bool
) -> None:
    # The best constant answer to one bright pixel in fifty is 0.02, with a cross entropy of 0.1.
    spec, known = dataclasses.replace(SPEC, loss="binary_crossentropy"), {"constant_loss": constant}
    records = [record(spec, step, values=SATURATED_HEAD, loss=loss, totals=known) for step in range(20)]
    assert bool(still_open(judge(spec, records, RULE)[-1])) == is_found


@pytest.mark.parametrize(
    ("loss", "constant", "severity"),
    [
        ("mean_squared_error", 5.0, Severity.NOTE),
        ("mean_squared_error", 50.0, Severity.WARNING),
        ("sparse_categorical_crossentropy", 5.0, Severity.WARNING),
    ],
    ids=["on its way", "past the constant", "classes"],
)
def test_a_regression_that_is_on_its_way_to_far_targets_drives_its_units_there(
    loss: str, constant: float, severity: Severity
) -> None:
    spec, known = dataclasses.replace(SPEC, loss=loss), {"constant_loss": constant}
    losses = [49 * 0.99**step for step in range(30)]
    records = [record(spec, s, values=pressed(0.9), loss=one, totals=known) for s, one in enumerate(losses)]
    assert [finding.severity for finding in still_open(judge(spec, records, RULE)[-1])] == [severity]


@pytest.mark.parametrize(("gate", "found"), [("sigmoid", ["a"]), ("tanh", [])])
def test_what_a_sigmoid_lets_through_is_no_gate(gate: str, found: list[str]) -> None:
    """Two factors, a and b, make the product."""
    spec = chain("a", "b", "product", "out", activation="tanh")
    spec = replaced(spec, "a", is_gate=True)
    spec = replaced(spec, "b", is_gate=True, activation=gate)
    spec = replaced(replaced(spec, "product", inputs=("a", "b")), "out", inputs=("product",))
    values = {name: {"saturated_fraction": 0.9} for name in ("a", "b")}
    findings = still_open(judge(spec, [record(spec, step, values=values) for step in range(20)], RULE)[-1])
    assert [finding.layer for finding in findings] == found
