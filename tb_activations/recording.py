"""From an observed step to an event: judged by the rules, encoded, written. Shared by everything that trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.capture.figures import Figures
from tb_activations.events import pictures, stock
from tb_activations.events.growing import Growing
from tb_activations.events.run import Run
from tb_activations.health.descriptions import Places, in_rows, is_same_model
from tb_activations.health.diagnosis import Diagnosis, Judgement
from tb_activations.health.records import LAYER_COLUMNS, STEP_COLUMNS, Finding, RunSpec, StepRecord
from tb_activations.run_output import RunOutput
from tb_activations.tables import RunSettings, Tables, run_spec

Array = NDArray[np.float32]
_UNITS = "Units (down) over observed steps (across): share of samples on which the unit was active."
FINEST_SHARE = 1 / 400
CLOSE_RECORDS = 1000
"""With "auto" a record is closer to the one before than this share of all steps so far at most so many times: who calls
`fit` again and again would otherwise fill the disk with the dense beginnings of each."""


class Recording:
    """Everything that the trainings of one model write into one run.

    `open` begins a training; a second one goes on with the history of the first, and so does one in a new process with
    what it finds in the folder. What cannot be written is judged all the same.

    Steps are handed in as the training counts them. Those of the run never go back: a training that goes on with one is
    counted on from its last step, if it begins before that.
    """

    def __init__(self, settings: RunSettings, output: RunOutput) -> None:
        self._settings = settings
        self._output = output
        self._earlier: Run | None = None
        self._tables: Tables | None = None
        self._shape: tuple[object, ...] = ()
        self._is_new_training = True
        self._first_step = 0
        self._diagnosis: Diagnosis | None = None
        self._step = -1
        self._record: StepRecord | None = None
        self._shift = 0
        self._written_step = -1
        self._close_records = 0
        self._findings: tuple[Finding, ...] = ()
        self._last_histograms = -1.0
        self._lives: dict[str, Growing] = {}

    def open(self, first_step: int) -> None:
        """Begins a training whose first step has this number."""
        self._is_new_training, self._first_step = True, first_step
        if self._tables is not None:
            self._output.resume()
        else:
            self._earlier = self._output.begin()

    @property
    def spec(self) -> RunSpec | None:
        """The description of the run, None before the first record."""
        return self._tables.spec if self._tables is not None else None

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
        tables, diagnosis = self._describe(figures)
        if step + self._shift <= self._step:
            return ()
        spec, self._step = tables.spec, step + self._shift
        record = self._record = tables.record(self._step, epoch, figures)
        if histograms is not None:
            histograms = tables.layer_rows(histograms)
        judgement = diagnosis.judge(record)
        self._findings = tuple(judgement.findings)
        self._remember_units(spec, record)
        if judgement.changes or self._is_spaced(record.step):
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
        """Writes stock histograms `[rows of the last step, 2, 32]` at the last recorded step."""
        if self._tables is not None and self._settings.stock_summaries:
            self._add(stock.histograms(self._tables.spec, self._tables.layer_rows(histograms)), self._step)

    def write_pictures(self, drawn: Mapping[str, pictures.Picture], *, step: int | None, with_units: bool) -> None:
        """Writes pictures by tag, and with them the unit lives of layers that have no feature maps.

        They stand at this step, or at the last recorded one.
        """
        if self._tables is None or not self._settings.stock_summaries:
            return
        lives = {
            f"units/{name}": pictures.life_map(lives.table(), about=_UNITS)
            for name, lives in self._lives.items()
            if with_units and f"feature_maps/{name}" not in drawn
        }
        at = self._step if step is None else step + self._shift
        self._add([stock.picture(tag, picture) for tag, picture in {**drawn, **lives}.items()], at)

    def write_probe(self, mode_difference: Mapping[str, float], reconstruction_error: float) -> None:
        """Adds what a look at the model showed, by row of the layer table, to the last record."""
        if self._record is None or self._tables is None or not (mode_difference or np.isfinite(reconstruction_error)):
            return
        layers, totals = self._record.layers.copy(), self._record.totals.copy()
        layers[:, LAYER_COLUMNS.index("mode_difference")] = [
            mode_difference.get(layer.name, np.nan) for layer in self._tables.spec.layers
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

    def _describe(self, figures: Figures) -> tuple[Tables, Diagnosis]:
        shape = (figures.rows, figures.weights)
        is_known = self._tables is not None and self._diagnosis is not None
        if not is_known or self._is_new_training or shape != self._shape:
            self._see(run_spec(figures, self._settings))
            self._shape, self._is_new_training = shape, False
        assert self._tables is not None
        assert self._diagnosis is not None
        return self._tables, self._diagnosis

    def _see(self, seen: RunSpec) -> None:
        """Makes sure that the run has the rows that a step with this description shows."""
        if self._tables is None or (self._is_new_training and not is_same_model(self._tables.spec, seen)):
            self._begin(seen)
            return
        if self._is_new_training:
            self._count_on()
        before = self._tables.spec
        self._tables.see(seen, is_new_training=self._is_new_training)
        if self._tables.spec != before:
            assert self._diagnosis is not None
            self._diagnosis.go_on(self._tables.spec)
            self._output.is_described = False

    def _begin(self, seen: RunSpec) -> None:
        """Begins a run, or goes on with that of the folder; leaves it alone if it is that of another model."""
        earlier, self._earlier = self._earlier, None
        known = self._tables.spec if self._tables is not None else earlier.spec if earlier is not None else None
        if known is not None and not is_same_model(known, seen):
            self._step, self._shift, self._written_step, self._last_histograms = -1, 0, -1, -1.0
            self._findings, self._lives = (), {}
            earlier = self._output.beside(lambda other: is_same_model(other, seen))
        self._tables = Tables(earlier.spec if earlier is not None else seen)
        self._tables.see(seen, is_new_training=True)
        self._diagnosis = Diagnosis(self._tables.spec, self._settings.rules)
        self._output.is_described = False
        if earlier is not None:
            self._go_on_with(earlier, self._tables.spec, self._diagnosis)

    def _go_on_with(self, earlier: Run, spec: RunSpec, diagnosis: Diagnosis) -> None:
        # Units can be missing where the process was killed at its first record.
        is_whole, at = earlier.unit_codes.shape[2] == earlier.spec.unit_count, Places(earlier.spec, spec)
        for record in earlier.records() if is_whole else ():
            moved = in_rows(record, at)
            self._findings = diagnosis.judge(moved).findings
            self._remember_units(spec, moved)
        self._step = self._written_step = int(earlier.steps[-1])
        self._output.tell_going_on(self._step)
        self._count_on()
        self._last_histograms = float(earlier.histogram_steps[-1]) if len(earlier.histogram_steps) else -1.0

    def _count_on(self) -> None:
        self._shift = max(self._shift, self._step + 1 - self._first_step)

    def _add(self, values: Sequence[Any], step: int) -> None:
        summary = Summary()
        self._output.encoder.add(summary, values)
        if values:
            self._output.write(summary, step)

    def _remember_units(self, spec: RunSpec, record: StepRecord) -> None:
        for index, layer in enumerate(spec.layers):
            if layer.units:
                lives = self._lives.setdefault(layer.name, Growing(layer.units))
                lives.append(record.unit_activity[spec.unit_slice(index)])
