"""What cells of recurrent layers were like at each time step of a sequence, in event files and in a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.series import Point
from tb_activations.records.columns import TIME_BINS
from tb_activations.records.formatting import number
from tb_activations.records.specs import RunSpec

Floats = NDArray[np.float32]
VALUES = 1 + 2 * TIME_BINS
"""Of one cell at one step: number of time steps, then the bins of its outputs and those of the gradients."""


class Sequences(NamedTuple):
    """One cell over time, at Q observed steps.

    A bin is a time step if a sequence has at most 64 of them; otherwise time step `t` of `n` is in bin `64 * t // n`.
    Time is the order in which the loop runs: with `go_backwards`, the last time step of the data comes first.

    Attributes:
        steps: `[Q]` int64, the observed steps.
        length: `[Q]` int64, number of time steps of the sequences, with padding.
        activity: `[Q, bins]` float32 >= 0, root mean square of the outputs; padding and values that are not finite are
            left out. NaN in bins without values.
        gradient: `[Q, bins]` float32 >= 0, the same for the gradient of the loss at the outputs.
    """

    steps: NDArray[np.int64]
    length: NDArray[np.int64]
    activity: Floats
    gradient: Floats

    def reading(self, place: int) -> str:
        """One sentence on how far back the gradient reaches at the observed step of this index."""
        gradient = self.gradient[place].astype(np.float64)
        measured = np.flatnonzero(np.isfinite(gradient) & (gradient >= 0))
        if not measured.size:
            return "No gradient was measured over time."
        sizes = steps_per_bin(int(self.length[place]))[measured]
        values = gradient[measured]
        if not values.any():
            return "No gradient reaches any time step."
        first, last = ("time step" if size == 1 else f"{size} time steps" for size in sizes[[0, -1]].tolist())
        if not values[-1]:
            return f"The gradient at the last {last} is 0."
        reference = "one" if sizes[-1] == 1 else str(sizes[-1])
        start = (
            f"The gradient at the first {first} is {number(values[0] / values[-1])} times that at the last {reference}"
        )
        if not values[0]:
            start = f"No gradient reaches the first {first}"
        back = _last_half(values, sizes)
        return f"{start}; half of its squared norm comes from the last {back} of {sizes.sum()} steps."


def steps_per_bin(length: int) -> NDArray[np.int64]:
    """`[64]`: how many of `length` time steps are in each bin."""
    if length <= TIME_BINS:
        return (np.arange(TIME_BINS) < length).astype(np.int64)
    # The first time step of each bin, rounded up.
    return np.diff(-(-np.arange(TIME_BINS + 1) * length // TIME_BINS))


def _last_half(values: NDArray[np.float64], sizes: NDArray[np.int64]) -> int:
    # Scaled to at most 1 before squaring, so that tiny gradients do not vanish.
    squares = np.square(values / values.max()) * sizes
    back = np.cumsum(squares[::-1])
    return int(sizes[::-1][: np.searchsorted(back, back[-1] / 2) + 1].sum())


class SequenceTable(NamedTuple):
    """N measurements of cells: one for each step and cell.

    Attributes:
        steps: `[N]` int64, ascending.
        rows: `[N]` int64, the cell's row in the layer table.
        values: `[N, 1 + 2 * 64]` float32: number of time steps, bins of the outputs, bins of the gradients.
    """

    steps: NDArray[np.int64]
    rows: NDArray[np.int64]
    values: Floats

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return self.steps.nbytes + self.rows.nbytes + self.values.nbytes

    def at(self, steps: NDArray[np.int64]) -> SequenceTable:
        """Reduced to these steps."""
        kept = np.isin(self.steps, steps)
        return SequenceTable(self.steps[kept], self.rows[kept], self.values[kept])

    def of(self, layer: str, spec: RunSpec) -> Sequences:
        """Those of a cell, or of the first measured cell of a recurrent layer.

        Raises:
            KeyError: there is no such layer, or it was not measured over time.
        """
        row = self._row(layer, spec)
        own = self.values[self.rows == row]
        length = own[:, 0].astype(np.int64)
        bins = min(int(length.max(initial=0)), TIME_BINS)
        activity, gradient = own[:, 1 : 1 + bins], own[:, 1 + TIME_BINS :][:, :bins]
        return Sequences(self.steps[self.rows == row], length, activity, gradient)

    def _row(self, layer: str, spec: RunSpec) -> int:
        own, known = spec.layer_index(layer), np.unique(self.rows).tolist()
        parts = [row for row in known if spec.layers[row].part_of == layer]
        if own in known or parts:
            return own if own in known else parts[0]
        cells = ", ".join(spec.layers[row].name for row in known[:20])
        has = f"measured over time are {cells}" if cells else "the run has no recurrent layer, or no histograms"
        raise KeyError(f"layer {layer!r} was not measured over time; {has}")


NO_SEQUENCES = SequenceTable(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, VALUES), np.float32))


def stored(values: Floats) -> Floats:
    """`[cells, 2 + 2 * 64]`: the row of each cell, then its values; from `[layers, 1 + 2 * 64]`, NaN in other rows."""
    rows = np.flatnonzero(~np.isnan(values[:, 0]))
    return np.concatenate([rows[:, None].astype(np.float32), values[rows]], axis=1)


def moved(table: NDArray[np.generic], places: NDArray[np.int64]) -> Floats | None:
    """A stored table with the rows of another description, `[newest rows]` of old ones; None if it is no such table."""
    if table.dtype != np.float32 or table.ndim != 2 or table.shape[1] != 1 + VALUES:
        return None
    newest = {old: new for new, old in enumerate(places.tolist()) if old >= 0}
    kept = [(newest[row], values) for row, *values in table.tolist() if row in newest]
    return np.array([[row, *values] for row, values in kept], np.float32).reshape(-1, 1 + VALUES)


def table_of(points: Sequence[Point], layers: int) -> tuple[SequenceTable, int]:
    """The table in stored points, and how many of them do not fit a run of that many layers."""
    fitting = [point for point in points if _is_fitting(point.value, layers)]
    dropped = len(points) - len(fitting)
    if not fitting:
        return NO_SEQUENCES, dropped
    joined = np.concatenate([point.value for point in fitting])
    steps = np.repeat([point.step for point in fitting], [len(point.value) for point in fitting])
    return SequenceTable(steps.astype(np.int64), joined[:, 0].astype(np.int64), joined[:, 1:]), dropped


def _is_fitting(table: NDArray[np.generic], layers: int) -> bool:
    if table.dtype != np.float32 or table.ndim != 2 or table.shape[1] != 1 + VALUES:
        return False
    rows, lengths = table[:, 0].astype(np.float64), table[:, 1].astype(np.float64)
    with np.errstate(invalid="ignore"):
        are_rows = (rows >= 0) & (rows < layers) & (rows == np.floor(rows))
        are_lengths = (lengths >= 0) & (lengths <= LONGEST) & (lengths == np.floor(lengths))
    return bool(are_rows.all() and are_lengths.all()) and len(np.unique(rows)) == len(rows)


LONGEST = 2**24
"""Time steps: a damaged file could claim any number."""
