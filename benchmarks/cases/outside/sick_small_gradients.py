"""Programs whose gradients are next to nothing: behind sure sigmoids, tiny weights, far centers and a divided loss."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, outside_sick
from benchmarks.cases.data import Array, digits, photo_patches, raw_table
from benchmarks.cases.networks import compiled, constant, normal

STANDSTILL = (
    "stagnant_weights",
    "no_gradient",
    "no_learning",
    "learning_rate",
    "collapsed_layer",
    "saturated_units",
    "poor_init",
    "dead_units",
)
"""What goes with a gradient that is next to nothing."""


@outside_sick(
    "vanishing_gradient",
    ["generate_1", "generate_2", "picture"],
    family="generative",
    source="https://github.com/guojunq/lsgan/issues/3",
    accepted="In a least-squares GAN the output of the discriminator is linear; a sigmoid there lets gradients vanish.",
    also=STANDSTILL,
)
def least_squares_behind_a_sigmoid() -> Training:
    """A generator is trained by the squared distance of a discriminator's sigmoid from 1, which is sure of fakes."""
    real = digits(512)[0][..., None]
    codes = np.random.default_rng(310).normal(size=(512, 16)).astype("float32")
    inputs = layers.Input((16,))
    body = layers.Dense(64, activation="relu", name="generate_1")(inputs)
    body = layers.Reshape((4, 4, 4), name="square")(body)
    body = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu", name="generate_2")(body)
    picture = layers.Conv2D(1, 3, padding="same", activation="tanh", name="picture")(body)
    judge = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(16, 3, strides=2, activation="relu", name="judge_1"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="relu", name="judge_2"),
            layers.Dense(1, activation="sigmoid", name="is_real"),
        ]
    )
    shown = np.concatenate([real, keras.Model(inputs, picture)(codes)])
    compiled(judge, keras.optimizers.Adam(0.01), "binary_crossentropy")
    judge.fit(shown, np.repeat([1.0, 0.0], len(real)), epochs=20, verbose=0)
    body = picture
    for layer in judge.layers:
        layer.trainable = False
        body = layer(body)
    model = compiled(keras.Model(inputs, body), keras.optimizers.SGD(0.02, momentum=0.5), "mean_squared_error")
    return Training(model, codes, np.ones((512, 1), "float32"), epochs=8, constant_loss=UNKNOWN)


