"""The command `tb-activations`.

A subcommand is a module with `add_arguments(parser)` and `run(arguments) -> int`, imported only when it is called, so
that one command does not wait for what another needs.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Command(NamedTuple):
    """Where a subcommand lives, and what it is for."""

    module: str
    help: str


COMMANDS: Mapping[str, Command] = {
    "demo": Command("tb_activations.cli.demo", "train healthy and sick networks and show them in TensorBoard"),
    "report": Command("tb_activations.cli.report", "say what was found, as text, JSON or a page with pictures"),
    "check": Command("tb_activations.cli.check", "exit with status 1 when layers of a run are sick"),
    "diff": Command("tb_activations.cli.diff", "compare the runs of two log directories"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status; wrong usage exits with status 2."""
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        # Signs and names that the terminal's encoding lacks must not end the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    arguments = _parser(argv).parse_args(argv)
    module = importlib.import_module(COMMANDS[arguments.command].module)
    status: int = module.run(arguments)
    return status


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, with the arguments of the called subcommand only."""
    parser = argparse.ArgumentParser(prog="tb-activations", description="Layer health of Keras trainings.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    called = next((argument for argument in argv if argument in COMMANDS), None)
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=command.help, description=command.help)
        if name == called:
            importlib.import_module(command.module).add_arguments(subparser)
    return parser
