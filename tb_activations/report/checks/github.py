"""The result of a check as workflow commands of GitHub Actions, which become annotations of the run of a workflow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tb_activations.records.finding import Severity
from tb_activations.report.checks.checked import Checked
from tb_activations.report.checks.text import summary
from tb_activations.report.words import place, plural, printable, title

_KINDS = {Severity.NOTE: "notice", Severity.WARNING: "warning", Severity.PROBLEM: "error"}


def workflow_commands(results: Sequence[Checked], lowest: Severity) -> str:
    """One annotation per cause and per run that could not be judged; a plain line per healthy run."""
    return "".join(f"{line}\n" for checked in results for line in _lines(checked, lowest))


def _lines(checked: Checked, lowest: Severity) -> Iterator[str]:
    name = printable(checked.run.title)
    if checked.reason:
        yield _command("error", f"{name}: cannot be judged", checked.reason)
    elif not checked.causes:
        # A line that begins with "::" would be a command.
        yield f"✓ {name}: {summary(checked, lowest)}"
    for cause in checked.causes:
        finding = cause.finding
        more = f" and {len(cause.also)} more {plural(len(cause.also), 'layer')}" if cause.also else ""
        heading = f"{name}: {title(finding.rule)} in {printable(place(finding))}{more}"
        advice = f"\nTry: {printable(finding.advice)}" if finding.advice else ""
        yield _command(_KINDS[cause.severity], heading, printable(cause.text) + advice)


def _command(kind: str, heading: str, message: str) -> str:
    return f"::{kind} title={_escaped(heading).replace(':', '%3A').replace(',', '%2C')}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
