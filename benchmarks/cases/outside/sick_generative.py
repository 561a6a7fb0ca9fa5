"""Programs that make or rebuild data, or pass them along edges, and that a formula, a head or raw data spoil."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import BLOWN, UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import digits, raw_table, words
from benchmarks.cases.networks import compiled

QUIET = ("stagnant_weights", "vanishing_gradient")
"""Without a loss to be judged by, a slow training counts as one that learns nothing."""


@outside_sick(
    "unfit_head",
    ["rebuilt"],
    family="generative",
    source="https://github.com/keras-team/keras/issues/3642",
    accepted="Integers from 0 to 255 must not be fed into a network: cast them to float and normalize them.",
    also=(*BLOWN, "vanishing_gradient", "no_gradient"),
)
def tutorial_autoencoder_on_bytes() -> Training:
    """The tutorial's autoencoder with a sigmoid and cross entropy, fed with pixels from 0 to 255."""
    x = 255 * digits(512)[0].reshape(512, -1)
    inputs = keras.Input((64,))
    code = layers.Dense(16, activation="relu", name="code")(inputs)
    model = keras.Model(inputs, layers.Dense(64, activation="sigmoid", name="rebuilt")(code))
    compiled(model, "adadelta", "binary_crossentropy")
    return Training(model, x, x, constant_loss=UNKNOWN)


def bernoulli(y_true: Any, y_pred: Any) -> Any:
    """Negative logarithm of the probability of pixels, as the formula has it."""
    return -ops.sum(y_true * ops.log(y_pred) + (1 - y_true) * ops.log(1 - y_pred), axis=-1)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="generative",
    source="https://github.com/pkmital/tensorflow_tutorials/issues/23",
    accepted="The last tanh gives negative values, of which the loss takes the logarithm; sigmoid solves it.",
    also=(*QUIET, "unfit_head", "nonfinite"),
)
def decoder_of_tanh_under_a_logarithm() -> Training:
    """A decoder that ends in tanh, and a reconstruction loss that takes the logarithm of what it gives."""
    x = digits(512)[0].reshape(512, -1)
    inputs = keras.Input((64,))
    code = layers.Dense(24, activation="softplus", name="encoder")(inputs)
    code = layers.Dense(6, name="code")(code)
    body = layers.Dense(24, activation="softplus", name="decoder")(code)
    model = keras.Model(inputs, layers.Dense(64, activation="tanh", name="picture")(body))
    compiled(model, keras.optimizers.Adam(0.001), bernoulli)
    return Training(model, x, x, constant_loss=UNKNOWN)


class MeanOfNeighbors(layers.Layer):
    """Sums of the neighbors' features, divided by their number."""

    def call(self, features: Any, adjacency: Any) -> Any:
        degree = ops.sum(adjacency, axis=-1, keepdims=True)
        return ops.matmul(adjacency, features) / degree


@outside_sick(
    "nonfinite",
    ["neighbors_1"],
    family="graphs",
    source="https://github.com/MrLeeeee/GCN-GAT-and-Graphsage/issues/3",
    accepted="The degree of some nodes is zero, and the mean divides by it: add a small number to the denominator.",
    also=BLOWN,
)
def nodes_without_neighbors() -> Training:
    """Samples of a graph by the mean of neighbors; a few nodes have no neighbor at all."""
    random = np.random.default_rng(401)
    x = random.normal(0, 1, (300, 12, 8)).astype("float32")
    adjacency = (random.random((300, 12, 12)) < 0.25).astype("float32")
    adjacency[np.arange(0, 300, 7), 3] = 0
    y = (x.mean((1, 2)) > 0).astype("int32")
    nodes, edges = keras.Input((12, 8)), keras.Input((12, 12))
    body = nodes
    for n in (1, 2):
        mean = MeanOfNeighbors(name=f"neighbors_{n}")(body, edges)
        body = layers.Dense(16, activation="relu", name=f"dense_{n}")(
            layers.Concatenate(name=f"both_{n}")([body, mean])
        )
    pooled = layers.GlobalAveragePooling1D(name="pooled")(body)
    model = keras.Model([nodes, edges], layers.Dense(2, name="classes")(pooled))
    return Training(compiled(model, keras.optimizers.Adam(0.005)), [x, adjacency], y, constant_loss=0.69)


class Sampling(layers.Layer):
    """A code drawn from its mean and the logarithm of its variance; adds the divergence to the loss."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seeds = keras.random.SeedGenerator(402)

    def call(self, mean: Any, log_variance: Any) -> Any:
        divergence = -0.5 * ops.sum(1 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=-1)
        self.add_loss(ops.mean(divergence))
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        return mean + ops.exp(0.5 * log_variance) * noise


@outside_sick(
    "nonfinite",
    ["encoder_1", "encoder_2", "log_variance", "code"],
    family="tabular",
    source="https://github.com/vanderschaarlab/synthcity/issues/331",
    accepted="Unbounded log variances of the encoder explode when the sampling takes their exponential: clamp them.",
    also=(*BLOWN, "nonfinite_loss", "vanishing_gradient", "dormant_units"),
)
def made_up_rows_of_raw_columns() -> Training:
    """A variational autoencoder for tables, with raw columns up to 1,700 and log variances without bounds."""
    x, _ = raw_table("wine")
    inputs = keras.Input((13,))
    body = layers.Dense(32, activation="leaky_relu", name="encoder_1")(inputs)
    body = layers.Dense(32, activation="leaky_relu", name="encoder_2")(body)
    mean = layers.Dense(4, name="mean")(body)
    code = Sampling(name="code")(mean, layers.Dense(4, name="log_variance")(body))
    body = layers.Dense(32, activation="leaky_relu", name="decoder")(code)
    model = keras.Model(inputs, layers.Dense(13, name="row")(body))
    compiled(model, keras.optimizers.Adam(0.001), "mse")
    return Training(model, x, x, epochs=12, batch_size=16, update_freq=1)


def aggregation(y_true: Any, y_pred: Any) -> Any:
    """Cross entropy of how often each class should occur in a sequence and how often the outputs say it does."""
    wanted = y_true / ops.sum(y_true, axis=-1, keepdims=True)
    return -ops.sum(wanted * ops.log(ops.mean(y_pred, axis=1)), axis=-1)


@outside_sick(
    "nonfinite",
    ["scores", "probabilities"],
    family="text",
    source="https://github.com/summerlvsong/Aggregation-Cross-Entropy/issues/2",
    accepted="A class without any probability in the whole sequence gives the logarithm of zero: keep it above that.",
    also=(*BLOWN, "nonfinite_loss", "vanishing_gradient"),
)
def classes_counted_by_sure_scores() -> Training:
    """How often each of four kinds of words occurs, by a softmax whose scores start so large that it gives zeros."""
    x, _ = words(512)
    y = np.stack([(x % 4 == kind).sum(1) for kind in range(4)], 1).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((12,), dtype="int32"),
            layers.Embedding(60, 16, name="embedding", embeddings_initializer=keras.initializers.RandomNormal(0, 8.0)),
            layers.Dense(4, name="scores", kernel_initializer=keras.initializers.RandomNormal(0, 4.0)),
            layers.Softmax(name="probabilities"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.001), aggregation)
    return Training(model, x, y, constant_loss=UNKNOWN, update_freq=1)
