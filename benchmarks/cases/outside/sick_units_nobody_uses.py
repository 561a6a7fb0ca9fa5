"""Programs most of whose units give next to nothing: silent neurons, unused codes and components."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, outside_sick
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled

ALONGSIDE = ("vanishing_gradient", "stagnant_weights", "no_gradient", "collapsed_layer", "saturated_units", "poor_init")
"""What goes with units that hardly give anything."""


def spiking(excess: Any) -> Any:
    """1 above the threshold and else 0, with the slope of a fast sigmoid."""
    return ops.cast(excess > 0, "float32"), lambda up: up / ops.square(1 + 25 * ops.abs(excess))


spike = tf.custom_gradient(spiking)


class Leaky(layers.Layer):
    """Neurons whose potential leaks, and which spike and are reset where it exceeds the threshold."""

    def __init__(self, threshold: float, name: str, decay: float = 0.8) -> None:
        super().__init__(name=name)
        self.threshold = threshold
        self.decay = decay
        self.activation = spike

    def call(self, currents: Any) -> Any:
        potential = ops.zeros_like(currents[:, 0])
        spikes = []
        for step in range(currents.shape[1]):
            potential = self.decay * potential + currents[:, step]
            spikes.append(self.activation(potential - self.threshold))
            potential -= self.threshold * spikes[-1]
        return ops.stack(spikes, 1)


def brain_waves(count: int = 384, length: int = 20, channels: int = 8) -> tuple[Array, Array]:
    """Voltages of electrodes over time, small ones, and whether there is a seizure: a common rhythm of all channels."""
    random = np.random.default_rng(410)
    y = random.integers(0, 2, count)
    noise = random.normal(0, 0.1, (count, length, channels))
    rhythm = np.sin(1.2 * np.arange(length) + random.uniform(0, 6, (count, 1)))
    return (noise + 0.2 * y[:, None, None] * rhythm[..., None]).astype("float32"), y.astype("int32")


@outside_sick(
    "dormant_units",
    ["neurons_1", "neurons_2"],
    family="time_series",
    source="https://github.com/jeshraghian/snntorch/issues/98",
    accepted="The firing threshold is too high for enough spikes to get through; it has to be as low as 0.1 or 0.01.",
    also=ALONGSIDE,
)
def spikes_below_the_threshold() -> Training:
    """Seizures by two layers of spiking neurons with the usual threshold of 1, on voltages of a tenth."""
    x, y = brain_waves()
    model = keras.Sequential(
        [
            layers.Input((20, 8)),
            layers.Dense(32, name="currents_1"),
            Leaky(1.0, name="neurons_1"),
            layers.Dense(16, name="currents_2"),
            Leaky(1.0, name="neurons_2"),
            layers.GlobalAveragePooling1D(name="rates"),
            layers.Dense(2, name="logits"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(5e-4)), x, y, epochs=6)


class Codes(layers.Layer):
    """The shares of learned codes by their distances, and the sum of the codes by these shares."""

    def __init__(self, count: int, name: str, temperature: float = 0.2) -> None:
        super().__init__(name=name)
        self.count = count
        self.temperature = temperature
        self.activation = keras.activations.get("softmax")

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.RandomUniform(-1 / self.count, 1 / self.count)
        self.codes = self.add_weight(shape=(self.count, input_shape[-1]), initializer=start, name="codes")

    def call(self, inputs: Any) -> Any:
        far = ops.sum(ops.square(inputs[:, None] - self.codes), -1)
        shares = self.activation(-far / self.temperature)
        return shares, ops.matmul(shares, self.codes)


def items(count: int = 768) -> Array:
    """Embeddings of items of twelve kinds, which differ in two ways within a kind."""
    random = np.random.default_rng(411)
    kind, way = random.integers(0, 12, count), random.integers(0, 2, count)
    found = 2 * random.normal(size=(12, 24))[kind] + 0.7 * random.normal(size=(2, 24))[way]
    return (found + random.normal(0, 0.2, found.shape)).astype("float32")


@outside_sick(
    "dormant_units",
    ["codes_1", "codes_2"],
    family="tabular",
    source="https://github.com/pyemma/Argo/issues/49",
    accepted="Items collapse into a few identifiers; a softmax helps a little, and a loss for diversity is to follow.",
    also=ALONGSIDE,
)
def identifiers_of_a_few_codes() -> Training:
    """Items get two numbers from 0 to 31 each, the second one for what the first leaves; nothing spreads them out."""
    x = items()
    inputs = layers.Input((24,))
    body = layers.Dense(48, activation="relu", name="encode_1")(inputs)
    body = layers.Dense(12, name="encode_2")(body)
    _, first = Codes(32, name="codes_1")(body)
    _, second = Codes(32, name="codes_2")(layers.Subtract(name="rest")([body, first]))
    body = layers.Add(name="quantized")([first, second])
    body = layers.Dense(48, activation="relu", name="decode_1")(body)
    model = keras.Model(inputs, layers.Dense(24, name="decode_2")(body))
    return Training(compiled(model, keras.optimizers.Adam(0.003), "mse"), x, x, epochs=15)


COMPONENTS, CLASSES = 8, 10


def weighted_by_component(truth: Any, guess: Any) -> Any:
    """Sum of the cross entropies of all components, each times its weight."""
    weight = guess[:, :COMPONENTS]
    scores = ops.reshape(guess[:, COMPONENTS:], (-1, COMPONENTS, CLASSES))
    wanted = ops.one_hot(ops.cast(ops.reshape(truth, (-1, 1)), "int32"), CLASSES)
    return ops.sum(weight * -ops.sum(wanted * ops.log_softmax(scores), -1), -1)


@outside_sick(
    "dormant_units",
    ["weights"],
    family="vision",
    source="https://github.com/NVlabs/AL-MDN/issues/3",
    accepted="Weighting the losses of the components makes one of them get all; weight them within the logarithm.",
    also=ALONGSIDE,
)
def all_weight_on_one_component() -> Training:
    """Digits by a mixture of eight classifiers, whose cross entropies are added up by the weights of the mixture."""
    x, y = digits(768)
    inputs = layers.Input((8, 8, 1))
    body = layers.Conv2D(16, 3, strides=2, activation="relu", name="conv_1")(inputs)
    body = layers.Conv2D(24, 3, activation="relu", name="conv_2")(body)
    body = layers.Dense(48, activation="relu", name="dense")(layers.Flatten(name="flatten")(body))
    weights = layers.Dense(COMPONENTS, activation="softmax", name="weights")(body)
    scores = layers.Dense(COMPONENTS * CLASSES, name="scores")(body)
    model = keras.Model(inputs, layers.Concatenate(name="mixture")([weights, scores]))
    compiled(model, keras.optimizers.Adam(0.003), weighted_by_component)
    return Training(model, x[..., None], y, epochs=25, constant_loss=UNKNOWN)
