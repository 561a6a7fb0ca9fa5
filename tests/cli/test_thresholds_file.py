"""`--thresholds FILE`: what is accepted, and the errors for the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Call


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rules.json", '{"dead_units": {"warning_share": 0.25}, "nonfinite": {}}'),
        ("rules.toml", "[dead_units]\nwarning_share = 0.25\n[nonfinite]\n"),
    ],
)
def test_thresholds_are_used_and_reported(name: str, content: str, sick: Path, tmp_path: Path, call: Call) -> None:
    (tmp_path / name).write_text(content)
    run = json.loads(call("report", sick, "--thresholds", tmp_path / name, "--format", "json").out)["runs"][0]
    assert run["rejudged"] is True
    assert [rule["id"] for rule in run["rules"]] == ["dead_units", "nonfinite"]
    assert run["thresholds"]["dead_units"]["warning_share"] == 0.25
    assert {finding["rule"] for finding in run["findings"]} == {"dead_units"}
    assert list(run["layers"][0]["outcomes"]) == ["dead_units", "nonfinite"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("rules.json", "{", "Expecting property name"),
        ("rules.json", "[" * 100_000, "cannot read thresholds"),
        ("rules.json", "null", "at least one rule"),
        ("rules.json", "{}", "at least one rule"),
        ("rules.json", '"dead_units"', "at least one rule"),
        ("rules.json", '{"sloth": {}}', "Allowed: the ids dead_units"),
        ("rules.json", '{"dead_units": {"sloth": 1}}', "the thresholds note_share"),
        ("rules.json", '{"dead_units": {"note_share": NaN}}', "a number from 0 to 1"),
        ("rules.json", '{"dead_units": {"note_share": 2}}', "a number from 0 to 1"),
        ("rules.json", '{"dead_units": 1}', "a mapping from threshold to number"),
        ("rules.json", '["sloth"]', "Allowed: the ids"),
        ("rules.json", "[[]]", "a list must contain rule ids"),
        ("rules.toml", "dead_units", "Expected"),
        ("rules.yaml", "dead_units: {}", 'must end in ".json" or ".toml"'),
    ],
)
@pytest.mark.parametrize("command", ["report", "check"])
def test_anything_else_gives_two_and_names_itself(
    command: str, name: str, content: str, says: str, sick: Path, tmp_path: Path, call: Call
) -> None:
    (tmp_path / name).write_text(content)
    answer = call(command, sick, "--thresholds", tmp_path / name)
    assert (answer.status, answer.out) == (2, "")
    assert "argument --thresholds" in answer.err
    assert name in answer.err
    assert says in answer.err


def test_a_file_that_is_not_there_or_not_text(sick: Path, tmp_path: Path, call: Call) -> None:
    answer = call("report", sick, "--thresholds", tmp_path / "nothing.json")
    assert answer.status == 2
    assert "No such file" in answer.err
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    assert call("report", sick, "--thresholds", tmp_path / "bytes.toml").status == 2
