"""Healthy programs on sound: pitch as a blurred class, clips with weak labels, learned gain, masks of two numbers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import binary_entropy

BINS = 40
"""The number of bins of pitch, four to a semitone and a half."""


def voices_with_pitch(count: int, length: int = 256) -> tuple[Array, Array]:
    """`[count, length, 1]` frames of a voice with overtones and noise, and heat around the bin of its pitch."""
    random = np.random.default_rng(1720)
    place = random.uniform(4, BINS - 4, count)
    pitch = 0.04 * 2 ** (place / 16)
    time = np.arange(length)
    x = np.zeros((count, length))
    for overtone in range(1, 5):
        size = random.uniform(0.2, 1, (count, 1)) / overtone
        x += size * np.sin(2 * np.pi * overtone * pitch[:, None] * time + random.uniform(0, 6.3, (count, 1)))
    x += random.normal(0, 0.2, x.shape)
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    heat = np.exp(-np.square(np.arange(BINS) - place[:, None]) / (2 * 1.25**2))
    return x[..., None].astype("float32"), heat.astype("float32")


@outside_healthy("audio")
def audio_pitch_as_blurred_class() -> Training:
    """Pitch by a network like CREPE: six convolutions on the wave, and a sigmoid for each bin with blurred targets."""
    x, y = voices_with_pitch(640)
    inputs = keras.Input((256, 1))
    body = inputs
    for filters, width, strides in ((64, 32, 4), (32, 16, 1), (32, 16, 1), (64, 8, 1)):
        body = layers.Conv1D(filters, width, strides=strides, padding="same", activation="relu")(body)
        body = layers.MaxPooling1D()(layers.BatchNormalization(momentum=0.9)(body))
        body = layers.Dropout(0.1)(body)
    model = keras.Model(inputs, layers.Dense(BINS, activation="sigmoid")(layers.Flatten()(body)))
    compiled(model, keras.optimizers.Adam(0.001), "binary_crossentropy")
    return Training(model, x, y, epochs=12, constant_loss=binary_entropy(y))


KINDS = 5
"""The number of kinds of events."""


def weak_clips(count: int, frames: int = 24, bands: int = 20) -> tuple[Array, Array]:
    """`[count, frames, bands]` log energies with a few short events, and which kinds of events occur in each clip."""
    random = np.random.default_rng(1721)
    x = random.normal(0, 1, (count, frames, bands))
    y = (random.random((count, KINDS)) < 0.25).astype("float32")
    shapes = random.normal(0, 1, (KINDS, 4, bands))
    for clip, kinds in zip(x, y, strict=True):
        for kind in np.flatnonzero(kinds):
            for start in random.integers(0, frames - 4, random.integers(1, 3)):
                clip[start : start + 4] += 1.6 * shapes[kind]
    return x.astype("float32"), y


class AttentionPooling(layers.Layer):
    """Means over the frames of the scores of each kind, weighted by a softmax over the frames."""

    def call(self, inputs: Any) -> Any:
        scores, attention = inputs
        return ops.sum(scores * ops.softmax(attention, axis=1), axis=1)


@outside_healthy("audio")
def audio_clips_with_weak_labels() -> Training:
    """Kinds of events of whole clips: attention weights the frames for each kind; a convolutional GRU, and mixup."""
    x, y = weak_clips(512)
    random = np.random.default_rng(1722)
    share = random.beta(0.4, 0.4, 512).astype("float32")
    other = random.permutation(512)
    x = share[:, None, None] * x + (1 - share[:, None, None]) * x[other]
    y = np.maximum(share[:, None] * y, (1 - share[:, None]) * y[other])
    inputs = keras.Input((24, 20))
    body = layers.Reshape((24, 20, 1))(layers.BatchNormalization(momentum=0.9)(inputs))
    for filters in (24, 32):
        body = layers.Conv2D(filters, 3, padding="same", use_bias=False)(body)
        body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
        body = layers.AveragePooling2D((1, 2))(body)
    body = layers.Reshape((24, 5 * 32))(body)
    body = layers.Bidirectional(layers.GRU(32, return_sequences=True))(layers.Dropout(0.2)(body))
    clip = AttentionPooling(name="clip")([layers.Dense(KINDS, name=name)(body) for name in ("scores", "attention")])
    model = keras.Model(inputs, layers.Activation("sigmoid", name="kinds")(clip))
    compiled(model, keras.optimizers.AdamW(0.002, weight_decay=1e-4), "binary_crossentropy")
    return Training(model, x, y, epochs=9, constant_loss=binary_entropy(y))


class ChannelEnergy(layers.Layer):
    """Per-channel energy normalization: a smoothed energy divides each band, then a root; all of it is learned."""

    def build(self, input_shape: Any) -> None:
        size = (input_shape[-1],)
        self.power = self.add_weight(shape=size, initializer=keras.initializers.Constant(0.9), name="power")
        self.offset = self.add_weight(shape=size, initializer=keras.initializers.Constant(2.0), name="offset")
        self.root = self.add_weight(shape=size, initializer=keras.initializers.Constant(0.5), name="root")
        steps = np.arange(input_shape[1])
        late = steps[:, None] - steps
        weights = np.where(late >= 0, 0.2 * 0.8 ** np.maximum(late, 0), 0)
        self.weights_of_past = (weights / weights.sum(1, keepdims=True)).astype("float32")

    def call(self, energy: Any) -> Any:
        smooth = ops.einsum("ts,bsf->btf", ops.convert_to_tensor(self.weights_of_past), energy)
        even = energy / ops.power(1e-5 + smooth, self.power)
        return ops.power(even + self.offset, self.root) - ops.power(self.offset, self.root)


def far_words(count: int, frames: int = 24, bands: int = 16) -> tuple[Array, Array]:
    """`[count, frames, bands]` energies of eight words at distances that differ by a factor of a thousand."""
    random = np.random.default_rng(1723)
    y = random.integers(0, 8, count)
    shapes = np.exp(random.normal(0, 1, (8, 8, bands)))
    x = 0.3 * random.exponential(1, (count, frames, bands))
    for clip, word in zip(x, y, strict=True):
        start = random.integers(0, frames - 8)
        clip[start : start + 8] += shapes[word] * random.exponential(1, (8, bands))
    return (x * 10 ** random.uniform(-2, 1, (count, 1, 1))).astype("float32"), y.astype("int32")


@outside_healthy("audio")
def audio_words_near_and_far() -> Training:
    """Words whose loudness differs by a thousand: learned gain for each band, then a conformer block; Nadam, warmup."""
    x, y = far_words(640)
    inputs = keras.Input((24, 16))
    body = layers.Dense(48)(ChannelEnergy()(inputs))
    half = layers.Dense(96, activation="swish")(layers.LayerNormalization()(body))
    body = layers.Add()([body, layers.Rescaling(0.5)(layers.Dense(48)(half))])
    normal = layers.LayerNormalization()(body)
    body = layers.Add()([body, layers.MultiHeadAttention(4, 12, dropout=0.1)(normal, normal)])
    wide = layers.Dense(96)(layers.LayerNormalization()(body))
    gated = layers.Lambda(lambda value: value[..., :48] * ops.sigmoid(value[..., 48:]))(wide)
    deep = layers.BatchNormalization(momentum=0.9)(layers.DepthwiseConv1D(7, padding="same")(gated))
    body = layers.Add()([body, layers.Dense(48)(layers.Activation("swish")(deep))])
    body = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(body))
    model = keras.Model(inputs, layers.Dense(8)(layers.Dropout(0.2)(body)))
    rate = keras.optimizers.schedules.CosineDecay(1e-4, 200, warmup_target=3e-3, warmup_steps=40)
    return Training(compiled(model, keras.optimizers.Nadam(rate)), x, y, epochs=12)


def noisy_spectra(count: int, frames: int = 16, bands: int = 17) -> tuple[Array, Array]:
    """`[count, frames, 2 * bands]` real and imaginary parts of a noisy tone, and those of the clean one."""
    random = np.random.default_rng(1724)
    time = np.arange(frames * 16 + 16)
    slide = random.uniform(0.15, 1.2, (count, 1)) + random.normal(0, 0.0005, (count, 1)) * time
    clean = np.sin(np.cumsum(slide, 1)) * (0.6 + 0.4 * np.sin(0.05 * time + random.uniform(0, 6, (count, 1))))
    noisy = clean + random.normal(0, 0.6, clean.shape)
    spectra = []
    for wave in (noisy, clean):
        cut = np.stack([wave[:, 16 * n : 16 * n + 32] for n in range(frames)], 1) * np.hanning(32)
        parts = np.fft.rfft(cut, axis=-1)[..., :bands]
        spectra.append(np.concatenate([parts.real, parts.imag], -1).astype("float32") / 4)
    return spectra[0], spectra[1]


class TurnedAndScaled(layers.Layer):
    """Multiplies complex numbers by those of a mask; both have their real parts first."""

    def call(self, inputs: Any) -> Any:
        mask, given = (ops.split(values, 2, axis=-1) for values in inputs)
        real = mask[0] * given[0] - mask[1] * given[1]
        return ops.concatenate([real, mask[0] * given[1] + mask[1] * given[0]], axis=-1)


def compressed_error(truth: Any, guess: Any) -> Any:
    """Error of the parts, and of the sizes to the power of 0.3."""
    sizes = []
    for values in (truth, guess):
        real, imaginary = ops.split(values, 2, axis=-1)
        sizes.append(ops.power(ops.square(real) + ops.square(imaginary) + 1e-4, 0.15))
    return ops.mean(ops.square(truth - guess), axis=-1) + 0.3 * ops.mean(ops.square(sizes[0] - sizes[1]), axis=-1)


@outside_healthy("audio")
def audio_masks_that_turn() -> Training:
    """Noise is taken from spectra by a complex mask from a recurrent layer and a tanh; compressed sizes in the loss."""
    x, y = noisy_spectra(512)
    inputs = keras.Input((16, 34))
    body = layers.Dense(128, activation="relu")(layers.LayerNormalization()(inputs))
    body = layers.Bidirectional(layers.LSTM(64, return_sequences=True))(body)
    body = layers.Dense(128, activation="relu")(layers.Dropout(0.1)(body))
    mask = layers.Dense(34, activation="tanh", name="mask")(body)
    model = keras.Model(inputs, TurnedAndScaled(name="clean")([mask, inputs]))
    rate = keras.optimizers.schedules.ExponentialDecay(0.002, 100, 0.7)
    compiled(model, keras.optimizers.Adam(rate, clipnorm=3.0), compressed_error)
    return Training(model, x, y, epochs=12)
