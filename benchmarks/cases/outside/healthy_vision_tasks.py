"""Healthy programs for images beyond classification: segmentation, resolution, similarity, key points."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array, digits, photo_patches


def shapes(count: int, size: int = 16) -> tuple[Array, Array, Array, Array]:
    """Noisy images of one disk or square: images, class of every pixel, center in [0, 1], whether it is a disk."""
    random = np.random.default_rng(11)
    rows, columns = np.mgrid[:size, :size]
    centers = random.uniform(4, size - 4, (count, 2))
    radius = random.uniform(2, 4, (count, 1, 1))
    is_disk = random.integers(0, 2, count)
    far = np.stack([rows - centers[:, :1, None], columns - centers[:, 1:, None]])
    inside_disk = np.square(far).sum(0) < np.square(radius)
    inside = np.where(is_disk[:, None, None] == 1, inside_disk, np.abs(far).max(0) < radius)
    images = 0.7 * inside + random.normal(0, 0.15, inside.shape)
    pixels = np.where(inside, 1 + is_disk[:, None, None], 0)
    return images[..., None].astype("float32"), pixels[..., None], (centers / size).astype("float32"), is_disk


@outside_healthy("vision")
def vision_unet_segmentation() -> Training:
    """Segmentation with a U-Net of separable convolutions; nine pixels in ten are background."""
    images, pixels, _, _ = shapes(160)
    inputs = keras.Input(shape=(16, 16, 1))
    first = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    x = layers.MaxPooling2D()(first)
    x = layers.SeparableConv2D(16, 3, padding="same")(x)
    x = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))
    second = x
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(24, 3, padding="same")(x)
    x = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.concatenate([x, second])
    x = layers.UpSampling2D(2)(layers.Conv2D(12, 3, padding="same", activation="relu")(x))
    x = layers.concatenate([x, first])
    outputs = layers.Conv2D(3, 3, activation="softmax", padding="same")(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.Adam(5e-3), loss="sparse_categorical_crossentropy", jit_compile=False)
    return Training(model, images, pixels, epochs=8, batch_size=16)


class DepthToSpace(layers.Layer):
    """Rearranges channels into pixels."""

    def __init__(self, block_size: int) -> None:
        super().__init__()
        self.block_size = block_size

    def call(self, inputs: Any) -> Any:
        return tf.nn.depth_to_space(inputs, self.block_size)


@outside_healthy("vision")
def vision_super_resolution() -> Training:
    """Super-resolution by rearranged channels; all convolutions start orthogonal and outputs stay near gray."""
    high = photo_patches(256, 16).mean(-1, keepdims=True)
    low = high.reshape(-1, 8, 2, 8, 2, 1).mean((2, 4))
    options = {"activation": "relu", "kernel_initializer": "orthogonal", "padding": "same"}
    model = keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            layers.Conv2D(24, 5, **options),
            layers.Conv2D(24, 3, **options),
            layers.Conv2D(12, 3, **options),
            layers.Conv2D(4, 3, padding="same", kernel_initializer="orthogonal"),
            DepthToSpace(2),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss=keras.losses.MeanSquaredError(), jit_compile=False)
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=10)
    return Training(model, low, high, epochs=10, batch_size=8, fit={"callbacks": [stop]})


@outside_healthy("vision")
def vision_siamese_pairs() -> Training:
    """A Siamese network that compares two digits by a distance; both branches are the same network."""
    x, y = digits(640)
    x = x[..., None]
    random = np.random.default_rng(4)
    partners = np.array([random.choice(np.flatnonzero((y == label) == (at % 2 == 0))) for at, label in enumerate(y)])
    other, is_same = x[partners], (np.arange(len(y)) % 2 == 0).astype("float32")[:, None]
    embedding_network = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.BatchNormalization(momentum=0.9),
            layers.Conv2D(8, (3, 3), activation="tanh", padding="same"),
            layers.AveragePooling2D(pool_size=(2, 2)),
            layers.Conv2D(16, (3, 3), activation="tanh"),
            layers.Flatten(),
            layers.Dense(16, activation="tanh"),
        ],
        name="embedding_network",
    )
    left, right = keras.Input((16,)), keras.Input((16,))
    distance = ops.sqrt(ops.sum(ops.square(left - right), axis=1, keepdims=True) + 1e-7)
    normal = layers.BatchNormalization(momentum=0.9)(distance)
    compare = keras.Model([left, right], layers.Dense(1, activation="sigmoid")(normal), name="compare")
    input_1, input_2 = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    siamese = keras.Model([input_1, input_2], compare([embedding_network(input_1), embedding_network(input_2)]))
    siamese.compile(
        loss="binary_crossentropy", optimizer=keras.optimizers.RMSprop(0.003), metrics=["accuracy"], jit_compile=False
    )
    count = len(x)

    def judge(embedded: Any) -> Any:
        same = compare([embedded[:count], embedded[count:]], training=True)
        return ops.mean(keras.losses.binary_crossentropy(is_same, same))

    inner = View(embedding_network, np.concatenate([x, other]), loss=judge, prefix="embedding_network/")
    return Training(siamese, [x, other], is_same, epochs=8, views=(View(siamese, [x, other], is_same), inner))


@outside_healthy("vision")
def vision_key_points_and_class() -> Training:
    """Key points and class of a shape from two heads whose losses differ in size."""
    images, _, centers, is_disk = shapes(400)
    inputs = keras.Input(shape=(16, 16, 1), name="image")
    x = inputs
    for filters in (8, 16, 24):
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.PReLU(shared_axes=[1, 2])(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(48, activation="relu", kernel_initializer="he_normal")(layers.Flatten()(x))
    position = layers.Dense(2, activation="sigmoid", name="position")(x)
    shape = layers.Dense(2, name="shape")(layers.Dropout(0.2)(x))
    model = keras.Model(inputs, {"position": position, "shape": shape})
    model.compile(
        optimizer=keras.optimizers.Adam(0.002),
        loss={"position": "mse", "shape": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        loss_weights={"position": 10.0, "shape": 1.0},
        metrics={"shape": ["accuracy"]},
        jit_compile=False,
    )
    constant = 10 * float(centers.var(0).mean()) + float(np.log(2))
    return Training(
        model, images, {"position": centers, "shape": is_disk}, epochs=14, batch_size=20, constant_loss=constant
    )
