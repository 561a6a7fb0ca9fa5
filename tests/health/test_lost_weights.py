"""Once weights are NaN, outputs of zero prove nothing: on some processors ReLU turns NaN into 0."""

from __future__ import annotations

import pytest

from tb_activations.records.finding import Outcome
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
