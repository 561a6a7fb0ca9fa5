"""Healthy programs on pictures: digits in a row without their places, stored keys, fields of motion."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled


def rows_of_digits(count: int, length: int = 3) -> tuple[Array, Array]:
    """`[count, 8, 32, 1]` pictures of a few digits side by side with uneven gaps and noise, and which digits."""
    random = np.random.default_rng(600)
    images, labels = digits()
    chosen = random.integers(0, len(images), (count, length))
    pictures = random.uniform(0, 0.2, (count, 8, 32))
    for picture, numbers in zip(pictures, chosen, strict=True):
        left = random.integers(0, 3)
        for number in numbers:
            picture[:, left : left + 8] = np.maximum(picture[:, left : left + 8], images[number])
            left += random.integers(9, 11)
    return pictures[..., None].astype("float32"), labels[chosen]


@outside_healthy("vision")
def vision_letters_of_a_captcha() -> Training:
    """Three digits in a row by convolutions, an LSTM in both directions and the CTC loss, which first learns blanks."""
    x, numbers = rows_of_digits(640)
    y = (numbers + 1).astype("int32")
    inputs = keras.Input((8, 32, 1))
    body = layers.Conv2D(24, 3, padding="same", activation="relu", kernel_initializer="he_normal")(inputs)
    body = layers.MaxPooling2D((2, 2))(body)
    body = layers.Conv2D(32, 3, padding="same", activation="relu", kernel_initializer="he_normal")(body)
    body = layers.Permute((2, 1, 3))(layers.MaxPooling2D((2, 1))(body))
    body = layers.Dense(48, activation="relu")(layers.Reshape((16, 64))(body))
    body = layers.Bidirectional(layers.LSTM(32, return_sequences=True))(layers.Dropout(0.2)(body))
    model = keras.Model(inputs, layers.Dense(11)(body))
    compiled(model, keras.optimizers.Adam(0.004), keras.losses.CTC())

    def read() -> float:
        best = np.asarray(model(x, training=False)).argmax(-1)
        is_new = np.concatenate([np.ones((len(best), 1), bool), best[:, 1:] != best[:, :-1]], 1) & (best > 0)
        answers = [row[keep] for row, keep in zip(best, is_new, strict=True)]
        return float(np.mean([np.array_equal(answer, wanted) for answer, wanted in zip(answers, y, strict=True)]))

    goal = Goal("share of rows read without a mistake", read, at_least=0.5)
    return Training(model, x, y, epochs=25, goal=goal)


def shaken(pictures: Any, seed: int) -> Array:
    """Pictures that are moved by up to one pixel, made brighter or darker, and given noise."""
    random = np.random.default_rng(seed)
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)))
    tops, lefts = random.integers(0, 3, (2, len(pictures)))
    moved = [one[top : top + 8, left : left + 8] for one, top, left in zip(padded, tops, lefts, strict=True)]
    bright = np.stack(moved) * random.uniform(0.6, 1.2, (len(pictures), 1, 1))
    return np.asarray(bright + random.normal(0, 0.1, bright.shape), "float32")[..., None]


def key_network() -> keras.Model:
    """Maps pictures to directions in 24 dimensions."""
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(24, 3, strides=2, padding="same", use_bias=False)(inputs)
    body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
    body = layers.Conv2D(32, 3, padding="same", use_bias=False)(body)
    body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
    body = layers.Dense(24)(layers.Flatten()(body))
    return keras.Model(inputs, layers.UnitNormalization()(layers.BatchNormalization(momentum=0.9)(body)))


class MomentumContrast(keras.Model):
    """A network of queries, a slow copy of it that gives keys, and a queue of the keys of the last batches."""

    def __init__(self, first: Array, temperature: float) -> None:
        super().__init__()
        self.queries, self.keys, self.temperature = key_network(), key_network(), temperature
        self.keys.set_weights(self.queries.get_weights())
        self.keys.trainable = False
        self.queue = self.add_weight(shape=(len(first), 24), trainable=False, name="queue")
        self.queue.assign(self.keys(first, training=True))

    def call(self, pictures: Any) -> Any:
        return self.queries(pictures)

    def contrast(self, query: Any, key: Any) -> Any:
        right = ops.sum(query * key, axis=1, keepdims=True)
        wrong = ops.matmul(query, ops.transpose(self.queue))
        scores = ops.concatenate([right, wrong], axis=1) / self.temperature
        return ops.mean(-ops.log_softmax(scores)[:, 0])

    def train_step(self, views: Any) -> dict[str, Any]:
        key = self.keys(views[:, 1], training=True)
        with tf.GradientTape() as tape:
            loss = self.contrast(self.queries(views[:, 0], training=True), key)
        weights = self.queries.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        for slow, fast in zip(self.keys.weights, self.queries.weights, strict=True):
            slow.assign(0.97 * slow + 0.03 * fast)
        self.queue.assign(ops.concatenate([key, self.queue[: -ops.shape(key)[0]]], axis=0))
        return {"loss": loss}


@outside_healthy("vision")
def vision_queue_of_keys() -> Training:
    """Momentum contrast: a view of a digit has to find the other view among 256 keys of earlier batches."""
    pictures = digits(768)[0]
    views = (np.stack([shaken(pictures, seed) for seed in (602, 603)], 1)).astype("float32")
    model = MomentumContrast(views[:256, 1], 0.2)
    model(views[:2, 0])
    rate = keras.optimizers.schedules.CosineDecay(0.02, 480)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9, weight_decay=1e-4), jit_compile=False)

    def found() -> float:
        query, key = (np.asarray(network(views[:, n])) for n, network in enumerate((model.queries, model.keys)))
        return float(((query @ key.T).argmax(1) == np.arange(len(query))).mean())

    def error(query: Any) -> Any:
        return model.contrast(query, model.keys(views[:, 1]))

    view = View(model.queries, views[:, 0], loss=error, prefix="queries/")
    goal = Goal("share of views whose other view is the nearest", found, at_least=0.25)
    return Training(model, views, None, epochs=20, views=(view,), goal=goal)


def blobs(random: np.random.Generator, centers: Array, widths: Array) -> Array:
    """`[count, 12, 12]` pictures of bright spots."""
    grid = np.stack(np.meshgrid(np.arange(12), np.arange(12), indexing="ij"), -1)
    far = np.square(grid[None, :, :, None] - centers[:, None, None]).sum(-1)
    return np.asarray(np.exp(-far / widths[:, None, None]).max(-1) + random.normal(0, 0.02, far.shape[:3]), "float32")


class Warp(layers.Layer):
    """Moves the pixels of a picture along a field, with linear interpolation."""

    def call(self, inputs: Any) -> Any:
        picture, field = inputs
        rows, columns = ops.meshgrid(ops.arange(12.0), ops.arange(12.0), indexing="ij")
        row, column = ops.clip(rows + field[..., 0], 0, 10.999), ops.clip(columns + field[..., 1], 0, 10.999)
        top, left = ops.floor(row), ops.floor(column)
        flat = ops.reshape(picture, (-1, 144))
        corners = []
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
            share = (row - top if down else 1 - row + top) * (column - left if right else 1 - column + left)
            index = ops.reshape(ops.cast((top + down) * 12 + left + right, "int32"), (-1, 144))
            corners.append(share[..., None] * ops.reshape(ops.take_along_axis(flat, index, axis=1), (-1, 12, 12, 1)))
        return sum(corners)


def roughness(_: Any, field: Any) -> Any:
    """How much neighbors in a field differ."""
    down, right = field[:, 1:] - field[:, :-1], field[:, :, 1:] - field[:, :, :-1]
    return ops.mean(ops.square(down), axis=(1, 2, 3)) + ops.mean(ops.square(right), axis=(1, 2, 3))


@outside_healthy("vision")
def vision_fields_between_pictures() -> Training:
    """Registration without labels: a small U-Net gives the field that moves one picture onto the other."""
    random = np.random.default_rng(605)
    centers, widths = random.uniform(2, 9, (600, 3, 2)), random.uniform(2, 5, (600, 3))
    moved = centers + random.uniform(-1.5, 1.5, (600, 1, 2)) + random.uniform(-0.5, 0.5, (600, 3, 2))
    pictures = [blobs(random, places, widths)[..., None] for places in (centers, moved)]
    moving, fixed = keras.Input((12, 12, 1)), keras.Input((12, 12, 1))
    first = layers.Conv2D(16, 3, padding="same")(layers.Concatenate()([moving, fixed]))
    first = layers.LeakyReLU(0.2)(first)
    down = layers.LeakyReLU(0.2)(layers.Conv2D(32, 3, strides=2, padding="same")(first))
    down = layers.LeakyReLU(0.2)(layers.Conv2D(32, 3, padding="same")(down))
    up = layers.Concatenate()([layers.UpSampling2D(2)(down), first])
    up = layers.LeakyReLU(0.2)(layers.Conv2D(16, 3, padding="same")(up))
    field = layers.Conv2D(2, 3, padding="same", kernel_initializer="zeros", name="field")(up)
    model = keras.Model([moving, fixed], [Warp(name="moved")([moving, field]), field])
    optimizer = keras.optimizers.Adam(0.002, use_ema=True, ema_momentum=0.95)
    compiled(model, optimizer, ["mse", roughness], loss_weights=[1.0, 0.005])
    return Training(model, pictures, [pictures[1], np.zeros((600, 12, 12, 2), "float32")], epochs=15)
