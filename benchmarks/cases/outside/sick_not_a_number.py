"""Programs that compute what is not a number: roots of nothing, empty rows of attention, changes from a price of 0."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled

LOST = ("nonfinite_loss", "nonfinite_data", "no_learning", "collapsed_layer")
"""What goes with values that are not finite."""


def utterances(count: int = 320, length: int = 96) -> tuple[Array, Array]:
    """Speakers who differ in pitch, `[count, length, 1]`; the microphone of a few recordings was off."""
    random = np.random.default_rng(330)
    y = random.integers(0, 4, count)
    pitch = 0.15 + 0.1 * y[:, None] + random.normal(0, 0.01, (count, 1))
    loud = random.uniform(0.2, 1, (count, 1)) * (1 + 0.5 * np.sin(np.arange(length) / 9))
    waves = loud * np.sin(np.arange(length) * pitch + random.uniform(0, 6, (count, 1)))
    waves[17::80] = 0
    return waves.astype("float32")[..., None], y.astype("int32")


@outside_sick(
    "nonfinite",
    ["frames_1", "frames_2", "statistics"],
    family="audio",
    source="https://github.com/pytorch/pytorch/issues/4320",
    accepted="The gradient of the standard deviation is not a number where all values are the same.",
    also=LOST,
)
def deviation_of_a_silent_recording() -> Training:
    """Speakers by the mean and the deviation of frames over time, and a few recordings are silent throughout."""
    x, y = utterances()
    inputs = layers.Input((96, 1))
    body = layers.Conv1D(16, 5, strides=2, activation="relu", name="frames_1")(inputs)
    body = layers.Conv1D(16, 3, dilation_rate=2, activation="relu", name="frames_2")(body)
    mean = layers.GlobalAveragePooling1D(name="mean")(body)
    deviation = layers.Lambda(lambda frames: ops.std(frames, axis=1), name="deviation")(body)
    body = layers.Concatenate(name="statistics")([mean, deviation])
    body = layers.Dense(24, activation="relu", name="speaker")(body)
    model = keras.Model(inputs, layers.Dense(4, name="logits")(body))
    return Training(compiled(model), x, y, epochs=5)


def power_pool(values: Any) -> Any:
    """Third root of the sum of third powers over windows of two by two."""
    return ops.power(4 * ops.average_pool(ops.power(values, 3), 2, 2), 1 / 3)


@outside_sick(
    "nonfinite",
    ["conv", "pool"],
    family="vision",
    source="https://github.com/pytorch/pytorch/issues/6765",
    accepted="For an odd power the sum may be negative, and then its root is not a number; take absolute values.",
    also=(*LOST, "stagnant_weights"),
)
def third_root_of_a_negative_sum() -> Training:
    """Pooling by the third root of a sum of third powers, after a convolution without activation."""
    x, y = digits(512)
    inputs = layers.Input((8, 8, 1))
    body = layers.SeparableConv2D(12, 3, padding="same", name="conv")(inputs)
    body = layers.Lambda(power_pool, name="pool")(body)
    body = layers.Flatten(name="flatten")(body)
    body = layers.Dense(32, activation="relu", name="dense")(body)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="digits")(body))
    compiled(model, "adam", "sparse_categorical_crossentropy")
    return Training(model, x[..., None], y, epochs=4)


def molecules(count: int = 320, most: int = 9) -> tuple[dict[str, Array], Array]:
    """Atoms of molecules of four to nine atoms, with minus infinity wherever an atom is missing, and a property."""
    random = np.random.default_rng(331)
    size = random.integers(4, most + 1, count)
    is_there = np.arange(most) < size[:, None]
    atoms = random.normal(size=(count, most, 6)) * is_there[..., None]
    bias = np.where(is_there[:, :, None] & is_there[:, None], random.normal(0, 0.3, (count, most, most)), -np.inf)
    y = atoms[..., 0].sum(1) / size
    known = {"atoms": atoms, "bias": bias, "is_there": is_there[..., None]}
    return {name: value.astype("float32") for name, value in known.items()}, y.astype("float32")[:, None]


def attend(parts: Any) -> Any:
    query, key, value, bias = parts
    scores = ops.matmul(query, ops.transpose(key, (0, 2, 1))) / 4
    return ops.matmul(ops.softmax(scores + bias), value)


@outside_sick(
    "nonfinite",
    ["attention_1", "query_1", "key_1", "value_1"],
    family="graphs",
    source="https://github.com/dmlc/dgl/issues/5476",
    accepted="Rows of missing nodes are minus infinity throughout, so that the softmax gives only NaN, which spreads.",
    also=LOST,
)
def molecules_filled_with_missing_atoms() -> Training:
    """Two layers of attention over molecules of different sizes, whose missing atoms have rows of minus infinity."""
    x, y = molecules()
    atoms = layers.Input((9, 6), name="atoms")
    bias = layers.Input((9, 9), name="bias")
    is_there = layers.Input((9, 1), name="is_there")
    body = layers.Dense(16, name="embed")(atoms)
    for n in (1, 2):
        parts = [layers.Dense(16, name=f"{part}_{n}")(body) for part in ("query", "key", "value")]
        seen = layers.Lambda(attend, name=f"attention_{n}")([*parts, bias])
        body = layers.LayerNormalization(name=f"norm_{n}")(layers.Add(name=f"sum_{n}")([body, seen]))
    body = layers.Multiply(name="present")([body, is_there])
    body = layers.GlobalAveragePooling1D(name="pool")(body)
    inputs = {"atoms": atoms, "bias": bias, "is_there": is_there}
    model = keras.Model(inputs, layers.Dense(1, name="property")(body))
    return Training(compiled(model, "adam", "mse"), x, y, epochs=4)


def market(count: int = 400, length: int = 10) -> tuple[Array, Array]:
    """Changes of a price per minute, and whether to buy; a halted market reported a price of 0 twice."""
    random = np.random.default_rng(332)
    steps = random.normal(0, 0.01, count + length)
    price = 100 * np.exp(np.cumsum(np.convolve(steps, [1, 0.8, 0.6, 0.4], "same")))
    price[[120, 290]] = 0
    with np.errstate(divide="ignore"):
        change = np.diff(price) / price[:-1]
    x = np.stack([change[start : start + length] for start in range(count - 1)])
    y = np.array([change[start + length] > 0 for start in range(count - 1)])
    return x.astype("float32")[..., None], y.astype("int32")


@outside_sick(
    "nonfinite",
    ["gru"],
    family="reinforcement_learning",
    source="https://github.com/TorchTrade/torchtrade/issues/398",
    accepted="The change after a price of 0 is infinite, and dropping missing values leaves infinite ones.",
    also=(*LOST, "poor_init"),
)
def change_from_a_price_of_zero() -> Training:
    """A policy to buy or wait from relative changes of a price, and the price is 0 for two minutes."""
    x, y = market()
    model = keras.Sequential(
        [
            layers.Input((10, 1)),
            layers.GRU(16, name="gru"),
            layers.Dense(16, activation="tanh", name="policy"),
            layers.Dense(2, name="scores"),
        ]
    )
    return Training(compiled(model), 100 * x, y, epochs=4)
