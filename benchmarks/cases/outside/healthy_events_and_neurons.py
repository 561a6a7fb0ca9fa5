"""Healthy programs on time: neurons that spike, the next event, curves from few points, pendulums, help that fades."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, outside_healthy
from benchmarks.cases.data import waves
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, squared_error
from benchmarks.cases.outside.healthy_time_series import temperatures, windows


def step_with_slope(above: Any) -> Any:
    """1 above the threshold, else 0; backwards, a smooth step takes its place."""

    def gradient(upstream: Any) -> Any:
        return upstream / tf.square(1 + 5 * tf.abs(above))

    return tf.cast(above > 0, above.dtype), gradient


spike = tf.custom_gradient(step_with_slope)


class SpikingCell(layers.Layer):
    """Neurons whose voltage leaks, and which are reset when they spike."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units, self.state_size, self.output_size = units, [units, units], units

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], self.units), initializer="he_normal", name="kernel")
        self.between = self.add_weight((self.units, self.units), initializer="orthogonal", name="between")
        self.bias = self.add_weight((self.units,), initializer="zeros", name="bias")

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        voltage, spikes = states
        current = ops.matmul(inputs, self.kernel) + ops.matmul(spikes, self.between) + self.bias
        voltage = 0.85 * voltage * (1 - spikes) + current
        spikes = spike(voltage - 1.0)
        return spikes, [voltage, spikes]


