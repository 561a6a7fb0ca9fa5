"""A training's log has each finding once, roots first; and the actions on problems."""

from __future__ import annotations

import dataclasses
import logging

import pytest

from tb_activations.health.verdict import Verdict
from tb_activations.recording.announce import MOST_OF_RULE, Announcer, LayerHealthError, OnProblem
from tb_activations.records.finding import Finding, Severity
from tb_activations.records.specs import RunSpec
from tests.health.trainings import chain, judge, record

SPEC = chain("first", "second", "third", "head")
ALIVE, DEAD = range(0), range(10)

WIDE = chain("first", "second", "third", "head", units=20)
HALF = range(10)
"""Units of a layer of `WIDE` whose death is a warning."""


def changes(*silent: tuple[str, range], spec: RunSpec = SPEC) -> list[tuple[Finding, ...]]:
    """The judgement of each observed step, if these units of a layer are silent for ten steps each."""
    records = [
        record(spec, step, silent={layer: list(units)})
        for step, (layer, units) in enumerate(part for part in silent for _ in range(10))
    ]
    return [judgement.changes for judgement in judge(spec, records, ["dead_units"])]


def poisoned() -> list[tuple[Finding, ...]]:
    values = {layer.name: {"nonfinite": 5.0, "gradient_nonfinite": 5.0} for layer in SPEC.layers[1:]}
    records = [record(SPEC, step, values=values if step > 2 else None) for step in range(40)]
    return [judgement.changes for judgement in judge(SPEC, records, ["nonfinite"])]


def logged(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [entry.message for entry in caplog.records if entry.levelno == level]


def announce(told: list[tuple[Finding, ...]], on_problem: OnProblem = "warn") -> int:
    """Counts requests to stop."""
    stops: list[None] = []
    announcer = Announcer(on_problem, lambda: stops.append(None))
    for each in told:
        announcer.announce(each)
    return len(stops)


def test_a_lasting_finding_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tb_activations"):
        announce(changes(("first", DEAD), ("first", DEAD), ("first", DEAD)))
    (line,) = logged(caplog, logging.WARNING)
    assert line.startswith("Layer health, problem: 100% of the units of first (10 of 10)")
    assert line.endswith("since step 0; 10 were never active.")
    assert logged(caplog, logging.INFO) == []


def test_a_finding_that_gets_worse_is_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    announce(changes(("first", HALF), ("first", HALF), ("first", range(20)), spec=WIDE))
    assert [line.split(":")[0] for line in logged(caplog, logging.WARNING)] == [
        "Layer health, warning",
        "Layer health, problem",
    ]


def test_a_finding_that_reopens_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    told = changes(("first", DEAD))
    (opened,) = [finding for each in told for finding in each]
    with caplog.at_level(logging.INFO, "tb_activations"):
        announce([(opened,), (), (opened,), (opened,)])
    assert len(logged(caplog, logging.WARNING)) == 1


def test_a_rule_warns_of_a_few_layers_and_says_that_there_are_more(caplog: pytest.LogCaptureFixture) -> None:
    (opened,) = [finding for each in changes(("first", DEAD)) for finding in each]
    layers = [dataclasses.replace(opened, layer=f"layer_{number}") for number in range(MOST_OF_RULE + 5)]
    acted: list[str] = []
    announcer = Announcer(lambda finding: acted.append(finding.layer), lambda: None)
    with caplog.at_level(logging.INFO, "tb_activations"):
        announcer.announce(layers[:-1])
        announcer.announce(layers[-1:])
    warned, told = logged(caplog, logging.WARNING), logged(caplog, logging.INFO)
    assert len(warned) == MOST_OF_RULE + 1
    assert warned[-1].startswith('Layer health: there are more findings of the rule "Dead units".')
    assert len(told) == 5
    assert acted == [finding.layer for finding in layers]


def test_a_new_run_may_warn_again(caplog: pytest.LogCaptureFixture) -> None:
    (opened,) = [finding for each in changes(("first", DEAD)) for finding in each]
    announcer = Announcer("warn", lambda: None)
    for _ in range(2):
        announcer.announce([dataclasses.replace(opened, layer=f"layer_{number}") for number in range(MOST_OF_RULE)])
        announcer.forget()
    assert len(logged(caplog, logging.WARNING)) == 2 * MOST_OF_RULE


def test_a_resolved_finding_is_logged_as_info(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tb_activations"):
        announce(changes(("first", DEAD), ("first", ALIVE)))
    assert len(logged(caplog, logging.WARNING)) == 1
    assert logged(caplog, logging.INFO)[-1].startswith("Layer health: resolved at step 10: ")


def test_notes_are_logged_as_info(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tb_activations"):
        announce(changes(("first", range(2))))
    assert logged(caplog, logging.WARNING) == []
    (line,) = logged(caplog, logging.INFO)
    assert line.startswith("Layer health, note: 20% of the units of first")


def test_a_root_is_the_only_warning_and_counts_its_consequences(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tb_activations"):
        announce(poisoned())
    (line,) = logged(caplog, logging.WARNING)
    assert line.startswith("Layer health, problem: 5 values of second are NaN")
    assert line.endswith("first seen at step 3. 2 more findings follow from it.")
    followers = logged(caplog, logging.INFO)
    assert len(followers) == 2
    assert all(line.startswith("Layer health, problem, follows from another: ") for line in followers)


def test_only_problems_request_a_stop() -> None:
    assert announce(changes(("first", HALF), spec=WIDE), "stop") == 0
    assert announce(changes(("first", DEAD)), "stop") == 1
    assert announce(changes(("first", DEAD)), "warn") == 0


def test_raise_names_the_root() -> None:
    with pytest.raises(LayerHealthError, match="values of second") as raised:
        announce(poisoned(), "raise")
    assert raised.value.finding.root is None
    announce(changes(("first", HALF), spec=WIDE), "raise")


def test_a_function_receives_every_problem_once_and_the_root_first() -> None:
    seen: list[Finding] = []
    announce(poisoned(), seen.append)
    assert [finding.layer for finding in seen] == ["second", "third", "head"]


def verdict_of(severity: Severity | None) -> Verdict:
    return Verdict(severity, "first: 100% of units dead since step 0.", "first", 1, 4, 1, 0)


@pytest.mark.parametrize("severity", [None, *Severity])
def test_the_verdict_is_one_line_with_the_command(severity: Severity | None, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tb_activations"):
        Announcer("warn", lambda: None).conclude(verdict_of(severity), "logs/run 1; true")
    level = logging.WARNING if severity in (Severity.WARNING, Severity.PROBLEM) else logging.INFO
    assert logged(caplog, level) == [
        "Layer health, verdict: first: 100% of units dead since step 0. "
        "Open it with: tensorboard --logdir 'logs/run 1; true'"
    ]
    assert len(caplog.records) == 1


def test_the_verdict_of_the_training_before_is_not_pressing_again(caplog: pytest.LogCaptureFixture) -> None:
    announcer = Announcer("warn", lambda: None)
    with caplog.at_level(logging.WARNING, "tb_activations"):
        for _ in range(3):
            announcer.conclude(verdict_of(Severity.PROBLEM), "logs/run")
        announcer.forget()
        announcer.conclude(verdict_of(Severity.PROBLEM), "logs/run-2")
    assert [text.rpartition("/")[2] for text in caplog.messages] == ["run", "run-2"]
