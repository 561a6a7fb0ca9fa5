"""A run reduced to what can be drawn: health over time, and curves with their extremes."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.run import Run
from tb_activations.records.finding import Outcome
from tb_activations.records.thinning import health, shown

_FINDINGS = (Outcome.NOTE, Outcome.WARNING, Outcome.PROBLEM)


@dataclasses.dataclass(frozen=True, eq=False)
class HealthCourse:
    """The health of every layer over time.

    Attributes:
        steps: `[shown]` int64, the last step of each column.
        outcomes: `[layers, shown]` uint8 of `Outcome`, the worst of all rules over the steps of a column.
    """

    steps: NDArray[np.int64]
    outcomes: NDArray[np.uint8]

    @property
    def ever_sick(self) -> list[int]:
        """Rows of the layers that had a finding at any step."""
        return np.flatnonzero(np.isin(self.outcomes, _FINDINGS).any(axis=1)).tolist()

    def stretches(self, row: int) -> list[tuple[int, int, Outcome]]:
        """First column, number of columns and outcome of each stretch of equal outcomes of a layer."""
        line = self.outcomes[row]
        starts = np.concatenate([[0], np.flatnonzero(np.diff(line)) + 1]) if line.size else np.empty(0, np.int64)
        ends = np.append(starts[1:], line.size)
        return [(int(a), int(b - a), Outcome(int(line[a]))) for a, b in zip(starts, ends, strict=True)]


def health_course(run: Run, columns: int) -> HealthCourse:
    """The health of `run` in at most `columns` columns."""
    indices = shown(len(run.steps), columns)
    return HealthCourse(run.steps[indices], health(run.outcomes, indices))


@dataclasses.dataclass(frozen=True)
class Summary:
    """Summary statistics of one series; NaN and infinities are left out.

    Attributes:
        first, last, lowest, highest: values.
        first_step, last_step, lowest_step, highest_step: their steps.
        nonfinite: how many of the values were infinite, NaN or not measured.
    """

    first: float
    first_step: int
    last: float
    last_step: int
    lowest: float
    lowest_step: int
    highest: float
    highest_step: int
    nonfinite: int


def summary(steps: NDArray[np.int64], values: NDArray[np.float32]) -> Summary | None:
    """None when no value is finite."""
    finite = np.flatnonzero(np.isfinite(values))
    if not finite.size:
        return None
    low, high = finite[np.argmin(values[finite])], finite[np.argmax(values[finite])]
    return Summary(
        first=float(values[finite[0]]),
        first_step=int(steps[finite[0]]),
        last=float(values[finite[-1]]),
        last_step=int(steps[finite[-1]]),
        lowest=float(values[low]),
        lowest_step=int(steps[low]),
        highest=float(values[high]),
        highest_step=int(steps[high]),
        nonfinite=int(values.size - finite.size),
    )


def with_extremes(values: NDArray[np.float32], points: int) -> NDArray[np.int64]:
    """Ascending indices of about `points` values that keep the shape of the curve.

    These are the lowest, the highest and the first non-finite value of each part, and the first and last of all.
    """
    if len(values) <= points:
        return np.arange(len(values), dtype=np.int64)
    kept = {0, len(values) - 1}
    for stretch in np.array_split(np.arange(len(values)), max(1, points // 2)):
        own = values[stretch]
        is_finite = np.isfinite(own)
        if is_finite.any():
            kept.add(int(stretch[np.argmin(np.where(is_finite, own, np.inf))]))
            kept.add(int(stretch[np.argmax(np.where(is_finite, own, -np.inf))]))
        if not is_finite.all():
            kept.add(int(stretch[np.argmin(is_finite)]))
    return np.array(sorted(kept), np.int64)
