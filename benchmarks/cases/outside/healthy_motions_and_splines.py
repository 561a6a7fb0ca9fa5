"""Healthy programs whose layers are made by hand: slopes of an energy, curves on edges, bodies, binary kernels."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import Array, digits, flat_digits, photo_patches
from benchmarks.cases.networks import LOGITS, compiled


class SlopesOfEnergy(layers.Layer):
    """How place and momentum change: the slope of one number that small dense layers give, turned by a quarter."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = [layers.Dense(width, activation="tanh") for _ in range(2)]
        self.parts = [*hidden, layers.Dense(1, use_bias=False)]

    def build(self, input_shape: Any) -> None:
        width = input_shape[-1]
        for part in self.parts:
            part.build((None, width))
            width = part.units

    def call(self, state: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(state)
            energy = state
            for part in self.parts:
                energy = part(energy)
        slope = tape.gradient(energy, state)
        return ops.stack([slope[:, 1], -slope[:, 0]], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@outside_healthy("tabular")
def tabular_energy_of_a_pendulum() -> Training:
    """A Hamiltonian network: motions of a pendulum as slopes of an energy, of which only the motions are known."""
    random = np.random.default_rng(510)
    x = random.uniform(-2.5, 2.5, (1000, 2)).astype("float32")
    y = np.stack([x[:, 1], -3 * np.sin(x[:, 0])], 1) + random.normal(0, 0.1, x.shape)
    model = keras.Sequential([layers.Input((2,)), SlopesOfEnergy(48)])
    compiled(model, keras.optimizers.Adam(0.003), "mse")
    return Training(model, x, y.astype("float32"), epochs=20)


class CurvedEdges(layers.Layer):
    """A learned curve for every pair of an input and a unit: a sum of bumps and of one smooth rectifier."""

    def __init__(self, units: int, bumps: int = 8) -> None:
        super().__init__()
        self.units, self.bumps = units, bumps
        self.centers = np.linspace(-2, 2, bumps).astype("float32")

    def build(self, input_shape: Any) -> None:
        inputs = input_shape[-1]
        self.straight = self.add_weight((inputs, self.units), initializer="glorot_uniform")
        self.curves = self.add_weight((inputs * self.bumps, self.units), initializer="glorot_normal")

    def call(self, values: Any) -> Any:
        distance = (values[..., None] - self.centers) * (self.bumps - 1) / 4
        bumps = ops.reshape(ops.exp(-ops.square(distance)), (-1, values.shape[-1] * self.bumps))
        return ops.matmul(ops.silu(values), self.straight) + ops.matmul(bumps, self.curves)


@outside_healthy("tabular")
def tabular_curves_on_edges() -> Training:
    """A Kolmogorov-Arnold network for a formula: curves of eight bumps on every edge, normalized in between."""
    random = np.random.default_rng(511)
    x = random.uniform(-1, 1, (1200, 4)).astype("float32")
    y = np.exp(np.sin(np.pi * x[:, 0]) + x[:, 1] ** 2) + 2 * x[:, 2] * x[:, 3] + random.normal(0, 0.05, 1200)
    model = keras.Sequential(
        [layers.Input((4,)), CurvedEdges(6), layers.LayerNormalization(), CurvedEdges(6), CurvedEdges(1)]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 38, 0.9)
    compiled(model, keras.optimizers.AdamW(rate, weight_decay=1e-4), "mse")
    return Training(model, x, y.astype("float32")[:, None], epochs=15)


def moving_bodies(count: int) -> tuple[Array, Array, Array, Array]:
    """Charges, places and speeds of four bodies in a plane, and their places after some time."""
    random = np.random.default_rng(512)
    charges = random.choice([-1.0, 1.0], (count, 4, 1))
    places, speeds = random.normal(0, 1.5, (count, 4, 2)), random.normal(0, 0.5, (count, 4, 2))
    now, moving = places.copy(), speeds.copy()
    for _ in range(20):
        apart = now[:, :, None] - now[:, None]
        strength = charges[:, :, None] * charges[:, None] / (np.square(apart).sum(-1, keepdims=True) + 0.5) ** 1.5
        moving = moving + 0.05 * (apart * strength).sum(2)
        now = now + 0.05 * moving
    return charges.astype("float32"), places.astype("float32"), speeds.astype("float32"), now.astype("float32")


class PullsBetweenBodies(layers.Layer):
    """Moves places along their differences, by amounts that depend on features and distances only."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pair = [layers.Dense(width, activation="silu") for _ in range(2)]
        gentle = keras.initializers.RandomNormal(stddev=0.003)
        self.pull = layers.Dense(1, use_bias=False, kernel_initializer=gentle)
        self.body = [layers.Dense(width, activation="silu"), layers.Dense(width)]

    def call(self, parts: Any) -> Any:
        features, places = parts
        count = places.shape[1]
        apart = places[:, :, None] - places[:, None]
        own = ops.repeat(features[:, :, None], count, axis=2)
        other = ops.repeat(features[:, None], count, axis=1)
        message = ops.concatenate([own, other, ops.sum(ops.square(apart), axis=-1, keepdims=True)], axis=-1)
        for layer in self.pair:
            message = layer(message)
        places = places + ops.mean(apart * self.pull(message), axis=2)
        change = ops.concatenate([features, ops.sum(message, axis=2)], axis=-1)
        for layer in self.body:
            change = layer(change)
        return features + change, places


@outside_healthy("graphs")
def graph_bodies_that_pull() -> Training:
    """Places of four charged bodies after some time, by layers that turn with the plane: an equivariant network."""
    charges, places, speeds, later = moving_bodies(600)
    inputs = [keras.Input((4, width)) for width in (1, 2, 2)]
    features = layers.Dense(24)(inputs[0])
    moved = inputs[1]
    for _ in range(2):
        features, moved = PullsBetweenBodies(24)([features, moved])
    drift = layers.Multiply()([layers.Dense(1)(features), inputs[2]])
    model = keras.Model(inputs, layers.Add()([moved, drift]))
    compiled(model, keras.optimizers.Adam(0.003, clipnorm=1.0), "mse")
    return Training(model, [charges, places, speeds], later, epochs=15)


def of_two_values(values: Any) -> Any:
    """The signs of the values; the gradient passes as if they had only been clipped."""
    clipped = ops.clip(values, -1, 1)
    return clipped + ops.stop_gradient(ops.where(values >= 0, 1.0, -1.0) - clipped)


class BinaryDense(layers.Layer):
    """A dense layer whose weights are -1 or 1, by the signs of numbers that are kept within these bounds."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units

    def build(self, input_shape: Any) -> None:
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight(shape, initializer="glorot_uniform", constraint=lambda w: ops.clip(w, -1, 1))

    def call(self, values: Any) -> Any:
        return ops.matmul(values, of_two_values(self.kernel))


@outside_healthy("vision")
def vision_binary_kernels() -> Training:
    """Digits by layers whose weights and inputs are -1 or 1, with normalization behind each of them."""
    x, y = flat_digits()
    inputs = keras.Input((64,))
    body = layers.BatchNormalization(momentum=0.9)(BinaryDense(128)(inputs))
    for units in (128, 10):
        body = layers.Lambda(of_two_values)(body)
        body = layers.BatchNormalization(momentum=0.9)(BinaryDense(units)(body))
    rate = keras.optimizers.schedules.CosineDecay(0.005, 512)
    model = compiled(keras.Model(inputs, body), keras.optimizers.Adam(rate), LOGITS)
    return Training(model, x, y, epochs=16)


class Readers(layers.Layer):
    """Learned vectors, to which attention adds what they read in a sample."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.count, self.width = count, width
        self.attention = layers.MultiHeadAttention(2, width // 2)

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.RandomNormal(stddev=0.3)
        self.vectors = self.add_weight((self.count, self.width), initializer=start)
        self.attention.build((None, self.count, self.width), input_shape)

    def call(self, values: Any) -> Any:
        vectors = ops.repeat(self.vectors[None], ops.shape(values)[0], axis=0)
        return vectors + self.attention(vectors, values)


@outside_healthy("vision")
def vision_readers_of_pixels() -> Training:
    """A Perceiver: eight learned vectors read pixels with their places; the same block follows twice; mean weights."""
    images, y = digits()
    angles = np.arange(8)[:, None] * np.array([0.4, 0.8, 1.6])
    waves = np.concatenate([np.sin(angles), np.cos(angles)], 1)
    places = np.concatenate([np.repeat(waves, 8, 0), np.tile(waves, (8, 1))], 1)
    x = np.concatenate([2 * images.reshape(-1, 64, 1) - 1, np.tile(places, (len(y), 1, 1))], -1).astype("float32")
    inputs = keras.Input((64, 13))
    body = Readers(8, 32)(layers.LayerNormalization()(layers.Dense(32)(inputs)))
    think, norms = layers.MultiHeadAttention(2, 16), [layers.LayerNormalization() for _ in range(2)]
    wide, narrow = layers.Dense(64, activation="gelu"), layers.Dense(32)
    for _ in range(2):
        quiet = norms[0](body)
        body = layers.Add()([body, think(quiet, quiet)])
        body = layers.Add()([body, narrow(wide(norms[1](body)))])
    model = keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling1D()(body)))
    optimizer = keras.optimizers.AdamW(0.003, weight_decay=0.01, use_ema=True, ema_momentum=0.95, global_clipnorm=1.0)
    return Training(compiled(model, optimizer), x, y, epochs=10)


def lifted(dark: Any, curves: Any) -> Any:
    """The pictures after eight curves, one after the other, each with a strength for every pixel and color."""
    for strength in ops.split(curves, 8, axis=-1):
        dark = dark + strength * (ops.square(dark) - dark)
    return dark


def error_of_light(dark: Any, curves: Any) -> Any:
    """How far the light of places is from the usual one, how unequal the colors are, and how rough the curves."""
    light = lifted(dark, curves)
    places = ops.average_pool(ops.mean(light, axis=-1, keepdims=True), 4, strides=4)
    colors = ops.mean(light, axis=(1, 2))
    tint = ops.mean(ops.square(colors - ops.mean(colors, axis=-1, keepdims=True)), axis=-1)
    rough = ops.square(curves[:, 1:] - curves[:, :-1]), ops.square(curves[:, :, 1:] - curves[:, :, :-1])
    smooth = sum(ops.mean(part, axis=(1, 2, 3)) for part in rough)
    return ops.mean(ops.square(places - 0.6), axis=(1, 2, 3)) + 0.5 * tint + 0.5 * smooth


@outside_healthy("vision")
def vision_light_without_examples() -> Training:
    """Dark photographs become light by curves for every pixel, without an example of how they should look."""
    dark = 0.3 * photo_patches(640, 12)
    inputs = keras.Input((12, 12, 3))
    first = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    second = layers.Conv2D(16, 3, padding="same", activation="relu")(first)
    third = layers.Conv2D(16, 3, padding="same", activation="relu")(second)
    body = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.Concatenate()([second, third]))
    body = layers.Concatenate()([first, body])
    model = keras.Model(inputs, layers.Conv2D(24, 3, padding="same", activation="tanh")(body))
    compiled(model, keras.optimizers.Adam(0.001), error_of_light)

    def distance() -> float:
        return abs(float(np.asarray(lifted(dark, model(dark))).mean()) - 0.6)

    goal = Goal("distance from the usual light", distance, at_most=0.1)
    return Training(model, dark, dark, epochs=12, goal=goal)
