"""Healthy programs on tables: attentive steps, survival, treatment, value of customers, curves, uncertain weights."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from sklearn import datasets

from benchmarks.cases.base import UNKNOWN, Goal, Training, outside_healthy
from benchmarks.cases.data import Array, diabetes, table
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, squared_error


def sparsemax(scores: Any) -> Any:
    """The closest point to the scores whose entries are shares; many of them are exactly zero."""
    ordered = ops.flip(ops.sort(scores, axis=-1), axis=-1)
    total = ops.cumsum(ordered, axis=-1)
    count = ops.arange(1, scores.shape[-1] + 1, dtype="float32")
    kept = ops.cast(1 + count * ordered > total, "float32")
    size = ops.sum(kept, axis=-1, keepdims=True)
    return ops.relu(scores - (ops.sum(kept * ordered, axis=-1, keepdims=True) - 1) / size)


@outside_healthy("tabular")
def tabular_columns_chosen_in_steps() -> Training:
    """As in TabNet: each of three steps looks at few columns, by shares that are exactly zero for most of them."""
    x, y = table("breast_cancer")
    inputs = layers.Input((30,))
    normal = layers.BatchNormalization(momentum=0.9)(inputs)
    shared = layers.Dense(32, use_bias=False)
    features: Any = normal
    unused: Any = None
    answers = []
    for step in range(3):
        body = layers.BatchNormalization(momentum=0.9)(shared(features))
        first, gate = layers.Lambda(lambda value: tuple(ops.split(value, 2, axis=-1)))(body)
        body = layers.Multiply()([first, layers.Activation("sigmoid")(gate)])
        answers.append(layers.Activation("relu")(layers.Dense(8)(body)))
        if step < 2:
            scores = layers.BatchNormalization(momentum=0.9)(layers.Dense(30, use_bias=False)(body))
            scores = layers.Multiply()([scores, unused]) if unused is not None else scores
            mask = layers.Lambda(sparsemax)(scores)
            rest = layers.Lambda(lambda share: 1.3 - share)(mask)
            unused = layers.Multiply()([unused, rest]) if unused is not None else rest
            features = layers.Multiply()([normal, mask])
    model = keras.Model(inputs, layers.Dense(2)(layers.Add()(answers)))
    rate = keras.optimizers.schedules.ExponentialDecay(0.02, 50, 0.9)
    return Training(compiled(model, keras.optimizers.Adam(rate)), x, y, epochs=15, batch_size=64)


def ranked_risks(truth: Any, risk: Any) -> Any:
    """Negative partial likelihood of Cox: of those still there, the one who left had the highest risk."""
    time, is_end = truth[:, 0], truth[:, 1]
    still_there = ops.cast(time[None] >= time[:, None], "float32")
    among = ops.log(ops.sum(still_there * ops.exp(risk[:, 0])[None], axis=1))
    return ops.sum(is_end * (among - risk[:, 0])) / ops.maximum(ops.sum(is_end), 1.0)


@outside_healthy("tabular")
def tabular_risks_of_patients() -> Training:
    """Risks of patients by the partial likelihood of each batch: it only ranks, so the head needs no bias."""
    random = np.random.default_rng(441)
    x = random.normal(size=(1000, 10)).astype("float32")
    risk = 1.2 * x[:, 0] - 0.8 * np.square(x[:, 1]) + 0.8 * x[:, 2] * x[:, 3]
    time = random.exponential(np.exp(-risk)) * 10
    leaving = random.exponential(25, 1000)
    y = np.stack([np.minimum(time, leaving), time <= leaving], 1).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((10,)),
            layers.Dense(32, activation="selu", kernel_initializer="lecun_normal", kernel_regularizer="l2"),
            layers.AlphaDropout(0.1),
            layers.Dense(32, activation="selu", kernel_initializer="lecun_normal"),
            layers.Dense(1, use_bias=False),
        ]
    )

    def concordance() -> float:
        given = np.asarray(model(x, training=False))[:, 0]
        earlier = (y[:, :1] < y[None, :, 0]) & (y[:, 1:] == 1)
        return float((given[:, None] > given[None])[earlier].mean())

    optimizer = keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True, clipnorm=5.0)
    goal = Goal("share of pairs in the right order", concordance, at_least=0.75)
    compiled(model, optimizer, ranked_risks)
    return Training(model, x, y, epochs=20, batch_size=64, goal=goal, constant_loss=UNKNOWN)


def factual_error(truth: Any, given: Any) -> Any:
    """Squared error of the answer under the treatment that was given, and cross entropy of who gets it."""
    outcome, treated = truth[:, 0], truth[:, 1]
    expected = ops.where(treated > 0.5, given[:, 1], given[:, 0])
    chance = ops.softplus(given[:, 2]) - treated * given[:, 2]
    return ops.square(outcome - expected) + chance


@outside_healthy("tabular")
def tabular_effect_of_treatment() -> Training:
    """What a treatment does for whom: a common body, a head for each of both answers, one for who is treated."""
    random = np.random.default_rng(442)
    x = random.normal(size=(1000, 12)).astype("float32")
    treated = random.random(1000) < 1 / (1 + np.exp(-x[:, 0] - 0.5 * x[:, 1]))
    effect = 1 + x[:, 2]
    y = np.sin(x[:, 0]) + x[:, 3] + treated * effect + random.normal(0, 0.3, 1000)
    inputs = layers.Input((12,))
    body: Any = inputs
    for _ in range(2):
        body = layers.Dense(64, activation="elu", kernel_initializer="random_normal")(body)
    outputs = []
    for _ in range(2):
        head = layers.Dense(32, activation="elu", kernel_regularizer=keras.regularizers.l2(0.01))(body)
        outputs.append(layers.Dense(1)(head))
    model = keras.Model(inputs, layers.Concatenate()([*outputs, layers.Dense(1)(body)]))
    compiled(model, keras.optimizers.Adam(0.002), factual_error)

    def error() -> float:
        given = np.asarray(model(x, training=False))
        return float(np.square(given[:, 1] - given[:, 0] - effect).mean() / effect.var())

    goal = Goal("squared error of the effect as a share of a constant's", error, at_most=0.4)
    truth = np.stack([y, treated], 1).astype("float32")
    return Training(model, x, truth, epochs=15, batch_size=64, goal=goal, constant_loss=UNKNOWN)


def value_of_customers(amount: Any, given: Any) -> Any:
    """Cross entropy of whether anything is bought, and the likelihood of the amount under a lognormal distribution."""
    bought = ops.cast(amount > 0, "float32")
    chance = ops.softplus(given[:, :1]) - bought * given[:, :1]
    deviation = ops.softplus(given[:, 2:]) + 0.05
    logarithm = ops.log(ops.where(amount > 0, amount, 1.0))
    density = ops.square((logarithm - given[:, 1:2]) / deviation) / 2 + ops.log(deviation) + logarithm + 0.919
    return chance + bought * density


@outside_healthy("tabular")
def tabular_value_of_customers() -> Training:
    """How much a customer will spend: mostly nothing, else up to thousands; one network gives chance and amount."""
    random = np.random.default_rng(443)
    x = random.normal(size=(1200, 8)).astype("float32")
    channel = random.integers(0, 6, 1200)
    chance = 1 / (1 + np.exp(1.2 - 1.5 * x[:, 0] - np.linspace(-1, 1, 6)[channel]))
    amount = np.exp(4.5 + 0.7 * x[:, 1] - 0.5 * x[:, 2] + random.normal(0, 0.5, 1200))
    y = ((random.random(1200) < chance) * amount).astype("float32")[:, None]
    numbers, channels = layers.Input((8,)), layers.Input((), dtype="int32")
    body = layers.Concatenate()([numbers, layers.Embedding(6, 3)(channels)])
    for width in (64, 32):
        body = layers.Dense(width, activation="relu")(body)
    model = keras.Model([numbers, channels], layers.Dense(3)(body))
    compiled(model, keras.optimizers.Adam(0.003), value_of_customers)
    paid = np.log(y[y > 0])
    density = np.log(paid.std()) + 1.419 + paid.mean()
    share = float((y > 0).mean())
    constant = -share * math.log(share) - (1 - share) * math.log(1 - share) + share * float(density)
    given = [x, channel.astype("int32")]

    def rank() -> float:
        scores = np.asarray(model(given, training=False), "float64")
        expected = scores[:, 1] + np.square(np.logaddexp(0, scores[:, 2])) / 2 - np.logaddexp(0, -scores[:, 0])
        best = np.argsort(-expected)[:300]
        return float(y[best].sum() / y.sum())

    goal = Goal("share of all sales with the quarter thought best", rank, at_least=0.5)
    return Training(model, given, y, epochs=12, batch_size=64, goal=goal, constant_loss=constant)


class Jumps(layers.Layer):
    """Units of a neural additive model: slopes that are exponentials of weights, cut off at 0 and 1."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units

    def build(self, input_shape: Any) -> None:
        slopes = keras.initializers.TruncatedNormal(1.0, 0.5)
        places = keras.initializers.RandomUniform(-2.0, 2.0)
        self.slopes = self.add_weight((self.units,), initializer=slopes, name="slopes")
        self.places = self.add_weight((self.units,), initializer=places, name="places")

    def call(self, column: Any) -> Any:
        return ops.clip((column - self.places) * ops.exp(self.slopes), 0, 1)


