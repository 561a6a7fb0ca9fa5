"""What one observed step left."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS


@dataclasses.dataclass(frozen=True)
class StepRecord:
    """What one observed step left. Missing values are NaN, never 0.

    Attributes:
        step: optimizer iterations completed before the step; the first step of a training is 0.
        layers: `[layers, LAYER_COLUMNS]` float32.
        weights: `[weights, WEIGHT_COLUMNS]` float32.
        totals: `[STEP_COLUMNS]` float32.
        unit_activity: `[units]` float32 in [0, 1], the share of samples (and positions) on which the unit's
            output was not zero, rounded as the event file stores it.
        unit_peak: `[units]` float32 >= 0, the unit's largest absolute output, rounded as the event file stores it.
    """

    step: int
    layers: NDArray[np.float32]
    weights: NDArray[np.float32]
    totals: NDArray[np.float32]
    unit_activity: NDArray[np.float32]
    unit_peak: NDArray[np.float32]

    def layer(self, column: str) -> NDArray[np.float32]:
        """`[layers]` float32 of one of `LAYER_COLUMNS`."""
        return self.layers[:, LAYER_COLUMNS.index(column)]

    def weight(self, column: str) -> NDArray[np.float32]:
        """`[weights]` float32 of one of `WEIGHT_COLUMNS`."""
        return self.weights[:, WEIGHT_COLUMNS.index(column)]

    def total(self, column: str) -> float:
        """One of `STEP_COLUMNS`, NaN if not measured."""
        return float(self.totals[STEP_COLUMNS.index(column)])
