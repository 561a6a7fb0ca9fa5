"""Healthy programs whose last layers are unusual: colors, turns, lengths of capsules, spans, hazards."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import Array, digits, photo_patches
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy


@outside_healthy("vision")
def vision_colors_of_gray_patches() -> Training:
    """Two color differences between -1 and 1 for each gray pixel, through a bottleneck and a tanh at the end."""
    patches = photo_patches(768)
    gray = patches.mean(-1, keepdims=True)
    differences = np.clip(np.stack([patches[..., 0] - gray[..., 0], patches[..., 2] - gray[..., 0]], -1) * 3, -1, 1)
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    body = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(body)
    body = layers.Conv2D(32, 3, padding="same", activation="relu")(body)
    body = layers.UpSampling2D()(body)
    body = layers.Conv2D(16, 3, padding="same", activation="relu")(body)
    model = keras.Model(inputs, layers.Conv2D(2, 3, padding="same", activation="tanh")(body))
    compiled(model, keras.optimizers.Adam(0.002), "mse")
    return Training(model, gray, differences.astype("float32"), epochs=12)


@outside_healthy("vision")
def vision_turned_digits() -> Training:
    """Learning without labels: by how many quarters a picture is turned, to train a body for other tasks."""
    pictures = digits(320)[0]
    x = np.concatenate([np.rot90(pictures, quarters, (1, 2)) for quarters in range(4)])[..., None]
    y = np.repeat(np.arange(4), len(pictures)).astype("int32")
    order = np.random.default_rng(120).permutation(len(x))
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.BatchNormalization(momentum=0.9),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu", padding="same"),
            layers.BatchNormalization(momentum=0.9),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )
    optimizer = keras.optimizers.SGD(0.03, momentum=0.9, nesterov=True, weight_decay=5e-4)
    return Training(compiled(model, optimizer, metrics=["accuracy"]), x[order], y[order], epochs=6)


class Capsules(layers.Layer):
    """Vectors that vote for vectors of classes, and agree in two rounds."""

    def __init__(self, classes: int, size: int) -> None:
        super().__init__()
        self.classes = classes
        self.size = size

    def build(self, input_shape: Any) -> None:
        _, count, width = input_shape
        self.votes = self.add_weight((count, self.classes, width, self.size), initializer="glorot_uniform")

    def call(self, capsules: Any) -> Any:
        votes = ops.einsum("bnw,ncws->bncs", capsules, self.votes)
        agreement = ops.zeros_like(votes[..., 0])
        for _ in range(2):
            shares = ops.softmax(agreement, axis=-1)
            classes = squashed(ops.sum(shares[..., None] * votes, axis=1))
            agreement = agreement + ops.sum(votes * classes[:, None], axis=-1)
        return classes


def squashed(vectors: Any) -> Any:
    """The same directions, with lengths below 1."""
    square = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return square / (1 + square) * vectors / ops.sqrt(square + 1e-7)


def margin_of_lengths(labels: Any, lengths: Any) -> Any:
    """Lengths of 0.9 for the class that is there and of 0.1 for the others are long and short enough."""
    there = ops.one_hot(ops.cast(ops.reshape(labels, (-1,)), "int32"), 10)
    missed = there * ops.square(ops.relu(0.9 - lengths))
    imagined = 0.5 * (1 - there) * ops.square(ops.relu(lengths - 0.1))
    return ops.sum(missed + imagined, axis=-1)


@outside_healthy("vision")
def vision_capsule_lengths() -> Training:
    """Capsules whose lengths say which digit is there; the loss is exactly zero for lengths beyond its margins."""
    x, y = digits(768)
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(32, 3, activation="relu")(inputs)
    body = layers.Conv2D(32, 3, strides=2)(body)
    body = layers.Lambda(squashed)(layers.Reshape((-1, 8))(body))
    lengths = layers.Lambda(lambda vectors: ops.sqrt(ops.sum(ops.square(vectors), -1) + 1e-7))(Capsules(10, 8)(body))
    model = keras.Model(inputs, lengths)
    compiled(model, keras.optimizers.Adam(0.003), margin_of_lengths)
    return Training(model, x[..., None], y, epochs=8, goal=accuracy(model, x[..., None], y, 0.8))


def questions(count: int = 768, length: int = 16, vocabulary: int = 40) -> tuple[Array, Array, Array, Array]:
    """Texts, the word that is asked for, and where the two to four words that follow it begin and end."""
    random = np.random.default_rng(121)
    texts = random.integers(10, vocabulary, (count, length))
    asked = random.integers(1, 6, count)
    first = random.integers(0, length - 5, count)
    last = first + random.integers(2, 5, count)
    rows = np.arange(count)
    texts[rows, first] = asked
    texts[rows, last] = 7
    return texts.astype("int32"), asked.astype("int32")[:, None], first.astype("int32"), last.astype("int32")


@outside_healthy("text")
def text_answer_spans() -> Training:
    """Where the answer to a question begins and ends in a text: two softmaxes over the places of the words."""
    texts, asked, first, last = questions()
    text, question = keras.Input((16,), dtype="int32"), keras.Input((1,), dtype="int32")
    table = layers.Embedding(40, 24)
    words = layers.Bidirectional(layers.GRU(20, return_sequences=True))(table(text))
    subject = layers.Dense(40, activation="tanh")(layers.Flatten()(table(question)))
    joint = layers.Concatenate()([words, layers.Multiply()([words, layers.RepeatVector(16)(subject)])])
    ends = [layers.Flatten()(layers.Dense(1, use_bias=False)(joint)) for _ in range(2)]
    outputs = [layers.Softmax(name=name)(end) for name, end in zip(("first", "last"), ends, strict=True)]
    model = keras.Model([text, question], outputs)
    compiled(model, keras.optimizers.Adam(0.005), ["sparse_categorical_crossentropy"] * 2)
    return Training(model, [texts, asked], [first, last], epochs=12)


def letters(count: int = 900, length: int = 20) -> tuple[Array, Array]:
    """Texts in three made-up languages that prefer other pairs of letters."""
    random = np.random.default_rng(122)
    chances = random.dirichlet(np.full(26, 0.3), (3, 26)).cumsum(-1)
    y = random.integers(0, 3, count)
    x = random.integers(0, 26, (count, length))
    for place in range(1, length):
        drawn = random.random(count)[:, None]
        x[:, place] = np.minimum((chances[y, x[:, place - 1]] < drawn).sum(-1), 25)
    return x, y.astype("int32")


@outside_healthy("text")
def text_languages_by_letters() -> Training:
    """Which language a text is in: hashed pairs of letters, the mean of their vectors, one layer, and a fading rate."""
    x, y = letters()
    pairs = ((26 * x[:, :-1] + x[:, 1:]) * 2654435761 % 200).astype("int32")
    model = keras.Sequential(
        [
            keras.Input((19,), dtype="int32"),
            layers.Embedding(200, 10),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    rate = keras.optimizers.schedules.PolynomialDecay(0.02, decay_steps=290, end_learning_rate=0.0)
    compiled(model, keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    return Training(model, pairs, y, epochs=10)


def hazard_likelihood(intervals: Any, hazards: Any) -> Any:
    """Negative logarithm of the likelihood of what was seen in each interval.

    Args:
        intervals: `[batch, 2 * intervals]`: whether a patient was seen in each, and whether it ended there.
        hazards: `[batch, intervals]`: chances to end in an interval.
    """
    seen, ended = tf.split(tf.cast(intervals, hazards.dtype), 2, axis=-1)
    chances = ops.clip(hazards, 1e-6, 1 - 1e-6)
    return -ops.sum(seen * (ended * ops.log(chances) + (1 - ended) * ops.log(1 - chances)), axis=-1)


@outside_healthy("tabular")
def tabular_survival_hazards() -> Training:
    """Survival of patients in ten intervals; a third of them leave the study, after which nothing counts."""
    random = np.random.default_rng(123)
    x = random.normal(size=(1000, 8)).astype("float32")
    chance = 1 / (1 + np.exp(2.2 - 1.2 * x[:, 0] + 0.8 * x[:, 1] * x[:, 2]))
    time = random.geometric(chance)
    leaves = random.integers(2, 20, 1000)
    places = np.arange(1, 11)[None]
    seen = places <= np.minimum(time, leaves)[:, None]
    ended = (places == time[:, None]) & (time <= leaves)[:, None]
    y = np.concatenate([seen, ended & seen], 1).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(16, activation="relu"),
            layers.Dense(10, activation="sigmoid", bias_initializer=keras.initializers.Constant(-2.0)),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003), hazard_likelihood)
    rates = (ended & seen).sum(0) / seen.sum(0)
    constant = float(-(seen * np.where(ended, np.log(rates), np.log(1 - rates))).sum(1).mean())
    return Training(model, x, y, epochs=12, constant_loss=constant)
