"""Measures the truth of a training in plain eager TensorFlow over the whole data set.

Nothing here uses `tb_activations`: the layers' outputs come from a second functional model over the same layers,
gradients from a `GradientTape`, steps from copies of the weights.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.cases.base import Training, View

Array = NDArray[Any]

BOUNDED = {"tanh": (-1, 1), "sigmoid": (0, 1), "hard_sigmoid": (0, 1), "hard_tanh": (-1, 1), "softsign": (-1, 1)}
"""Bounded activations and their bounds."""

RECTIFIERS = {"relu", "relu6"}
"""Activations that are exactly zero on a half line."""

BOUND_SHARE = 0.025
"""An output is at its bound if it is within this share of the range from either end."""


class Measured(keras.callbacks.Callback):
    """Measures a training before its first step, after every epoch and, for the weights, at every step.

    `moments` has one entry per measurement: its step, the loss, and by layer name the values of `_outputs` and
    `_weights`. `steps` has by layer name the relative sizes of all steps, `broken_step` the first step after which a
    weight was not finite, `broken_loss_step` the first one whose reported loss was not, `rates` the learning rate of
    every step, `losses` the loss of every batch, `goal` the figure of the training's goal before and after, if it has
    one. Without a network that can be measured the loss is NaN and `moments` has no layers.
    """

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.views = _views(training)
        self.moments: list[dict[str, Any]] = []
        self.steps: dict[str, list[float]] = {}
        self.broken_step: int | None = None
        self.broken_loss_step: int | None = None
        self.rates: list[float | None] = []
        self.losses: list[float] = []
        self._reported = 0.0
        self.goal: dict[str, Any] | None = None
        self._goal = training.goal
        self._count = 0
        self._probes = [_probe(view.network) for view in self.views]
        self._kernels: dict[str, list[Any]] = {}
        self._before: dict[str, Array] = {}
        self._start: dict[str, Array] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._kernels = {name: kernels for view in self.views for name, kernels in _kernels(view)}
        self._before = self._start = self._copy()
        self._measure()
        if self._goal is not None:
            self.goal = {"name": self._goal.name, "start": self._goal.measure()}

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._reported = 0.0

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.rates.append(_rate(self.model))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # Keras reports the mean over the epoch so far.
        reported = float((logs or {}).get("loss", math.nan))
        self.losses.append(reported * (batch + 1) - self._reported * batch)
        self._reported = reported
        after = self._copy()
        for name, value in after.items():
            self.steps.setdefault(name, []).append(_relative(value - self._before[name], self._before[name]))
        is_finite = all(np.isfinite(weight.numpy()).all() for weight in self.model.trainable_weights)
        if self.broken_step is None and not is_finite:
            self.broken_step = self._count
        if self.broken_loss_step is None and not math.isfinite((logs or {}).get("loss", 0.0)):
            self.broken_loss_step = self._count
        self._before = after
        self._count += 1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._measure()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._goal is not None and self.goal is not None:
            value = self._goal.measure()
            self.goal |= {"end": value, "is_reached": self._goal.is_reached(value)}

    def _copy(self) -> dict[str, Array]:
        return {
            name: np.concatenate([kernel.numpy().astype("float64").ravel() for kernel in kernels])
            for name, kernels in self._kernels.items()
        }

    def _measure(self) -> None:
        layers: dict[str, dict[str, Any]] = {}
        losses = []
        for view, probe in zip(self.views, self._probes, strict=True):
            loss, found = _look(self.model, view, probe)
            losses.append(loss)
            layers.update(found)
        for name, value in self._copy().items():
            layers[name]["moved"] = _relative(value - self._start[name], self._start[name])
        self.moments.append({"step": self._count, "loss": losses[0] if losses else math.nan, "layers": layers})


def static(training: Training) -> dict[str, dict[str, Any]]:
    """By layer name the constants: class, activation, whether it is the head, a gate, trained."""
    known = {}
    for view in _views(training):
        heads = {tensor._keras_history.operation.name for tensor in view.network.outputs}
        for layer in _layers(view.network):
            known[view.prefix + layer.name] = {
                "class": type(layer).__name__,
                "activation": _activation(layer),
                "head": layer.name in heads,
                "gate": layer.name in training.gates,
                "trained": bool(layer.trainable_weights),
            }
    return known


def _views(training: Training) -> Sequence[View]:
    """The networks to measure; none if the model is a subclassed one and names no parts that can be measured."""
    if training.views:
        return training.views
    is_graph = isinstance(training.model, keras.Sequential) or hasattr(training.model, "_nodes_by_depth")
    return (View(training.model, training.x, training.y),) if is_graph else ()


def _probe(network: keras.Model) -> keras.Model:
    """Maps the network's inputs to every layer's first input, its outputs, and the network's outputs."""
    inputs = {layer.name: _nodes(network, layer)[0].input_tensors[:1] for layer in _layers(network)}
    outputs = {layer.name: _output_tensors(network, layer) for layer in _layers(network)}
    given = network.inputs[0] if len(network.inputs) == 1 else network.input
    return keras.Model(given, [inputs, outputs, network.outputs])


