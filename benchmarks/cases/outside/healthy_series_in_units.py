"""Healthy programs that forecast series in the units of the data, as people do who scale the inputs only."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import squared_error
from benchmarks.cases.outside.healthy_time_series import windows


def seasons(count: int, level: float, swing: float, period: int, seed: int) -> Array:
    """`[count, 1]`: a level, a season that swings by as much as `swing`, and noise of a twentieth of that."""
    random = np.random.default_rng(seed)
    time = np.arange(count)
    values = level + swing * (np.sin(2 * np.pi * time / period) + random.normal(0, 0.05, count))
    return np.asarray(values[:, None], "float32")


@outside_healthy("time_series")
def series_tickets_by_two_layers() -> Training:
    """The next month of tickets from the last twelve in hundreds; the answers are in tickets, the layers are dense."""
    x, y = windows(seasons(300, 150.0, 90.0, 12, 311), 12, 1)
    model = keras.Sequential(
        [keras.Input((12,)), layers.Dense(24, activation="swish"), layers.Dense(16, activation="swish")]
    )
    model.add(layers.Dense(1))
    compiled(model, keras.optimizers.Adam(0.003), "mean_squared_error")
    return Training(model, x[..., 0] / 100, y, epochs=40, batch_size=8)


@outside_healthy("time_series")
def series_tens_by_lstm() -> Training:
    """The tutorial's sequence of tens by an LSTM, three numbers in and one out, shown in tens, in many short epochs."""
    x, y = windows(np.arange(0, 8, 0.05, dtype="float32")[:, None], 3, 1)
    model = keras.Sequential([keras.Input((3, 1)), layers.LSTM(50), layers.Dense(1)])
    compiled(model, keras.optimizers.Adam(0.005), "mse")
    return Training(model, x, 10 * y, epochs=60, batch_size=8)


@outside_healthy("time_series")
def series_windows_by_momentum() -> Training:
    """Season and noise around forty by dense layers and SGD at the small rate that a search has found."""
    x, y = windows(seasons(800, 4.0, 2.0, 60, 312), 20, 1)
    model = keras.Sequential(
        [keras.Input((20,)), layers.Dense(16, activation="elu"), layers.Dense(16, activation="elu"), layers.Dense(1)]
    )
    compiled(model, keras.optimizers.SGD(1e-5, momentum=0.9), "mse")
    return Training(model, x[..., 0], 10 * y, epochs=20)


@outside_healthy("time_series")
def series_sunspots_enlarged() -> Training:
    """Sunspots in hundreds: convolution, LSTM, dense layers, and a layer that multiplies by 100 at the end."""
    random = np.random.default_rng(313)
    time = np.arange(700)
    spots = 90 * (1 + np.sin(2 * np.pi * time / 66)) * random.gamma(20, 1 / 20, 700)
    x, y = windows(np.asarray(spots[:, None], "float32"), 24, 1)
    model = keras.Sequential(
        [
            keras.Input((24, 1)),
            layers.Conv1D(24, 5, padding="causal", activation="relu"),
            layers.LSTM(24, return_sequences=True),
            layers.LSTM(24),
            layers.Dense(16, activation="elu"),
            layers.Dense(1),
            layers.Rescaling(100.0),
        ]
    )
    compiled(model, keras.optimizers.SGD(2e-5, momentum=0.9), keras.losses.Huber())
    constant = float(np.abs(y - np.median(y)).mean()) - 0.5
    return Training(model, x / 100, y, epochs=20, constant_loss=constant)


@outside_healthy("time_series")
def series_households_by_stacked_lstm() -> Training:
    """A week of power in kilowatts from two: LSTMs as encoder and decoder, and dense layers for each day."""
    series = seasons(600, 3.0, 2.0, 7, 315)
    x, y = windows(series, 14, 7)
    model = keras.Sequential(
        [
            keras.Input((14, 1)),
            layers.LSTM(32),
            layers.RepeatVector(7),
            layers.LSTM(32, return_sequences=True),
            layers.TimeDistributed(layers.Dense(16, activation="elu")),
            layers.TimeDistributed(layers.Dense(1)),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003), "mse")
    return Training(model, x, 2 * y[..., None], epochs=20, batch_size=16)


