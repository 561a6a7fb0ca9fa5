"""Healthy programs that forecast series, some of them in the units of the data, and fill or continue them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import binary_entropy, squared_error
from benchmarks.cases.outside.healthy_time_series import windows


def degrees(hours: int = 900) -> Array:
    """Hourly temperatures in degrees Celsius, `[hours, 1]`."""
    random = np.random.default_rng(81)
    time = np.arange(hours)
    slow = np.convolve(random.normal(0, 1, hours + 48), np.ones(49) / 7, "valid")
    celsius = 12 + 6 * np.sin(2 * np.pi * time / 24) + slow + random.normal(0, 0.4, hours)
    return np.asarray(celsius[:, None], "float32")


@outside_healthy("time_series")
def series_temperature_in_degrees() -> Training:
    """A GRU forecasts degrees Celsius: inputs and targets in their units, so the loss starts in the hundreds."""
    x, y = windows(degrees(), 24, 1)
    model = keras.Sequential([keras.Input((24, 1)), layers.GRU(32), layers.Dense(1)])
    compiled(model, keras.optimizers.RMSprop(0.003), "mae")
    constant = float(np.abs(y - np.median(y)).mean())
    return Training(model, x, y, epochs=20, constant_loss=constant)


@outside_healthy("time_series")
def series_load_in_megawatts() -> Training:
    """Standardized days, a load of some hundred megawatts as the target, and a head whose bias starts at its mean."""
    x, y = windows((degrees(600) - 12) / 6, 24, 1)
    megawatts = 300 - 40 * y
    model = keras.Sequential(
        [
            keras.Input((24, 1)),
            layers.LSTM(24, return_sequences=True),
            layers.LSTM(24),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, bias_initializer=keras.initializers.Constant(300.0)),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.01), "mae")
    return Training(model, x, megawatts, epochs=10, goal=squared_error(model, x, megawatts, 0.5))


@outside_healthy("time_series")
def series_monthly_passengers() -> Training:
    """Months scaled to [0, 1], two layers of LSTM with dropout, few windows and batches of one month."""
    random = np.random.default_rng(82)
    months = np.arange(156)
    series = (100 + 2.5 * months) * (1 + 0.2 * np.sin(2 * np.pi * months / 12)) * random.normal(1, 0.02, 156)
    scaled = ((series - series.min()) / np.ptp(series)).astype("float32")[:, None]
    x, y = windows(scaled, 12, 1)
    model = keras.Sequential(
        [keras.Input((12, 1)), layers.LSTM(16, return_sequences=True), layers.Dropout(0.1), layers.LSTM(16)]
    )
    model.add(layers.Dense(1))
    compiled(model, keras.optimizers.Adam(0.003), "mean_squared_error")
    return Training(model, x, y, epochs=8, batch_size=4)


@outside_healthy("time_series")
def series_moving_dot() -> Training:
    """The next frames of a moving square by convolutional LSTMs; nearly all pixels of all frames are 0."""
    random = np.random.default_rng(83)
    start, speed = random.integers(0, 8, (160, 2)), random.integers(-1, 2, (160, 2))
    frames = np.zeros((160, 7, 10, 10, 1), "float32")
    for number in range(160):
        for time in range(7):
            row, column = np.clip(start[number] + speed[number] * time, 0, 8)
            frames[number, time, row : row + 2, column : column + 2] = 1.0
    x, y = frames[:, :-1], frames[:, 1:]
    inputs = layers.Input(shape=(6, 10, 10, 1))
    body = layers.ConvLSTM2D(8, (3, 3), padding="same", return_sequences=True, activation="relu")(inputs)
    body = layers.BatchNormalization(momentum=0.9)(body)
    body = layers.ConvLSTM2D(8, (1, 1), padding="same", return_sequences=True, activation="relu")(body)
    outputs = layers.Conv3D(1, (3, 3, 3), activation="sigmoid", padding="same")(body)
    model = keras.Model(inputs, outputs)
    compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy")
    return Training(model, x, y, epochs=8, batch_size=8, constant_loss=binary_entropy(y.reshape(160, -1)))


@outside_healthy("time_series")
def series_wavenet_blocks() -> Training:
    """Dilated convolutions with gates: tanh times sigmoid, skip connections, and classes of amplitudes as answers."""
    series = degrees(700)[:, 0] - 12
    classes = np.clip((series + 12) / 2, 0, 11).astype("int32")
    starts = range(0, len(series) - 33, 2)
    x = np.stack([classes[start : start + 32] for start in starts])
    y = np.stack([classes[start + 1 : start + 33] for start in starts])
    inputs = keras.Input((32,), dtype="int32")
    body = layers.Embedding(12, 16)(inputs)
    skips = []
    for dilation in (1, 2, 4, 8):
        filtered = layers.Conv1D(16, 2, padding="causal", dilation_rate=dilation, activation="tanh")(body)
        gate = layers.Conv1D(16, 2, padding="causal", dilation_rate=dilation, activation="sigmoid")(body)
        both = layers.Multiply()([filtered, gate])
        skips.append(layers.Conv1D(16, 1)(both))
        body = layers.Add()([body, layers.Conv1D(16, 1)(both)])
    body = layers.Activation("relu")(layers.Add()(skips))
    body = layers.Conv1D(16, 1, activation="relu")(body)
    model = keras.Model(inputs, layers.Conv1D(12, 1)(body))
    compiled(model, keras.optimizers.Adam(0.005))
    shares = np.bincount(y.ravel()) / y.size
    constant = float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
    gates = tuple(
        layer.name for layer in model.layers if getattr(layer, "activation", None) is keras.activations.sigmoid
    )
    return Training(model, x, y, epochs=10, batch_size=16, constant_loss=constant, gates=gates)


@outside_healthy("time_series")
def series_demand_quantiles() -> Training:
    """Three quantiles of the demand of shops by the pinball loss, with the shop as an embedding."""
    random = np.random.default_rng(84)
    shop, day = random.integers(0, 20, 1500), random.integers(0, 7, 1500)
    level = random.uniform(0, 3, 20)[shop] + np.where(day >= 5, 1.5, 0.0)
    demand = (level + random.gamma(2.0, 0.3, 1500)).astype("float32")[:, None]
    quantiles = np.array([0.1, 0.5, 0.9], "float32")

    def pinball(y_true: Any, y_pred: Any) -> Any:
        error = y_true - y_pred
        return ops.mean(ops.maximum(quantiles * error, (quantiles - 1) * error), axis=-1)

    shops, days = keras.Input((), dtype="int32"), keras.Input((), dtype="int32")
    body = layers.Concatenate()([layers.Embedding(20, 6)(shops), layers.Embedding(7, 3)(days)])
    body = layers.Dense(48, activation="relu")(body)
    model = keras.Model([shops, days], layers.Dense(3)(layers.Dense(24, activation="gelu")(body)))
    compiled(model, keras.optimizers.Adam(0.003), pinball)
    best = np.quantile(demand, quantiles)
    constant = float(np.maximum(quantiles * (demand - best), (quantiles - 1) * (demand - best)).mean())
    x = [shop.astype("int32"), day.astype("int32")]
    return Training(model, x, demand, epochs=8, constant_loss=constant)


@outside_healthy("time_series")
def series_encoder_decoder() -> Training:
    """An LSTM encodes two days, its last state is repeated, and another one writes the next six hours."""
    standard = (degrees(600) - 12) / 6
    x, y = windows(standard, 48, 6)
    model = keras.Sequential(
        [
            keras.Input((48, 1)),
            layers.LSTM(32),
            layers.RepeatVector(6),
            layers.LSTM(32, return_sequences=True),
            layers.TimeDistributed(layers.Dense(1)),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.005, clipnorm=1.0), "mse")
    return Training(model, x, y[..., None], epochs=8)


@outside_healthy("time_series")
def series_missing_values() -> Training:
    """Gaps in a series are filled by a bidirectional GRU; the loss counts the gaps only, by sample weights."""
    standard = ((degrees(800) - 12) / 6)[:, 0]
    series = np.stack([standard[start : start + 24] for start in range(0, 776, 2)])
    is_gap = np.random.default_rng(85).random(series.shape) < 0.2
    x = np.stack([np.where(is_gap, 0.0, series), is_gap], -1).astype("float32")
    inputs = keras.Input((24, 2))
    body = layers.Bidirectional(layers.GRU(24, return_sequences=True))(inputs)
    model = keras.Model(inputs, layers.Dense(1)(layers.Dense(16, activation="tanh")(body)))
    compiled(model, keras.optimizers.Adam(0.005), "mse", weighted_metrics=[])
    constant = float((is_gap * np.square(series - series[is_gap].mean())).mean())
    weights = is_gap.astype("float32")
    fit = {"sample_weight": weights}

    def judge(filled: Any) -> Any:
        return ops.mean(weights * ops.square(filled[..., 0] - series))

    views = (View(model, x, loss=judge),)
    return Training(model, x, series[..., None], epochs=8, fit=fit, constant_loss=constant, views=views)
