from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from tb_activations.health.records import (
    STEP_COLUMNS,
    WEIGHT_COLUMNS,
    Finding,
    Outcome,
    RunSpec,
    Severity,
    StepRecord,
    WeightSpec,
)
from tests.unit.health.trainings import chain, judge, outcome, record, replaced, still_open

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
    input_rms: float = 1.0,
    figures: Mapping[str, Mapping[str, float]] | None = None,
    peak: float | None = None,
    loss: float = 1.0,
) -> list[StepRecord]:
    weights = np.full((3, len(WEIGHT_COLUMNS)), 1e-3, np.float32)
    # Gain is root mean square times the root of the fan-in, so that a norm of gain * sqrt(units) has it.
    norms = [gains.get(name, 1.0) * np.sqrt(UNITS) for name in ("a", "b", "out")]
    weights[:, WEIGHT_COLUMNS.index("weight_norm")] = norms
    records = []
    for step in range(steps):
        made = record(spec, first_step + step, figures=figures, loss=loss if step > 2 else 1.0)
        totals = made.totals.copy()
        totals[STEP_COLUMNS.index("input_rms")] = input_rms
        peaks = np.linspace(1, 2, 3 * UNITS, dtype=np.float32)
        if peak is not None:
            peaks[UNITS : 2 * UNITS] = peak
        records.append(dataclasses.replace(made, weights=weights, totals=totals, unit_peak=peaks))
    return records


def found(records: list[StepRecord], spec: RunSpec = SPEC) -> list[Finding]:
    return still_open(judge(spec, records, RULE)[-1])


@pytest.mark.parametrize("gain", [8.0, 0.01])
def test_a_kernel_that_starts_far_off_is_found_at_once(gain: float) -> None:
    (finding,) = found(start({"b": gain}, 1))
    assert (finding.layer, finding.severity, finding.since_step) == ("b", Severity.WARNING, 0)
    assert finding.value == pytest.approx(gain, rel=1e-5)


@pytest.mark.parametrize("gain", [0.1, 1.0, 1.4, 4.0, 0.0])
def test_usual_gains_and_zeros_are_fine(gain: float) -> None:
    assert found(start({"b": gain})) == []


def test_inputs_of_hundreds_are_told_as_inputs() -> None:
    (finding,) = found(start({}, input_rms=300.0))
    assert finding.layer == "a"
    assert "root mean square 300" in finding.message
    assert "Standardise" in finding.advice


def test_a_normalisation_behind_takes_the_scale_back() -> None:
    spec = dataclasses.replace(
        SPEC, layers=(SPEC.layers[0], *replaced(SPEC, "b", class_name="LayerNormalization").layers[1:])
    )
    assert found(start({"a": 30.0}, spec=spec), spec) == []


def test_units_that_stay_copies_are_found() -> None:
    records = start({"b": 1.0}, 12, figures={"b": {"unit_std": 0.0}}, peak=1.5)
    (finding,) = found(records)
    assert (finding.layer, "put out the same" in finding.message) == ("b", True)
    assert found(start({"b": 1.0}, 12, figures={"b": {"unit_std": 0.01}}, peak=1.5)) == []


def test_units_of_a_kernel_of_zeros_are_copies_only_while_it_is_one() -> None:
    silent = {"unit_std": 0.0, "mean": 0.0, "std": 0.0}
    assert [f.layer for f in found(start({"b": 0.0}, 12, figures={"b": silent}, peak=0.0))] == ["b"]
    assert found(start({"b": 1.0}, 12, figures={"b": silent}, peak=0.0)) == []


def test_a_training_that_learns_makes_it_a_note() -> None:
    assert [finding.severity for finding in found(start({"b": 8.0}, 30, loss=0.1))] == [Severity.NOTE]


def test_a_training_that_goes_on_has_no_start_to_judge() -> None:
    judgement = judge(SPEC, start({"b": 8.0}, first_step=100), RULE)[-1]
    assert outcome(SPEC, judgement, "b", 0) == Outcome.NOT_APPLICABLE
