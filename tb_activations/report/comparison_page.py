"""A comparison of runs as one self-contained HTML page: no script, no font, nothing to load."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tb_activations.comparison.comparison import Comparison
from tb_activations.comparison.difference import Cause, Difference, shown
from tb_activations.comparison.pictures import last_pictures
from tb_activations.comparison.text import summary
from tb_activations.events.run import Run
from tb_activations.records.columns import LAYER_STATISTICS, STEP_STATISTICS
from tb_activations.report.drawing import Chart, data_url, life_picture
from tb_activations.report.two_lines import Course, two_lines

CHARTS = 12
"""Charts of a run at most: the first statistic of each layer, then the largest differences."""
LIVES = 4
"""Layers with a picture of their units at most."""
PICTURES = 12
"""Pictures that differ at most."""
LISTED = 1000
"""Statistics in the table at most."""
_SCALES = {statistic.id: statistic.scale for statistic in (*LAYER_STATISTICS, *STEP_STATISTICS)}


@dataclasses.dataclass(frozen=True, eq=False)
class Compared:
    """Two runs and what differs between them."""

    comparison: Comparison
    expected: Run
    actual: Run


@dataclasses.dataclass(frozen=True)
class Drawn:
    """One chart, the difference that it shows, and the ends of its axis of steps."""

    difference: Difference
    chart: Chart
    first_step: int
    last_step: int


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two pictures of the same thing as data URLs, "" where a run has none."""

    title: str
    expected: str
    actual: str


def comparison_page(
    compared: Sequence[Compared], *, title: str, missing: Sequence[str] = (), added: Sequence[str] = ()
) -> str:
    """The page for these comparisons; the same runs give the same text. All names are escaped.

    Args:
        title: heading of the page, such as the name of a test.
        missing, added: names of runs that only the expected folder, only the actual folder has.
    """
    environment = Environment(
        loader=PackageLoader("tb_activations.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("comparison.html")
    return template.render(
        title=title,
        runs=[_run(one) for one in compared],
        missing=missing,
        added=added,
        listed=LISTED,
        shown=shown,
        summary=summary,
    )


def _run(compared: Compared) -> dict[str, Any]:
    comparison = compared.comparison
    statistics = comparison.grouped.get(Cause.STATISTIC, ())
    return {
        "comparison": comparison,
        "groups": {cause: found for cause, found in comparison.grouped.items() if cause is not Cause.STATISTIC},
        "statistics": statistics,
        "charts": _charts(compared),
        "lives": _lives(compared),
        "pictures": _pictures(compared),
    }


def _charts(compared: Compared) -> list[Drawn]:
    comparison = compared.comparison
    firsts: dict[str | None, Difference] = {}
    for one in comparison.differences:
        if one.largest is not None and _courses(compared, one) is not None:
            firsts.setdefault(one.layer, one)
    candidates = dict.fromkeys([*list(firsts.values())[: CHARTS // 2], *comparison.largest(CHARTS)])
    drawn = (_drawn(compared, one) for one in candidates)
    return [one for one in drawn if one is not None][:CHARTS]


def _drawn(compared: Compared, difference: Difference) -> Drawn | None:
    courses = _courses(compared, difference)
    if courses is None:
        return None
    chart = two_lines(*courses, scale=_SCALES.get(difference.what, "log"), mark=difference.step)
    ends = [int(step) for course in courses for step in (course.steps[0], course.steps[-1])]
    return Drawn(difference, chart, min(ends), max(ends)) if chart is not None else None


def _courses(compared: Compared, difference: Difference) -> tuple[Course, Course] | None:
    """The two series of a statistic; None for units and histograms, which are no series, and for runs without steps."""
    if not len(compared.expected.steps) or not len(compared.actual.steps):
        return None
    layer = difference.layer
    partner = compared.comparison.renamed.get(layer, layer) if layer is not None else None
    try:
        return (
            _course(compared.expected, difference, layer),
            _course(compared.actual, difference, partner),
        )
    except (KeyError, ValueError):
        return None


def _course(run: Run, difference: Difference, layer: str | None) -> Course:
    """Raises KeyError or ValueError if the run has no such series."""
    if difference.weight:
        name = f"{layer}/{difference.weight}" if layer is not None else difference.weight
        return Course(run.steps, run.weight_stat(difference.what)[:, run.weights.index(name)])
    if layer is None:
        return Course(run.steps, run.step_stat(difference.what))
    return Course(run.steps, run.stat(difference.what)[:, run.spec.layer_index(layer)])


def _lives(compared: Compared) -> list[Pair]:
    """How active the units were over the steps, of the first layers whose units differ or are in one run only."""
    pairs = []
    shown_below = {one.what for one in compared.comparison.grouped.get(Cause.PICTURE, ())}
    for layer in dict.fromkeys(one.layer for one in compared.comparison.differences if one.step is not None):
        if layer is None or layer not in compared.expected.layers or f"picture units/{layer}" in shown_below:
            continue
        partner = compared.comparison.renamed.get(layer, layer)
        pictures = [life_picture(run.units(name)) or "" for run, name in _sides(compared, layer, partner)]
        if any(pictures) and pictures[0] != pictures[1]:
            pairs.append(Pair(f"Units of {layer}", *pictures))
    return pairs[:LIVES]


def _sides(compared: Compared, layer: str, partner: str) -> Iterable[tuple[Run, str]]:
    return (compared.expected, layer), (compared.actual, partner)


def _pictures(compared: Compared) -> list[Pair]:
    comparison = compared.comparison
    tags = [one.what.partition(" ")[2] for one in comparison.grouped.get(Cause.PICTURE, ())][:PICTURES]
    if not tags:
        return []
    found = last_pictures(compared.expected, compared.actual, comparison.renamed, tags)
    return [_pair(tag, *pictures) for tag, pictures in found.items()]


def _pair(tag: str, expected: bytes | None, actual: bytes | None) -> Pair:
    return Pair(tag, *(data_url(png) if png is not None else "" for png in (expected, actual)))
