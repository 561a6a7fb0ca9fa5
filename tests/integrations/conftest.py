"""Findings of a sick network, as a training hands them over."""

from __future__ import annotations

import pytest

from tb_activations.records.finding import Finding, Severity
from tests.health.trainings import chain, judge, record


@pytest.fixture(scope="session")
def findings() -> tuple[Finding, ...]:
    """Of the rule for NaN: a root in `second`, and what follows from it."""
    spec = chain("first", "second", "third", "head")
    values = {layer.name: {"nonfinite": 5.0, "gradient_nonfinite": 5.0} for layer in spec.layers[1:]}
    records = [record(spec, step, values=values if step > 2 else None) for step in range(40)]
    found = [one for judgement in judge(spec, records, ["nonfinite"]) for one in judgement.changes]
    assert [one.severity for one in found] == [Severity.PROBLEM] * 3
    return tuple(found)
