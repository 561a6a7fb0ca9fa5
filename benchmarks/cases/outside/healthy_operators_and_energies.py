"""Healthy programs of science: operators, an unknown coefficient, an energy, slopes as targets, linear codes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled


def smooth_curves(random: np.random.Generator, count: int, points: int, waves: int) -> Array:
    """Periodic curves `[count, points]` of unit size, made of a few waves."""
    phase = 2 * np.pi * np.arange(1, waves + 1)[:, None] * np.arange(points) / points
    sizes = random.normal(0, 1, (2, count, waves)) / np.arange(1, waves + 1)
    return np.asarray(sizes[0] @ np.sin(phase) + sizes[1] @ np.cos(phase), "float64")


@outside_healthy("tabular")
def tabular_operator_of_branch_and_trunk() -> Training:
    """A deep operator network: integrals of curves, by a branch for the curve and a trunk for the place."""
    random = np.random.default_rng(701)
    curves = smooth_curves(random, 160, 50, 4)
    integrals = np.cumsum(curves, 1) / 10
    which, place = np.repeat(np.arange(160), 20), random.integers(0, 50, 3200)
    x = [curves[which].astype("float32"), (place[:, None] / 50).astype("float32")]
    y = integrals[which, place][:, None].astype("float32")
    curve, at = keras.Input((50,), name="curve"), keras.Input((1,), name="place")
    branch, trunk = curve, at
    for _ in range(2):
        branch = layers.Dense(128, activation="gelu")(branch)
        trunk = layers.Dense(128, activation="tanh")(trunk)
    branch, trunk = layers.Dense(64, name="branch")(branch), layers.Dense(64, activation="tanh", name="trunk")(trunk)
    product = layers.Dot(axes=1, name="product")([branch, trunk])
    model = keras.Model([curve, at], layers.Dense(1, name="offset")(product))
    rate = keras.optimizers.schedules.InverseTimeDecay(1e-3, 400, 0.5)
    return Training(compiled(model, keras.optimizers.Adam(rate), "mse"), x, y, epochs=12, batch_size=64)


class SpectralMix(layers.Layer):
    """Mixes channels by one matrix for each of the lowest frequencies."""

    def __init__(self, channels: int, modes: int, **options: Any) -> None:
        super().__init__(**options)
        self.channels, self.modes = channels, modes

    def build(self, input_shape: Any) -> None:
        shape = (self.modes, input_shape[-1], self.channels)
        start = keras.initializers.RandomNormal(stddev=(2 / (input_shape[-1] + self.channels)) ** 0.5)
        self.real = self.add_weight(shape, initializer=start, name="real")
        self.imaginary = self.add_weight(shape, initializer=start, name="imaginary")

    def call(self, values: Any) -> Any:
        points = values.shape[1]
        waves = tf.signal.rfft(tf.transpose(values, (0, 2, 1)))[..., : self.modes]
        mixed = tf.einsum("bim,mio->bom", waves, tf.complex(self.real, self.imaginary))
        mixed = tf.pad(mixed, ((0, 0), (0, 0), (0, points // 2 + 1 - self.modes)))
        return tf.transpose(tf.signal.irfft(mixed, [points]), (0, 2, 1))


def after_a_while(start: Array, viscosity: float, steps: int) -> Array:
    """Velocities after `steps` of 1e-3 by the equation of Burgers, with periodic ends."""
    speed, width = start.copy(), 1 / start.shape[1]
    for _ in range(steps):
        left, right = np.roll(speed, 1, 1), np.roll(speed, -1, 1)
        flow = speed * (right - left) / (2 * width)
        speed = speed + 1e-3 * (viscosity * (right - 2 * speed + left) / width**2 - flow)
    return speed


def relative_distance(truth: Any, guess: Any) -> Any:
    """The norm of the error by that of the truth."""
    return ops.norm(guess - truth, axis=(1, 2)) / (ops.norm(truth, axis=(1, 2)) + 1e-6)


@outside_healthy("tabular")
def tabular_operator_of_waves() -> Training:
    """A Fourier neural operator: a flow with viscosity from its start, by matrices for its lowest frequencies."""
    start = smooth_curves(np.random.default_rng(702), 480, 64, 3) / 2
    end = after_a_while(start, 0.02, 200)
    x = np.stack([start, np.tile(np.arange(64) / 64, (480, 1))], -1).astype("float32")
    inputs = keras.Input((64, 2))
    body = layers.Dense(32, name="lift")(inputs)
    for depth in range(4):
        both = [SpectralMix(32, 12, name=f"waves_{depth}")(body), layers.Conv1D(32, 1, name=f"local_{depth}")(body)]
        body = layers.Add()(both)
        if depth < 3:
            body = layers.Activation("gelu")(body)
    body = layers.Dense(64, activation="gelu", name="project")(body)
    model = keras.Model(inputs, layers.Dense(1, name="flow")(body))
    rate = keras.optimizers.schedules.CosineDecay(2e-3, 288)
    compiled(model, keras.optimizers.AdamW(rate, weight_decay=1e-4), relative_distance)
    return Training(model, x, end[..., None].astype("float32"), epochs=12, batch_size=20, constant_loss=1.0)


class UnknownDiffusion(keras.Model):
    """A network of temperatures whose diffusion coefficient is learned with it."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network
        self.log_coefficient = self.add_weight((), initializer="zeros", name="log_coefficient")

    def call(self, places: Any) -> Any:
        return self.network(places)

    def error(self, places: Any, measured: Any) -> Any:
        places = tf.convert_to_tensor(places)
        with tf.GradientTape() as outer:
            outer.watch(places)
            with tf.GradientTape() as inner:
                inner.watch(places)
                guess = self.network(places, training=True)
            slope = inner.gradient(guess, places)
            along = slope[:, 0]
        second = outer.gradient(along, places)[:, 0]
        residual = slope[:, 1] - ops.exp(self.log_coefficient) * second
        return ops.mean(ops.square(guess - measured)) + 0.05 * ops.mean(ops.square(residual))

    def train_step(self, data: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self.error(*data)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


@outside_healthy("tabular")
def tabular_diffusion_to_be_found() -> Training:
    """How fast heat spreads in a rod, from noisy temperatures: a network with physics in its loss and one unknown."""
    random = np.random.default_rng(703)
    x = np.stack([random.uniform(-1, 1, 800), random.uniform(0, 1, 800)], 1).astype("float32")
    kept = np.exp(-0.3 * np.pi**2 * x[:, 1:])
    y = np.sin(np.pi * x[:, :1]) * kept + 0.5 * x[:, :1] + random.normal(0, 0.05, (800, 1))
    y = y.astype("float32")
    hidden = [layers.Dense(64, activation="tanh") for _ in range(3)]
    model = UnknownDiffusion(keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1)]))
    model(x[:2])
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, 1200)), jit_compile=False)

    def found() -> float:
        return float(abs(np.exp(float(model.log_coefficient)) / 0.3 - 1))

    view = View(model.network, x, loss=lambda _: model.error(x, y), prefix="network/")
    goal = Goal("relative error of the coefficient", found, at_most=0.2)
    return Training(model, x, y, epochs=48, batch_size=32, views=(view,), goal=goal)