def _look(model: keras.Model, view: View, probe: keras.Model) -> tuple[float, dict[str, dict[str, Any]]]:
    """The loss over all data and, by layer name, the values of every layer."""
    network, layers = view.network, _layers(view.network)
    with _unchanged(network), tf.GradientTape() as tape:
        given, seen, last = probe(view.x, training=True)
        answer = last[0] if len(network.outputs) == 1 else keras.tree.pack_sequence_as(network.output, last)
        loss = view.loss(answer) if view.loss else model.compute_loss(view.x, view.y, answer, training=True)
        loss = tf.cast(loss, "float32")
    trained = {layer.name: [weight.value for weight in layer.trainable_weights] for layer in layers}
    gradients = tape.gradient(loss, trained)
    found = {}
    for layer in layers:
        facts = _outputs(_activation(layer), [np.asarray(value) for value in seen[layer.name]])
        facts |= _weights(layer, gradients[layer.name], float(loss))
        if "gain" in facts and given[layer.name] and given[layer.name][0].dtype.is_floating:
            # The size of the outputs for a kernel and inputs of these sizes, before bias and activation. Numbers of
            # words have no size.
            facts["drive"] = facts["gain"] * math.sqrt(np.square(np.asarray(given[layer.name][0], "float64")).mean())
        found[view.prefix + layer.name] = facts
    return float(loss), found


def _layers(network: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in network.layers if not isinstance(layer, keras.layers.InputLayer)]


def _nodes(network: keras.Model, layer: keras.layers.Layer) -> list[Any]:
    graph = network._functional if isinstance(network, keras.Sequential) else network
    inside = {id(node) for nodes in graph._nodes_by_depth.values() for node in nodes}
    return [node for node in layer._inbound_nodes if id(node) in inside]


def _output_tensors(network: keras.Model, layer: keras.layers.Layer) -> list[Any]:
    tensors = [tensor for node in _nodes(network, layer) for tensor in node.output_tensors[:1]]
    return [tensor for tensor in tensors if "float" in tensor.dtype]


def _kernels(view: View) -> Iterator[tuple[str, list[Any]]]:
    """By layer name its trained weights with at least two axes, or all trained weights if there are none."""
    for layer in _layers(view.network):
        weights = layer.trainable_weights
        if weights:
            yield view.prefix + layer.name, [weight for weight in weights if len(weight.shape) > 1] or weights


@contextlib.contextmanager
def _unchanged(network: keras.Model) -> Iterator[None]:
    """Restores moving averages and the state of random generators when the block ends."""
    kept = [(variable, variable.numpy()) for variable in network.non_trainable_variables]
    yield
    for variable, value in kept:
        variable.assign(value)


