"""Healthy programs for tables whose answers are unknown, partly known, or only an order, and for ones that grow."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn import datasets

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import Array, table
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy

SHARE_OF_ILL = 0.3
"""How many of the patients without a known answer are ill."""


def risk_of_known_and_open(truth: Any, scores: Any) -> Any:
    """The risk of a classifier from positive and unlabeled rows, whose part for the others cannot be negative."""
    known, scores = truth[:, 0], scores[:, 0]
    counts = ops.maximum(ops.sum(known), 1.0), ops.maximum(ops.sum(1 - known), 1.0)
    missed = ops.sum(known * ops.sigmoid(-scores)) / counts[0]
    found = ops.sum(known * ops.sigmoid(scores)) / counts[0]
    alarms = ops.sum((1 - known) * ops.sigmoid(scores)) / counts[1]
    return SHARE_OF_ILL * missed + ops.relu(alarms - SHARE_OF_ILL * found)


@outside_healthy("tabular")
def tabular_ill_or_not_known() -> Training:
    """Sixty patients are known to be ill, of all others nothing is known: learning from positive and unlabeled rows."""
    x, y = table("breast_cancer")
    is_ill = y == 0
    known = np.zeros((len(x), 1), "float32")
    known[np.random.default_rng(500).choice(np.flatnonzero(is_ill), 60, replace=False)] = 1
    model = keras.Sequential(
        [
            layers.Input((30,)),
            layers.Dense(32, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-4)),
            layers.Dense(16, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-4)),
            layers.Dense(1),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.002), risk_of_known_and_open)

    def share_right() -> float:
        return float(((np.asarray(model(x))[:, 0] > 0) == is_ill).mean())

    goal = Goal("accuracy on answers that were hidden", share_right, at_least=0.88)
    return Training(model, x, known, epochs=25, batch_size=64, goal=goal)


class SwappedCells(layers.Layer):
    """Takes some cells from another row of the batch while training."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.seed = share, keras.random.SeedGenerator(501)

    def call(self, rows: Any, training: bool = False) -> Any:
        if not training:
            return rows
        others = keras.random.shuffle(rows, axis=0, seed=self.seed)
        return ops.where(keras.random.uniform(ops.shape(rows), seed=self.seed) < self.share, others, rows)


@outside_healthy("tabular")
def tabular_swapped_cells() -> Training:
    """A wide autoencoder gets rows with cells of other rows, as in competitions; what it cannot know stays an error."""
    x, _ = table("breast_cancer")
    model = keras.Sequential([layers.Input((30,)), SwappedCells(0.2)])
    for _ in range(3):
        model.add(layers.Dense(128, activation="relu"))
    model.add(layers.Dense(30))
    rate = keras.optimizers.schedules.ExponentialDecay(0.003, 18, 0.95)
    return Training(compiled(model, keras.optimizers.Adam(rate), "mse"), x, x, epochs=25)


def contrast(truth: Any, pairs: Any) -> Any:
    """How well each row finds its damaged copy among those of the batch."""
    whole, damaged = ops.split(pairs, 2, axis=-1)
    scores = ops.matmul(whole, ops.transpose(damaged)) / 0.2
    return ops.logsumexp(scores, axis=-1) - ops.sum(whole * damaged, axis=-1) / 0.2


@outside_healthy("tabular")
def tabular_damaged_copies() -> Training:
    """Without labels, rows find their copies in which cells were replaced: one encoder for both, and unit lengths."""
    x, _ = table("breast_cancer")
    random = np.random.default_rng(502)
    whole = np.concatenate([x, x, x])
    columns = np.arange(30)
    damaged = np.where(random.random(whole.shape) < 0.4, x[random.integers(0, len(x), whole.shape), columns], whole)
    encoder = [layers.Dense(64, activation="gelu"), layers.Dense(64, activation="gelu"), layers.Dense(16)]
    inputs = [keras.Input((30,)), keras.Input((30,))]
    codes = []
    for body in inputs:
        for layer in encoder:
            body = layer(body)
        codes.append(layers.UnitNormalization()(body))
    model = keras.Model(inputs, layers.Concatenate()(codes))
    compiled(model, keras.optimizers.AdamW(0.002, weight_decay=1e-3), contrast)
    data = [whole.astype("float32"), damaged.astype("float32")]
    return Training(model, data, np.zeros((len(whole), 1), "float32"), epochs=12, batch_size=64)


def error_of_lists(truth: Any, scores: Any) -> Any:
    """Cross entropy of the shares of attention that the documents of a list deserve; empty places count nothing."""
    is_there = truth >= 0
    wished = ops.softmax(ops.where(is_there, truth, -1e9))
    given = ops.log_softmax(ops.where(is_there, scores, -1e9))
    return -ops.sum(ops.where(is_there, wished * given, 0.0), axis=-1)


