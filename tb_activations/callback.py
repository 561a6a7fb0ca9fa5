"""`LayerHealth`: the Keras callback."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras

from tb_activations.health.rules import configure
from tb_activations.recording.announce import Announcer, LayerHealthError, OnProblem, check_on_problem
from tb_activations.recording.folder.writer import check_log_dir, resolved_log_dir
from tb_activations.recording.observer import EpochFreq, Observer, RuleChoice, check_epoch_freq
from tb_activations.recording.output import RunOutput
from tb_activations.recording.recording import Recording
from tb_activations.recording.session import Session, SessionSettings
from tb_activations.recording.tables import RunSettings
from tb_activations.records.finding import Finding
from tb_activations.snapshots.settings import ImageScale, watch_settings
from tb_activations.snapshots.watch import Watch
from tb_activations.taps.gist import gist
from tb_activations.taps.layers import LayerChoice, check_choice, choose_layers, find_layers
from tb_activations.taps.schedule.cadence import Thinning, UpdateFreq, check_cadence
from tb_activations.taps.step.observation import Options

__all__ = ["LayerHealth", "LayerHealthError"]

_LOGGER = logging.getLogger("tb_activations")


class LayerHealth(keras.callbacks.Callback):
    """Records the health of every layer during `fit` and says which layers are sick, of what and since when.

    ```python
    model.fit(x, y, callbacks=[LayerHealth("logs/run-1")])
    ```

    Then `tensorboard --logdir logs` has a tab "Layer Health".

    Args:
        log_dir: folder of this run, its own: no other callback should write into it. Made if missing. A run in
            it is continued if the state of the model continues it. Otherwise, and while another training records
            there, this one is recorded in a folder next to it (`run-1-2` for `run-1`), and the log tells which.
        update_freq: which steps are observed. "auto" observes densely at first and then as often as `overhead`
            allows; "batch" every step; "epoch" the last step of every epoch; a number N every N steps.
        overhead: share of the training time, above 0 and at most 1, that observing may take; only for "auto".
        layers: layers to observe: names, a regular expression, or a function from a layer to a bool. None: all.
        histogram_freq: stock histograms of activations and gradients at the end of every N-th epoch; 0 for none, and
            then the tab has none either; "auto" for fewer and fewer as epochs go by.
        image_freq: pictures at the end of every N-th epoch; "epoch" for every epoch; 0 or "auto" as above. "auto" also
            keeps what they cost within half of `overhead`, but for the first second.
        probe_data: samples with which the model is called after epochs: `(x, y)`, or x alone, as `fit` takes them, or
            a dataset, whose first batch is taken (give one of its own: a pass over it can move its shuffling on). The
            pictures show these samples, and training mode is compared with inference mode. All variables that the
            calls write get their values back. A model with operations that change more, such as `tf.numpy_function`
            or a mutable table, is not called; one warning names them. Plain Python code in a `call` that changes
            something, such as a counter, runs with each of these calls and is not undone. None, the default, never
            calls the model outside its training step: pictures then show the first samples of the last observed step.
        images: which pictures are drawn: any of "feature_maps", "mean_activation", "units", and with `probe_data`
            "saliency", "maximized_input" and "reconstruction". None draws all of them but "maximized_input", which
            costs many passes over the model. "reconstruction" is drawn of models whose targets are their inputs, or,
            if it is named here, of all whose outputs are shaped as their inputs.
        image_scale: "common" for one scale for all maps of a picture, "each" for a scale of its own for each.
        rules: ids of the rules to judge by, or a mapping from id to thresholds; None for all with their defaults.
        on_problem: what to do when a finding of severity "problem" opens. "warn" logs it (as every other finding is:
            a line each, once), "stop" ends the training after this step, "raise" raises `LayerHealthError`, a function
            is called with the finding.
        stock_summaries: whether TensorBoard's own tabs get gradient scalars, histograms and pictures too.
        clock: seconds; only the account of what observing costs reads it, and when to flush.
        wall_clock: seconds since the epoch, for the times of the records.

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
        image_freq: EpochFreq | Literal["epoch"] = "auto",
        probe_data: Any = None,
        images: Sequence[str] | None = None,
        image_scale: ImageScale = "common",
        rules: RuleChoice = None,
        on_problem: OnProblem = "warn",
        stock_summaries: bool = True,
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._log_dir = resolved_log_dir(log_dir)
        check_log_dir(self._log_dir)
        check_cadence(update_freq, overhead)
        check_choice(layers)
        check_epoch_freq("histogram_freq", histogram_freq)
        image_freq = 1 if image_freq == "epoch" else image_freq
        check_epoch_freq("image_freq", image_freq)
        watched = watch_settings(probe_data, images, image_scale)
        check_on_problem(on_problem)
        self._rules = configure(rules)
        limit = float(overhead) if image_freq == "auto" else None
        self._watch = Watch(watched, layers, limit, clock) if image_freq != 0 else None
        with_maps = self._watch is not None and self._watch.needs_maps
        self._settings = SessionSettings(
            layers=layers,
            options=Options(with_histograms=histogram_freq != 0, with_maps=with_maps),
            update_freq=update_freq,
            overhead=float(overhead),
            has_asked_looks=limit is None and image_freq != 0,
            clock=clock,
        )
        self._histograms_due, self._images_due = Thinning(histogram_freq), Thinning(image_freq)
        self._states_due = Thinning("auto")
        self._announcer = Announcer(on_problem, self._stop)
        self._stock_summaries = stock_summaries
        self._clock, self._wall_clock = clock, wall_clock
        self._observer: Observer | None = None
        self._session: Session | None = None
        self._is_off = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far, during and after training: worst first, closed findings last."""
        return self._observer.findings if self._observer else ()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins to observe.

        Raises:
            ValueError: `layers` names a layer that the model does not have.
        """
        # Layers that the first step creates are not there yet.
        if all(layer.built for layer in self.model._flatten_layers()):
            choose_layers(find_layers(self.model), self._settings.layers)
        self._is_off = False
        self._harmless(self._begin)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Takes note of the epoch; puts the dispatcher back if the step was compiled anew since."""
        self._harmless(lambda: self._begun().begin_epoch(epoch, self.params or {}))

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Ends the last step's time before validation begins."""
        if self._session is not None:
            self._harmless(self._session.close_step)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes histograms and pictures of the last observed step if they are due; flushes."""
        self._harmless(lambda: self._end_epoch(epoch))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Gives the model its own step back and closes the file; warns if nothing was recorded."""
        self._harmless(self._end)

    def _harmless(self, action: Callable[[], Any]) -> None:
        """Runs what observes. If it fails, observing ends with one warning, and the training continues."""
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
        if self._observer is None:
            cadence = {"update_freq": self._settings.update_freq, "overhead": self._settings.overhead}
            settings = RunSettings(self.model.name, self._rules, cadence, self._stock_summaries)
            recording = Recording(settings, RunOutput(self._log_dir, self._clock, self._wall_clock))
            self._observer = Observer(recording, self._announcer, self._histograms_due, self._clock)
        if self._session is None or self._session.model is not self.model:
            self._session = Session(self.model, self._observer, self._settings)
        self._session.begin()

    def _begun(self) -> Session:
        # Loops that drive callbacks by hand may leave out `on_train_begin`.
        if self._session is None or self._session.model is not self.model:
            self._begin()
        assert self._session is not None
        return self._session

    def _end_epoch(self, epoch: int) -> None:
        if self._session is None or self._observer is None or not self._session.is_open:
            return
        self._session.close_step()
        self._observer.write_histograms(epoch)
        if self._images_due.is_due(epoch):
            self._observer.guarded(lambda recording: self._look(recording, epoch))
        if self._states_due.is_due(epoch):
            self._observer.remember_state(self._session.state())
            self._states_due.done(epoch)
        self._observer.flush()

    def _end(self) -> None:
        if self._session is None or self._observer is None:
            return
        reason = self._session.end()
        if self._session.is_open:
            self._observer.close()
        if reason:
            _LOGGER.warning("Layer health: nothing was recorded in %r: %s", self._log_dir, reason)

    def _look(self, recording: Recording, epoch: int) -> None:
        assert self._watch is not None
        assert self._observer is not None
        assert self._session is not None
        look = self._watch.look(self.model, recording.spec, self._observer.feature_maps())
        if look is None:
            return
        self._images_due.done(epoch)
        self._session.cadence.look(look.seconds)
        step = self._session.next_step - 1
        recording.write_pictures(look.pictures, step=step, with_units=self._watch.draws("units"))
        recording.write_probe(look.mode_difference, look.reconstruction_error)

    def _stop(self) -> None:
        self.model.stop_training = True