@outside_healthy("tabular")
def tabular_sum_of_curves() -> Training:
    """Progress of diabetes as a sum of one curve for each column, by units that jump; whole columns are dropped."""
    x, y = diabetes()
    inputs = layers.Input((10,))
    curves = []
    for column in range(10):
        one = layers.Lambda(lambda value, column=column: value[:, column : column + 1])(inputs)
        body = layers.Dropout(0.1)(Jumps(32)(one))
        body = layers.Dense(16, activation="relu")(body)
        curves.append(layers.Dense(1, use_bias=False)(body))
    body = layers.Dropout(0.1)(layers.Concatenate()(curves))
    total = layers.Lambda(lambda parts: ops.sum(parts, axis=-1, keepdims=True))(body)
    model = keras.Model(inputs, layers.Dense(1, kernel_initializer="ones")(total))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.005, 14, 0.98))
    return Training(compiled(model, optimizer, "mse"), x, y, epochs=20)


class UncertainDense(layers.Layer):
    """A dense layer whose kernel is drawn at every call, from means and deviations that are learned."""

    def __init__(self, units: int, activation: Any, samples: int) -> None:
        super().__init__()
        self.units = units
        self.activation = keras.activations.get(activation)
        self.samples = samples
        self.seeds = keras.random.SeedGenerator(445)

    def build(self, input_shape: Any) -> None:
        shape = (input_shape[-1], self.units)
        narrow = keras.initializers.Constant(-4.0)
        self.mean = self.add_weight(shape, initializer="glorot_uniform", name="mean")
        self.spread = self.add_weight(shape, initializer=narrow, name="spread")
        self.bias = self.add_weight((self.units,), initializer="zeros", name="bias")

    def call(self, inputs: Any, training: bool = False) -> Any:
        deviation = ops.softplus(self.spread)
        terms = ops.square(self.mean) + ops.square(deviation) - 1 - 2 * ops.log(deviation)
        self.add_loss(ops.sum(terms) / 2 / self.samples)
        noise = keras.random.normal(deviation.shape, seed=self.seeds) if training else 0.0
        return self.activation(ops.matmul(inputs, self.mean + deviation * noise) + self.bias)


