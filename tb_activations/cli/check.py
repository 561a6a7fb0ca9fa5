"""`tb-activations check LOGDIR`: an exit status for scripts and continuous integration."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from tb_activations.cli.complaint import complain
from tb_activations.cli.progress import with_bar
from tb_activations.cli.rules_file import rules_file
from tb_activations.health.rules import RULES
from tb_activations.health.verdict import NOTHING_TRAINED, is_trained
from tb_activations.records.finding import Finding, Severity
from tb_activations.report.stored import Judged, Unreadable, read
from tb_activations.report.text import severity_style
from tb_activations.report.words import (
    NO_STEP,
    families,
    glyph,
    plural,
    printable,
    rules_in_words,
    unobserved,
    why_no_layer,
)

HEALTHY, SICK, CANNOT_JUDGE = 0, 1, 2
FAIL_ON = {
    "warning": (Severity.WARNING, Severity.PROBLEM),
    "problem": (Severity.PROBLEM,),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder, and what counts as a failure."""
    parser.add_argument("logdir", metavar="LOGDIR", help="log directory of one run or of several")
    parser.add_argument(
        "--fail-on",
        choices=tuple(FAIL_ON),
        default="warning",
        help="the least severity that fails (default: %(default)s)",
    )
    parser.add_argument(
        "--rule",
        metavar="ID",
        action="append",
        choices=tuple(RULES),
        help="only this rule counts; may be given several times",
    )
    parser.add_argument(
        "--rules", metavar="FILE", type=rules_file, help="judge again by these rules: JSON or TOML, id -> thresholds"
    )
    parser.epilog = (
        "Exit status: 0 every run was judged and has no open finding that counts, 1 there are such findings, "
        "2 a run could not be judged and no other has such findings."
    )


def run(arguments: argparse.Namespace) -> int:
    """Print a line a run and a finding, and give the exit status: 0 healthy, 1 findings, 2 cannot judge."""
    try:
        runs = read(arguments.logdir, arguments.rules, is_brief=True, following=with_bar)
    except (OSError, ValueError) as error:
        complain("Cannot judge", str(error))
        return CANNOT_JUDGE
    statuses = [_check(run, FAIL_ON[arguments.fail_on], arguments.rule) for run in runs]
    return SICK if SICK in statuses else max(statuses)


def _check(judged: Judged | Unreadable, severities: Sequence[Severity], asked: Sequence[str] | None) -> int:
    if isinstance(judged, Unreadable):
        complain("Cannot judge", f"{judged.title}: {judged.reason}")
        return CANNOT_JUDGE
    name = judged.title
    rules = judged.run.rules if asked is None else asked
    counting = [
        [finding for finding in family.members if finding.severity in severities and finding.rule in rules]
        for family in families(judged.run.findings)
    ]
    found = [finding for family in counting for finding in family]
    if found:
        _sick(name, found)
        return SICK
    reason = _why_not_judged(judged, rules)
    if reason:
        complain("Cannot judge", f"{name}: {reason}")
        return CANNOT_JUDGE
    _healthy(judged, severities, rules)
    return HEALTHY


def _healthy(judged: Judged, severities: Sequence[Severity], rules: Sequence[str]) -> None:
    lesser = sum(finding.closed_step is None and finding.rule in rules for finding in judged.run.findings)
    more = f", {lesser} lesser {plural(lesser, 'finding')}" if lesser else ""
    states = rules_in_words({rule: judged.states[rule] for rule in rules})
    Console().print(
        Text.assemble(
            (printable(f"{glyph(None)} {judged.title}"), "green"),
            f": no {' or '.join(severities)}{more}. Rules: {states}",
        ),
        soft_wrap=True,
    )


def _sick(name: str, found: Sequence[Finding]) -> None:
    console = Console()
    count = f"{len(found)} {plural(len(found), 'finding')}"
    worst = Severity.PROBLEM if any(one.severity is Severity.PROBLEM for one in found) else Severity.WARNING
    console.print(
        Text.assemble((printable(f"{glyph(worst)} {name}"), severity_style(worst)), f": {count}"), soft_wrap=True
    )
    for finding in found:
        about = f"  {finding.severity.value}, {finding.rule}: "
        follows = " (follows from another)" if finding.root else ""
        console.print(
            Text.assemble((about, severity_style(finding.severity)), printable(finding.message) + follows),
            soft_wrap=True,
        )


def _why_not_judged(judged: Judged, rules: Sequence[str]) -> str:
    """Why silence of these rules is no sign of health; "" when it is."""
    missing = [rule for rule in rules if rule not in judged.states]
    if missing:
        return f"the rule {missing[0]} was not run; --rules FILE judges again"
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
