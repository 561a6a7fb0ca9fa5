from __future__ import annotations

import dataclasses

import pytest

from tb_activations.records.finding import Outcome, Severity
from tb_activations.records.specs import Config
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, judge, outcome, record, replaced, still_open

SPEC = chain("a", "b", "out", activation="gelu")
RULE = ["collapsed_layer"]
FLAT = {"sample_std": 1e-5}


def test_a_network_with_equal_outputs_is_found_at_its_first_collapsed_layer() -> None:
    records = [record(SPEC, step, values={"b": FLAT, "out": FLAT}) for step in range(20)]
    findings = still_open(judge(SPEC, records, RULE)[-1])
    assert [(finding.layer, finding.severity, finding.root) for finding in findings] == [
        ("b", Severity.PROBLEM, None),
        ("out", Severity.PROBLEM, findings[0].id),
    ]


def test_where_no_weights_come_before_it_is_the_inputs_that_are_equal() -> None:
    layers = (dataclasses.replace(SPEC.layers[0], parameters=0, trainable=False), *SPEC.layers[1:])
    given = dataclasses.replace(SPEC, layers=layers)
    zeros = {"sample_std": 0.0}
    records = [record(given, step, values={name: zeros for name in ("a", "b", "out")}) for step in range(20)]
    first, *others = still_open(judge(given, records, RULE)[-1])
    assert first.layer == "a"
    assert first.advice.startswith("No layer with weights comes before a, so the model is given the same")
    assert all(one.advice.startswith("Initialize ") for one in others)


def test_a_head_whose_answers_move_apart_has_not_collapsed() -> None:
    def course(growth: float) -> list[StepRecord]:
        spreads = [{"out": {"sample_std": 1e-4 * growth**step}} for step in range(20)]
        return [record(SPEC, step, values=values) for step, values in enumerate(spreads)]

    waking = judge(SPEC, course(1.15), RULE)
    assert [still_open(entry) for entry in waking] == [[]] * 20
    assert outcome(SPEC, waking[12], "out", 0) == Outcome.INSUFFICIENT_DATA
    assert [finding.layer for finding in still_open(judge(SPEC, course(1.0), RULE)[-1])] == ["out"]


def test_a_constant_branch_parallel_to_the_signal_is_a_note() -> None:
    records = [record(SPEC, step, values={"b": FLAT}) for step in range(20)]
    assert [finding.severity for finding in still_open(judge(SPEC, records, RULE)[-1])] == [Severity.NOTE]


def test_a_layer_of_zeros_is_collapsed() -> None:
    zeros = {"sample_std": 0.0, "mean": 0.0, "std": 0.0}
    records = [record(SPEC, step, values={"out": zeros}) for step in range(20)]
    assert [finding.value for finding in still_open(judge(SPEC, records, RULE)[-1])] == [0.0]


def test_one_sample_per_step_is_not_enough() -> None:
    records = [record(SPEC, step, values={"out": {"sample_std": 0.0}}, batch=1) for step in range(20)]
    judgement = judge(SPEC, records, RULE)[-1]
    assert outcome(SPEC, judgement, "out", 0) == Outcome.INSUFFICIENT_DATA


def test_separate_classes_are_no_collapse() -> None:
    records = [record(SPEC, step, values={"out": {"sample_std": 5e-3}}) for step in range(20)]
    assert still_open(judge(SPEC, records, RULE)[-1]) == []


@pytest.mark.parametrize(("spread", "layers"), [(5e-3, []), (1e-5, ["b"]), (0.0, ["b"])])
def test_a_layer_without_units_collapses_like_any_other(spread: float, layers: list[str]) -> None:
    spec = replaced(SPEC, "b", units=0)
    values = {"b": {"elements": 1000.0, "sample_std": spread}}
    records = [record(spec, step, values=values) for step in range(20)]
    assert [finding.layer for finding in still_open(judge(spec, records, RULE)[-1])] == layers


def test_next_to_a_mask_differences_cannot_be_seen() -> None:
    masked = {"mean": -4e8, "std": 5e8, "min": -1e9, "sample_std": 160.0}
    records = [record(SPEC, step, values={"out": masked}) for step in range(20)]
    assert still_open(judge(SPEC, records, RULE)[-1]) == []


def test_the_elements_of_one_sample_are_not_several_samples() -> None:
    spec = replaced(SPEC, "b", units=0)
    values = {"b": {"elements": 1000.0, "sample_std": 0.0}}
    records = [record(spec, step, values=values, batch=1) for step in range(20)]
    assert outcome(spec, judge(spec, records, RULE)[-1], "b", 0) == Outcome.INSUFFICIENT_DATA


@pytest.mark.parametrize(
    ("class_name", "units", "shape", "config", "severity"),
    [
        ("LayerNormalization", 1, (None, 1), {"axis": (-1,)}, Severity.WARNING),
        ("LayerNormalization", 1, (None, 6, 1), {"axis": 2}, Severity.WARNING),
        ("LayerNormalization", 1, (None, 6, 1), {"axis": (1, 2)}, Severity.NOTE),
        ("LayerNormalization", 1, (None, 1), {"rms_scaling": True}, Severity.NOTE),
        ("LayerNormalization", 8, (None, 8), {"axis": -1}, Severity.NOTE),
        ("GroupNormalization", 8, (None, 1, 1, 8), {"groups": 8}, Severity.WARNING),
        ("GroupNormalization", 8, (None, 2, 1, 8), {"groups": -1}, Severity.NOTE),
        ("GroupNormalization", 8, (None, 1, 1, 8), {"groups": 4}, Severity.NOTE),
    ],
)
def test_a_normalization_of_one_value_is_a_fault_whatever_path_the_signal_takes(
    class_name: str, units: int, shape: tuple[int | None, ...], config: Config, severity: Severity
) -> None:
    spec = replaced(SPEC, "b", class_name=class_name, units=units, output_shape=shape, config=config)
    records = [record(spec, step, values={"b": {"sample_std": 0.0}}) for step in range(20)]
    (finding,) = still_open(judge(spec, records, RULE)[-1])
    assert (finding.layer, finding.severity) == ("b", severity)
    assert ("normalizes over one value" in finding.advice) == (severity is Severity.WARNING)


@pytest.mark.parametrize(
    ("units", "shape", "axis", "severity"),
    [
        (1, (None, 6, 1), -1, Severity.WARNING),
        (1, (None, 6, 1), 2, Severity.WARNING),
        (1, (None, 6, 1), 1, Severity.NOTE),
        (6, (None, 6), -1, Severity.NOTE),
    ],
)
def test_a_softmax_of_one_value_is_a_fault_whatever_path_the_signal_takes(
    units: int, shape: tuple[int | None, ...], axis: int, severity: Severity
) -> None:
    config = {"axis": axis}
    spec = replaced(SPEC, "b", activation="softmax", units=units, output_shape=shape, config=config)
    records = [record(spec, step, values={"b": {"sample_std": 0.0}}) for step in range(20)]
    (finding,) = still_open(judge(spec, records, RULE)[-1])
    assert (finding.layer, finding.severity) == ("b", severity)
    assert ("is a softmax over one value" in finding.advice) == (severity is Severity.WARNING)
