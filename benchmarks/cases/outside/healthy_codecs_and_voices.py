"""Healthy programs on sounds: voices as clusters, a synthesizer, a codec, a pruned wake word, feelings."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy


def affinity(truth: Any, codes: Any) -> Any:
    """Mean squared difference between products of codes and whether two points belong to the same voice."""
    points = codes.shape[1] * codes.shape[2]
    codes, truth = (ops.reshape(value, (-1, points, value.shape[-1])) for value in (codes, truth))

    def size(first: Any, second: Any) -> Any:
        return ops.sum(ops.square(ops.einsum("bpi,bpj->bij", first, second)), axis=(1, 2))

    return (size(codes, codes) - 2 * size(codes, truth) + size(truth, truth)) / points**2


@outside_healthy("audio")
def audio_voices_as_clusters() -> Training:
    """Deep clustering: a code for each frame and band of a mix of two voices, so that those of one voice agree."""
    random = np.random.default_rng(531)
    shapes = np.exp(random.normal(0, 1.3, (8, 12)))
    pairs = np.stack([random.permutation(8)[:2] for _ in range(400)])
    loudness = random.gamma(2, 0.5, (400, 2, 16, 1))
    voices = shapes[pairs][:, :, None] * loudness * random.gamma(3, 1 / 3, (400, 2, 16, 12))
    x = np.log(voices.sum(1) + 0.01)
    x = ((x - x.mean()) / x.std()).astype("float32")
    y = np.eye(2)[voices.argmax(1)].astype("float32")
    inputs = keras.Input((16, 12))
    body = layers.Bidirectional(layers.LSTM(32, return_sequences=True))(inputs)
    body = layers.Bidirectional(layers.LSTM(32, return_sequences=True))(layers.Dropout(0.1)(body))
    body = layers.Reshape((16, 12, 6))(layers.Dense(72, activation="tanh")(body))
    model = keras.Model(inputs, layers.UnitNormalization()(body))
    compiled(model, keras.optimizers.RMSprop(0.002, momentum=0.5, clipnorm=5.0), affinity)
    return Training(model, x, y, epochs=14, batch_size=20)


def loud(value: Any) -> Any:
    """A sigmoid that grows like a power, between 0 and 2."""
    return 2.0 * ops.sigmoid(value) ** 2.3 + 1e-7


class Overtones(layers.Layer):
    """Adds up overtones of a pitch, whose sizes change from frame to frame."""

    def __init__(self, hop: int) -> None:
        super().__init__()
        self.hop = hop

    def call(self, inputs: Any) -> Any:
        pitch, sizes = inputs
        slow = ops.repeat(sizes, self.hop, axis=1)
        phase = ops.cumsum(ops.repeat(pitch, self.hop, axis=1), axis=1) * ops.arange(1.0, sizes.shape[-1] + 1)
        return ops.sum(slow * ops.sin(phase), axis=-1)


def spectral_distance(truth: Any, wave: Any) -> Any:
    """Differences of magnitudes and of their logarithms, for windows of two lengths."""
    total = 0.0
    for length in (32, 128):
        one, other = (tf.abs(tf.signal.stft(value, length, length // 2)) for value in (truth, wave))
        total += ops.mean(ops.abs(one - other)) + 0.3 * ops.mean(ops.abs(ops.log((one + 1e-2) / (other + 1e-2))))
    return total


@outside_healthy("audio")
def audio_tones_of_a_synthesizer() -> Training:
    """Pitch and loudness of a violin control a synthesizer inside the model; its waves are compared by spectra."""
    random = np.random.default_rng(532)
    frames = np.arange(16) / 16
    glide, swell = random.uniform(-0.3, 0.3, (300, 1)), random.uniform(0, 2 * np.pi, (300, 1))
    pitch = 0.15 * np.exp(random.uniform(0, 1, (300, 1)) + glide * frames)
    loudness = 0.5 + 0.4 * np.sin(2 * np.pi * frames + swell)
    order = np.arange(1, 7)
    sizes = loudness[..., None] * np.exp(-order * (0.3 + 1.2 * pitch[..., None])) * (order * pitch[..., None] < 2.5)
    phase = np.cumsum(np.repeat(pitch, 32, 1), 1)[..., None] * order
    wave = (np.repeat(sizes, 32, 1) * np.sin(phase)).sum(-1).astype("float32")
    known = np.stack([10 * pitch - 3, 2 * loudness - 1], -1).astype("float32")
    inputs, tone = keras.Input((16, 2)), keras.Input((16, 1))
    body = layers.LeakyReLU(0.2)(layers.LayerNormalization()(layers.Dense(48)(inputs)))
    body = layers.Concatenate()([layers.GRU(48, return_sequences=True)(body), inputs])
    body = layers.LeakyReLU(0.2)(layers.LayerNormalization()(layers.Dense(48)(body)))
    model = keras.Model([inputs, tone], Overtones(32)([tone, layers.Dense(6, activation=loud)(body)]))
    rate = keras.optimizers.schedules.ExponentialDecay(0.004, 50, 0.9)
    compiled(model, keras.optimizers.Adam(rate, global_clipnorm=3.0), spectral_distance)
    return Training(model, [known, pitch[..., None].astype("float32")], wave, epochs=15, batch_size=20)


class ResidualCodes(layers.Layer):
    """Replaces vectors by sums of entries of several tables, each for what the ones before leave.

    The tables are moving means of what they replace.
    """

    def __init__(self, stages: int, entries: int) -> None:
        super().__init__()
        self.stages, self.entries = stages, entries

    def build(self, input_shape: Any) -> None:
        shape = (self.stages, self.entries, input_shape[-1])
        start = keras.initializers.RandomNormal(stddev=0.3)
        self.tables = self.add_weight(shape, initializer=start, trainable=False, name="tables")
        self.counts = self.add_weight(shape[:2], initializer="ones", trainable=False, name="counts")

    def call(self, inputs: Any, training: bool = False) -> Any:
        rest = ops.reshape(inputs, (-1, inputs.shape[-1]))
        flat, total = rest, ops.zeros_like(rest)
        tables, counts = [], []
        for stage in range(self.stages):
            table = self.tables[stage]
            apart = ops.sum(ops.square(table), axis=1) - 2 * ops.matmul(rest, ops.transpose(table))
            chosen = ops.one_hot(ops.argmin(apart, axis=1), self.entries)
            found = ops.matmul(chosen, table)
            counts.append(0.95 * self.counts[stage] + 0.05 * ops.sum(chosen, axis=0))
            sums = 0.95 * table * self.counts[stage][:, None] + 0.05 * ops.matmul(ops.transpose(chosen), rest)
            tables.append(sums / (counts[-1][:, None] + 1e-3))
            total, rest = total + found, ops.stop_gradient(rest - found)
        self.add_loss(0.25 * ops.mean(ops.square(flat - ops.stop_gradient(total))))
        if training:
            self.tables.assign(ops.stop_gradient(ops.stack(tables)))
            self.counts.assign(ops.stack(counts))
        return inputs + ops.stop_gradient(ops.reshape(total, ops.shape(inputs)) - inputs)


@outside_healthy("audio")
def audio_codec_of_residuals() -> Training:
    """A neural codec of waves: strided convolutions, three tables for ever finer rests, and the way back."""
    random = np.random.default_rng(533)
    pitch, phase = random.uniform(0.1, 0.5, (500, 1, 2)), random.uniform(0, 6, (500, 1, 2))
    size = random.uniform(0.2, 0.6, (500, 1, 2))
    waves = (size * np.sin(np.arange(128)[None, :, None] * pitch + phase)).sum(-1) + random.normal(0, 0.02, (500, 128))
    x = waves[..., None].astype("float32")
    inputs = keras.Input((128, 1))
    body = layers.Conv1D(16, 7, strides=2, padding="same", activation="elu")(inputs)
    body = layers.Conv1D(32, 5, strides=4, padding="same", activation="elu")(body)
    body = ResidualCodes(3, 32)(layers.Conv1D(8, 3, padding="same")(body))
    body = layers.Conv1DTranspose(32, 8, strides=4, padding="same", activation="elu")(body)
    body = layers.Conv1DTranspose(16, 4, strides=2, padding="same", activation="elu")(body)
    model = keras.Model(inputs, layers.Conv1D(1, 7, padding="same")(body))
    compiled(model, keras.optimizers.AdamW(0.003, beta_1=0.5, beta_2=0.9), "mse")
    return Training(model, x, x, epochs=16, batch_size=20)


class ChannelEnergy(layers.Layer):
    """Energies divided by their mean of late, and compressed; each band learns how much."""

    def build(self, input_shape: Any) -> None:
        _, frames, bands = input_shape
        gap = np.arange(frames)[:, None] - np.arange(frames)
        smooth = np.where(gap >= 0, 0.1 * 0.9 ** np.maximum(gap, 0), 0)
        smooth[:, 0] *= 10
        self.smooth = smooth.astype("float32")
        self.gain, self.bias, self.power = (
            self.add_weight((bands,), initializer=keras.initializers.Constant(np.log(start)), name=name)
            for name, start in (("gain", 0.9), ("bias", 2.0), ("power", 0.5))
        )

    def call(self, energy: Any) -> Any:
        mean = ops.einsum("ts,bsc->btc", self.smooth, energy)
        bias, power = ops.exp(self.bias), ops.exp(self.power)
        return (energy / (1e-6 + mean) ** ops.exp(self.gain) + bias) ** power - bias**power


class Pruning(keras.callbacks.Callback):
    """Sets ever more of the smallest weights to zero, and keeps them there."""

    def __init__(self, layers_: list[keras.layers.Layer], final: float, epochs: int) -> None:
        super().__init__()
        self.layers_, self.final, self.epochs = layers_, final, epochs
        self.masks: dict[str, Array] = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        share = self.final * (1 - (1 - min(epoch / self.epochs, 1)) ** 3)
        for layer in self.layers_:
            sizes = np.abs(layer.kernel.numpy())
            self.masks[layer.name] = (sizes >= np.quantile(sizes, share)).astype("float32")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        for layer in self.layers_:
            layer.kernel.assign(layer.kernel * self.masks[layer.name])


@outside_healthy("audio")
def audio_wake_word_pruned() -> Training:
    """A wake word, near or far, by normalized energies and convolutions, of which 60 % of the weights are pruned."""
    random = np.random.default_rng(534)
    y = random.integers(0, 3, 600)
    middle = np.array([[4, 10], [10, 4], [7, 7]])[y][:, :, None]
    track = middle[:, 0] + (middle[:, 1] - middle[:, 0]) * np.linspace(0, 1, 24) + random.normal(0, 0.5, (600, 1))
    energy = np.exp(-np.square(np.arange(16) - track[..., None]) / 3) + random.gamma(1, 0.06, (600, 24, 16))
    x = (energy * np.exp(random.normal(0, 2, (600, 1, 1)))).astype("float32")
    convolutions = [layers.Conv1D(32, 5, padding="same", use_bias=False) for _ in range(2)]
    inputs = keras.Input((24, 16))
    body = ChannelEnergy()(inputs)
    for convolution in convolutions:
        body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(convolution(body)))
        body = layers.AveragePooling1D(2)(body)
    body = layers.Dropout(0.2)(layers.GlobalAveragePooling1D()(body))
    model = keras.Model(inputs, layers.Dense(3)(body))
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([150, 250], [0.03, 0.01, 0.003])
    compiled(model, keras.optimizers.SGD(rate, momentum=0.9, nesterov=True))
    y = y.astype("int32")
    fit = {"callbacks": [Pruning(convolutions, 0.6, 9)]}
    return Training(model, x, y, epochs=16, fit=fit, goal=accuracy(model, x, y, 0.85))


def lack_of_concordance(truth: Any, guess: Any) -> Any:
    """One minus the concordance of the batch: correlation that also counts a wrong mean and spread."""
    means = [ops.mean(value) for value in (truth, guess)]
    spreads = [ops.mean(ops.square(value - mean)) for value, mean in zip((truth, guess), means, strict=True)]
    together = ops.mean((truth - means[0]) * (guess - means[1]))
    return 1 - 2 * together / (spreads[0] + spreads[1] + ops.square(means[0] - means[1]) + 1e-8)


@outside_healthy("audio")
def audio_feelings_by_concordance() -> Training:
    """How aroused and how pleased a voice is, by attention over frames and a loss of the whole batch; Lion."""
    random = np.random.default_rng(535)
    feelings = np.tanh(random.normal(0, 0.6, (600, 2)))
    mixed = np.einsum("nf,fb->nb", feelings, random.normal(0, 0.8, (2, 10)))
    is_voiced = random.random((600, 20, 1)) < 0.4
    x = (is_voiced * (mixed[:, None] + 1) + random.normal(0, 0.6, (600, 20, 10))).astype("float32")
    y = [(feelings[:, at : at + 1] + random.normal(0, 0.1, (600, 1))).astype("float32") for at in range(2)]
    inputs = keras.Input((20, 10))
    body = layers.Bidirectional(layers.GRU(20, return_sequences=True))(inputs)
    shares = layers.Softmax(axis=1)(layers.Dense(1)(layers.Dense(16, activation="tanh")(body)))
    body = layers.Flatten()(layers.Dot(axes=1)([shares, body]))
    body = layers.Dense(24, activation="selu", kernel_initializer="lecun_normal")(layers.Dropout(0.2)(body))
    model = keras.Model(inputs, [layers.Dense(1, name="arousal")(body), layers.Dense(1, name="valence")(body)])
    optimizer = keras.optimizers.Lion(8e-4, weight_decay=0.01)
    compiled(model, optimizer, [lack_of_concordance] * 2, loss_weights=[0.6, 0.4])
    return Training(model, x, y, epochs=14)