def _outputs(activation: str | None, values: Sequence[Array]) -> dict[str, Any]:
    """Values of a layer's outputs `[samples, ..., units]`, one array per call."""
    if not values:
        return {}
    flat = [value.reshape(len(value), -1, value.shape[-1]).astype("float64") for value in values]
    joined = np.concatenate(flat, 1)
    finite = np.isfinite(joined)
    facts: dict[str, Any] = {"nonfinite": int((~finite).sum()), "std": None}
    if not finite.all():
        return facts
    facts["std"] = float(joined.std())
    # Spread over the samples relative to the size. The 90 % quantile, since some outputs of a layer may be the same for
    # all samples by design.
    size = np.sqrt(np.square(joined).mean(0))
    spreads = joined.std(0)[size > 0] / size[size > 0]
    facts["spread"] = float(np.quantile(spreads, 0.9)) if spreads.size else 0.0
    sizes = np.abs(joined).mean((0, 1))
    facts["size"] = (sizes / sizes.mean() if sizes.mean() > 0 else sizes).round(6).tolist()
    if activation in RECTIFIERS:
        facts["active"] = (joined > 0).mean((0, 1)).round(6).tolist()
    if activation in BOUNDED:
        low, high = BOUNDED[activation]
        margin = BOUND_SHARE * (high - low)
        facts["at_bound"] = ((joined < low + margin) | (joined > high - margin)).mean((0, 1)).round(6).tolist()
    return facts


def _weights(layer: keras.layers.Layer, gradients: Sequence[Any], loss: float) -> dict[str, Any]:
    """Values of a layer's trained weights and of the gradient of the loss over all data with respect to them."""
    weights = layer.trainable_weights
    if not weights:
        return {}
    values = [weight.numpy().astype("float64") for weight in weights]
    arrived = [tf.convert_to_tensor(gradient).numpy() for gradient in gradients if gradient is not None]
    facts: dict[str, Any] = {"weights_nonfinite": _count_nonfinite(values)}
    facts["gradient"] = None if not arrived else _norm(arrived)
    facts["gradients_nonfinite"] = _count_nonfinite(arrived)
    facts["norm"] = _norm(values)
    if arrived and loss:
        facts["elasticity"] = _norm(arrived) * _norm(values) / abs(loss)
    kernel = next((value for value, weight in zip(values, weights, strict=True) if len(weight.shape) > 1), None)
    if kernel is not None and np.isfinite(kernel).all():
        columns = kernel.reshape(-1, kernel.shape[-1])
        facts["gain"] = math.sqrt(np.square(kernel).mean() * len(columns))
        facts["units_equal"] = bool(
            kernel.shape[-1] > 1 and np.ptp(columns, axis=1).max() <= 1e-6 * np.abs(kernel).max()
        )
    return facts


def _count_nonfinite(values: Sequence[Array]) -> int:
    return int(sum((~np.isfinite(value)).sum() for value in values))


def _norm(values: Sequence[Array]) -> float:
    return math.sqrt(sum(float(np.square(value.astype("float64")).sum()) for value in values))


def _relative(change: Array, base: Array) -> float:
    """Size of a change relative to the start, NaN if it started at zero."""
    size = float(np.linalg.norm(base))
    return float(np.linalg.norm(change)) / size if size > 0 else (math.nan if change.any() else 0.0)


def _rate(model: keras.Model) -> float | None:
    """The learning rate of the next step, None if there is no single optimizer."""
    rate = getattr(getattr(model, "optimizer", None), "learning_rate", None)
    return None if rate is None else float(rate)


def _activation(layer: keras.layers.Layer) -> str | None:
    if isinstance(layer, keras.layers.ReLU):
        return "leaky_relu" if layer.negative_slope else "relu"
    if isinstance(layer, keras.layers.LeakyReLU | keras.layers.ELU | keras.layers.PReLU | keras.layers.Softmax):
        return type(layer).__name__.lower()
    return getattr(getattr(layer, "activation", None), "__name__", None)
