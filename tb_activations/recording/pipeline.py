"""The way of an observed step from the device to the file: unpack, judge, write, announce."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tb_activations.recording.announce import Announcer
from tb_activations.recording.background import Background, Inline, Worker
from tb_activations.recording.continuation import TrainingState
from tb_activations.recording.output import Output
from tb_activations.recording.recording import Recording
from tb_activations.recording.settings import Clocks, Settings
from tb_activations.recording.tables import RunSettings
from tb_activations.records.finding import Finding
from tb_activations.taps.numbers.packed import PackedStep
from tb_activations.taps.numbers.values import Array, Row
from tb_activations.taps.schedule.cadence import Cadence, Thinning

_LOGGER = logging.getLogger("tb_activations")


_SPIKE = "loss_spike"
"""The rule after whose findings the next steps are observed too."""


class Pipeline:
    """What `LayerHealth` and `Recorder` share: takes observed steps and ends of epochs.

    Whatever fails while recording is logged once and does not affect the training. A worker does what follows an
    observed step; everything else happens on the training's thread, once the worker is done.

    Args:
        recording: what judges and writes.
        announcer: what logs findings and acts on them.
        histograms: when stock histograms are due.
        worker: records observed steps.
        clock: seconds.
        needs_batch: whether the data of an observed step are kept until it is judged.
    """

    def __init__(
        self,
        recording: Recording,
        announcer: Announcer,
        histograms: Thinning,
        worker: Worker,
        clock: Callable[[], float],
        *,
        needs_batch: bool = False,
    ) -> None:
        self._recording = recording
        self._announcer = announcer
        self._histograms_due = histograms
        self._worker = worker
        self._clock = clock
        self._needs_batch = needs_batch
        self._last: PackedStep | None = None
        self._is_broken = self._has_checked_layers = False
        self._is_first = True
        self._announced_run = 0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings so far: worst first, resolved ones last."""
        self._finish_steps()
        return self._recording.findings

    @property
    def sick_steps(self) -> int:
        """Number of observed steps in a row, up to the last one, with an open problem."""
        self._finish_steps()
        return self._recording.sick_steps

    @property
    def runs(self) -> int:
        """Number of new runs begun so far."""
        self._finish_steps()
        return self._recording.runs

    def open(self, first_step: int, state: TrainingState) -> None:
        """Begins a training whose first step has this number, from this state of the model."""
        self._finish_steps()
        self._is_broken, self._is_first = False, True
        self._histograms_due.begin_training()
        self.guarded(lambda recording: recording.open(first_step, state))

    def process(self, packed: PackedStep, epoch: int, cadence: Cadence) -> None:
        """Records a step; announces what opened, changed or closed with it."""
        if not self._needs_batch:
            packed = dataclasses.replace(packed, batch=None)
        account = cadence.account
        cost = [cadence.share(self._clock()), account.last_cost, cadence.last_interval, account.one_time]
        self._last = dataclasses.replace(packed, batch=None)
        if packed.has_histograms:
            self._recording.note_histograms(packed.step)

        def process() -> None:
            self._process(packed, epoch, np.array(cost, np.float32), cadence)

        if self._is_first:
            # The first step of a training chooses its run, which later ones depend on.
            self._is_first = False
            process()
            return
        self._submit(process)
        account.host_work(self._worker.take_seconds())

    def _process(self, packed: PackedStep, epoch: int, cost: Array, cadence: Cadence) -> None:
        changes: tuple[Finding, ...] = ()

        def record(recording: Recording) -> None:
            nonlocal changes
            values = packed.unpack()
            self._warn_of_missing_layers(values.rows)
            changes = recording.add(packed.step, epoch, values, cost, batch=packed.batch)

        self._guarded(record)
        if self._recording.runs != self._announced_run:
            self._announced_run = self._recording.runs
            self._announcer.forget()
            self._histograms_due.begin_run()
        if changes:
            # News is on disk at once, even if it ends the training.
            self._guarded(Recording.flush)
            if any(one.rule == _SPIKE and one.opened_step == packed.step for one in changes):
                cadence.look_closer()
            self._announcer.announce(changes)

    def remember_state(self, state: TrainingState) -> None:
        """Stores the state of the training, at the end of an epoch or of the training."""
        self.guarded(lambda recording: recording.remember_state(state))

    def add_epoch(self, step: int, epoch: int, logs: Mapping[str, Any]) -> None:
        """Takes the logs at the end of an epoch, whose last step this is as the training counts."""
        self.guarded(lambda recording: recording.add_epoch(step, epoch, logs))

    def wants_histograms(self, step: int, epoch: int, is_epoch_end: bool) -> bool:
        """Whether the record of this step gets histograms."""
        return (is_epoch_end and self._histograms_due.is_due(epoch)) or self._recording.wants_histograms(step)

    def write_histograms(self, epoch: int) -> None:
        """Writes stock histograms of the last step that has them at the end of an epoch, if they are due."""
        if self._histograms_due.is_due(epoch):
            self.guarded(lambda recording: self._write_histograms(recording, epoch))

    def _write_histograms(self, recording: Recording, epoch: int) -> None:
        if recording.write_histograms():
            self._histograms_due.done(epoch)

    def feature_maps(self) -> Mapping[str, Array]:
        """Layer name to `[samples, height, width, channels]` of the last observed step."""
        return self._last.feature_maps() if self._last is not None else {}

    def flush(self) -> None:
        """Puts everything on disk."""
        self.guarded(Recording.flush)

    def close(self) -> None:
        """Writes the findings as they are and ends a training."""
        self.guarded(Recording.finish)
        self.guarded(Recording.close)
        self._worker.rest()

    def conclude(self) -> None:
        """Logs the verdict at the end of a training; does nothing if nothing was recorded."""

        def log(recording: Recording) -> None:
            if recording.verdict is not None and recording.log_dir:
                self._announcer.conclude(recording.verdict, recording.log_dir)

        self.guarded(log)

    def guarded(self, action: Callable[[Recording], None]) -> None:
        """Runs an action that only records, after all observed steps.

        If it fails, logs that once and records nothing more in this training.
        """
        self._finish_steps()
        self._guarded(action)

    def _guarded(self, action: Callable[[Recording], None]) -> None:
        if self._is_broken:
            return
        try:
            action(self._recording)
        except Exception as error:
            self._break(error)

    def _submit(self, action: Callable[[], None]) -> None:
        if self._is_broken:
            return
        try:
            self._worker.submit(action)
        except TimeoutError as error:
            self._break(error)

    def _finish_steps(self) -> None:
        try:
            self._worker.wait()
        except TimeoutError as error:
            self._break(error)

    def _break(self, error: Exception) -> None:
        if not self._is_broken:
            self._is_broken = True
            _LOGGER.warning(
                "Layer health: recording has stopped (%s: %s). Training continues.", type(error).__name__, error
            )

    def _warn_of_missing_layers(self, rows: Sequence[Row]) -> None:
        """Warns once if a step shows no layer at all, or the outputs of none."""
        if self._has_checked_layers:
            return
        self._has_checked_layers = True
        if not rows:
            _LOGGER.warning("Layer health: the model has no layers with weights or outputs, so nothing can be judged.")
        elif all(row.not_observed for row in rows):
            _LOGGER.warning(
                "Layer health: no layer's outputs can be observed (%s: %s). Only weights are judged.",
                rows[0].call.name,
                rows[0].not_observed,
            )


def pipeline_for(settings: Settings, model: str, output: Output, stop: Callable[[], None], clocks: Clocks) -> Pipeline:
    """The pipeline with these settings.

    Where the user asked for more than a warning, the training waits for the verdict on each observed step.

    Args:
        settings: checked arguments.
        model: name of what is trained.
        output: where records go.
        stop: ends the training, for `on_problem="stop"`.
        clocks: what tells the time.
    """
    run = RunSettings(model, settings.rules, settings.cadence, settings.stock_summaries)
    announcer = Announcer(settings.on_problem, stop)
    worker: Worker = Background() if settings.on_problem == "warn" and clocks.is_real else Inline()
    recording = Recording(run, output, sample_id=settings.sample_id)
    histograms, needs_batch = (
        Thinning(settings.histogram_freq),
        settings.sample_id is not None or settings.stock_summaries,
    )
    return Pipeline(recording, announcer, histograms, worker, clocks.clock, needs_batch=needs_batch)
