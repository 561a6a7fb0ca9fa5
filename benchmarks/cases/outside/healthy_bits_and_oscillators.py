"""Healthy programs with scaled kernels, latents, single bits, codes in stages, and oscillators under a network."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy


class ScaledConvolution(layers.Layer):
    """A convolution whose kernel has mean 0 and a fixed deviation for each unit, times a learned gain."""

    def __init__(self, units: int, strides: int = 1) -> None:
        super().__init__()
        self.units, self.strides = units, strides

    def build(self, input_shape: Any) -> None:
        shape = (3, 3, input_shape[-1], self.units)
        self.kernel = self.add_weight(shape=shape, initializer="he_normal", name="kernel")
        self.gain = self.add_weight(shape=(self.units,), initializer="ones", name="gain")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.width = float(np.prod(shape[:3]))

    def call(self, values: Any) -> Any:
        centered = self.kernel - ops.mean(self.kernel, axis=(0, 1, 2))
        deviation = ops.sqrt(ops.var(self.kernel, axis=(0, 1, 2)) * self.width + 1e-4)
        kernel = self.gain * centered / deviation
        return ops.conv(values, kernel, strides=self.strides, padding="same") + self.bias


class ClippedByUnit(keras.Model):
    """Each unit's gradient of a kernel is at most a twentieth of the unit's weights."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        weights = self.trainable_variables
        gradients = tape.gradient(loss, weights)
        self.optimizer.apply([clipped(one, weight) for one, weight in zip(gradients, weights, strict=True)], weights)
        return {"loss": loss}


def clipped(gradient: Any, weight: Any) -> Any:
    """The gradient of a kernel, unit by unit no larger than its share of the weights; others as they are."""
    axes = tuple(range(len(weight.shape) - 1))
    if not axes:
        return gradient
    most, size = (ops.sqrt(ops.sum(ops.square(one), axis=axes, keepdims=True)) for one in (weight, gradient))
    return gradient * ops.minimum(1.0, 0.05 * ops.maximum(most, 1e-3) / ops.maximum(size, 1e-6))


@outside_healthy("vision")
def vision_clipped_by_unit() -> Training:
    """Residual blocks without normalization: scaled kernels, small branches, gradients clipped for each unit."""
    x, y = digits(768)
    inputs = keras.Input((8, 8, 1))
    body = ScaledConvolution(24)(layers.Rescaling(3.0, offset=-1.0)(inputs))
    for strides in (1, 2, 1):
        inner = layers.Activation("gelu")(body)
        short = layers.AveragePooling2D(2)(inner) if strides == 2 else body
        inner = layers.Activation("gelu")(ScaledConvolution(24, strides)(inner))
        body = layers.Add()([short, layers.Rescaling(0.3)(ScaledConvolution(24)(inner))])
    body = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(layers.Activation("gelu")(body)))
    model = ClippedByUnit(inputs, layers.Dense(10)(body))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    rate = keras.optimizers.schedules.CosineDecay(0.01, 360, warmup_target=0.2, warmup_steps=40)
    compiled(model, keras.optimizers.SGD(rate, momentum=0.9, nesterov=True), loss)
    return Training(model, x[..., None], keras.utils.to_categorical(y, 10), epochs=16)


