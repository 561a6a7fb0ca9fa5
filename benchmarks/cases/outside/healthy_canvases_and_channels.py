"""Healthy programs that generate: by mixed channels, by rounded codes, on a canvas, and by sorted projections."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled


class ScaledChannels(layers.Layer):
    """Scales and moves each channel; also gives the logarithm of the change in volume for each pixel."""

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="scale")
        self.offset = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="offset")

    def call(self, values: Any) -> Any:
        return (values + self.offset) * ops.exp(self.scale)

    def volume(self) -> Any:
        return ops.sum(self.scale)


class MixedChannels(layers.Layer):
    """Multiplies the channels of each pixel by a matrix that starts as a rotation."""

    def build(self, input_shape: Any) -> None:
        size = input_shape[-1]
        start = keras.initializers.Orthogonal()
        self.kernel = self.add_weight(shape=(size, size), initializer=start, name="kernel")

    def call(self, values: Any) -> Any:
        return ops.matmul(values, self.kernel)

    def volume(self) -> Any:
        return ops.slogdet(self.kernel)[1]


class CoupledChannels(layers.Layer):
    """Scales and moves half of the channels by what a network says of the other half."""

    def call(self, inputs: Any) -> Any:
        values, given = inputs
        kept, changed = ops.split(values, 2, axis=-1)
        scale, offset = ops.split(given, 2, axis=-1)
        return ops.concatenate([kept, changed * ops.exp(ops.tanh(scale)) + offset], axis=-1)


@outside_healthy("generative")
def generative_flow_of_mixed_channels() -> Training:
    """Glow: digits with noise through six steps of scaling, mixing and coupling; the likelihood passes through zero."""
    random = np.random.default_rng(1740)
    pictures = digits(640)[0] * 16 / 17
    x = pictures + random.uniform(0, 1 / 17, pictures.shape) - 0.5
    x = x.reshape(-1, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 4, 4, 4).astype("float32")
    inputs = keras.Input((4, 4, 4))
    body, volumes, scales = inputs, [], []
    for _ in range(6):
        for layer in (ScaledChannels(), MixedChannels()):
            body = layer(body)
            volumes.append(layer)
        half = layers.Lambda(lambda value: value[..., :2])(body)
        deep = layers.Conv2D(64, 3, padding="same", activation="relu")(half)
        deep = layers.Conv2D(64, 1, activation="relu")(deep)
        given = layers.Conv2D(4, 3, padding="same", kernel_initializer="zeros")(deep)
        scales.append(layers.Lambda(lambda value: ops.sum(ops.tanh(value[..., :2]), axis=(1, 2, 3))[:, None])(given))
        body = CoupledChannels()([body, given])
    model = keras.Model(inputs, [body, layers.Add()(scales)])

    def likelihood(answers: Any) -> Any:
        code, coupled = answers
        density = -0.5 * ops.sum(ops.square(code) + np.log(2 * np.pi), axis=(1, 2, 3))
        return -ops.mean(density + coupled[:, 0] + 16 * sum(layer.volume() for layer in volumes)) / 64

    class Flow(keras.Model):
        def train_step(self, data: Any) -> dict[str, Any]:
            with tf.GradientTape() as tape:
                loss = likelihood(self(data, training=True))
            weights = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss}

    flow = Flow(model.inputs, model.outputs)
    rate = keras.optimizers.schedules.PolynomialDecay(0.002, 240, 1e-4)
    flow.compile(keras.optimizers.Adamax(rate, clipnorm=50.0), jit_compile=False)
    return Training(flow, x, None, epochs=12, views=(View(flow, x, loss=likelihood),))


class RoundedCode(layers.Layer):
    """Bounds each number by tanh and rounds it to one of five levels; the slope of the rounding is that of a line."""

    def call(self, values: Any) -> Any:
        bounded = 2 * ops.tanh(values)
        return (bounded + ops.stop_gradient(ops.round(bounded) - bounded)) / 2


@outside_healthy("generative")
def generative_codes_by_rounding() -> Training:
    """Finite scalar quantization: digits as 16 places of three numbers, each rounded to five levels, and no table."""
    x = digits(768)[0][..., None]
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(48, 3, padding="same", activation="silu")(inputs)
    body = layers.Conv2D(64, 3, strides=2, padding="same", activation="silu")(layers.GroupNormalization(8)(body))
    code = RoundedCode(name="code")(layers.Conv2D(3, 1, name="to_code")(layers.GroupNormalization(8)(body)))
    body = layers.Conv2D(64, 3, padding="same", activation="silu")(code)
    body = layers.Conv2DTranspose(48, 4, strides=2, padding="same", activation="silu")(body)
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same")(body))
    optimizer = keras.optimizers.AdamW(0.002, weight_decay=1e-4, use_ema=True, ema_momentum=0.97)
    return Training(compiled(model, optimizer, "mse"), x, x, epochs=10)


class PaintingCell(layers.Layer):
    """One cell looks at what is missing, another one adds to the canvas what a draw from the code says."""

    def __init__(self, units: int, codes: int) -> None:
        super().__init__()
        self.state_size, self.output_size = [units, units, units, units, 64, 1], 65
        self.look, self.paint = layers.LSTMCell(units), layers.LSTMCell(units)
        self.to_code, self.to_canvas = layers.Dense(2 * codes), layers.Dense(64)
        self.seed = keras.random.SeedGenerator(1742)

    def build(self, input_shape: Any) -> None:
        count, units = input_shape[0], self.state_size[0]
        self.look.build((count, 128 + units))
        self.to_code.build((count, units))
        self.paint.build((count, self.to_code.units // 2))
        self.to_canvas.build((count, units))

    def call(self, picture: Any, states: Any) -> Any:
        *memory, canvas, cost = states
        missing = picture - ops.sigmoid(canvas)
        seen, eye = self.look(ops.concatenate([picture, missing, memory[2]], axis=-1), memory[:2])
        mean, spread = ops.split(self.to_code(seen), 2, axis=-1)
        code = mean + ops.exp(0.5 * spread) * keras.random.normal(ops.shape(mean), seed=self.seed)
        cost += 0.5 * ops.sum(ops.square(mean) + ops.exp(spread) - spread - 1, axis=-1, keepdims=True)
        drawn, hand = self.paint(code, memory[2:])
        canvas += self.to_canvas(drawn)
        return ops.concatenate([canvas, cost], axis=-1), [*eye, *hand, canvas, cost]


def painted_badly(truth: Any, given: Any) -> Any:
    """Cross entropy of all pixels, summed, and the divergence of the codes."""
    canvas, cost = given[:, :64], given[:, 64]
    return ops.sum(ops.softplus(canvas) - truth * canvas, axis=-1) + cost


@outside_healthy("generative")
def generative_painted_in_strokes() -> Training:
    """DRAW: in four steps, two recurrent cells look at what a black and white digit lacks, and add to a canvas."""
    x = (digits(640)[0].reshape(-1, 64) > 0.5).astype("float32")
    inputs = keras.Input((64,))
    repeated = layers.RepeatVector(4)(inputs)
    model = keras.Model(inputs, layers.RNN(PaintingCell(96, 8), unroll=True, name="painter")(repeated))
    compiled(model, keras.optimizers.Adam(0.005, beta_1=0.5, clipnorm=5.0), painted_badly)
    shares = np.clip(x.mean(0), 1e-9, 1 - 1e-9)
    constant = float(-(shares * np.log(shares) + (1 - shares) * np.log(1 - shares)).sum())
    return Training(model, x, x, epochs=18, constant_loss=constant)


def sliced_distance(codes: Array, wanted: Array, directions: Array) -> Any:
    """Mean squared distance of sorted projections."""
    both = [ops.sort(ops.matmul(values, directions), axis=0) for values in (codes, wanted)]
    return ops.mean(ops.square(both[0] - both[1]))


class SlicedPrior(layers.Layer):
    """Adds the sliced distance of the codes of a batch to points of a ball as a loss."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight, self.seed = weight, keras.random.SeedGenerator(1743)

    def call(self, codes: Any) -> Any:
        wanted = keras.random.normal(ops.shape(codes), seed=self.seed)
        lines = keras.random.normal((codes.shape[-1], 50), seed=self.seed)
        self.add_loss(self.weight * sliced_distance(codes, wanted, lines / ops.norm(lines, axis=0)))
        return codes


@outside_healthy("generative")
def generative_sliced_autoencoder() -> Training:
    """A sliced Wasserstein autoencoder: sorted projections of the codes of a batch have to be those of noise."""
    x = digits(768)[0][..., None]
    inputs = keras.Input((8, 8, 1))
    body = layers.LeakyReLU(0.2)(layers.Conv2D(32, 3, padding="same")(inputs))
    body = layers.LeakyReLU(0.2)(layers.Conv2D(64, 3, strides=2, padding="same")(body))
    codes = SlicedPrior(0.1)(layers.Dense(8)(layers.Dense(128, activation="relu")(layers.Flatten()(body))))
    body = layers.Reshape((4, 4, 32))(layers.Dense(512, activation="relu")(codes))
    body = layers.LeakyReLU(0.2)(layers.Conv2D(64, 3, padding="same")(layers.UpSampling2D()(body)))
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(body))
    compiled(model, keras.optimizers.RMSprop(0.001), "binary_crossentropy")
    shares = np.clip(x.mean(0), 1e-9, 1 - 1e-9)
    constant = float(-(shares * np.log(shares) + (1 - shares) * np.log(1 - shares)).mean())
    return Training(model, x, x, epochs=12, constant_loss=constant)