def gain_of_order(grades: Array, scores: Array) -> float:
    """The discounted gain of lists in the order of their scores, as a share of the best one."""
    is_there = grades >= 0
    gain = np.where(is_there, 2.0 ** np.maximum(grades, 0) - 1, 0)
    weights = 1 / np.log2(np.arange(grades.shape[1]) + 2)
    given = np.take_along_axis(gain, np.argsort(-np.where(is_there, scores, -1e9), axis=1), 1) @ weights
    return float((given / (-np.sort(-gain, axis=1) @ weights)).mean())


@outside_healthy("tabular")
def tabular_lists_of_documents() -> Training:
    """Documents of searches with lists of different lengths, ranked by a softmax over each list with a mask."""
    random = np.random.default_rng(503)
    x = random.normal(0, 1, (500, 12, 10)).astype("float32")
    worth = x[..., 0] + x[..., 1] * x[..., 2] + 0.5 * np.abs(x[..., 3]) + random.normal(0, 0.3, (500, 12))
    grades = np.clip(np.floor(worth + 1.5), 0, 4)
    grades[np.arange(12) >= random.integers(4, 13, (500, 1))] = -1
    inputs = keras.Input((12, 10))
    body = layers.Dense(64, activation="silu")(inputs)
    body = layers.Dropout(0.1)(layers.Dense(32, activation="silu")(body))
    model = keras.Model(inputs, layers.Reshape((12,))(layers.Dense(1)(body)))
    compiled(model, keras.optimizers.Nadam(0.003), error_of_lists)
    goal = Goal("gain of the order", lambda: gain_of_order(grades, np.asarray(model(x))), at_least=0.9)
    return Training(model, x, grades.astype("float32"), epochs=20, goal=goal)


class WarmUp(keras.callbacks.Callback):
    """Raises a weight of the loss from 0 to 1 over the first epochs."""

    def __init__(self, weight: Any, epochs: int) -> None:
        super().__init__()
        self.weight, self.epochs = weight, epochs

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.weight.assign(min(1.0, epoch / self.epochs))


def divergence_from_ignorance(counts: Any) -> Any:
    """Divergence of a Dirichlet distribution from the one that knows nothing."""
    total = ops.sum(counts, axis=-1)
    logarithms = tf.math.lgamma(total) - ops.sum(tf.math.lgamma(counts), axis=-1)
    slopes = tf.math.digamma(counts) - tf.math.digamma(total)[..., None]
    return logarithms - tf.math.lgamma(3.0) + ops.sum((counts - 1) * slopes, axis=-1)


@outside_healthy("tabular")
def tabular_evidence_for_wines() -> Training:
    """Evidence for three sorts of wine by softplus; a penalty on evidence for wrong ones is turned on slowly."""
    x, y = table("wine")
    weight = keras.Variable(0.0, trainable=False)

    def error(truth: Any, evidence: Any) -> Any:
        counts = evidence + 1
        total = ops.sum(counts, axis=-1, keepdims=True)
        share = counts / total
        fit = ops.sum(ops.square(truth - share) + share * (1 - share) / (total + 1), axis=-1)
        return fit + 0.1 * weight * divergence_from_ignorance(truth + (1 - truth) * counts)

    model = keras.Sequential(
        [
            layers.Input((13,)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softplus"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.005), error)
    truth = np.eye(3, dtype="float32")[y]
    options = {"callbacks": [WarmUp(weight, 10)]}
    return Training(model, x, truth, epochs=30, batch_size=16, fit=options, goal=accuracy(model, x, y, 0.93))


@outside_healthy("tabular")
def tabular_small_networks_in_turn() -> Training:
    """Boosting with small networks: the third one learns what two frozen ones leave, and sees the second's units."""
    x, y = datasets.make_friedman1(1000, noise=0.5, random_state=504)
    x, y = (2 * x - 1).astype("float32"), ((y - y.mean()) / y.std()).astype("float32")[:, None]
    inputs = body = keras.Input((10,))
    total: Any = None
    for stage in range(3):
        hidden = layers.Dense(12, activation="relu")(body)
        answer = layers.Dense(1)(hidden)
        total = answer if total is None else layers.Add()([total, layers.Rescaling(0.5)(answer)])
        model = compiled(keras.Model(inputs, total), keras.optimizers.RMSprop(0.003), "mse")
        if stage < 2:
            model.fit(x, y, epochs=5, verbose=0)
            model.trainable = False
            body = layers.Concatenate()([inputs, hidden])
    return Training(model, x, y, epochs=12)