class Membrane(keras.Model):
    """Learns the shape that has the least energy, without any target."""

    def energy(self, places: Any) -> Any:
        places = tf.convert_to_tensor(places)
        with tf.GradientTape() as tape:
            tape.watch(places)
            height = self(places, training=True)
        slope = tape.gradient(height, places)
        return ops.mean(ops.sum(ops.square(slope), axis=1) / 2 - 20 * height[:, 0])

    def train_step(self, places: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            energy = self.energy(places)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(energy, weights), weights)
        return {"loss": energy}


@outside_healthy("tabular")
def tabular_membrane_of_least_energy() -> Training:
    """The deep Ritz method: a loaded membrane as what has the least energy, so the loss starts at zero and falls."""
    x = np.random.default_rng(704).uniform(0, 1, (4000, 2)).astype("float32")
    inputs = keras.Input((2,))
    body = layers.Dense(64, activation="tanh")(inputs)
    for _ in range(3):
        inner = layers.Dense(64, activation="swish")(body)
        body = layers.Add()([body, layers.Dense(64, activation="swish")(inner)])
    height = layers.Dense(1)(body)
    edge = layers.Lambda(lambda place: 16 * ops.prod(place * (1 - place), axis=-1, keepdims=True))(inputs)
    model = Membrane(inputs, layers.Multiply()([height, edge]))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    view = View(model, x, loss=lambda _: model.energy(x))
    return Training(model, x, None, epochs=8, batch_size=100, views=(view,))