class Latents(layers.Layer):
    """A few learned vectors that look at a long input, by attention and a small network, as often as it is called."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.count, self.width = count, width
        self.look = layers.MultiHeadAttention(2, width // 2)
        self.norms = [layers.LayerNormalization() for _ in range(3)]
        self.wide, self.narrow = layers.Dense(2 * width, activation="gelu"), layers.Dense(width)

    def build(self, input_shape: Any) -> None:
        self.start = self.add_weight(shape=(self.count, self.width), initializer="glorot_uniform", name="start")
        inside = (None, self.count, self.width)
        self.look.build(inside, input_shape)
        self.norms[0].build(input_shape)
        for norm in self.norms[1:]:
            norm.build(inside)
        self.wide.build(inside)
        self.narrow.build((None, self.count, 2 * self.width))

    def call(self, values: Any) -> Any:
        values = self.norms[0](values)
        state = ops.broadcast_to(self.start, (ops.shape(values)[0], self.count, self.width))
        for _ in range(2):
            state = state + self.look(self.norms[1](state), values)
            state = state + self.narrow(self.wide(self.norms[2](state)))
        return state


@outside_healthy("vision")
def vision_latents_that_look() -> Training:
    """A perceiver: eight latent vectors look twice, with the same weights, at 64 pixels and waves of their places."""
    pictures, y = digits(768)
    place = np.stack(np.meshgrid(np.linspace(-1, 1, 8), np.linspace(-1, 1, 8), indexing="ij"), -1).reshape(64, 2)
    waves = [turn(np.pi * scale * place) for scale in (1, 2, 4) for turn in (np.sin, np.cos)]
    where = np.broadcast_to(np.concatenate([place, *waves], 1), (len(y), 64, 14))
    x = np.concatenate([3 * pictures.reshape(-1, 64, 1) - 1, where], -1).astype("float32")
    inputs = keras.Input((64, 15))
    body = Latents(8, 32)(layers.Dense(32)(inputs))
    normal = layers.LayerNormalization()(body)
    body = layers.Add()([body, layers.MultiHeadAttention(2, 16)(normal, normal)])
    body = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(body))
    model = keras.Model(inputs, layers.Dense(10)(layers.Dropout(0.1)(body)))
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([400], [4e-3, 1e-3])
    compiled(model, keras.optimizers.Lamb(rate, weight_decay=1e-3))
    return Training(model, x, y, epochs=20)


def sign_through(values: Any) -> Any:
    """Signs, with the slope of a line between -1 and 1."""
    clipped = ops.clip(values, -1.0, 1.0)
    return clipped + ops.stop_gradient(ops.where(values >= 0, 1.0, -1.0) - clipped)


class OneBit(layers.Layer):
    """A dense layer whose weights count by their sign only, and its inputs too but for the first layer."""

    def __init__(self, units: int, is_first: bool = False) -> None:
        super().__init__()
        self.units, self.is_first = units, is_first

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units),
            initializer="glorot_uniform",
            constraint=lambda value: ops.clip(value, -1, 1),
            name="kernel",
        )

    def call(self, values: Any) -> Any:
        given = values if self.is_first else sign_through(values)
        return ops.matmul(given, sign_through(self.kernel)) / self.kernel.shape[0] ** 0.5


@outside_healthy("vision")
def vision_weights_of_one_bit() -> Training:
    """Digits by a network of signs: slopes of weights and units are passed through, after batch normalization."""
    x, y = digits(1024)
    inputs = keras.Input((64,))
    body = OneBit(96, is_first=True)(inputs)
    body = layers.BatchNormalization(momentum=0.9, scale=False)(body)
    body = layers.BatchNormalization(momentum=0.9, scale=False)(OneBit(96)(body))
    model = keras.Model(inputs, layers.BatchNormalization(momentum=0.9)(OneBit(10)(body)))
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 100, 0.7)
    compiled(model, keras.optimizers.Adamax(rate))
    x = (2 * x.reshape(-1, 64) - 1).astype("float32")
    return Training(model, x, y, epochs=15, goal=accuracy(model, x, y, 0.8))


def instruments(count: int = 480, length: int = 256) -> tuple[Array, Array]:
    """`[count, length]` tones of four partials that fade, with a little noise, and their pitch for 16 frames."""
    random = np.random.default_rng(606)
    time = np.arange(length) / length
    pitch = random.uniform(8, 20, (count, 1)) + random.uniform(-2, 2, (count, 1)) * time
    phase = 2 * np.pi * np.cumsum(pitch, 1) / length
    sizes = random.dirichlet(np.ones(4), count)
    fading = np.exp(-time[None] * random.uniform(0.5, 3, (count, 1)))
    wave = fading * sum(sizes[:, n : n + 1] * np.sin((n + 1) * phase) for n in range(4))
    wave = wave + random.normal(0, 0.01, wave.shape)
    return wave.astype("float32"), pitch.astype("float32")


class Stages(layers.Layer):
    """Replaces each vector by a code, and what is left of it by a code of the next table, and so on."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        self.count, self.size = count, size

    def build(self, input_shape: Any) -> None:
        shape = (self.size, input_shape[-1])
        starts = [keras.initializers.RandomUniform(-0.3, 0.3, seed=607 + n) for n in range(self.count)]
        self.tables = [
            self.add_weight(shape=shape, initializer=start, name=f"table_{n}") for n, start in enumerate(starts)
        ]

    def call(self, values: Any) -> Any:
        rest, total = values, ops.zeros_like(values)
        for table in self.tables:
            far = ops.sum(ops.square(rest[..., None, :] - table), axis=-1)
            code = ops.take(table, ops.argmin(far, axis=-1), axis=0)
            moved = ops.mean(ops.square(ops.stop_gradient(rest) - code))
            self.add_loss(moved + 0.25 * ops.mean(ops.square(rest - ops.stop_gradient(code))))
            total = total + code
            rest = rest - ops.stop_gradient(code)
        return values + ops.stop_gradient(total - values)


