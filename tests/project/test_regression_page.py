"""The examples of `docs/regression.md` run as printed, on recorded runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tb_activations.cli.main import main
from tests.synthetic import Plan, write_run

PAGE = (Path(__file__).parents[2] / "docs/regression.md").read_text("utf-8")
PLAN = Plan(layers=4, steps=5, units=2)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run("tests/expected", plan=PLAN)


def test_the_assertion_passes_for_equal_runs_and_fails_as_shown_for_others() -> None:
    (example,) = blocks("python")
    write_run("logs/run-1", plan=PLAN, start_time=1.0)
    exec(example, {})
    write_run("logs/run-1", plan=PLAN, seed=1)
    (shown,) = blocks("text")
    with pytest.raises(AssertionError) as caught:
        exec(example, {})
    numbers = r"-?\d+\.?\d*(e-?\d+)?"
    message = f"AssertionError: {caught.value}".splitlines()[0].replace("dense_0", "dense_1")
    assert re.sub(numbers, "#", message) == re.sub(numbers, "#", shown.strip())


def test_the_commands_have_the_documented_exit_statuses() -> None:
    commands = [shlex.split(line)[1:] for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 2
    assert {main(command) for command in commands} == {2}
    write_run("logs/run-1", plan=PLAN)
    assert {main(command) for command in commands} == {0}
    shown = {int(status) for status in re.findall(r"^\| (\d) \|", PAGE, re.M)}
    write_run("logs/run-1", plan=PLAN, seed=1)
    assert {main(command) for command in commands} == {1}
    assert shown == {0, 1, 2}
