"""Gradients that the training step replaces by zeros, as in a network that is thawed layer by layer."""

from __future__ import annotations

import dataclasses

import pytest

from tb_activations.records.finding import Finding, Severity
from tb_activations.records.specs import WeightSpec
from tests.health.trainings import chain, judge, record, still_open

LAYERS = chain("a", "b", "out", activation="gelu")
SPEC = dataclasses.replace(
    LAYERS,
    weights=tuple(
        WeightSpec(f"{layer.name}/{name}", layer.name, shape)
        for layer in LAYERS.layers
        for name, shape in (("kernel", (10, 10)), ("bias", (10,)))
    ),
)
FROZEN = {"weight_gradient_norm": 0.0, "weight_gradient_mean_abs": 0.0, "update_ratio": 0.0}


def open_ones(values: list[dict[str, float]], *, bias: bool = True) -> list[Finding]:
    """The open findings after steps in which layer a has these values."""
    spec = SPEC if bias else dataclasses.replace(SPEC, weights=SPEC.weights[::2])
    records = [record(spec, step, values={"a": one}) for step, one in enumerate(values)]
    rules = ["no_gradient", "vanishing_gradient", "stagnant_weights"]
    return still_open(judge(spec, records, rules)[-1])


def test_zeros_for_the_optimizer_are_a_note_and_nothing_else() -> None:
    (finding,) = open_ones([FROZEN] * 20)
    assert (finding.rule, finding.layer, finding.severity) == ("no_gradient", "a", Severity.NOTE)
    assert "one arrives at its outputs, so the training step replaces it by zeros" in finding.message


@pytest.mark.parametrize(
    "more",
    [{"gradient_norm": 0.0}, {"std": 0.0}, {"saturated_fraction": 1.0}],
    ids=["none arrives", "same output for all", "saturated"],
)
def test_a_gradient_that_the_layer_itself_stops_is_a_problem(more: dict[str, float]) -> None:
    problems = {one.rule for one in open_ones([{**FROZEN, **more}] * 20) if one.severity is Severity.PROBLEM}
    assert problems == {"no_gradient", "vanishing_gradient", "stagnant_weights"}


def test_without_a_bias_zeros_may_come_from_zero_inputs() -> None:
    (finding,) = (one for one in open_ones([FROZEN] * 20, bias=False) if one.rule == "no_gradient")
    assert finding.severity is Severity.PROBLEM


def test_a_layer_that_is_thawed_has_no_finding() -> None:
    assert open_ones([*[FROZEN] * 20, *[{}] * 3]) == []
