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
from tb_activations.events.assemble import same_layers
from tb_activations.events.growing import Growing
from tb_activations.events.run import Run
from tb_activations.health.diagnosis import Diagnosis, Judgement
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
from tb_activations.run_output import RunOutput

Array = NDArray[np.float32]
_UNITS = "Units (down) over observed steps (across): share of samples on which the unit was active."
FINEST_SHARE = 1 / 400
CLOSE_RECORDS = 1000
"""With "auto" a record is closer to the one before than this share of all steps so far at most so many times: who calls
`fit` again and again would otherwise fill the disk with the dense beginnings of each."""
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

    `open` begins a training; a second one goes on with the history of the first, and so does one in a new process with
    what it finds in the folder. What cannot be written is judged all the same.
    """

    def __init__(self, settings: RunSettings, output: RunOutput) -> None:
        self._settings = settings
        self._output = output
        self._earlier: Run | None = None
        self._spec: RunSpec | None = None
        self._shape: tuple[object, ...] = ()
        self._diagnosis: Diagnosis | None = None
        self._step = -1
        self._record: StepRecord | None = None
        self._shift = 0
        self._written_step = -1
        self._close_records = 0
        self._findings: tuple[Finding, ...] = ()
        self._last_histograms = -1.0
        self._lives: dict[str, Growing] = {}

    def open(self) -> None:
        """Begins a training."""
        if self._spec is not None:
            self._output.resume()
            return
        self._earlier = self._output.begin()
        if self._earlier is not None:
            self._step = int(self._earlier.steps[-1])

    @property
    def spec(self) -> RunSpec | None:
        """The description of the run, None before the first record."""
        return self._spec

    @property
    def last_step(self) -> int:
        """The last recorded step, also of a run in the folder that this one goes on with; -1 before the first."""
        return self._step - self._shift

    def wants_histograms(self, step: int) -> bool:
        """Whether histograms belong to the record of this step: ever fewer, one in 5 % more steps."""
        return step + self._shift >= self._last_histograms * 1.05 + 1

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
        if step + self._shift <= self._step:
            return ()
        spec, diagnosis = self._describe(figures, step)
        self._step = step = step + self._shift
        record = self._record = step_record(step, epoch, figures)
        judgement = diagnosis.judge(record)
        self._findings = tuple(judgement.findings)
        self._remember_units(spec, record)
        if judgement.changes or self._is_spaced(step):
            self._write_record(spec, record, judgement, diagnosis.rules, histograms, cost)
        return tuple(judgement.changes)

    def _write_record(
        self,
        spec: RunSpec,
        record: StepRecord,
        judgement: Judgement,
        rules: tuple[str, ...],
        histograms: Array | None,
        cost: Array | None,
    ) -> None:
        output = self._output
        if not output.is_described:
            output.describe(spec, record.step)
        summary = output.encoder.record(
            record,
            outcomes=judgement.outcomes,
            rules=rules,
            findings=judgement.findings if judgement.changes else None,
            histograms=histograms,
            cost=cost,
        )
        if self._settings.stock_summaries:
            output.encoder.add(summary, stock.gradient_scalars(spec, record))
        output.write(summary, record.step)
        self._written_step = record.step
        if histograms is not None:
            self._last_histograms = float(record.step)

    def _is_spaced(self, step: int) -> bool:
        if self._settings.cadence.get("update_freq") != "auto" or step - self._written_step >= step * FINEST_SHARE:
            return True
        self._close_records += 1
        return self._close_records <= CLOSE_RECORDS

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
        summary = self._output.encoder.again(self._record)
        if self._settings.stock_summaries and not np.isnan(reconstruction_error):
            self._output.encoder.add(summary, [stock.reconstruction_error(reconstruction_error)])
        self._output.write(summary, self._step)

    def finish(self) -> None:
        """Writes the findings as they stand at the end of a training."""
        if self._diagnosis is not None:
            self._output.write(self._output.encoder.findings(self._findings), self._step)

    def flush(self) -> None:
        """Puts everything written so far on disk; tries again what failed before."""
        self._output.flush()

    def close(self) -> None:
        """Ends a training, everything on disk; `open` may follow."""
        self._output.rest()

    def _describe(self, figures: Figures, step: int) -> tuple[RunSpec, Diagnosis]:
        shape = (figures.rows, figures.weights)
        if self._spec is None or self._diagnosis is None or shape != self._shape:
            self._spec, self._shape = run_spec(figures, self._settings), shape
            self._diagnosis, self._lives = Diagnosis(self._spec, self._settings.rules), {}
            self._output.is_described = False
        if self._earlier is not None:
            self._go_on_with(self._earlier, self._spec, self._diagnosis, step)
            self._earlier = None
        return self._spec, self._diagnosis

    def _go_on_with(self, earlier: Run | None, spec: RunSpec, diagnosis: Diagnosis, step: int) -> None:
        """Takes over the history of the run in the folder; leaves it alone if it is that of another model."""
        if earlier is not None and not same_layers(earlier.spec, spec):
            self._step, self._shift = -1, 0
            earlier = self._output.beside(lambda other: same_layers(other, spec))
        if earlier is None:
            return
        # Units can be missing where the process was killed at its first record.
        is_whole = earlier.unit_codes.shape[2] == spec.unit_count
        for record in earlier.records() if is_whole else ():
            self._findings = diagnosis.judge(record).findings
            self._remember_units(spec, record)
        self._written_step = int(earlier.steps[-1])
        self._shift = max(0, self._written_step + 1 - step)
        self._last_histograms = float(earlier.histogram_steps[-1]) if len(earlier.histogram_steps) else -1.0

    def _add(self, values: Sequence[Any], step: int | None = None) -> None:
        summary = Summary()
        self._output.encoder.add(summary, values)
        if values:
            self._output.write(summary, self._step if step is None else step)

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
