"""What rules look back on: the last observed steps and what is known of every unit, in bounded memory."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.records import LAYER_COLUMNS, RunSpec, StepRecord
from tb_activations.health.units import UnitHistory

WINDOW = 32
"""Observed steps kept. A median over them ignores a spike of 15 and still follows a collapse within 17."""

INITIAL_LOSSES = 3
"""Losses averaged into the initial loss, since a single batch's is noisy."""


class History:
    """The observed steps of one training so far; its size depends on the layers and units only.

    Attributes:
        checks: observed steps taken in so far.
        first_step, step: the first and the latest observed step, -1 before the first.
        units: of all tracked layers, in the order of a record's unit vectors.
        unit_slices: where each layer's units stand in them.
        initial_loss: mean of the first finite losses, NaN before the first.
    """

    def __init__(self, spec: RunSpec, window: int = WINDOW) -> None:
        self.spec = spec
        self.checks = 0
        self.first_step = self.step = -1
        self.units = UnitHistory(spec.unit_count)
        # Asking the description for each would be quadratic in the layers, at every observed step.
        ends = np.cumsum([0, *(layer.units for layer in spec.layers)]).tolist()
        self.unit_slices = [slice(start, end) for start, end in itertools.pairwise(ends)]
        self._units_per_layer = np.array([layer.units for layer in spec.layers], np.int64)
        self._steps = np.zeros(window, np.int64)
        self._tables = np.full((window, len(spec.layers), len(LAYER_COLUMNS)), np.nan, np.float32)
        self._losses = np.full(window, np.nan)
        self._scales = np.full(window, np.nan)
        self._initial_losses: list[float] = []

    def update(self, record: StepRecord) -> None:
        """Takes in the next observed step.

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
        self._losses[place] = loss = record.total("loss")
        self._scales[place] = record.total("loss_scale")
        if len(self._initial_losses) < INITIAL_LOSSES and np.isfinite(loss):
            self._initial_losses.append(loss)
        samples = record.layer("elements") / np.maximum(self._units_per_layer, 1)
        self.units.update(record.step, record.unit_activity, np.repeat(samples, self._units_per_layer))
        self.first_step = record.step if self.checks == 0 else self.first_step
        self.step = record.step
        self.checks += 1

    @property
    def initial_loss(self) -> float:
        return float(np.mean(self._initial_losses)) if self._initial_losses else float("nan")

    @property
    def loss(self) -> float:
        """Median loss over the window, NaN where no loss was finite."""
        finite = self.losses[np.isfinite(self.losses)]
        return float(np.median(finite)) if finite.size else float("nan")

    @property
    def steps(self) -> NDArray[np.int64]:
        """`[checks kept]`, oldest first."""
        return self._steps[self._order()]

    @property
    def losses(self) -> NDArray[np.float64]:
        """`[checks kept]`, oldest first."""
        return self._losses[self._order()]

    @property
    def loss_scale(self) -> float:
        """Loss scale of the latest step, NaN if not measured."""
        return float(self._scales[(self.checks - 1) % len(self._scales)])

    def stat(self, column: str) -> NDArray[np.float32]:
        """`[checks kept, layers]` of one of `LAYER_COLUMNS`, oldest first."""
        return self._tables[self._order(), :, LAYER_COLUMNS.index(column)]

    def latest(self, column: str) -> NDArray[np.float32]:
        """`[layers]` of one of `LAYER_COLUMNS` at the latest step."""
        return self._tables[(self.checks - 1) % len(self._steps), :, LAYER_COLUMNS.index(column)]

    def _order(self) -> NDArray[np.int64]:
        kept = min(self.checks, len(self._steps))
        return np.arange(self.checks - kept, self.checks) % len(self._steps)
