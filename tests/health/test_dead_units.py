from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from tb_activations.records.columns import WEIGHT_COLUMNS
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, judge, outcome, record, replaced, still_open

SPEC = chain("a", "b", "out")
RULE = ["dead_units"]


def dead(spec: RunSpec, layer: str, units: int, *, since: int = 4, steps: int = 20, batch: int = 100) -> list[Finding]:
    """The open findings after a training in which the first `units` units of a layer fall silent at step `since`."""
    records = [
        record(spec, step, silent={layer: range(units)} if step >= since else None, batch=batch)
        for step in range(steps)
    ]
    return still_open(judge(spec, records, RULE)[-1])


@pytest.mark.parametrize(
    ("units", "severity"),
    [(2, Severity.NOTE), (9, Severity.NOTE), (10, Severity.WARNING), (14, Severity.PROBLEM), (20, Severity.PROBLEM)],
)
def test_the_share_of_dead_units_decides_the_severity(units: int, severity: Severity) -> None:
    (finding,) = dead(chain("a", "b", "out", units=20), "b", units)
    assert (finding.layer, finding.severity) == ("b", severity)
    assert finding.value == pytest.approx(units / 20)
    assert finding.units == tuple(range(units))
    assert finding.since_step == 4
    assert finding.checks == 16
    assert finding.samples == 1600


@pytest.mark.parametrize(("units", "severity"), [(6, Severity.NOTE), (7, Severity.PROBLEM)])
def test_half_of_a_small_layer_may_be_dead_by_chance(units: int, severity: Severity) -> None:
    (finding,) = dead(SPEC, "b", units)
    assert finding.severity is severity


def test_a_finding_names_units_layer_and_first_step() -> None:
    (finding,) = dead(SPEC, "b", 8)
    for part in ("80%", "of b", "8 of 10", "threshold 70%", "since step 4"):
        assert part in finding.message
    assert finding.advice
    assert finding.might_be_wrong
    assert finding.source


@pytest.mark.parametrize(
    ("loss", "least", "end"),
    [
        ("poisson", 0.0, "softplus"),
        ("mean_squared_logarithmic_error", 0.0, "softplus"),
        ("mean_squared_error", 0.0, "linear"),
        ("", -1.0, "linear"),
        ("", float("nan"), "linear"),
    ],
)
def test_a_dead_output_needs_another_activation_whatever_the_start(loss: str, least: float, end: str) -> None:
    spec = replaced(replaced(SPEC, "out", activation="relu"), "a", activation="tanh")
    spec = dataclasses.replace(spec, loss=loss)
    records = [
        record(
            spec,
            s,
            silent={"out": range(10)} if s else None,
            totals={"target_min": least},
            values={"a": {"mean": 99.0}},
        )
        for s in range(20)
    ]
    found = still_open(judge(spec, records, ["dead_units", "poor_init"])[-1])
    (output,) = (one for one in found if one.rule == "dead_units")
    assert output.advice.startswith(f"End out in {end} instead of relu")
    assert (output.sign, output.root) == ("dead_output", None)


def test_units_dead_from_the_start_get_different_advice() -> None:
    (born,), (died,) = dead(SPEC, "b", 10, since=0), dead(SPEC, "b", 10)
    assert "10 were never active" in born.message
    assert "initializers" in born.advice
    assert "learning rate" in died.advice


@pytest.mark.parametrize(
    ("units", "loss", "severity"),
    [(12, 0.5, Severity.NOTE), (12, 0.9, Severity.WARNING), (16, 0.5, Severity.PROBLEM)],
)
def test_a_network_that_learns_can_spare_half_of_a_layer_but_not_most(
    units: int, loss: float, severity: Severity
) -> None:
    spec = chain("a", "b", "out", units=20)
    records = [
        record(spec, s, silent={"b": range(units)} if s > 3 else None, loss=1.0 if s < 4 else loss) for s in range(24)
    ]
    (finding,) = still_open(judge(spec, records, RULE)[-1])
    assert finding.severity is severity


def start(spec: RunSpec, zeros: float, bias: float) -> Sequence[StepRecord]:
    """Units of layer b that die soon; the share of its zeros before the first step and the norm of its bias."""
    weights = np.zeros((2, len(WEIGHT_COLUMNS)), np.float32)
    weights[:, WEIGHT_COLUMNS.index("weight_norm")] = 3.0, bias
    plain = [
        record(spec, s, silent={"b": range(10)} if s > 1 else None, values={"b": {"zero_fraction": zeros}})
        for s in range(20)
    ]
    return [dataclasses.replace(one, weights=weights) for one in plain]


