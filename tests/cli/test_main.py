"""The command itself: help, version, and options that do not exist."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tb_activations
from tb_activations.cli.main import COMMANDS
from tests.cli.conftest import Call


def test_a_bare_call_prints_help(call: Call) -> None:
    answer = call()
    assert answer == (2, call("--help").out, "")
    assert answer.out.startswith("usage: tb-activations")
    assert all(
        name in answer.out and command.help in " ".join(answer.out.split()) for name, command in COMMANDS.items()
    )


def test_the_version_is_that_of_the_package(call: Call) -> None:
    assert call("--version") == (0, f"tb-activations {tb_activations.__version__}\n", "")


def test_the_module_does_the_same() -> None:
    for arguments, status in (([], 2), (["--version"], 0)):
        command = [sys.executable, "-m", "tb_activations", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (status, "")
        assert "tb-activations" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--rule", "nonfinite", "logs"),
        ("check", "--rules", "rules.json", "logs"),
        ("report", "--rules", "rules.json", "logs"),
        ("check", "--thresh", "rules.json", "logs"),
        ("check", "--onl", "nonfinite", "logs"),
    ],
    ids=" ".join,
)
def test_other_option_names_are_an_error(arguments: tuple[str, ...], call: Call) -> None:
    answer = call(*arguments)
    assert (answer.status, answer.out) == (2, "")
    assert "unrecognized arguments" in answer.err


def test_help_of_a_command_names_its_options(call: Call) -> None:
    assert "--only RULE" in call("check", "--help").out
    for command in ("check", "report"):
        assert "--thresholds FILE" in call(command, "--help").out
