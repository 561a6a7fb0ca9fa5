from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from tb_activations.records.columns import WEIGHT_COLUMNS
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import GradientCut, RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, judge, outcome, record, replaced, still_open

CHAIN = chain("a", "b", "out")
RULE = ["no_gradient"]


def spec_with(**has_gradient: bool) -> RunSpec:
    """The named layers, each with one weight."""
    weights = [WeightSpec(f"{name}/kernel", name, (4, 4), reached) for name, reached in has_gradient.items()]
    return dataclasses.replace(CHAIN, weights=tuple(weights))


def records(spec: RunSpec, norms: Mapping[str, float], steps: int = 20) -> list[StepRecord]:
    values = {name: {"weight_gradient_norm": norm} for name, norm in norms.items()}
    table = np.ones((len(spec.weights), len(WEIGHT_COLUMNS)), np.float32)
    return [dataclasses.replace(record(spec, step, values=values), weights=table) for step in range(steps)]


def found(spec: RunSpec, **norms: float) -> list[Finding]:
    return still_open(judge(spec, records(spec, norms), RULE)[-1])


def test_layers_cut_off_follow_from_the_one_nearest_the_loss() -> None:
    findings = found(spec_with(a=False, b=False, out=True), a=np.nan, b=np.nan)
    assert [(finding.layer, finding.severity, finding.root) for finding in findings] == [
        ("b", Severity.PROBLEM, None),
        ("a", Severity.PROBLEM, findings[0].id),
    ]


def test_a_gradient_of_exact_zeros_is_no_gradient() -> None:
    (finding,) = found(spec_with(a=True, b=True, out=True), a=0.0)
    assert (finding.layer, finding.severity, finding.since_step) == ("a", Severity.PROBLEM, 0)


def test_a_tiny_gradient_is_a_gradient() -> None:
    assert found(spec_with(a=True, b=True, out=True), a=1e-30) == []


def test_layers_that_the_step_leaves_out_are_notes() -> None:
    findings = found(spec_with(a=True), b=np.nan, out=np.nan)
    assert {finding.layer: finding.severity for finding in findings} == {"b": Severity.NOTE, "out": Severity.NOTE}


def test_a_last_layer_that_was_forgotten_is_a_matter_of_its_weights() -> None:
    spec = spec_with(a=True, b=True)
    judgement = judge(spec, records(spec, {"out": np.nan}), RULE)[-1]
    assert still_open(judgement) == []
    assert outcome(spec, judgement, "out", 0) == Outcome.NOT_APPLICABLE


def test_a_layer_that_is_left_out_although_others_learn_from_it_has_a_gradient() -> None:
    spec = spec_with(b=True, out=True)
    judgement = judge(spec, records(spec, {"a": np.nan}), RULE)[-1]
    assert still_open(judgement) == []
    assert outcome(spec, judgement, "a", 0) == Outcome.NOT_APPLICABLE


def test_a_container_is_not_judged_by_its_layers_weights() -> None:
    spec = spec_with(b=True, out=True)
    inner = dataclasses.replace(spec.layers[0], name="a/inner")
    spec = dataclasses.replace(
        spec,
        layers=(inner, *spec.layers),
        weights=(WeightSpec("a/inner/kernel", "a/inner", (4, 4)), *spec.weights),
    )
    judgement = judge(spec, records(spec, {"a": np.nan}), RULE)[-1]
    assert outcome(spec, judgement, "a", 0) == Outcome.NOT_APPLICABLE
    assert still_open(judgement) == []


def test_a_gradient_of_zero_counts_only_where_a_loss_is_left() -> None:
    spec = spec_with(a=True, b=True, out=True)

    def course(*losses: float) -> list[Finding]:
        """The gradient of every layer is zero after the first ten steps."""
        made = [
            record(spec, step, loss=loss, values={} if step < 10 else {"a": {"weight_gradient_norm": 0.0}})
            for step, loss in enumerate(losses)
        ]
        return still_open(judge(spec, made, RULE)[-1])

    assert course(*[1.0] * 10, *[0.0] * 15) == []
    assert [finding.layer for finding in course(*[1.0] * 10, *[1.0, 0.0] * 15)] == ["a"]


def test_a_loss_of_zero_leaves_nothing_to_learn() -> None:
    spec = spec_with(a=True, b=True, out=True)
    values = {name: {"weight_gradient_norm": 0.0} for name in ("a", "b", "out")}
    judgement = judge(spec, [record(spec, step, values=values, loss=0.0) for step in range(20)], RULE)[-1]
    assert still_open(judgement) == []


