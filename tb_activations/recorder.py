"""`Recorder`: layer health of a custom training loop."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, overload

import keras
import tensorflow as tf

from tb_activations.health.rules import RuleChoice
from tb_activations.recording.announce import OnProblem
from tb_activations.recording.continuation import TrainingState
from tb_activations.recording.output import NoOutput
from tb_activations.recording.pipeline import pipeline_for
from tb_activations.recording.recording import Recording
from tb_activations.recording.run_output import output_for
from tb_activations.recording.sample_ids import SampleId
from tb_activations.recording.settings import Clocks, EpochFreq, check_count, checked_settings
from tb_activations.records.arguments import invalid
from tb_activations.records.finding import Finding
from tb_activations.records.specs import SEVERAL
from tb_activations.snapshots.model_snapshots import Snapshot
from tb_activations.snapshots.settings import ImageScale, watch_settings
from tb_activations.snapshots.watch import Watch
from tb_activations.taps.fingerprint import fingerprint
from tb_activations.taps.gist import gist
from tb_activations.taps.layers import LayerChoice
from tb_activations.taps.numbers.packed import PackedStep
from tb_activations.taps.schedule.cadence import Cadence, StepClock, Thinning, UpdateFreq
from tb_activations.taps.schedule.pace import Pace
from tb_activations.taps.step.observation import Options
from tb_activations.taps.step.observed_function import ObservedFunction, ObservedLoop
from tb_activations.taps.step.step_taps import strategy_of
from tb_activations.taps.strategies import is_chief, is_multi_worker

_LOGGER = logging.getLogger("tb_activations")

Step = Callable[..., Any]


class Recorder:
    """Records the health of every layer in a custom training loop, as `LayerHealth` does in `fit`.

    ```python
    recorder = Recorder("logs/run-1", model)

    @recorder.function(jit_compile=True)                   # instead of @tf.function(jit_compile=True)
    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_function(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss
    ```

    A step that is not observed runs the plain `tf.function`; an observed one runs a second function, traced with taps
    in place. Gradients are seen where `tf.GradientTape.gradient` computes them and where a Keras optimizer gets them,
    so weights that the step updates by itself are seen too. The loss is the sum of what the step differentiates by
    weights of the models. Use `step` for a loop that is not compiled.

    Args:
        log_dir: folder of this run, as for `LayerHealth`.
        models: a model, or several by name, such as `{"generator": ..., "discriminator": ...}`; layer names then begin
            with the model's.
        update_freq: which steps are observed, as for `LayerHealth`; "epoch" needs `steps_per_epoch`.
        overhead: share of the training time that monitoring may take, as for `LayerHealth`. If several processes
            train together, "auto" follows a fixed schedule instead, because all of them must observe the same steps.
        layers: layers to observe, as for `LayerHealth`.
        histogram_freq: histograms at the end of every N-th epoch, as for `LayerHealth`.
        image_freq: pictures at the end of every N-th epoch, as for `LayerHealth`.
        probe_data: samples with which the model is called after epochs, as for `LayerHealth`; with several models a
            mapping from some of their names to samples.
        images: which pictures are drawn, as for `LayerHealth`.
        image_scale: as for `LayerHealth`.
        rules: ids of the rules to judge by, or a mapping from id to thresholds; None for all.
        on_problem: as for `LayerHealth`, but "stop" sets `stop_training`, which the loop has to check.
        stock_summaries: whether TensorBoard's own tabs get scalars, histograms and pictures too.
        sample_id: as for `LayerHealth`; the data of a step are the arguments `(args, kwargs)` of the recorded function.
            Loops that use `step` have none.
        steps_per_epoch: length of an epoch, if known; otherwise the loop calls `end_epoch`.
        initial_step: number of the first step, for a training that continues from a checkpoint.

    Attributes:
        stop_training: whether `on_problem="stop"` asks the loop to end.

    Raises:
        TypeError, ValueError: for arguments that are not allowed.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        models: keras.Model | Mapping[str, keras.Model],
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
        steps_per_epoch: int | None = None,
        initial_step: int = 0,
    ) -> None:
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
        self._models = _named(models)
        self._snapshot_settings = watch_settings(probe_data, images, image_scale, self._models)
        check_count("steps_per_epoch", steps_per_epoch, 1)
        check_count("initial_step", initial_step, 0)
        if update_freq == "epoch" and steps_per_epoch is None:
            raise invalid(
                "update_freq",
                '"epoch" without `steps_per_epoch`: a custom loop does not announce the last step of an epoch',
            )
        self._strategy = strategy_of(self._models)
        self._steps_per_epoch = steps_per_epoch
        self._first = self._next = initial_step
        self._epoch = self._in_epoch = 0
        self._loop: ObservedLoop | None = None
        self._function: RecordedFunction | None = None
        self._is_given_up = self._is_open = False
        self.stop_training = False
        self._images_due = Thinning(self._settings.image_freq)
        self._use_clocks(Clocks())

    def _use_clocks(self, clocks: Clocks) -> None:
        settings, self._clock = self._settings, clocks.clock
        has_asked_looks = settings.image_freq not in ("auto", 0)
        self._cadence = Cadence(
            settings.update_freq,
            settings.overhead,
            has_asked_looks=has_asked_looks,
            is_timed=not is_multi_worker(self._strategy),
        )
        self._pace = Pace(self._cadence, self._clock)
        # Of several processes that train together one writes; the others judge alike.
        self._is_writing = is_chief(self._strategy)
        output = output_for(settings.log_dir, clocks) if self._is_writing else NoOutput()
        name = SEVERAL.join(model.name for model in self._models.values())
        self._pipeline = pipeline_for(settings, name, output, self._stop, clocks)
        self._watch = (
            Watch(self._snapshot_settings, settings.layers, settings.snapshot_overhead, self._clock)
            if settings.image_freq != 0
            else None
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings so far, during and after training: worst first, resolved ones last."""
        return self._pipeline.findings

    @overload
    def function(self, step: Step) -> RecordedFunction: ...

    @overload
    def function(self, step: None = None, **arguments: Any) -> Callable[[Step], RecordedFunction]: ...

    def function(self, step: Step | None = None, **arguments: Any) -> Any:
        """Compiles a train step as `tf.function` with these arguments does, and records it.

        One call of it is one step of the run. Under a distribution strategy the step must call `strategy.run`; its
        first `strategy.run` is recorded, over all replicas.

        Args:
            step: the function; left out in `@recorder.function(...)`.
            arguments: of `tf.function`, such as `jit_compile`, `input_signature`, `reduce_retracing`.

        Raises:
            ValueError: the recorder has a function already. Put steps that are called in turn, such as those of a
                generator and a discriminator, into one function, or use a recorder for each.
        """
        if step is None:
            return lambda later: self.function(later, **arguments)
        if self._function is not None:
            raise ValueError(
                "This recorder already has a train step. Put both into one function, or use a separate recorder and "
                "folder for each."
            )
        self._function = RecordedFunction(self, step, arguments)
        return self._function

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Makes the block one step of the run, for loops that run eagerly.

        Calls inside a `tf.function` within the block cannot be observed.
        """
        loop = self._begin()
        if loop is None:
            yield
            return
        step, has_histograms = self._next - 1, self._wants_histograms()
        with loop.tapped(has_histograms), loop.observing(None) as vectors:
            yield
        self._process(PackedStep(step, loop.finished(vectors), loop, has_histograms), loop)

    def end_epoch(self, logs: Mapping[str, Any] | None = None) -> None:
        """Writes the histograms and pictures that are due and puts everything on disk; the next epoch begins.

        Args:
            logs: metrics of the epoch by name, such as `{"val_loss": 0.3}`, for the table of runs in the tab.
        """
        self._pace.close_step()
        began = self._clock()
        self._pipeline.write_histograms(self._epoch)
        self._pipeline.add_epoch(self._next - 1, self._epoch, logs or {})
        if self._images_due.is_due(self._epoch):
            self._pipeline.guarded(self._take_snapshot)
        if self._is_open:
            self._pipeline.remember_state(self._state(self._next))
        self._pipeline.flush()
        self._cadence.account.end_of_epoch(self._clock() - began)
        self._epoch, self._in_epoch = self._epoch + 1, 0

    def close(self) -> None:
        """Ends the recording; later steps run unobserved. Warns if nothing was recorded. May be called again."""
        if self._is_open:
            if self._in_epoch:
                self.end_epoch()
            if self._watch is not None and self._watch.is_waiting:
                self._pipeline.guarded(lambda recording: self._take_snapshot(recording, is_end=True))
            self._pipeline.remember_state(dataclasses.replace(self._state(self._next), is_end=True))
            self._pipeline.close()
            self._pipeline.conclude()
        elif not self._is_given_up:
            _LOGGER.warning(
                "Layer health: nothing was recorded in %r: %s",
                self._settings.log_dir,
                self._why_nothing(self._next - self._first),
            )
        self._is_open, self._is_given_up = False, True

    def _why_nothing(self, steps: int) -> str:
        if not steps:
            return "no step ran. Compile the step with `recorder.function`, or run it inside `with recorder.step():`."
        return f"none of the {steps} steps was observed with update_freq={self._settings.update_freq!r}."

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, function: RecordedFunction, args: Any, kwargs: Any) -> Any:
        if tf.inside_function():
            self._give_up("it is called inside another tf.function; decorate that one")
            return function.plain(*args, **kwargs)
        loop = self._begin()
        if loop is None:
            return function.plain(*args, **kwargs)
        step, has_histograms = self._next - 1, self._wants_histograms()
        try:
            outputs, vectors = function.observed(loop)(args, kwargs, has_histograms)
        except (StopIteration, tf.errors.OutOfRangeError):
            raise
        except Exception as error:
            self._give_up(gist(error))
            return function.plain(*args, **kwargs)
        self._process(PackedStep(step, vectors, loop, has_histograms, batch=(args, kwargs)), loop)
        return outputs

    def _begin(self) -> ObservedLoop | None:
        """Counts a step; returns what observes it, None if it is not observed."""
        if self._steps_per_epoch is not None and self._in_epoch >= self._steps_per_epoch:
            self.end_epoch()
        self._next, self._in_epoch = self._next + 1, self._in_epoch + 1
        is_due = self._pace.begin_step(StepClock(self._next - 1 - self._first, self._is_epoch_end()))
        if not is_due or self._is_given_up:
            return None
        try:
            return self._open()
        except Exception as error:
            self._give_up(gist(error))
            return None

    def _open(self) -> ObservedLoop:
        if self._loop is None:
            is_xla = self._function is not None and self._function.is_xla
            self._loop = ObservedLoop(
                self._models, self._settings.layers, self._options(), self._strategy, is_xla=is_xla
            )
            self._pipeline.open(self._first, self._state(self._first))
            self._is_open = True
        return self._loop

    def _state(self, steps: int) -> TrainingState:
        models = list(self._models.values())
        is_whole = all(layer.built for model in models for layer in model._flatten_layers())
        weights = fingerprint(weight for model in models for weight in model.weights) if is_whole else None
        return TrainingState(steps, weights)

    def _is_epoch_end(self) -> bool:
        return self._in_epoch == self._steps_per_epoch

    def _options(self) -> Options:
        with_maps = self._watch is not None and self._watch.needs_maps
        return Options(with_histograms=self._settings.histogram_freq != 0, with_maps=with_maps)

    def _wants_histograms(self) -> bool:
        return self._pipeline.wants_histograms(self._next - 1, self._epoch, self._is_epoch_end())

    def _process(self, packed: PackedStep, loop: ObservedLoop) -> None:
        if not packed.vectors:
            self._give_up(loop.failure)
            return
        self._pace.observed(packed.step - self._first)
        self._pipeline.process(packed, self._epoch, self._cadence)

    def _take_snapshot(self, recording: Recording, *, is_end: bool = False) -> None:
        # All processes trace the same step, with feature maps or without; only the one that writes draws them.
        if self._watch is None or not self._is_writing:
            return
        watch, account = self._watch, self._cadence.account

        def write(snapshot: Snapshot) -> None:
            units, sequences = watch.draws("units"), watch.draws("through_time")
            recording.write_pictures(snapshot.pictures, step=None, with_units=units, with_sequences=sequences)
            recording.write_snapshot(snapshot.mode_difference, snapshot.reconstruction_error)

        maps, preparing = self._pipeline.feature_maps(), account.one_time
        seconds = watch.look(self._models, recording.spec, maps, write, preparing=preparing, is_end=is_end)
        if seconds is not None:
            account.look(seconds)
            self._images_due.done(self._epoch)

    def _give_up(self, reason: str) -> None:
        if not self._is_given_up:
            self._is_given_up = True
            _LOGGER.warning(
                "Layer health: observing is off, the step cannot be observed (%s). Training continues.", reason
            )

    def _stop(self) -> None:
        self.stop_training = True


