"""The criteria of the known cases and how findings are scored against them, on measurements made up by hand."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases.base import CASES, RULES, WHOLE, Case
from benchmarks.cases.measurements import Measurements
from benchmarks.cases.scoring import Result, RuleScore, roots_of, rule_scores, with_those_around
from benchmarks.cases.truth import facts
from tb_activations.records.finding import Finding, Severity

EPOCHS = 6
WELL: dict[str, Any] = {
    "nonfinite": 0,
    "weights_nonfinite": 0,
    "gradients_nonfinite": 0,
    "spread": 0.5,
    "gradient": 0.1,
    "elasticity": 0.5,
    "moved": 0.2,
    "gain": 1.0,
    "drive": 1.0,
    "units_equal": False,
}


def measured(
    activation: str | None = "relu",
    losses: tuple[float, ...] = (2.3,) * EPOCHS,
    steps: float = 1e-3,
    **changed: list[Any],
) -> Measurements:
    """Six measurements of one hidden layer in which the `changed` values are as given and all others healthy."""
    moments = [
        {
            "step": 10 * epoch,
            "loss": losses[epoch],
            "layers": {"hidden": {**WELL, **{name: values[epoch] for name, values in changed.items()}}},
        }
        for epoch in range(EPOCHS)
    ]
    known = {"class": "Dense", "activation": activation, "head": False, "gate": False, "trained": True}
    return Measurements(moments, {"hidden": [steps] * 50}, {"hidden": known}, None, 2.3)


def told(measurements: Measurements) -> list[tuple[str, bool, int]]:
    """Facts of the layers, without those of the training as a whole."""
    return [(fact.rule, fact.certain, fact.onset) for fact in facts(measurements) if fact.layer]


def test_a_layer_that_is_well_has_no_fact() -> None:
    assert told(measured(losses=(2.3, 1, 0.5, 0.2, 0.1, 0.1), active=[[0.4, 0.6]] * EPOCHS)) == []


def test_a_loss_below_zero_is_not_an_explosion() -> None:
    falling = measured(losses=(-0.05, -0.2, -0.4, -0.5, -0.6, -0.6))
    assert told(dataclasses.replace(falling, constant_loss=math.nan)) == []


HALF_DEAD, ALIVE, THIRD_DEAD = [0.0, 0.5], [0.1, 0.5], [0.0, 0.4, 0.5]


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        ([HALF_DEAD] * 6, [("dead_units", True, 0)]),
        ([ALIVE, ALIVE, HALF_DEAD, HALF_DEAD, HALF_DEAD, HALF_DEAD], [("dead_units", True, 20)]),
        ([HALF_DEAD, HALF_DEAD, ALIVE, ALIVE, ALIVE, ALIVE], [("dead_units", False, 0)]),
        ([THIRD_DEAD] * 6, [("dead_units", False, 0)]),
        ([HALF_DEAD, ALIVE, HALF_DEAD, ALIVE, HALF_DEAD, ALIVE], []),
    ],
)
def test_dead_units_are_those_that_stay_silent(active: list[Any], expected: list[tuple[str, bool, int]]) -> None:
    assert told(measured(active=active)) == expected


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"elasticity": [1e-4] * EPOCHS}, "vanishing_gradient"),
        ({"elasticity": [500.0] * EPOCHS}, "exploding_gradient"),
        ({"losses": (2.3, 2.3, 5000, 5000, 5000, 5000)}, "exploding_gradient"),
        ({"nonfinite": [0, 0, 0, 7, 7, 7]}, "nonfinite"),
        ({"activation": "tanh", "at_bound": [[0.95, 0.95, 0.1]] * EPOCHS}, "saturated_units"),
        ({"activation": "gelu", "size": [[0.001, 0.001, 2.9]] * EPOCHS}, "dormant_units"),
        ({"moved": [1e-6] * EPOCHS}, "stagnant_weights"),
        ({"steps": 0.4}, "stagnant_weights"),
        ({"gradient": [None] * EPOCHS}, "no_gradient"),
        ({"spread": [0.5, 0.5, 0.5, 0.0, 0.0, 0.0]}, "collapsed_layer"),
        ({"gain": [20.0] * EPOCHS}, "poor_init"),
        ({"units_equal": [True] * EPOCHS}, "poor_init"),
    ],
)
def test_each_rule_has_a_certain_case(changed: dict[str, Any], rule: str) -> None:
    assert [fact.rule for fact in facts(measured(**changed)) if fact.certain and fact.layer] == [rule]


def test_what_has_learned_is_neither_vanishing_nor_stagnant_for_certain() -> None:
    fallen = (2.3, 1.0, 0.5, 0.1, 0.01, 0.01)
    assert not any(fact.certain for fact in facts(measured(losses=fallen, elasticity=[1e-4] * 6, moved=[1e-6] * 6)))


def finding(rule: str, layer: str, root: str | None = None) -> Finding:
    evidence = {"value": 1.0, "threshold": 0.5, "samples": 300, "checks": 5, "since_step": 0, "opened_step": 5}
    texts = dict.fromkeys(("sign", "unit", "message", "might_be_wrong", "advice", "source"), "")
    return Finding(rule=rule, layer=layer, severity=Severity.PROBLEM, last_step=9, root=root, **evidence, **texts)  # type: ignore[arg-type]


def test_a_root_is_followed_to_its_end() -> None:
    cause = finding("dead_units", "hidden_1")
    middle = finding("vanishing_gradient", "hidden_0", cause.id)
    last = finding("stagnant_weights", "hidden_0", middle.id)
    assert roots_of([last], [cause, middle, last]) == [cause]
    assert roots_of([last], [last]) == [last]


def test_a_part_of_a_layer_is_measured_with_the_layers_around_it() -> None:
    assert with_those_around("block/attention/query") == ["block", "block/attention", "block/attention/query"]
    assert with_those_around(WHOLE) == [WHOLE]


def test_scores_count_cases() -> None:
    def case(name: str, rule: str | None) -> Case:
        return Case(name, "", lambda: None, rule)  # type: ignore[arg-type, return-value]

    true, false = finding("dead_units", "hidden_1"), finding("dead_units", "head")
    results = [
        Result(case("found", "dead_units"), (true, false), (false,), (), True, True, 4, 7),
        Result(case("missed", "dead_units"), (), (), ()),
        Result(case("well", None), (false,), (false,), ()),
    ]
    expected = RuleScore("dead_units", 2, 1, 1, 1, 2, 1, (4,), (7,))
    assert rule_scores(results)[0] == expected
    assert (expected.recall, expected.right_layer_rate) == (0.5, 1.0)
    assert expected.precision == pytest.approx(1 / 3)


def test_the_page_of_the_documentation_names_every_case() -> None:
    page = (Path(__file__).parents[2] / "docs/accuracy.md").read_text("utf-8")
    sick, healthy = (page.partition(f"## {title} trainings")[2].partition("\n## ")[0] for title in ("Sick", "Healthy"))
    for part, is_sick in ((sick, True), (healthy, False)):
        named = re.findall(r"^- `(\w+)`", part, re.MULTILINE)
        assert sorted(named) == sorted(name for name, case in CASES.items() if bool(case.rule) is is_sick)


def test_half_of_the_cases_are_healthy_and_every_rule_has_three() -> None:
    sick = [case.rule for case in CASES.values() if case.rule]
    assert len(CASES) >= 60
    assert len(sick) <= len(CASES) / 2
    assert {rule for rule in RULES if sick.count(rule) < 3} == {"nonfinite_data"}
    assert [case.name for case in CASES.values() if not case.about] == []
