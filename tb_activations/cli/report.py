"""`tb-activations report LOGDIR`: findings in the runs of a log directory, as text, JSON or an HTML page."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

from rich.console import Console

from tb_activations.cli.complaint import complain
from tb_activations.cli.guidance import guide
from tb_activations.cli.output import add_output, write
from tb_activations.cli.progress import with_bar
from tb_activations.cli.thresholds_file import HELP, METAVAR, thresholds_file
from tb_activations.report.json_text import report_json
from tb_activations.report.page import report_page
from tb_activations.report.stored import Judged, Unreadable, read
from tb_activations.report.text import print_report, unreadable_line

REPORTED, CANNOT_REPORT = 0, 2
FORMATS = ("text", "json", "html")
WIDTH = 110
"""Columns of text written to a file or a pipe."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the directory, the format and the output file."""
    parser.add_argument("logdir", metavar="LOGDIR", help="log directory with one or more runs")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: %(default)s")
    parser.add_argument("--thresholds", metavar=METAVAR, type=thresholds_file, help=HELP)
    parser.add_argument(
        "--since",
        metavar="STEP",
        type=_step,
        help="with --format json: only findings that opened, changed or closed at this step or later",
    )
    add_output(parser)
    guide(
        parser,
        examples=[
            "tb-activations report logs",
            "tb-activations report logs --format html --output report.html",
            "tb-activations report logs --format json --since 1000",
        ],
        statuses={0: "at least one run was reported", 2: "no run was reported, or an argument is invalid"},
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints or writes the report and returns the exit status: 0 if at least one run was reported, else 2."""
    if arguments.since is not None and arguments.format != "json":
        complain("Cannot report", f"--since needs --format json, got --format {arguments.format}")
        return CANNOT_REPORT
    try:
        runs = read(arguments.logdir, arguments.thresholds, following=with_bar)
        if arguments.output is None and arguments.format == "text" and sys.stdout.isatty():
            print_report(Console(), runs)
        else:
            write(_report(runs, arguments.format, arguments.since), arguments.output)
    except (OSError, ValueError) as error:
        complain("Cannot report", str(error))
        return CANNOT_REPORT
    unreadable = [run for run in runs if isinstance(run, Unreadable)]
    if arguments.output is not None or arguments.format != "text":
        for one in unreadable:
            Console(stderr=True).print(unreadable_line(one), soft_wrap=True)
    return CANNOT_REPORT if len(unreadable) == len(runs) else REPORTED


def _report(runs: Sequence[Judged | Unreadable], form: str, since: int | None) -> str:
    if form == "json":
        return report_json(runs, since) + "\n"
    if form == "html":
        return report_page(runs)
    written = io.StringIO()
    print_report(Console(file=written, width=WIDTH), runs)
    return "".join(line.rstrip() + "\n" for line in written.getvalue().splitlines())


def _step(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number >= 0, got {text}")
    return int(text)
