"""`Recorder`: layer health of a training loop of one's own."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, overload

import keras
import tensorflow as tf

from tb_activations.health.rules import configure
from tb_activations.pictures import kinds
from tb_activations.recording.announce import Announcer, OnProblem, check_on_problem
from tb_activations.recording.continuation import TrainingState
from tb_activations.recording.folder.writer import check_log_dir, resolved_log_dir
from tb_activations.recording.observer import EpochFreq, Observer, RuleChoice, Seen, check_epoch_freq
from tb_activations.recording.output import NoOutput, RunOutput
from tb_activations.recording.recording import Recording
from tb_activations.recording.tables import RunSettings
from tb_activations.records.finding import Finding
from tb_activations.taps.fingerprint import fingerprint
from tb_activations.taps.gist import gist
from tb_activations.taps.layers import LayerChoice, check_choice
from tb_activations.taps.schedule.cadence import Cadence, StepClock, Thinning, UpdateFreq, check_cadence
from tb_activations.taps.schedule.pace import Pace
from tb_activations.taps.step.observation import Options
from tb_activations.taps.step.observed_function import ObservedFunction, ObservedLoop, Packed
from tb_activations.taps.step.step_taps import strategy_of
from tb_activations.taps.strategies import is_chief, is_multi_worker

_LOGGER = logging.getLogger("tb_activations")

_MAPS = "First samples of the last observed step (down), channels (across), in training mode."

Step = Callable[..., Any]


class Recorder:
    """Records the health of every layer in a training loop of one's own, as `LayerHealth` does in `fit`.

    ```python
    recorder = Recorder("logs/run-1", model)

    @recorder.function(jit_compile=True)                   # in place of @tf.function(jit_compile=True)
    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_function(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss
    ```

    A step that is not observed runs the plain `tf.function`; an observed one runs a second function, traced with taps
    in place. Gradients are seen where `tf.GradientTape.gradient` computes them and where a Keras optimizer is handed
    them, so that weights which the step changes by itself are seen too. The loss is the sum of what the step
    differentiates by weights of the models. A loop that is not compiled uses `step` instead.

    Args:
        log_dir: folder of this run, its own, as for `LayerHealth`. Made if missing.
        models: a model, or several by name, such as `{"generator": ..., "discriminator": ...}`; the name stands before
            those of the layers.
        update_freq: which steps are observed: as for `LayerHealth`; "epoch" needs `steps_per_epoch`.
        overhead: share of the training time that observing may take, as for `LayerHealth`. Where several processes
            train together, "auto" keeps to its schedule instead, since all of them have to observe the same steps.
        layers: layers to observe, as for `LayerHealth`.
        histogram_freq: stock histograms at the end of every N-th epoch, as for `LayerHealth`.
        image_freq: stock pictures at the end of every N-th epoch, as for `LayerHealth`.
        rules: ids of the rules to judge by, or a mapping from id to thresholds; None for all.
        on_problem: as for `LayerHealth`, but that "stop" sets `stop_training`, for the loop to look at.
        stock_summaries: whether TensorBoard's own tabs get scalars, histograms and pictures too.
        steps_per_epoch: length of an epoch, where it is known; otherwise the loop calls `end_epoch`.
        initial_step: number of the first step, of a training that goes on from a checkpoint.
        clock: seconds; only the account of what observing costs reads it, and when to flush.
        wall_clock: seconds since the epoch, for the times of the records.

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
        rules: RuleChoice = None,
        on_problem: OnProblem = "warn",
        stock_summaries: bool = True,
        steps_per_epoch: int | None = None,
        initial_step: int = 0,
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        log_dir = resolved_log_dir(log_dir)
        check_log_dir(log_dir)
        check_cadence(update_freq, overhead)
        check_choice(layers)
        check_epoch_freq("histogram_freq", histogram_freq)
        check_epoch_freq("image_freq", image_freq)
        check_on_problem(on_problem)
        _check_count("steps_per_epoch", steps_per_epoch, 1)
        _check_count("initial_step", initial_step, 0)
        if update_freq == "epoch" and steps_per_epoch is None:
            raise ValueError(
                'Invalid value for argument `update_freq`: "epoch" without `steps_per_epoch`. '
                "A loop of one's own does not say beforehand which step is the last."
            )
        self._log_dir, self._update_freq = log_dir, update_freq
        self._models = _named(models)
        self._layers = layers
        self._options = Options(with_histograms=histogram_freq != 0, with_maps=image_freq != 0)
        self._strategy = strategy_of(self._models)
        self._cadence = Cadence(update_freq, overhead, is_timed=not is_multi_worker(self._strategy))
        self._pace = Pace(self._cadence, clock)
        self._steps_per_epoch = steps_per_epoch
        self._first = self._next = initial_step
        self._epoch = self._in_epoch = 0
        self._loop: ObservedLoop | None = None
        self._function: RecordedFunction | None = None
        self._is_given_up = self._is_open = self._is_in_step = False
        self.stop_training = False
        settings = RunSettings(
            model=" + ".join(model.name for model in self._models.values()),
            rules=configure(rules),
            cadence={"update_freq": update_freq, "overhead": float(overhead)},
            stock_summaries=stock_summaries,
        )
        self._images_due = Thinning(image_freq)
        # Of several processes that train together one writes; the others judge alike.
        kind = RunOutput if is_chief(self._strategy) else NoOutput
        recording = Recording(settings, kind(log_dir, clock, wall_clock))
        self._observer = Observer(recording, Announcer(on_problem, self._stop), Thinning(histogram_freq), clock)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far, during and after training: worst first, closed findings last."""
        return self._observer.findings

    @overload
    def function(self, step: Step) -> RecordedFunction: ...

    @overload
    def function(self, step: None = None, **arguments: Any) -> Callable[[Step], RecordedFunction]: ...

    def function(self, step: Step | None = None, **arguments: Any) -> Any:
        """Compiles a train step as `tf.function` with these arguments does, and records it.

        One call of it is one step of the run. Under a distribution strategy the step calls `strategy.run`, and what
        its first `strategy.run` does is recorded, over all replicas.

        Args:
            step: the function; left out in `@recorder.function(...)`.
            arguments: of `tf.function`, such as `jit_compile`, `input_signature`, `reduce_retracing`.

        Raises:
            ValueError: the recorder has a function already. Steps that are called in turn, such as those of a
                generator and a discriminator, belong into one function, or each to a recorder of its own.
        """
        if step is None:
            return lambda later: self.function(later, **arguments)
        if self._function is not None:
            raise ValueError(
                "This recorder has a train step already. Put both into one function, or give each a recorder "
                "and a folder of its own."
            )
        self._function = RecordedFunction(self, step, arguments)
        return self._function

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """What the block does is one step: for loops that run eagerly.

        What it calls inside a `tf.function` of its own cannot be seen.
        """
        loop = self._begin()
        if loop is None:
            yield
            return
        step, has_extras = self._next - 1, self._wants_extras()
        with loop.tapped(has_extras), loop.observing(None) as packed:
            yield
        self._take(loop, step, packed, has_extras)

    def end_epoch(self) -> None:
        """Writes the histograms and pictures that are due and puts everything on disk; the next epoch begins."""
        self._pace.close_step()
        self._observer.write_histograms(self._epoch)
        if self._images_due.is_due(self._epoch):
            self._observer.guarded(self._draw)
            self._images_due.done(self._epoch)
        if self._is_open:
            self._observer.remember_state(self._state(self._next))
        self._observer.flush()
        self._epoch, self._in_epoch = self._epoch + 1, 0

    def close(self) -> None:
        """Ends the recording; steps run unobserved from then on. Warns if nothing was recorded. Safe to call again."""
        if self._is_open:
            if self._in_epoch:
                self.end_epoch()
            self._observer.remember_state(self._state(self._next))
            self._observer.close()
        elif not self._is_given_up:
            _LOGGER.warning(
                "Layer health: nothing was recorded in %r: %s",
                self._log_dir,
                self._why_nothing(self._next - self._first),
            )
        self._is_open, self._is_given_up = False, True

    def _why_nothing(self, steps: int) -> str:
        if not steps:
            return "no step ran. Compile the step by `recorder.function`, or run it within `with recorder.step():`."
        return f"none of the {steps} steps was observed with update_freq={self._update_freq!r}."

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
        step, has_extras = self._next - 1, self._wants_extras()
        try:
            outputs, packed = function.observed(loop)(args, kwargs, has_extras)
        except (StopIteration, tf.errors.OutOfRangeError):
            raise
        except Exception as error:
            self._give_up(gist(error))
            return function.plain(*args, **kwargs)
        self._take(loop, step, packed, has_extras)
        return outputs

    def _begin(self) -> ObservedLoop | None:
        """Counts a step; what is to observe it, None if it is not observed."""
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
            self._loop = ObservedLoop(self._models, self._layers, self._options, self._strategy)
            self._observer.open(self._first, self._state(self._first))
            self._is_open = True
        return self._loop

    def _state(self, steps: int) -> TrainingState:
        models = list(self._models.values())
        is_whole = all(layer.built for model in models for layer in model._flatten_layers())
        weights = fingerprint(weight for model in models for weight in model.weights) if is_whole else None
        return TrainingState(steps, weights)

    def _is_epoch_end(self) -> bool:
        return self._in_epoch == self._steps_per_epoch

    def _wants_extras(self) -> bool:
        return self._observer.wants_histograms(self._next - 1, self._epoch, self._is_epoch_end())

    def _take(self, loop: ObservedLoop, step: int, packed: Packed, has_extras: bool) -> None:
        if not packed:
            self._give_up(loop.failure)
            return
        self._pace.observed(step - self._first)
        self._observer.take(loop, Seen(step, self._epoch, packed, has_extras), self._cadence)

    def _draw(self, recording: Recording) -> None:
        drawn = {
            f"feature_maps/{layer}": kinds.feature_maps(maps, common_scale=True, about=_MAPS)
            for layer, maps in self._observer.feature_maps().items()
        }
        recording.write_pictures(drawn, step=None, with_units=True)

    def _give_up(self, reason: str) -> None:
        if not self._is_given_up:
            self._is_given_up = True
            _LOGGER.warning(
                "Layer health: observing is off, the step cannot be observed (%s). Training continues.", reason
            )

    def _stop(self) -> None:
        self.stop_training = True


class RecordedFunction:
    """A train step that a recorder compiled; called as the function itself.

    Attributes:
        plain: the `tf.function` that runs where the step is not observed.
    """

    # A `tf.function` around this one would have AutoGraph rewrite what is called here; `plain` has its own conversion.
    autograph_info__ = None

    def __init__(self, recorder: Recorder, step: Step, arguments: Mapping[str, Any]) -> None:
        functools.update_wrapper(self, step)
        self.plain = tf.function(step, **arguments)
        self._recorder = recorder
        self._step, self._arguments = step, arguments
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
        raise TypeError(
            f"Invalid value for argument `models`: {models!r}. "
            "Allowed is a Keras model, or a mapping from names to Keras models."
        )
    return named


def _check_count(name: str, value: int | None, least: int) -> None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= least
    if value is not None and not is_count:
        raise ValueError(f"Invalid value for argument `{name}`: {value!r}. Allowed is a whole number from {least}.")
