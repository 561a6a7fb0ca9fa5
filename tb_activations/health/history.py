"""The past that rules judge: the latest observed steps and the state of every unit, in bounded memory."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.graph import layer_graph
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.descriptions import Places, in_rows, moved
from tb_activations.records.specs import RunSpec
from tb_activations.records.step_record import StepRecord
from tb_activations.records.unit_lives import UnitHistory

WINDOW = 32
"""Observed steps kept. A median over them ignores a spike of 15 steps and follows a lasting change after 17."""

INITIAL_LOSSES = 3
"""Losses averaged into the initial loss, because the loss of a single batch is noisy."""

PEAK_CHECKS = 10
"""Observed steps over which the largest output of each unit is kept."""

BLOCK = 8
"""Observed steps summarized by their median gradient norm, to judge growth over a long time."""
BLOCKS = 6
"""Blocks kept."""


Result = TypeVar("Result")


class History:
    """The observed steps of one training so far; its size depends only on the layers, weights and units.

    Attributes:
        graph: of the run's layers.
        row_of: the row of each layer by its name.
        is_whole: `[layers]`, whether the row is a layer, not a single call or a part of one.
        is_trained: `[layers]`, whether it is also trainable.
        units_of: `[layers]`, number of units.
        checks: number of observed steps so far.
        first_step, step: the first and the latest observed step, -1 before the first.
        first: the first observed step, None before it.
        units: of all tracked layers, in the order of a record's unit vectors.
        unit_slices: each layer's slice of those vectors.
        weight_rows: for each layer's name the rows of its trainable weights in the weight table.
        weight_elements: `[layers]`, number of elements of each layer's trainable weights, 0 if unknown.
        initial_loss: mean of the first finite losses, NaN before the first.
        initial_size: mean of the absolute values of the same losses; differs from `initial_loss` if signs differ.
        loss: median of the finite losses in the window, NaN without any.
        lowest_loss: the lowest `loss` so far.
        peak_learning_rate: the largest so far, NaN if none was measured.
        gradient_blocks: `[blocks, layers]`, medians of the weight gradient norm over blocks of observed steps, at most
            `BLOCKS`, oldest first.
    """

    def __init__(self, spec: RunSpec, window: int = WINDOW) -> None:
        self._describe(spec)
        self.checks = 0
        self.first_step = self.step = -1
        self.first: StepRecord | None = None
        self.units = UnitHistory(spec.unit_count)
        self.initial_loss = self.initial_size = self.peak_learning_rate = float("nan")
        self.loss = self.lowest_loss = float("nan")
        self.gradient_blocks = np.zeros((0, len(spec.layers)))
        self._steps = np.zeros(window, np.int64)
        # One column after the other, because rules ask for columns.
        self._tables = np.full((len(LAYER_COLUMNS), window, len(spec.layers)), np.nan, np.float32)
        self._weights = np.full((len(WEIGHT_COLUMNS), window, len(spec.weights)), np.nan, np.float32)
        self._totals = np.full((window, len(STEP_COLUMNS)), np.nan)
        self._peaks = np.full((PEAK_CHECKS, spec.unit_count), np.nan, np.float32)
        self._common_peaks = np.full((window, len(spec.layers)), np.nan, np.float32)
        self._initial_losses: list[float] = []
        self._kept: NDArray[np.int64] = np.arange(0)
        self._of_step: dict[Hashable, Any] = {}

    def _describe(self, spec: RunSpec) -> None:
        self.spec = spec
        self.graph = layer_graph(spec.layers)
        self.units_of = np.array([layer.units for layer in spec.layers], np.int64)
        self.is_whole = np.array([layer.is_whole for layer in spec.layers], bool)
        self.is_trained = self.is_whole & np.array([layer.trainable for layer in spec.layers], bool)
        self.row_of = rows = {layer.name: row for row, layer in enumerate(spec.layers)}
        self._of_run: dict[Hashable, Any] = {}
        self.weight_elements = np.zeros(len(spec.layers), np.int64)
        self.weight_rows: dict[str, list[int]] = {}
        for place, weight in enumerate(spec.weights):
            self.weight_rows.setdefault(weight.layer, []).append(place)
            if weight.layer in rows:
                self.weight_elements[rows[weight.layer]] += math.prod(weight.shape)
        # Computed once: the description finds a single slice in linear time, which adds up at every observed step.
        ends = np.cumsum([0, *self.units_of]).tolist()
        self.unit_slices = [slice(start, end) for start, end in itertools.pairwise(ends)]

    def described(self, spec: RunSpec) -> History:
        """The same history for a newer description of the run; rows that are new have no history."""
        at, result = Places(self.spec, spec), copy.copy(self)
        result._describe(spec)
        result.first = self.first and in_rows(self.first, at)
        result.units = self.units.moved(at.units)
        result.gradient_blocks = moved(self.gradient_blocks, at.layers, np.nan, 1)
        result._tables = moved(self._tables, at.layers, np.nan, 2)
        result._weights = moved(self._weights, at.weights, np.nan, 2)
        result._peaks = moved(self._peaks, at.units, np.nan, 1)
        result._common_peaks = moved(self._common_peaks, at.layers, np.nan, 1)
        result._of_step = {}
        return result

    def update(self, record: StepRecord) -> None:
        """Adds the next observed step.

        Raises:
            ValueError: the record does not fit the run's description.
        """
        expected = (len(self.spec.layers), len(LAYER_COLUMNS))
        if record.layers.shape != expected or len(record.unit_activity) != self.spec.unit_count:
            raise ValueError(
                f"record of step {record.step} has layers {record.layers.shape} and {len(record.unit_activity)} units, "
                f"the run has {expected} and {self.spec.unit_count}"
            )
        place = self.checks % len(self._steps)
        self._steps[place] = record.step
        self._tables[:, place] = record.layers.T
        # Stored runs may lack weight statistics.
        self._weights[:, place] = record.weights.T if len(record.weights) else np.nan
        self._totals[place] = record.totals
        self._peaks[self.checks % PEAK_CHECKS] = record.unit_peak
        self._common_peaks[place] = self._common(record.unit_peak)
        self.note_totals(record.total("loss"), record.total("learning_rate"))
        self._take_units(self.units, record)
        self.first = self.first or record
        self.first_step = self.first.step
        self.step = record.step
        self.checks += 1
        self._kept, self._of_step = self._order(), {}
        self.note_losses(self.losses)
        self.close_block(self.stat("weight_gradient_norm"))

    def note_totals(self, loss: float, learning_rate: float) -> None:
        """Adds what is kept of them over the whole training."""
        if len(self._initial_losses) < INITIAL_LOSSES and np.isfinite(loss):
            self._initial_losses.append(loss)
            self.initial_loss = float(np.mean(self._initial_losses))
            self.initial_size = float(np.mean(np.abs(self._initial_losses)))
        self.peak_learning_rate = float(np.fmax(self.peak_learning_rate, learning_rate))

    def note_losses(self, losses: NDArray[np.float64]) -> None:
        """Adds the losses of the window."""
        finite = losses[np.isfinite(losses)]
        self.loss = float(np.median(finite)) if finite.size else float("nan")
        self.lowest_loss = float(np.fmin(self.lowest_loss, self.loss))

    def _take_units(self, units: UnitHistory, record: StepRecord) -> None:
        samples = record.layer("elements") / np.maximum(self.units_of, 1)
        units.update(record.step, record.unit_activity, np.repeat(samples, self.units_of))

    def close_block(self, latest: NDArray[np.float32]) -> None:
        """Summarizes the latest steps after every `BLOCK` of them; `latest` holds `[steps, layers]` gradient norms."""
        if self.checks % BLOCK:
            return
        norms = latest[-BLOCK:].astype(np.float64)
        # One NaN makes the median of the block NaN. Such a block proves no growth.
        median: NDArray[np.float64] = np.median(np.where(np.isfinite(norms), norms, np.nan), axis=0)
        self.gradient_blocks = np.vstack([self.gradient_blocks, median])[-BLOCKS:]

    def once(self, key: Hashable, compute: Callable[[History], Result]) -> Result:
        """What `compute` makes of the run's description and its first step, computed once.

        Args:
            key: of the result among all others.
        """
        known: Result
        if key not in self._of_run:
            self._of_run[key] = compute(self)
        known = self._of_run[key]
        return known

    def once_a_step(self, key: Hashable, compute: Callable[[History], Result]) -> Result:
        """What `compute` makes of this history, computed once per observed step; callers must not modify it."""
        known: Result
        if key not in self._of_step:
            self._of_step[key] = compute(self)
        known = self._of_step[key]
        return known

    @property
    def steps(self) -> NDArray[np.int64]:
        """`[checks kept]`, oldest first."""
        return self._steps[self._kept]

    @property
    def losses(self) -> NDArray[np.float64]:
        """`[checks kept]`, oldest first."""
        return self.total("loss")

    @property
    def loss_scale(self) -> float:
        """Loss scale of the latest step, NaN if not measured."""
        return float(self.total("loss_scale")[-1])

    def total(self, column: str) -> NDArray[np.float64]:
        """`[checks kept]` of one of `STEP_COLUMNS`, oldest first."""
        kept: NDArray[np.float64] = self._totals[self._kept, STEP_COLUMNS.index(column)]
        return kept

    def weight_stat(self, column: str) -> NDArray[np.float32]:
        """`[checks kept, weights]` of one of `WEIGHT_COLUMNS`, oldest first; callers must not modify it."""
        place = WEIGHT_COLUMNS.index(column)
        return self.once_a_step(("weight", column), lambda _: self._weights[place, self._kept])

    @property
    def recent_peaks(self) -> NDArray[np.float32]:
        """`[units]`: each unit's largest absolute output over the last `PEAK_CHECKS` checks, NaN if not measured."""
        kept = self._peaks[: min(self.checks, PEAK_CHECKS)]
        return np.fmax.reduce(kept, axis=0) if len(kept) else np.full(self.spec.unit_count, np.nan, np.float32)

    @property
    def common_peaks(self) -> NDArray[np.float32]:
        """`[checks kept, layers]`: the largest absolute output that all units of a layer share; NaN if they differ."""
        return self._common_peaks[self._kept]

    def _common(self, peaks: NDArray[np.float32]) -> NDArray[np.float32]:
        lowest, highest = self.of_units(np.minimum, peaks, np.nan), self.of_units(np.maximum, peaks, np.nan)
        return np.where(lowest == highest, lowest, np.float32(np.nan))

    def stat(self, column: str) -> NDArray[np.float32]:
        """`[checks kept, layers]` of one of `LAYER_COLUMNS`, oldest first; callers must not modify it."""
        place = LAYER_COLUMNS.index(column)
        return self.once_a_step(("layer", column), lambda _: self._tables[place, self._kept])

    @property
    def rows(self) -> NDArray[np.float64]:
        """`[checks kept, layers]`: number of samples (times positions) behind the statistics of a layer."""
        return self.once_a_step(
            "rows",
            lambda _: np.nan_to_num(self.stat("elements").astype(np.float64)) / np.maximum(self.units_of, 1),
        )

    @property
    def row_sums(self) -> NDArray[np.float64]:
        """`[layers]`: the same over all kept steps."""
        # Along rows in memory, numpy adds in pairs, which is as exact as the sum of a single layer.
        return self.once_a_step("row sums", lambda _: np.ascontiguousarray(self.rows.T).sum(axis=1))

    def unit_counts(self, flags: NDArray[np.bool_]) -> NDArray[np.int64]:
        """`[layers]`: for how many units of each layer the flag is true, given `[units]` flags."""
        return self.of_units(np.add, flags.astype(np.int64), 0)

    def unit_means(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[layers]`: mean of `values`, `[units]`, over each layer's units; NaN for layers without."""
        result = np.full(len(self.spec.layers), np.nan, values.dtype)
        for rows, places in self.once("units by width", _by_width):
            # Along rows in memory, numpy adds in the order of a single layer's mean.
            result[rows] = values[places].mean(axis=1)
        return result

    def of_units(self, reduce: np.ufunc, values: NDArray[Any], missing: float) -> NDArray[Any]:
        """`[layers]`: `values`, `[units]`, of the units of each layer put together; `missing` for those without."""
        result = np.full(len(self.spec.layers), missing, values.dtype)
        tracked, starts = self.once("tracked", _tracked)
        if len(tracked):
            result[tracked] = reduce.reduceat(values, starts)
        return result

    @property
    def has_lost_weights(self) -> bool:
        """Whether weights were not finite at the latest step. Outputs tell nothing then: ReLU may turn NaN into 0."""
        return bool(np.any(self.latest("weight_nonfinite") > 0))

    def latest(self, column: str) -> NDArray[np.float32]:
        """`[layers]` of one of `LAYER_COLUMNS` at the latest step."""
        values: NDArray[np.float32] = self._tables[LAYER_COLUMNS.index(column), (self.checks - 1) % len(self._steps)]
        return values

    def _order(self) -> NDArray[np.int64]:
        """Places of the kept steps in the ring buffers, oldest first."""
        kept = min(self.checks, len(self._steps))
        return np.arange(self.checks - kept, self.checks) % len(self._steps)


def _tracked(history: History) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of the layers that have units, and where their units begin."""
    tracked = np.flatnonzero(history.units_of)
    return tracked, (np.cumsum(history.units_of) - history.units_of)[tracked]


def _by_width(history: History) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The rows of the layers with the same number of units, and `[rows, units]` places of these units."""
    tracked, starts = _tracked(history)
    widths = history.units_of[tracked]
    alike = [(widths == width, np.arange(width)) for width in np.unique(widths).tolist()]
    return [(tracked[chosen], starts[chosen][:, None] + units) for chosen, units in alike]
