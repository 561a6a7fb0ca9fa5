"""Healthy programs on pictures and sound: joints as means of heat maps, and chords from energies of twelve notes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import class_entropy

JOINTS = 4
"""The number of joints of a figure."""


def stick_people(count: int, size: int = 16) -> tuple[Array, Array]:
    """`[count, size, size, 1]` pictures of an arm with four joints, and their places from -1 to 1."""
    random = np.random.default_rng(1760)
    angle = np.cumsum(random.uniform(-1.2, 1.2, (count, JOINTS)), 1)
    step = 3 * np.stack([np.sin(angle), np.cos(angle)], -1)
    place = 8 + random.uniform(-1, 1, (count, 1, 2)) + np.cumsum(step, 1) - np.cumsum(step, 1).mean(1, keepdims=True)
    along = np.linspace(0, 1, 6)[:, None]
    parts = [place[:, n, None] * (1 - along) + place[:, n + 1, None] * along for n in range(JOINTS - 1)]
    dots = np.concatenate(parts, 1)
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), -1)
    far = np.square(grid[None, :, :, None] - dots[:, None, None]).sum(-1)
    thick = np.exp(-far / np.linspace(3, 1, dots.shape[1])).max(-1)
    x = thick + random.normal(0, 0.1, thick.shape)
    return x[..., None].astype("float32"), (place / (size / 2) - 1).astype("float32")


class MeanPlace(layers.Layer):
    """The mean place under each map, whose values become shares of all pixels by a softmax."""

    def call(self, maps: Any) -> Any:
        size, count = maps.shape[1], maps.shape[-1]
        shares = ops.reshape(ops.softmax(ops.reshape(maps, (-1, size * size, count)), axis=1), (-1, size, size, count))
        line = ops.linspace(-1.0, 1.0, size)
        rows = ops.einsum("brcj,r->bj", shares, line)
        return ops.stack([rows, ops.einsum("brcj,c->bj", shares, line)], axis=-1)


def wing_loss(truth: Any, guess: Any) -> Any:
    """Logarithm of small errors and the size of large ones."""
    error = ops.abs(truth - guess)
    small = 0.2 * ops.log1p(error / 0.05)
    return ops.mean(ops.where(error < 0.2, small, error - 0.2 + 0.2 * np.log(5.0)), axis=(1, 2))


@outside_healthy("vision")
def vision_joints_as_means_of_maps() -> Training:
    """Four joints of an arm as mean places under soft maps, by an encoder with gates and a wing loss."""
    x, y = stick_people(512)
    inputs = keras.Input((16, 16, 1))
    body = layers.Conv2D(32, 3, padding="same", activation="relu")(inputs)
    body = layers.Conv2D(48, 3, strides=2, padding="same", activation="relu")(body)
    gate = layers.Dense(48, activation="sigmoid", name="gate")(layers.GlobalAveragePooling2D()(body))
    body = layers.Multiply()([body, layers.Reshape((1, 1, 48))(gate)])
    body = layers.Conv2D(48, 3, padding="same", activation="relu")(body)
    maps = layers.Conv2D(JOINTS, 3, padding="same", name="maps")(body)
    model = keras.Model(inputs, MeanPlace(name="places")(maps))
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([120], [0.003, 0.0006])
    compiled(model, keras.optimizers.Adam(rate), wing_loss)
    return Training(model, x, y, epochs=12, gates=("gate",))


def songs(count: int, length: int = 16) -> tuple[Array, Array]:
    """`[count, length, 12]` energies of the twelve notes, and which of eight chords sounds in each beat."""
    random = np.random.default_rng(1761)
    steps = np.array([[0, 4, 7], [2, 5, 9], [4, 7, 11], [5, 9, 0], [7, 11, 2], [9, 0, 4], [11, 2, 5], [0, 3, 7]])
    chain = random.dirichlet(np.full(8, 0.3), 8)
    y = np.zeros((count, length), int)
    y[:, 0] = random.integers(0, 8, count)
    for beat in range(1, length):
        moves = random.random(count) < 0.5
        drawn = np.array([random.choice(8, p=chain[chord]) for chord in y[:, beat - 1]])
        y[:, beat] = np.where(moves, drawn, y[:, beat - 1])
    x = random.exponential(0.25, (count, length, 12))
    for note in range(3):
        np.put_along_axis(x, steps[y][..., note : note + 1], random.exponential(0.9, (count, length, 1)), -1)
    return (x / x.max(-1, keepdims=True)).astype("float32"), y.astype("int32")


@outside_healthy("audio")
def audio_chords_of_songs() -> Training:
    """Chords of each beat from twelve energies: convolutions, two recurrent directions, smoothed classes, Adagrad."""
    x, y = songs(400)
    inputs = keras.Input((16, 12))
    body = layers.Conv1D(64, 3, padding="same", activation="relu")(layers.GaussianNoise(0.05)(inputs))
    body = layers.Conv1D(64, 3, padding="same", activation="relu")(layers.SpatialDropout1D(0.1)(body))
    body = layers.Bidirectional(layers.SimpleRNN(48, return_sequences=True))(body)
    model = keras.Model(inputs, layers.Dense(8, activation="softmax")(body))
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    compiled(model, keras.optimizers.Adagrad(0.03), loss, weighted_metrics=["accuracy"])
    weights = np.where(np.diff(y, axis=1, prepend=-1) != 0, 2.0, 1.0).astype("float32")
    targets = np.eye(8, dtype="float32")[y]
    fit = {"sample_weight": weights / weights.mean()}
    return Training(model, x, targets, epochs=14, batch_size=16, fit=fit, constant_loss=class_entropy(y))
