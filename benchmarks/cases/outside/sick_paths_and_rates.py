"""Programs with a cut path of the gradient, equal inputs, a rate that is next to nothing, or missing values."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import Array, digits, raw_table, table
from benchmarks.cases.networks import compiled

RESTING = ("stagnant_weights", "vanishing_gradient", "collapsed_layer", "no_gradient", "no_learning")
"""What goes with weights that are not trained."""


@outside_sick(
    "no_gradient",
    ["dense", "slopes"],
    family="tabular",
    source="https://github.com/keras-team/keras/issues/15716",
    accepted="Rounding up has no gradient on purpose, so nothing before it is trained.",
    also=RESTING,
)
def slopes_behind_a_ceiling() -> Training:
    """Outputs of a layer with learned slopes are rounded up before the next layer."""
    x, y = table("wine")
    inputs = layers.Input((13,))
    body = layers.PReLU(name="slopes")(layers.Dense(16, name="dense")(inputs))
    body = layers.Lambda(ops.ceil, name="ceiling")(body)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="kinds")(body))
    return Training(compiled(model, "adam", "sparse_categorical_crossentropy"), x, y, epochs=12, batch_size=16)


def missed_directions(truth: Any, guess: Any) -> Any:
    """The share of answers with the wrong sign."""
    return ops.mean(ops.cast(ops.not_equal(ops.sign(truth), ops.sign(guess)), "float32"), axis=-1)


@outside_sick(
    "no_gradient",
    ["trend", "direction"],
    family="time_series",
    source="https://github.com/rstudio/keras3/issues/193",
    accepted="Whether two signs are equal has no gradient, so it cannot be a loss.",
    also=RESTING,
)
def direction_of_change_as_a_loss() -> Training:
    """Prices by the squared error, and on another branch their direction by the share of wrong signs."""
    random = np.random.default_rng(142)
    x = random.normal(size=(600, 16, 2)).astype("float32")
    change = (x[:, -4:, 0].mean(1) - 0.5 * x[:, :, 1].mean(1)).astype("float32")[:, None]
    inputs = layers.Input((16, 2))
    body = layers.GRU(16, name="gru")(inputs)
    price = layers.Dense(1, name="price")(body)
    trend = layers.Dense(8, activation="tanh", name="trend")(body)
    model = keras.Model(inputs, [price, layers.Dense(1, name="direction")(trend)])
    compiled(model, keras.optimizers.Adam(0.003), ["mse", missed_directions])
    return Training(model, x, [change, change], epochs=6, constant_loss=UNKNOWN)


@outside_sick(
    "collapsed_layer",
    ["embedding", "encoder", "pool", "dense"],
    family="text",
    source="https://github.com/tensorflow/tensorflow/issues/47586",
    accepted="Each text is one number followed by padding, so that all are the same once divided by their largest.",
    also=(*RESTING, "dead_units"),
)
def numbers_divided_by_their_largest() -> Training:
    """Texts of one word and padding are divided by their largest number: all are a one and zeros."""
    random = np.random.default_rng(143)
    first = random.integers(2, 30, 512)
    texts = np.zeros((512, 10), "float32")
    texts[:, 0] = first
    x = texts / texts.max(1, keepdims=True)
    inputs = layers.Input((10,))
    body = layers.Embedding(30, 16, name="embedding")(inputs)
    body = layers.Conv1D(16, 3, activation="relu", name="encoder")(body)
    body = layers.GlobalAveragePooling1D(name="pool")(body)
    body = layers.Dense(16, activation="tanh", name="dense")(body)
    model = keras.Model(inputs, layers.Dense(4, activation="softmax", name="next")(body))
    compiled(model, "adam", "sparse_categorical_crossentropy")
    return Training(model, x, (first % 4).astype("int32"), epochs=6)


@outside_sick(
    "no_learning",
    [WHOLE],
    family="generative",
    source="https://github.com/tensorflow/tensorflow/issues/39432",
    accepted="The default learning rate of Adadelta has become 0.001; the example was written for 1.",
    also=(*RESTING, "learning_rate"),
)
def default_rate_of_adadelta() -> Training:
    """The simple autoencoder of the tutorial with Adadelta and its default learning rate."""
    x = digits(768)[0].reshape(768, -1)
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(16, activation="relu", name="encoded"),
            layers.Dense(64, activation="sigmoid", name="decoded"),
        ]
    )
    shares = x.mean(0)
    inside = shares[(shares > 0) & (shares < 1)]
    constant = float(-(inside * np.log(inside) + (1 - inside) * np.log(1 - inside)).sum() / 64)
    compiled(model, "adadelta", "binary_crossentropy")
    return Training(model, x, x, epochs=8, batch_size=64, constant_loss=constant)


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="vision",
    source="https://github.com/mindee/doctr/pull/374",
    accepted="The number of steps of the schedule was counted wrongly; it is epochs times batches.",
    also=RESTING,
)
def batches_divided_by_their_size() -> Training:
    """A cosine decay whose number of steps is that of the batches divided by their size once more."""
    x, y = digits(768)
    batches = len(x) // 32
    rate = keras.optimizers.schedules.CosineDecay(0.001, decay_steps=int(8 * batches / 32))
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu", name="conv"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="relu", name="dense"),
            layers.Dense(10, activation="softmax", name="words"),
        ]
    )
    compiled(model, keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    return Training(model, x[..., None], y, epochs=8)


def discrete_weibull(truth: Any, guess: Any) -> Any:
    """Negative logarithm of the chance to fail between a time and the next one, or not before it."""
    time, failed = truth[..., :1], truth[..., 1:]
    scale, shape = guess[..., :1], guess[..., 1:]
    before = ops.power(time / scale, shape)
    after = ops.power((time + 1) / scale, shape)
    return -ops.mean(failed * ops.log(ops.exp(after - before) - 1) - after, axis=-1)


@outside_sick(
    "nonfinite",
    ["gru", "log_scale", "scale", "shape", "weibull"],
    family="time_series",
    source="https://github.com/ragulpr/wtte-rnn/issues/39",
    accepted="The two hazards are the same, so that the loss is the logarithm of 0; add an epsilon to its argument.",
    also=("nonfinite_loss", "no_learning"),
)
def hazards_of_equal_times() -> Training:
    """Times to failure in seconds of a year: in single precision a second more makes no difference."""
    random = np.random.default_rng(144)
    x = random.normal(size=(384, 12, 3)).astype("float32")
    years = random.exponential(np.exp(x[:, -1, 0]))
    y = np.stack([1e7 * years + 1e6, random.random(384) < 0.8], 1).astype("float32")
    inputs = layers.Input((12, 3))
    body = layers.GRU(12, name="gru")(inputs)
    scale = layers.Lambda(lambda value: 1e7 * ops.exp(value), name="scale")(layers.Dense(1, name="log_scale")(body))
    shape = layers.Dense(1, activation="softplus", name="shape")(body)
    model = keras.Model(inputs, layers.Concatenate(name="weibull")([scale, shape]))
    compiled(model, keras.optimizers.Adam(0.003), discrete_weibull)
    return Training(model, x, y, epochs=5, constant_loss=UNKNOWN)


def with_gaps() -> tuple[Array, Array]:
    """Measurements of tumors, standardized by the columns' known values, one of a hundred missing."""
    x, y = raw_table("breast_cancer")
    x = np.where(np.random.default_rng(145).random(x.shape) < 0.01, np.nan, x)
    return ((x - np.nanmean(x, 0)) / np.nanstd(x, 0)).astype("float32"), y


@outside_sick(
    "nonfinite",
    ["dense_1"],
    family="tabular",
    source="https://mcmap.net/q/406467/-multivariate-lstm-with-missing-values",
    accepted="Missing values are NaN; they must be replaced, by 0 say, before the network gets them.",
    also=("nonfinite_data", "nonfinite_loss", "no_learning"),
)
def cells_left_empty() -> Training:
    """Some cells of a table are empty and become NaN when it is read."""
    x, y = with_gaps()
    model = keras.Sequential(
        [
            layers.Input((30,)),
            layers.Dense(16, activation="relu", name="dense_1"),
            layers.Dense(8, activation="relu", name="dense_2"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )
    return Training(compiled(model, "adam", "binary_crossentropy"), x, y[:, None].astype("float32"), epochs=6)
