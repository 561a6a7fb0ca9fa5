"""From an observed step to an event: judged by the rules, encoded, written. Shared by everything that trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.capture.figures import Figures, Row
from tb_activations.events import pictures, stock
from tb_activations.events.encoding import Encoder
from tb_activations.events.growing import Growing
from tb_activations.events.writer import RunWriter
from tb_activations.health.diagnosis import Diagnosis
from tb_activations.health.records import (
    LAYER_COLUMNS,
    STEP_COLUMNS,
    WEIGHT_COLUMNS,
    Finding,
    LayerSpec,
    RunSpec,
    StepRecord,
    WeightSpec,
)
from tb_activations.health.rules import Rule
from tb_activations.health.unit_coding import quantise_activity, quantise_peak, restore_activity, restore_peak

Array = NDArray[np.float32]
_UNITS = "Units (down) over observed steps (across): share of samples on which the unit was active."
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


class Recording:
    """Everything that the trainings of one model write into one run.

    `open` begins a training; a second one goes on with the history of the first.
    """

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._writer: RunWriter | None = None
        self._encoder = Encoder()
        self._is_described = False
        self._spec: RunSpec | None = None
        self._shape: tuple[object, ...] = ()
        self._diagnosis: Diagnosis | None = None
        self._step = -1
        self._record: StepRecord | None = None
        self._findings: tuple[Finding, ...] = ()
        self._last_histograms = -1.0
        self._lives: dict[str, Growing] = {}

    def open(self, writer: RunWriter) -> None:
        """Writes into this file from now on."""
        # A tag's metadata must stand in every file anew, hence the new encoder.
        self._writer, self._encoder, self._is_described = writer, Encoder(), False

    @property
    def spec(self) -> RunSpec | None:
        """The description of the run, None before the first record."""
        return self._spec

    @property
    def last_step(self) -> int:
        """The last recorded step, -1 before the first."""
        return self._step

    def wants_histograms(self, step: int) -> bool:
        """Whether histograms belong to the record of this step: ever fewer, one in 5 % more steps."""
        return step >= self._last_histograms * 1.05 + 1

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings so far, open and closed, worst first."""
        return self._findings

    def record(
        self, step: int, epoch: int, figures: Figures, histograms: Array | None, cost: Array | None
    ) -> tuple[Finding, ...]:
        """Judges and writes one observed step; returns the findings that opened, changed or closed with it.

        A step that is not after the last one (an optimizer that skipped its step) is not recorded.
        """
        if step <= self._step:
            return ()
        self._step = step
        spec, diagnosis = self._describe(figures)
        record = self._record = step_record(step, epoch, figures)
        judgement = diagnosis.judge(record)
        self._findings = tuple(judgement.findings)
        summary = self._encoder.record(
            record,
            outcomes=judgement.outcomes,
            rules=diagnosis.rules,
            findings=judgement.findings if judgement.changes else None,
            histograms=histograms,
            cost=cost,
        )
        if self._settings.stock_summaries:
            self._encoder.add(summary, stock.gradient_scalars(spec, record))
        self._write(summary)
        self._remember_units(spec, record)
        if histograms is not None:
            self._last_histograms = float(step)
        return tuple(judgement.changes)

    def write_histograms(self, histograms: Array) -> None:
        """Writes stock histograms `[rows, 2, 32]` at the last recorded step."""
        if self._spec is not None and self._settings.stock_summaries:
            self._add(stock.histograms(self._spec, histograms))

    def write_pictures(self, drawn: Mapping[str, pictures.Picture], *, step: int, with_units: bool) -> None:
        """Writes pictures by tag, and with them the unit lives of layers that have no feature maps, at this step."""
        if self._spec is None or not self._settings.stock_summaries:
            return
        lives = {
            f"units/{name}": pictures.life_map(lives.table(), about=_UNITS)
            for name, lives in self._lives.items()
            if with_units and f"feature_maps/{name}" not in drawn
        }
        self._add([stock.picture(tag, picture) for tag, picture in {**drawn, **lives}.items()], step)

    def write_probe(self, mode_difference: Mapping[str, float], reconstruction_error: float) -> None:
        """Adds what a look at the model showed, by row of the layer table, to the last record."""
        if self._record is None or self._spec is None or not (mode_difference or np.isfinite(reconstruction_error)):
            return
        layers, totals = self._record.layers.copy(), self._record.totals.copy()
        layers[:, LAYER_COLUMNS.index("mode_difference")] = [
            mode_difference.get(layer.name, np.nan) for layer in self._spec.layers
        ]
        totals[STEP_COLUMNS.index("reconstruction_error")] = reconstruction_error
        self._record = dataclasses.replace(self._record, layers=layers, totals=totals)
        # A step that comes again replaces itself.
        summary = self._encoder.again(self._record)
        if self._settings.stock_summaries and not np.isnan(reconstruction_error):
            self._encoder.add(summary, [stock.reconstruction_error(reconstruction_error)])
        self._write(summary)

    def finish(self) -> None:
        """Writes the findings as they stand at the end of a training."""
        if self._diagnosis is not None:
            self._write(self._encoder.findings(self._findings))

    def flush(self) -> None:
        """Puts everything written so far on disk."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Closes the file; `open` may follow."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _write(self, summary: Summary, step: int | None = None) -> None:
        if self._writer is None:
            raise RuntimeError("the recording is closed")
        self._writer.write(summary, self._step if step is None else step)

    def _describe(self, figures: Figures) -> tuple[RunSpec, Diagnosis]:
        shape = (figures.rows, figures.weights)
        if self._spec is None or self._diagnosis is None or shape != self._shape:
            self._spec, self._shape, self._is_described = run_spec(figures, self._settings), shape, False
            self._diagnosis, self._lives = Diagnosis(self._spec, self._settings.rules), {}
        if not self._is_described:
            self._write(self._encoder.run(self._spec))
            self._is_described = True
        return self._spec, self._diagnosis

    def _add(self, values: Sequence[Any], step: int | None = None) -> None:
        summary = Summary()
        self._encoder.add(summary, values)
        if values:
            self._write(summary, step)

    def _remember_units(self, spec: RunSpec, record: StepRecord) -> None:
        for index, layer in enumerate(spec.layers):
            if layer.units:
                lives = self._lives.setdefault(layer.name, Growing(layer.units))
                lives.append(record.unit_activity[spec.unit_slice(index)])


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
        unit_activity=restore_activity(quantise_activity(figures.activity)),
        unit_peak=restore_peak(quantise_peak(figures.peak)),
    )
