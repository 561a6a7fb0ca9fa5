"""`tb-activations check LOGDIR`: an exit status for scripts and continuous integration."""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence

from rich.console import Console

from tb_activations import __version__
from tb_activations.cli.complaint import complain
from tb_activations.cli.guidance import guide
from tb_activations.cli.output import add_output, write
from tb_activations.cli.progress import with_bar
from tb_activations.cli.thresholds_file import HELP, METAVAR, thresholds_file
from tb_activations.health.rules import RULES
from tb_activations.records.finding import Severity
from tb_activations.report.checks.checked import CANNOT_JUDGE, SICK, Checked, check
from tb_activations.report.checks.github import workflow_commands
from tb_activations.report.checks.junit import junit
from tb_activations.report.checks.sarif import sarif
from tb_activations.report.checks.text import COUNTING, print_checked
from tb_activations.report.stored import read

FORMATS = ("text", "github", "junit", "sarif")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the directory, which findings count, and the format."""
    parser.add_argument("logdir", metavar="LOGDIR", help="log directory with one or more runs")
    parser.add_argument(
        "--fail-on",
        choices=[severity.value for severity in COUNTING],
        default=Severity.WARNING.value,
        help="the lowest severity that counts (default: %(default)s)",
    )
    parser.add_argument(
        "--only",
        metavar="RULE",
        action="append",
        choices=tuple(RULES),
        help="count findings of this rule only; can be repeated",
    )
    parser.add_argument("--thresholds", metavar=METAVAR, type=thresholds_file, help=HELP)
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: %(default)s")
    add_output(parser)
    guide(
        parser,
        examples=[
            "tb-activations check logs --fail-on problem",
            "tb-activations check logs --format github",
            "tb-activations check logs --format junit --output layer-health.xml",
        ],
        statuses={
            0: "every run was judged and no open finding counts",
            1: "a finding counts",
            2: "a run could not be judged and no finding counts, or an argument is invalid",
        },
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints or writes the results and returns the exit status: 0 healthy, 1 findings, 2 not judged."""
    lowest = Severity(arguments.fail_on)
    try:
        runs = read(arguments.logdir, arguments.thresholds, is_brief=True, following=with_bar)
        results = [check(one, lowest, arguments.only) for one in runs]
        if arguments.format == "text" and arguments.output is None:
            for checked in results:
                print_checked(Console(), checked, lowest)
        else:
            write(_document(results, lowest, arguments), arguments.output)
    except (OSError, ValueError) as error:
        complain("Cannot judge", str(error))
        return CANNOT_JUDGE
    for checked in results:
        if checked.reason:
            complain("Cannot judge", f"{checked.run.title}: {checked.reason}")
    statuses = [checked.status for checked in results]
    return SICK if SICK in statuses else max(statuses)


def _document(results: Sequence[Checked], lowest: Severity, arguments: argparse.Namespace) -> str:
    if arguments.format == "github":
        return workflow_commands(results, lowest)
    if arguments.format == "junit":
        return junit(results)
    if arguments.format == "sarif":
        return sarif(results, arguments.logdir, __version__)
    written = io.StringIO()
    for checked in results:
        print_checked(Console(file=written), checked, lowest)
    return written.getvalue()