class Local(layers.Layer):
    """A convolution of 3 by 3 pixels with its own weights at every place, followed by ReLU."""

    def __init__(self, units: int, name: str) -> None:
        super().__init__(name=name)
        self.units = units
        self.activation = keras.activations.get("relu")

    def build(self, input_shape: Any) -> None:
        rows, columns, channels = input_shape[1:]
        shape = (rows - 2, columns - 2, 9 * channels, self.units)
        self.kernel = self.add_weight(shape=shape, initializer=normal(1e-4), name="kernel")
        self.bias = self.add_weight(shape=shape[:2] + shape[3:], initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        rows, columns = self.kernel.shape[:2]
        near = [inputs[:, i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
        return self.activation(ops.einsum("brci,rcio->brco", ops.concatenate(near, -1), self.kernel) + self.bias)


@outside_sick(
    "vanishing_gradient",
    ["local_1", "local_2"],
    family="vision",
    source="https://github.com/tensorflow/tensorflow/pull/2374",
    accepted="The deviation of the initial weights is 0.0001, so that gradients vanish; it should be 0.01.",
    also=STANDSTILL,
)
def local_layers_of_tiny_weights() -> Training:
    """The exercise with locally connected layers, whose weights start as small as those of the tutorial."""
    x, y = digits(768)
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            Local(12, name="local_1"),
            Local(12, name="local_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(48, activation="relu", kernel_initializer=normal(0.04), name="dense"),
            layers.Dense(10, kernel_initializer=normal(0.02), name="logits"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(0.1)), x[..., None], y, epochs=8)


def friends(count: int = 150) -> tuple[Array, Array]:
    """Features of the members of groups and who knows whom, most of them within a group."""
    random = np.random.default_rng(311)
    group = random.integers(0, 3, count)
    chance = np.where(group[:, None] == group, 0.4, 0.1)
    edges = np.triu(random.random((count, count)) < chance, 1)
    features = random.uniform(0, 1, (count, 16)) + 2 * np.eye(3)[group] @ random.uniform(0, 1, (3, 16))
    return features.astype("float32"), (edges + edges.T).astype("float32")


def missed_links(truth: Any, chance: Any) -> Any:
    """Cross entropy of links and of pairs without one, with chances of at least 1e-15."""
    linked = -ops.log(ops.maximum(chance, 1e-15)) * truth
    apart = -ops.log(ops.maximum(1 - chance, 1e-15)) * (1 - truth)
    return ops.sum(linked, -1) / ops.sum(truth, -1) + ops.sum(apart, -1) / ops.sum(1 - truth, -1)


@outside_sick(
    "vanishing_gradient",
    ["convolve_1", "convolve_2"],
    family="graphs",
    source="https://github.com/pyg-team/pytorch_geometric/issues/1185",
    accepted="With many edges all products are so large that the loss stays at 34.54, minus the logarithm of 1e-15.",
    also=(*STANDSTILL, "exploding_gradient"),
)
def links_of_certain_friends() -> Training:
    """A graph autoencoder whose layers add up the features of all friends, so that each pair is certainly linked."""
    x, edges = friends()
    inputs = layers.Input((16,))
    body = layers.Dense(32, activation="relu", name="convolve_1")(inputs)
    body = layers.Lambda(lambda value: ops.matmul(edges, value), name="add_1")(body)
    body = layers.Dense(16, activation="relu", name="convolve_2")(body)
    body = layers.Lambda(lambda value: ops.matmul(edges, value), name="add_2")(body)
    chance = layers.Lambda(lambda code: ops.sigmoid(ops.matmul(code, ops.transpose(code))), name="links")(body)
    model = compiled(keras.Model(inputs, chance), keras.optimizers.Adam(0.01), missed_links)
    fit = {"shuffle": False}
    return Training(model, x, edges, epochs=40, batch_size=len(x), constant_loss=UNKNOWN, fit=fit)


class Centers(layers.Layer):
    """Closeness to learned centers, which start between 0 and 1."""

    def __init__(self, count: int, name: str) -> None:
        super().__init__(name=name)
        self.count = count

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.RandomUniform(0.0, 1.0)
        self.centers = self.add_weight(shape=(self.count, input_shape[-1]), initializer=start, name="centers")
        self.sharpness = self.add_weight(shape=(self.count,), initializer=constant(0.05), name="sharpness")

    def call(self, inputs: Any) -> Any:
        far = ops.sum(ops.square(inputs[:, None] - self.centers), -1)
        return ops.exp(-self.sharpness * far)


@outside_sick(
    "vanishing_gradient",
    ["centers"],
    family="tabular",
    source="https://github.com/PetraVidnerova/rbf_keras/issues/6",
    accepted="Centers start between 0 and 1, so the layer may need a normalization before it to be close to anything.",
    also=STANDSTILL,
)
def centers_far_from_everything() -> Training:
    """Radial units with centers between 0 and 1, on columns of wines that reach 1,700."""
    x, y = raw_table("wine")
    model = keras.Sequential(
        [layers.Input((13,)), Centers(20, name="centers"), layers.Dense(3, activation="softmax", name="kinds")]
    )
    compiled(model, keras.optimizers.RMSprop(0.003), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=10, batch_size=16)


def divided_twice(truth: Any, scores: Any) -> Any:
    """Mean cross entropy per pixel, whose gradient is divided by the number of all pixels of the batch once more."""
    each = ops.maximum(scores, 0) - scores * truth + ops.log(1 + ops.exp(-ops.abs(scores)))
    loss = ops.mean(each, axis=(1, 2, 3))
    scaled = loss / ops.cast(ops.size(scores), "float32")
    return ops.stop_gradient(loss - scaled) + scaled


@outside_sick(
    "vanishing_gradient",
    ["conv_1", "conv_2", "map"],
    family="vision",
    source="https://github.com/libornovax/master_thesis_code/issues/6",
    accepted="The gradient was scaled down so much that it vanished, whatever the learning rate.",
    also=STANDSTILL,
)
def gradient_divided_by_all_pixels() -> Training:
    """A map of bright places by a loss that divides its gradient by the pixels of a batch, with a rate of 1."""
    x = photo_patches(512)
    y = (x.mean(-1, keepdims=True) > x.mean((1, 2, 3), keepdims=True)).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(12, 3, padding="same", activation="relu", name="conv_1"),
            layers.Conv2D(12, 3, padding="same", activation="relu", name="conv_2"),
            layers.Conv2D(1, 3, padding="same", name="map"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(1.0), divided_twice), x, y, epochs=6, constant_loss=0.69)
