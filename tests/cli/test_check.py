"""`tb-activations check`: each exit status, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import PLAN, Call
from tests.synthetic import write_run


def test_a_healthy_run_gives_zero_and_says_what_was_checked(healthy: Path, call: Call) -> None:
    said = call("check", healthy)
    assert said.status == 0
    assert said.out == (
        "✓ healthy: no warning or problem. Rules: 3 checked (Dead units, Vanishing gradient, NaN or infinity)\n"
    )
    assert said.err == ""


def test_a_sick_run_gives_one_and_a_line_a_finding(sick: Path, call: Call) -> None:
    said = call("check", sick)
    assert said.status == 1
    first, *lines = said.out.splitlines()
    assert first == "▲ sick: 3 findings"
    assert lines[0] == "  problem, dead_units: dense_2: 4 of 4 units were active on no sample since step 120."
    assert [line.split(":")[0] for line in lines[1:]] == ["  warning, vanishing_gradient"] * 2
    assert all(line.endswith("(follows from another)") for line in lines[1:])


def test_fail_on_decides_what_counts(sick: Path, call: Call) -> None:
    assert call("check", sick, "--fail-on", "problem").out.splitlines()[0] == "▲ sick: 1 finding"
    said = call("check", sick, "--fail-on", "problem", "--rule", "vanishing_gradient")
    assert said.status == 0
    assert said.out.startswith("✓ sick: no problem, 2 lesser findings. Rules: 1 checked (Vanishing gradient)")


def test_only_the_rules_asked_for_count(sick: Path, call: Call) -> None:
    assert call("check", sick, "--rule", "nonfinite").status == 0
    assert call("check", sick, "--rule", "nonfinite", "--rule", "vanishing_gradient").status == 1


def test_an_unknown_rule_or_severity_gives_two_and_names_what_is_allowed(sick: Path, call: Call) -> None:
    said = call("check", sick, "--rule", "sloth")
    assert said.status == 2
    assert "sloth" in said.err
    assert "dead_units" in said.err
    assert call("check", sick, "--fail-on", "note").status == 2


def test_an_empty_folder_gives_two_and_a_clear_line(tmp_path: Path, call: Call) -> None:
    said = call("check", tmp_path)
    assert (said.status, said.out) == (2, "")
    assert said.err == (
        f"Cannot judge: no Layer Health run in {tmp_path} or below it: there is no event file; give the log_dir that "
        "the LayerHealth callback was given, after at least one training step was observed\n"
    )


def test_no_folder_gives_two(tmp_path: Path, call: Call) -> None:
    said = call("check", tmp_path / "nowhere")
    assert said.status == 2
    assert said.err == f"Cannot judge: there is no folder {tmp_path / 'nowhere'}\n"


def test_runs_that_cannot_be_read_give_two_and_the_reason(newer: Path, damaged: Path, call: Call) -> None:
    said = call("check", newer)
    assert said.status == 2
    assert "newer: the run has schema version 99" in said.err
    said = call("check", damaged)
    assert said.status == 2
    assert said.err.startswith("Cannot judge: damaged: ")


def test_too_few_steps_are_not_health(tmp_path: Path, call: Call) -> None:
    write_run(tmp_path / "short", plan=PLAN, steps=2, sick=False)
    said = call("check", tmp_path / "short", "--rule", "dead_units")
    assert (said.status, said.out) == (2, "")
    assert said.err == "Cannot judge: short: 1 waiting for more steps (Dead units)\n"


def test_a_rule_that_was_not_run_is_not_health(sick: Path, call: Call, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text('["nonfinite"]')
    said = call("check", sick, "--rules", rules, "--rule", "dead_units")
    assert said.status == 2
    assert "the rule dead_units was not run" in said.err


def test_of_several_runs_one_sick_is_enough(sick: Path, healthy: Path, tmp_path: Path, call: Call) -> None:
    said = call("check", tmp_path)
    assert said.status == 1
    assert [line.split(":")[0] for line in said.out.splitlines() if not line.startswith(" ")] == ["✓ healthy", "▲ sick"]


def test_of_several_runs_one_unreadable_is_not_health(healthy: Path, newer: Path, tmp_path: Path, call: Call) -> None:
    said = call("check", tmp_path)
    assert said.status == 2
    assert said.out.startswith("✓ healthy")
    assert "schema version 99" in said.err


def test_a_sick_run_beside_an_unreadable_one_gives_one(sick: Path, newer: Path, tmp_path: Path, call: Call) -> None:
    said = call("check", tmp_path)
    assert said.status == 1
    assert "schema version 99" in said.err


def test_other_thresholds_judge_again(sick: Path, tmp_path: Path, call: Call) -> None:
    lax = tmp_path / "lax.toml"
    lax.write_text("[dead_units]\nmin_checks = 1000\n")
    # With so many checks asked for, nothing can be said yet: that is not health either.
    said = call("check", sick, "--rules", lax)
    assert said.status == 2
    assert "waiting for more steps" in said.err
    strict = tmp_path / "strict.json"
    strict.write_text('{"dead_units": {"problem_share": 0.9}}')
    said = call("check", sick, "--rules", strict)
    assert said.status == 1
    assert "100% of the units of dense_2 (4 of 4)" in said.out


@pytest.mark.parametrize("name", ["\x1b[31mred\x1b[0m", "line\nbreak", "left‮right"])
def test_a_name_cannot_steer_the_terminal(name: str, tmp_path: Path, call: Call) -> None:
    folder = tmp_path / name.replace("/", "")
    write_run(folder, plan=PLAN, sick=False)
    said = call("check", folder)
    assert said.status == 0
    assert said.out.count("\n") == 1
    assert all(character.isprintable() for character in said.out.rstrip("\n"))
