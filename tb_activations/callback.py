"""`LayerHealth`: the Keras callback."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import numpy as np

from tb_activations.announce import Announcer, LayerHealthError, OnProblem, check_on_problem
from tb_activations.capture.cadence import Cadence, Thinning, UpdateFreq, check_cadence
from tb_activations.capture.dispatch import Dispatcher, Observed
from tb_activations.capture.fingerprint import fingerprint
from tb_activations.capture.layers import LayerChoice, check_choice, choose_layers, find_layers
from tb_activations.capture.observation import Options
from tb_activations.capture.observed_step import ObservedStep
from tb_activations.continuation import TrainingState
from tb_activations.events.writer import check_log_dir, resolved_log_dir
from tb_activations.health.records import Finding
from tb_activations.health.rules import configure
from tb_activations.observer import EpochFreq, Observer, RuleChoice, Seen, check_epoch_freq
from tb_activations.recording import Recording
from tb_activations.run_output import RunOutput
from tb_activations.tables import RunSettings
from tb_activations.watching.settings import ImageScale, watch_settings
from tb_activations.watching.watch import Watch

__all__ = ["LayerHealth", "LayerHealthError"]


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
        probe_data: samples that the pictures show (feature maps, saliency, reconstruction) and for which training mode
            is held against inference mode: `(x, y)`, or x alone, as `fit` takes them, or a dataset, of which the first
            batch is taken. None takes the first samples of the first observed batch. Model and training are left as
            they are.
        images: which pictures are drawn: any of "feature_maps", "mean_activation", "units", "saliency",
            "maximized_input" and "reconstruction". None draws all but "maximized_input", which costs many passes over
            the model. "reconstruction" is drawn of models whose targets are their inputs, or, if it is named here,
            of all whose outputs are shaped as their inputs.
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
        watch = watch_settings(probe_data, images, image_scale)
        check_on_problem(on_problem)
        self._rules = configure(rules)
        self._update_freq, self._overhead = update_freq, float(overhead)
        self._layers = layers
        self._histograms_due, self._images_due = Thinning(histogram_freq), Thinning(image_freq)
        self._options = Options(with_histograms=histogram_freq != 0, with_maps=image_freq != 0 and probe_data is None)
        limit = self._overhead if image_freq == "auto" else None
        self._has_asked_looks = limit is None and image_freq != 0
        self._watch = Watch(watch, layers, limit, clock) if image_freq != 0 else None
        self._announcer = Announcer(on_problem, self._stop)
        self._stock_summaries = stock_summaries
        self._clock, self._wall_clock = clock, wall_clock
        self._observer: Observer | None = None
        self._dispatcher: Dispatcher | None = None
        self._observed_step: tuple[Callable[[Any], Any], ObservedStep] | None = None
        self._epoch = 0
        self._trained: keras.Model | None = None
        self._is_open = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far, during and after training: worst first, closed findings last."""
        return self._observer.findings if self._observer else ()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the dispatcher in place."""
        model = self.model
        named = choose_layers(find_layers(model), self._layers)
        if not named:
            raise ValueError("LayerHealth found no layer in the model; build it or give it layers before training.")
        if self._observer is None:
            cadence = {"update_freq": self._update_freq, "overhead": self._overhead}
            settings = RunSettings(model.name, self._rules, cadence, self._stock_summaries)
            recording = Recording(settings, RunOutput(self._log_dir, self._clock, self._wall_clock))
            self._observer = Observer(recording, self._announcer, self._histograms_due, self._clock)
        self._cadence = Cadence(self._update_freq, self._overhead, has_asked_looks=self._has_asked_looks)
        self._remove_dispatcher()
        self._is_open = False
        self._install()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Takes note of the epoch; puts the dispatcher back if the step was compiled anew since."""
        self._epoch = epoch
        assert self._dispatcher is not None
        if not self._dispatcher.is_installed():
            self._install(steps_before=self._dispatcher.steps)
        self._dispatcher.begin_epoch(self.params.get("steps"), epoch + 1 == self.params.get("epochs"))

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Opens the recording at the first step: a checkpoint may have been restored since `on_train_begin`."""
        if self._is_open:
            return
        assert self._observer is not None
        assert self._dispatcher is not None
        state, self._is_open = self._state(), True
        self._trained = self.model
        if self._dispatcher.next_step != state.iterations:
            self._remove_dispatcher()
            self._install()
            self._dispatcher.begin_epoch(self.params.get("steps"), self._epoch + 1 == self.params.get("epochs"))
        self._observer.open(state.iterations, state)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Ends the last step's time before validation begins."""
        if self._dispatcher is not None:
            self._dispatcher.close_step()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes histograms and pictures of the last observed step if they are due; flushes."""
        assert self._dispatcher is not None
        assert self._observer is not None
        self._dispatcher.close_step()
        self._observer.write_histograms(epoch)
        if self._images_due.is_due(epoch):
            self._observer.guarded(self._look)
        self._observer.remember_state(self._state())
        self._observer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Gives the model its own step back and closes the file."""
        self._remove_dispatcher()
        if self._observer is not None:
            self._observer.remember_state(self._state())
            self._observer.close()

    def _state(self) -> TrainingState:
        model = self.model
        weights = fingerprint(model.weights) if model.built else None
        return TrainingState(int(model.optimizer.iterations.numpy()), weights, self._trained is model)

    def _install(self, steps_before: int = 0) -> None:
        model, options = self.model, self._options

        plain = model.train_function

        def make() -> ObservedStep:
            # Tracing is the dearest part: a later `fit` of the same compiled step goes on with the same trace.
            if self._observed_step is None or self._observed_step[0] is not plain:
                with self._watch.in_steps_of(model) if self._watch else contextlib.nullcontext():
                    step = ObservedStep(model, choose_layers(find_layers(model), self._layers), options)
                self._observed_step = (plain, step)
            return self._observed_step[1]

        self._dispatcher = Dispatcher(
            model, make, self._cadence, self._clock, self._wants_histograms, self._on_observed, steps_before
        )
        self._dispatcher.install()

    def _remove_dispatcher(self) -> None:
        if self._dispatcher is not None:
            self._dispatcher.close_step()
            self._dispatcher.remove()
        self._dispatcher = None

    def _wants_histograms(self, step: int, is_epoch_end: bool) -> bool:
        assert self._observer is not None
        return self._observer.wants_histograms(step, self._epoch, is_epoch_end)

    def _on_observed(self, step: ObservedStep, observed: Observed) -> None:
        assert self._observer is not None
        if (watch := self._watch) is not None:
            self._observer.guarded(lambda _: watch.see(observed.packed))
        at, loss = observed.step, float(observed.logs.get("loss", np.nan))
        self._observer.take(step, Seen(at, self._epoch, observed.packed, observed.has_extras, loss), self._cadence)

    def _look(self, recording: Recording) -> None:
        assert self._watch is not None
        assert self._observer is not None
        look = self._watch.look(self.model, recording.spec)
        if look is None:
            return
        self._images_due.done(self._epoch)
        look = self._watch.with_step_maps(look, self._observer.feature_maps())
        self._cadence.look(look.seconds)
        step = int(self.model.optimizer.iterations.numpy()) - 1
        recording.write_pictures(look.pictures, step=step, with_units=self._watch.draws("units"))
        recording.write_probe(look.mode_difference, look.reconstruction_error)

    def _stop(self) -> None:
        self.model.stop_training = True
