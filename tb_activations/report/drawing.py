"""Inline SVG and PNG for the page. Colors are classes of its style sheet, which covers both themes and print."""

from __future__ import annotations

import base64
import dataclasses

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from tb_activations.pictures.kinds import life_map
from tb_activations.records.finding import Outcome
from tb_activations.records.formatting import different, number
from tb_activations.report.course import HealthCourse, with_extremes
from tb_activations.report.words import WORDS

WIDTH, HEIGHT = 320, 96
"""Size of a line chart, in SVG units."""
POINTS = 400
_HEIGHTS = {
    Outcome.PROBLEM: 12,
    Outcome.WARNING: 9,
    Outcome.NOTE: 6,
    Outcome.ERROR: 12,
    Outcome.OK: 2,
    Outcome.INSUFFICIENT_DATA: 2,
    Outcome.NOT_APPLICABLE: 2,
}
"""Height of an outcome in a strip of 12: worse is taller, so that outcomes can be recognized without color."""


@dataclasses.dataclass(frozen=True)
class Chart:
    """A line chart and its axis labels.

    Attributes:
        svg: the drawing.
        low, high: the ends of its axis; for a constant "" and the value.
        is_log: whether the axis is logarithmic.
    """

    svg: Markup
    low: str
    high: str
    is_log: bool


def strip(course: HealthCourse, row: int) -> Markup:
    """The health of one layer over time, on the axis of the line charts."""
    at = _across(course.steps.astype(np.float64))
    # A column covers the steps after the previous column.
    edges = np.concatenate([[0.0], at[:-1], [float(WIDTH)]])
    shapes = Markup("").join(
        Markup('<rect class="{}" x="{:.2f}" y="{}" width="{:.2f}" height="{}"><title>{}</title></rect>').format(
            outcome.name.lower(),
            edges[start],
            12 - _HEIGHTS[outcome],
            edges[start + length] - edges[start],
            _HEIGHTS[outcome],
            _when(course, start, length, outcome),
        )
        for start, length, outcome in course.stretches(row)
    )
    return Markup(
        '<svg class="strip" viewBox="0 0 {} 12" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(WIDTH, shapes)


def _across(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions of steps on an axis from the first to the last."""
    across: NDArray[np.float64] = (steps - steps[0]) / max(steps[-1] - steps[0], 1.0) * WIDTH
    return across


def _when(course: HealthCourse, start: int, length: int, outcome: Outcome) -> str:
    return f"{WORDS[outcome]}, steps {course.steps[start]} to {course.steps[start + length - 1]}"


def line_chart(
    steps: NDArray[np.int64], values: NDArray[np.float32], *, scale: str, marks: tuple[int, ...] = ()
) -> Chart | None:
    """A series over steps; None if nothing was measured.

    A gap is a step without a measurement. Infinite values are crosses at the upper edge. On a logarithmic axis zero
    and negative values are a thick line at the lower edge.

    Args:
        steps: `[n]`, ascending.
        values: `[n]`.
        scale: "linear", "log" or "symlog". "symlog", and "log" without a positive value, are drawn as linear.
        marks: steps with a dashed vertical line.
    """
    if not len(values) or np.isnan(values).all():
        return None
    chosen = with_extremes(values, POINTS)
    at, seen = steps[chosen].astype(np.float64), values[chosen].astype(np.float64)
    is_log = scale == "log" and bool((seen[np.isfinite(seen)] > 0).any())
    is_below = (seen <= 0) & is_log
    with np.errstate(divide="ignore", invalid="ignore"):
        heights = np.where(is_below | ~np.isfinite(seen), np.nan, np.log10(seen) if is_log else seen)
    finite = heights[np.isfinite(heights)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    x = _across(at)
    y = HEIGHT - 6 - (heights - low) / (high - low) * (HEIGHT - 12) if high > low else heights * 0 + HEIGHT / 2
    shapes = [
        *(
            Markup('<line class="mark" x1="{0}" x2="{0}" y1="0" y2="{1}"/>').format(_place(one, at), HEIGHT)
            for one in marks
        ),
        *lines(x, np.where(is_below, HEIGHT - 2.0, np.nan), "below"),
        *lines(x, y, "line"),
        *(Markup('<path class="infinite" d="M{:.1f} 2l6 6m0-6l-6 6"/>').format(one - 3) for one in x[np.isinf(seen)]),
    ]
    svg = Markup(
        '<svg class="chart" viewBox="-4 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(WIDTH + 8, HEIGHT, Markup("").join(shapes))
    ends = (10**low, 10**high) if is_log else (low, high)
    return Chart(svg, *(labels(*ends) if finite.size else ("", "")), is_log)


def labels(low: float, high: float) -> tuple[str, str]:
    """Both ends with enough digits to distinguish them; one label for a constant."""
    if low == high:
        return "", number(high)
    return different(low, high)


def _place(step: int, at: NDArray[np.float64]) -> str:
    return f"{(step - at[0]) / max(at[-1] - at[0], 1.0) * WIDTH:.1f}"


def lines(x: NDArray[np.float64], y: NDArray[np.float64], name: str) -> list[Markup]:
    """One line per run of points without a gap; a single point is a short line."""
    drawn = np.flatnonzero(np.isfinite(y))
    stretches = np.split(drawn, np.flatnonzero(np.diff(drawn) > 1) + 1) if drawn.size else []
    lines = []
    for stretch in stretches:
        points = " ".join(f"{x[i]:.1f},{y[i]:.1f}" for i in stretch)
        if len(stretch) == 1:
            points += f" {x[stretch[0]] + 1:.1f},{y[stretch[0]]:.1f}"
        lines.append(Markup('<polyline class="{}" points="{}"/>').format(name, points))
    return lines


def life_picture(activity: NDArray[np.float32]) -> str | None:
    """A layer's unit life map as a data URL; None if its units were never measured.

    Args:
        activity: `[steps, units]` in [0, 1], NaN where not measured.
    """
    measured = activity[~np.isnan(activity).all(axis=1)] if activity.size else activity
    if not measured.size:
        return None
    return data_url(life_map(measured).png)


def data_url(png: bytes) -> str:
    """A picture as an address that needs no request."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