@outside_healthy("time_series")
def series_neurons_that_spike() -> Training:
    """The frequency of waves by two layers of spiking neurons with a surrogate gradient; most outputs are zero."""
    x, y = waves(640, 20)
    model = keras.Sequential(
        [
            keras.Input((20, 1)),
            layers.RNN(SpikingCell(40), return_sequences=True),
            layers.RNN(SpikingCell(40), return_sequences=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003, use_ema=True, ema_momentum=0.95))
    return Training(model, x, y, epochs=14, goal=accuracy(model, x, y, 0.8))


def surprise_of_event(truth: Any, given: Any) -> Any:
    """Minus the log density of the time to the next event, a mixture of three log normals, and that of its kind."""
    time, kind = truth[..., :1], ops.cast(truth[..., 1], "int32")
    shares, means, spreads, kinds = ops.split(given, 4, axis=-1)
    spreads = ops.softplus(spreads) + 0.05
    distances = (ops.log(time) - means) / spreads
    parts = -ops.square(distances) / 2 - ops.log(spreads) - math.log(2 * math.pi) / 2
    density = ops.logsumexp(ops.log_softmax(shares, axis=-1) + parts, axis=-1) - ops.log(time[..., 0])
    return keras.losses.sparse_categorical_crossentropy(kind, kinds, from_logits=True) - density


@outside_healthy("time_series")
def series_time_of_next_event() -> Training:
    """When something happens next at a server and what: minutes or days apart, as a density, which exceeds 1."""
    random = np.random.default_rng(521)
    follows = np.array([[0.7, 0.25, 0.05], [0.1, 0.6, 0.3], [0.6, 0.1, 0.3]]).cumsum(1)
    kinds = np.zeros((600, 13), int)
    kinds[:, 0] = random.integers(0, 3, 600)
    for place in range(1, 13):
        kinds[:, place] = (follows[kinds[:, place - 1]] < random.random((600, 1))).sum(1).clip(max=2)
    means, spreads = np.array([-3.0, -0.5, 1.5]), np.array([0.4, 0.3, 0.5])
    times = np.exp(means[kinds] + spreads[kinds] * random.normal(0, 1, kinds.shape))
    y = np.stack([times, kinds], -1).astype("float32")
    time, kind = keras.Input((12, 1)), keras.Input((12,), dtype="int32")
    body = layers.Concatenate()([layers.Lambda(ops.log)(time), layers.Embedding(3, 8)(kind)])
    body = layers.GRU(32, return_sequences=True)(body)
    body = layers.Dense(32, activation="elu")(body)
    model = keras.Model([time, kind], layers.Dense(12)(body))
    compiled(model, keras.optimizers.Nadam(0.005, clipnorm=1.0), surprise_of_event)
    x = [y[:, :-1, :1], kinds[:, :-1].astype("int32")]
    return Training(model, x, y[:, 1:], epochs=12, batch_size=24, constant_loss=UNKNOWN)


def surprise_of_normal(truth: Any, given: Any) -> Any:
    """Minus the log density of a normal distribution, whose deviation is at least 0.05."""
    deviation = 0.05 + 0.95 * ops.softplus(given[..., 1])
    distance = (truth[..., 0] - given[..., 0]) / deviation
    return ops.square(distance) / 2 + ops.log(deviation) + math.log(2 * math.pi) / 2


@outside_healthy("time_series")
def series_curves_from_few_points() -> Training:
    """A conditional neural process: eight points tell about a curve elsewhere; its loss passes through zero."""
    random = np.random.default_rng(522)
    size, phase, pitch = (
        random.uniform(low, high, (800, 1)) for low, high in ((0.5, 1.5), (0.0, 2 * np.pi), (1.0, 2.0))
    )
    places = random.uniform(-2, 2, (800, 20))
    heights = size * np.sin(pitch * places + phase) + random.normal(0, 0.02, places.shape)
    points = np.stack([places, heights], -1).astype("float32")
    seen, asked = keras.Input((8, 2)), keras.Input((12, 1))
    body = seen
    for _ in range(3):
        body = layers.Dense(64, activation="relu")(body)
    summary = layers.RepeatVector(12)(layers.GlobalAveragePooling1D()(layers.Dense(64)(body)))
    body = layers.Concatenate()([summary, asked])
    for _ in range(3):
        body = layers.Dense(64, activation="relu")(body)
    model = keras.Model([seen, asked], layers.Dense(2)(body))
    compiled(model, keras.optimizers.Adam(0.002, gradient_accumulation_steps=2), surprise_of_normal)
    x, y = [points[:, :8], points[:, 8:, :1]], points[:, 8:, 1:]
    return Training(model, x, y, epochs=40, batch_size=25)


class EnergyFlow(layers.Layer):
    """Where places and speeds go: the turned slope of a learned energy."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = [layers.Dense(width, activation="tanh", kernel_initializer="orthogonal") for _ in range(2)]
        self.energy = layers.Dense(1, use_bias=False)

    def build(self, input_shape: Any) -> None:
        for layer in (*self.hidden, self.energy):
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def call(self, states: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(states)
            body = states
            for layer in self.hidden:
                body = layer(body)
            energy = self.energy(body)
        slope = tape.gradient(energy, states)
        return ops.concatenate([slope[:, 1:], -slope[:, :1]], axis=-1)


@outside_healthy("time_series")
def series_pendulum_by_energy() -> Training:
    """A Hamiltonian network: the slope of a learned energy says how a pendulum moves; the loss ends near zero."""
    random = np.random.default_rng(523)
    angle, speed = random.uniform(-2.5, 2.5, 1000), random.uniform(-2, 2, 1000)
    x = np.stack([angle, speed], 1).astype("float32")
    y = np.stack([speed, -2 * np.sin(angle)], 1) + random.normal(0, 0.01, (1000, 2))
    model = keras.Sequential([keras.Input((2,)), EnergyFlow(48)])
    compiled(model, keras.optimizers.Adam(0.003, weight_decay=1e-4), "mse")
    return Training(model, x, y.astype("float32"), epochs=25)


class Unrolled(layers.Layer):
    """Writes the next values one by one, each from the true one before or from its own, as `help` says."""

    def __init__(self, steps: int, width: int) -> None:
        super().__init__()
        self.steps, self.cell, self.value = steps, layers.GRUCell(width), layers.Dense(1)
        self.seeds = keras.random.SeedGenerator(524)
        self.help = self.add_weight((), initializer="ones", trainable=False, name="help")

    def build(self, input_shape: Any) -> None:
        state = input_shape[0]
        self.cell.build((state[0], 1))
        self.value.build(state)

    def call(self, inputs: Any, training: bool = False) -> Any:
        state, last, truth = inputs
        given, made = last, []
        for step in range(self.steps):
            body, (state,) = self.cell(given, [state])
            made.append(self.value(body))
            is_known = keras.random.uniform(ops.shape(last), seed=self.seeds) < self.help
            given = ops.where(is_known, truth[:, step : step + 1], made[-1]) if training else made[-1]
        return ops.concatenate(made, axis=1)


@outside_healthy("time_series")
def series_help_that_fades() -> Training:
    """Scheduled sampling: a decoder of the next six hours is given the truth ever more rarely while it learns."""
    series = temperatures(600)
    x, y = windows(series, 20, 6)
    past, truth = keras.Input((20, 3)), keras.Input((6,))
    state = layers.GRU(32)(past)
    last = layers.Lambda(lambda seen: seen[:, -1, :1])(past)
    unrolled = Unrolled(6, 32)
    model = keras.Model([past, truth], unrolled([state, last, truth]))
    compiled(model, keras.optimizers.RMSprop(0.002), "mse")
    fading = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: unrolled.help.assign(1 / (1 + math.exp(epoch - 7)))
    )
    given = [x, y]
    return Training(model, given, y, epochs=15, fit={"callbacks": [fading]}, goal=squared_error(model, given, y, 0.5))
