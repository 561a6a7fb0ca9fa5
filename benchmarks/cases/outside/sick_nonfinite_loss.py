"""Programs whose loss is NaN or infinite while every layer stays finite: the fault is in the loss alone."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import diabetes, digits, waves, words
from benchmarks.cases.networks import compiled

QUIET = ("stagnant_weights", "vanishing_gradient")
"""Without a loss to be judged by, a slow training counts as one that learns nothing."""


class Sparseness(keras.regularizers.Regularizer):
    """Divergence of the mean activity of every unit from `target`, which must be between 0 and 1."""

    def __init__(self, target: float, weight: float) -> None:
        self.target, self.weight = target, weight

    def __call__(self, activity: Any) -> Any:
        mean = ops.mean(activity, axis=0)
        on = self.target * ops.log(self.target / mean)
        off = (1 - self.target) * ops.log((1 - self.target) / (1 - mean))
        return self.weight * ops.sum(on + off)

    def get_config(self) -> dict[str, float]:
        return {"target": self.target, "weight": self.weight}


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="generative",
    source="https://github.com/keras-team/keras/issues/6615",
    accepted="The sparsity penalty takes the logarithm of mean activities, which a leaky ReLU makes negative.",
    also=QUIET,
)
def sparseness_of_leaky_units() -> Training:
    """A sparse autoencoder whose penalty takes logarithms of activities, with leaky units that can be negative."""
    x = digits(512)[0].reshape(512, -1)
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(24, activity_regularizer=Sparseness(0.01, 0.01), name="code"),
            layers.LeakyReLU(negative_slope=0.1, name="leaky"),
            layers.Dense(64, activation="sigmoid", name="rebuilt"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.001), "mse"), x, x)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="text",
    source="https://github.com/keras-team/keras/issues/590",
    accepted="The Poisson loss takes the logarithm of the prediction, which nothing keeps above 0.",
    also=QUIET,
)
def counts_from_a_linear_output() -> Training:
    """Counts are predicted from words with the Poisson loss and a linear output."""
    x, _ = words(512)
    y = (x < 3).sum(1).astype("float32")[:, None]
    model = keras.Sequential(
        [
            layers.Input((12,), dtype="int32"),
            layers.Embedding(60, 16, name="embedding"),
            layers.LSTM(16, name="lstm"),
            layers.Dense(16, name="dense"),
            layers.Dense(1, name="count"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(1e-4), "poisson"), x, y, epochs=5, constant_loss=UNKNOWN)


def divergence(truth: Any, guess: Any) -> Any:
    return ops.sum(truth * (ops.log(truth) - ops.log(guess)), axis=-1)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="tabular",
    source="https://github.com/google-deepmind/optax/pull/473",
    accepted="The divergence ignores that the logarithm of 0 is minus infinity: entries with target 0 must count 0.",
    also=QUIET,
)
def divergence_from_certain_targets() -> Training:
    """Distributions are learned under an own divergence, and many of their entries are 0."""
    random = np.random.default_rng(17)
    x = random.normal(size=(512, 6)).astype("float32")
    ranks = (x @ random.normal(size=(6, 4))).argsort(1).argsort(1)
    y = np.array([0, 0, 0.3, 0.7], "float32")[ranks]
    model = keras.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(24, activation="relu", name="dense"),
            layers.Dense(4, activation="softmax", name="shares"),
        ]
    )
    return Training(compiled(model, "adam", divergence), x, y, constant_loss=UNKNOWN)


def poisson_with_stirling(counts: Any, log_rate: Any) -> Any:
    """Negative log likelihood of counts, with Stirling's formula for the factorial."""
    stirling = counts * ops.log(counts) - counts + 0.5 * ops.log(2 * np.pi * counts)
    return ops.mean(ops.exp(log_rate) - counts * log_rate + stirling, axis=-1)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="time_series",
    source="https://github.com/PaddlePaddle/Paddle/pull/56992",
    accepted="Stirling's term must only be added for labels above 1; for a label of 0 it is NaN.",
    also=QUIET,
)
def stirling_for_zero_counts() -> Training:
    """Counts per hour are forecast under a full Poisson likelihood, whose term for the factorial fails at 0."""
    x, _ = waves(512, 13)
    random = np.random.default_rng(18)
    y = random.poisson(np.exp(x[:, -1])).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((12, 1)),
            layers.Conv1D(12, 3, activation="tanh", name="conv"),
            layers.Flatten(name="flatten"),
            layers.Dense(16, activation="tanh", name="dense"),
            layers.Dense(1, name="log_rate"),
        ]
    )
    return Training(compiled(model, "adam", poisson_with_stirling), x[:, :-1], y, constant_loss=UNKNOWN)


def with_voted_part(truth: Any, guess: Any) -> Any:
    """Squared error of all, and once more the mean of those that are voted for."""
    error = tf.square(truth[:, :1] - guess)
    voted = tf.boolean_mask(error[:, 0], truth[:, 1] > 0.5)
    return tf.reduce_mean(error) + tf.reduce_mean(voted)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="vision",
    source="https://github.com/qq456cvb/VoteNet/issues/9",
    accepted="Without a positive vote in a batch the mean of an empty tensor is NaN, and so is the moving average.",
    also=QUIET,
)
def mean_of_no_votes() -> Training:
    """A part of the loss is the mean over chosen samples, and in some batches none is chosen."""
    x, y = diabetes()
    chosen = (np.arange(len(x)) % 90 == 0).astype("float32")[:, None]
    model = keras.Sequential(
        [
            layers.Input((10,)),
            layers.Dense(24, activation="tanh", name="dense_1"),
            layers.Dense(16, activation="tanh", name="dense_2"),
            layers.Dense(1, name="box"),
        ]
    )
    targets = np.concatenate([y, chosen], 1)
    return Training(compiled(model, "adam", with_voted_part), x, targets, epochs=10, constant_loss=UNKNOWN)
