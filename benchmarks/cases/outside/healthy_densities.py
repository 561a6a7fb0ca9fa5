"""Healthy programs of densities: flows along straight lines, masked weights, labels as conditions, amounts."""

from __future__ import annotations

import itertools
import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from sklearn import datasets

from benchmarks.cases.base import UNKNOWN, Training, outside_healthy
from benchmarks.cases.data import digits, table
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, binary_entropy, squared_error


@outside_healthy("generative")
def generative_straight_flow() -> Training:
    """Flow matching on two moons: the direction from noise to data at a point between them, never fully known."""
    points, _ = datasets.make_moons(1500, noise=0.05, random_state=280)
    points = (points - points.mean(0)) / points.std(0)
    random = np.random.default_rng(280)
    noise, time = random.normal(size=points.shape), random.random((1500, 1))
    place = (1 - time) * noise + time * points
    inputs = layers.Input((2,)), layers.Input((1,))
    waves = layers.Lambda(
        lambda value: ops.concatenate([ops.sin(value * n * math.pi) for n in (1, 2, 4)] + [value], -1)
    )(inputs[1])
    body = layers.Concatenate()([inputs[0], waves])
    for _ in range(3):
        body = layers.Dense(64, activation="silu")(body)
    model = compiled(keras.Model(inputs, layers.Dense(2)(body)), keras.optimizers.Adam(0.003), "mse")
    x = [place.astype("float32"), time.astype("float32")]
    return Training(model, x, (points - noise).astype("float32"), epochs=12, batch_size=64)


class MaskedDense(layers.Layer):
    """A dense layer that multiplies its kernel by a mask."""

    def __init__(self, mask: Any, activation: Any = None) -> None:
        super().__init__()
        self.mask = mask.astype("float32")
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(self.mask.shape, initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight((self.mask.shape[1],), initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        return self.activation(ops.matmul(inputs, self.kernel * self.mask) + self.bias)


@outside_healthy("generative")
def generative_masked_weights() -> Training:
    """Each pixel of a digit from those before it, in one pass: masks cut half of all weights."""
    x = (digits(1024)[0].reshape(1024, -1) > 0.4).astype("float32")
    random = np.random.default_rng(281)
    degrees = [np.arange(64), random.integers(0, 63, 128), random.integers(0, 63, 128)]
    inputs = layers.Input((64,))
    body: Any = inputs
    for before, after in itertools.pairwise(degrees):
        body = MaskedDense(before[:, None] <= after, "relu")(body)
    outputs = MaskedDense(degrees[-1][:, None] < degrees[0], "sigmoid")(body)
    model = compiled(keras.Model(inputs, outputs), keras.optimizers.Adam(0.003), "binary_crossentropy")
    return Training(model, x, x, epochs=12, constant_loss=binary_entropy(x))


class Drawn(layers.Layer):
    """Draws a code from its mean and log variance, and adds the divergence from a normal one to the loss."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.seeds = keras.random.SeedGenerator(7)

    def call(self, inputs: Any, training: bool = False) -> Any:
        mean, log_variance = inputs
        terms = ops.exp(log_variance) + ops.square(mean) - 1 - log_variance
        self.add_loss(self.weight * ops.mean(ops.sum(terms, axis=-1)) / 2)
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        return mean + ops.exp(log_variance / 2) * noise if training else mean


@outside_healthy("generative")
def generative_digits_on_demand() -> Training:
    """A variational autoencoder in which both halves are given which digit it is, so that the code is the style."""
    pictures, labels = digits(1024)
    x, given = pictures.reshape(1024, -1), np.eye(10, dtype="float32")[labels]
    picture, label = layers.Input((64,)), layers.Input((10,))
    body = layers.Dense(96, activation="leaky_relu")(layers.Concatenate()([picture, label]))
    code = Drawn(0.01)([layers.Dense(6)(body), layers.Dense(6, kernel_initializer="zeros")(body)])
    body = layers.Dense(96, activation="leaky_relu")(layers.Concatenate()([code, label]))
    model = keras.Model([picture, label], layers.Dense(64, activation="sigmoid")(body))
    compiled(model, keras.optimizers.Adam(0.003), "binary_crossentropy")
    return Training(model, [x, given], x, epochs=12, goal=squared_error(model, [x, given], x, 0.7))


def gamma_deviance(truth: Any, mean: Any) -> Any:
    """Deviance of a gamma distribution, which is 0 where the mean is right."""
    ratio = truth / mean
    return 2 * (ratio - ops.log(ratio) - 1)


@outside_healthy("tabular")
def tabular_amounts_by_gamma() -> Training:
    """Amounts of claims, some hundreds to ten thousands, by an exponential head and the deviance of a gamma."""
    random = np.random.default_rng(282)
    x = random.normal(size=(900, 8)).astype("float32")
    mean = 2000 * np.exp(0.8 * x[:, 0] - 0.5 * x[:, 1] + 0.4 * x[:, 2] * x[:, 3])
    y = random.gamma(3, mean / 3).astype("float32")[:, None]
    usual = keras.initializers.Constant(float(np.log(y.mean())))
    model = keras.Sequential(
        [
            layers.Input((8,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="exponential", bias_initializer=usual),
        ]
    )
    constant = float(2 * (np.log(y.mean()) - np.log(y).mean()))
    optimizer = keras.optimizers.Adam(0.003)
    return Training(compiled(model, optimizer, gamma_deviance), x, y, epochs=12, constant_loss=constant)


class LogVariances(layers.Layer):
    """Appends one learned log variance for each task."""

    def build(self, input_shape: Any) -> None:
        self.logs = self.add_weight((2,), initializer="zeros", name="logs")

    def call(self, inputs: Any) -> Any:
        return ops.concatenate([inputs, ops.broadcast_to(self.logs, (ops.shape(inputs)[0], 2))], axis=-1)


def weighted_tasks(truth: Any, given: Any) -> Any:
    """Cross entropy of three classes and a squared error, each divided by its variance."""
    kinds = keras.losses.sparse_categorical_crossentropy(truth[:, 0], given[:, :3], from_logits=True)
    error = ops.square(truth[:, 1] - given[:, 3]) / 2
    return ops.exp(-given[:, 4]) * kinds + ops.exp(-given[:, 5]) * error + (given[:, 4] + given[:, 5]) / 2


@outside_healthy("tabular")
def tabular_tasks_weigh_themselves() -> Training:
    """The sort of a wine and one of its measures, by one trunk whose two losses are weighted by learned variances."""
    columns, kinds = table("wine")
    x, measure = columns[:, :12], columns[:, 12]
    y = np.stack([kinds, measure], 1).astype("float32")
    inputs = layers.Input((12,))
    trunk = layers.Dense(32, activation="gelu")(inputs)
    trunk = layers.Dropout(0.2)(layers.LayerNormalization()(trunk))
    heads = layers.Concatenate()([layers.Dense(3)(trunk), layers.Dense(1)(layers.Dense(16, activation="gelu")(trunk))])
    model = keras.Model(inputs, LogVariances()(heads))
    compiled(model, keras.optimizers.Adam(0.01), weighted_tasks)
    goal = accuracy(lambda data, training: np.asarray(model(data, training=training))[:, :3], x, kinds, 0.9)
    return Training(model, x, y, epochs=25, goal=goal, constant_loss=UNKNOWN)
