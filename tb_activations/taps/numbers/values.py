"""The statistics of one observed step, on the host."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tb_activations.records.specs import AllPairs, Config, FragileOperation, GradientCut
from tb_activations.taps.numbers.layout import Call, Weight

Vector = NDArray[np.float64]
Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the layer table: a layer as a whole (`call_site` 0) or its k-th call of several.

    `not_observed` is the reason why the row has no statistics of its output, and empty for a row that has them.
    """

    call: Call
    call_site: int
    units: int
    not_observed: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class StepValues:
    """The statistics of one observed step, with loss scaling undone. Missing values are NaN.

    Attributes:
        rows: layers in call order, each followed by its single calls; unobserved layers come last.
        layers: column name to `[rows]` float64.
        weight_columns: column name to `[weights]` float64.
        activity, peak: `[units of all rows]`, share of samples on which the unit was not zero and its largest
            absolute output.
        histograms: `[rows, 2, 32]` float32: activation, then gradient; lowest edge, highest edge and 30 counts. None
            for a step without histograms.
        sequences: `[rows, 1 + 2 * 64]` float32: number of time steps of a cell, then the root mean squares of its
            outputs and of the gradients at them in each bin of time. NaN in other rows; None for a step without
            histograms.
        loss, from_logits, optimizer, fragile_operations, all_pairs, gradient_cuts: see `Layout`.
    """

    rows: tuple[Row, ...]
    weights: tuple[Weight, ...]
    layers: Mapping[str, Vector]
    weight_columns: Mapping[str, Vector]
    totals: Mapping[str, float]
    activity: Vector
    peak: Vector
    histograms: Array | None = None
    sequences: Array | None = None
    loss: str = ""
    from_logits: bool = False
    optimizer: Config = dataclasses.field(default_factory=dict)
    fragile_operations: tuple[FragileOperation, ...] = ()
    all_pairs: tuple[AllPairs, ...] = ()
    gradient_cuts: tuple[GradientCut, ...] = ()
