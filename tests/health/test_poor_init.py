from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from tb_activations.health.rules.kernels import fan_in
from tb_activations.records.columns import WEIGHT_COLUMNS
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, judge, outcome, record, replaced, still_open

FAN_IN, UNITS = 25, 10
SPEC = dataclasses.replace(
    chain("a", "b", "out", activation="tanh"),
    weights=tuple(WeightSpec(f"{name}/kernel", name, (FAN_IN, UNITS)) for name in ("a", "b", "out")),
)
RULE = ["poor_init"]


def start(
    gains: Mapping[str, float],
    steps: int = 4,
    *,
    spec: RunSpec = SPEC,
    first_step: int = 0,
    values: Mapping[str, Mapping[str, float]] | None = None,
    peak: float | None = None,
    loss: float = 1.0,
) -> list[StepRecord]:
    weights = np.full((3, len(WEIGHT_COLUMNS)), 1e-3, np.float32)
    # The gain is the root mean square times the root of the fan-in, so the norm is gain * sqrt(units).
    norms = [gains.get(name, 1.0) * np.sqrt(UNITS) for name in ("a", "b", "out")]
    weights[:, WEIGHT_COLUMNS.index("weight_norm")] = norms
    records = []
    for step in range(steps):
        made = record(spec, first_step + step, values=values, loss=loss if step > 2 else 1.0)
        peaks = np.linspace(1, 2, 3 * UNITS, dtype=np.float32)
        if peak is not None:
            peaks[UNITS : 2 * UNITS] = peak
        records.append(dataclasses.replace(made, weights=weights, unit_peak=peaks))
    return records


def found(records: list[StepRecord], spec: RunSpec = SPEC) -> list[Finding]:
    return still_open(judge(spec, records, RULE)[-1])


@pytest.mark.parametrize("gain", [24.0, 0.01])
def test_a_kernel_that_starts_far_off_is_found_at_once(gain: float) -> None:
    (finding,) = found(start({"b": gain}, 1))
    assert (finding.layer, finding.severity, finding.since_step) == ("b", Severity.WARNING, 0)
    assert finding.value == pytest.approx(gain, rel=1e-5)


def test_a_head_may_start_near_zero_if_it_grows() -> None:
    growing = start({"out": 0.01}, 30)
    for step, entry in enumerate(growing):
        norms = entry.weights.copy()
        norms[2, WEIGHT_COLUMNS.index("weight_norm")] *= 1 + step
        growing[step] = dataclasses.replace(entry, weights=norms)
    assert {finding.severity for entry in judge(SPEC, growing, RULE) for finding in entry.findings} == {Severity.NOTE}
    assert [finding.severity for finding in found(start({"out": 0.01}, 20))] == [Severity.NOTE]
    assert [finding.severity for finding in found(start({"out": 0.01}, 30))] == [Severity.WARNING]


def test_the_head_of_an_actor_before_a_critic_may_start_near_zero() -> None:
    layers = [dataclasses.replace(layer, name=f"actor/{layer.name}") for layer in SPEC.layers[:2]]
    weights = [
        dataclasses.replace(weight, name=f"actor/{weight.name}", layer=f"actor/{weight.layer}")
        for weight in SPEC.weights[:2]
    ]
    spec = dataclasses.replace(SPEC, layers=(*layers, SPEC.layers[2]), weights=(*weights, SPEC.weights[2]))
    assert [finding.severity for finding in found(start({"b": 0.01}, spec=spec), spec)] == [Severity.NOTE]
    assert [finding.severity for finding in found(start({"a": 0.01}, spec=spec), spec)] == [Severity.WARNING]


def test_a_branch_next_to_a_skip_connection_may_start_near_zero() -> None:
    skipped = replaced(replaced(SPEC, "b", inputs=("a",)), "out", inputs=("a", "b"))
    assert [finding.severity for finding in found(start({"b": 0.01}, spec=skipped), skipped)] == [Severity.NOTE]
    in_a_row = replaced(replaced(SPEC, "b", inputs=("a",)), "out", inputs=("b",))
    assert [finding.severity for finding in found(start({"b": 0.01}, spec=in_a_row), in_a_row)] == [Severity.WARNING]