@outside_healthy("tabular")
def tabular_uncertain_weights() -> Training:
    """Bayes by backpropagation: weights with deviations on two circles, and their divergence as part of the loss."""
    x, y = datasets.make_circles(1200, noise=0.1, factor=0.5, random_state=445)
    x, y = x.astype("float32") * 2, y.astype("int32")
    inputs = layers.Input((2,))
    body: Any = inputs
    for _ in range(2):
        body = UncertainDense(24, "tanh", 1200)(body)
    model = keras.Model(inputs, UncertainDense(2, "linear", 1200)(body))
    compiled(model, keras.optimizers.Adam(0.01))
    return Training(model, x, y, epochs=20, goal=accuracy(model, x, y, 0.9))


def housing(count: int) -> tuple[Array, Array]:
    """Columns of flats and their prices in thousands."""
    random = np.random.default_rng(446)
    x = random.normal(size=(count, 9)).astype("float32")
    price = 320 + 80 * x[:, 0] + 40 * np.maximum(x[:, 1], 0) - 30 * x[:, 2] * x[:, 3] + random.normal(0, 25, count)
    return x, price.clip(60, 780).astype("float32")[:, None]


@outside_healthy("tabular")
def tabular_prices_as_histograms() -> Training:
    """Prices in thousands as shares of twenty-five bins around each, whose mean is the answer; in half precision."""
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    x, price = housing(1000)
    centers = np.linspace(60, 780, 25)
    near = np.exp(-np.square((price - centers) / 40) / 2)
    y = (near / near.sum(1, keepdims=True)).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((9,)),
            layers.Dense(64),
            layers.LayerNormalization(),
            layers.Activation("mish"),
            layers.Dropout(0.1),
            layers.Dense(64, activation="mish"),
            layers.Dense(25),
            layers.Activation("softmax", dtype="float32"),
        ]
    )
    compiled(model, keras.optimizers.Adamax(0.005), "kl_divergence")

    def mean(data: Any, training: bool) -> Any:
        return np.asarray(model(data, training=training)) @ centers[:, None]

    usual = y.mean(0)
    constant = float((y * np.log(np.maximum(y, 1e-7) / usual)).sum(1).mean())
    return Training(model, x, y, epochs=12, goal=squared_error(mean, x, price, 0.4), constant_loss=constant)
