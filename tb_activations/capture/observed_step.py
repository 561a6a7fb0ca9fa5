"""The second compiled step: Keras' own, traced while taps are in place."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_activations.capture import taps
from tb_activations.capture.layers import NamedLayer, weight_owners
from tb_activations.capture.layout import Layout, Weight
from tb_activations.capture.observation import Observation, Options

_LOGGER = logging.getLogger("tb_activations")
_KEY = "layer_health/"

StepFunction = Callable[[Any], dict[str, Any]]


class ObservedStep:
    """Runs `model`'s training step and returns what the taps saw beside its logs.

    Only while it is being called do the model's layers, optimizers and `compute_loss` carry taps.
    """

    def __init__(self, model: keras.Model, named: Sequence[NamedLayer], options: Options) -> None:
        self._model = model
        self._named = named
        self._options = options
        self._layouts: list[Layout] = []
        self.failure = ""
        self._local = threading.local()
        self._owners = weight_owners(named)
        with model.distribute_strategy.scope():
            # A number, since truth values cannot be variables on every device.
            self._extras = tf.Variable(0.0, trainable=False, name="layer_health_extras")
        self._has_extras = False
        self._function = _make_train_function(model, self._observed_train_step(model.train_step))

    def __call__(self, iterator: Any, with_extras: bool) -> tuple[dict[str, Any], dict[str, tf.Tensor]]:
        """The step's logs as Keras would return them, and the packed vectors of `Observation.pack`.

        `with_extras` tells whether histograms are wanted of this step; they are NaN otherwise. Without vectors,
        `failure` says what went wrong.
        """
        if with_extras != self._has_extras:
            self._extras.assign(float(with_extras))
            self._has_extras = with_extras
        with taps.installed(self._taps()):
            logs = self._function(iterator)
        logs = dict(logs.get_value() if hasattr(logs, "get_value") else logs)
        packed = {key.removeprefix(_KEY): logs.pop(key) for key in list(logs) if key.startswith(_KEY)}
        return logs, packed

    def layout(self, number: int) -> Layout:
        """The layout whose number stands first in a packed vector."""
        return self._layouts[number]

    def _observed_train_step(self, train_step: StepFunction) -> StepFunction:
        @functools.wraps(train_step)
        def observed_train_step(data: Any) -> dict[str, Any]:
            with self._observing() as observation:
                observation.samples = _batch_size(data)
                logs = dict(train_step(data))
                packed = self._pack(observation)
            return logs | {_KEY + name: vector for name, vector in packed.items()}

        return observed_train_step

    def _pack(self, observation: Observation) -> dict[str, tf.Tensor]:
        # Raising would abandon a trace in which Keras may have made variables, and with them the training.
        try:
            return observation.pack(self._number(observation.layout()))
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
            return {}

    @contextlib.contextmanager
    def _observing(self) -> Iterator[Observation]:
        # Replicas are traced in threads of their own, each with its own observation.
        self._local.observation = observation = Observation(self._named, self._options, self._extras > 0)
        try:
            yield observation
        finally:
            self._local.observation = None

    def _current(self) -> Observation | None:
        return getattr(self._local, "observation", None)

    def _number(self, layout: Layout) -> int:
        if layout not in self._layouts:
            self._layouts.append(layout)
        return self._layouts.index(layout)

    def _taps(self) -> Iterator[taps.Tap]:
        for entry in self._named:
            yield taps.after(entry.layer, "call", functools.partial(self._see_call, entry))
        yield taps.after(self._model, "compute_loss", self._see_loss)
        for optimizer in _optimizers(self._model):
            yield taps.Tap(optimizer, "apply", self._tapped_apply(optimizer))

    def _see_call(self, entry: NamedLayer, outputs: Any) -> Any:
        observation = self._current()
        return outputs if observation is None else observation.see_call(entry, outputs)

    def _see_loss(self, loss: Any) -> Any:
        observation = self._current()
        if observation is not None and observation.is_here() and tf.is_tensor(loss):
            observation.loss = tf.reduce_sum(tf.cast(tf.stop_gradient(loss), tf.float32))
        return loss

    def _tapped_apply(self, optimizer: keras.optimizers.Optimizer) -> Callable[..., Any]:
        original = optimizer.apply

        @functools.wraps(original)
        def apply(grads: Any, trainable_variables: Any = None) -> Any:
            observation = self._current()
            if observation is None or not observation.is_here():
                return original(grads, trainable_variables)
            gradients = list(grads)
            given = None if trainable_variables is None else list(trainable_variables)
            variables = given if given is not None else optimizer._trainable_variables
            before = [tf.identity(variable) for variable in variables]
            _see_optimizer(observation, optimizer)
            result = original(gradients, given)
            try:
                self._see_weights(observation, gradients, variables, before)
            except Exception as error:  # The step itself is done; only its figures are missing.
                _LOGGER.warning("Weights cannot be observed (%s: %s).", type(error).__name__, error)
            return result

        return apply

    def _see_weights(
        self, observation: Observation, gradients: list[Any], variables: Sequence[Any], before: list[tf.Tensor]
    ) -> None:
        dense = _sum_over_replicas([None if g is None else tf.convert_to_tensor(g) for g in gradients])
        for gradient, variable, old in zip(dense, variables, before, strict=True):
            layer = self._owners.get(id(variable), "")
            name = f"{layer}/{variable.name}" if layer else getattr(variable, "path", variable.name)
            spec = Weight(name, layer, tuple(variable.shape), gradient is not None)
            observation.see_weight(id(variable), spec, gradient, old, tf.convert_to_tensor(variable))


def _make_train_function(model: keras.Model, train_step: StepFunction) -> Any:
    """What `model.make_train_function` makes of another train step; the model keeps its own."""
    plain = model.train_function
    with taps.installed([taps.Tap(model, "train_step", train_step)]):
        model.make_train_function(force=True)
    made, model.train_function = model.train_function, plain
    return made


def _optimizers(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """The compiled optimizer and those a custom `train_step` keeps as attributes of the model."""
    candidates = [model.optimizer, *vars(model).values()]
    return list({id(c): c for c in candidates if isinstance(c, keras.optimizers.Optimizer)}.values())


def _see_optimizer(observation: Observation, optimizer: keras.optimizers.Optimizer) -> None:
    observation.learning_rate = tf.cast(tf.convert_to_tensor(optimizer.learning_rate), tf.float32)
    observation.loss_scale = tf.cast(tf.convert_to_tensor(optimizer.scale_loss(1.0)), tf.float32)


def _sum_over_replicas(gradients: list[tf.Tensor | None]) -> list[tf.Tensor | None]:
    context = tf.distribute.get_replica_context()
    present = [gradient for gradient in gradients if gradient is not None]
    if context is None or context.num_replicas_in_sync == 1 or not present:
        return gradients
    summed = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, present))
    return [None if gradient is None else next(summed) for gradient in gradients]


def _batch_size(data: Any) -> tf.Tensor:
    for value in keras.tree.flatten(data):
        if isinstance(value, tf.Tensor) and value.shape.rank:
            return tf.cast(tf.shape(value)[0], tf.float32)
    return tf.constant(float("nan"))
