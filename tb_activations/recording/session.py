"""One model under observation, through one training after another."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

import keras

from tb_activations.recording.continuation import TrainingState
from tb_activations.recording.pipeline import Pipeline
from tb_activations.recording.settings import Settings
from tb_activations.taps.fingerprint import fingerprint
from tb_activations.taps.layers import choose_layers, find_layers
from tb_activations.taps.numbers.packed import PackedStep
from tb_activations.taps.schedule.cadence import FREE_SECONDS, Cadence
from tb_activations.taps.step.dispatch import Dispatcher, iterations
from tb_activations.taps.step.observation import Options
from tb_activations.taps.step.observed_step import ObservedStep

_LOGGER = logging.getLogger("tb_activations")


class Session:
    """Puts the dispatcher on a model for each of its trainings and passes observed steps to the pipeline.

    Args:
        model: the model.
        pipeline: takes the observed steps.
        settings: which steps and layers are observed.
        options: what leaves an observed step in addition to statistics.
        clock: seconds.

    Attributes:
        model: the model.
        cadence: of the present training.
        is_open: whether a step of the present training has begun.
    """

    def __init__(
        self,
        model: keras.Model,
        pipeline: Pipeline,
        settings: Settings,
        options: Options,
        clock: Callable[[], float],
    ) -> None:
        self.model = model
        self._pipeline = pipeline
        self._settings = settings
        self._options = options
        self._clock = clock
        self._plain: Any = None
        self._trained, self._runs = 0.0, 0
        self.cadence = self._new_cadence()
        self._dispatcher: Dispatcher | None = None
        self._observed_step: tuple[Any, ObservedStep] | None = None
        self._epoch = self._recorded = 0
        self._begun_at = self._expected = 0
        self._was_recorded = self.is_open = False

    def begin(self) -> None:
        """Begins a training; what belongs to the one before ends."""
        self._remember_interruption()
        self._remove()
        # In a loop of `train_on_batch` it has not been made yet.
        self.model.make_train_function()
        if self.model.train_function is not self._plain:
            self._plain, self._trained = self.model.train_function, 0.0
        self.cadence = self._new_cadence()
        self._recorded, self.is_open = 0, False
        self._install(self._open, steps_before=0)

    def begin_epoch(self, epoch: int, planned: Mapping[str, Any]) -> None:
        """Takes note of the epoch; installs the dispatcher again if the step was recompiled.

        `planned` holds "steps" of the epoch and "epochs" of the training as far as they are known.
        """
        self._epoch = epoch
        dispatcher = self._dispatcher
        if dispatcher is None or not dispatcher.is_installed():
            self._expected, steps = (dispatcher.next_step, dispatcher.steps) if dispatcher else (0, 0)
            dispatcher = self._install(self._open_again if steps else self._open, steps_before=steps)
        dispatcher.begin_epoch(planned.get("steps"), epoch + 1 == planned.get("epochs"))

    def close_step(self) -> None:
        """Ends the time of the last step, if it has not ended yet."""
        if self._dispatcher is not None:
            self._dispatcher.close_step()

    def end(self) -> str:
        """Restores the model's own step; returns why nothing was recorded since `begin`, "" if something was."""
        reason = self._why_nothing()
        if self._recorded:
            self._pipeline.remember_state(dataclasses.replace(self.state(), is_end=True))
        self._remove()
        return reason

    def abandon(self) -> None:
        """Restores the model's own step after a failure; nothing here may fail in turn."""
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is not None:
            dispatcher.remove()

    @property
    def next_step(self) -> int:
        """Number of the step that comes next: the optimizer's count, unless it is behind the steps of the training."""
        dispatcher, count = self._dispatcher, self._counted()
        return max(count, dispatcher.next_step) if dispatcher is not None and dispatcher.is_exact else count

    def state(self) -> TrainingState:
        """The state of the training now."""
        # A model whose own `call` never runs, such as a pair of GANs, stays unbuilt although its parts are built.
        parts = self.model._flatten_layers()
        is_whole = all(layer.built or isinstance(layer, keras.Model) for layer in parts) and bool(self.model.weights)
        weights = fingerprint(self.model.weights) if is_whole else None
        return TrainingState(self._counted(), weights, self._was_recorded, self.next_step)

    def _counted(self) -> int:
        """The count of the optimizer; that of the steps where it does not count."""
        count = iterations(self.model)
        is_counting = self._dispatcher is None or count > self._begun_at
        return count if is_counting or self._dispatcher is None else self._dispatcher.next_step

    def _new_cadence(self) -> Cadence:
        # A fixed frequency of snapshots is the user's own, and not charged to the overhead.
        has_asked_looks = self._settings.image_freq not in ("auto", 0)
        return Cadence(
            self._settings.update_freq,
            self._settings.overhead,
            has_asked_looks=has_asked_looks,
            free_seconds=FREE_SECONDS - self._trained,
        )

    def _install(self, on_first_step: Callable[[], None], steps_before: int) -> Dispatcher:
        model, settings, options = self.model, self._settings, self._options
        model.make_train_function()
        plain = model.train_function

        def make() -> ObservedStep:
            # Tracing is the most expensive part: a later `fit` of the same compiled step uses the same trace.
            if self._observed_step is None or self._observed_step[0] is not plain:
                self._observed_step = (plain, ObservedStep(model, settings.layers, options))
            return self._observed_step[1]

        self._dispatcher = Dispatcher(
            model,
            make,
            self.cadence,
            self._clock,
            self._wants_histograms,
            self._on_observed,
            on_first_step=on_first_step,
            steps_before=steps_before,
        )
        self._dispatcher.install()
        return self._dispatcher

    def _open(self) -> None:
        # Not before the first step: later callbacks may restore the model when the training begins.
        self._begun_at = iterations(self.model)
        self._pipeline.open(self._begun_at, self.state())
        self._was_recorded = self.is_open = True
        if self._pipeline.runs != self._runs:
            self._runs, self._trained = self._pipeline.runs, 0.0
            self.cadence.begin_run()

    def _open_again(self) -> None:
        # An optimizer that was replaced during a training counts from 0 again.
        if iterations(self.model) < self._expected:
            self._pipeline.close()
            self._open()

    def _remember_interruption(self) -> None:
        """Stores where a training was interrupted, if the count of the optimizer alone does not tell."""
        dispatcher = self._dispatcher
        if dispatcher is None or dispatcher.counts_each_step or not self.is_open:
            return
        # Otherwise the model has been set back since.
        if iterations(self.model) >= dispatcher.last_count:
            self._pipeline.remember_state(self.state())

    def _remove(self) -> None:
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is not None:
            dispatcher.close_step()
            dispatcher.remove()
            self._trained += self.cadence.seconds

    def _wants_histograms(self, step: int, is_epoch_end: bool) -> bool:
        return self._pipeline.wants_histograms(step, self._epoch, is_epoch_end)

    def _on_observed(self, packed: PackedStep) -> None:
        self._recorded += 1
        if self._recorded == 1:
            self._check_choice()
        self._pipeline.process(packed, self._epoch, self.cadence)

    def _check_choice(self) -> None:
        """Warns of a choice that matches no layer: layers that the first step builds could not be checked before."""
        try:
            choose_layers(find_layers(self.model), self._settings.layers)
        except ValueError as error:
            _LOGGER.warning("Layer health: %s", error)

    def _why_nothing(self) -> str:
        dispatcher = self._dispatcher
        if self._recorded or (dispatcher is not None and (dispatcher.failure or dispatcher.is_passed_over)):
            return ""
        if dispatcher is None or not dispatcher.steps:
            return (
                "no step of the training ran through the model's `train_function`. Use `tb_activations.Recorder` for a "
                "custom training loop."
            )
        return (
            f"none of the {dispatcher.steps} steps was observed with update_freq={self._settings.update_freq!r}. "
            'Use "auto", or a smaller number of steps.'
        )