class Slopes(keras.Model):
    """Learns values and their slopes by the inputs together."""

    def error(self, inputs: Any, truth: Any) -> Any:
        inputs = tf.convert_to_tensor(inputs)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = self(inputs, training=True)
        slope = tape.gradient(value, inputs)
        return ops.mean(ops.square(value - truth[:, :1])) + ops.mean(ops.square(slope - truth[:, 1:]))

    def train_step(self, data: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self.error(*data)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


@outside_healthy("tabular")
def tabular_options_and_their_slopes() -> Training:
    """Prices of options on five shares from single noisy ends and their slopes; the rate rises and falls once."""
    random = np.random.default_rng(705)
    x = random.normal(0, 1, (2048, 5)).astype("float32")
    moved = x + random.normal(0, 0.7, x.shape)
    basket = moved.mean(1, keepdims=True) * 5**0.5
    paid, slope = np.maximum(basket, 0), (basket > 0) * np.full((1, 5), 5**-0.5)
    y = np.concatenate([paid, slope], 1).astype("float32")
    inputs = keras.Input((5,))
    body = inputs
    for _ in range(4):
        body = layers.Dense(64, activation="softplus")(body)
    model = Slopes(inputs, layers.Dense(1)(body))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    knots, rates = [0, 4, 8, 14, 20], [1e-4, 3e-3, 3e-3, 5e-4, 1e-5]
    cycle = keras.callbacks.LearningRateScheduler(lambda epoch, _: float(np.interp(epoch, knots, rates)))
    view = View(model, x, loss=lambda _: model.error(x, y))
    constant = float(y.var(0)[0] + y.var(0)[1:].mean())
    options = {"callbacks": [cycle]}
    return Training(model, x, y, 20, 64, views=(view,), constant_loss=constant, fit=options)


@outside_healthy("time_series")
def series_codes_that_move_linearly() -> Training:
    """A Koopman autoencoder: what a pendulum does next is one matrix, applied again and again to its code."""
    random = np.random.default_rng(706)
    states = np.stack([random.uniform(-2.2, 2.2, 900), random.uniform(-1, 1, 900)], 1)
    path = [states]
    for _ in range(8):
        for _ in range(5):
            speed = states[:, 1] - 0.05 * np.sin(states[:, 0])
            states = np.stack([states[:, 0] + 0.05 * speed, speed], 1)
        path.append(states)
    seen = np.stack(path, 1).astype("float32")
    encoder = [layers.Dense(size, activation=name) for size, name in ((64, "elu"), (64, "elu"), (8, None))]
    decoder = [layers.Dense(size, activation=name) for size, name in ((64, "elu"), (64, "elu"), (2, None))]
    onward = layers.Dense(8, use_bias=False, kernel_initializer="identity", name="onward")
    inputs = code = keras.Input((2,))
    for layer in encoder:
        code = layer(code)
    answers = []
    for step in range(9):
        code = onward(code) if step else code
        answer = code
        for layer in decoder:
            answer = layer(answer)
        answers.append(answer)
    body = layers.Lambda(lambda steps: ops.stack(steps, axis=1))(answers)
    model = keras.Model(inputs, body)
    compiled(model, keras.optimizers.Nadam(2e-3, clipnorm=1.0), "mse")
    return Training(model, seen[:, 0], seen, epochs=16, batch_size=32, constant_loss=float(seen.var(0).mean()))