class RecordedFunction:
    """A train step that a recorder compiled; call it like the function itself.

    Attributes:
        plain: the `tf.function` that runs where the step is not observed.
        is_xla: whether XLA compiles the step.
    """

    # AutoGraph of a `tf.function` around this one must not rewrite it; `plain` has its own conversion.
    autograph_info__ = None

    def __init__(self, recorder: Recorder, step: Step, arguments: Mapping[str, Any]) -> None:
        functools.update_wrapper(self, step)
        self.plain = tf.function(step, **arguments)
        self._recorder = recorder
        self._step, self._arguments = step, arguments
        self.is_xla = bool(arguments.get("jit_compile"))
        self._observed: ObservedFunction | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs one step and returns what the step returns."""
        return self._recorder._run(self, args, kwargs)

    def observed(self, loop: ObservedLoop) -> ObservedFunction:
        """The function that runs where the step is observed."""
        if self._observed is None:
            self._observed = ObservedFunction(loop, self._step, self._arguments)
        return self._observed


def _named(models: keras.Model | Mapping[str, keras.Model]) -> dict[str, keras.Model]:
    named: dict[str, keras.Model] = dict(models) if isinstance(models, Mapping) else {"": models}
    if not named or not all(isinstance(model, keras.Model) for model in named.values()):
        raise invalid("models", repr(models), "a Keras model, or a mapping from names to Keras models", TypeError)
    return named
