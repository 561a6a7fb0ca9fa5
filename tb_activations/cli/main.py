"""The command `tb-activations`.

A subcommand is a module with `add_arguments(parser)` and `run(arguments) -> int`. It is imported only when it is
called, so that a command does not wait for the imports of another.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tb_activations import __version__

PROGRAM = "tb-activations"
NO_COMMAND = 2


class Command(NamedTuple):
    """The module of a subcommand, and its description."""

    module: str
    help: str


COMMANDS: Mapping[str, Command] = {
    "demo": Command("tb_activations.cli.demo", "train healthy and unhealthy networks and show them in TensorBoard"),
    "report": Command("tb_activations.cli.report", "report the findings as text, JSON or an HTML page"),
    "check": Command("tb_activations.cli.check", "exit with status 1 if a run has findings"),
    "diff": Command("tb_activations.cli.diff", "compare the runs of two log directories"),
    "show": Command("tb_activations.cli.show", "list the tags in event files of any writer"),
    "export": Command("tb_activations.cli.export", "write the values of a run as CSV, JSON or Parquet"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status; without a command it prints help and returns 2."""
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        # Symbols and names that the terminal cannot encode must not be an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    parser, called = _parsers(argv)
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        # The usage of the command lists the options that it has.
        called.error(f"unrecognized arguments: {' '.join(unknown)}")
    if arguments.command is None:
        parser.print_help()
        return NO_COMMAND
    module = importlib.import_module(COMMANDS[arguments.command].module)
    status: int = module.run(arguments)
    return status


def _parsers(argv: Sequence[str]) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The parser, with the arguments of the called subcommand only, and the parser of that subcommand."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Layer health of Keras models.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    subparsers = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    called, own = next((argument for argument in argv if argument in COMMANDS), None), parser
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=command.help, description=_sentence(command.help), allow_abbrev=False
        )
        if name == called:
            importlib.import_module(command.module).add_arguments(subparser)
            own = subparser
    return parser, own


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
