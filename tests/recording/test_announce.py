"""What a training's log says of findings: each once, roots first; and what is done about problems."""

from __future__ import annotations

import logging

import pytest

from tb_activations.recording.announce import Announcer, LayerHealthError, OnProblem
from tb_activations.records.finding import Finding
from tests.health.trainings import chain, judge, record

SPEC = chain("first", "second", "third", "head")
ALIVE, DEAD = range(0), range(10)


def changes(*silent: tuple[str, range]) -> list[tuple[Finding, ...]]:
    """What `judge` tells, observed step by observed step, when ten steps each have these silent units of a layer."""
    records = [
        record(SPEC, step, silent={layer: list(units)})
        for step, (layer, units) in enumerate(part for part in silent for _ in range(10))
    ]
    return [judgement.changes for judgement in judge(SPEC, records, ["dead_units"])]


def poisoned() -> list[tuple[Finding, ...]]:
    figures = {layer.name: {"nonfinite": 5.0, "gradient_nonfinite": 5.0} for layer in SPEC.layers[1:]}
    records = [record(SPEC, step, figures=figures if step > 2 else None) for step in range(40)]
    return [judgement.changes for judgement in judge(SPEC, records, ["nonfinite"])]


def said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [entry.message for entry in caplog.records if entry.levelno == level]


def announce(told: list[tuple[Finding, ...]], on_problem: OnProblem = "warn") -> int:
    """How often it asked to stop."""
    stops: list[None] = []
    announcer = Announcer(on_problem, lambda: stops.append(None))
    for each in told:
        announcer.tell(each)
    return len(stops)


def test_a_finding_that_lasts_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tb_activations"):
        announce(changes(("first", DEAD), ("first", DEAD), ("first", DEAD)))
    (line,) = said(caplog, logging.WARNING)
    assert line.startswith("Layer health, problem: 100% of the units of first (10 of 10)")
    assert line.endswith("since step 0; 10 were never active.")
    assert said(caplog, logging.INFO) == []


def test_a_finding_that_grows_worse_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    announce(changes(("first", range(5)), ("first", range(5)), ("first", DEAD)))
    assert [line.split(":")[0] for line in said(caplog, logging.WARNING)] == [
        "Layer health, warning",
        "Layer health, problem",
    ]


def test_a_finding_that_comes_and_goes_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    told = changes(("first", DEAD))
    (opened,) = [finding for each in told for finding in each]
    with caplog.at_level(logging.INFO, "tb_activations"):
        announce([(opened,), (), (opened,), (opened,)])
    assert len(said(caplog, logging.WARNING)) == 1


def test_what_is_over_is_told_below_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tb_activations"):
        announce(changes(("first", DEAD), ("first", ALIVE)))
    assert len(said(caplog, logging.WARNING)) == 1
    assert said(caplog, logging.INFO)[-1].startswith("Layer health: over at step 10: ")


def test_notes_are_told_below_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tb_activations"):
        announce(changes(("first", range(2))))
    assert said(caplog, logging.WARNING) == []
    (line,) = said(caplog, logging.INFO)
    assert line.startswith("Layer health, note: 20% of the units of first")


def test_a_root_is_the_one_warning_and_counts_what_follows(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tb_activations"):
        announce(poisoned())
    (line,) = said(caplog, logging.WARNING)
    assert line.startswith("Layer health, problem: 5 values of second are NaN")
    assert line.endswith("first seen at step 3. 2 more findings follow from it.")
    followers = said(caplog, logging.INFO)
    assert len(followers) == 2
    assert all(line.startswith("Layer health, problem, follows from another: ") for line in followers)


def test_stop_is_asked_for_by_problems_only() -> None:
    assert announce(changes(("first", range(5))), "stop") == 0
    assert announce(changes(("first", DEAD)), "stop") == 1
    assert announce(changes(("first", DEAD)), "warn") == 0


def test_raise_names_the_root() -> None:
    with pytest.raises(LayerHealthError, match="values of second") as raised:
        announce(poisoned(), "raise")
    assert raised.value.finding.root is None
    announce(changes(("first", range(5))), "raise")


def test_a_function_gets_every_problem_once_and_the_root_first() -> None:
    seen: list[Finding] = []
    announce(poisoned(), seen.append)
    assert [finding.layer for finding in seen] == ["second", "third", "head"]
