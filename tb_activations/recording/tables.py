"""From the values of a step to the tables of its run: their description, and a record in their rows."""

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
from tb_activations.health.rules.dormant_units import JUDGED as FADING
from tb_activations.health.rules.heads import CLASS as HEADS
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.descriptions import Places, in_rows, joined, moved
from tb_activations.records.specs import LayerSpec, RunSpec, WeightSpec
from tb_activations.records.step_record import StepRecord
from tb_activations.taps.numbers.unpack import LAYER_VALUES, WEIGHT_VALUES
from tb_activations.taps.numbers.values import Array, Row, StepValues

_FROM_SNAPSHOTS = {"mode_difference"}
"""Columns that only a snapshot of the model fills."""

if set(LAYER_COLUMNS) != {*LAYER_VALUES, *_FROM_SNAPSHOTS} or set(WEIGHT_COLUMNS) != set(WEIGHT_VALUES):
    # A misspelled name would be a column of NaN.
    raise AssertionError("the columns of a record are not those that a step is unpacked into")

PACKAGES = ("tb-activations", "tensorflow", "keras", "tensorboard", "numpy")


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """What a run is described with in addition to its layers.

    Attributes:
        cadence: the arguments that decided which steps were observed.
        stock_summaries: whether TensorBoard's own tabs get scalars, histograms and images too.
    """

    model: str
    rules: tuple[Rule, ...]
    cadence: Mapping[str, Any]
    stock_summaries: bool


class Tables:
    """The rows of one run's tables. They only grow: what a step leaves out keeps its row, filled with NaN.

    Attributes:
        spec: describes the rows so far.
    """

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        self._places = Places(spec, spec)

    def make_room(self, spec: RunSpec, *, is_new_training: bool) -> None:
        """Adds the rows that a step with this description has beyond those known."""
        self.spec = joined(self.spec, spec, is_new_training=is_new_training)
        self._places = Places(spec, self.spec)

    def record(self, step: int, epoch: int, values: StepValues) -> StepRecord:
        """The record of a step in the run's rows; the step is of the shape seen last."""
        return in_rows(step_record(step, epoch, values), self._places)

    def layer_rows(self, values: Array) -> Array:
        """`[layers of the run, ...]` from `[layers of the step, ...]`, NaN in the rows that the step left out."""
        return moved(values, self._places.layers, np.nan)


def run_spec(values: StepValues, settings: RunSettings) -> RunSpec:
    """The description of a run whose steps have these values."""
    return RunSpec(
        model=settings.model,
        layers=tuple(_layer_spec(row) for row in values.rows),
        weights=tuple(WeightSpec(w.name, w.layer, w.shape, w.has_gradient) for w in values.weights),
        thresholds={rule.id: dict(rule.thresholds) for rule in settings.rules},
        cadence=dict(settings.cadence),
        versions={name: _version(name) for name in PACKAGES},
        loss=values.loss,
        from_logits=values.from_logits,
        optimizer=values.optimizer,
        fragile_operations=values.fragile_operations,
        all_pairs=values.all_pairs,
        gradient_cuts=values.gradient_cuts,
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
        is_output=call.is_output,
        part_of=call.part_of,
        not_observed=row.not_observed,
        config={} if row.call_site else call.config,
    )


def step_record(step: int, epoch: int, values: StepValues) -> StepRecord:
    """The record of one step, units rounded as in the event file, so that a stored run is judged alike."""
    totals = {**values.totals, "epoch": float(epoch)}
    not_measured = np.full(len(values.rows), np.nan)
    return StepRecord(
        step=step,
        layers=np.stack([values.layers.get(name, not_measured) for name in LAYER_COLUMNS], 1).astype(np.float32),
        weights=np.stack([values.weight_columns[name] for name in WEIGHT_COLUMNS], 1).astype(np.float32),
        totals=np.array([totals.get(name, np.nan) for name in STEP_COLUMNS], np.float32),
        unit_activity=restore_activity(quantize_activity(values.activity)),
        unit_peak=restore_peak(quantize_peak(values.peak)),
    )


def kept_peaks(spec: RunSpec, record: StepRecord) -> NDArray[np.bool_]:
    """`[units]`: those whose peaks the rules need at every record.

    They are those of heads and of layers whose units may fade or all be alike.
    """
    kept = np.zeros(spec.unit_count, bool)
    start = 0
    for layer in spec.layers:
        own = slice(start, start + layer.units)
        start = own.stop
        if layer.units:
            peaks = record.unit_peak[own]
            kept[own] = layer.activation in FADING or layer.class_name == HEADS or bool((peaks == peaks[0]).all())
    return kept


def kept_shares(spec: RunSpec) -> NDArray[np.bool_]:
    """`[units]`: those whose activity is stored at every record: the heads of attention, which are few."""
    return np.repeat([layer.class_name == HEADS for layer in spec.layers], [layer.units for layer in spec.layers])
