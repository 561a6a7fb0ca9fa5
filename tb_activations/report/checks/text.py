"""The result of a check for a terminal: one line per run, one more per cause."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from tb_activations.records.finding import Severity
from tb_activations.report.checks.checked import CANNOT_JUDGE, Cause, Checked
from tb_activations.report.stored import Judged
from tb_activations.report.text import severity_style
from tb_activations.report.words import glyph, muted, plural, printable, rules_in_words

COUNTING = (Severity.WARNING, Severity.PROBLEM)


def print_checked(console: Console, checked: Checked, lowest: Severity) -> None:
    """Prints a run that could be judged."""
    if checked.status == CANNOT_JUDGE or not isinstance(checked.run, Judged):
        return
    severity = checked.severity
    console.print(
        Text.assemble(
            (printable(f"{glyph(severity)} {checked.run.title}"), severity_style(severity)),
            f": {summary(checked, lowest)}",
        ),
        soft_wrap=True,
    )
    for cause in checked.causes:
        console.print(_line(cause), soft_wrap=True)
    for finding, mute in checked.muted:
        line = f"  muted {finding.severity.value}, {finding.rule}: {printable(muted(finding, mute))}"
        console.print(Text(line, "dim"), soft_wrap=True)


def summary(checked: Checked, lowest: Severity) -> str:
    """A judged run in a few words."""
    silenced = f", {len(checked.muted)} muted" if checked.muted else ""
    if checked.causes:
        followers = sum(cause.consequences + len(cause.also) for cause in checked.causes)
        more = f", {followers} more {plural(followers, 'finding')}" if followers else ""
        return f"{len(checked.causes)} {plural(len(checked.causes), 'cause')}{more}{silenced}"
    assert isinstance(checked.run, Judged)
    counting = " or ".join(severity for severity in COUNTING if severity.rank >= lowest.rank)
    lesser = f", {checked.lesser} lesser {plural(checked.lesser, 'finding')}" if checked.lesser else ""
    states = rules_in_words({rule: checked.run.states[rule] for rule in checked.rules})
    return f"no {counting}{lesser}{silenced}. Rules: {states}"


def _line(cause: Cause) -> Text:
    about = f"  {cause.severity.value}, {cause.finding.rule}: "
    return Text.assemble((about, severity_style(cause.severity)), printable(cause.text))
