"""`tb-activations check --format github|junit|sarif`: what the services that read them need."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest

from tests.cli.conftest import PLAN, Call
from tests.synthetic import write_run

MESSAGE = "dense_2: 4 of 4 units were active on no sample since step 120. (2 more findings of this cause)"


@pytest.mark.parametrize("form", ["text", "github", "junit", "sarif"])
def test_the_exit_status_does_not_depend_on_the_format(
    form: str, sick: Path, healthy: Path, newer: Path, call: Call
) -> None:
    assert [call("check", run, "--format", form).status for run in (healthy, sick, newer)] == [0, 1, 2]
    assert "Cannot judge: newer: the run has schema version 99" in call("check", newer, "--format", form).err


def test_another_format_gives_two_and_names_the_formats(sick: Path, call: Call) -> None:
    answer = call("check", sick, "--format", "xml")
    assert answer.status == 2
    assert all(form in answer.err for form in ("text", "github", "junit", "sarif"))


def test_github_gets_one_annotation_per_cause(
    sick: Path, healthy: Path, newer: Path, tmp_path: Path, call: Call
) -> None:
    healthy_line, newer_line, sick_line = call("check", tmp_path, "--format", "github").out.splitlines()
    assert healthy_line.startswith("✓ healthy: no warning or problem.")
    assert newer_line.startswith("::error title=newer%3A cannot be judged::the run has schema version 99")
    assert sick_line == (
        f"::error title=sick%3A Dead units in dense_2::{MESSAGE}%0A"
        "Try: Lower the learning rate, or use leaky_relu in this layer."
    )
    warning = call("check", sick, "--format", "github", "--only", "vanishing_gradient").out
    assert warning.startswith("::warning title=sick%3A Vanishing gradient in dense_0::")


def test_github_commands_cannot_be_injected(tmp_path: Path, call: Call) -> None:
    write_run(tmp_path / "a,b%0A\n::error::c", plan=PLAN)
    lines = call("check", tmp_path, "--format", "github").out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("::error title=a%2Cb%250A\\n%3A%3Aerror%3A%3Ac%3A Dead units in dense_2::")


def test_junit_has_a_test_per_cause_and_rule(
    sick: Path, healthy: Path, newer: Path, tmp_path: Path, call: Call
) -> None:
    document = xml.fromstring(call("check", tmp_path, "--format", "junit").out)
    assert document.attrib | {"name": ""} == {"name": "", "tests": "6", "failures": "1", "errors": "1", "skipped": "0"}
    suites = {suite.get("name"): suite for suite in document}
    assert [test.get("name") for test in suites["healthy"]] == ["Dead units", "Vanishing gradient", "NaN or infinity"]
    # The vanishing gradient follows from the dead units.
    assert [test.get("name") for test in suites["sick"]] == ["Dead units: dense_2", "NaN or infinity"]
    (failure,) = suites["sick"].iter("failure")
    assert (failure.get("type"), failure.get("message")) == ("problem", MESSAGE)
    assert "Try: Lower the learning rate" in (failure.text or "")
    (error,) = suites["newer"].iter("error")
    assert "schema version 99" in (error.get("message") or "")


def test_junit_skips_rules_that_wait(tmp_path: Path, call: Call) -> None:
    write_run(tmp_path, plan=PLAN, steps=2, sick=False)
    document = xml.fromstring(call("check", tmp_path, "--format", "junit").out)
    assert [skipped.get("message") for skipped in document.iter("skipped")] == ["waiting for more steps"] * 2


def test_junit_is_valid_for_any_name(hostile: Path, call: Call) -> None:
    document = xml.fromstring(call("check", hostile, "--format", "junit").out)
    assert any("<" in (test.get("name") or "") or "/" in (test.get("name") or "") for test in document.iter("testcase"))


def test_sarif_has_a_result_per_cause(sick: Path, healthy: Path, newer: Path, tmp_path: Path, call: Call) -> None:
    document = json.loads(call("check", tmp_path, "--format", "sarif").out)
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    (result,) = run["results"]
    assert (result["ruleId"], result["level"]) == ("dead_units", "error")
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "dead_units"
    assert result["message"]["text"].startswith(f"sick: {MESSAGE} Try: ")
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == f"{tmp_path}/sick"
    assert location["logicalLocations"] == [{"name": "dense_2", "kind": "module"}]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "schema version 99" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_sarif_gives_the_same_fault_the_same_fingerprint(tmp_path: Path, call: Call) -> None:
    prints = []
    for part, steps in (("one", 40), ("two", 50)):
        write_run(tmp_path / part / "run", plan=PLAN, steps=steps)
        document = json.loads(call("check", tmp_path / part, "--format", "sarif").out)
        prints.append(document["runs"][0]["results"][0]["partialFingerprints"])
    assert prints[0] == prints[1]


@pytest.mark.parametrize("form", ["text", "github", "junit", "sarif"])
def test_output_goes_into_the_file(form: str, sick: Path, tmp_path: Path, call: Call) -> None:
    printed = call("check", sick, "--format", form).out
    assert call("check", sick, "--format", form, "--output", tmp_path / "result") == (1, "", "")
    assert (tmp_path / "result").read_text("utf-8") == printed
    answer = call("check", sick, "--format", form, "--output", tmp_path / "no" / "where")
    assert answer.status == 2
    assert answer.err.startswith("Cannot judge: ")
