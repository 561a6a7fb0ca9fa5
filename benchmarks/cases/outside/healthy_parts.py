"""Healthy programs of several parts: documents of sentences, two kinds of layers, two heads, few trained weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import load_digits

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import Array, digits, flat_digits, photo_patches
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, binary_entropy, squared_error


@outside_healthy("vision")
def vision_depth_of_scenes() -> Training:
    """How far away each pixel is, from pictures with fog, by an encoder, a decoder and the logarithm of the depth."""
    random = np.random.default_rng(160)
    patches = photo_patches(700)
    rows, columns = np.mgrid[0:8, 0:8] / 7
    slope = random.normal(0, 1, (700, 2, 1, 1))
    depth = np.exp(0.8 * (slope[:, 0] * (rows - 0.5) + slope[:, 1] * (columns - 0.5)))[..., None]
    fog = np.exp(-depth / 2)
    x = (patches * fog + 0.8 * (1 - fog)).astype("float32")
    inputs = keras.Input((8, 8, 3))
    first = layers.Conv2D(16, 3, padding="same", activation="elu")(inputs)
    deep = layers.Conv2D(32, 3, strides=2, padding="same", activation="elu")(first)
    deep = layers.Conv2D(32, 3, padding="same", activation="elu")(deep)
    deep = layers.UpSampling2D(interpolation="bilinear")(deep)
    body = layers.Conv2D(16, 3, padding="same", activation="elu")(layers.Concatenate()([deep, first]))
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same")(body))
    y = np.log(depth).astype("float32")
    compiled(model, keras.optimizers.Adam(0.002), "huber")
    return Training(model, x, y, epochs=8, goal=squared_error(model, x, y, 0.6))


class WordAttention(layers.Layer):
    """A weighted mean, whose weights compare each word with a learned question."""

    def build(self, input_shape: Any) -> None:
        width = input_shape[-1]
        self.project = layers.Dense(width, activation="tanh")
        self.project.build(input_shape)
        self.question = self.add_weight((width, 1), initializer="glorot_uniform")

    def call(self, values: Any) -> Any:
        weights = ops.softmax(ops.matmul(self.project(values), self.question), axis=1)
        return ops.sum(weights * values, axis=1)


@outside_healthy("text")
def text_documents_of_sentences() -> Training:
    """Documents of four sentences: attention over the words of each, then over the sentences, shared weights."""
    random = np.random.default_rng(161)
    y = random.integers(0, 3, 600).astype("int32")
    x = random.integers(3, 50, (600, 4, 8))
    telling = random.integers(0, 4, 600), random.integers(0, 8, 600)
    x[np.arange(600), telling[0], telling[1]] = y
    sentence = keras.Input((8,), dtype="int32")
    encoded = layers.Bidirectional(layers.GRU(12, return_sequences=True))(layers.Embedding(50, 16)(sentence))
    encoder = keras.Model(sentence, WordAttention()(encoded))
    document = keras.Input((4, 8), dtype="int32")
    body = layers.TimeDistributed(encoder)(document)
    body = WordAttention()(layers.Bidirectional(layers.GRU(12, return_sequences=True))(body))
    model = keras.Model(document, layers.Dense(3, activation="softmax")(body))
    compiled(model, keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    x = x.astype("int32")
    return Training(model, x, y, epochs=10, goal=accuracy(model, x, y, 0.8))


@outside_healthy("time_series")
def series_convolutions_then_lstm() -> Training:
    """What someone does, from a phone's acceleration: convolutions on pieces of a window, then an LSTM over them."""
    random = np.random.default_rng(162)
    y = random.integers(0, 4, 640).astype("int32")
    time = np.arange(48)[None, :, None] * (0.15 + 0.15 * y[:, None, None]) + random.uniform(0, 6, (640, 1, 3))
    x = (np.sin(time) * np.array([1, 0.5, 0.2]) + random.normal(0, 0.3, (640, 48, 3))).astype("float32")
    pieces = x.reshape(640, 4, 12, 3)
    model = keras.Sequential(
        [
            keras.Input((4, 12, 3)),
            layers.TimeDistributed(layers.Conv1D(24, 3, activation="relu")),
            layers.TimeDistributed(layers.Conv1D(24, 3, activation="relu")),
            layers.TimeDistributed(layers.Dropout(0.3)),
            layers.TimeDistributed(layers.MaxPooling1D(2)),
            layers.TimeDistributed(layers.Flatten()),
            layers.LSTM(32),
            layers.Dropout(0.3),
            layers.Dense(32, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    compiled(model, "adam", "categorical_crossentropy", metrics=["accuracy"])
    return Training(model, pieces, np.eye(4, dtype="float32")[y], epochs=12)


@outside_healthy("reinforcement_learning")
def reinforcement_dueling_heads() -> Training:
    """Values of actions as that of the state plus advantages without their mean, fitted to returns of stored moves."""
    random = np.random.default_rng(163)
    states = random.uniform(-1, 1, (1200, 6)).astype("float32")
    actions = random.integers(0, 4, 1200)
    returns = 2 * states[:, 0] + np.where(actions % 2 == 0, states[:, 1], -states[:, 2])
    returns = (returns + random.normal(0, 0.3, 1200)).astype("float32")[:, None]
    state, action = keras.Input((6,)), keras.Input((4,))
    body = layers.Dense(64, activation="relu", kernel_initializer="he_uniform")(state)
    body = layers.Dense(64, activation="relu", kernel_initializer="he_uniform")(body)
    value = layers.Dense(1)(layers.Dense(32, activation="relu")(body))
    advantage = layers.Dense(4)(layers.Dense(32, activation="relu")(body))
    advantage = layers.Lambda(lambda given: given - ops.mean(given, axis=1, keepdims=True))(advantage)
    chosen = layers.Dot(axes=1)([layers.Add()([value, advantage]), action])
    model = keras.Model([state, action], chosen)
    compiled(model, keras.optimizers.Adam(5e-4, clipnorm=10.0), "huber")
    x = [states, np.eye(4, dtype="float32")[actions]]
    return Training(model, x, returns, epochs=15, goal=squared_error(model, x, returns, 0.3))


@outside_healthy("generative")
def generative_rows_of_pixels() -> Training:
    """The next row of a digit from the rows above it, by two GRUs; most pixels at the borders are always dark."""
    rows = (digits(800)[0] > 0.5).astype("float32")
    given = np.concatenate([np.zeros((800, 1, 8), "float32"), rows[:, :-1]], 1)
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.GRU(48, return_sequences=True),
            layers.GRU(32, return_sequences=True),
            layers.Dense(8, activation="sigmoid"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy")
    return Training(model, given, rows, epochs=12, batch_size=64, constant_loss=binary_entropy(rows))


def body_for_even_digits() -> keras.Model:
    """Normalized layers that can tell even digits apart."""
    x, y = flat_digits()
    inputs = keras.Input((64,))
    body = inputs
    for _ in range(3):
        body = layers.Dense(48)(body)
        body = layers.Activation("gelu")(layers.LayerNormalization()(body))
    model = keras.Model(inputs, layers.Dense(10)(body))
    is_even = y % 2 == 0
    compiled(model, keras.optimizers.Adam(0.003)).fit(x[is_even], y[is_even], epochs=5, verbose=0)
    return keras.Model(inputs, body)


@outside_healthy("fine_tuning")
def tuning_normalization_only() -> Training:
    """Only scales and offsets of normalizations and a new head are trained; all other weights are frozen."""
    x, y = flat_digits()
    body = body_for_even_digits()
    for layer in body.layers:
        layer.trainable = isinstance(layer, layers.LayerNormalization)
    is_odd = y % 2 == 1
    x, y = x[is_odd], (y[is_odd] // 2).astype("int32")
    model = keras.Model(body.inputs, layers.Dense(5)(body.outputs[0]))
    compiled(model, keras.optimizers.Adam(0.005))
    return Training(model, x, y, epochs=10, goal=accuracy(model, x, y, 0.8))


@outside_healthy("tabular")
def tabular_never_falling_price() -> Training:
    """A price that never falls with size: kernels that must not be negative and a bounded activation."""
    random = np.random.default_rng(164)
    x = random.uniform(0, 1, (900, 4)).astype("float32")
    y = 2 * np.sqrt(x[:, :1]) + x[:, 1:2] * x[:, 2:3] + 0.5 * x[:, 3:] ** 2
    y = (y + random.normal(0, 0.05, y.shape)).astype("float32")
    options: dict[str, Any] = {"kernel_constraint": keras.constraints.NonNeg()}
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(24, activation="tanh", **options),
            layers.Dense(12, activation="tanh", **options),
            layers.Dense(1, **options),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.01), "mse")
    return Training(model, x, y, epochs=15)


def pixel_table() -> tuple[Array, Array]:
    """Digits 0 and 1 as rows of a table, scaled to [0, 1], and which of them are rare."""
    loaded = load_digits()
    chosen = loaded.target < 2
    return (loaded.data[chosen] / 16).astype("float32"), loaded.target[chosen]


@outside_healthy("tabular")
def tabular_transactions_rebuilt() -> Training:
    """An autoencoder with a narrow middle, an activity penalty and noise, trained on usual rows to find rare ones."""
    x, is_rare = pixel_table()
    usual = x[is_rare == 0]
    usual = np.concatenate([usual] * 3)
    inputs = keras.Input((64,))
    body = layers.GaussianNoise(0.1)(inputs)
    body = layers.Dense(32, activation="tanh", activity_regularizer=keras.regularizers.L1(1e-5))(body)
    body = layers.Dense(16, activation="relu")(body)
    body = layers.Dense(32, activation="relu")(body)
    model = keras.Model(inputs, layers.Dense(64)(body))
    compiled(model, "adam", "mean_squared_error")
    return Training(model, usual, usual, epochs=25)