def spectra(waves: Any, size: int) -> Any:
    """Sizes of the frequencies of `[samples, length]` waves."""
    return tf.abs(tf.signal.stft(tf.convert_to_tensor(waves), size, size // 4))


def wave_and_spectra(truth: Any, guess: Any) -> Any:
    """Absolute errors of the wave and of its spectra at two scales."""
    loss = ops.mean(ops.abs(truth - guess), axis=-1)
    for size in (32, 64):
        loss += 0.1 * ops.mean(ops.abs(spectra(truth, size) - spectra(guess, size)), axis=(1, 2))
    return loss


@outside_healthy("audio")
def audio_codes_in_stages() -> Training:
    """A codec for sound: strided convolutions, three tables of codes for what is left, and the way back to the wave."""
    x, _ = instruments()
    x = x / x.std()
    inputs = keras.Input((256,))
    body = layers.Reshape((256, 1))(inputs)
    for width in (16, 32):
        body = layers.ELU()(layers.Conv1D(width, 8, strides=4, padding="same")(body))
    body = Stages(3, 32)(layers.Conv1D(12, 3, padding="same")(body))
    body = layers.ELU()(layers.Conv1D(48, 3, padding="same")(body))
    for width in (32, 16):
        body = layers.ELU()(layers.Conv1DTranspose(width, 8, strides=4, padding="same")(body))
    body = layers.Flatten()(layers.Conv1D(1, 7, padding="same")(body))
    model = keras.Model(inputs, body)
    compiled(model, keras.optimizers.AdamW(0.003, beta_1=0.8, beta_2=0.99, clipnorm=1.0), wave_and_spectra)
    return Training(model, x, x, epochs=20)


class Oscillators(layers.Layer):
    """Adds up sines at multiples of a pitch, whose sizes are given for each frame."""

    def call(self, inputs: Any) -> Any:
        sizes, pitch = inputs
        length = pitch.shape[1]
        phase = 2 * np.pi * ops.cumsum(pitch, axis=1) / length
        sizes = ops.image.resize(sizes[..., None], (length, sizes.shape[-1]), interpolation="bilinear")[..., 0]
        partials = ops.arange(1.0, sizes.shape[-1] + 1)
        return ops.sum(sizes * ops.sin(phase[..., None] * partials), axis=-1)


def spectra_at_scales(truth: Any, guess: Any) -> Any:
    """Errors of the spectra and of their logarithms at three scales."""
    loss = ops.zeros_like(truth[:, 0])
    for size in (16, 32, 64):
        wanted, given = spectra(truth, size), spectra(guess, size)
        loss += ops.mean(ops.abs(wanted - given), axis=(1, 2))
        loss += 0.1 * ops.mean(ops.abs(ops.log(wanted + 1e-2) - ops.log(given + 1e-2)), axis=(1, 2))
    return loss


@outside_healthy("audio")
def audio_oscillators_under_a_network() -> Training:
    """A recurrent network sets eight oscillators so that their sum has the spectra of an instrument."""
    x, pitch = instruments()
    loud = np.log(np.sqrt(np.square(x.reshape(-1, 16, 16)).mean(-1)) + 1e-3)
    colors = np.log(np.abs(np.fft.rfft(x.reshape(-1, 4, 64) * np.hanning(64)))[..., 1:25] + 1e-2)
    frames = np.concatenate([loud[..., None], pitch.reshape(-1, 16, 16).mean(-1)[..., None] / 10], -1)
    frames = np.concatenate([frames, np.repeat(colors, 4, 1)], -1).astype("float32")
    given, heights = keras.Input((16, 26)), keras.Input((256,))
    body = layers.LayerNormalization()(layers.Dense(48, activation="leaky_relu")(given))
    body = layers.GRU(48, return_sequences=True)(body)
    body = layers.LayerNormalization()(layers.Dense(48, activation="leaky_relu")(layers.Concatenate()([body, given])))
    sizes = layers.Dense(8, activation="softplus", bias_initializer=keras.initializers.Constant(-3.0))(body)
    model = keras.Model([given, heights], Oscillators()([sizes, heights]))
    compiled(model, keras.optimizers.Adam(0.002, clipnorm=3.0), spectra_at_scales)
    return Training(model, [frames, pitch], x, epochs=15)
