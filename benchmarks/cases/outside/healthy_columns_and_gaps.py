"""Healthy programs on tables and series: waves of columns, gates, towers, gaps, random kernels."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import diabetes, table, waves
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, squared_error


class Periodic(layers.Layer):
    """Sines and cosines of every column at learned frequencies."""

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.RandomNormal(0, 0.6)
        self.frequencies = self.add_weight((input_shape[-1], 8), initializer=start)

    def call(self, values: Any) -> Any:
        angles = 2 * np.pi * values[..., None] * self.frequencies
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)


@outside_healthy("tabular")
def tabular_periodic_columns() -> Training:
    """A bumpy target: each column becomes sines of learned frequencies before dense layers with half dropped."""
    random = np.random.default_rng(320)
    x = random.normal(size=(1200, 5)).astype("float32")
    y = np.sin(4 * x[:, :1]) + np.where(np.mod(x[:, 1:2], 1) > 0.5, 1, -1) * x[:, 2:3] + 0.3 * x[:, 3:4]
    y = (y + random.normal(0, 0.2, y.shape)).astype("float32")
    inputs = keras.Input((5,))
    body = layers.Flatten()(layers.Dense(12, activation="relu")(Periodic()(inputs)))
    body = layers.Dropout(0.5)(layers.Dense(128, activation="relu")(body))
    model = keras.Model(inputs, layers.Dense(1)(body))
    compiled(model, keras.optimizers.AdamW(0.003, weight_decay=1e-3), "mse")
    return Training(model, x, y, epochs=18)


def chance_to_be_open(gates: Any) -> Any:
    """The number of gates that are open under noise of 0.5, as a penalty."""
    return 0.06 * ops.sum(0.5 * (1 + ops.erf(gates / (0.5 * 2**0.5))))


class Gates(layers.Layer):
    """Multiplies columns by numbers from 0 to 1, with noise; the number of open ones is part of the loss."""

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.Constant(0.5)
        self.open = self.add_weight((input_shape[-1],), initializer=start, regularizer=chance_to_be_open)
        self.seed = keras.random.SeedGenerator(322)

    def call(self, values: Any, training: bool = False) -> Any:
        noise = keras.random.normal(ops.shape(values), stddev=0.5, seed=self.seed) if training else 0.0
        return values * ops.clip(self.open + noise, 0.0, 1.0)


@outside_healthy("tabular")
def tabular_columns_behind_gates() -> Training:
    """Wine with twenty columns of nothing but noise: a gate for each column, most of which close."""
    x, y = table("wine")
    noise = np.random.default_rng(323).normal(size=(len(x), 20)).astype("float32")
    x = np.concatenate([x, noise], 1)
    inputs = keras.Input((33,))
    gated = Gates(name="column_gates")(inputs)
    body = layers.Dense(32, activation="tanh")(gated)
    model = keras.Model(inputs, layers.Dense(3)(body))
    compiled(model, keras.optimizers.SGD(0.1, momentum=0.8))
    goal = accuracy(model, x, y, 0.93)
    return Training(model, x, y, epochs=60, batch_size=16, gates=("column_gates",), goal=goal)


def right_thing(y: Any, answers: Any) -> Any:
    """Which thing of the batch each person bought; that popular things are in it more often is taken into account."""
    people, things = ops.split(answers, 2, axis=-1)
    fit = ops.matmul(people, ops.transpose(things)) - ops.transpose(y[:, :1])
    is_same = ops.cast(ops.equal(y[:, 1:], ops.transpose(y[:, 1:])), "float32") - ops.eye(ops.shape(fit)[0])
    right = ops.arange(ops.shape(fit)[0])
    return keras.losses.sparse_categorical_crossentropy(right, fit - 1e4 * is_same, from_logits=True)


@outside_healthy("tabular")
def tabular_two_towers() -> Training:
    """What people buy next, by a tower for people and one for things; most things are rare, and Adagrad is at 0.1."""
    random = np.random.default_rng(324)
    tastes, kinds = random.normal(0, 1, (200, 4)), random.normal(0, 1, (80, 4))
    rank = -np.log(np.arange(1, 81))
    chances = np.exp(1.8 * tastes @ kinds.T + 0.8 * rank)
    chances /= chances.sum(1, keepdims=True)
    person = random.integers(0, 200, 2400)
    thing = np.array([random.choice(80, p=chances[one]) for one in person])
    popularity = np.bincount(thing, minlength=80) / len(thing)
    y = np.stack([np.log(popularity[thing]), thing], 1).astype("float32")
    inputs = [keras.Input((), dtype="int32"), keras.Input((), dtype="int32")]
    first = layers.Dense(32, activation="relu")(layers.Embedding(200, 16)(inputs[0]))
    second = layers.Dense(32, activation="relu")(layers.Embedding(80, 16)(inputs[1]))
    person_codes, thing_codes = layers.Dense(12)(first), layers.Dense(12)(second)
    model = keras.Model(inputs, layers.Concatenate()([person_codes, thing_codes]))
    compiled(model, keras.optimizers.Adagrad(0.1), right_thing)
    x = [person.astype("int32"), thing.astype("int32")]

    def among_ten() -> float:
        everything = np.arange(80, dtype="int32")
        things = np.asarray(model([np.zeros(80, "int32"), everything]))[:, 12:]
        fit = np.asarray(model(x))[:, :12] @ things.T
        return float(((fit > fit[np.arange(2400), thing][:, None]).sum(1) < 10).mean())

    goal = Goal("bought things among the best ten of eighty", among_ten, at_least=0.45)
    return Training(model, x, y, epochs=12, batch_size=128, goal=goal)


def few_sold(y: Any, answers: Any) -> Any:
    """Negative logarithm of the chance of counts under a negative binomial distribution."""
    mean, spread = ops.split(ops.softplus(answers) + 1e-4, 2, axis=-1)
    size = 1 / spread
    chance = tf.math.lgamma(y + size) - tf.math.lgamma(size) - tf.math.lgamma(y + 1)
    chance += size * ops.log(size / (size + mean)) + y * ops.log(mean / (size + mean))
    return -ops.mean(chance[..., 0], axis=-1)


@outside_healthy("time_series")
def series_counts_with_many_zeros() -> Training:
    """Spare parts sold on each day, mostly none: an LSTM gives a negative binomial distribution, as in DeepAR."""
    random = np.random.default_rng(325)
    level = np.exp(random.normal(-0.8, 0.9, (400, 1)))
    week = 1 + 0.8 * np.sin(2 * np.pi * (np.arange(29)[None] + random.integers(0, 7, (400, 1))) / 7)
    rate = level * week
    counts = random.poisson(random.gamma(2.0, rate / 2))
    given = np.log1p(counts[:, :-1, None]).astype("float32")
    y = counts[:, 1:, None].astype("float32")
    model = keras.Sequential([keras.Input((28, 1)), layers.LSTM(24, return_sequences=True), layers.Dense(2)])
    compiled(model, keras.optimizers.Adam(0.005), few_sold)

    def fit() -> float:
        means = np.logaddexp(0, np.asarray(model(given), "float64")[:, 7:, 0])
        true = np.log(rate[:, 8:] + 0.01)
        return float(np.square(np.log(means) - true).mean() / true.var())

    goal = Goal("error of the logarithm of the rate as a share of a constant's", fit, at_most=0.65)
    return Training(model, given, y, epochs=12, goal=goal)


class DecayingCell(layers.Layer):
    """A gated recurrent cell whose state and last seen values fade while nothing is seen."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.state_size = self.units = units

    def build(self, input_shape: Any) -> None:
        columns = input_shape[-1] // 3
        self.gates = self.add_weight((2 * columns + self.units, 2 * self.units), initializer="glorot_uniform")
        self.candidate = self.add_weight((2 * columns + self.units, self.units), initializer="glorot_uniform")
        self.fading = self.add_weight((columns, self.units), initializer="glorot_uniform")
        self.forgetting = self.add_weight((columns,), initializer=keras.initializers.Constant(0.1))

    def call(self, inputs: Any, states: Any) -> Any:
        values, is_seen, since = ops.split(inputs, 3, axis=-1)
        values = values * ops.where(is_seen > 0, 1.0, ops.exp(-ops.relu(self.forgetting) * since))
        state = states[0] * ops.exp(-ops.relu(ops.matmul(since, self.fading)))
        seen = ops.concatenate([values, is_seen], axis=-1)
        both = ops.sigmoid(ops.matmul(ops.concatenate([seen, state], axis=-1), self.gates) + 0.5)
        keep, reset = ops.split(both, 2, axis=-1)
        new = ops.tanh(ops.matmul(ops.concatenate([seen, reset * state], axis=-1), self.candidate))
        state = keep * state + (1 - keep) * new
        return state, [state]


