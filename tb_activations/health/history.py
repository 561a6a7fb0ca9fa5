"""The past that rules judge: the latest observed steps and the state of every unit, in bounded memory."""

from __future__ import annotations

import copy
import itertools
import math

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


class History:
    """The observed steps of one training so far; its size depends only on the layers, weights and units.

    Attributes:
        graph: of the run's layers.
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
        self.initial_loss = self.initial_size = self.loss = self.peak_learning_rate = float("nan")
        self.gradient_blocks = np.zeros((0, len(spec.layers)))
        self._steps = np.zeros(window, np.int64)
        self._tables = np.full((window, len(spec.layers), len(LAYER_COLUMNS)), np.nan, np.float32)
        self._weights = np.full((window, len(spec.weights), len(WEIGHT_COLUMNS)), np.nan, np.float32)
        self._totals = np.full((window, len(STEP_COLUMNS)), np.nan)
        self._peaks = np.full((PEAK_CHECKS, spec.unit_count), np.nan, np.float32)
        self._common_peaks = np.full((window, len(spec.layers)), np.nan, np.float32)
        self._initial_losses: list[float] = []
        self._stats: dict[str, NDArray[np.float32]] = {}
        self._weight_stats: dict[str, NDArray[np.float32]] = {}
        self._rows: NDArray[np.float64] | None = None

    def _describe(self, spec: RunSpec) -> None:
        self.spec = spec
        self.graph = layer_graph(spec.layers)
        self._units_per_layer = np.array([layer.units for layer in spec.layers], np.int64)
        rows = {layer.name: row for row, layer in enumerate(spec.layers)}
        self.weight_elements = np.zeros(len(spec.layers), np.int64)
        self.weight_rows: dict[str, list[int]] = {}
        for place, weight in enumerate(spec.weights):
            self.weight_rows.setdefault(weight.layer, []).append(place)
            if weight.layer in rows:
                self.weight_elements[rows[weight.layer]] += math.prod(weight.shape)
        # Computed once: the description finds a single slice in linear time, which adds up at every observed step.
        ends = np.cumsum([0, *self._units_per_layer]).tolist()
        self.unit_slices = [slice(start, end) for start, end in itertools.pairwise(ends)]

    def described(self, spec: RunSpec) -> History:
        """The same history for a newer description of the run; rows that are new have no history."""
        at, result = Places(self.spec, spec), copy.copy(self)
        result._describe(spec)
        result.first = self.first and in_rows(self.first, at)
        result.units = self.units.moved(at.units)
        result.gradient_blocks = moved(self.gradient_blocks, at.layers, np.nan, 1)
        result._tables = moved(self._tables, at.layers, np.nan, 1)
        result._weights = moved(self._weights, at.weights, np.nan, 1)
        result._peaks = moved(self._peaks, at.units, np.nan, 1)
        result._common_peaks = moved(self._common_peaks, at.layers, np.nan, 1)
        result._stats, result._weight_stats, result._rows = {}, {}, None
        return result

    def update(self, record: StepRecord) -> None:
        """Adds the next observed step.

        Raises:
            ValueError: the record does not fit the run's description.
        """
        if record.layers.shape != self._tables.shape[1:] or len(record.unit_activity) != self.spec.unit_count:
            raise ValueError(
                f"record of step {record.step} has layers {record.layers.shape} and {len(record.unit_activity)} units, "
                f"the run has {self._tables.shape[1:]} and {self.spec.unit_count}"
            )
        place = self.checks % len(self._steps)
        self._steps[place] = record.step
        self._tables[place] = record.layers
        # Stored runs may lack weight statistics.
        self._weights[place] = record.weights if len(record.weights) else np.nan
        self._totals[place] = record.totals
        self._peaks[self.checks % PEAK_CHECKS] = record.unit_peak
        self._common_peaks[place] = self._common(record.unit_peak)
        loss = record.total("loss")
        if len(self._initial_losses) < INITIAL_LOSSES and np.isfinite(loss):
            self._initial_losses.append(loss)
            self.initial_loss = float(np.mean(self._initial_losses))
            self.initial_size = float(np.mean(np.abs(self._initial_losses)))
        self.peak_learning_rate = float(np.fmax(self.peak_learning_rate, record.total("learning_rate")))
        samples = record.layer("elements") / np.maximum(self._units_per_layer, 1)
        self.units.update(record.step, record.unit_activity, np.repeat(samples, self._units_per_layer))
        self.first = self.first or record
        self.first_step = self.first.step
        self.step = record.step
        self.checks += 1
        self._stats, self._weight_stats, self._rows = {}, {}, None
        finite = self.losses[np.isfinite(self.losses)]
        self.loss = float(np.median(finite)) if finite.size else float("nan")
        if self.checks % BLOCK == 0:
            self._close_block()

    def _close_block(self) -> None:
        norms = self.stat("weight_gradient_norm")[-BLOCK:].astype(np.float64)
        # One NaN makes the median of the block NaN. Such a block proves no growth.
        median: NDArray[np.float64] = np.median(np.where(np.isfinite(norms), norms, np.nan), axis=0)
        self.gradient_blocks = np.vstack([self.gradient_blocks, median])[-BLOCKS:]

    @property
    def steps(self) -> NDArray[np.int64]:
        """`[checks kept]`, oldest first."""
        return self._steps[self._order()]

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
        kept: NDArray[np.float64] = self._totals[self._order(), STEP_COLUMNS.index(column)]
        return kept

    def weight_stat(self, column: str) -> NDArray[np.float32]:
        """`[checks kept, weights]` of one of `WEIGHT_COLUMNS`, oldest first; callers must not modify it."""
        if column not in self._weight_stats:
            self._weight_stats[column] = self._weights[self._order(), :, WEIGHT_COLUMNS.index(column)]
        return self._weight_stats[column]

    @property
    def recent_peaks(self) -> NDArray[np.float32]:
        """`[units]`: each unit's largest absolute output over the last `PEAK_CHECKS` checks, NaN if not measured."""
        kept = self._peaks[: min(self.checks, PEAK_CHECKS)]
        return np.fmax.reduce(kept, axis=0) if len(kept) else np.full(self.spec.unit_count, np.nan, np.float32)

    @property
    def common_peaks(self) -> NDArray[np.float32]:
        """`[checks kept, layers]`: the largest absolute output that all units of a layer share; NaN if they differ."""
        return self._common_peaks[self._order()]

    def _common(self, peaks: NDArray[np.float32]) -> NDArray[np.float32]:
        common = np.full(len(self.spec.layers), np.nan, np.float32)
        tracked = np.flatnonzero(self._units_per_layer)
        if len(tracked):
            starts = [self.unit_slices[row].start for row in tracked]
            lowest, highest = np.minimum.reduceat(peaks, starts), np.maximum.reduceat(peaks, starts)
            common[tracked] = np.where(lowest == highest, lowest, np.nan)
        return common

    def stat(self, column: str) -> NDArray[np.float32]:
        """`[checks kept, layers]` of one of `LAYER_COLUMNS`, oldest first; callers must not modify it."""
        if column not in self._stats:
            # Cached, because rules ask for the same column once per layer.
            self._stats[column] = self._tables[self._order(), :, LAYER_COLUMNS.index(column)]
        return self._stats[column]

    @property
    def rows(self) -> NDArray[np.float64]:
        """`[checks kept, layers]`: number of samples (times positions) behind the statistics of a layer."""
        if self._rows is None:
            self._rows = np.nan_to_num(self.stat("elements").astype(np.float64)) / np.maximum(self._units_per_layer, 1)
        return self._rows

    @property
    def has_lost_weights(self) -> bool:
        """Whether weights were not finite at the latest step. Outputs tell nothing then: ReLU may turn NaN into 0."""
        return bool(np.any(self.latest("weight_nonfinite") > 0))

    def latest(self, column: str) -> NDArray[np.float32]:
        """`[layers]` of one of `LAYER_COLUMNS` at the latest step."""
        return self._tables[(self.checks - 1) % len(self._steps), :, LAYER_COLUMNS.index(column)]

    def _order(self) -> NDArray[np.int64]:
        """Places of the kept steps in the ring buffers, oldest first."""
        kept = min(self.checks, len(self._steps))
        return np.arange(self.checks - kept, self.checks) % len(self._steps)
