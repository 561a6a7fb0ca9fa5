"""The run that is being recorded: judges its steps and writes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.events.run import Run
from tb_activations.health.diagnosis import Judgement
from tb_activations.health.verdict import Verdict, verdict
from tb_activations.pictures import kinds
from tb_activations.pictures.growing import Growing
from tb_activations.recording import sample_pictures, stock
from tb_activations.recording.epochs import EpochLog, readable_metrics
from tb_activations.recording.judging import Judging
from tb_activations.recording.output import Output
from tb_activations.recording.sample_ids import SampleIds
from tb_activations.recording.spacing import Spacing
from tb_activations.recording.steps import Steps
from tb_activations.recording.tables import Tables, kept_peaks, kept_shares
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, TIME_BINS
from tb_activations.records.descriptions import Places, in_rows, moved
from tb_activations.records.epoch_metrics import EpochMetrics
from tb_activations.records.finding import Finding
from tb_activations.records.specs import RunSpec
from tb_activations.records.step_record import StepRecord
from tb_activations.taps.numbers.feature_maps import spread
from tb_activations.taps.numbers.values import StepValues

Array = NDArray[np.float32]
_THROUGH_TIME = (
    "A cell over time within sequences (across), at observed steps (down): root mean square of the gradient at its "
    "outputs above, of the outputs below. With `go_backwards`, the last time step of the data comes first."
)
_UNITS = "Units (down) over observed steps (across): share of samples on which the unit was active."


class OpenRun:
    """One run, from its first record to its last.

    Args:
        tables: the rows known so far.
        judging: judges the records.
        output: where they are written.
        steps: numbers the steps of the run.
        spacing: decides which records are written.
        samples: names the samples that findings point at.
        with_stock: whether TensorBoard's own tabs get scalars, histograms and pictures too.

    Attributes:
        sick_steps: number of steps in a row, up to the last one, with an open problem.
    """

    def __init__(
        self,
        tables: Tables,
        judging: Judging,
        output: Output,
        steps: Steps,
        spacing: Spacing,
        samples: SampleIds,
        *,
        with_stock: bool,
    ) -> None:
        self._tables = tables
        self._judging = judging
        self._output = output
        self._steps = steps
        self._spacing = spacing
        self._samples = samples
        self._with_stock = with_stock
        self._lives: dict[str, Growing] = {}
        self._over_time: dict[str, Growing] = {}
        self._epochs = EpochLog()
        self._record: StepRecord | None = None
        self._histograms: tuple[RunSpec, Array] | None = None
        self._judgement: Judgement | None = None
        self.sick_steps = 0

    @property
    def spec(self) -> RunSpec:
        """Describes the rows so far."""
        return self._tables.spec

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self._samples.named(self._judging.findings)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict after the last step, None before the first."""
        judgement, rules = self._judgement, self._judging.training_rules
        if judgement is None or judgement.outcomes.shape[0] != len(self.spec.layers):
            return None
        training = dict(zip(rules, judgement.training.tolist(), strict=True))
        return verdict(self.spec, self.findings, judgement.outcomes, self._judging.rules, training)

    def make_room(self, spec: RunSpec, *, is_new_training: bool) -> None:
        """Adds the rows that a step with this description has beyond those known."""
        before = self._tables.spec
        self._tables.make_room(spec, is_new_training=is_new_training)
        if self._tables.spec != before:
            self._judging.redescribe(self._tables.spec)
            self._output.is_described = False

    def replay(self, earlier: Run) -> None:
        """Judges the stored records of the run again, up to the step at which it is continued."""
        first, last = self._steps.first_step, int(earlier.steps[-1])
        # Units can be missing where the process was killed at its first record.
        is_whole, places = earlier.unit_table.count == earlier.spec.unit_count, Places(earlier.spec, self.spec)
        records = [in_rows(record, places) for record in earlier.records() if record.step < first] if is_whole else []
        self._judging.repeat(records)
        for record in records:
            self._remember_units(record)
        before = earlier.sequence_table.at(earlier.steps[earlier.steps < first])
        for row, profile in zip(before.rows.tolist(), before.values, strict=True):
            self._remember_over_time(earlier.spec.layers[row].name, profile)
        kept, histograms = earlier.steps[earlier.steps < first], earlier.histogram_steps
        self._spacing.begin_run(
            int(kept[-1]) if len(kept) else -1, int(max(histograms[histograms < first], default=-1))
        )
        self._output.log_continued(last, first)
        if first <= last:
            self._output.restart(first)

    def add(self, step: int, epoch: int, values: StepValues, cost: Array, batch: Any = None) -> tuple[Finding, ...]:
        """Judges a step of the run, and writes it if it has news or histograms or is due.

        Returns what opened, changed or closed.
        """
        record = self._record = self._tables.record(step, epoch, values)
        self._samples.see(step, batch)
        judged = self._judging.judge(record)
        self.sick_steps = self.sick_steps + 1 if judged.has_problem else 0
        judgement = self._judgement = dataclasses.replace(
            judged, changes=self._samples.named(judged.changes), tell=lambda: self._samples.named(judged.findings)
        )
        # Not kept until the next observed step: it may be large, and in the memory of a device.
        self._samples.see(step, None)
        self._remember_units(record)
        if values.histograms is not None:
            # A later step may show other layers.
            self._histograms = self.spec, self._tables.layer_rows(values.histograms)
        if values.sequences is not None:
            for row, profile in zip(values.rows, values.sequences, strict=True):
                if profile[0] > 0 and row.call_site == 0:
                    self._remember_over_time(row.call.name, profile)
        if judgement.changes or values.histograms is not None or self._spacing.is_due(step):
            histograms, sequences = (
                None if table is None else self._tables.layer_rows(table)
                for table in (values.histograms, values.sequences)
            )
            self._write(record, judgement, histograms, sequences, cost)
        if self._with_stock:
            drawn = sample_pictures.pictures(judgement.changes, step, batch)
            self._write_stock([stock.picture(tag, picture) for tag, picture in drawn.items()], step)
        return judgement.changes

    def write_histograms(self) -> bool:
        """Writes the latest histograms for TensorBoard's own tab at the last recorded step; False if there are none."""
        if self._histograms is None:
            return False
        described, histograms = self._histograms
        if self._with_stock:
            rows = moved(histograms, Places(described, self.spec).layers, np.nan)
            self._write_stock(stock.histograms(self.spec, rows), self._steps.last_step)
        return True

    def write_pictures(
        self, drawn: Mapping[str, kinds.Picture], *, step: int | None, with_units: bool, with_sequences: bool
    ) -> None:
        """Writes pictures by tag, the unit lives of layers without feature maps, and cells over time, at this step or
        the last.
        """
        if not self._with_stock:
            return
        without_maps = [name for name in self._lives if with_units and f"feature_maps/{name}" not in drawn]
        lives = {
            f"units/{name}": kinds.life_map(self._lives[name].table(), about=_UNITS) for name in spread(without_maps)
        }
        over_time = {
            f"through_time/{name}": kinds.through_time(*_halves(self._over_time[name].table()), about=_THROUGH_TIME)
            for name in spread(list(self._over_time) if with_sequences else [])
        }
        at = self._steps.last_step if step is None else step + self._steps.shift
        whole = {**drawn, **lives, **over_time}
        self._write_stock([stock.picture(tag, picture) for tag, picture in whole.items()], at)

    def write_snapshot(self, mode_difference: Mapping[str, float], reconstruction_error: float) -> None:
        """Adds what a snapshot of the model showed, by row of the layer table, to the last record."""
        if self._record is None or not (mode_difference or np.isfinite(reconstruction_error)):
            return
        layers, totals = self._record.layers.copy(), self._record.totals.copy()
        layers[:, LAYER_COLUMNS.index("mode_difference")] = [
            mode_difference.get(layer.name, np.nan) for layer in self.spec.layers
        ]
        totals[STEP_COLUMNS.index("reconstruction_error")] = reconstruction_error
        self._record = dataclasses.replace(self._record, layers=layers, totals=totals)
        # A step that is written again replaces itself.
        summary = self._output.encoder.again(self._record)
        if self._with_stock and not np.isnan(reconstruction_error):
            self._output.encoder.add(summary, [stock.reconstruction_error(reconstruction_error)])
        self._output.write(summary, self._steps.last_step)

    def add_epoch(self, step: int, epoch: int, logs: Mapping[str, Any]) -> None:
        """Takes the logs at the end of an epoch, whose last step this is as the training counts; writes them if due."""
        metrics = readable_metrics(logs)
        if metrics:
            self._write_epoch(self._epochs.add(EpochMetrics(step + self._steps.shift, epoch, metrics)))

    def finish(self) -> None:
        """Writes the findings as they are at the end of a training, and the metrics of its last epoch."""
        self.finish_epochs()
        self._output.write(self._output.encoder.findings(self.findings), self._steps.last_step)

    def finish_epochs(self) -> None:
        """Writes the metrics of the last epoch of a training; the next one may count its epochs from 0 again."""
        self._write_epoch(self._epochs.finish())

    def rest(self) -> None:
        """Ends what runs in the background between two trainings."""
        self._judging.rest()
        self._samples.rest()

    def _write(
        self,
        record: StepRecord,
        judgement: Judgement,
        histograms: Array | None,
        sequences: Array | None,
        cost: Array,
    ) -> None:
        output = self._output
        if not output.is_described:
            self._describe(record.step)
        with_units = self._spacing.wants_units(record.step)
        with_scalars = self._with_stock and self._spacing.wants_scalars(record.step)
        findings = judgement.findings if judgement.changes else None
        summary = output.encoder.record(
            record,
            outcomes=judgement.outcomes,
            rules=self._judging.rules,
            training=dict(zip(self._judging.training_rules, judgement.training.tolist(), strict=True)),
            findings=findings,
            are_findings_whole=findings is None or self._spacing.wants_whole(record.step, len(findings)),
            histograms=histograms,
            sequences=sequences,
            cost=cost,
            keeps_peaks=None if with_units else kept_peaks(self.spec, record),
            keeps_shares=kept_shares(self.spec),
        )
        if with_scalars:
            output.encoder.add(summary, stock.gradient_scalars(self.spec, record))
        output.write(summary, record.step)
        self._spacing.wrote(record.step, with_units=with_units, with_scalars=with_scalars)

    def _write_epoch(self, metrics: EpochMetrics | None) -> None:
        if metrics is not None and self._output.is_described:
            self._output.write(self._output.encoder.epoch(metrics), metrics.step)

    def _describe(self, step: int) -> None:
        self._output.describe(self.spec, self._steps.described_from(step))
        for state in self._steps.unwritten_states():
            self._output.remember(state)

    def _write_stock(self, values: Sequence[Any], step: int) -> None:
        if values:
            summary = Summary()
            self._output.encoder.add(summary, values)
            self._output.write(summary, step)

    def _remember_over_time(self, name: str, profile: Array) -> None:
        self._over_time.setdefault(name, Growing(len(profile))).append(profile)

    def _remember_units(self, record: StepRecord) -> None:
        start = 0
        for layer in self.spec.layers:
            if layer.units:
                lives = self._lives.setdefault(layer.name, Growing(layer.units))
                lives.append(record.unit_activity[start : start + layer.units])
                start += layer.units


def _halves(table: Array) -> tuple[Array, Array]:
    """Gradients and outputs, each `[steps, bins]`, from rows of a length and 64 bins of outputs and of gradients."""
    bins = max(1, min(int(table[:, 0].max()), TIME_BINS))
    return table[:, 1 + TIME_BINS :][:, :bins], table[:, 1 : 1 + bins]