@outside_healthy("time_series")
def series_gaps_that_fade() -> Training:
    """Patients measured at odd times: the last value, whether it is new and its age, by a cell that forgets: GRU-D."""
    random = np.random.default_rng(326)
    y = random.integers(0, 2, 600).astype("float32")
    drift = (0.12 * (2 * y - 1) + random.normal(0, 0.08, 600))[:, None] * np.arange(20)
    full = np.stack([drift, -0.5 * drift, np.zeros_like(drift)], -1) + random.normal(0, 0.7, (600, 20, 3))
    is_seen = random.random((600, 20, 3)) < [0.5, 0.3, 0.7]
    last, since = np.zeros_like(full), np.zeros_like(full)
    for hour in range(20):
        before, age = (last[:, hour - 1], since[:, hour - 1] + 0.2) if hour else (0.0, 0.0)
        last[:, hour] = np.where(is_seen[:, hour], full[:, hour], before)
        since[:, hour] = np.where(is_seen[:, hour], 0.0, age)
    x = np.concatenate([last, is_seen, since], -1).astype("float32")
    inputs = keras.Input((20, 9))
    body = layers.Dropout(0.3)(layers.RNN(DecayingCell(24))(inputs))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(body))
    compiled(model, keras.optimizers.Adam(0.004), "binary_crossentropy")
    return Training(model, x, y[:, None], epochs=10)


