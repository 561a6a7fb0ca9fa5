"""Healthy programs whose answers are pictures, positions or several things at once."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import Array, digits, photo_patches
from benchmarks.cases.outside.healthy_goals import accuracy, binary_entropy, squared_error


def noisy_scenes(count: int = 400, size: int = 16) -> tuple[Array, Array, Array, Array]:
    """Pictures of a bright square or disk on noise, its mask, its box (top, left, height, width) and its kind."""
    random = np.random.default_rng(61)
    radius = random.integers(2, 5, count)
    center = random.integers(5, size - 5, (count, 2))
    kind = random.integers(0, 2, count)
    rows, columns = np.indices((size, size))
    far = np.stack([np.abs(rows - center[:, :1, None]), np.abs(columns - center[:, 1:, None])], -1)
    is_inside = np.where(kind[:, None, None] == 0, far.max(-1), np.sqrt((far**2).sum(-1))) <= radius[:, None, None]
    pictures = 0.8 * is_inside + random.normal(0, 0.15, is_inside.shape)
    box = np.concatenate([center - radius[:, None], np.repeat(2 * radius[:, None] + 1, 2, 1)], 1) / size
    return pictures.astype("float32")[..., None], is_inside.astype("float32")[..., None], box.astype("float32"), kind


def double_convolution(x: Any, filters: int) -> Any:
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
    return x


@outside_healthy("vision")
def vision_unet_masks() -> Training:
    """Masks by a U-Net with skip connections; nearly all answers of its sigmoid soon are 0 or 1, as the masks are."""
    x, masks, _, _ = noisy_scenes()
    inputs = layers.Input(shape=(16, 16, 1))
    first = double_convolution(inputs, 8)
    second = double_convolution(layers.MaxPool2D(2)(first), 16)
    middle = double_convolution(layers.Dropout(0.3)(layers.MaxPool2D(2)(second)), 32)
    up = layers.Conv2DTranspose(16, 3, strides=2, padding="same")(middle)
    up = double_convolution(layers.concatenate([up, second]), 16)
    up = layers.Conv2DTranspose(8, 3, strides=2, padding="same")(up)
    up = double_convolution(layers.concatenate([up, first]), 8)
    model = keras.Model(inputs, layers.Conv2D(1, 1, padding="same", activation="sigmoid")(up), name="U-Net")
    model.compile(
        optimizer=keras.optimizers.Adam(0.003), loss="binary_crossentropy", metrics=["accuracy"], jit_compile=False
    )
    return Training(model, x, masks, epochs=8, constant_loss=binary_entropy(masks))


@outside_healthy("vision")
def vision_points_of_faces() -> Training:
    """Two corners of a box, found by separable convolutions whose sigmoid gives positions in shares of the picture."""
    x, _, box, _ = noisy_scenes()
    points = np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], 1)
    inputs = layers.Input((16, 16, 1))
    body = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(inputs)
    body = layers.Dropout(0.1)(body)
    body = layers.SeparableConv2D(32, kernel_size=3, strides=1, activation="relu")(body)
    body = layers.SeparableConv2D(16, kernel_size=3, strides=1, activation="relu")(body)
    outputs = layers.SeparableConv2D(4, kernel_size=4, strides=1, activation="sigmoid")(body)
    model = keras.Model(inputs, layers.Reshape((4,))(outputs), name="keypoint_detector")
    model.compile(loss="mse", optimizer=keras.optimizers.Adam(3e-3), jit_compile=False)
    return Training(model, x, points, epochs=12)


@outside_healthy("vision")
def vision_boxes_and_classes() -> Training:
    """One network with two heads, one for the box around the thing and one for its kind, and weighted losses."""
    x, _, box, kind = noisy_scenes(512)
    inputs = keras.Input((16, 16, 1), name="picture")
    body = inputs
    for filters in (8, 16, 32):
        body = layers.Conv2D(filters, 3, padding="same", activation="relu")(body)
        body = layers.MaxPooling2D()(body)
    body = layers.Flatten()(body)
    locate = layers.Dense(48, activation="swish")(body)
    classify = layers.Dense(32, activation="relu")(body)
    outputs = {
        "box": layers.Dense(4, activation="sigmoid", name="box")(locate),
        "kind": layers.Dense(2, activation="softmax", name="kind")(classify),
    }
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(0.003),
        loss={"box": "huber", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"box": 20.0, "kind": 1.0},
        metrics={"kind": "accuracy"},
        jit_compile=False,
    )
    goal = accuracy(lambda data, training: model(data, training=training)["kind"], x, kind, 0.8)
    return Training(model, x, {"box": box, "kind": kind}, epochs=14, goal=goal)


@outside_healthy("vision")
def vision_larger_pictures() -> Training:
    """Twice the size by sub-pixel convolution: tanh layers, orthogonal kernels and a rearrangement of channels."""
    large = photo_patches(512, 16).mean(-1, keepdims=True)
    small = large.reshape(len(large), 8, 2, 8, 2, 1).mean((2, 4))
    args = {"activation": "relu", "kernel_initializer": "orthogonal", "padding": "same"}
    inputs = keras.Input(shape=(8, 8, 1))
    body = layers.Conv2D(24, 5, **args)(inputs)
    body = layers.Conv2D(24, 3, **args)(body)
    body = layers.Conv2D(12, 3, **args)(body)
    body = layers.Conv2D(4, 3, **args)(body)
    body = layers.Reshape([8, 8, 2, 2, 1])(body)
    body = layers.Permute([1, 3, 2, 4, 5])(body)
    model = keras.Model(inputs, layers.Reshape([16, 16, 1])(body))
    model.compile(optimizer=keras.optimizers.Adam(0.001), loss="mean_squared_error", jit_compile=False)
    return Training(model, small, large, epochs=12)


@outside_healthy("vision")
def vision_sharper_patches() -> Training:
    """Enhanced resolution by residual blocks without normalization, absolute errors and pixels from 0 to 255."""
    large = photo_patches(384, 16) * 255
    small = large.reshape(len(large), 8, 2, 8, 2, 3).mean((2, 4))
    inputs = layers.Input((8, 8, 3))
    x = layers.Rescaling(scale=1.0 / 255)(inputs)
    x = first = layers.Conv2D(24, 3, padding="same")(x)
    for _ in range(3):
        y = layers.Conv2D(24, 3, padding="same", activation="relu")(x)
        x = layers.Add()([x, layers.Conv2D(24, 3, padding="same")(y)])
    x = layers.Add()([layers.Conv2D(24, 3, padding="same")(x), first])
    x = layers.Conv2DTranspose(24, 4, strides=2, padding="same")(x)
    x = layers.Conv2D(3, 3, padding="same")(x)
    model = keras.Model(inputs, layers.Rescaling(scale=255)(x))
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([100], [2e-3, 1e-3])
    model.compile(optimizer=keras.optimizers.Adam(schedule), loss="mae", jit_compile=False)
    constant = float(np.abs(large - np.median(large, 0)).mean())
    return Training(model, small, large, epochs=10, batch_size=16, constant_loss=constant)


@outside_healthy("vision")
def vision_denoised_digits() -> Training:
    """A convolutional autoencoder removes noise from digits; most targets are exactly 0."""
    x = digits(768)[0][..., None]
    noisy = np.clip(x + np.random.default_rng(62).normal(0, 0.4, x.shape), 0.0, 1.0).astype("float32")
    inputs = layers.Input(shape=(8, 8, 1))
    body = layers.Conv2D(16, 3, activation="relu", padding="same")(inputs)
    body = layers.MaxPooling2D(2, padding="same")(body)
    body = layers.Conv2D(16, 3, activation="relu", padding="same")(body)
    body = layers.MaxPooling2D(2, padding="same")(body)
    body = layers.Conv2DTranspose(16, 3, strides=2, activation="relu", padding="same")(body)
    body = layers.Conv2DTranspose(16, 3, strides=2, activation="relu", padding="same")(body)
    model = keras.Model(inputs, layers.Conv2D(1, 3, activation="sigmoid", padding="same")(body))
    model.compile(optimizer=keras.optimizers.Adam(0.005), loss="binary_crossentropy", jit_compile=False)
    return Training(model, noisy, x, epochs=12, goal=squared_error(model, noisy, x, 0.7))
