"""The report as one self-contained HTML page: no script, no font, nothing to load."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from tb_activations.events.run import Run
from tb_activations.health.verdict import headline
from tb_activations.records.columns import LAYER_STATISTICS, STEP_STATISTICS, Statistic
from tb_activations.records.finding import Finding, Outcome
from tb_activations.records.formatting import count, number
from tb_activations.report import words
from tb_activations.report.course import health_course, summary
from tb_activations.report.drawing import Chart, life_picture, line_chart, strip
from tb_activations.report.overview import totals, worst_first
from tb_activations.report.stored import Judged, Unreadable

COLUMNS = 400
LAYERS_DRAWN = 16
"""Number of layers with findings that get charts, worst first."""
LAYER_CHARTS = ("std", "silent_fraction", "gradient_norm", "weight_gradient_norm", "update_ratio", "weight_norm")
COUNTS = ("nonfinite", "gradient_nonfinite", "weight_nonfinite")
"""Drawn only if they are not always zero."""
TABLE = ("std", "silent_fraction", "gradient_norm", "weight_gradient_norm", "update_ratio")
TRAINING = ("loss", "learning_rate")
SILENCE, SILENCE_RULE = "silent_fraction", "dead_units"
"""A statistic that is drawn only for layers to which this rule applies."""


@dataclasses.dataclass(frozen=True)
class Drawn:
    """One chart with its heading, explanation and summary for screen readers."""

    title: str
    about: str
    chart: Chart
    summary: str


@dataclasses.dataclass(frozen=True)
class SickLayer:
    """The charts and unit lives of one layer with findings."""

    name: str
    charts: tuple[Drawn, ...]
    life: str | None
    lives: str


def report_page(runs: Sequence[Judged | Unreadable]) -> str:
    """The page for these runs; the same runs give the same text. All names are escaped."""
    environment = Environment(
        loader=PackageLoader("tb_activations.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=words, headline=headline, number=number, count=count)
    readable = [_run(run) for run in runs if isinstance(run, Judged)]
    unreadable = [run for run in runs if isinstance(run, Unreadable)]
    # Ids are places in the order of the names; the overview has the worst run first.
    overview = sorted(enumerate(readable, 1), key=lambda entry: worst_first(entry[1]["judged"]))
    return environment.get_template("report.html").render(
        runs=readable, unreadable=unreadable, overview=overview, total=totals(runs)
    )


def _run(judged: Judged) -> dict[str, Any]:
    run = judged.run
    course = health_course(run, COLUMNS)
    states = [_state(row) for row in run.last_outcomes]
    return {
        "judged": judged,
        "run": run,
        "name": judged.title,
        "recorded": _recorded(run),
        "training": [
            _drawn(run, statistic, run.step_stat(statistic.id)) for statistic in _of(STEP_STATISTICS, TRAINING)
        ],
        "course": course,
        "strips": [strip(course, row) for row in range(len(run.layers)) if len(run.steps)],
        "sick_rows": course.ever_sick,
        "quiet_rows": [row for row in range(len(run.layers)) if row not in course.ever_sick],
        "families": words.families(judged.counting),
        "closed": [finding for finding in run.findings if finding.closed_step is not None],
        "sick_layers": _sick_layers(run),
        "layer_states": states,
        "since": _since(run, states),
        "table": _of(LAYER_STATISTICS, TABLE),
        "latest": {name: _latest(run, name) for name in TABLE},
    }


def _of(statistics: Sequence[Statistic], names: Sequence[str]) -> list[Statistic]:
    return [statistic for statistic in statistics if statistic.id in names]


def _recorded(run: Run) -> str:
    """When the run was recorded; "" without records, and for times that a damaged file makes up."""
    if not len(run.wall_times):
        return ""
    try:
        first, last = (
            datetime.datetime.fromtimestamp(float(time), datetime.UTC).strftime("%Y-%m-%d %H:%M")
            for time in (run.wall_times[0], run.wall_times[-1])
        )
    except (OverflowError, ValueError, OSError):
        return ""
    return f"{first} UTC" if first == last else f"{first} to {last} UTC"


def _drawn(run: Run, statistic: Statistic, values: Any, marks: tuple[int, ...] = ()) -> Drawn | None:
    chart = line_chart(run.steps, values, scale=statistic.scale, marks=marks)
    if chart is None:
        return None
    found = summary(run.steps, values)
    if found is None:
        return Drawn(statistic.title, statistic.about, chart, "never finite")
    described = (
        f"{number(found.first)} at step {found.first_step}, {number(found.last)} at step {found.last_step}, "
        f"lowest {number(found.lowest)}, highest {number(found.highest)}"
    )
    return Drawn(statistic.title, statistic.about, chart, described)


def _sick_layers(run: Run) -> list[SickLayer]:
    names = dict.fromkeys(one.layer for one in run.findings if one.closed_step is None and one.layer in run.layers)
    return [
        _sick_layer(run, name, [one for one in run.findings if one.layer == name])
        for name in list(names)[:LAYERS_DRAWN]
    ]


def _sick_layer(run: Run, name: str, findings: Sequence[Finding]) -> SickLayer:
    row = run.spec.layer_index(name)
    marks = tuple(sorted({finding.since_step for finding in findings if finding.closed_step is None}))
    charts = []
    for statistic in _of(LAYER_STATISTICS, LAYER_CHARTS + COUNTS):
        values = run.stat(statistic.id)[:, row]
        if (statistic.id not in COUNTS or np.nansum(values) > 0) and _applies(run, row, statistic.id):
            charts.append(_drawn(run, statistic, values, marks))
    activity = run.units(name)
    has_units = any(finding.unit_count for finding in findings)
    life = life_picture(activity) if has_units else None
    return SickLayer(name, tuple(filter(None, charts)), life, _lives(run, name) if life else "")


def _applies(run: Run, row: int, statistic: str) -> bool:
    """Whether a statistic means something for a layer: silence does not where silent units are no fault."""
    if statistic != SILENCE or SILENCE_RULE not in run.rules:
        return True
    return bool((run.outcomes[:, row, run.rules.index(SILENCE_RULE)] != Outcome.NOT_APPLICABLE).any())


def _lives(run: Run, layer: str) -> str:
    states = [life.state for life in run.lives(layer)]
    named = (("born_dead", "never active"), ("died", "died"), ("revived", "revived"), ("alive", "alive"))
    return ", ".join(f"{states.count(state)} {word}" for state, word in named if state in states)


def _state(outcomes: Any) -> Outcome:
    """The worst outcome of a layer."""
    return max(map(Outcome, outcomes), key=lambda outcome: outcome.rank, default=Outcome.NOT_APPLICABLE)


def _since(run: Run, states: Sequence[Outcome]) -> list[int | None]:
    """The first step of each layer's oldest open finding that gives it its state, None without one."""
    return [
        min(
            (
                finding.since_step
                for finding in run.findings
                if finding.layer == name and finding.closed_step is None and finding.severity.outcome is state
            ),
            default=None,
        )
        for name, state in zip(run.layers, states, strict=True)
    ]


def _latest(run: Run, name: str) -> list[str]:
    """The last measured value of each layer, "" if there is none."""
    latest = []
    for row, values in enumerate(run.stat(name).T):
        measured = values[~np.isnan(values)] if _applies(run, row, name) else values[:0]
        latest.append(number(float(measured[-1])) if measured.size else "")
    return latest