@outside_healthy("time_series")
def series_random_kernels() -> Training:
    """Rhythms by ROCKET: random convolutions that are never trained, how often each is positive, a linear layer."""
    x, y = waves(700, 32)
    inputs = keras.Input((32, 1))
    pieces = []
    for dilation in (1, 2, 4):
        start = keras.initializers.RandomNormal(0, 1.0)
        options: dict[str, Any] = {"kernel_initializer": start, "bias_initializer": "random_normal", "trainable": False}
        found = layers.Conv1D(80, 7, dilation_rate=dilation, padding="same", **options)(inputs)
        pieces.append(layers.GlobalMaxPooling1D()(found))
        pieces.append(layers.Lambda(lambda value: ops.mean(ops.cast(value > 0, "float32"), axis=1))(found))
    body = layers.BatchNormalization(momentum=0.9, center=False, scale=False)(layers.Concatenate()(pieces))
    head = layers.Dense(3, activation="softmax", kernel_regularizer=keras.regularizers.L2(1e-3))(body)
    model = keras.Model(inputs, head)
    compiled(model, keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=10)


@outside_healthy("time_series")
def series_warm_restarts() -> Training:
    """Energy of tomorrow by blocks at three scales, which add up; the cosine of the rate starts again four times."""
    random = np.random.default_rng(327)
    time = np.arange(1400)
    energy = np.sin(2 * np.pi * time / 24) + 0.6 * np.sin(2 * np.pi * time / 168) + 0.0005 * time
    energy = energy + 0.3 * np.convolve(random.normal(size=1400), np.ones(6) / 6, "same")
    windows = np.lib.stride_tricks.sliding_window_view(energy, 72)[::2].astype("float32")
    x, y = windows[:, :48, None], windows[:, 48:]
    inputs = keras.Input((48, 1))
    rest, parts = inputs, []
    for scale in (8, 4, 1):
        body = layers.Flatten()(layers.MaxPooling1D(scale)(rest))
        body = layers.Dense(48, activation="relu")(layers.Dense(48, activation="relu")(body))
        explained = layers.Dense(48 // scale)(body)
        explained = layers.UpSampling1D(scale)(layers.Reshape((48 // scale, 1))(explained))
        rest = layers.Subtract()([rest, explained])
        parts.append(layers.Dense(24)(body))
    model = keras.Model(inputs, layers.Add()(parts))
    rate = keras.optimizers.schedules.CosineDecayRestarts(0.05, 210, t_mul=1.0, m_mul=0.8, alpha=1e-3)
    compiled(model, keras.optimizers.SGD(rate, momentum=0.9, clipnorm=1.0), "mse")
    return Training(model, x, y, epochs=40, goal=squared_error(model, x, y, 0.3))


@outside_healthy("tabular")
def tabular_members_of_one_network() -> Training:
    """Eight members of an ensemble share all kernels but for signs in front of each, on diabetes with much noise."""
    x, y = diabetes()

    class Signs(layers.Layer):
        """Eight copies of the rows, or of the units, each with its own signs."""

        def build(self, input_shape: Any) -> None:
            self.signs = self.add_weight((8, input_shape[-1]), initializer=random_signs)

        def call(self, values: Any) -> Any:
            return values * self.signs

    inputs = keras.Input((10,))
    body = layers.Reshape((1, 10))(inputs)
    for _ in range(2):
        body = layers.Dense(48, activation="relu")(Signs()(body))
        body = layers.Dropout(0.1)(body)
    answers = layers.Dense(1)(Signs()(body))
    model = keras.Model(inputs, layers.Flatten()(answers))
    compiled(model, keras.optimizers.AdamW(0.002, weight_decay=3e-3), "mse")
    return Training(model, x, np.repeat(y, 8, 1), epochs=15)


def random_signs(shape: Any, dtype: Any = None) -> Any:
    """As many ones as minus ones, by chance."""
    return ops.where(keras.random.uniform(shape) < 0.5, -1.0, 1.0)
