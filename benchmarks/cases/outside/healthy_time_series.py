"""Healthy programs for time series: classification, forecasts, anomalies, next frames."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array, waves
from benchmarks.cases.outside.healthy_goals import accuracy, squared_error


def temperatures(count: int = 700) -> Array:
    """Standardized days and years of a made-up weather station, with three columns."""
    random = np.random.default_rng(15)
    time = np.arange(count)
    drift = np.cumsum(random.normal(0, 0.1, count)) * 0.2
    warm = np.sin(time * 2 * np.pi / 24) + 0.6 * np.sin(time * 2 * np.pi / 170) + drift
    columns = np.stack([warm, np.cos(time * 2 * np.pi / 24) - 0.5 * warm, random.normal(0, 1, count)], 1)
    columns += random.normal(0, 0.1, columns.shape)
    return np.asarray((columns - columns.mean(0)) / columns.std(0), "float32")


def windows(series: Array, past: int, future: int) -> tuple[Array, Array]:
    """Every window of `past` rows and the first column of the `future` rows after it."""
    starts = range(len(series) - past - future + 1)
    x = np.stack([series[start : start + past] for start in starts])
    return x, np.stack([series[start + past : start + past + future, 0] for start in starts])


@outside_healthy("time_series")
def series_fully_convolutional() -> Training:
    """Classification of engine sounds with three normalized convolutions, and a learning rate that falls by itself."""
    x, y = waves(400, 24)
    input_layer = keras.layers.Input((24, 1))
    body = input_layer
    for _ in range(3):
        body = keras.layers.Conv1D(filters=24, kernel_size=3, padding="same")(body)
        body = keras.layers.BatchNormalization(momentum=0.9)(body)
        body = keras.layers.ReLU()(body)
    gap = keras.layers.GlobalAveragePooling1D()(body)
    model = keras.models.Model(inputs=input_layer, outputs=keras.layers.Dense(3, activation="softmax")(gap))
    callbacks = [
        keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=2, min_lr=0.0001),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=8, restore_best_weights=True),
    ]
    model.compile(
        optimizer="adam",
        loss="sparse_categorical_crossentropy",
        metrics=["sparse_categorical_accuracy"],
        jit_compile=False,
    )
    return Training(model, x, y, epochs=12, fit={"callbacks": callbacks, "validation_split": 0.2})


@outside_healthy("time_series")
def series_weather_lstm() -> Training:
    """A weather forecast with one LSTM on sliding windows, which overlap almost entirely."""
    series = temperatures(500)
    x, y = windows(series, 24, 1)
    dataset = keras.utils.timeseries_dataset_from_array(
        series[:-24], series[24:, :1], sequence_length=24, batch_size=64, shuffle=True, seed=3
    )
    inputs = keras.layers.Input(shape=(24, 3))
    lstm_out = keras.layers.LSTM(24)(inputs)
    model = keras.Model(inputs=inputs, outputs=keras.layers.Dense(1)(lstm_out))
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.005), loss="mse", jit_compile=False)
    return Training(
        model,
        dataset,
        None,
        epochs=6,
        views=(View(model, x, y),),
        constant_loss=float(y.var()),
        fit={"batch_size": None, "shuffle": False},
    )


def encoder_block(inputs: Any, head_size: int, num_heads: int, filters: int, dropout: float) -> Any:
    x = layers.MultiHeadAttention(key_dim=head_size, num_heads=num_heads, dropout=dropout)(inputs, inputs)
    x = layers.LayerNormalization(epsilon=1e-6)(layers.Dropout(dropout)(x))
    res = x + inputs
    x = layers.Conv1D(filters=filters, kernel_size=1, activation="relu")(res)
    x = layers.Conv1D(filters=inputs.shape[-1], kernel_size=1)(layers.Dropout(dropout)(x))
    return layers.LayerNormalization(epsilon=1e-6)(x) + res


@outside_healthy("time_series")
def series_transformer_classifier() -> Training:
    """Classification with a transformer block whose width is that of the signal, four channels."""
    x, y = waves(400, 24)
    x = x.reshape(400, 6, 4)
    inputs = keras.Input(shape=(6, 4))
    body = inputs
    body = encoder_block(body, head_size=8, num_heads=2, filters=8, dropout=0.1)
    body = layers.GlobalAveragePooling1D(data_format="channels_first")(body)
    body = layers.Dropout(0.2)(layers.Dense(32, activation="relu")(body))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(body))
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=keras.optimizers.Adam(learning_rate=5e-3),
        metrics=["sparse_categorical_accuracy"],
        jit_compile=False,
    )
    return Training(model, x, y, epochs=10)


@outside_healthy("time_series")
def series_anomaly_autoencoder() -> Training:
    """Anomalies as errors of a convolutional autoencoder, trained on normal series that all look alike."""
    x, _ = windows(temperatures(420), 24, 1)
    x = x[:, :, :1]
    model = keras.Sequential(
        [
            layers.Input(shape=(24, 1)),
            layers.Conv1D(filters=16, kernel_size=7, padding="same", strides=2, activation="relu"),
            layers.Dropout(rate=0.1),
            layers.Conv1D(filters=8, kernel_size=7, padding="same", strides=2, activation="relu"),
            layers.Conv1DTranspose(filters=8, kernel_size=7, padding="same", strides=2, activation="relu"),
            layers.Dropout(rate=0.1),
            layers.Conv1DTranspose(filters=16, kernel_size=7, padding="same", strides=2, activation="relu"),
            layers.Conv1DTranspose(filters=1, kernel_size=7, padding="same"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.003), loss="mse", jit_compile=False)
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=5, mode="min")
    return Training(model, x, x, epochs=10, fit={"validation_split": 0.1, "callbacks": [stop]})


def temporal_block(x: Any, filters: int, dilation: int) -> Any:
    """Two dilated causal convolutions and a skip connection; the sum starts as the input."""
    y = layers.Conv1D(filters, 3, padding="causal", dilation_rate=dilation, activation="relu")(x)
    y = layers.SpatialDropout1D(0.05)(y)
    y = layers.Conv1D(filters, 3, padding="causal", dilation_rate=dilation, kernel_initializer="zeros")(y)
    return layers.add([x, y])


@outside_healthy("time_series")
def series_temporal_convolutions() -> Training:
    """A forecast of four hours with dilated causal convolutions whose branches start at zero."""
    x, y = windows(temperatures(420), 32, 4)
    inputs = keras.Input((32, 3))
    body = layers.Conv1D(16, 1)(inputs)
    for dilation in (1, 2, 4):
        body = temporal_block(body, 16, dilation)
    model = keras.Model(inputs, layers.Dense(4)(layers.Lambda(lambda value: value[:, -1])(body)))
    model.compile(optimizer=keras.optimizers.Adam(0.005), loss="mae", jit_compile=False)
    constant = float(np.abs(y - np.median(y, 0)).mean())
    return Training(model, x, y, epochs=8, constant_loss=constant)


@outside_healthy("time_series")
def series_next_frame() -> Training:
    """Next frames of moving dots with a convolutional LSTM; nearly every pixel is black."""
    random = np.random.default_rng(16)
    count, length, size = 96, 6, 8
    start, speed = random.integers(0, size, (count, 1, 2)), random.integers(-1, 2, (count, 1, 2))
    place = (start + speed * np.arange(length + 1)[None, :, None]) % size
    frames = np.zeros((count, length + 1, size, size, 1), "float32")
    frames[np.arange(count)[:, None], np.arange(length + 1), place[..., 0], place[..., 1]] = 1.0
    inputs = layers.Input(shape=(length, size, size, 1))
    x = layers.ConvLSTM2D(8, (3, 3), padding="same", return_sequences=True, activation="relu")(inputs)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.ConvLSTM2D(8, (3, 3), padding="same", return_sequences=True, activation="relu")(x)
    outputs = layers.Conv3D(1, (3, 3, 3), activation="sigmoid", padding="same")(x)
    model = keras.Model(inputs, outputs)
    model.compile(loss=keras.losses.binary_crossentropy, optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
    share = 1 / size**2
    constant = -share * np.log(share) - (1 - share) * np.log(1 - share)
    return Training(model, frames[:, :-1], frames[:, 1:], epochs=4, batch_size=8, constant_loss=float(constant))


@outside_healthy("time_series")
def series_passengers_unscaled() -> Training:
    """Passengers of the next month with stacked GRUs, in hundreds as they are, so that the first losses are huge."""
    random = np.random.default_rng(17)
    time = np.arange(420)
    passengers = 220 + 80 * np.sin(time * 2 * np.pi / 12) + 60 * np.sin(time / 40) + random.normal(0, 8, 420)
    x, y = windows(passengers[:, None].astype("float32"), 12, 1)
    scale = layers.Normalization(axis=None)
    scale.adapt(x)
    model = keras.Sequential(
        [
            keras.Input((12, 1)),
            scale,
            layers.GRU(24, return_sequences=True, dropout=0.05, recurrent_dropout=0.05),
            layers.GRU(24),
            layers.Dense(1, bias_initializer=keras.initializers.Constant(float(y.mean()))),
        ]
    )
    model.compile(loss=keras.losses.Huber(delta=20.0), optimizer=keras.optimizers.RMSprop(0.02), jit_compile=False)
    constant = float(np.mean(keras.losses.Huber(20.0, reduction=None)(y, np.full_like(y, np.median(y)))))
    return Training(model, x, y, epochs=5, batch_size=16, constant_loss=constant)


class Forecaster(keras.Model):
    """Blocks that each explain a part of the series and pass on what is left."""

    def __init__(self, past: int, future: int) -> None:
        super().__init__()
        self.hidden = [layers.Dense(32, name=f"hidden_{n}") for n in range(3)]
        self.backcasts = [layers.Dense(past, use_bias=False, name=f"backcast_{n}") for n in range(2)]
        self.forecasts = [layers.Dense(future, use_bias=False, name=f"forecast_{n}") for n in range(3)]

    def call(self, series: Any) -> Any:
        left, total = series, 0.0
        for number, (hidden, forecast) in enumerate(zip(self.hidden, self.forecasts, strict=True)):
            found = ops.relu(hidden(left))
            if number < len(self.backcasts):
                left = left - self.backcasts[number](found)
            total = total + forecast(found)
        return total


@outside_healthy("time_series")
def series_residual_stacks() -> Training:
    """A subclassed forecast of stacked blocks that each pass on what they cannot explain, a smaller signal."""
    x, y = windows(temperatures(500)[:, :1], 24, 4)
    x = x[..., 0]
    model = Forecaster(24, 4)
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss="mse", jit_compile=False)
    return Training(model, x, y, epochs=8, goal=squared_error(model, x, y, 0.6))


@outside_healthy("time_series")
def series_masked_gestures() -> Training:
    """Gestures of different lengths, padded and masked, with a bidirectional plain recurrent layer."""
    x, y = waves(360, 16)
    ends = np.random.default_rng(18).integers(9, 17, (360, 1))
    x = np.where((np.arange(16) < ends)[..., None], x, -10.0).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((16, 1)),
            layers.Masking(mask_value=-10.0),
            layers.Bidirectional(layers.SimpleRNN(20)),
            layers.Dense(20, activation="relu"),
            layers.Dense(3),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(0.005),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return Training(model, x, y, epochs=8, goal=accuracy(model, x, y, 0.7))
