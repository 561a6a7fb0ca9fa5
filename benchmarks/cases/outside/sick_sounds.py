"""Programs on sounds: silence that is divided by, outputs without negative values, filters that nothing trains."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.partly_trained import PartlyTrained, trained_in_part

LOST = ("nonfinite", "nonfinite_loss", "nonfinite_data", "no_learning", "collapsed_layer")
"""What goes with values that are not finite."""


def chords(count: int = 384, length: int = 128) -> tuple[Array, Array]:
    """`[count, length, 1]` notes of four instruments, which differ in their overtones, and the instrument."""
    random = np.random.default_rng(210)
    y = random.integers(0, 4, count)
    overtones = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]], "float64")
    pitch, phase = random.uniform(0.15, 0.25, (count, 1, 1)), random.uniform(0, 6, (count, 1, 4))
    parts = np.sin(np.arange(length)[None, :, None] * pitch * np.arange(1, 5) + phase) * overtones[y][:, None]
    waves = parts.sum(-1) * random.uniform(0.2, 0.6, (count, 1)) + random.normal(0, 0.05, (count, length))
    return waves.astype("float32")[..., None], y.astype("int32")


@outside_sick(
    "nonfinite",
    ["conv_1"],
    family="audio",
    source="https://github.com/bshall/hifigan/issues/4",
    accepted="The wave is divided by its largest size, which is zero for a clip that is perfectly silent.",
    also=LOST,
)
def clips_divided_by_their_peak() -> Training:
    """Instruments by convolutions over waves that are scaled to a peak of 0.95, and a few clips are silent."""
    x, y = chords()
    x = x.copy()
    x[[11, 150, 313]] = 0
    with np.errstate(invalid="ignore"):
        x = 0.95 * x / np.abs(x).max(axis=1, keepdims=True)
    model = keras.Sequential(
        [
            layers.Input((128, 1)),
            layers.Conv1D(12, 9, strides=2, activation="relu", name="conv_1"),
            layers.Conv1D(24, 5, strides=2, activation="relu", name="conv_2"),
            layers.GlobalMaxPooling1D(name="pool"),
            layers.Dense(4, activation="softmax", name="instrument"),
        ]
    )
    return Training(compiled(model, "adam", "sparse_categorical_crossentropy"), x, y, epochs=5)


def minus_signal_to_distortion(truth: Any, guess: Any) -> Any:
    """Minus the ratio of signal and distortion in decibels, whatever the scale of the guess."""
    scale = ops.sum(guess * truth, 1, keepdims=True) / ops.sum(ops.square(truth), 1, keepdims=True)
    signal = ops.sum(ops.square(scale * truth), 1)
    distortion = ops.sum(ops.square(guess - scale * truth), 1)
    return -10 * ops.log10(signal / distortion)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="audio",
    source="https://github.com/csteinmetz1/auraloss/issues/25",
    accepted="The loss is NaN where the target is a vector of zeros, because it divides by the power of the target.",
    also=LOST,
)
def voice_that_is_absent() -> Training:
    """A voice is taken from a mix under the ratio of signal to distortion; in some clips nobody speaks."""
    voice = chords(320)[0]
    voice[np.arange(0, 320, 40)] = 0
    mix = voice + np.random.default_rng(211).normal(0, 0.2, voice.shape).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((128, 1)),
            layers.Conv1D(16, 9, padding="same", activation="tanh", name="encoder"),
            layers.Conv1D(16, 9, padding="same", activation="tanh", name="separator"),
            layers.Conv1D(1, 9, padding="same", name="voice"),
        ]
    )
    loss = minus_signal_to_distortion
    return Training(compiled(model, "adam", loss), mix, voice, epochs=5, constant_loss=UNKNOWN)


@outside_sick(
    "nonfinite",
    ["cosines", "sines"],
    family="audio",
    source="https://github.com/pytorch/audio/issues/993",
    accepted="The gradient of the square root is not finite where the power is zero, as in silence; add an epsilon.",
    also=LOST,
)
def magnitudes_of_digital_silence() -> Training:
    """A learned spectrogram takes the root of the power, and some clips begin with digital silence."""
    x, y = chords()
    x = x.copy()
    x[::30, :64] = 0
    inputs = layers.Input((128, 1))
    parts = [layers.Conv1D(16, 16, strides=8, use_bias=False, name=name)(inputs) for name in ("cosines", "sines")]
    power = layers.Lambda(lambda both: ops.square(both[0]) + ops.square(both[1]), name="power")(parts)
    body = layers.Lambda(ops.sqrt, name="magnitude")(power)
    body = layers.GRU(16, name="gru")(body)
    model = keras.Model(inputs, layers.Dense(4, name="instrument")(body))
    return Training(compiled(model), x, y, epochs=5)


@outside_sick(
    "unfit_head",
    ["amplitude"],
    family="audio",
    source="https://github.com/xmindflow/INCODE/issues/2",
    accepted="The output passes through a sigmoid, but the amplitude is between -1 and 1: its negative half is lost.",
    also=("saturated_units", "dead_units", "vanishing_gradient", "stagnant_weights"),
)
def one_sound_behind_a_sigmoid() -> Training:
    """One sound as a function of time: sines of the time, three ReLU layers and the sigmoid used for pictures."""
    time = np.linspace(-1, 1, 512)[:, None]
    angles = time * np.pi * 2.0 ** np.arange(6)
    x = np.concatenate([time, np.sin(angles), np.cos(angles)], 1).astype("float32")
    y = (0.6 * np.sin(40 * time) + 0.3 * np.sin(13 * time + 1)).astype("float32")
    model = keras.Sequential([layers.Input((13,))])
    for n in range(1, 4):
        model.add(layers.Dense(48, activation="relu", name=f"relu_{n}"))
    model.add(layers.Dense(1, activation="sigmoid", name="amplitude"))
    compiled(model, keras.optimizers.Adam(0.002), "mean_squared_error")
    return Training(model, x, y, epochs=20)


class Wavelets(layers.Layer):
    """Convolution with wavelets of learned widths."""

    def __init__(self, count: int, length: int, name: str) -> None:
        super().__init__(name=name)
        self.count, self.length = count, length

    def build(self, input_shape: Any) -> None:
        start = np.linspace(1.0, 6.0, self.count)
        self.widths = self.add_weight(
            shape=(self.count,), initializer=lambda shape, dtype=None: ops.cast(start, dtype), name="widths"
        )

    def call(self, inputs: Any) -> Any:
        time = ops.reshape(ops.arange(self.length, dtype="float32") - (self.length - 1) / 2, (-1, 1, 1))
        ratio = ops.square(time / self.widths)
        return ops.conv(inputs, (1 - ratio) * ops.exp(-ratio / 2) / self.widths, strides=1, padding="same")


@outside_sick(
    "stagnant_weights",
    ["wavelets"],
    family="audio",
    source="https://github.com/haidark/WaveletDeconv/issues/1",
    accepted="The layer's weights were not registered as trainable, so its widths never changed in training.",
)
def wavelets_that_are_not_learned() -> Training:
    """Instruments by wavelets whose widths are to be learned, but the list of what to train lacks them."""
    x, y = chords()
    inputs = layers.Input((128, 1))
    body = Wavelets(8, 25, name="wavelets")(inputs)
    body = layers.Conv1D(16, 5, strides=2, activation="relu", name="conv")(body)
    body = layers.GlobalMaxPooling1D(name="pool")(body)
    body = layers.Dense(24, activation="relu", name="dense")(body)
    model = PartlyTrained(inputs, layers.Dense(4, name="instrument")(body))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained_in_part(model, keras.optimizers.Adam(0.003), loss, "conv", "dense", "instrument")
    return Training(model, x, y, epochs=10)
