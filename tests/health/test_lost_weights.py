"""Once weights are NaN, outputs of zero prove nothing: on some processors ReLU turns NaN into 0."""

from __future__ import annotations

import pytest

from tb_activations.records.finding import Outcome
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, judge, record

SPEC = chain("hidden", "head")


@pytest.mark.parametrize("rule", ["dead_units", "collapsed_layer"])
@pytest.mark.parametrize("is_lost", [False, True])
def test_zeros_after_nan_weights_are_no_finding(rule: str, is_lost: bool) -> None:
    dead = {"sample_std": 0.0, "mean": 0.0, "std": 0.0, "weight_nonfinite": 3.0 if is_lost else 0.0}
    records = [
        record(SPEC, step, values={"hidden": dead}, silent={"hidden": list(range(10))}) for step in range(0, 300, 10)
    ]
    *_, last = judge(SPEC, records, [rule])
    assert bool(last.findings) != is_lost
    assert (last.outcomes[0, 0] == Outcome.INSUFFICIENT_DATA) == is_lost


@pytest.mark.parametrize("rule", ["dead_units", "collapsed_layer"])
def test_what_is_open_stays_as_it_was_once_weights_are_nan(rule: str) -> None:
    def at(step: int) -> StepRecord:
        is_lost = step >= 200
        zeros = {"sample_std": 0.0, "mean": 0.0, "std": 0.0, "weight_nonfinite": 3.0}
        values = zeros if is_lost else {"sample_std": 5e-5}
        return record(SPEC, step, values={"hidden": values}, silent={"hidden": range(10 if is_lost else 3)})

    known = judge(SPEC, [at(step) for step in range(0, 500, 10)], [rule])
    (before,), (after,) = known[19].findings, known[-1].findings
    assert after.closed_step is None
    assert (after.severity, after.value, after.message) == (before.severity, before.value, before.message)
