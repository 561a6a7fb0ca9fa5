"""`tb-activations diff A B`: everything that differs between the runs of two log directories."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tb_activations.cli.complaint import complain
from tb_activations.cli.guidance import guide
from tb_activations.cli.output import add_output, write
from tb_activations.comparison.comparison import FolderComparison
from tb_activations.comparison.tolerance import Tolerances
from tb_activations.events.reader import load, run_names
from tb_activations.report.comparison_page import Compared, comparison_page
from tb_activations.report.words import printable
from tb_activations.testing import ASPECTS, compare_folders

EQUAL, DIFFERENT, NOT_COMPARABLE = 0, 1, 2
FORMATS = ("text", "json", "html")
MATCHES = ("step", "epoch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the two directories, the tolerances and the format."""
    parser.add_argument("expected", metavar="A", help="log directory of the expected runs")
    parser.add_argument("actual", metavar="B", help="log directory of the runs to compare with it")
    parser.add_argument("--rtol", type=_tolerance, default=1e-5, help="relative tolerance (default: %(default)s)")
    parser.add_argument("--atol", type=_tolerance, default=1e-8, help="absolute tolerance (default: %(default)s)")
    parser.add_argument(
        "--tolerances",
        metavar="FILE",
        type=_tolerances,
        help="tolerances per statistic and layer instead: JSON, as Tolerances.to_json gives them",
    )
    parser.add_argument(
        "--match",
        choices=MATCHES,
        default="step",
        help="compare the same steps, or the last observed step of each epoch (default: %(default)s)",
    )
    parser.add_argument(
        "--include", action="append", choices=ASPECTS, default=[], help="compare this as well; can be repeated"
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: %(default)s")
    add_output(parser)
    guide(
        parser,
        examples=[
            "tb-activations diff tests/expected logs/run-1",
            "tb-activations diff logs/a logs/b --rtol 1e-3 --include findings",
            "tb-activations diff logs/a logs/b --format html --output diff.html",
        ],
        statuses={
            0: "the runs are equal",
            1: "they differ",
            2: "they cannot be compared, or an argument is invalid",
        },
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints or writes what differs and returns the exit status: 0 equal, 1 different, 2 not comparable."""
    tolerances = arguments.tolerances or Tolerances.of(arguments.rtol, arguments.atol)
    try:
        found = compare_folders(
            arguments.expected, arguments.actual, tolerances, match=arguments.match, include=arguments.include
        )
        if arguments.format == "text" and arguments.output is None and sys.stdout.isatty():
            Console().print(Text(_text(found).rstrip("\n"), "green" if found.is_equal else ""), soft_wrap=True)
        else:
            write(_document(found, arguments), arguments.output)
    except (OSError, ValueError) as error:
        complain("Cannot compare", str(error))
        return NOT_COMPARABLE
    return EQUAL if found.is_equal else DIFFERENT


def _document(found: FolderComparison, arguments: argparse.Namespace) -> str:
    if arguments.format == "json":
        return json.dumps(found.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if arguments.format == "html":
        return _page(found, arguments.expected, arguments.actual)
    return _text(found)


def _text(found: FolderComparison) -> str:
    text = found.text()
    first, *rest = text.splitlines()
    if found.is_equal:
        first = f"{first[0].upper()}{first[1:]}"
    elif len(found.comparisons) == 1 and not found.missing and not found.added:
        first = f"First: {first}"
    return "".join(f"{printable(line)}\n" for line in (first, *rest))


def _page(found: FolderComparison, expected: str, actual: str) -> str:
    """The page with charts; runs that are equal are left out, and the others are read again."""
    is_single = len(found.comparisons) == 1 and not found.missing and not found.added
    names = {found.comparisons[0].name: run_names(actual)[0]} if is_single else {}
    compared = [
        Compared(one, load(expected, one.name), load(actual, names.get(one.name, one.name)))
        for one in found.comparisons
        if not one.is_equal
    ]
    title = f"{expected} compared with {actual}" + (": equal" if found.is_equal else "")
    return comparison_page(compared, title=title, missing=found.missing, added=found.added)


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a finite number >= 0, got {text}")
    return value


def _tolerances(text: str) -> Tolerances:
    try:
        return Tolerances.from_json(json.loads(Path(os.path.expanduser(text)).read_text("utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"cannot read tolerances from {text}: {error}") from error
