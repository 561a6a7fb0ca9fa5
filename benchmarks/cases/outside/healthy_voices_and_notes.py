"""Healthy programs on sound: angles between voices, learned filters, patches, two speakers, durations, notes."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Goal, Training, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, binary_entropy


def voices(count: int, speakers: int, frames: int = 20, bands: int = 16) -> tuple[Array, Array]:
    """Logarithms of energies in bands over time: pitches of each speaker, other words each time, and who speaks."""
    random = np.random.default_rng(471)
    timbre = random.normal(0, 0.7, (speakers, bands))
    pitch = random.uniform(0.5, 2.0, speakers)
    y = random.integers(0, speakers, count)
    time, band = np.arange(frames)[:, None], np.arange(bands)
    phase = random.uniform(0, 6, (count, 1, 1))
    sung = np.sin(pitch[y][:, None, None] * band + 0.5 * np.sin(0.4 * time + phase))
    words = random.normal(0, 1, (count, frames, 1)).cumsum(1) / 4
    x = timbre[y][:, None] + sung + words + random.normal(0, 0.8, (count, frames, bands))
    return x.astype("float32"), y.astype("int32")


class Angles(layers.Layer):
    """Cosines of the angles between a code and one direction for each class."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def build(self, input_shape: Any) -> None:
        shape = (input_shape[-1], self.classes)
        self.directions = self.add_weight(shape, initializer="glorot_uniform", name="directions")

    def call(self, codes: Any) -> Any:
        return ops.matmul(ops.normalize(codes, axis=-1), ops.normalize(self.directions, axis=0))


def margin_of_angles(truth: Any, cosines: Any) -> Any:
    """Cross entropy of the cosines times 16, after the right one is made smaller by a margin."""
    right = ops.one_hot(ops.cast(ops.reshape(truth, (-1,)), "int32"), cosines.shape[-1])
    return keras.losses.categorical_crossentropy(right, 16 * (cosines - 0.2 * right), from_logits=True)


@outside_healthy("audio")
def audio_speakers_by_angles() -> Training:
    """Who speaks: dilated convolutions, mean and deviation over time, and an additive margin between directions."""
    x, y = voices(600, 12)
    inputs = layers.Input((20, 16))
    body: Any = inputs
    for width, dilation in ((5, 1), (3, 2), (1, 1)):
        body = layers.Conv1D(32, width, dilation_rate=dilation, padding="same")(body)
        body = layers.BatchNormalization(momentum=0.9)(layers.ReLU()(body))

    def moments(values: Any) -> Any:
        return ops.concatenate([ops.mean(values, axis=1), ops.sqrt(ops.var(values, axis=1) + 1e-6)], axis=-1)

    codes = layers.Dense(24)(layers.Lambda(moments)(body))
    model = keras.Model(inputs, Angles(12)(layers.BatchNormalization(momentum=0.9)(codes)))
    compiled(model, keras.optimizers.Lion(5e-4, weight_decay=1e-2), margin_of_angles)
    goal = accuracy(model, x, y, 0.85)
    return Training(model, x, y, epochs=10, goal=goal, constant_loss=math.log(12))