def test_a_gain_from_which_networks_learn_is_a_note_until_this_one_does_not() -> None:
    assert [finding.severity for finding in found(start({"b": 8.0}, 1))] == [Severity.NOTE]
    assert [finding.severity for finding in found(start({"b": 8.0}, 25))] == [Severity.WARNING]


@pytest.mark.parametrize("gain", [0.1, 1.0, 1.4, 4.0, 0.0])
def test_usual_gains_and_zeros_are_fine(gain: float) -> None:
    assert found(start({"b": gain})) == []


def test_inputs_in_the_hundreds_are_attributed_to_the_inputs() -> None:
    (finding,) = found(start({"b": 2.0}, values={"b": {"input_rms": 300.0}}))
    assert finding.layer == "b"
    assert finding.value == pytest.approx(600)
    assert "its inputs have root mean square 300, which its kernel turns into about 600 (estimated" in finding.message
    assert "layers before b" in finding.advice


def test_a_first_layer_with_large_inputs_is_given_standardized_ones() -> None:
    (finding,) = found(start({"a": 2.0}, values={"a": {"input_rms": 300.0}}))
    assert finding.layer == "a"
    assert "Standardize the inputs of a" in finding.advice


def test_the_previous_layers_outputs_are_not_taken_for_inputs() -> None:
    """The input of a layer can differ from the previous output, which may be divided by 255, say."""
    assert found(start({}, values={"a": {"mean": 300.0, "input_rms": 300.0}, "b": {"input_rms": 1.0}}))[0].layer == "a"
    assert found(start({}, values={"a": {"mean": 300.0, "std": 100.0}})) == []


@pytest.mark.parametrize("size", [float("nan"), 0.0])
def test_inputs_that_were_not_measured_are_not_judged(size: float) -> None:
    assert found(start({}, values={"a": {"input_rms": size}})) == []


FAN_INS: dict[str, tuple[str, str, tuple[int, ...], tuple[float, float]]] = {
    "dense": ("Dense", "kernel", (25, 10), (25, 25)),
    "convolution": ("Conv2D", "kernel", (3, 3, 16, 8), (144, 144)),
    "convolution in groups": ("Conv2D", "kernel", (3, 3, 4, 8), (36, 36)),
    "depthwise": ("DepthwiseConv2D", "kernel", (3, 3, 64, 1), (9, 9)),
    "depthwise in one dimension": ("DepthwiseConv1D", "kernel", (5, 64, 2), (5, 5)),
    "separable, depthwise part": ("SeparableConv2D", "depthwise_kernel", (3, 3, 64, 1), (9, 9)),
    "separable, pointwise part": ("SeparableConv2D", "pointwise_kernel", (1, 1, 64, 32), (64, 64)),
    "transposed": ("Conv2DTranspose", "kernel", (4, 4, 8, 32), (32, 512)),
    "queries of attention": ("EinsumDense", "kernel", (64, 8, 16), (64, 512)),
    "output of attention": ("EinsumDense", "kernel", (8, 16, 64), (8, 128)),
    "recurrent": ("LSTM", "recurrent_kernel", (32, 128), (32, 32)),
}


@pytest.mark.parametrize("name", list(FAN_INS))
def test_fan_in_by_kind_of_layer(name: str) -> None:
    class_name, kernel, shape, expected = FAN_INS[name]
    assert fan_in(WeightSpec(f"b/{kernel}", "b", shape), class_name) == expected


def of_kind(class_name: str, kernel: str, shape: tuple[int, ...]) -> RunSpec:
    spec = replaced(SPEC, "b", class_name=class_name)
    weights = list(spec.weights)
    weights[1] = WeightSpec(f"b/{kernel}", "b", shape)
    return dataclasses.replace(spec, weights=tuple(weights))


