"""The examples of `docs/regression.md` run as printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tb_activations.cli.main import main
from tests.synthetic import Plan, write_run

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parents[2] / "docs/regression.md").read_text("utf-8")
PLAN = Plan(layers=4, steps=5, units=2)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def commands(program: str) -> list[list[str]]:
    """The arguments of every printed call of a program, in a shell or a workflow."""
    lines = [
        line.strip().removeprefix("- run: ")
        for block in (*blocks("sh"), *blocks("yaml"))
        for line in block.splitlines()
    ]
    return [shlex.split(line)[1:] for line in lines if line.split(" ")[0] == program]


def code(first_line: str) -> str:
    """The Python example that begins with this line."""
    (found,) = [block for block in blocks("python") if block.startswith(first_line)]
    return found


def without_numbers(text: str) -> str:
    return re.sub(r"-?\d+\.?\d*(e-?\d+)?", "#", text)


def test_the_golden_test_is_written_passes_and_fails_as_shown(pytester: pytest.Pytester) -> None:
    example = code("import keras\n")
    assert len([line for line in example.splitlines() if line]) <= 11
    test = pytester.path / "tests/test_digits.py"
    test.parent.mkdir()
    update, in_workflow = commands("pytest")
    test.write_text(example, "utf-8")
    pytester.runpytest_inprocess(*update).assert_outcomes(passed=1)
    assert {path.name for path in (test.parent / "layer_health/test_digits/test_training").iterdir()} >= {"summary.txt"}
    pytester.runpytest_inprocess(*in_workflow).assert_outcomes(passed=1)
    test.write_text(example.replace('"relu"', '"gelu"'), "utf-8")
    failed = pytester.runpytest_inprocess(*in_workflow)
    failed.assert_outcomes(failed=1)
    shown = without_numbers(blocks("text")[0]).splitlines()
    printed = without_numbers("\n".join(failed.outlines)).splitlines()
    start = next(place for place, line in enumerate(printed) if "differs from its golden" in line)
    assert printed[start : start + len(shown)] == shown
    (page,) = (pytester.path / "layer-health-failures").iterdir()
    assert page.suffix == ".html"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run("tests/expected", plan=PLAN)


@pytest.mark.usefixtures("runs")
def test_the_assertion_passes_for_equal_runs_and_fails_for_others() -> None:
    example = code("from tb_activations.testing import assert_runs_match\n")
    write_run("logs/run-1", plan=PLAN, start_time=1.0)
    exec(example, {})
    write_run("logs/run-1", plan=PLAN, seed=1)
    with pytest.raises(AssertionError, match=r"logs/run-1 differs from tests/expected: step 0, layer 'dense_0': mean"):
        exec(example, {})


@pytest.mark.usefixtures("runs")
def test_the_commands_have_the_documented_exit_statuses() -> None:
    calls = commands("tb-activations")
    assert len(calls) == 2
    assert {main(call) for call in calls} == {2}
    write_run("logs/run-1", plan=PLAN)
    assert {main(call) for call in calls} == {0}
    shown = {int(status) for status in re.findall(r"^\| (\d) \|", PAGE, re.M)}
    write_run("logs/run-1", plan=PLAN, seed=1)
    assert {main(call) for call in calls} == {1}
    assert shown == {0, 1, 2}


@pytest.mark.usefixtures("runs")
def test_the_examples_of_tolerances_run() -> None:
    for seed in range(3):
        write_run("logs", name=f"run-{seed + 1}", plan=PLAN, seed=seed, sick=False)
    found: dict[str, Any] = {}
    exec(code("from tb_activations.testing import Tolerance, Tolerances\n"), found)
    assert found["tolerances"].at("gradient_norm", "head").rtol == 0.01
    exec(code("from tb_activations import load\n"), found)
    assert found["tolerances"].at("mean", "dense_0").rtol > 1e-5
