"""Help: every command has examples that work as written, and names what each exit status means."""

from __future__ import annotations

import re
import shlex

import pytest

from tb_activations.cli.main import COMMANDS, _parsers
from tests.cli.conftest import Call

commands = pytest.mark.parametrize("command", COMMANDS)


@commands
def test_help_has_examples_that_are_valid(command: str, call: Call) -> None:
    answer = call(command, "--help")
    assert answer.status == 0
    examples = re.findall(r"^  tb-activations (.*)$", answer.out, re.MULTILINE)
    assert examples
    for example in examples:
        arguments = shlex.split(example)
        assert arguments[0] == command
        parsed, unknown = _parsers(arguments)[0].parse_known_args(arguments)
        assert (parsed.command, unknown) == (command, [])


@commands
def test_help_explains_the_exit_statuses(command: str, call: Call) -> None:
    statuses = re.findall(r"^  (\d)  \S", call(command, "--help").out, re.MULTILINE)
    assert statuses == (["0", "1", "2"] if command in ("check", "diff") else ["0", "2"])


@commands
def test_an_unknown_option_gives_two_and_the_options_of_the_command(command: str, call: Call) -> None:
    answer = call(command, *["x"] * {"diff": 2, "demo": 0}.get(command, 1), "--no-such-option")
    assert (answer.status, answer.out) == (2, "")
    assert f"usage: tb-activations {command}" in answer.err
    assert "unrecognized arguments: --no-such-option" in answer.err


def test_an_unknown_command_gives_two_and_the_commands(call: Call) -> None:
    answer = call("reprot")
    assert answer.status == 2
    assert all(command in answer.err for command in COMMANDS)
