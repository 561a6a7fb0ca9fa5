"""What a person muted in the tab does not count, and is not hidden."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tb_activations.events.mutes_file import NAME, write_mutes
from tb_activations.records.finding import Severity
from tb_activations.records.mute import Mute, mutes_of
from tests.cli.conftest import Call

ROOT_CAUSE = Mute("dead_units", "dense_2", Severity.PROBLEM, "sparse on \x1b[31mpurpose", 12.0)
CONSEQUENCES = [
    Mute("vanishing_gradient", layer, Severity.WARNING, "follows", 12.0) for layer in ("dense_0", "dense_1")
]


@pytest.fixture
def muted(sick: Path) -> Path:
    """A run whose findings are all muted."""
    write_mutes(sick, mutes_of([ROOT_CAUSE, *CONSEQUENCES]))
    return sick


def test_check_counts_what_is_muted_and_prints_it_with_its_note(muted: Path, call: Call) -> None:
    answer = call("check", muted)
    first, *lines = answer.out.splitlines()
    assert (answer.status, answer.err) == (0, "")
    assert first.startswith("✓ sick: no warning or problem, 3 muted. Rules: 3 checked")
    assert lines[0].startswith("  muted problem, dead_units: dense_2: 4 of 4 units")
    assert lines[0].endswith("Note: sparse on \\x1b[31mpurpose")
    assert len(lines) == 3
    assert call("check", muted, "--fail-on", "problem").out.startswith("✓ sick: no problem, 1 muted.")


def test_check_fails_for_what_is_left(sick: Path, call: Call) -> None:
    write_mutes(sick, mutes_of([ROOT_CAUSE]))
    answer = call("check", sick)
    assert answer.status == 1
    assert answer.out.splitlines()[0] == "◆ sick: 1 cause, 1 more finding, 1 muted"
    # Without the root, each of them stands for itself.
    assert "follows from" not in answer.out


def test_a_finding_that_became_worse_counts_again(sick: Path, call: Call) -> None:
    write_mutes(sick, mutes_of([Mute("dead_units", "dense_2", Severity.WARNING, "", 12.0)]))
    assert call("check", sick, "--only", "dead_units").status == 1


def test_damaged_mutes_mute_nothing_and_are_reported(sick: Path, call: Call) -> None:
    (sick / NAME).write_text("root:x:0")
    assert call("check", sick).status == 1
    report = call("report", sick)
    assert f"Data issue: nothing is muted, because the mutes cannot be read: {NAME} is not JSON" in report.out
    assert "root:x" not in report.out


def test_reports_show_what_is_muted_apart(muted: Path, call: Call) -> None:
    # Long lines are wrapped.
    text = " ".join(call("report", muted).out.split())
    assert "No problems found in 6 layers; 3 rules checked. 3 findings muted." in text
    assert "3 muted findings" in text
    assert "Note: sparse on \\x1b[31mpurpose" in text
    page = call("report", muted, "--format", "html").out
    assert "<h3>Muted findings</h3>" in page
    assert "<h3>Findings</h3>" not in page


def test_json_has_the_mute_of_each_finding(muted: Path, call: Call) -> None:
    (run,) = json.loads(call("report", muted, "--format", "json").out)["runs"]
    assert (run["verdict"]["severity"], run["verdict"]["muted"]) == (None, 3)
    assert run["findings"][0]["mute"] == {"note": ROOT_CAUSE.note, "time": 12.0, "severity": "problem"}


def test_judging_again_honors_mutes(muted: Path, tmp_path: Path, call: Call) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text('{"dead_units": {}}')
    answer = call("check", muted, "--thresholds", rules)
    assert answer.status == 0
    assert "1 muted" in answer.out