def two_heads() -> RunSpec:
    """A trunk with two branches that end in outputs of their own."""
    spec = spec_with(a=True, b=True, out=True)
    inputs = {"a": (), "b": ("a",), "out": ("a",)}
    layers = tuple(dataclasses.replace(layer, inputs=inputs[layer.name]) for layer in spec.layers)
    return dataclasses.replace(spec, layers=layers)


@pytest.mark.parametrize(
    ("at_output", "at_other", "severity"),
    [(0.0, 0.1, Severity.NOTE), (0.1, 0.1, Severity.PROBLEM), (0.0, 0.0, Severity.PROBLEM)],
    ids=["the loss counts only the other output", "something blocks the gradient", "no output has a gradient"],
)
def test_an_output_without_weight_in_the_loss_is_a_note(at_output: float, at_other: float, severity: Severity) -> None:
    spec = two_heads()
    values = {
        "a": {"weight_gradient_norm": 0.1},
        "b": {"weight_gradient_norm": 0.0, "gradient_norm": at_output},
        "out": {"weight_gradient_norm": 0.1, "gradient_norm": at_other},
    }
    table = np.ones((len(spec.weights), len(WEIGHT_COLUMNS)), np.float32)
    many = [dataclasses.replace(record(spec, step, values=values), weights=table) for step in range(20)]
    (finding,) = still_open(judge(spec, many, RULE)[-1])
    assert (finding.layer, finding.severity) == ("b", severity)


@pytest.mark.parametrize(("at_output", "severity"), [(0.0, Severity.NOTE), (0.1, Severity.PROBLEM)])
def test_weights_that_stay_without_weight_in_the_loss_are_a_note(at_output: float, severity: Severity) -> None:
    spec = two_heads()
    values = {"b": {"update_ratio": 0.0, "gradient_norm": at_output}}
    table = np.ones((len(spec.weights), len(WEIGHT_COLUMNS)), np.float32)
    many = [dataclasses.replace(record(spec, step, values=values), weights=table) for step in range(20)]
    (finding,) = still_open(judge(spec, many, ["stagnant_weights"])[-1])
    assert (finding.layer, finding.severity) == ("b", severity)


def test_a_branch_that_never_runs_is_named() -> None:
    spec = spec_with(a=True, b=True, out=True)
    table = np.ones((len(spec.weights), len(WEIGHT_COLUMNS)), np.float32)

    def running(when: Callable[[int], bool], steps: int) -> list[Finding]:
        never = {"elements": 0.0, "weight_gradient_norm": np.nan}
        many = [
            dataclasses.replace(record(spec, s, values={} if when(s) else {"b": never}), weights=table)
            for s in range(steps)
        ]
        return still_open(judge(spec, many, RULE)[-1])

    (finding,) = running(lambda step: False, 40)
    assert (finding.layer, finding.sign, finding.severity) == ("b", "idle", Severity.NOTE)
    assert running(lambda step: False, 20) == []
    assert running(lambda step: step == 30, 40) == []


@pytest.mark.parametrize(("batch", "is_lone"), [(1, True), (8, False)])
def test_a_batch_normalization_of_single_samples_is_the_reason(batch: int, is_lone: bool) -> None:
    spec = replaced(spec_with(a=True, b=True, out=True), "b", class_name="BatchNormalization")
    table = np.ones((len(spec.weights), len(WEIGHT_COLUMNS)), np.float32)
    values = {"a": {"weight_gradient_norm": 0.0}}
    many = [dataclasses.replace(record(spec, s, values=values, batch=batch), weights=table) for s in range(20)]
    (finding,) = still_open(judge(spec, many, RULE)[-1])
    assert finding.layer == "a"
    assert ("Give b more than one sample per step" in finding.advice) == is_lone


@pytest.mark.parametrize(
    ("cut", "reason", "advice"),
    [
        (
            GradientCut("b", "argmax", "choose (train.py:41)"),
            "The argmax in choose (train.py:41) has no gradient.",
            "In choose (train.py:41): use softmax in training",
        ),
        (GradientCut("b", "rounding"), "The rounding behind b has no gradient.", "Behind b: use values that have one"),
        (
            GradientCut("b"),
            "Nothing in the loss is computed from the outputs of b.",
            "Let the loss use the outputs of b",
        ),
        (GradientCut("a", "argmax"), "since step 0.", "Check between b and the loss for stop_gradient"),
    ],
)
def test_the_operation_that_cuts_a_layer_off_is_named_with_its_line(cut: GradientCut, reason: str, advice: str) -> None:
    spec = dataclasses.replace(spec_with(a=True, b=False, out=True), gradient_cuts=(cut,))
    (finding,) = found(spec, b=np.nan)
    assert finding.message.endswith(reason)
    assert finding.advice.startswith(advice)
