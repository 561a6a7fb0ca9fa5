"""Programs in which layers give the same for every sample: padded texts, scaled pictures and silent starts."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled

ALIKE = ("vanishing_gradient", "stagnant_weights", "no_gradient", "no_learning", "dead_units", "saturated_units")
"""What goes with outputs that do not depend on the inputs."""


def reviews(count: int = 512, length: int = 80) -> tuple[Array, Array]:
    """Word numbers of short reviews, filled up with 0 at the end to a fixed length, and their tone."""
    random = np.random.default_rng(430)
    y = random.integers(0, 2, count)
    words = random.integers(1, 60, (count, length))
    telling = np.where(y[:, None] == 1, random.integers(40, 50, words.shape), random.integers(50, 60, words.shape))
    words = np.where(random.random(words.shape) < 0.4, telling, words)
    size = random.integers(4, 12, (count, 1))
    return np.where(np.arange(length) < size, words, 0).astype("int32"), y.astype("float32")[:, None]


@outside_sick(
    "collapsed_layer",
    ["lstm"],
    family="text",
    source="https://github.com/keras-team/keras/issues/20898",
    accepted="The layer that makes numbers of texts pads them at the end, so that the state forgets the words.",
    also=ALIKE,
)
def reviews_padded_at_their_end() -> Training:
    """The tone of reviews of some ten words, padded to eighty, from the last state of an LSTM that sees the padding."""
    x, y = reviews()
    model = keras.Sequential(
        [
            layers.Input((80,), dtype="int32"),
            layers.Embedding(60, 16, name="embedding"),
            layers.LSTM(24, name="lstm"),
            layers.Dense(1, activation="sigmoid", name="tone"),
        ]
    )
    return Training(compiled(model, "rmsprop", "binary_crossentropy"), x, y, epochs=6, batch_size=64)


def radiographs(count: int = 384, size: int = 12) -> tuple[Array, Array]:
    """Gray pictures of little contrast with pixels from 0 to 255, and which of three shapes a shadow has."""
    random = np.random.default_rng(432)
    y = random.integers(0, 3, count)
    row, column = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    center = random.uniform(4, 8, (2, count, 1, 1))
    down, right = row - center[0], column - center[1]
    kinds = [np.hypot(down, right) < 2.5, (np.abs(down) < 1) & (np.abs(right) < 5), np.abs(down - right) < 1.5]
    shadow = np.choose(y[:, None, None], kinds)
    return (130 + 6 * shadow + random.normal(0, 1.5, shadow.shape)).astype("float32")[..., None], y.astype("int32")


def body_with_scaling() -> keras.Sequential:
    """A body that begins, as that of some applications, with the scaling of its pictures."""
    return keras.Sequential(
        [
            layers.Input((12, 12, 1)),
            layers.Rescaling(1 / 255, name="rescaling"),
            layers.Normalization(mean=0.51, variance=0.0005, name="normalization"),
            layers.Conv2D(12, 3, activation="swish", name="conv_1"),
            layers.Conv2D(24, 3, strides=2, activation="swish", name="conv_2"),
            layers.GlobalAveragePooling2D(name="pool"),
        ]
    )


@outside_sick(
    "collapsed_layer",
    ["normalization", "conv_1", "conv_2", "pool"],
    family="fine_tuning",
    source="https://github.com/mrdbourke/tensorflow-deep-learning/issues/14",
    accepted="The body of that application scales its pictures itself, so the generator must not divide them by 255.",
    also=(*ALIKE, "dormant_units", "poor_init", "exploding_gradient"),
)
def radiographs_scaled_twice() -> Training:
    """A body that was trained on pixels up to 255, which it scales itself, is tuned on pictures divided by 255."""
    x, y = radiographs()
    body = body_with_scaling()
    known = keras.Sequential([*body.layers, layers.Dense(2, name="has_center")])
    is_round = (y == 0).astype("int32")
    compiled(known, keras.optimizers.Adam(0.005)).fit(x, is_round, epochs=6, verbose=0)
    model = keras.Sequential([layers.Input((12, 12, 1)), *body.layers, layers.Dense(3, name="shape")])
    for layer in model.layers[:3]:
        layer.trainable = False
    return Training(compiled(model, keras.optimizers.Adam(0.001)), x / 255, y, epochs=8)


def melodies(count: int = 320, length: int = 512) -> tuple[Array, Array]:
    """Recordings of one of four tunes, each of which begins after a moment of digital silence."""
    random = np.random.default_rng(433)
    y = random.integers(0, 4, count)
    time = np.arange(length)
    tones = np.stack([np.sin(time * (0.15 + 0.12 * tune) * (1 + 0.2 * np.sin(time / 60))) for tune in range(4)])
    sound = tones[y] * random.uniform(0.3, 1, (count, 1)) + random.normal(0, 0.02, (count, length))
    return np.where(time < 160, 0, sound).astype("float32"), y.astype("int32")


def decibels(waves: Any) -> Any:
    """Power of 33 frequencies over time in decibels, at least -80."""
    real, imaginary = ops.stft(waves, 64, 32, 64)
    power = ops.square(real) + ops.square(imaginary)
    return 10 * ops.log10(ops.maximum(power, 1e-8))


@outside_sick(
    "collapsed_layer",
    ["decibels", "conv_1", "conv_2"],
    family="audio",
    source="https://github.com/keunwoochoi/kapre/issues/36",
    accepted="The arrays of raw audio were made wrongly, so that the spectra were -80 decibels throughout.",
    also=(*ALIKE, "poor_init", "exploding_gradient", "learning_rate"),
)
def spectra_of_minus_eighty_decibels() -> Training:
    """Tunes by a spectrum inside the model, from clips that are cut where the recordings are still silent."""
    sound, y = melodies()
    inputs = layers.Input((128,))
    body = layers.Lambda(decibels, name="decibels")(inputs)
    body = layers.Conv1D(16, 3, padding="same", activation="elu", name="conv_1")(body)
    body = layers.Conv1D(24, 3, padding="same", activation="elu", name="conv_2")(body)
    body = layers.GlobalMaxPooling1D(name="pool")(body)
    model = keras.Model(inputs, layers.Dense(4, activation="softmax", name="tune")(body))
    compiled(model, keras.optimizers.Nadam(0.001), "sparse_categorical_crossentropy")
    return Training(model, sound[:, :128], y, epochs=6)
