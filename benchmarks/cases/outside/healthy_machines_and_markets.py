"""Healthy programs on series: motion, trends, scales that return, bundles of convolutions, lives, volatility."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Goal, Training, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import squared_error


def swings(states: Array) -> Array:
    """How fast the angle and the speed of a damped pendulum change."""
    return np.stack([states[:, 1], -np.sin(states[:, 0]) - 0.15 * states[:, 1]], 1)


def motions(count: int, steps: int) -> tuple[Array, Array]:
    """Starts of a pendulum, and its states after each step, in which it is watched with a little noise."""
    random = np.random.default_rng(421)
    state = random.uniform(-1.5, 1.5, (count, 2))
    start, path = state, []
    for _ in range(steps):
        for _ in range(5):
            state = state + 0.08 * swings(state)
        path.append(state)
    noisy = np.stack(path, 1) + random.normal(0, 0.03, (count, steps, 2))
    return start.astype("float32"), noisy.astype("float32")


@outside_healthy("time_series")
def series_motion_by_learned_slopes() -> Training:
    """A neural differential equation: one tanh network gives the slope, four times in each of six steps."""
    x, y = motions(500, 6)
    inputs = layers.Input((2,))
    hidden, last = layers.Dense(48, activation="tanh"), layers.Dense(2)

    def slope(states: Any) -> Any:
        return last(hidden(states))

    state: Any = inputs
    path = []
    for _ in range(6):
        first = slope(state)
        second = slope(state + 0.2 * first)
        third = slope(state + 0.2 * second)
        fourth = slope(state + 0.4 * third)
        state = state + 0.4 / 6 * (first + 2 * second + 2 * third + fourth)
        path.append(state)
    model = keras.Model(inputs, layers.Reshape((6, 2))(layers.Concatenate()(path)))
    compiled(model, keras.optimizers.Adam(0.01), "mae")
    return Training(model, x, y, epochs=12, goal=squared_error(model, x, y, 0.2))


def store_sales(count: int, past: int, future: int) -> tuple[Array, Array]:
    """Weeks of standardized sales with a trend and a season of seven days, and the days that follow."""
    random = np.random.default_rng(422)
    days = np.arange(past + future)
    slope, phase = random.normal(0, 0.04, (count, 1)), random.integers(0, 7, (count, 1))
    season = random.normal(0, 0.7, (7,))[(days + phase) % 7]
    series = random.normal(0, 1, (count, 1)) + slope * days + season + random.normal(0, 0.25, (count, len(days)))
    return series[:, :past].astype("float32"), series[:, past:].astype("float32")


@outside_healthy("time_series")
def series_trend_and_rest_linear() -> Training:
    """A moving mean as the trend and the rest, each with a linear layer and no activation, for a week ahead."""
    x, y = store_sales(900, 28, 7)
    inputs = layers.Input((28,))
    trend = layers.ZeroPadding1D(3)(layers.Reshape((28, 1))(inputs))
    trend = layers.Flatten()(layers.AveragePooling1D(7, strides=1)(trend))
    rest = layers.Subtract()([inputs, trend])
    usual = keras.initializers.Constant(1 / 28)
    outputs = layers.Add()([layers.Dense(7, kernel_initializer=usual)(part) for part in (trend, rest)])
    model = compiled(keras.Model(inputs, outputs), keras.optimizers.Adam(0.003), "mse")
    calm = keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=2)
    return Training(model, x, y, epochs=20, fit={"callbacks": [calm]})


class Standardized(layers.Layer):
    """Takes mean and deviation of each series away, with a learned scale; `restore` puts them back."""

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight((1,), initializer="ones", name="scale")
        self.offset = self.add_weight((1,), initializer="zeros", name="offset")

    def call(self, series: Any) -> Any:
        mean = ops.mean(series, axis=1, keepdims=True)
        deviation = ops.std(series, axis=1, keepdims=True) + 1e-3
        return (series - mean) / deviation * self.scale + self.offset, mean, deviation

    def restore(self, inputs: Any) -> Any:
        series, mean, deviation = inputs
        return (series - self.offset) / self.scale * deviation + mean


class Positions(layers.Layer):
    """Adds a learned vector to each place of a sequence."""

    def build(self, input_shape: Any) -> None:
        self.places = self.add_weight(input_shape[1:], initializer="uniform", name="places")

    def call(self, inputs: Any) -> Any:
        return inputs + self.places


@outside_healthy("time_series")
def series_patches_in_thousands() -> Training:
    """A transformer on patches of a series in thousands: the model standardizes each one and undoes it at the end."""
    past, future = store_sales(700, 32, 8)
    random = np.random.default_rng(423)
    level, size = random.uniform(2000, 9000, (700, 1)), random.uniform(100, 500, (700, 1))
    x, y = ((level + size * part).astype("float32") for part in (past, future))
    inputs = layers.Input((32,))
    standard = Standardized()
    body, mean, deviation = standard(inputs)
    body = Positions()(layers.Dense(32)(layers.Reshape((8, 4))(body)))
    for _ in range(2):
        attended = layers.MultiHeadAttention(4, 8, dropout=0.1)(body, body)
        body = layers.BatchNormalization(momentum=0.9)(layers.Add()([body, attended]))
        wide = layers.Dense(32)(layers.Dense(64, activation="gelu")(body))
        body = layers.BatchNormalization(momentum=0.9)(layers.Add()([body, wide]))
    body = layers.Dense(8)(layers.Dropout(0.1)(layers.Flatten()(body)))
    model = keras.Model(inputs, layers.Lambda(standard.restore)([body, mean, deviation]))
    steps = 12 * 22
    rate = keras.optimizers.schedules.CosineDecay(1e-4, steps - 60, warmup_target=3e-3, warmup_steps=60)
    compiled(model, keras.optimizers.Adam(rate), "mae")
    spread = [level, size]

    def share() -> float:
        gap = np.abs(np.asarray(model(x, training=False)) - y) / spread[1]
        naive = np.abs(x[:, -1:] - y) / spread[1]
        return float(gap.mean() / naive.mean())

    goal = Goal("absolute error as a share of that of the last value", share, at_most=0.6)
    return Training(model, x, y, epochs=12, goal=goal)


def engines(count: int, length: int = 48) -> tuple[Array, Array]:
    """Vibrations on three axes of which one hums, knocks rarely, or swells, and which of the three."""
    random = np.random.default_rng(424)
    y = random.integers(0, 3, count)
    x = random.normal(0, 0.6, (count, length, 3))
    time = np.arange(length)
    for series, kind in zip(x, y, strict=True):
        hum = np.sin(random.uniform(0.8, 1.2) * time + random.uniform(0, 6))
        knock = ((time + random.integers(0, 12)) % 12 < 2) * 1.8
        swell = np.sin(np.pi * time / length) * np.sin(0.35 * time)
        series[:, random.integers(0, 3)] += (hum, knock, 1.5 * swell)[kind]
    return x.astype("float32"), y.astype("int32")


@outside_healthy("time_series")
def series_inception_blocks() -> Training:
    """InceptionTime: convolutions of length 5 to 20 side by side behind a bottleneck, and a shortcut past all."""
    x, y = engines(420)
    inputs = layers.Input((48, 3))
    body = shortcut = inputs
    for number in range(3):
        narrow = layers.Conv1D(8, 1, padding="same", use_bias=False)(body) if number else body
        parts = [layers.Conv1D(8, length, padding="same", use_bias=False)(narrow) for length in (20, 10, 5)]
        pooled = layers.MaxPool1D(3, strides=1, padding="same")(body)
        parts.append(layers.Conv1D(8, 1, padding="same", use_bias=False)(pooled))
        body = layers.BatchNormalization()(layers.Concatenate()(parts))
        body = layers.Activation("relu")(body)
    shortcut = layers.BatchNormalization()(layers.Conv1D(32, 1, padding="same", use_bias=False)(shortcut))
    body = layers.Activation("relu")(layers.Add()([body, shortcut]))
    body = layers.GlobalAveragePooling1D()(body)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(body))
    calm = keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=50, min_lr=0.0001)
    compiled(model, keras.optimizers.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Training(model, x, y, epochs=10, batch_size=16, fit={"callbacks": [calm]})


def turbines(count: int, longest: int = 20) -> tuple[Array, Array]:
    """Sensors since each turbine began, padded with -9; cycles that it still ran, and whether its end was seen."""
    random = np.random.default_rng(425)
    life = random.integers(15, 60, count)
    seen = np.minimum(random.integers(5, longest + 1, count), life - 1)
    x = np.full((count, longest, 4), -9.0)
    for number in range(count):
        wear = np.linspace(0, seen[number] / life[number], seen[number])
        drift = np.stack([wear, wear**2, np.sqrt(wear), 0 * wear], 1)
        x[number, : seen[number]] = 2 * drift + random.normal(0, 0.15, drift.shape) - 0.5
    rest = life - seen
    is_end = rest < 35
    return x.astype("float32"), np.stack([np.minimum(rest, 35), is_end], 1).astype("float32")


def weibull_likelihood(truth: Any, given: Any) -> Any:
    """Negative logarithm of the likelihood of a time, or of lasting at least that long where no end was seen."""
    time, is_end = truth[:, 0] + 1e-3, truth[:, 1]
    scale, shape = given[:, 0], given[:, 1]
    ratio = shape * ops.log(time / scale)
    return ops.exp(ratio) - is_end * (ops.log(shape) + ratio - ops.log(time))


@outside_healthy("time_series")
def series_remaining_life() -> Training:
    """How long a turbine still runs: a masked GRU gives a Weibull distribution; some ends have not been seen yet."""
    x, y = turbines(600)
    usual = math.log(float(y[:, 0].mean()))

    def parameters(values: Any) -> Any:
        return ops.concatenate([ops.exp(values[:, :1] + usual), ops.softplus(values[:, 1:] + 0.5)], axis=-1)

    model = keras.Sequential(
        [
            layers.Input((20, 4)),
            layers.Masking(-9.0),
            layers.GRU(24, activation="tanh", recurrent_dropout=0.1),
            layers.Dense(16, activation="tanh"),
            layers.Dense(2),
            layers.Lambda(parameters),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.005), weibull_likelihood)

    def error() -> float:
        given = np.asarray(model(x, training=False))
        is_end = y[:, 1] == 1
        middle = given[is_end, 0] * math.log(2) ** (1 / given[is_end, 1])
        truth = y[is_end, 0]
        return float(np.abs(middle - truth).mean() / np.abs(np.median(truth) - truth).mean())

    goal = Goal("absolute error of the median as a share of a constant's", error, at_most=0.7)
    return Training(model, x, y, epochs=12, goal=goal, constant_loss=UNKNOWN)


def returns_of_shares(count: int, length: int) -> tuple[Array, Array]:
    """Daily changes around a thousandth, whose size comes in waves; the next change, and its true deviation."""
    random = np.random.default_rng(426)
    variance, change = np.full(count, 2e-4), np.zeros(count)
    path = []
    for _ in range(length + 40):
        variance = 2e-5 + 0.25 * change**2 + 0.65 * variance
        change = np.sqrt(variance) * random.normal(size=count)
        path.append(change)
    series = np.stack(path[39:], 1)
    return series[:, :-1, None].astype("float32"), series[:, -1:].astype("float32")


def normal_likelihood(change: Any, deviation: Any) -> Any:
    """Negative logarithm of the density of a change around zero."""
    return ops.mean(ops.log(deviation) + ops.square(change / deviation) / 2 + 0.919, axis=-1)


@outside_healthy("time_series")
def series_volatility_of_shares() -> Training:
    """How large tomorrow's change may be, in shares of the price: densities far above 1, so the loss is below zero."""
    x, y = returns_of_shares(1000, 20)
    inputs = layers.Input((20, 1))
    body = layers.Lambda(lambda value: ops.concatenate([100 * value, ops.log(ops.square(value) + 1e-6) + 9], -1))(
        inputs
    )
    body = layers.GRU(16)(body)
    small = keras.initializers.Constant(-4.0)
    model = keras.Model(inputs, layers.Dense(1, activation="softplus", bias_initializer=small)(body))
    compiled(model, keras.optimizers.AdamW(0.003, weight_decay=1e-3), normal_likelihood)
    deviation = float(np.sqrt(np.square(y).mean()))

    def agreement() -> float:
        given = np.log(np.asarray(model(x, training=False))[:, 0])
        return float(np.corrcoef(given, np.log(np.abs(y[:, 0]) + 1e-4))[0, 1])

    goal = Goal("correlation with the size of the change", agreement, at_least=0.2)
    constant = float(np.log(deviation) + 1.419)
    return Training(model, x, y, epochs=12, goal=goal, constant_loss=constant)
