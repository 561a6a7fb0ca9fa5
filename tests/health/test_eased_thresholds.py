"""A finding states the threshold that opened it, and what its value must reach for it to close."""

from __future__ import annotations

import pytest

from tb_activations.records.finding import Finding
from tests.health.trainings import chain, judge, record

SPEC = chain("a", "b", "out", activation="tanh")
TURN, STEPS = 40, 110
LOUD = {"weight_gradient_norm": 1.0}
"""The layer nearest the loss, compared with which another layer's gradient may vanish."""


def course(rule: str, column: str, first: float, then: float) -> list[Finding]:
    """The open finding of layer b after every step; its value is `first`, and `then` from `TURN` on."""
    records = [
        record(SPEC, step, values={"b": {column: first if step < TURN else then}, "out": LOUD}) for step in range(STEPS)
    ]
    judgements = judge(SPEC, records, [rule])
    return [finding for entry in judgements for finding in entry.findings if finding.closed_step is None]


@pytest.mark.parametrize(
    ("rule", "column", "first", "then", "is_above"),
    [
        ("exploding_gradient", "weight_gradient_norm", 40.0, 12.0, True),
        ("stagnant_weights", "update_ratio", 0.4, 0.07, True),
        ("stagnant_weights", "update_ratio", 1e-7, 1.5e-6, False),
        ("collapsed_layer", "sample_std", 1e-4, 1.7e-3, False),
        ("saturated_units", "saturated_fraction", 0.5, 0.4, True),
        ("vanishing_gradient", "weight_gradient_norm", 1e-4, 3e-3, False),
    ],
)
def test_the_threshold_stays_and_the_closing_one_keeps_it_open(
    rule: str, column: str, first: float, then: float, is_above: bool
) -> None:
    findings = course(rule, column, first, then)
    assert findings[-1].last_step == STEPS - 1
    by_severity = {(finding.severity, finding.threshold, finding.closing_threshold) for finding in findings}
    assert len(by_severity) == len({finding.severity for finding in findings})
    sign = 1 if is_above else -1
    for finding in findings:
        assert sign * finding.value >= sign * finding.closing_threshold, finding.message
    opened, last = findings[0], findings[-1]
    assert sign * opened.value >= sign * opened.threshold
    assert "closes at" not in opened.message
    assert sign * last.value < sign * last.threshold
    assert "closes at" in last.message
