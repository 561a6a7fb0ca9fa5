"""Healthy programs for ordered classes, outliers, counts of words, attention over time and usual sounds."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import digits, words
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, binary_entropy, squared_error


@outside_healthy("vision")
def vision_ordered_grades() -> Training:
    """How far a disease has gone, in five grades: four sigmoids, each for being beyond a grade."""
    random = np.random.default_rng(180)
    grades = random.integers(0, 5, 700)
    x = random.normal(0, 0.15, (700, 12, 12, 1)).astype("float32")
    for picture, grade in zip(x, grades, strict=True):
        for row, column in random.integers(0, 11, (3 * grade, 2)):
            picture[row : row + 2, column : column + 2] += 0.6
    y = (grades[:, None] > np.arange(4)[None]).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.Conv2D(24, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(24, activation="gelu"),
            layers.Dense(4, activation="sigmoid"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003), "binary_crossentropy")
    return Training(model, x, y, epochs=12, constant_loss=binary_entropy(y))


@outside_healthy("tabular")
def tabular_rents_with_outliers() -> Training:
    """Rents in thousands, a few of which are ten times too high, by the Huber loss and clipped gradients."""
    random = np.random.default_rng(181)
    x = random.normal(size=(900, 7)).astype("float32")
    y = 2 + x[:, 0] + 0.5 * x[:, 1] * x[:, 2] - np.abs(x[:, 3]) + random.normal(0, 0.1, 900)
    wrong = random.random(900) < 0.02
    rents = np.where(wrong, 10 * np.abs(y) + 5, y).astype("float32")[:, None]
    model = keras.Sequential(
        [
            keras.Input((7,)),
            layers.Dense(48, activation="relu"),
            layers.BatchNormalization(momentum=0.9),
            layers.Dense(24, activation="relu"),
            layers.Dense(1),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003, clipvalue=0.5), keras.losses.Huber(1.0))
    plain = ~wrong
    goal = squared_error(model, x[plain], y[plain].astype("float32")[:, None], 0.3)
    return Training(model, x, rents, epochs=12, goal=goal)


@outside_healthy("text")
def text_counts_by_one_layer() -> Training:
    """Logarithms of counts of words straight into a sigmoid with L2, by Ftrl: a linear model, mostly of zeros."""
    x, y = words(1024)
    counts = np.log1p(np.stack([np.bincount(text, minlength=60) for text in x])).astype("float32")
    penalty = keras.regularizers.L2(1e-4)
    model = keras.Sequential(
        [keras.Input((60,)), layers.Dense(1, activation="sigmoid", kernel_regularizer=penalty)],
    )
    compiled(model, keras.optimizers.Ftrl(0.1), "binary_crossentropy")
    labels = y[:, None].astype("float32")
    return Training(model, counts, labels, epochs=12, constant_loss=binary_entropy(labels))


@outside_healthy("time_series")
def series_attention_over_days() -> Training:
    """Tomorrow's sales as today's plus a change, which attention over two weeks and the day of the week predict."""
    random = np.random.default_rng(182)
    week = random.normal(0, 1, 7)
    days = np.arange(700)
    sales = week[days % 7] + 0.3 * np.sin(days / 30) + random.normal(0, 0.2, 700)
    past = np.stack([sales[at : at + 14] for at in range(680)]).astype("float32")[..., None]
    weekday = ((np.arange(680)[:, None] + np.arange(14)[None]) % 7).astype("int32")
    y = sales[14:694].astype("float32")[:, None]
    given, day = keras.Input((14, 1)), keras.Input((14,), dtype="int32")
    body = layers.Concatenate()([given, layers.Embedding(7, 8)(day)])
    body = layers.Dense(24)(body)
    body = layers.LayerNormalization()(layers.Add()([body, layers.MultiHeadAttention(2, 12)(body, body)]))
    body = layers.LayerNormalization()(layers.Add()([body, layers.Dense(24, activation="gelu")(body)]))
    change = layers.Dense(1)(layers.Lambda(lambda value: value[:, -1])(body))
    today = layers.Lambda(lambda value: value[:, -1])(given)
    model = keras.Model([given, day], layers.Add()([today, change]))
    compiled(model, keras.optimizers.Adam(0.003), "mae")
    x = [past, weekday]
    return Training(model, x, y, epochs=12, goal=squared_error(model, x, y, 0.4))


@outside_healthy("audio")
def audio_usual_machine_sounds() -> Training:
    """Usual sounds of machines, rebuilt from eight numbers by a dense autoencoder with normalization."""
    random = np.random.default_rng(183)
    bands = np.arange(64)[None]
    kind = random.integers(0, 3, 900)[:, None]
    x = 0.5 * np.sin(bands / (4 + 3 * kind)) + np.exp(-(((bands - 12 - 15 * kind) / 4) ** 2)) - bands / 40
    x = (x + random.normal(0, 0.1, x.shape)).astype("float32")
    inputs = keras.Input((64,))
    body = inputs
    for width in (48, 48, 8, 48, 48):
        body = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(layers.Dense(width)(body)))
    model = keras.Model(inputs, layers.Dense(64)(body))
    compiled(model, keras.optimizers.Adam(0.003), "mean_squared_error")
    return Training(model, x, x, epochs=10, batch_size=64)


@outside_healthy("vision")
def vision_prototypes_of_digits() -> Training:
    """Classes by the distance to learned prototypes in a space of sixteen dimensions, with an own temperature."""
    x, y = digits(900)
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(24, 3, activation="relu")(inputs)
    body = layers.Conv2D(24, 3, activation="relu")(body)
    body = layers.Dense(16)(layers.Flatten()(body))
    body = layers.UnitNormalization()(body)
    prototypes = layers.Dense(10, use_bias=False, kernel_constraint=keras.constraints.UnitNorm(axis=0))(body)
    model = keras.Model(inputs, layers.Lambda(lambda cosine: ops.multiply(cosine, 10.0))(prototypes))
    compiled(model, keras.optimizers.Adam(0.003))
    return Training(model, x[..., None], y, epochs=8, goal=accuracy(model, x[..., None], y, 0.8))
