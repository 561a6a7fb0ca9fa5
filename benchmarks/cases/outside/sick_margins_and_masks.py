"""Programs on pictures whose masks, margins, transforms, capsules or triplets are not what their loss needs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import BLOWN, Training, outside_sick
from benchmarks.cases.data import Array, digits, photo_patches
from benchmarks.cases.networks import compiled

LOST = ("nonfinite_loss", "nonfinite_data", "no_learning", "collapsed_layer", "exploding_gradient")
"""What goes with values that are not finite."""

STUCK = (
    "stagnant_weights",
    "vanishing_gradient",
    "no_gradient",
    "dead_units",
    "dormant_units",
    "saturated_units",
    "collapsed_layer",
    "exploding_gradient",
    "poor_init",
)
"""What may go with units that give nothing, or always the same."""


def salt(count: int = 256) -> tuple[Array, Array]:
    """`[count, 16, 16, 1]` pictures of two kinds of grain, one below the other, and the pixels of the lower one."""
    random = np.random.default_rng(640)
    border = 8 + random.uniform(-4, 4, (count, 1)) + np.cumsum(random.normal(0, 0.7, (count, 16)), 1)
    is_lower = np.arange(16)[None, :, None] > border[:, None]
    pixels = np.where(is_lower, 170, 90) + random.normal(0, 35, is_lower.shape)
    return np.clip(pixels, 0, 255)[..., None].astype("float32"), is_lower[..., None].astype("float32")


@outside_sick(
    "unfit_head",
    ["mask"],
    family="vision",
    source="https://github.com/hlamba28/UNET-TGS/issues/8",
    accepted="The masks are not divided by 255 as the pictures are, so that the cross entropy becomes negative.",
    also=(*BLOWN, "vanishing_gradient", "no_gradient"),
)
def masks_saved_as_pictures() -> Training:
    """A small U-Net for salt under the ground; pictures are divided by 255, masks of 0 and 255 stay as they are."""
    pictures, is_lower = salt()
    inputs = layers.Input((16, 16, 1))
    first = layers.Conv2D(12, 3, padding="same", activation="relu", name="down_1")(inputs)
    body = layers.MaxPooling2D(name="pool")(first)
    body = layers.Conv2D(24, 3, padding="same", activation="relu", name="down_2")(body)
    body = layers.Dropout(0.1, name="dropout")(body)
    body = layers.Conv2DTranspose(12, 2, strides=2, name="up")(body)
    body = layers.Concatenate(name="joined")([body, first])
    body = layers.Conv2D(12, 3, padding="same", activation="relu", name="up_2")(body)
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid", name="mask")(body))
    return Training(compiled(model, "adam", "binary_crossentropy"), pictures / 255, 255 * is_lower, epochs=6)


def identity(shape: Any, dtype: Any = None) -> Any:
    """The numbers that leave a picture as it is."""
    return ops.cast(ops.array([1.0, 0, 0, 0, 1, 0]), dtype)


class Straightened(layers.Layer):
    """Samples a picture at places that are turned, stretched and moved, with linear interpolation."""

    def call(self, inputs: Any) -> Any:
        picture, numbers = inputs
        size = picture.shape[1]
        row, column = ops.meshgrid(ops.linspace(-1.0, 1.0, size), ops.linspace(-1.0, 1.0, size), indexing="ij")
        place = ops.reshape(ops.stack([row, column, ops.ones_like(row)]), (3, size * size))
        moved = ops.matmul(ops.reshape(numbers, (-1, 2, 3)), place)
        at = ops.clip((moved + 1) * (size - 1) / 2, 0, size - 1.001)
        low = ops.floor(at)
        flat, total = ops.reshape(picture, (-1, size * size)), 0.0
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
            part = at - low
            share = (part[:, 0] if down else 1 - part[:, 0]) * (part[:, 1] if right else 1 - part[:, 1])
            index = ops.cast((low[:, 0] + down) * size + low[:, 1] + right, "int32")
            total += share * ops.take_along_axis(flat, index, axis=1)
        return ops.reshape(total, (-1, size, size, 1))


@outside_sick(
    "no_gradient",
    ["locate_1", "locate_2", "numbers"],
    family="vision",
    source="https://github.com/kevinzakka/spatial-transformer-network/issues/3",
    accepted="The convolutions get the original picture, not the transformed one: the localization is not optimized.",
    also=("stagnant_weights", "poor_init", "dormant_units", "collapsed_layer"),
)
def straightened_picture_that_nobody_reads() -> Training:
    """A spatial transformer for digits in clutter, after which the classifier is given the picture as it was."""
    images, y = digits(640)
    random = np.random.default_rng(641)
    x = random.uniform(0, 0.3, (640, 12, 12))
    for picture, image in zip(x, images, strict=True):
        top, left = random.integers(0, 5, 2)
        picture[top : top + 8, left : left + 8] += image
    inputs = layers.Input((12, 12, 1))
    body = layers.Conv2D(8, 5, strides=2, activation="relu", name="locate_1")(inputs)
    body = layers.Dense(24, activation="tanh", name="locate_2")(layers.Flatten(name="flat")(body))
    numbers = layers.Dense(6, kernel_initializer="zeros", bias_initializer=identity, name="numbers")(body)
    straight = Straightened(name="straightened")([inputs, numbers])
    body = layers.Conv2D(16, 3, activation="relu", name="conv_1")(inputs)
    body = layers.MaxPooling2D(name="pool")(body)
    body = layers.Conv2D(32, 3, activation="relu", name="conv_2")(body)
    body = layers.Dense(48, activation="relu", name="dense")(layers.Flatten(name="flatten")(body))
    model = keras.Model(inputs, {"logits": layers.Dense(10, name="logits")(body), "straight": straight})
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    compiled(model, keras.optimizers.Adam(0.002), {"logits": loss, "straight": None})
    return Training(model, x[..., None].astype("float32"), {"logits": y}, epochs=8, constant_loss=float(np.log(10)))


class ArcMargin(layers.Layer):
    """Cosines of the angles to the classes; the one to the right class is made larger by a margin."""

    def __init__(self, classes: int, margin: float, scale: float, name: str) -> None:
        super().__init__(name=name)
        self.classes, self.margin, self.scale = classes, margin, scale

    def build(self, input_shape: Any) -> None:
        self.centers = self.add_weight(
            shape=(input_shape[0][-1], self.classes), initializer="glorot_uniform", name="centers"
        )

    def call(self, inputs: Any) -> Any:
        embedding, label = inputs
        cosine = ops.matmul(ops.normalize(embedding, axis=-1), ops.normalize(self.centers, axis=0))
        sine = ops.sqrt(1 - ops.square(cosine))
        moved = cosine * np.cos(self.margin) - sine * np.sin(self.margin)
        return self.scale * (label * moved + (1 - label) * cosine)


@outside_sick(
    "nonfinite",
    ["arc_margin"],
    family="vision",
    source="https://github.com/ktjonsson/keras-ArcFace/issues/2",
    accepted="The square of the sine has to be clipped to epsilon before its root is taken.",
    also=(*LOST, "poor_init"),
)
def margin_of_angles_in_the_plane() -> Training:
    """Digits as points in the plane, to be drawn, under an angular margin whose sine is the root of 1 - cosine²."""
    pictures, y = digits(768)
    inputs, label = layers.Input((8, 8, 1), name="picture"), layers.Input((10,), name="label")
    body = layers.Conv2D(24, 3, activation="relu", name="conv_1")(inputs)
    body = layers.Conv2D(32, 3, activation="relu", name="conv_2")(body)
    body = layers.Dense(2, name="embedding")(layers.Flatten(name="flatten")(body))
    model = keras.Model([inputs, label], ArcMargin(10, 0.3, 16.0, name="arc_margin")([body, label]))
    compiled(model, keras.optimizers.Adam(0.002))
    return Training(model, [pictures[..., None], keras.utils.to_categorical(y, 10)], y, epochs=8)


def squash(values: Any) -> Any:
    """Vectors of the same directions, of lengths below 1."""
    square = ops.sum(ops.square(values), axis=-1, keepdims=True)
    return square / (1 + square) * values / ops.sqrt(square + 1e-7)


class Capsules(layers.Layer):
    """Votes of each capsule for each class, by own matrices, and three rounds of agreement."""

    def __init__(self, classes: int, size: int, deviation: float, name: str) -> None:
        super().__init__(name=name)
        self.classes, self.size, self.deviation = classes, size, deviation

    def build(self, input_shape: Any) -> None:
        shape = (input_shape[1], self.classes, self.size, input_shape[2])
        start = keras.initializers.RandomNormal(0.0, self.deviation)
        self.matrices = self.add_weight(shape=shape, initializer=start, name="matrices")

    def call(self, capsules: Any) -> Any:
        votes = ops.einsum("bcs,ckds->bckd", capsules, self.matrices)
        scores = ops.zeros_like(votes[..., :1])
        for _ in range(3):
            answer = squash(ops.sum(ops.softmax(scores, axis=2) * votes, axis=1, keepdims=True))
            scores = scores + ops.sum(votes * answer, axis=-1, keepdims=True)
        return answer[:, 0]


def length_margins(truth: Any, lengths: Any) -> Any:
    """The right class shall be longer than 0.9, all others shorter than 0.1."""
    wanted = ops.one_hot(ops.cast(ops.reshape(truth, (-1,)), "int32"), 10)
    short, long = ops.square(ops.relu(0.9 - lengths)), ops.square(ops.relu(lengths - 0.1))
    return ops.sum(wanted * short + 0.5 * (1 - wanted) * long, axis=-1)


@outside_sick(
    "vanishing_gradient",
    ["conv", "primary", "digit_capsules"],
    family="vision",
    source="https://github.com/ageron/handson-ml/issues/164",
    accepted="The matrices between the capsules start too small, with a deviation of 0.01; 0.1 learns right away.",
    also=("poor_init", "stagnant_weights", "dead_units", "collapsed_layer", "no_gradient"),
)
def capsules_with_tiny_matrices() -> Training:
    """A capsule network for digits whose matrices start with a deviation of 0.01, trained with plain SGD."""
    pictures, y = digits(512)
    inputs = layers.Input((8, 8, 1))
    body = layers.Conv2D(24, 3, activation="relu", name="conv")(inputs)
    body = layers.Conv2D(32, 3, strides=2, name="primary")(body)
    body = layers.Lambda(lambda value: squash(ops.reshape(value, (-1, 16, 8))), name="squashed")(body)
    body = Capsules(10, 8, 0.01, name="digit_capsules")(body)
    lengths = layers.Lambda(lambda value: ops.sqrt(ops.sum(ops.square(value), -1) + 1e-7), name="lengths")(body)
    compiled(model := keras.Model(inputs, lengths), keras.optimizers.SGD(0.01), length_margins)
    return Training(model, pictures[..., None], y, epochs=8, constant_loss=0.52)


def hardest_triplets(labels: Any, points: Any) -> Any:
    """For each sample the farthest one of its class and the nearest of another one, with a margin of one half."""
    labels = ops.reshape(labels, (-1,))
    square = ops.sum(ops.square(points[:, None] - points[None]), axis=-1)
    far = ops.sqrt(square + 1e-12)
    is_same = ops.cast(labels[:, None] == labels[None], "float32")
    hardest = ops.max(is_same * far, axis=1)
    nearest = ops.min(far + 1e6 * is_same, axis=1)
    return ops.relu(hardest - nearest + 0.5)


@outside_sick(
    "collapsed_layer",
    ["dense_1", "dense_2", "embedding"],
    family="vision",
    source="https://github.com/omoindrot/tensorflow-triplet-loss/issues/25",
    accepted="With the hardest triplets the embeddings collapse to a single point; the learning rate has to be lower.",
    also=(*STUCK, "no_learning", "learning_rate"),
)
def hardest_triplets_in_one_point() -> Training:
    """From which photograph a patch is, under the hardest triplets of each batch, at a rate that is too high."""
    pictures, y = photo_patches(640), np.arange(640) % 2
    model = keras.Sequential(
        [
            layers.Input((192,)),
            layers.Dense(64, activation="relu", name="dense_1"),
            layers.Dense(64, activation="relu", name="dense_2"),
            layers.Dense(16, name="embedding"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.03, momentum=0.9), hardest_triplets)
    return Training(model, pictures.reshape(640, 192), y.astype("int32"), epochs=10, constant_loss=0.5)
