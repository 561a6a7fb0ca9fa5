"""Healthy programs on pictures and volumes: scans, own kernels, detectors, twins without labels, joints."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled


def scans(count: int, size: int = 10) -> tuple[Array, Array]:
    """Noisy volumes with a few bright vessels, and whether there is a dense lump among them."""
    random = np.random.default_rng(401)
    places = np.moveaxis(np.mgrid[:size, :size, :size], 0, -1)
    x = random.normal(0.2, 0.12, (count, size, size, size))
    y = random.integers(0, 2, count)
    for volume, is_ill in zip(x, y, strict=True):
        for _ in range(3):
            row, column = random.integers(0, size, 2)
            volume[row, column] += 0.4
        center, radius = random.uniform(3, size - 3, 3), random.uniform(1.6, 2.6)
        volume[np.square(places - center).sum(-1) < radius**2] += 0.35 * is_ill
    return x.clip(0, 1)[..., None].astype("float32"), y.astype("float32")[:, None]


@outside_healthy("vision")
def vision_lumps_in_scans() -> Training:
    """Whether a scan shows a lump: convolutions over volumes, batch normalization, and a rate that decays by steps."""
    x, y = scans(320)
    inputs = layers.Input((10, 10, 10, 1))
    body: Any = inputs
    for filters in (8, 16):
        body = layers.Conv3D(filters, 3, activation="relu", padding="same")(body)
        body = layers.MaxPool3D(2)(body)
        body = layers.BatchNormalization(momentum=0.9)(body)
    body = layers.GlobalAveragePooling3D()(body)
    body = layers.Dropout(0.3)(layers.Dense(32, activation="relu")(body))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(body))
    rate = keras.optimizers.schedules.ExponentialDecay(0.003, decay_steps=100, decay_rate=0.9, staircase=True)
    compiled(model, keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["acc"])
    return Training(model, x, y, epochs=14, batch_size=16)


class Involution(layers.Layer):
    """Every pixel makes its own kernel of 3 by 3, which all channels of a group share."""

    def __init__(self, groups: int, reduced: int) -> None:
        super().__init__()
        self.groups = groups
        self.narrow = layers.Dense(reduced)
        self.normal = layers.BatchNormalization(momentum=0.9)
        self.kernels = layers.Dense(9 * groups)

    def build(self, input_shape: Any) -> None:
        self.narrow.build(input_shape)
        between = (*input_shape[:-1], self.narrow.units)
        self.normal.build(between)
        self.kernels.build(between)

    def call(self, inputs: Any, training: bool = False) -> Any:
        height, width, channels = inputs.shape[1:]
        made = self.kernels(ops.relu(self.normal(self.narrow(inputs), training=training)))
        made = ops.reshape(made, (-1, height, width, 9, self.groups, 1))
        seen = ops.image.extract_patches(inputs, 3, strides=1, padding="same")
        seen = ops.reshape(seen, (-1, height, width, 9, self.groups, channels // self.groups))
        return ops.reshape(ops.sum(made * seen, axis=3), (-1, height, width, channels))


@outside_healthy("vision")
def vision_involutions() -> Training:
    """Kernels that every pixel makes for itself, then ReLU and pooling, between one convolution and the classes."""
    x, y = digits(700)
    inputs = layers.Input((8, 8, 1))
    body = layers.Conv2D(16, 3, padding="same")(inputs)
    body = layers.MaxPooling2D()(layers.ReLU()(Involution(2, 8)(body)))
    body = layers.ReLU()(Involution(2, 8)(body))
    body = layers.Dense(48, activation="relu")(layers.Flatten()(body))
    model = keras.Model(inputs, layers.Dense(10)(body))
    compiled(model, keras.optimizers.Adam(0.003))
    return Training(model, x[..., None], y, epochs=10)


def street_scenes(count: int) -> tuple[Array, Array]:
    """Pictures of up to three squares, and for each cell of a grid whether one is centered there, with its box."""
    random = np.random.default_rng(402)
    x = random.normal(0.3, 0.08, (count, 24, 24))
    y = np.zeros((count, 6, 6, 4))
    for picture, cells in zip(x, y, strict=True):
        for _ in range(random.integers(1, 4)):
            (row, column), half = random.integers(4, 20, 2), random.integers(1, 4)
            picture[row - half : row + half + 1, column - half : column + half + 1] = random.uniform(0.7, 1.0)
            cells[row // 4, column // 4] = 1, row % 4 / 4, column % 4 / 4, half / 4
    return x[..., None].astype("float32"), y.astype("float32")


def focal_and_box(truth: Any, given: Any) -> Any:
    """The focal loss of the scores of all cells, and a smooth absolute error of the boxes of cells with a square."""
    there, score = truth[..., :1], given[..., :1]
    chance = ops.sigmoid(score)
    missed = there * ops.square(1 - chance) * ops.softplus(-score)
    imagined = (1 - there) * ops.square(chance) * ops.softplus(score)
    gap = ops.abs(truth[..., 1:] - given[..., 1:])
    smooth = ops.where(gap < 0.1, 5 * ops.square(gap), gap - 0.05)
    count = ops.maximum(ops.sum(there), 1.0)
    return ops.sum(0.25 * missed + 0.75 * imagined) / count + ops.sum(there * smooth) / count


@outside_healthy("vision")
def vision_detector_with_focal_loss() -> Training:
    """A one-stage detector: nearly all cells are empty, so scores start at one in a hundred and the loss is focal."""
    x, y = street_scenes(400)
    inputs = layers.Input((24, 24, 1))
    body = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(inputs)
    body = layers.Conv2D(24, 3, strides=2, padding="same", activation="relu")(body)
    scores = layers.Conv2D(24, 3, padding="same", activation="relu")(body)
    rare = keras.initializers.Constant(-math.log(99))
    scores = layers.Conv2D(1, 3, padding="same", bias_initializer=rare)(scores)
    boxes = layers.Conv2D(24, 3, padding="same", activation="relu")(body)
    boxes = layers.Conv2D(3, 3, padding="same")(boxes)
    model = keras.Model(inputs, layers.Concatenate()([scores, boxes]))
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([20, 220], [0.002, 0.02, 0.004])
    compiled(model, keras.optimizers.SGD(rate, momentum=0.9, clipnorm=10.0), focal_and_box)

    def found() -> float:
        is_found = np.asarray(model(x, training=False))[..., 0] > 0
        both = (is_found & (y[..., 0] > 0)).sum()
        return float(2 * both / (is_found.sum() + y[..., 0].sum()))

    return Training(model, x, y, epochs=12, batch_size=16, goal=Goal("F1 of the cells", found, at_least=0.75))


def decorrelated(_: Any, both: Any) -> Any:
    """How far the correlations of the columns of two codes are from the identity."""
    codes = ops.split(both, 2, axis=-1)
    first, second = ((code - ops.mean(code, 0)) / (ops.std(code, 0) + 1e-4) for code in codes)
    products = ops.matmul(ops.transpose(first), second) / ops.cast(ops.shape(both)[0], "float32")
    same = ops.eye(products.shape[0])
    return ops.sum(ops.square(products - same) * (same + 0.02 * (1 - same)))


@outside_healthy("vision")
def vision_twins_without_redundancy() -> Training:
    """Learning without labels: codes of two views of a digit agree, and their columns have nothing in common."""
    x = digits(1024)[0][..., None]
    random = np.random.default_rng(403)

    def view() -> Array:
        moved = np.stack([np.roll(picture, random.integers(-1, 2, 2), (0, 1)) for picture in x])
        return (moved * random.uniform(0.7, 1.3, (1024, 1, 1, 1)) + random.normal(0, 0.1, x.shape)).astype("float32")

    inputs = [layers.Input((8, 8, 1)), layers.Input((8, 8, 1))]
    parts = [
        layers.Conv2D(24, 3, activation="relu"),
        layers.Conv2D(32, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(64, use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.Dense(32),
    ]
    codes = []
    for one in inputs:
        body: Any = one
        for part in parts:
            body = part(body)
        codes.append(body)
    model = keras.Model(inputs, layers.Concatenate()(codes))
    rate = keras.optimizers.schedules.CosineDecay(1e-4, 150, warmup_target=2e-3, warmup_steps=16)
    compiled(model, keras.optimizers.AdamW(rate, weight_decay=1e-4), decorrelated)
    return Training(model, [view(), view()], np.zeros((1024, 1), "float32"), epochs=10, batch_size=64)


def spatial_gate(inputs: Any, patches: int) -> Any:
    """Half of the channels, multiplied by a mixture over the patches of the other half, which starts as a one."""
    kept, gate = layers.Lambda(lambda value: tuple(ops.split(value, 2, axis=-1)))(inputs)
    gate = layers.Permute((2, 1))(layers.LayerNormalization(epsilon=1e-6)(gate))
    gate = layers.Dense(patches, kernel_initializer="zeros", bias_initializer="ones")(gate)
    return layers.Multiply()([kept, layers.Permute((2, 1))(gate)])


@outside_healthy("vision")
def vision_spatial_gates() -> Training:
    """Blocks of gMLP on patches: the layer that mixes the patches starts with weights of zero and biases of one."""
    x, y = digits(900)
    patches = x.reshape(900, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(900, 16, 4)
    inputs = layers.Input((16, 4))
    body = layers.Dense(32)(inputs)
    for _ in range(3):
        branch = layers.Dense(64, activation="gelu")(layers.LayerNormalization(epsilon=1e-6)(body))
        branch = layers.Dense(32)(spatial_gate(branch, 16))
        body = layers.Add()([body, layers.Dropout(0.1)(branch)])
    body = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(body))
    model = keras.Model(inputs, layers.Dense(10)(body))
    compiled(model, keras.optimizers.AdamW(0.003, weight_decay=1e-4))
    return Training(model, patches, y, epochs=10)


def joints(count: int) -> tuple[Array, Array]:
    """Pictures of a bent arm, and a heat map for each of its shoulder, elbow and hand."""
    random = np.random.default_rng(404)
    points = np.cumsum(random.uniform(-1, 1, (count, 3, 2)) * [[3], [4], [4]], 1) + 8
    points = points.clip(1, 14)
    steps = np.linspace(0, 1, 8)[:, None]
    grid = np.moveaxis(np.mgrid[:16, :16], 0, -1)
    x = random.normal(0, 0.05, (count, 16, 16))
    for picture, (shoulder, elbow, hand) in zip(x, points, strict=True):
        for start, end, light in ((shoulder, elbow, 1.0), (elbow, hand, 0.6)):
            rows, columns = (start + steps * (end - start)).round().astype(int).T
            picture[rows, columns] = light
    far = np.square(grid[None, :, :, None] - points[:, None, None]).sum(-1)
    return x[..., None].astype("float32"), np.exp(-far / 3).astype("float32")


@outside_healthy("vision")
def vision_stacked_hourglasses() -> Training:
    """Heat maps of joints, nearly zero everywhere, by two hourglasses one after the other, both of them supervised."""
    x, y = joints(400)
    inputs = layers.Input((16, 16, 1))
    body = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    outputs = []
    for number in range(2):
        low = layers.Conv2D(24, 3, padding="same", activation="relu")(layers.MaxPooling2D()(body))
        low = layers.Conv2D(24, 3, padding="same", activation="relu")(layers.MaxPooling2D()(low))
        low = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.UpSampling2D(4)(low))
        high = layers.Conv2D(16, 3, padding="same", activation="relu")(body)
        joined = layers.Conv2D(16, 1, activation="relu")(layers.Add()([high, low]))
        outputs.append(layers.Conv2D(3, 1, name=f"maps_{number}")(joined))
        back = [layers.Conv2D(16, 1)(joined), layers.Conv2D(16, 1)(outputs[-1])]
        body = layers.Add()([body, *back]) if number == 0 else body
    model = keras.Model(inputs, outputs)
    compiled(model, keras.optimizers.RMSprop(0.002), ["mse", "mse"])
    constant = 2 * float(y.reshape(400, -1).var(0).mean())
    return Training(model, x, [y, y], epochs=12, batch_size=16, constant_loss=constant)
