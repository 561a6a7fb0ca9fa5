"""A line chart of one statistic in two runs."""

from __future__ import annotations

import dataclasses

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from tb_activations.report.course import with_extremes
from tb_activations.report.drawing import HEIGHT, POINTS, WIDTH, Chart, labels, lines


@dataclasses.dataclass(frozen=True, eq=False)
class Course:
    """A series over steps: `[n]` ascending steps and `[n]` values."""

    steps: NDArray[np.int64]
    values: NDArray[np.float32]

    @property
    def thinned(self) -> Course:
        """The same shape with fewer points."""
        chosen = with_extremes(self.values, POINTS)
        return Course(self.steps[chosen], self.values[chosen])


def two_lines(expected: Course, actual: Course, *, scale: str, mark: int | None = None) -> Chart | None:
    """The expected series as a broad line and the actual one as a thin line on common axes; None if nothing is finite.

    Args:
        scale: "log" if it should be logarithmic; a series with values that are not positive is drawn as linear.
        mark: step with a dashed vertical line.
    """
    courses = expected.thinned, actual.thinned
    values = np.concatenate([course.values for course in courses]).astype(np.float64)
    steps = np.concatenate([course.steps for course in courses]).astype(np.float64)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    is_log = scale == "log" and bool((finite > 0).all())
    low, high = float(finite.min()), float(finite.max())
    ends = (np.log10(low), np.log10(high)) if is_log else (low, high)

    def across(at: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (at - steps.min()) / max(steps.max() - steps.min(), 1.0) * WIDTH
        return found

    shapes = []
    if mark is not None:
        x = float(across(np.array([float(mark)]))[0])
        shapes.append(Markup('<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"/>').format(x, HEIGHT))
    for course, name in zip(courses, ("expected", "actual"), strict=True):
        own = np.where(np.isfinite(course.values), course.values.astype(np.float64), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            heights = np.log10(own) if is_log else own
        y = HEIGHT - 6 - (heights - ends[0]) / (ends[1] - ends[0] or 1.0) * (HEIGHT - 12)
        shapes += lines(across(course.steps.astype(np.float64)), y, name)
    svg = Markup(
        '<svg class="chart" viewBox="-4 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(WIDTH + 8, HEIGHT, Markup("").join(shapes))
    return Chart(svg, *labels(low, high), is_log)