@outside_healthy("time_series")
def series_traffic_of_many_sensors() -> Training:
    """Vehicles in five minutes at eight places, in vehicles, by an LSTM behind a normalization of its inputs."""
    random = np.random.default_rng(316)
    time = np.arange(700)
    day = 30 + 25 * np.sin(2 * np.pi * time[:, None] / 24 + random.uniform(0, 1, 8))
    vehicles = np.asarray(np.clip(day * random.uniform(0.5, 2, 8) + random.normal(0, 3, (700, 8)), 0, None), "float32")
    starts = range(len(vehicles) - 12)
    x = np.stack([vehicles[start : start + 12] for start in starts])
    y = vehicles[12:]
    scale = layers.Normalization()
    scale.adapt(vehicles)
    model = keras.Sequential([keras.Input((12, 8)), scale, layers.LSTM(48), layers.Dense(8)])
    compiled(model, keras.optimizers.RMSprop(0.01), "mse")
    return Training(model, x, y, epochs=30, batch_size=16)


@outside_healthy("time_series")
def series_weather_in_its_units() -> Training:
    """Degrees in an hour from standardized pressure, temperature and wind, by dense layers and the absolute error."""
    random = np.random.default_rng(317)
    time = np.arange(900)
    degrees = 20 + 8 * np.sin(2 * np.pi * time / 24) + np.convolve(random.normal(0, 1, 948), np.ones(49) / 7, "valid")
    columns = np.stack([random.normal(990, 6, 900), degrees, random.gamma(2, 2, 900)], 1)
    columns = (columns - columns.mean(0)) / columns.std(0)
    x = np.asarray(np.stack([columns[start : start + 12] for start in range(888)]), "float32")
    y = np.asarray(degrees[12:, None], "float32")
    model = keras.Sequential(
        [
            keras.Input((12, 3)),
            layers.Flatten(),
            layers.Dense(48, activation="relu"),
            layers.Dense(48, activation="relu"),
            layers.Dense(1),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003), "mae")
    constant = float(np.abs(y - np.median(y)).mean())
    return Training(model, x, y, epochs=16, constant_loss=constant)


@outside_healthy("time_series")
def series_pressure_by_tanh_layers() -> Training:
    """Standardized hours, and answers some twenty hectopascals below normal, by a recurrent layer and RMSprop."""
    series = seasons(500, -20.0, 15.0, 24, 318)
    x, y = windows((series - series.mean()) / series.std(), 24, 1)
    target = y * series.std() + series.mean()
    model = keras.Sequential([keras.Input((24, 1)), layers.SimpleRNN(64), layers.Dense(1)])
    compiled(model, keras.optimizers.RMSprop(0.003), "mse")
    return Training(model, x, target, epochs=40, goal=squared_error(model, x, target, 0.5))


@outside_healthy("time_series")
def series_machine_by_lstm_autoencoder() -> Training:
    """Anomalies of a machine as errors of an LSTM autoencoder with dropout, on readings scaled to [0, 1]."""
    random = np.random.default_rng(319)
    time = np.arange(1200)
    readings = 0.5 + 0.3 * np.sin(2 * np.pi * time / 40) + random.normal(0, 0.03, 1200)
    starts = range(0, 1160, 2)
    x = np.asarray(np.stack([readings[start : start + 30] for start in starts])[..., None], "float32")
    model = keras.Sequential(
        [
            keras.Input((30, 1)),
            layers.LSTM(24),
            layers.Dropout(0.2),
            layers.RepeatVector(30),
            layers.LSTM(24, return_sequences=True),
            layers.Dropout(0.2),
            layers.TimeDistributed(layers.Dense(1)),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003), "mae")
    constant = float(np.abs(x - np.median(x)).mean())
    return Training(model, x, x, epochs=20, constant_loss=constant)
