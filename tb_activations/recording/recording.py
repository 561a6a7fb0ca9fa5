"""From an observed step to an event: judged by the rules, encoded, written. Shared by everything that trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.events.run import Run
from tb_activations.health.diagnosis import Judgement
from tb_activations.health.rules import Rule
from tb_activations.pictures import kinds
from tb_activations.pictures.growing import Growing
from tb_activations.recording import stock
from tb_activations.recording.continuation import TrainingState, continued_at, past_of
from tb_activations.recording.folder.choice import Fits
from tb_activations.recording.judging import Judging
from tb_activations.recording.output import RunOutput
from tb_activations.recording.progress import Progress
from tb_activations.recording.tables import RunSettings, Tables, run_spec
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS
from tb_activations.records.descriptions import Places, in_rows, is_same_model
from tb_activations.records.finding import Finding
from tb_activations.records.specs import RunSpec
from tb_activations.records.step_record import StepRecord
from tb_activations.taps.numbers.unpack import Figures

Array = NDArray[np.float32]
_UNITS = "Units (down) over observed steps (across): share of samples on which the unit was active."
FINEST_SHARE = 1 / 400
CLOSE_RECORDS = 1000
"""With "auto" a record is closer to the one before than this share of all steps so far at most so many times: who calls
`fit` again and again would otherwise fill the disk with the dense beginnings of each."""


class Recording:
    """Everything that trainings write: into one run, and into the next one where a training does not continue it.

    `open` begins a training; whether it continues the run before it, or one of an earlier process, `continued_at`
    decides. What cannot be written is judged all the same.

    Steps are handed in as the training counts them. Where its optimizer was set back to an earlier state, steps of the
    run come again and replace those that were recorded before; where it counts from 0 again, the steps come after the
    last one of the run.

    Args:
        settings: what a run is described with.
        output: where the records go.
        judging: makes what judges the records of a run, from its description and the rules.

    Attributes:
        runs: new runs begun so far.
    """

    def __init__(
        self,
        settings: RunSettings,
        output: RunOutput,
        judging: Callable[[RunSpec, tuple[Rule, ...]], Judging] | None = None,
    ) -> None:
        self._settings = settings
        self._output = output
        self._make_judging = judging or Judging
        self._earlier: Run | None = None
        self._shape: tuple[object, ...] = ()
        self._is_new_training = True
        self._opened = (0, TrainingState(0, None))
        self._close_records = self.runs = 0
        self._tables: Tables | None
        self._judging: Judging | None
        self._record: StepRecord | None
        self._progress: Progress
        self._step: int
        self._written_step: int
        self._last_histograms: float
        self._lives: dict[str, Growing]
        self._describe_from: int | None
        self._is_new_run: bool
        self._forget()

    def open(self, first_step: int, state: TrainingState) -> None:
        """Begins a training whose first step has this number, from this state of the model."""
        self._is_new_training = True
        # Another run that was read from a file was not recorded last.
        self._opened = (first_step, dataclasses.replace(state, is_same_model=False))
        at = continued_at(state, self._progress.past(self._step)) if self._tables is not None else None
        if at is not None and at > self._step:
            self._progress.open(first_step, at, state, None)
            self._describe_from = at
            self._output.resume()
        else:
            # Steps that come again are judged by those before them, which only the file has.
            self._choose_run(self._output.begin, lambda spec: True)

    @property
    def spec(self) -> RunSpec | None:
        """The description of the run, None before the first record."""
        return self._tables.spec if self._tables is not None else None

    def wants_histograms(self, step: int) -> bool:
        """Whether histograms belong to the record of this step: ever fewer, one in 5 % more steps."""
        return step + self._progress.shift >= self._last_histograms * 1.05 + 1

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings so far, open and closed, worst first."""
        return self._judging.findings if self._judging is not None else ()

    def record(
        self, step: int, epoch: int, figures: Figures, histograms: Array | None, cost: Array | None
    ) -> tuple[Finding, ...]:
        """Judges and writes one observed step; returns the findings that opened, changed or closed with it.

        A step that is not after the last one (an optimizer that skipped its step) is not recorded.
        """
        tables, judging = self._describe(figures)
        step += self._progress.shift
        if step <= self._step:
            return ()
        spec, self._step = tables.spec, step
        record = self._record = tables.record(self._step, epoch, figures)
        if histograms is not None:
            histograms = tables.layer_rows(histograms)
        judgement = judging.judge(record)
        self._remember_units(spec, record)
        if judgement.changes or self._is_spaced(record.step):
            self._write_record(spec, record, judgement, judging.rules, histograms, cost)
        return tuple(judgement.changes)

    def remember_state(self, state: TrainingState) -> None:
        """Writes where the training stands, so that another one can continue it."""
        if self._tables is not None:
            stored = self._progress.remember(state)
            if stored is not None:
                self._output.remember(stored)

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
            self._describe_run(spec, record.step)
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

    def _describe_run(self, spec: RunSpec, step: int) -> None:
        # The description holds from the first step of the training on, observed or not.
        self._output.describe(spec, step if self._describe_from is None else min(step, self._describe_from))
        self._describe_from = None
        if self._is_new_run:
            self._is_new_run = False
            for state in self._progress.states:
                self._output.remember(state)

    def _is_spaced(self, step: int) -> bool:
        if self._settings.cadence.get("update_freq") != "auto" or step - self._written_step >= step * FINEST_SHARE:
            return True
        self._close_records += 1
        return self._close_records <= CLOSE_RECORDS

    def write_histograms(self, histograms: Array) -> None:
        """Writes stock histograms `[rows of the last step, 2, 32]` at the last recorded step."""
        if self._tables is not None and self._settings.stock_summaries:
            self._add(stock.histograms(self._tables.spec, self._tables.layer_rows(histograms)), self._step)

    def write_pictures(self, drawn: Mapping[str, kinds.Picture], *, step: int | None, with_units: bool) -> None:
        """Writes pictures by tag, and with them the unit lives of layers that have no feature maps.

        They stand at this step, or at the last recorded one.
        """
        if self._tables is None or not self._settings.stock_summaries:
            return
        lives = {
            f"units/{name}": kinds.life_map(lives.table(), about=_UNITS)
            for name, lives in self._lives.items()
            if with_units and f"feature_maps/{name}" not in drawn
        }
        at = self._step if step is None else step + self._progress.shift
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
        if self._judging is not None:
            self._output.write(self._output.encoder.findings(self.findings), self._step)

    def flush(self) -> None:
        """Puts everything written so far on disk; tries again what failed before."""
        self._output.flush()

    def close(self) -> None:
        """Ends a training, everything on disk; `open` may follow."""
        self._output.rest()
        if self._judging is not None:
            self._judging.rest()

    def _forget(self) -> None:
        """Whatever belongs to a run, for the next one."""
        self._tables = self._judging = self._record = None
        self._progress = Progress()
        self._step = self._written_step = -1
        self._last_histograms = -1.0
        self._lives = {}
        self._describe_from = None
        self._is_new_run = True

    def _choose_run(self, choose: Callable[[Fits], Run | None], is_allowed: Callable[[RunSpec], bool]) -> None:
        """Leaves the run; takes up a stored one that this training continues, or begins another."""
        first_step, state = self._opened
        self._forget()
        self._earlier = choose(
            lambda run: is_allowed(run.spec) and continued_at(state, past_of(run)) is not None,
        )
        at = continued_at(state, past_of(self._earlier)) if self._earlier is not None else None
        self._progress.open(first_step, at, state, self._earlier.states if self._earlier is not None else None)
        self._describe_from, self._is_new_run = self._progress.first_step, at is None
        self.runs += at is None

    def _describe(self, figures: Figures) -> tuple[Tables, Judging]:
        shape = (figures.rows, figures.weights)
        if self._tables is None or self._is_new_training or shape != self._shape:
            self._see(run_spec(figures, self._settings))
            self._shape, self._is_new_training = shape, False
        assert self._tables is not None
        assert self._judging is not None
        return self._tables, self._judging

    def _see(self, seen: RunSpec) -> None:
        """Makes sure that the run has the rows that a step with this description shows."""
        if self._tables is None or (self._is_new_training and not is_same_model(self._tables.spec, seen)):
            self._begin(seen)
            return
        before = self._tables.spec
        self._tables.see(seen, is_new_training=self._is_new_training)
        if self._tables.spec != before:
            assert self._judging is not None
            self._judging.redescribe(self._tables.spec)
            self._output.is_described = False

    def _begin(self, seen: RunSpec) -> None:
        """Begins a run, or continues that of the folder; leaves it as it is if it is that of another model."""
        known = self._tables.spec if self._tables is not None else self._earlier.spec if self._earlier else None
        if known is not None and not is_same_model(known, seen):
            self._choose_run(self._output.beside, lambda spec: is_same_model(spec, seen))
        earlier, self._earlier = self._earlier, None
        self._tables = Tables(earlier.spec if earlier is not None else seen)
        self._tables.see(seen, is_new_training=True)
        self._judging = self._make_judging(self._tables.spec, self._settings.rules)
        self._output.is_described = False
        if earlier is not None:
            self._continue(earlier, self._tables.spec, self._judging)

    def _continue(self, earlier: Run, spec: RunSpec, judging: Judging) -> None:
        first, last = self._progress.first_step, int(earlier.steps[-1])
        # Units can be missing where the process was killed at its first record.
        is_whole, at = earlier.unit_codes.shape[2] == earlier.spec.unit_count, Places(earlier.spec, spec)
        records = [in_rows(record, at) for record in earlier.records() if record.step < first] if is_whole else []
        judging.repeat(records)
        for record in records:
            self._remember_units(spec, record)
        kept, histograms = earlier.steps[earlier.steps < first], earlier.histogram_steps
        self._written_step = int(kept[-1]) if len(kept) else -1
        self._step = min(last, first - 1)
        self._last_histograms = float(max(histograms[histograms < first], default=-1))
        self._output.tell_continued(last, first)
        if first <= last:
            self._output.restart(first)

    def _add(self, values: Sequence[Any], step: int) -> None:
        summary = Summary()
        self._output.encoder.add(summary, values)
        if values:
            self._output.write(summary, step)

    def _remember_units(self, spec: RunSpec, record: StepRecord) -> None:
        start = 0
        for layer in spec.layers:
            if layer.units:
                lives = self._lives.setdefault(layer.name, Growing(layer.units))
                lives.append(record.unit_activity[start : start + layer.units])
                start += layer.units
