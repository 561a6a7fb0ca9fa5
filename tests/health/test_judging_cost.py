"""A judgement does no work that nobody asks for, and what it does not repeat is what repeating it would give."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import numpy as np
import pytest

from tb_activations.health.diagnosis import Diagnosis
from tb_activations.health.graph import layer_graph
from tb_activations.health.roots import name_roots, worst_first
from tb_activations.health.rules import deaths
from tb_activations.health.rules.base import Explanation
from tests.health.trainings import chain, random_records, record

SPEC = chain(*"abcdef")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages that rules write."""
    messages: list[str] = []
    original = Explanation.__new__

    def counted(cls: type[Explanation], message: str, *more: Any, **named: Any) -> Any:
        messages.append(message)
        return original(cls, message, *more, **named)

    monkeypatch.setattr(Explanation, "__new__", counted)
    return messages


def test_findings_are_put_into_words_when_they_are_read(told: list[str]) -> None:
    diagnosis = Diagnosis(SPEC)
    for step in range(40):
        judgement = diagnosis.judge(record(SPEC, step, silent={name: range(6) for name in "abc"}))
    told.clear()
    judgement = diagnosis.judge(record(SPEC, 40, silent={name: range(6) for name in "abc"}))
    whole = len(told)
    assert [finding.layer for finding in judgement.findings if finding.rule == "dead_units"] == ["a", "b", "c"]
    assert len(told) >= whole + 3
    assert not any("output zero" in message for message in told[:whole])


def test_words_describe_the_step_that_was_judged_however_late_they_are_read() -> None:
    early, late = Diagnosis(SPEC), Diagnosis(SPEC)
    records = random_records(SPEC, 60, np.random.default_rng(3))
    kept = [late.judge(entry) for entry in records]
    assert [early.judge(entry).findings for entry in records] == [judgement.findings for judgement in kept]


def test_a_rule_that_cannot_describe_its_finding_spoils_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(deaths, "_advice", lambda *given, **named: 1 / 0)
    diagnosis = Diagnosis(SPEC)
    quiet = {"b": {"weight_gradient_norm": 0.0}}
    for step in range(40):
        judgement = diagnosis.judge(record(SPEC, step, silent={"a": range(6)}, values=quiet))
    with caplog.at_level(logging.WARNING):
        by_rule = {finding.rule: finding for finding in judgement.findings}
    assert by_rule["dead_units"].message == "dead_units in a: not described."
    assert "exactly zero" in by_rule["no_gradient"].message
    assert "dead_units could not describe" in caplog.text


@pytest.mark.parametrize("seed", range(3))
def test_kept_roots_are_those_found_again(seed: int) -> None:
    diagnosis, graph = Diagnosis(SPEC), layer_graph(SPEC.layers)
    for entry in random_records(SPEC, 80, np.random.default_rng(seed)):
        findings = diagnosis.judge(entry).findings
        bare = [dataclasses.replace(finding, root=None) for finding in findings]
        assert findings == worst_first(name_roots(bare, SPEC, graph), SPEC)
