"""From the figures of a step to the tables of its run: what describes them, and a record in their rows."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.unit_coding import quantize_activity, quantize_peak, restore_activity, restore_peak
from tb_activations.health.rules import Rule
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.descriptions import Places, in_rows, joined, moved
from tb_activations.records.specs import LayerSpec, RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord
from tb_activations.taps.numbers.unpack import Figures, Row

Array = NDArray[np.float32]
PACKAGES = ("tb-activations", "tensorflow", "keras", "tensorboard", "numpy")


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """What a run is described with beside its layers.

    Attributes:
        cadence: the arguments that decided which steps were observed.
        stock_summaries: whether TensorBoard's own tabs get scalars, histograms and images too.
    """

    model: str
    rules: tuple[Rule, ...]
    cadence: Mapping[str, Any]
    stock_summaries: bool


class Tables:
    """The rows of one run's tables. They only grow: what a step leaves out keeps its row, with NaN in it.

    Attributes:
        spec: describes the rows so far.
    """

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        self._places = Places(spec, spec)

    def see(self, seen: RunSpec, *, is_new_training: bool) -> None:
        """Makes room for the rows of a step that alone would be described by `seen`."""
        self.spec = joined(self.spec, seen, is_new_training=is_new_training)
        self._places = Places(seen, self.spec)

    def record(self, step: int, epoch: int, figures: Figures) -> StepRecord:
        """The record of a step in the run's rows; the step is of the shape seen last."""
        return in_rows(step_record(step, epoch, figures), self._places)

    def layer_rows(self, values: Array) -> Array:
        """`[layers of the run, ...]` from `[layers of the step, ...]`, NaN in the rows that the step left out."""
        return moved(values, self._places.layers, np.nan)


def run_spec(figures: Figures, settings: RunSettings) -> RunSpec:
    """The description of a run whose steps show these figures."""
    return RunSpec(
        model=settings.model,
        layers=tuple(_layer_spec(row) for row in figures.rows),
        weights=tuple(WeightSpec(w.name, w.layer, w.shape, w.has_gradient) for w in figures.weights),
        thresholds={rule.id: dict(rule.thresholds) for rule in settings.rules},
        cadence=dict(settings.cadence),
        versions={name: _version(name) for name in PACKAGES},
    )


@functools.cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _layer_spec(row: Row) -> LayerSpec:
    call = row.call
    return LayerSpec(
        name=f"{call.name}@{row.call_site}" if row.call_site else call.name,
        class_name=call.class_name,
        call_site=row.call_site,
        output_shape=call.shape,
        dtype=call.dtype,
        units=row.units,
        activation=call.activation,
        parameters=call.parameters,
        trainable=call.trainable,
        inputs=call.inputs,
        is_gate=call.is_gate,
        not_observed=row.not_observed,
    )


def step_record(step: int, epoch: int, figures: Figures) -> StepRecord:
    """The record of one step, units rounded as the event file holds them, so that a stored run judges alike."""
    totals = {**figures.totals, "epoch": float(epoch)}
    # What only probing tells is filled in when the model is probed.
    not_probed = np.full(len(figures.rows), np.nan)
    return StepRecord(
        step=step,
        layers=np.stack([figures.layers.get(name, not_probed) for name in LAYER_COLUMNS], 1).astype(np.float32),
        weights=np.stack([figures.weight_columns[name] for name in WEIGHT_COLUMNS], 1).astype(np.float32),
        totals=np.array([totals.get(name, np.nan) for name in STEP_COLUMNS], np.float32),
        unit_activity=restore_activity(quantize_activity(figures.activity)),
        unit_peak=restore_peak(quantize_peak(figures.peak)),
    )
