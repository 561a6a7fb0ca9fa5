"""`LayerHealth`: the Keras callback."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from tb_activations.health.rules import RuleChoice
from tb_activations.recording.announce import OnProblem
from tb_activations.recording.pipeline import Pipeline, pipeline_for
from tb_activations.recording.recording import Recording
from tb_activations.recording.run_output import output_for
from tb_activations.recording.sample_ids import SampleId
from tb_activations.recording.session import Session
from tb_activations.recording.settings import Clocks, EpochFreq, checked_settings
from tb_activations.records.finding import Finding
from tb_activations.snapshots.model_snapshots import Snapshot
from tb_activations.snapshots.settings import ImageScale, watch_settings
from tb_activations.snapshots.watch import Watch
from tb_activations.taps.gist import gist
from tb_activations.taps.layers import LayerChoice, choose_layers, find_layers
from tb_activations.taps.schedule.cadence import Thinning, UpdateFreq
from tb_activations.taps.step.observation import Options

__all__ = ["LayerHealth"]

_LOGGER = logging.getLogger("tb_activations")


class LayerHealth(keras.callbacks.Callback):
    """Records the health of every layer during `fit`: which layers are sick, of what, and since when.

    ```python
    model.fit(x, y, callbacks=[LayerHealth("logs/run-1")])
    ```

    Then `tensorboard --logdir logs` has a tab "Layer Health".

    Args:
        log_dir: folder of this run only; no other callback should write into it. It is made if missing. A run in it is
            continued if the state of the model continues it. Otherwise, and while another training records there, a
            sibling folder is used (`run-1-2` for `run-1`) and a warning logged.
        update_freq: which steps are observed. "auto" observes many steps at first and then as many as `overhead`
            allows; "sparse" the first twenty steps and then fewer and fewer, whatever the clock, for short trainings in
            large numbers; "batch" every step; "epoch" the last step of every epoch; a number N every N steps.
        overhead: share of the training time, above 0 and at most 1, that monitoring may take; only for "auto".
        layers: layers to observe: names, a regular expression, or a function from a layer to a bool. None: all.
        histogram_freq: histograms of activations and gradients at the end of every N-th epoch; 0 for none, also in
            the tab; "auto" for fewer and fewer as epochs go by.
        image_freq: pictures at the end of every N-th epoch; "epoch" for every epoch; 0 for none; "auto" for fewer and
            fewer, and at most half of `overhead` after the first second.
        probe_data: samples with which the model is called after epochs: `(x, y)` or x alone, as `fit` takes them, or
            a dataset, whose first batch is used (use a separate one: reading it can advance its shuffling). The
            pictures then show these samples, and training mode is compared with inference mode. All variables that
            the calls write are restored. A model with operations that change more, such as `tf.numpy_function` or a
            mutable table, is not called, and a warning names them. Python code in a `call` that changes something,
            such as a counter, runs with each of these calls and is not undone. With None, the default, the model is
            never called outside its training step, and pictures show the first samples of the last observed step.
        images: which pictures are drawn: any of "feature_maps", "mean_activation", "units", "through_time", and with
            `probe_data` "saliency", "maximized_input" and "reconstruction". None draws all but "maximized_input", which
            is expensive. "reconstruction" is drawn for models whose targets are their inputs, or, if named here, for
            all whose outputs have the shape of their inputs.
        image_scale: "common" for one scale for all maps of a picture, "each" for a separate scale for each.
        rules: ids of the rules to judge by, or a mapping from id to thresholds; None for all with their defaults.
        on_problem: what to do when a finding of severity "problem" opens. "warn" logs it (as it does every finding,
            once), "stop" ends the training after this step, "raise" raises `LayerHealthError`, a function is called
            with the finding.
        stock_summaries: whether TensorBoard's own tabs get gradient scalars, histograms and pictures too.
        sample_id: function that takes the data of a step and a row in it and returns that sample's id, such as
            `lambda batch, row: batch[0]["id"][row]`. Findings that come from a single sample name its row, and with
            this function its id. Called only for such findings, from another thread.

    Raises:
        TypeError, ValueError: when made or when training begins, for arguments that are not allowed.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        *,
        update_freq: UpdateFreq = "auto",
        overhead: float = 0.02,
        layers: LayerChoice = None,
        histogram_freq: EpochFreq = "auto",
        image_freq: EpochFreq = "auto",
        probe_data: Any = None,
        images: Sequence[str] | None = None,
        image_scale: ImageScale = "common",
        rules: RuleChoice = None,
        on_problem: OnProblem = "warn",
        stock_summaries: bool = True,
        sample_id: SampleId = None,
    ) -> None:
        super().__init__()
        self._settings = checked_settings(
            log_dir=log_dir,
            update_freq=update_freq,
            overhead=overhead,
            layers=layers,
            histogram_freq=histogram_freq,
            image_freq=image_freq,
            rules=rules,
            on_problem=on_problem,
            stock_summaries=stock_summaries,
            sample_id=sample_id,
        )
        self._snapshot_settings = watch_settings(probe_data, images, image_scale)
        self._images_due, self._states_due = Thinning(self._settings.image_freq), Thinning("auto")
        self._thinned_run = 0
        self._session: Session | None = None
        self._pipeline: Pipeline | None = None
        self._is_off = False
        self._use_clocks(Clocks())

    def _use_clocks(self, clocks: Clocks) -> None:
        self._clocks = clocks
        settings = self._settings
        self._watch = (
            Watch(self._snapshot_settings, settings.layers, settings.snapshot_overhead, clocks.clock)
            if settings.image_freq != 0
            else None
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings so far, during and after training: worst first, resolved ones last."""
        return self._pipeline.findings if self._pipeline else ()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins to observe.

        Raises:
            ValueError: `layers` names a layer that the model does not have.
        """
        # Layers that the first step creates cannot be checked yet.
        if all(layer.built for layer in self.model._flatten_layers()):
            choose_layers(find_layers(self.model), self._settings.layers)
        self._is_off = False
        self._harmless(self._begin)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Takes note of the epoch; installs the dispatcher again if the step was recompiled."""
        self._harmless(lambda: self._begun().begin_epoch(epoch, self.params or {}))

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Ends the time of the last step before validation begins."""
        if self._session is not None:
            self._harmless(self._session.close_step)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the metrics, and histograms and pictures of the last observed step if they are due; flushes."""
        self._harmless(lambda: self._end_epoch(epoch, logs or {}))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restores the model's own step and closes the file; warns if nothing was recorded."""
        self._harmless(self._end)

    def _harmless(self, action: Callable[[], Any]) -> None:
        """Runs an action. If it fails, observing ends with one warning, and training continues."""
        if self._is_off:
            return
        try:
            action()
        except Exception as error:
            self._is_off = True
            _LOGGER.warning("Layer health: observing is off (%s). Training continues.", gist(error))
            if self._session is not None:
                self._session.abandon()

    def _begin(self) -> None:
        clock = self._clocks.clock
        if self._pipeline is None:
            output = output_for(self._settings.log_dir, self._clocks)
            self._pipeline = pipeline_for(self._settings, self.model.name, output, self._stop, self._clocks)
        if self._session is None or self._session.model is not self.model:
            if self._session is not None:
                # An interrupted training of another model has never ended.
                self._session.abandon()
            with_maps = self._watch is not None and self._watch.needs_maps
            options = Options(with_histograms=self._settings.histogram_freq != 0, with_maps=with_maps)
            self._session = Session(self.model, self._pipeline, self._settings, options, clock)
        self._session.begin()
        for thinning in (self._images_due, self._states_due):
            thinning.begin_training()

    def _begun(self) -> Session:
        # Loops that drive callbacks by hand may leave out `on_train_begin`.
        if self._session is None or self._session.model is not self.model:
            self._begin()
        assert self._session is not None
        return self._session

    def _end_epoch(self, epoch: int, logs: Mapping[str, Any]) -> None:
        session, pipeline = self._session, self._pipeline
        if session is None or pipeline is None or not session.is_open:
            return
        session.close_step()
        began = self._clocks.clock()
        if pipeline.runs != self._thinned_run:
            self._thinned_run = pipeline.runs
            for thinning in (self._images_due, self._states_due):
                thinning.begin_run()
        pipeline.write_histograms(epoch)
        pipeline.add_epoch(session.next_step - 1, epoch, logs)
        if self._images_due.is_due(epoch):
            maps = pipeline.feature_maps()
            pipeline.guarded(lambda recording: self._take_snapshot(session, recording, maps, epoch))
        if self._states_due.is_due(epoch):
            pipeline.remember_state(session.state())
            self._states_due.done(epoch)
        pipeline.flush()
        session.cadence.account.end_of_epoch(self._clocks.clock() - began)

    def _end(self) -> None:
        session, pipeline = self._session, self._pipeline
        if session is None or pipeline is None:
            return
        reason = session.end()
        if session.is_open:
            if self._watch is not None and self._watch.is_waiting:
                maps = pipeline.feature_maps()
                pipeline.guarded(lambda recording: self._take_snapshot(session, recording, maps, None))
            pipeline.close()
            pipeline.conclude()
        if reason:
            _LOGGER.warning("Layer health: nothing was recorded in %r: %s", self._settings.log_dir, reason)

    def _take_snapshot(
        self, session: Session, recording: Recording, maps: Mapping[str, Any], epoch: int | None
    ) -> None:
        """Takes a snapshot at the end of this epoch; None for the end of the training."""
        if self._watch is None:
            return
        watch, account = self._watch, session.cadence.account

        def write(snapshot: Snapshot) -> None:
            recording.write_pictures(
                snapshot.pictures,
                step=session.next_step - 1,
                with_units=watch.draws("units"),
                with_sequences=watch.draws("through_time"),
            )
            recording.write_snapshot(snapshot.mode_difference, snapshot.reconstruction_error)

        is_end, preparing = epoch is None, account.one_time
        seconds = watch.look(self.model, recording.spec, maps, write, preparing=preparing, is_end=is_end)
        if seconds is not None:
            account.look(seconds)
            if epoch is not None:
                self._images_due.done(epoch)

    def _stop(self) -> None:
        self.model.stop_training = True
