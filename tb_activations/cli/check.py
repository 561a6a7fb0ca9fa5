"""`tb-activations check LOGDIR`: an exit status for scripts and continuous integration."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from tb_activations.cli.complaint import complain
from tb_activations.cli.progress import with_bar
from tb_activations.cli.thresholds_file import HELP, METAVAR, thresholds_file
from tb_activations.health.rules import RULES
from tb_activations.health.verdict import NOTHING_TRAINED, is_trained
from tb_activations.records.finding import Finding, Severity
from tb_activations.records.mute import Mute
from tb_activations.report.stored import Judged, Unreadable, read
from tb_activations.report.text import severity_style
from tb_activations.report.words import (
    NO_STEP,
    families,
    glyph,
    muted,
    place,
    plural,
    printable,
    rules_in_words,
    unobserved,
    why_no_layer,
)

HEALTHY, SICK, CANNOT_JUDGE = 0, 1, 2
FAIL_ON = (Severity.WARNING, Severity.PROBLEM)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the directory, and which findings count."""
    parser.add_argument("logdir", metavar="LOGDIR", help="log directory with one or more runs")
    parser.add_argument(
        "--fail-on",
        choices=[severity.value for severity in FAIL_ON],
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
    parser.epilog = (
        "Exit status: 0 if every run was judged and no open finding counts, 1 if a finding counts, "
        "2 if a run could not be judged and no finding counts."
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints a line per run and finding, and returns the exit status: 0 healthy, 1 findings, 2 not judged."""
    try:
        runs = read(arguments.logdir, arguments.thresholds, is_brief=True, following=with_bar)
    except (OSError, ValueError) as error:
        complain("Cannot judge", str(error))
        return CANNOT_JUDGE
    statuses = [_check(run, Severity(arguments.fail_on), arguments.only) for run in runs]
    return SICK if SICK in statuses else max(statuses)


def _check(judged: Judged | Unreadable, lowest: Severity, only: Sequence[str] | None) -> int:
    if isinstance(judged, Unreadable):
        complain("Cannot judge", f"{judged.title}: {judged.reason}")
        return CANNOT_JUDGE
    rules = (*judged.run.rules, *judged.run.training_rules) if only is None else only
    found = [
        (finding, family.root)
        for family in families(judged.counting)
        for finding in family.members
        if finding.severity.rank >= lowest.rank and finding.rule in rules
    ]
    silenced = [(one, mute) for one, mute in judged.muted if one.severity.rank >= lowest.rank and one.rule in rules]
    if found:
        _sick(judged.title, found, len(silenced))
        _muted(silenced)
        return SICK
    reason = _why_not_judged(judged, rules)
    if reason:
        complain("Cannot judge", f"{judged.title}: {reason}")
        return CANNOT_JUDGE
    _healthy(judged, lowest, rules, len(silenced))
    _muted(silenced)
    return HEALTHY


def _healthy(judged: Judged, lowest: Severity, rules: Sequence[str], silenced: int) -> None:
    lesser = sum(finding.closed_step is None and finding.rule in rules for finding in judged.counting)
    more = f", {lesser} lesser {plural(lesser, 'finding')}" if lesser else ""
    more += f", {silenced} muted" if silenced else ""
    counting = [severity for severity in FAIL_ON if severity.rank >= lowest.rank]
    states = rules_in_words({rule: judged.states[rule] for rule in rules})
    Console().print(
        Text.assemble(
            (printable(f"{glyph(None)} {judged.title}"), "green"),
            f": no {' or '.join(counting)}{more}. Rules: {states}",
        ),
        soft_wrap=True,
    )


def _muted(silenced: Sequence[tuple[Finding, Mute]]) -> None:
    """Prints each muted finding with its note."""
    for finding, mute in silenced:
        line = f"  muted {finding.severity.value}, {finding.rule}: {printable(muted(finding, mute))}"
        Console().print(Text(line, "dim"), soft_wrap=True)


def _sick(name: str, found: Sequence[tuple[Finding, Finding]], silenced: int) -> None:
    """Prints each finding with the root it follows from."""
    console = Console()
    count = f"{len(found)} {plural(len(found), 'finding')}" + (f", {silenced} muted" if silenced else "")
    worst = max((finding.severity for finding, _ in found), key=lambda severity: severity.rank)
    console.print(
        Text.assemble((printable(f"{glyph(worst)} {name}"), severity_style(worst)), f": {count}"), soft_wrap=True
    )
    for finding, root in found:
        about = f"  {finding.severity.value}, {finding.rule}: "
        follows = "" if finding is root else f" (follows from {root.rule} in {printable(place(root))})"
        console.print(
            Text.assemble((about, severity_style(finding.severity)), printable(finding.message) + follows),
            soft_wrap=True,
        )


def _why_not_judged(judged: Judged, rules: Sequence[str]) -> str:
    """Why a run without findings of these rules cannot be called healthy; "" if it can."""
    missing = [rule for rule in rules if rule not in judged.states]
    if missing:
        return f"the rule {missing[0]} was not run; use --thresholds FILE to judge again"
    reason = why_no_layer(judged.run.spec)
    if not len(judged.run.steps):
        return f"{NO_STEP}; {reason}" if reason else NO_STEP
    if reason:
        return reason
    if not is_trained(judged.run.spec):
        return NOTHING_TRAINED
    states = {rule: judged.states[rule] for rule in rules}
    if "failed" in states.values() or "checked" not in states.values():
        return "; ".join([rules_in_words(states), *(f"not observed: {why}" for why in unobserved(judged.run.spec))])
    return ""