@pytest.mark.parametrize(
    ("zeros", "bias", "advice"),
    [
        (0.5, 0.0, "The units died during training. Lower the learning rate"),
        (0.98, 0.0, "The units hardly fired at the start, and died soon. Check the bias and kernel initializers of b"),
        (0.98, 30.0, "The units hardly fired at the start, and died soon. Start the bias of b at zero: its values are"),
    ],
)
def test_units_that_hardly_fired_at_the_start_died_of_it(zeros: float, bias: float, advice: str) -> None:
    spec = dataclasses.replace(SPEC, weights=(WeightSpec("b/kernel", "b", (10, 10)), WeightSpec("b/bias", "b", (10,))))
    (finding,) = still_open(judge(spec, start(spec, zeros, bias), ["dead_units"])[-1])
    assert finding.advice.startswith(advice)


@pytest.mark.parametrize(
    ("steps", "batch"),
    [(8, 1000), (19, 10)],
    ids=["too few checks", "too few samples"],
)
def test_a_short_silence_is_not_death(steps: int, batch: int) -> None:
    assert dead(SPEC, "b", 10, steps=steps, batch=batch) == []


def test_a_silence_must_last_a_fifth_of_the_training() -> None:
    assert dead(SPEC, "b", 10, since=90, steps=100) == []
    assert dead(SPEC, "b", 10, since=79, steps=100) != []


def test_recovered_units_close_the_finding() -> None:
    records = [record(SPEC, step, silent={"b": range(8)} if 4 <= step < 15 else None) for step in range(20)]
    judgement = judge(SPEC, records, RULE)[-1]
    assert still_open(judgement) == []
    assert judgement.findings[0].closed_step == 15


@pytest.mark.parametrize("activation", ["leaky_relu", "gelu", "sigmoid", "linear", None])
def test_other_activations_are_not_judged(activation: str | None) -> None:
    spec = replaced(SPEC, "b", activation=activation)
    judgement = judge(spec, [record(spec, step, silent={"b": range(10)}) for step in range(20)], RULE)[-1]
    assert outcome(spec, judgement, "b", 0) == Outcome.NOT_APPLICABLE
    assert judgement.findings == ()


def test_a_head_is_sick_only_if_all_units_are_dead() -> None:
    spec = replaced(SPEC, "out", activation="relu")
    assert dead(spec, "out", 9) == []
    assert [finding.severity for finding in dead(spec, "out", 10)] == [Severity.PROBLEM]


def test_a_small_layer_is_sick_only_if_all_units_are_dead() -> None:
    spec = chain("a", "b", "out", units=3)
    assert dead(spec, "b", 2) == []
    assert [finding.severity for finding in dead(spec, "b", 3)] == [Severity.PROBLEM]


def test_not_enough_data_is_not_health() -> None:
    first, *_, last = judge(SPEC, [record(SPEC, step) for step in range(10)], RULE)
    assert outcome(SPEC, first, "b", 0) == Outcome.INSUFFICIENT_DATA
    assert outcome(SPEC, last, "b", 0) == Outcome.OK


def test_units_that_are_never_measured_are_never_healthy() -> None:
    records = [record(SPEC, step) for step in range(20)]
    for entry in records:
        entry.unit_activity[:] = np.nan
    judgement = judge(SPEC, records, RULE)[-1]
    assert outcome(SPEC, judgement, "b", 0) == Outcome.INSUFFICIENT_DATA


def test_a_share_around_the_threshold_is_one_finding() -> None:
    spec = chain("a", "b", "out", units=100)
    records = [record(spec, step, silent={"b": range(52 if step < 20 or step % 8 else 45)}) for step in range(60)]
    changes = [finding for judgement in judge(spec, records, RULE) for finding in judgement.changes]
    assert [finding.severity for finding in changes] == [Severity.NOTE, Severity.WARNING]
    assert len({finding.id for finding in changes}) == 1


def test_a_part_of_a_layer_counts_as_lost_only_after_the_first_steps() -> None:
    early = [record(SPEC, step, silent={"b": range(8)}) for step in range(30)]
    severities = [still_open(entry)[0].severity for entry in judge(SPEC, early, RULE)[5:]]
    assert severities == [Severity.NOTE] * 14 + [Severity.PROBLEM] * 11
    whole = [record(SPEC, step, silent={"b": range(10)}) for step in range(6)]
    assert still_open(judge(SPEC, whole, RULE)[-1])[0].severity is Severity.PROBLEM


def test_thresholds_are_arguments() -> None:
    records = [record(SPEC, step, silent={"b": [0, 1]}) for step in range(20)]
    (finding,) = judge(SPEC, records, {"dead_units": {"problem_share": 0.2}})[-1].findings
    assert (finding.severity, finding.threshold) == (Severity.PROBLEM, 0.2)
