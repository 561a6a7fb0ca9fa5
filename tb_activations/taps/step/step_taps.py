"""Taps on models for the duration of one step, in `fit` and in custom training loops."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_activations.taps import taps
from tb_activations.taps.finder import LayerFinder, Models
from tb_activations.taps.gist import gist
from tb_activations.taps.layers import LayerChoice
from tb_activations.taps.numbers.later import later, now
from tb_activations.taps.numbers.layout import Layout
from tb_activations.taps.step import hooks
from tb_activations.taps.step.kernel_randomness import seeded_draws
from tb_activations.taps.step.observation import Observation, Options
from tb_activations.taps.step.packing import Packing
from tb_activations.taps.step.seen import Begun
from tb_activations.taps.step.updates import Updates

_LOGGER = logging.getLogger("tb_activations")
_LATER = "later/"


class StepTaps:
    """Observes the layer outputs, gradients and weights of these models during a step.

    `failure` is the reason why a step could not be packed, "" if none failed.
    """

    def __init__(self, models: Models, layers: LayerChoice, options: Options, *, is_xla: bool = False) -> None:
        """`is_xla` says that XLA compiles the step: statistics are then computed after it."""
        self._is_xla = is_xla and strategy_of(models).num_replicas_in_sync == 1
        self._packings: list[Packing] = []
        self._finishing: dict[int, Any] = {}
        self._finder = LayerFinder(models, layers)
        self._options = options
        self._tapped: set[int] = set()
        self._late_taps: contextlib.ExitStack | None = None
        self._tapping = threading.Lock()
        self._layouts: list[Layout] = []
        self._reasons: dict[str, str] = {}
        self._local = threading.local()
        self._has_told_draws = False
        self.failure = ""
        with strategy_of(models).scope():
            # A float, because boolean variables are not supported on every device.
            self._extras = tf.Variable(0.0, trainable=False, name="layer_health_extras")
        self._has_extras = False

    def want_histograms(self, wanted: bool) -> None:
        """Turns the computation of histograms on or off for the next steps."""
        if wanted != self._has_extras:
            self._extras.assign(float(wanted))
            self._has_extras = wanted

    def layout(self, number: int) -> Layout:
        """The layout with the number that a packed vector begins with."""
        return self._layouts[number]

    @contextlib.contextmanager
    def on_layers(self) -> Iterator[None]:
        """Installs taps on every layer for the block, also on layers created within it.

        They observe only what runs within `observing`.
        """
        self._finder.look()
        with contextlib.ExitStack() as stack:
            self._late_taps = stack
            try:
                for entry in self._finder.named:
                    self._tap(entry.layer)
                yield
            finally:
                self._late_taps = None
                self._tapped.clear()

    def _tap(self, layer: keras.layers.Layer) -> None:
        # Replicas are traced in separate threads, which may reach a new layer at the same time.
        with self._tapping:
            if self._late_taps is not None and id(layer) not in self._tapped:
                self._tapped.add(id(layer))
                begin, end = functools.partial(self._begin_call, layer), functools.partial(self._see_call, layer)
                tap = taps.around(layer, "call", begin, end)
                self._late_taps.enter_context(taps.installed([tap]))

    @contextlib.contextmanager
    def observing(self) -> Iterator[Observation]:
        """Observes this thread's layer calls, gradients and updates during the block."""
        # Replicas are traced in separate threads, each with its own observation.
        observation = Observation(
            self._finder, self._options, self._extras > 0, self._reasons, later if self._is_later() else now
        )
        self._local.observation = observation
        updates = Updates(observation, self._finder, self._tap)
        try:
            with hooks.listening(updates):
                yield observation
            updates.finish()
        finally:
            self._local.observation = None

    def _is_later(self) -> bool:
        """Whether statistics are computed after the step. It runs without XLA where all functions run eagerly."""
        return self._is_xla and taps.current_graph() is not None

    def current(self) -> Observation | None:
        """The observation of this thread's step, None outside `observing`."""
        return getattr(self._local, "observation", None)

    def pack(self, observation: Observation) -> dict[str, tf.Tensor]:
        """What leaves the step for `finished`; empty if packing fails, with the reason in `failure`.

        An error must not leave the trace: Keras may have created variables in it, and a second trace would not.
        """
        try:
            self._tell_draws(seeded_draws(taps.current_graph()))
            packing = observation.packing(self._number(observation.layout()))
            if not self._is_later():
                return packing.vectors()
            self._packings.append(packing)
            number = len(self._packings) - 1
            return {f"{_LATER}{number}/{place}": tensor for place, tensor in enumerate(packing.needed())}
        except Exception as error:
            self.failure = gist(error)
            return {}

    def finished(self, packed: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The vectors of `Packing.vectors`, from what left the step; empty if that fails, as in `pack`."""
        if not any(name.startswith(_LATER) for name in packed):
            return packed
        places = {tuple(map(int, name.removeprefix(_LATER).split("/"))): tensor for name, tensor in packed.items()}
        number = next(iter(places))[0]
        try:
            tensors = [places[number, place] for place in range(len(places))]
            if not tf.executing_eagerly():
                return self._packings[number].outside(tensors).vectors()
            return dict(self._finish(number)(tensors))
        except Exception as error:
            self.failure = gist(error)
            return {}

    def _finish(self, number: int) -> Any:
        if number not in self._finishing:
            packing = self._packings[number]
            self._finishing[number] = tf.function(
                lambda tensors: packing.outside(tensors).vectors(), autograph=False, reduce_retracing=True
            )
        return self._finishing[number]

    def _tell_draws(self, operations: Sequence[str]) -> None:
        if operations and not self._has_told_draws:
            self._has_told_draws = True
            _LOGGER.warning(
                "Layer health: this training uses tf.random (%s), which keeps its state in the compiled step. Observed "
                "steps therefore draw different random numbers than without observing; keras.random is not affected.",
                ", ".join(operations),
            )

    def _number(self, layout: Layout) -> int:
        if layout not in self._layouts:
            self._layouts.append(layout)
        return self._layouts.index(layout)

    def _begin_call(self, layer: keras.layers.Layer, args: Any, kwargs: Any) -> Begun | None:
        observation = self.current()
        entry = self._finder.entry(layer) if observation is not None else None
        if observation is None or entry is None or entry.is_container:
            return None
        return observation.begin_call(entry, args, kwargs)

    def _see_call(self, layer: keras.layers.Layer, begun: Begun | None, outputs: Any) -> Any:
        observation = self.current()
        if observation is None:
            return outputs
        if isinstance(layer, keras.Model):
            observation.see_returned(outputs)
        entry = self._finder.entry(layer)
        if entry is None or entry.is_container:
            return outputs
        return observation.see_call(entry, outputs, begun)


def strategy_of(models: Models) -> tf.distribute.Strategy:
    """The distribution strategy under which the first of the models was created."""
    return next(iter(models.values())).distribute_strategy


def batch_size(data: Any) -> tf.Tensor | None:
    """Length of the first axis of the first tensor that has one, None without such a tensor."""
    for value in keras.tree.flatten(data):
        if isinstance(value, tf.Tensor) and value.shape.rank:
            return tf.cast(tf.shape(value)[0], tf.float32)
    return None


def row_count(batch: Any) -> int:
    """Length of the first axis of the first tensor of a batch that has one; 0 if it is unknown."""
    for value in keras.tree.flatten(batch):
        if isinstance(value, tf.Tensor) and value.shape.rank:
            return int(value.shape[0] or 0)
    return 0


def input_rms(data: Any) -> tf.Tensor:
    """Root mean square of the model's first floating-point input in a `fit` step's data, NaN if it has none."""
    inputs, *_ = keras.utils.unpack_x_y_sample_weight(data)
    for value in keras.tree.flatten(inputs):
        if isinstance(value, tf.Tensor) and value.dtype.is_floating:
            return tf.sqrt(tf.reduce_mean(tf.square(tf.cast(value, tf.float32))))
    return tf.constant(float("nan"))