def with_norm(records: list[StepRecord], norm: float) -> list[StepRecord]:
    for entry in records:
        entry.weights[1, WEIGHT_COLUMNS.index("weight_norm")] = norm
    return records


@pytest.mark.parametrize("gain", [1.4, 4.0])
def test_a_depthwise_kernel_is_judged_by_its_positions_alone(gain: float) -> None:
    spec = of_kind("DepthwiseConv2D", "kernel", (3, 3, 64, 1))
    norm = gain * np.sqrt(64)
    assert found(with_norm(start({}, spec=spec), norm), spec) == []
    (finding,) = found(with_norm(start({}, spec=spec), 2 * norm * 4 / gain), spec)
    assert finding.value == pytest.approx(8)


def test_the_gain_is_a_bound_if_the_shape_does_not_determine_it() -> None:
    spec = of_kind("Conv2DTranspose", "kernel", (4, 4, 8, 32))
    root = np.sqrt(4 * 4 * 8 * 32)
    assert found(with_norm(start({}, spec=spec), root * 4 / np.sqrt(32)), spec) == []
    (finding,) = found(with_norm(start({}, spec=spec), root * 8 / np.sqrt(32)), spec)
    assert "has gain at least 8 (threshold 5)" in finding.message
    (finding,) = found(with_norm(start({}, spec=spec), root * 0.01 / np.sqrt(512)), spec)
    assert "has gain at most 0.01 (threshold 0.05)" in finding.message


def test_a_recurrent_kernel_is_not_applied_to_the_inputs() -> None:
    spec = of_kind("LSTM", "recurrent_kernel", (25, 10))
    assert found(start({}, spec=spec, values={"b": {"input_rms": 300.0}}), spec) == []


def test_a_following_normalization_removes_the_scale() -> None:
    spec = dataclasses.replace(
        SPEC, layers=(SPEC.layers[0], *replaced(SPEC, "b", class_name="LayerNormalization").layers[1:])
    )
    assert found(start({"a": 30.0}, spec=spec), spec) == []


def test_units_that_stay_copies_are_found() -> None:
    records = start({"b": 1.0}, 12, values={"b": {"unit_std": 0.0}}, peak=1.5)
    (finding,) = found(records)
    assert (finding.layer, "output the same" in finding.message) == ("b", True)
    assert found(start({"b": 1.0}, 12, values={"b": {"unit_std": 0.01}}, peak=1.5)) == []


def test_units_of_a_zero_kernel_are_copies_only_while_it_is_zero() -> None:
    silent = {"unit_std": 0.0, "mean": 0.0, "std": 0.0}
    assert [f.layer for f in found(start({"b": 0.0}, 12, values={"b": silent}, peak=0.0))] == ["b"]
    assert found(start({"b": 1.0}, 12, values={"b": silent}, peak=0.0)) == []


def test_the_finding_is_a_note_once_the_training_learns() -> None:
    assert [finding.severity for finding in found(start({"b": 8.0}, 30, loss=0.1))] == [Severity.NOTE]


def test_a_resumed_training_has_no_start_to_judge() -> None:
    judgement = judge(SPEC, start({"b": 8.0}, first_step=100), RULE)[-1]
    assert outcome(SPEC, judgement, "b", 0) == Outcome.NOT_APPLICABLE


def test_a_layer_that_only_computes_gates_may_start_with_any_gain() -> None:
    """The first layer of a squeeze-and-excite block, as EfficientNet initializes it."""
    wired = replaced(replaced(SPEC, "b", inputs=("a",)), "out", inputs=("b",))
    assert [finding.layer for finding in found(start({"b": 24.0}, 25, spec=wired), wired)] == ["b"]
    gating = replaced(wired, "out", is_gate=True)
    assert found(start({"b": 24.0}, 25, spec=gating), gating) == []
