"""The report as text, for a terminal or a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tb_activations.events.run import Run
from tb_activations.health.verdict import headline
from tb_activations.records.columns import STEP_STATISTICS
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.formatting import number
from tb_activations.records.mute import Mute
from tb_activations.report.course import HealthCourse, Summary, health_course, summary, with_extremes
from tb_activations.report.overview import symbol, totals, worst_first
from tb_activations.report.stored import Judged, Unreadable
from tb_activations.report.words import (
    GLYPHS,
    NO_STEP,
    TO_BE_OBSERVED,
    WORDS,
    Family,
    evidence,
    explanations,
    families,
    glyph,
    muted,
    place,
    plural,
    printable,
    rules_in_words,
    title,
    unobserved,
    why_no_layer,
)

STYLES = {
    Outcome.OK: "green",
    Outcome.NOTE: "cyan",
    Outcome.WARNING: "yellow",
    Outcome.PROBLEM: "bold red",
    Outcome.NOT_APPLICABLE: "dim",
    Outcome.INSUFFICIENT_DATA: "dim",
    Outcome.ERROR: "magenta",
}
HEALTH_TIMELINE = "Health timeline"
MATRIX_COLUMNS = 60
MATRIX_LAYERS = 40
LONGEST_NAME = 32
SPARKS = 24
TRAINING = ("loss", "learning_rate")
_CELLS = {**GLYPHS, Outcome.OK: "·"}
_BARS = "▁▂▃▄▅▆▇█"


def print_report(console: Console, runs: Sequence[Judged | Unreadable]) -> None:
    """Print all runs; an overview of several, worst first, before them."""
    if len(runs) > 1:
        for part in _overview(runs):
            console.print(part)
        console.print()
    for index, run in enumerate(runs):
        if index:
            console.print()
        for part in _unreadable(run) if isinstance(run, Unreadable) else _run(run):
            console.print(part)


def _overview(runs: Sequence[Judged | Unreadable]) -> Iterator[RenderableType]:
    yield Text(totals(runs), "bold")
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(ratio=2, overflow="fold")
    table.add_column(ratio=5)
    for run in sorted((run for run in runs if isinstance(run, Judged)), key=worst_first):
        name = Text(f"{symbol(run)} {_short(run.title)}", _style(run))
        table.add_row(name, Text(printable(run.verdict.sentence)))
    for unreadable in (run for run in runs if isinstance(run, Unreadable)):
        name = Text(f"{GLYPHS[Outcome.ERROR]} {_short(unreadable.title)}", STYLES[Outcome.PROBLEM])
        table.add_row(name, Text(f"cannot be read: {printable(unreadable.reason)}"))
    yield table


def unreadable_line(run: Unreadable) -> Text:
    """One line with the run that could not be read and the reason."""
    return Text.assemble((f"{printable(run.title)}: cannot be read: ", "bold red"), printable(run.reason))


def severity_style(severity: Severity | None) -> str:
    """The style of a severity; for None the style of a healthy run."""
    return STYLES[severity.outcome if severity else Outcome.OK]


def _style(judged: Judged) -> str:
    is_judged = judged.verdict.rules_checked > 0 or judged.verdict.severity is not None
    return severity_style(judged.verdict.severity) if is_judged else STYLES[Outcome.INSUFFICIENT_DATA]


def _unreadable(run: Unreadable) -> Iterator[RenderableType]:
    yield unreadable_line(run)


def _run(judged: Judged) -> Iterator[RenderableType]:
    run, verdict = judged.run, judged.verdict
    yield Text.assemble((printable(judged.title), "bold underline"), f"  {printable(run.spec.model)}, {_extent(run)}")
    yield Text(f"{symbol(judged)} {printable(verdict.sentence)}", _style(judged))
    rejudged = "judged with the given thresholds: " if judged.is_rejudged else ""
    if verdict.severity is None and why_no_layer(run.spec):
        # The verdict contains the reasons.
        yield Text(f"Try: {TO_BE_OBSERVED}", "yellow")
    else:
        yield Text(f"Rules: {rejudged}{rules_in_words(judged.states)}", "dim")
        yield from (Text(f"Not observed: {printable(why)}", "yellow") for why in unobserved(run.spec))
    for remark in judged.remarks:
        yield Text(f"Data issue: {printable(remark)}", "yellow")
    yield from _training(run)
    yield from _matrix(run, health_course(run, MATRIX_COLUMNS))
    for family in families(judged.counting):
        yield Text()
        yield from _family(family)
    if judged.muted:
        yield Text(f"\n{len(judged.muted)} muted {plural(len(judged.muted), 'finding')}", "bold")
        yield from (_indented(_muted(finding, mute)) for finding, mute in judged.muted)
    closed = [finding for finding in run.findings if finding.closed_step is not None]
    if closed:
        yield Text(f"\n{len(closed)} resolved {plural(len(closed), 'finding')}", "bold")
        yield from (_indented(_closed(finding)) for finding in closed)


def _extent(run: Run) -> str:
    layers = f"{len(run.layers)} {plural(len(run.layers), 'layer')}"
    if not len(run.steps):
        return f"{layers}, {NO_STEP}"
    return (
        f"{layers}, {len(run.steps):,} {plural(len(run.steps), 'step')} observed from {run.steps[0]} to {run.steps[-1]}"
    )


def _training(run: Run) -> Iterator[RenderableType]:
    for statistic in STEP_STATISTICS:
        values = run.step_stat(statistic.id) if statistic.id in TRAINING else np.empty(0, np.float32)
        found = summary(run.steps, values)
        if found is not None:
            yield Text(f"{statistic.title + ':':<15}{_sparkline(values)}  {_course(found)}")
        elif len(values):
            yield Text(f"{statistic.title + ':':<15}never finite", "bold red" if statistic.id == "loss" else "dim")


def _course(found: Summary) -> str:
    if found.lowest == found.highest:
        course = f"{number(found.first)} throughout"
    else:
        course = (
            f"{number(found.first)} to {number(found.last)}, lowest {number(found.lowest)} at step "
            f"{found.lowest_step}, highest {number(found.highest)} at step {found.highest_step}"
        )
    if not found.nonfinite:
        return course
    return f"{course}, not finite or not measured at {found.nonfinite} {plural(found.nonfinite, 'step')}"


def _sparkline(values: NDArray[np.float32]) -> str:
    chosen = values[with_extremes(values, SPARKS)].astype(np.float64)
    finite = chosen[np.isfinite(chosen)]
    low, high = finite.min(), finite.max()
    places = (chosen - low) / (high - low or 1) * (len(_BARS) - 1)
    return "".join(_BARS[round(place)] if np.isfinite(place) else "×" for place in places)


def _matrix(run: Run, course: HealthCourse) -> Iterator[RenderableType]:
    sick = course.ever_sick
    if not sick:
        return
    width = max(len(_short(run.layers[row])) for row in sick[:MATRIX_LAYERS])
    yield Text(f"\n{HEALTH_TIMELINE:<{width}}  {course.steps[0]} to {course.steps[-1]}", "bold")
    for row in sick[:MATRIX_LAYERS]:
        cells = [(_CELLS[outcome] * length, STYLES[outcome]) for _, length, outcome in course.stretches(row)]
        yield Text.assemble(f"{_short(run.layers[row]):<{width}}  ", *cells, no_wrap=True)
    shown = sorted({Outcome(code) for code in np.unique(course.outcomes[sick[:MATRIX_LAYERS]])})
    yield Text("  ".join(f"{_CELLS[outcome]} {WORDS[outcome]}" for outcome in shown), "dim")
    if len(sick) > MATRIX_LAYERS:
        yield Text(f"and {len(sick) - MATRIX_LAYERS} more layers with findings", "dim")
    healthy = len(run.layers) - len(sick)
    if healthy:
        yield Text(f"{healthy} other {plural(healthy, 'layer')} without findings at any step", "dim")


def _short(name: str) -> str:
    name = printable(name)
    return name if len(name) <= LONGEST_NAME else "…" + name[1 - LONGEST_NAME :]


def _family(family: Family) -> Iterator[RenderableType]:
    explained = explanations(family.members)
    yield _heading(family.root)
    yield _indented(_body(family.root, explained[0]))
    if family.followers:
        yield _indented(Text(f"Consequences ({len(family.followers)}):", "bold"))
    for finding, own in zip(family.followers, explained[1:], strict=True):
        yield _indented(Group(_heading(finding), _indented(_body(finding, own))), 6)


def _heading(finding: Finding) -> Text:
    return Text.assemble(
        (f"{glyph(finding.severity)} {finding.severity.value.upper()} ", severity_style(finding.severity)),
        (printable(place(finding)), "bold"),
        f"  {title(finding.rule)}: {printable(headline(finding))}, since step {finding.since_step}",
    )


def _body(finding: Finding, explained: Iterable[tuple[str, str]]) -> RenderableType:
    lines = [Text(printable(finding.message)), _labelled("Evidence", evidence(finding))]
    return Group(*lines, *(_labelled(heading, text) for heading, text in explained))


def _labelled(heading: str, text: str) -> Text:
    return Text.assemble((f"{heading}: ", "bold"), printable(text))


def _muted(finding: Finding, mute: Mute) -> Text:
    about = f"{glyph(finding.severity)} {finding.severity.value} {printable(place(finding))}, {title(finding.rule)}: "
    return Text(about + printable(muted(finding, mute)), "dim")


def _closed(finding: Finding) -> Text:
    about = f"{glyph(finding.severity)} {finding.severity.value} {printable(place(finding))}, {title(finding.rule)}"
    return Text.assemble(
        (about, severity_style(finding.severity)),
        f", resolved at step {finding.closed_step}: ",
        printable(finding.message),
    )


def _indented(renderable: RenderableType, by: int = 4) -> Padding:
    return Padding(renderable, (0, 0, 0, by))
