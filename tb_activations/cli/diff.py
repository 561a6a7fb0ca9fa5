"""`tb-activations diff A B`: compares the runs of two log directories."""

from __future__ import annotations

import argparse
import math

from rich.console import Console
from rich.text import Text

from tb_activations.cli.guidance import guide
from tb_activations.testing import first_mismatch

EQUAL, DIFFERENT, NOT_COMPARABLE = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the two directories and the tolerances."""
    parser.add_argument("expected", metavar="A", help="log directory of the expected runs")
    parser.add_argument("actual", metavar="B", help="log directory of the runs to compare with it")
    parser.add_argument("--rtol", type=_tolerance, default=1e-5, help="relative tolerance (default: %(default)s)")
    parser.add_argument("--atol", type=_tolerance, default=1e-8, help="absolute tolerance (default: %(default)s)")
    guide(
        parser,
        examples=["tb-activations diff tests/expected logs/run-1", "tb-activations diff logs/a logs/b --rtol 1e-3"],
        statuses={
            0: "the runs are equal",
            1: "they differ",
            2: "they cannot be compared, or an argument is invalid",
        },
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints one line and returns the exit status: 0 equal, 1 different, 2 not comparable."""
    try:
        mismatch = first_mismatch(arguments.expected, arguments.actual, rtol=arguments.rtol, atol=arguments.atol)
    except (OSError, ValueError) as error:
        _print(Console(stderr=True), "Cannot compare: ", "bold red", str(error))
        return NOT_COMPARABLE
    if mismatch is None:
        _print(Console(), "Equal", "bold green", f" within rtol={arguments.rtol:g}, atol={arguments.atol:g}")
        return EQUAL
    _print(Console(), "Different: ", "bold red", mismatch)
    return DIFFERENT


def _print(console: Console, verdict: str, style: str, rest: str) -> None:
    # `Text` keeps brackets in names from being read as markup; one line can be parsed by scripts.
    console.print(Text.assemble((verdict, style), rest), soft_wrap=True)


def _tolerance(text: str) -> float:
    value = float(text)
    if not value >= 0 or math.isinf(value):
        raise argparse.ArgumentTypeError(f"must be a finite number >= 0, got {text}")
    return value
