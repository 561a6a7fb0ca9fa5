"""Healthy programs that draw sparse pictures: the next frames of a film, rare objects, a grid of cells."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import binary_entropy, squared_error


def films(count: int, frames: int, size: int, picture: int, seed: int) -> Array:
    """`[count, frames, size, size, 1]` films of a digit that moves over a black ground and bounces off its edges."""
    random = np.random.default_rng(seed)
    images, _ = digits()
    images = images[random.integers(0, len(images), count)][:, :picture, :picture]
    place = random.integers(0, size - picture + 1, (count, 2))
    speed = random.integers(-2, 3, (count, 2))
    shown = np.zeros((count, frames, size, size, 1), "float32")
    for time in range(frames):
        for number in range(count):
            row, column = place[number]
            shown[number, time, row : row + picture, column : column + picture, 0] = images[number]
        moved = place + speed
        is_beyond = (moved < 0) | (moved > size - picture)
        speed = np.where(is_beyond, -speed, speed)
        place = np.clip(place + speed, 0, size - picture)
    return shown


@outside_healthy("time_series")
def series_bouncing_digits() -> Training:
    """The guide to next-frame prediction: convolutional LSTMs between normalizations, then a sigmoid convolution."""
    shown = films(96, 8, 16, 8, 301)
    x, y = shown[:, :-1], shown[:, 1:]
    inputs = layers.Input(shape=(None, 16, 16, 1))
    body = inputs
    for size in (5, 3, 1):
        body = layers.ConvLSTM2D(12, (size, size), padding="same", return_sequences=True, activation="relu")(body)
        if size > 1:
            body = layers.BatchNormalization(momentum=0.9)(body)
    outputs = layers.Conv3D(1, (3, 3, 3), activation="sigmoid", padding="same")(body)
    model = keras.Model(inputs, outputs)
    compiled(model, keras.optimizers.Adam(0.002), "binary_crossentropy")
    goal = squared_error(model, x, y, 0.7)
    return Training(model, x, y, epochs=6, batch_size=5, constant_loss=binary_entropy(y), goal=goal)


@outside_healthy("time_series")
def series_frames_by_volumes() -> Training:
    """Two frames after four, by convolutions over space and time, a sigmoid and the cross entropy of pixels."""
    shown = films(160, 6, 12, 6, 302)
    x, y = shown[:, :4], shown[:, 4:]
    model = keras.Sequential(
        [
            keras.Input((4, 12, 12, 1)),
            layers.Conv3D(16, 3, padding="same", activation="relu"),
            layers.Conv3D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling3D((2, 1, 1)),
            layers.Conv3D(16, 3, padding="same", activation="relu"),
            layers.Conv3D(1, 1, activation="sigmoid"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003), "binary_crossentropy")
    goal = squared_error(model, x, y, 0.7)
    return Training(model, x, y, epochs=24, batch_size=8, constant_loss=binary_entropy(y), goal=goal)


@outside_healthy("time_series")
def series_radar_echoes() -> Training:
    """Rain in an hour from six radar pictures, most of them dry everywhere, by convolutional LSTMs and a sigmoid."""
    random = np.random.default_rng(303)
    rows, columns = np.mgrid[:12, :12]
    shown = np.zeros((200, 7, 12, 12, 1), "float32")
    for number in np.flatnonzero(random.random(200) < 0.6):
        center, wind, width = random.uniform(2, 10, 2), random.uniform(-0.8, 0.8, 2), random.uniform(0.8, 1.6)
        for time in range(7):
            row, column = center + time * wind
            shown[number, time, :, :, 0] = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / width**2)
    shown[shown < 0.05] = 0
    x, y = shown[:, :6], shown[:, 6]
    model = keras.Sequential(
        [
            keras.Input((6, 12, 12, 1)),
            layers.ConvLSTM2D(16, 3, padding="same", return_sequences=True, activation="relu"),
            layers.BatchNormalization(momentum=0.9),
            layers.ConvLSTM2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003), "binary_crossentropy")
    goal = squared_error(model, x, y, 0.6)
    return Training(model, x, y, epochs=12, batch_size=10, constant_loss=binary_entropy(y), goal=goal)


@outside_healthy("vision")
def vision_rare_spots() -> Training:
    """A mask of the few bright spots among dim ones: one pixel in a hundred, by convolutions and a sigmoid."""
    random = np.random.default_rng(304)
    x = random.normal(0, 0.3, (240, 16, 16, 1)).astype("float32")
    y = np.zeros((240, 16, 16, 1), "float32")
    for number in range(240):
        for spot in range(4):
            row, column = random.integers(0, 15, 2)
            x[number, row : row + 2, column : column + 2] += 1.2 if spot else 2.4
            if not spot:
                y[number, row : row + 2, column : column + 2] = 1
    inputs = keras.Input((16, 16, 1))
    body = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    body = layers.Conv2D(16, 3, padding="same", activation="relu")(body)
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(body))
    compiled(model, keras.optimizers.Adam(0.002), "binary_crossentropy")
    return Training(model, x, y, epochs=10, batch_size=16, constant_loss=binary_entropy(y.reshape(-1, 1)))


@outside_healthy("vision")
def vision_cells_of_a_grid() -> Training:
    """The next state of a grid of living cells, most of them dead, by convolutions that wrap nothing around."""
    random = np.random.default_rng(305)
    x = (random.random((400, 12, 12)) < 0.12).astype("float32")
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    around = sum(padded[:, 1 + i : 13 + i, 1 + j : 13 + j] for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)
    y = ((around == 3) | ((around == 2) & (x == 1))).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(24, 3, padding="same", activation="relu"),
            layers.Conv2D(24, 1, activation="relu"),
            layers.Conv2D(1, 1, activation="sigmoid"),
        ]
    )
    compiled(model, "adam", "binary_crossentropy")
    y = y[..., None]
    return Training(model, x[..., None], y, epochs=16, batch_size=16, constant_loss=binary_entropy(y.reshape(-1, 1)))


@outside_healthy("text")
def text_rare_labels() -> Training:
    """Sixty labels of documents from a bag of words, two of them true: a sigmoid each, and Adam from small answers."""
    random = np.random.default_rng(306)
    y = np.zeros((900, 60), "float32")
    for number in range(900):
        y[number, random.choice(60, 2, replace=False)] = 1
    signal = random.random((60, 300)) < 0.03
    x = ((y @ signal + (random.random((900, 300)) < 0.02)) > 0).astype("float32")
    model = keras.Sequential(
        [keras.Input((300,)), layers.Dense(64, activation="relu"), layers.Dense(60, activation="sigmoid")]
    )
    compiled(model, keras.optimizers.Adam(0.003), "binary_crossentropy")
    return Training(model, x, y, epochs=14, constant_loss=binary_entropy(y))


@outside_healthy("time_series")
def series_film_autoencoder() -> Training:
    """Anomalies in surveillance films by an autoencoder: strided convolutions per frame, convolutional LSTMs, back."""
    x = films(120, 5, 16, 6, 307)
    frame = layers.TimeDistributed
    model = keras.Sequential(
        [
            keras.Input((5, 16, 16, 1)),
            frame(layers.Conv2D(16, 3, strides=2, padding="same", activation="elu")),
            layers.ConvLSTM2D(12, 3, padding="same", return_sequences=True),
            layers.ConvLSTM2D(12, 3, padding="same", return_sequences=True),
            frame(layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="elu")),
            frame(layers.Conv2D(1, 3, padding="same", activation="sigmoid")),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy")
    goal = squared_error(model, x, x, 0.7)
    return Training(model, x, x, epochs=16, batch_size=4, constant_loss=binary_entropy(x), goal=goal)
