from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from tb_activations.health.diagnosis import Judgement
from tb_activations.records.finding import Outcome, Severity
from tests.health.trainings import chain, judge, outcome, record, still_open

SPEC = chain("a", "out", units=20, activation="gelu")
RULE = ["dormant_units"]


def with_peaks(peaks: Sequence[float], steps: int = 12, batch: int = 100) -> Judgement:
    own = np.concatenate([np.asarray(peaks, np.float32), np.ones(20, np.float32)])
    records = [dataclasses.replace(record(SPEC, step, batch=batch), unit_peak=own) for step in range(steps)]
    return judge(SPEC, records, RULE)[-1]


@pytest.mark.parametrize(
    ("dormant", "severity"),
    [(3, None), (6, Severity.NOTE), (10, Severity.WARNING), (17, Severity.PROBLEM)],
)
def test_the_share_of_faint_units_decides(dormant: int, severity: Severity | None) -> None:
    findings = still_open(with_peaks([0.001] * dormant + [2.0] * (20 - dormant)))
    assert [finding.severity for finding in findings] == ([severity] if severity else [])
    assert [finding.units for finding in findings] == ([tuple(range(dormant))] if severity else [])


def test_one_huge_unit_does_not_make_the_others_dormant() -> None:
    assert still_open(with_peaks([1e4] + [2.0] * 19)) == []


def test_a_router_that_chooses_one_of_its_experts_leaves_the_others_dormant() -> None:
    router = chain("a", "out", units=20, activation="softmax")
    peaks = np.concatenate([np.array([1.0] + [1e-4] * 19, np.float32), np.ones(20, np.float32)])
    records = [dataclasses.replace(record(router, step), unit_peak=peaks) for step in range(12)]
    (found,) = still_open(judge(router, records, RULE)[-1])
    assert (found.layer, found.severity, found.unit_count) == ("a", Severity.PROBLEM, 19)
    assert "get no weight from any sample" in found.advice
    # Without weights of its own, it shares among positions or handed scores.
    layers = tuple(dataclasses.replace(layer, parameters=0) for layer in router.layers)
    positions = dataclasses.replace(router, layers=layers)
    assert outcome(positions, judge(positions, records, RULE)[-1], "a", 0) == Outcome.NOT_APPLICABLE


def test_a_small_layer_is_never_dormant() -> None:
    assert still_open(with_peaks([1e-4] * 20)) == []


def test_few_samples_are_not_enough() -> None:
    assert outcome(SPEC, with_peaks([0.001] * 12 + [2.0] * 8, batch=4), "a", 0) == Outcome.INSUFFICIENT_DATA


def test_heads_and_rectifiers_are_not_judged() -> None:
    assert outcome(SPEC, with_peaks([1.0] * 20), "out", 0) == Outcome.NOT_APPLICABLE
    relu = chain("a", "out")
    judgement = judge(relu, [record(relu, step) for step in range(12)], RULE)[-1]
    assert outcome(relu, judgement, "a", 0) == Outcome.NOT_APPLICABLE
