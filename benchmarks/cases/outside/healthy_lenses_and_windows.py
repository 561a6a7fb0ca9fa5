"""Healthy programs on pictures: depth from two eyes, centers of things, shifted windows, branches, noisy targets."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import Array, digits, photo_patches
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_energies_and_styles import Places

SHIFTS = 5
"""The number of shifts between two eyes that are looked at."""


class CostVolume(layers.Layer):
    """Likeness of the features of both eyes for each shift."""

    def call(self, both: Any) -> Any:
        left, right = both
        wide = ops.pad(right, ((0, 0), (0, 0), (SHIFTS - 1, 0), (0, 0)))
        width = left.shape[2]
        alike = [ops.mean(left * wide[:, :, SHIFTS - 1 - n : SHIFTS - 1 - n + width], axis=-1) for n in range(SHIFTS)]
        return ops.stack(alike, axis=-1)


class ExpectedShift(layers.Layer):
    """The mean of the shifts, weighted by a softmax over them."""

    def call(self, scores: Any) -> Any:
        return ops.sum(ops.softmax(scores) * ops.arange(float(SHIFTS)), axis=-1, keepdims=True)


def two_eyes(count: int, size: int = 16) -> tuple[list[Array], Array]:
    """Pictures of textured boards at different depths for two eyes, and the shift of each pixel."""
    random = np.random.default_rng(1700)
    photos = photo_patches(count, size + SHIFTS).mean(-1)
    boards = random.permutation(photos)
    left, right, shift = photos[:, :size, :size].copy(), photos[:, :size, :size].copy(), np.zeros((count, size, size))
    for n in range(count):
        top, start, far = random.integers(0, 7), random.integers(4, 8), random.integers(1, SHIFTS)
        rows, columns = slice(top, top + 9), slice(start, start + 8)
        board = boards[n, :9, :8] + random.uniform(-0.2, 0.2)
        left[n, rows, columns] = board
        right[n, rows, start - far : start - far + 8] = board
        shift[n, rows, columns] = far
    pictures = [(eye[..., None] - 0.5).astype("float32") * 3 for eye in (left, right)]
    return pictures, shift[..., None].astype("float32")


@outside_healthy("vision")
def vision_depth_from_two_eyes() -> Training:
    """How far each pixel moves between two eyes: the same convolutions for both, likeness, a soft minimum; Huber."""
    x, y = two_eyes(320)
    left, right = keras.Input((16, 16, 1)), keras.Input((16, 16, 1))
    eye = keras.Input((16, 16, 1))
    body = eye
    for filters in (32, 32):
        body = layers.Conv2D(filters, 3, padding="same", use_bias=False)(body)
        body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
    features = keras.Model(eye, layers.Conv2D(24, 3, padding="same")(body), name="features")
    alike = CostVolume()([features(left), features(right)])
    body = layers.Conv2D(32, 3, padding="same", activation="relu")(layers.Concatenate()([alike, left]))
    body = layers.Conv2D(32, 3, padding="same", activation="relu")(body)
    scores = layers.Conv2D(SHIFTS, 3, padding="same")(body)
    model = keras.Model([left, right], ExpectedShift()(layers.Add()([alike, scores])))
    compiled(model, keras.optimizers.RMSprop(0.001), keras.losses.Huber())
    return Training(model, x, y, epochs=12, batch_size=16)


def heat_of_centers(truth: Any, scores: Any) -> Any:
    """Focal loss that is softer near the centers; all things of a picture count together."""
    chance = ops.clip(ops.sigmoid(scores), 1e-4, 1 - 1e-4)
    is_center = ops.cast(truth > 0.999, "float32")
    found = is_center * ops.square(1 - chance) * ops.log(chance)
    false = (1 - is_center) * ops.power(1 - truth, 4) * ops.square(chance) * ops.log(1 - chance)
    return -ops.sum(found + false) / ops.maximum(ops.sum(is_center), 1.0)


def sizes_at_centers(truth: Any, size: Any) -> Any:
    """Absolute error of width and height where there is a center."""
    counts = truth[..., 2:]
    return ops.sum(counts * ops.abs(truth[..., :2] - size)) / ops.maximum(2 * ops.sum(counts), 1.0)


def boxes(count: int) -> tuple[Array, Array, Array]:
    """`[count, 16, 16, 1]` pictures of gray boxes, heat around their centers, and their sizes where the centers are."""
    random = np.random.default_rng(1701)
    x = random.normal(0, 0.1, (count, 16, 16, 1))
    heat, size = np.zeros((count, 16, 16, 1)), np.zeros((count, 16, 16, 3))
    rows, columns = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    for n in range(count):
        for _ in range(random.integers(1, 4)):
            high, wide = random.integers(1, 3, 2)
            row, column = random.integers(high, 16 - high), random.integers(wide, 16 - wide)
            x[n, row - high : row + high + 1, column - wide : column + wide + 1] += random.uniform(0.5, 1)
            spread = np.exp(-(np.square(rows - row) + np.square(columns - column)) / 2)
            heat[n, ..., 0] = np.maximum(heat[n, ..., 0], spread)
            size[n, row, column] = [2 * high + 1, 2 * wide + 1, 1]
    return x.astype("float32"), heat.astype("float32"), size.astype("float32")


@outside_healthy("vision")
def vision_things_as_points() -> Training:
    """CenterNet, a detector without anchors: a map of centers that starts at one in ten, and sizes at the centers."""
    x, heat, size = boxes(400)
    inputs = keras.Input((16, 16, 1))
    first = layers.Conv2D(32, 3, padding="same", activation="relu")(inputs)
    body = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(first)
    body = layers.Conv2D(64, 3, padding="same", activation="relu")(body)
    body = layers.Conv2DTranspose(32, 4, strides=2, padding="same", activation="relu")(body)
    body = layers.Add()([body, first])
    start = keras.initializers.Constant(-2.19)
    heads = {}
    for name, filters, bias in (("heat", 1, start), ("size", 2, "zeros")):
        wide = layers.Conv2D(64, 3, padding="same", activation="relu")(body)
        heads[name] = layers.Conv2D(filters, 1, bias_initializer=bias, name=name)(wide)
    model = keras.Model(inputs, heads)
    losses = {"heat": heat_of_centers, "size": sizes_at_centers}
    compiled(model, keras.optimizers.Adam(0.001), losses, loss_weights={"heat": 1.0, "size": 0.1})
    return Training(model, x, {"heat": heat, "size": size}, epochs=12, batch_size=20)


class Windows(layers.Layer):
    """Cuts `[samples, 8, 8, units]` into `[4 * samples, 16, units]` windows, shifted or not, as `Unwindowed` undoes."""

    def __init__(self, shift: int) -> None:
        super().__init__()
        self.shift = shift

    def call(self, values: Any) -> Any:
        moved = ops.roll(values, (-self.shift, -self.shift), axis=(1, 2))
        cut = ops.transpose(ops.reshape(moved, (-1, 2, 4, 2, 4, values.shape[-1])), (0, 1, 3, 2, 4, 5))
        return ops.reshape(cut, (-1, 16, values.shape[-1]))


class Unwindowed(layers.Layer):
    """Puts windows together again."""

    def __init__(self, shift: int) -> None:
        super().__init__()
        self.shift = shift

    def call(self, values: Any) -> Any:
        cut = ops.transpose(ops.reshape(values, (-1, 2, 2, 4, 4, values.shape[-1])), (0, 1, 3, 2, 4, 5))
        return ops.roll(ops.reshape(cut, (-1, 8, 8, values.shape[-1])), (self.shift, self.shift), axis=(1, 2))


@outside_healthy("vision")
def vision_shifted_windows() -> Training:
    """A Swin transformer: attention within windows of pixels, which are shifted in every second block, then merged."""
    x, y = digits(400)
    inputs = keras.Input((8, 8, 1))
    body = Places()(layers.LayerNormalization()(layers.Conv2D(32, 1)(inputs)))
    for shift in (0, 2):
        cut = Windows(shift)(layers.LayerNormalization()(body))
        seen = layers.MultiHeadAttention(2, 16)(cut, cut)
        body = layers.Add()([body, Unwindowed(shift)(seen)])
        wide = layers.Dense(64, activation="gelu")(layers.LayerNormalization()(body))
        body = layers.Add()([body, layers.Dropout(0.1)(layers.Dense(32)(wide))])
    merged = layers.Reshape((4, 2, 4, 64))(body)
    merged = layers.Reshape((16, 128))(layers.Permute((1, 3, 2, 4))(merged))
    body = layers.Dense(64, use_bias=False)(layers.LayerNormalization()(merged))
    normal = layers.LayerNormalization()(body)
    body = layers.Add()([body, layers.MultiHeadAttention(4, 16)(normal, normal)])
    body = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(body))
    model = keras.Model(inputs, layers.Dense(10)(body))
    rate = keras.optimizers.schedules.CosineDecay(1e-4, 170, warmup_target=4e-3, warmup_steps=10)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.05, clipnorm=1.0)
    return Training(compiled(model, optimizer), x[..., None], y, epochs=9, batch_size=20)


@outside_healthy("vision")
def vision_three_branches_summed() -> Training:
    """RepVGG: sums of a convolution of 3, one of 1 and the identity, each normalized; Nesterov, wrong labels."""
    x, labels = digits(768)
    random = np.random.default_rng(1703)
    y = np.where(random.random(768) < 0.1, random.integers(0, 10, 768), labels).astype("int32")
    inputs = keras.Input((8, 8, 1))
    body = inputs
    for filters, strides in ((32, 1), (32, 1), (64, 2), (64, 1), (96, 2)):
        branches = [
            layers.BatchNormalization(momentum=0.9)(
                layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(body)
            )
            for size in (3, 1)
        ]
        if strides == 1 and body.shape[-1] == filters:
            branches.append(layers.BatchNormalization(momentum=0.9)(body))
        body = layers.ReLU()(layers.Add()(branches))
    model = keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(body)))
    rate = keras.optimizers.schedules.CosineDecay(0.05, 240)
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=1e-4)
    return Training(compiled(model, optimizer), x[..., None], y, epochs=10)


@outside_healthy("vision")
def vision_noise_from_noise() -> Training:
    """Noise2Noise: noisy photographs as targets of other noisy copies, so that the loss ends near the noise itself."""
    random = np.random.default_rng(1704)
    clean = photo_patches(480, 16)
    x, y = (clean + random.normal(0, 0.25, clean.shape) for _ in range(2))
    inputs = keras.Input((16, 16, 3))
    first = layers.LeakyReLU(0.1)(layers.Conv2D(32, 3, padding="same", kernel_initializer="he_normal")(inputs))
    down = layers.LeakyReLU(0.1)(layers.Conv2D(48, 3, padding="same")(layers.MaxPooling2D()(first)))
    deep = layers.LeakyReLU(0.1)(layers.Conv2D(64, 3, padding="same")(layers.MaxPooling2D()(down)))
    up = layers.Concatenate()([layers.UpSampling2D()(deep), down])
    up = layers.LeakyReLU(0.1)(layers.Conv2D(48, 3, padding="same")(up))
    up = layers.Concatenate()([layers.UpSampling2D()(up), first, inputs])
    up = layers.LeakyReLU(0.1)(layers.Conv2D(32, 3, padding="same")(up))
    model = keras.Model(inputs, layers.Conv2D(3, 3, padding="same")(up))
    compiled(model, keras.optimizers.Adam(0.002, beta_2=0.99), "mse")

    def error() -> float:
        return float(np.square(np.asarray(model(x.astype("float32"), training=False)) - clean).mean() / 0.25**2)

    goal = Goal("error to the clean picture as a share of the noise", error, at_most=0.4)
    return Training(model, x.astype("float32"), y.astype("float32"), epochs=12, batch_size=16, goal=goal)
