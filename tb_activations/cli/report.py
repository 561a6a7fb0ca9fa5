"""`tb-activations report LOGDIR`: what was found in the runs of a log directory, as text, JSON or a page."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tb_activations.cli.complaint import complain
from tb_activations.cli.progress import with_bar
from tb_activations.cli.rules_file import rules_file
from tb_activations.report.json_text import report_json
from tb_activations.report.page import report_page
from tb_activations.report.stored import Judged, Unreadable, read
from tb_activations.report.text import print_report, unreadable_line

REPORTED, CANNOT_REPORT = 0, 2
FORMATS = ("text", "json", "html")
WIDTH = 110
"""Of text that goes into a file or a pipe."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder, the format, and where the report goes."""
    parser.add_argument("logdir", metavar="LOGDIR", help="log directory of one run or of several")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: %(default)s")
    parser.add_argument(
        "--rules", metavar="FILE", type=rules_file, help="judge again by these rules: JSON or TOML, id -> thresholds"
    )
    parser.add_argument("--output", metavar="FILE", type=Path, help="write there in place of the standard output")
    parser.epilog = "Exit status: 0 a run was reported, whatever was found; 2 there was nothing to report."


def run(arguments: argparse.Namespace) -> int:
    """Print or write the report and give the exit status: 0 at least one run was reported, 2 none was."""
    try:
        runs = read(arguments.logdir, arguments.rules, following=with_bar)
        if arguments.output is None and arguments.format == "text" and sys.stdout.isatty():
            print_report(Console(), runs)
        else:
            _put(_report(runs, arguments.format), arguments.output)
    except BrokenPipeError:
        # Whoever read along has seen enough; what is still in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REPORTED
    except (OSError, ValueError) as error:
        complain("Cannot report", str(error))
        return CANNOT_REPORT
    unreadable = [run for run in runs if isinstance(run, Unreadable)]
    if arguments.output is not None or arguments.format != "text":
        for one in unreadable:
            Console(stderr=True).print(unreadable_line(one), soft_wrap=True)
    return CANNOT_REPORT if len(unreadable) == len(runs) else REPORTED


def _report(runs: Sequence[Judged | Unreadable], form: str) -> str:
    if form == "json":
        return report_json(runs) + "\n"
    if form == "html":
        return report_page(runs)
    written = io.StringIO()
    print_report(Console(file=written, width=WIDTH), runs)
    return "".join(line.rstrip() + "\n" for line in written.getvalue().splitlines())


def _put(report: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(report)
        sys.stdout.flush()
    else:
        # Names of folders need not be text; in JSON the escapes are those of JSON.
        Path(os.path.expanduser(output)).write_text(report, "utf-8", "backslashreplace")
