"""Taps on models for the time of one step, whoever runs it."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_activations.capture import hooks, taps
from tb_activations.capture.gist import gist
from tb_activations.capture.kernel_randomness import seeded_draws
from tb_activations.capture.layers import NamedLayer, weight_key, weight_owners
from tb_activations.capture.layout import Layout
from tb_activations.capture.observation import Begun, Observation, Options
from tb_activations.capture.updates import Owners, Updates

_LOGGER = logging.getLogger("tb_activations")

Models = Mapping[str, keras.Model]
"""Models by the name that stands before those of their layers; a single one has the name ""."""


class StepTaps:
    """Sees a step of these models: its layers' outputs and gradients, its weights.

    `failure` says why a step could not be packed.
    """

    def __init__(self, models: Models, named: Sequence[NamedLayer], options: Options) -> None:
        self._models = models
        self._named = named
        self._options = options
        self._layouts: list[Layout] = []
        self._reasons: dict[str, str] = {}
        self._local = threading.local()
        self._owners = Owners(weight_owners(named), _models_of_weights(models))
        self._in_models = _models_of_layers(models)
        self._has_told_draws = False
        self.failure = ""
        with strategy_of(models).scope():
            # A number, since truth values cannot be variables on every device.
            self._extras = tf.Variable(0.0, trainable=False, name="layer_health_extras")
        self._has_extras = False

    def want_extras(self, wanted: bool) -> None:
        """Whether histograms are filled from now on."""
        if wanted != self._has_extras:
            self._extras.assign(float(wanted))
            self._has_extras = wanted

    def layout(self, number: int) -> Layout:
        """The layout whose number stands first in a packed vector."""
        return self._layouts[number]

    def on_layers(self) -> Iterator[taps.Tap]:
        """Taps on every layer and on what models return; they see nothing but within `observing`."""
        for entry in self._named:
            begin = functools.partial(self._begin_call, entry)
            yield taps.around(entry.layer, "call", begin, functools.partial(self._see_call, entry))
        for model in _all_models(self._models):
            yield taps.after(model, "call", self._see_returned)

    @contextlib.contextmanager
    def observing(self) -> Iterator[Observation]:
        """Within the block this thread's calls of layers, gradients and updates are seen."""
        # Replicas are traced in threads of their own, each with its own observation.
        observation = Observation(self._named, self._options, self._extras > 0, self._in_models, self._reasons)
        self._local.observation = observation
        updates = Updates(observation, self._owners)
        try:
            with hooks.listening(updates):
                yield observation
            updates.finish()
        finally:
            self._local.observation = None

    def current(self) -> Observation | None:
        """The observation of this thread's step."""
        return getattr(self._local, "observation", None)

    def pack(self, observation: Observation) -> dict[str, tf.Tensor]:
        """What leaves the step, see `Observation.pack`; empty if that fails.

        Raising would abandon a trace in which Keras may have made variables, and with them the training.
        """
        try:
            self._tell_draws(seeded_draws(taps.current_graph()))
            return observation.pack(self._number(observation.layout()))
        except Exception as error:
            self.failure = gist(error)
            return {}

    def _tell_draws(self, operations: Sequence[str]) -> None:
        if operations and not self._has_told_draws:
            self._has_told_draws = True
            _LOGGER.warning(
                "Layer health: this training draws random numbers by tf.random (%s), whose state is part of the "
                "compiled step: observed steps draw others than without observing. Those of keras.random are the same.",
                ", ".join(operations),
            )

    def _number(self, layout: Layout) -> int:
        if layout not in self._layouts:
            self._layouts.append(layout)
        return self._layouts.index(layout)

    def _begin_call(self, entry: NamedLayer, args: Any, kwargs: Any) -> Begun | None:
        observation = self.current()
        return None if observation is None else observation.begin_call(entry, args, kwargs)

    def _see_call(self, entry: NamedLayer, begun: Begun | None, outputs: Any) -> Any:
        observation = self.current()
        return outputs if observation is None else observation.see_call(entry, outputs, begun)

    def _see_returned(self, outputs: Any) -> Any:
        observation = self.current()
        if observation is not None:
            observation.see_returned(outputs)
        return outputs


def strategy_of(models: Models) -> tf.distribute.Strategy:
    """The distribution strategy under which the first of the models was made."""
    return next(iter(models.values())).distribute_strategy


def _all_models(models: Models) -> list[keras.Model]:
    """The models and those inside them."""
    found = {id(model): model for model in models.values()}
    for model in models.values():
        found |= {id(layer): layer for layer in model._flatten_layers() if isinstance(layer, keras.Model)}
    return list(found.values())


def batch_size(data: Any) -> tf.Tensor | None:
    """Length of the first tensor with a batch axis, None if there is none."""
    for value in keras.tree.flatten(data):
        if isinstance(value, tf.Tensor) and value.shape.rank:
            return tf.cast(tf.shape(value)[0], tf.float32)
    return None


def _models_of_weights(models: Models) -> dict[int, frozenset[str]]:
    return _gathered((weight_key(weight), name) for name, model in models.items() for weight in model.weights)


def _models_of_layers(models: Models) -> dict[int, frozenset[str]]:
    return _gathered((id(layer), name) for name, model in models.items() for layer in model._flatten_layers())


def _gathered(pairs: Iterator[tuple[int, str]]) -> dict[int, frozenset[str]]:
    found: dict[int, frozenset[str]] = {}
    for key, name in pairs:
        found[key] = found.get(key, frozenset()) | {name}
    return found


def input_rms(data: Any) -> tf.Tensor:
    """Root mean square of the model's first floating-point input in a `fit` step's data, NaN if it has none."""
    inputs, *_ = keras.utils.unpack_x_y_sample_weight(data)
    for value in keras.tree.flatten(inputs):
        if isinstance(value, tf.Tensor) and value.dtype.is_floating:
            return tf.sqrt(tf.reduce_mean(tf.square(tf.cast(value, tf.float32))))
    return tf.constant(float("nan"))
