"""`tb-activations check`: every exit status and its reason."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tb_activations import load
from tb_activations.records.finding import Severity
from tb_activations.report.checks.checked import check
from tb_activations.report.stored import Judged, read
from tests.cli.conftest import PLAN, Call
from tests.synthetic import write_run


def test_a_healthy_run_gives_zero_and_names_what_was_checked(healthy: Path, call: Call) -> None:
    answer = call("check", healthy)
    assert answer.status == 0
    assert answer.out == (
        "✓ healthy: no warning or problem. Rules: 3 checked (Dead units, Vanishing gradient, NaN or infinity)\n"
    )
    assert answer.err == ""


def test_a_sick_run_gives_one_and_a_line_per_cause(sick: Path, call: Call) -> None:
    answer = call("check", sick)
    assert answer.status == 1
    assert answer.out.splitlines() == [
        "▲ sick: 1 cause, 2 more findings",
        "  problem, dead_units: dense_2: 4 of 4 units were active on no sample since step 120. "
        "(2 more findings of this cause)",
    ]


def test_consequences_of_a_cause_that_does_not_count_are_one_line(sick: Path, call: Call) -> None:
    first, line = call("check", sick, "--only", "vanishing_gradient").out.splitlines()
    assert first == "◆ sick: 1 cause, 1 more finding"
    assert line.startswith("  warning, vanishing_gradient: dense_0: no gradient arrives since step 120.")
    assert line.endswith(" (follows from dead_units in dense_2; 1 more finding of this cause)")


def test_the_same_fault_in_several_layers_is_one_line(sick: Path) -> None:
    run = load(sick)
    dead = next(finding for finding in run.findings if finding.rule == "dead_units")
    layers = [f"layer_{number}" for number in range(6)]
    findings = tuple(
        dataclasses.replace(dead, layer=layer, severity=Severity.WARNING if number else dead.severity)
        for number, layer in enumerate(layers)
    )
    (judged,) = read(sick)
    assert isinstance(judged, Judged)
    judged = dataclasses.replace(judged, run=dataclasses.replace(judged.run, findings=findings))
    (cause,) = check(judged, Severity.WARNING, None).causes
    assert cause.severity is Severity.PROBLEM
    assert cause.text == f"{dead.message} (also in layer_1, layer_2, layer_3 and 2 more layers)"


def test_fail_on_decides_what_counts(sick: Path, call: Call) -> None:
    assert call("check", sick, "--fail-on", "problem").out.splitlines()[0] == "▲ sick: 1 cause"
    answer = call("check", sick, "--fail-on", "problem", "--only", "vanishing_gradient")
    assert answer.status == 0
    assert answer.out.startswith("✓ sick: no problem, 2 lesser findings. Rules: 1 checked (Vanishing gradient)")


def test_only_the_named_rules_count(sick: Path, call: Call) -> None:
    assert call("check", sick, "--only", "nonfinite").status == 0
    assert call("check", sick, "--only", "nonfinite", "--only", "vanishing_gradient").status == 1


def test_an_unknown_rule_or_severity_gives_two_and_names_what_is_allowed(sick: Path, call: Call) -> None:
    answer = call("check", sick, "--only", "sloth")
    assert answer.status == 2
    assert "sloth" in answer.err
    assert "dead_units" in answer.err
    assert call("check", sick, "--fail-on", "note").status == 2


def test_an_empty_folder_gives_two_and_a_clear_line(tmp_path: Path, call: Call) -> None:
    answer = call("check", tmp_path)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == (
        f"Cannot judge: no Layer Health run in {tmp_path} or below it: no event files; give the log_dir of the "
        "LayerHealth callback, after at least one observed training step\n"
    )


def test_no_folder_gives_two(tmp_path: Path, call: Call) -> None:
    answer = call("check", tmp_path / "nowhere")
    assert answer.status == 2
    assert answer.err == f"Cannot judge: there is no folder {tmp_path / 'nowhere'}\n"


def test_runs_that_cannot_be_read_give_two_and_the_reason(newer: Path, damaged: Path, call: Call) -> None:
    answer = call("check", newer)
    assert answer.status == 2
    assert "newer: the run has schema version 99" in answer.err
    answer = call("check", damaged)
    assert answer.status == 2
    assert answer.err.startswith("Cannot judge: damaged: ")


def test_too_few_steps_are_not_health(tmp_path: Path, call: Call) -> None:
    write_run(tmp_path / "short", plan=PLAN, steps=2, sick=False)
    answer = call("check", tmp_path / "short", "--only", "dead_units")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == "Cannot judge: short: 1 waiting for more steps (Dead units)\n"


def test_a_rule_that_was_not_run_is_not_health(sick: Path, call: Call, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text('["nonfinite"]')
    answer = call("check", sick, "--thresholds", rules, "--only", "dead_units")
    assert answer.status == 2
    assert "the rule dead_units was not run; use --thresholds FILE" in answer.err


def test_of_several_runs_one_sick_is_enough(sick: Path, healthy: Path, tmp_path: Path, call: Call) -> None:
    answer = call("check", tmp_path)
    assert answer.status == 1
    assert [line.split(":")[0] for line in answer.out.splitlines() if not line.startswith(" ")] == [
        "✓ healthy",
        "▲ sick",
    ]


def test_of_several_runs_one_unreadable_is_not_health(healthy: Path, newer: Path, tmp_path: Path, call: Call) -> None:
    answer = call("check", tmp_path)
    assert answer.status == 2
    assert answer.out.startswith("✓ healthy")
    assert "schema version 99" in answer.err


def test_a_sick_and_an_unreadable_run_give_one(sick: Path, newer: Path, tmp_path: Path, call: Call) -> None:
    answer = call("check", tmp_path)
    assert answer.status == 1
    assert "schema version 99" in answer.err


def test_other_thresholds_judge_again(sick: Path, tmp_path: Path, call: Call) -> None:
    lax = tmp_path / "lax.toml"
    lax.write_text("[dead_units]\nmin_checks = 1000\n")
    # With that many checks required there is not enough data yet, which is not health either.
    answer = call("check", sick, "--thresholds", lax)
    assert answer.status == 2
    assert "waiting for more steps" in answer.err
    strict = tmp_path / "strict.json"
    strict.write_text('{"dead_units": {"problem_share": 0.9}}')
    answer = call("check", sick, "--thresholds", strict)
    assert answer.status == 1
    assert "100% of the units of dense_2 (4 of 4)" in answer.out


@pytest.mark.parametrize("name", ["\x1b[31mred\x1b[0m", "line\nbreak", "left‮right"])
def test_a_name_cannot_control_the_terminal(name: str, tmp_path: Path, call: Call) -> None:
    folder = tmp_path / name.replace("/", "")
    write_run(folder, plan=PLAN, sick=False)
    answer = call("check", folder)
    assert answer.status == 0
    assert answer.out.count("\n") == 1
    assert all(character.isprintable() for character in answer.out.rstrip("\n"))
