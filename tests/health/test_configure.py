from __future__ import annotations

from typing import Any

import pytest

from tb_activations.health.rules import RULE_TITLES, RULES, configure


def test_none_runs_every_rule_with_its_defaults() -> None:
    assert [rule.id for rule in configure()] == list(RULES) == list(RULE_TITLES)
    assert configure()[0].thresholds["problem_share"] == 0.7


def test_ids_choose_rules_in_a_fixed_order() -> None:
    assert [rule.id for rule in configure(["nonfinite", "dead_units"])] == ["dead_units", "nonfinite"]


def test_a_mapping_sets_thresholds() -> None:
    (rule,) = configure({"dead_units": {"warning_share": 0.25}})
    assert rule.thresholds["warning_share"] == 0.25
    assert rule.thresholds["note_share"] == 0.1


@pytest.mark.parametrize("rule", RULES.values())
def test_every_default_is_within_the_limits_of_its_threshold(rule: type[Any]) -> None:
    assert set(rule.limits) == set(rule().thresholds)
    for name, value in rule().thresholds.items():
        low, high = rule.limits[name]
        assert low <= value <= high


@pytest.mark.parametrize(
    ("rules", "received", "allowed"),
    [
        ("dead_units", "'dead_units'", "a list of rule ids"),
        (7, "7", "a list of rule ids"),
        (["dead"], "'dead'", ", ".join(RULES)),
        ({"dead_units": {"share": 1}}, "'share'", "problem_share"),
        ({"dead_units": {"note_share": 2}}, "2", "from 0 to 1"),
        ({"dead_units": {"note_share": float("nan")}}, "nan", "from 0 to 1"),
        ({"dead_units": {"note_share": "0.5"}}, "'0.5'", "a number from 0 to 1"),
        ({"dead_units": {"note_share": True}}, "True", "a number from 0 to 1"),
        ({"dead_units": 0.5}, "0.5", "a mapping from threshold to number"),
    ],
)
def test_invalid_rules_are_rejected_with_a_reason(rules: Any, received: str, allowed: str) -> None:
    with pytest.raises(ValueError, match="argument `rules`") as error:
        configure(rules)
    assert f"received {received}" in str(error.value) or received in str(error.value)
    assert allowed in str(error.value)