class BandFilters(layers.Layer):
    """Convolution of a wave with windowed band-pass filters, of which only the two cut-off frequencies are learned."""

    def __init__(self, filters: int, length: int) -> None:
        super().__init__()
        self.filters = filters
        self.length = length

    def build(self, input_shape: Any) -> None:
        edges = np.linspace(0.02, 0.45, self.filters + 1).astype("float32")
        low, band = (keras.initializers.Constant(values) for values in (edges[:-1], np.diff(edges)))
        self.low = self.add_weight((self.filters,), initializer=low, name="low")
        self.band = self.add_weight((self.filters,), initializer=band, name="band")

    def call(self, waves: Any) -> Any:
        low = ops.abs(self.low)
        high = ops.clip(low + ops.abs(self.band), 0, 0.5)
        time = (np.arange(self.length) - self.length // 2 + 1e-3)[:, None].astype("float32")
        passed = [ops.sin(2 * math.pi * edge * time) / (math.pi * time) for edge in (low, high)]
        window = np.hamming(self.length)[:, None].astype("float32")
        return ops.conv(waves, ((passed[1] - passed[0]) * window)[:, None], strides=2, padding="valid")


@outside_healthy("audio")
def audio_filters_with_learned_bands() -> Training:
    """Vowels in raw waves as in SincNet: band filters with two learned numbers each, their size, and convolutions."""
    random = np.random.default_rng(472)
    y = random.integers(0, 4, 500)
    base = random.uniform(0.03, 0.06, (500, 1, 1))
    formant = np.array([0.12, 0.2, 0.28, 0.36])[y][:, None, None] + random.normal(0, 0.015, (500, 1, 1))
    tones = np.arange(1, 12)[:, None] * base
    size = np.exp(-np.square((tones - formant) / 0.05)) + 0.5 * np.exp(-tones / 0.05)
    waves = (size * np.sin(2 * np.pi * tones * np.arange(160) + random.uniform(0, 6, tones.shape))).sum(1)
    x = (waves + random.normal(0, 0.4, waves.shape)).astype("float32")[..., None]
    model = keras.Sequential(
        [
            layers.Input((160, 1)),
            BandFilters(20, 31),
            layers.Lambda(ops.abs),
            layers.MaxPooling1D(3),
            layers.LayerNormalization(),
            layers.Conv1D(32, 5, activation="leaky_relu"),
            layers.MaxPooling1D(3),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(32, activation="leaky_relu"),
            layers.Dense(4),
        ]
    )
    return Training(compiled(model, keras.optimizers.RMSprop(0.002)), x, y.astype("int32"), epochs=12)


class ClassToken(layers.Layer):
    """Puts a learned vector before the patches and adds one to each place."""

    def build(self, input_shape: Any) -> None:
        _, count, size = input_shape
        start = keras.initializers.TruncatedNormal(stddev=0.02)
        self.token = self.add_weight((size,), initializer=start, name="token")
        self.places = self.add_weight((count + 1, size), initializer="uniform", name="places")

    def call(self, patches: Any) -> Any:
        first = ops.broadcast_to(self.token, (ops.shape(patches)[0], 1, patches.shape[-1]))
        return ops.concatenate([first, patches], axis=1) + self.places


class Stripes(layers.Layer):
    """Sets a stripe of time and one of frequencies to zero while training."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(473)

    def call(self, spectra: Any, training: bool = False) -> Any:
        if not training:
            return spectra
        for axis, width in ((1, 4), (2, 3)):
            size = spectra.shape[axis]
            start = keras.random.randint((ops.shape(spectra)[0], 1), 0, size - width, seed=self.seeds)
            place = ops.arange(size)[None]
            kept = ops.cast(ops.logical_or(place < start, place >= start + width), "float32")
            spectra = spectra * (kept[:, :, None] if axis == 1 else kept[:, None])
        return spectra


@outside_healthy("audio")
def audio_patches_of_spectrograms() -> Training:
    """An audio spectrogram transformer: overlapping patches, a token for the class, and stripes that are left out."""
    x, y = voices(480, 6)
    inputs = layers.Input((20, 16))
    body = layers.Reshape((20, 16, 1))(Stripes()(inputs))
    body = layers.Reshape((-1, 32))(layers.Conv2D(32, 6, strides=4)(body))
    body = ClassToken()(body)
    for _ in range(2):
        normal = layers.LayerNormalization()(body)
        body = layers.Add()([body, layers.MultiHeadAttention(4, 8)(normal, normal)])
        wide = layers.Dense(64, activation="gelu")(layers.LayerNormalization()(body))
        body = layers.Add()([body, layers.Dense(32)(wide)])
    body = layers.Lambda(lambda value: value[:, 0])(layers.LayerNormalization()(body))
    model = keras.Model(inputs, layers.Dense(6)(body))
    compiled(model, keras.optimizers.AdamW(0.002, weight_decay=0.01))
    return Training(model, x, y, epochs=14, goal=accuracy(model, x, y, 0.8))


def two_speakers(count: int, length: int = 128) -> tuple[Array, Array]:
    """Sums of two voices, and both voices in any order: one buzzes, the other one whistles."""
    random = np.random.default_rng(474)
    time = np.arange(length)
    low, high = random.uniform(0.15, 0.35, (count, 1)), random.uniform(0.9, 1.4, (count, 1))
    loud = np.abs(np.sin(random.uniform(0.02, 0.06, (2, count, 1)) * time + random.uniform(0, 6, (2, count, 1))))
    buzz = loud[0] * sum(np.sin(n * low * time) / n for n in (1, 2, 3))
    whistle = loud[1] * np.sin(high * time + random.uniform(0, 6, (count, 1)))
    both = np.stack([buzz, whistle], -1)
    swapped = random.random(count) < 0.5
    both[swapped] = both[swapped][..., ::-1]
    return both.sum(-1)[..., None].astype("float32"), both.astype("float32")


def decibels_in_any_order(truth: Any, given: Any) -> Any:
    """Negative ratio of signal to distortion in decibels, whatever the size, for the better order of the speakers."""

    def ratio(signal: Any, guess: Any) -> Any:
        share = ops.sum(signal * guess, axis=1, keepdims=True) / (ops.sum(ops.square(signal), 1, keepdims=True) + 1e-8)
        wanted = share * signal
        power = ops.sum(ops.square(wanted), axis=1) / (ops.sum(ops.square(guess - wanted), axis=1) + 1e-8)
        return 10 * ops.log10(power + 1e-8)

    same = ops.mean(ratio(truth, given), axis=-1)
    other = ops.mean(ratio(ops.flip(truth, axis=-1), given), axis=-1)
    return -ops.maximum(same, other)


@outside_healthy("audio")
def audio_two_speakers_apart() -> Training:
    """Two voices from their sum by masks on learned frames; the loss in decibels begins above zero and ends below."""
    x, y = two_speakers(280)
    inputs = layers.Input((128, 1))
    frames = layers.Conv1D(48, 8, strides=4, padding="same", activation="relu", use_bias=False)(inputs)
    body = layers.Conv1D(32, 1)(layers.LayerNormalization()(frames))
    for dilation in (1, 2, 4, 8):
        branch = layers.PReLU(shared_axes=[1])(layers.Conv1D(48, 1)(body))
        branch = layers.GroupNormalization(1)(branch)
        branch = layers.DepthwiseConv1D(3, dilation_rate=dilation, padding="same")(branch)
        branch = layers.GroupNormalization(1)(layers.PReLU(shared_axes=[1])(branch))
        body = layers.Add()([body, layers.Conv1D(32, 1)(branch)])
    decode = layers.Conv1DTranspose(1, 8, strides=4, padding="same", use_bias=False)
    apart = [decode(layers.Multiply()([frames, layers.Conv1D(48, 1, activation="sigmoid")(body)])) for _ in range(2)]
    model = keras.Model(inputs, layers.Concatenate()(apart))
    compiled(model, keras.optimizers.Adam(0.003, clipnorm=5.0), decibels_in_any_order)

    def improvement() -> float:
        mixture = np.repeat(x, 2, -1)
        before, now = (float(ops.mean(decibels_in_any_order(y, one))) for one in (mixture, model(x, training=False)))
        return before - now

    goal = Goal("decibels better than the sum", improvement, at_least=4.0)
    return Training(model, x, y, epochs=10, batch_size=16, goal=goal, constant_loss=UNKNOWN)


def spoken(count: int, sounds: int = 6, frames: int = 24) -> tuple[list[Array], list[Array]]:
    """Written sounds, how many frames each lasts as a matrix, and spectra and logarithms of the durations."""
    random = np.random.default_rng(475)
    text = random.integers(0, 12, (count, sounds))
    usual = random.uniform(2, 4.5, 12)
    last = np.roll(text, 1, axis=1)
    durations = (usual[text] * np.where(last % 3 == 0, 0.7, 1.0) + random.uniform(-0.3, 0.3, text.shape)).round()
    ends = durations.cumsum(1)
    frame = np.arange(frames)[None, :, None]
    lasting = (frame >= (ends - durations)[:, None]) & (frame < ends[:, None])
    timbre = random.normal(0, 1, (12, 10))
    spectra = lasting @ timbre[text]
    smooth = (np.roll(spectra, 1, 1) + 2 * spectra + np.roll(spectra, -1, 1)) / 4 + random.normal(0, 0.1, spectra.shape)
    x = [text.astype("int32"), lasting.astype("float32")]
    return x, [smooth.astype("float32"), np.log(durations).astype("float32")]


@outside_healthy("audio")
def audio_speech_from_text() -> Training:
    """Text to spectra as in FastSpeech: codes of sounds repeat for their frames; another head gives durations."""
    x, y = spoken(500)
    text, lasting = layers.Input((6,), dtype="int32"), layers.Input((24, 6))
    body = layers.Embedding(12, 32)(text)
    body = layers.LayerNormalization()(layers.Conv1D(32, 3, padding="same", activation="relu")(body))
    duration = layers.Conv1D(24, 3, padding="same", activation="relu")(body)
    duration = layers.Dropout(0.2)(layers.LayerNormalization()(duration))
    duration = layers.Reshape((6,), name="durations")(layers.Dense(1)(duration))
    frames = layers.Dot(axes=(2, 1))([lasting, body])
    frames = layers.Conv1D(48, 5, padding="same", activation="relu")(frames)
    frames = layers.Conv1D(48, 5, padding="same", activation="relu")(layers.LayerNormalization()(frames))
    spectra = layers.Dense(10, name="spectra")(frames)
    model = keras.Model([text, lasting], [spectra, duration])
    compiled(model, keras.optimizers.Adam(0.003), ["mae", "mse"])
    constant = float(np.abs(y[0] - np.median(y[0], (0, 1))).mean() + y[1].var(0).mean())
    return Training(model, x, y, epochs=12, batch_size=20, constant_loss=constant)


def pieces_of_piano(count: int, frames: int = 24, keys: int = 12) -> tuple[Array, Array, Array]:
    """Spectra of a few notes at a time with overtones that fade, where notes begin, and where they sound."""
    random = np.random.default_rng(476)
    begins = random.random((count, frames, keys)) < 0.025
    loud, sounds = np.zeros((count, keys)), []
    for frame in range(frames):
        loud = np.where(begins[:, frame], random.uniform(0.7, 1.3, (count, keys)), loud * 0.82)
        sounds.append(loud)
    sounding = np.stack(sounds, 1)
    spectra = np.zeros((count, frames, 2 * keys + 8))
    for step, size in ((0, 1.0), (7, 0.5), (12, 0.7), (19, 0.3)):
        spectra[..., step : step + keys] += (size * sounding)[..., : spectra.shape[-1] - step]
    x = np.log1p(5 * (spectra + np.abs(random.normal(0, 0.06, spectra.shape))))
    return x.astype("float32"), begins.astype("float32"), (sounding > 0.3).astype("float32")


@outside_healthy("audio")
def audio_notes_of_a_piano() -> Training:
    """Onsets and frames: where notes begin, one in forty, helps to say where they sound; two stacks and two losses."""
    x, begins, sounding = pieces_of_piano(200)
    inputs = layers.Input((24, 32))
    onset = layers.Conv1D(32, 3, padding="same", activation="relu")(inputs)
    onset = layers.Bidirectional(layers.LSTM(16, return_sequences=True))(layers.Dropout(0.2)(onset))
    onset = layers.Dense(12, activation="sigmoid", name="begins")(onset)
    frame = layers.Dense(12, activation="sigmoid")(layers.Conv1D(32, 3, padding="same", activation="relu")(inputs))
    known = layers.Lambda(ops.stop_gradient)(onset)
    frame = layers.Bidirectional(layers.LSTM(16, return_sequences=True))(layers.Concatenate()([known, frame]))
    frame = layers.Dense(12, activation="sigmoid", name="sounding")(frame)
    model = keras.Model(inputs, {"begins": onset, "sounding": frame})
    losses = {"begins": "binary_crossentropy", "sounding": "binary_crossentropy"}
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 60, 0.9)
    compiled(model, keras.optimizers.Adam(rate, clipnorm=3.0), losses)
    constant = sum(binary_entropy(part.reshape(-1, 12)) for part in (begins, sounding))
    return Training(model, x, {"begins": begins, "sounding": sounding}, 14, 8, constant_loss=constant)
