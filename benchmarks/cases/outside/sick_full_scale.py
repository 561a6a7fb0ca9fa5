"""Programs whose bounded units are at their bounds: letters, 16-bit waves and square feet."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled, normal
from benchmarks.cases.outside.healthy_goals import entropy_by_position

PINNED = (
    "poor_init",
    "vanishing_gradient",
    "exploding_gradient",
    "stagnant_weights",
    "no_gradient",
    "collapsed_layer",
    "no_learning",
    "learning_rate",
)
"""What goes with units at their bounds."""


def names(count: int = 1024) -> tuple[Array, Array]:
    """Nine letters of made-up names, as numbers from 0 to 26, and the next one."""
    random = np.random.default_rng(390)
    following = np.argsort(random.random((27, 27)), axis=1)[:, :4]
    letters = random.integers(0, 27, (count, 10))
    for step in range(1, 10):
        letters[:, step] = following[letters[:, step - 1], random.integers(0, 4, count)]
    return letters[:, :9].astype("int32"), letters[:, 9].astype("int32")


@outside_sick(
    "saturated_units",
    ["hidden"],
    family="text",
    source="https://breno.bearblog.dev/the-weights-in-a-study-on-fixing-the-saturated-function",
    accepted="Standard normal weights sum so many values that tanh is flat there; scale the weights down.",
    also=PINNED,
)
def next_letter_of_a_name() -> Training:
    """The next letter of a name from the embeddings of nine letters, with all weights drawn from a normal law."""
    x, y = names()
    model = keras.Sequential(
        [
            layers.Input((9,), dtype="int32"),
            layers.Embedding(27, 10, embeddings_initializer=normal(1.0), name="letters"),
            layers.Flatten(name="context"),
            layers.Dense(200, activation="tanh", kernel_initializer=normal(1.0), name="hidden"),
            layers.Dense(27, kernel_initializer=normal(1.0), name="next_letter"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(0.1)), x, y, epochs=8)


def voices(count: int = 256, length: int = 96) -> tuple[Array, Array]:
    """16-bit samples of sounds, `[count, length, 1]`, and which of four tones comes next."""
    random = np.random.default_rng(391)
    y = random.integers(0, 4, (count, length // 16))
    pitch = np.repeat(0.2 + 0.15 * y, 16, axis=1)
    waves = np.sin(np.cumsum(pitch, axis=1) + random.uniform(0, 6, (count, 1)))
    waves = 20000 * waves + random.normal(0, 1000, (count, length))
    return np.round(waves).astype("float32")[..., None], y.astype("int32")


@outside_sick(
    "saturated_units",
    ["content_0", "content_1", "content_2"],
    family="audio",
    source="https://github.com/Rayhane-mamah/Tacotron-2/issues/69",
    accepted="WaveNet assumes that waves are within -1 and 1, so they have to be rescaled before training.",
    also=PINNED,
)
def gated_convolutions_of_16_bit_waves() -> Training:
    """Tones in a sound by gated dilated convolutions, on samples of up to 20,000 as they are in the file."""
    x, y = voices()
    inputs = layers.Input((96, 1))
    body = layers.Conv1D(16, 1, name="front")(inputs)
    for n, rate in enumerate((1, 2, 4)):
        options: dict[str, Any] = {"dilation_rate": rate, "padding": "causal"}
        content = layers.Conv1D(16, 3, activation="tanh", name=f"content_{n}", **options)(body)
        gate = layers.Conv1D(16, 3, activation="sigmoid", name=f"gate_{n}", **options)(body)
        gated = layers.Multiply(name=f"gated_{n}")([content, gate])
        body = layers.Add(name=f"sum_{n}")([body, layers.Conv1D(16, 1, name=f"residual_{n}")(gated)])
    body = layers.AveragePooling1D(16, name="pool")(gated)
    model = keras.Model(inputs, layers.Dense(4, name="tones")(body))
    compiled(model, keras.optimizers.Adam(0.003))
    gates = tuple(f"gate_{n}" for n in range(3))
    return Training(model, x, y, epochs=6, gates=gates, constant_loss=entropy_by_position(y))


def flats(count: int = 500) -> tuple[Array, Array]:
    """Bedrooms, bathrooms, square feet, year and distance to the center in meters, and the rent in thousands."""
    random = np.random.default_rng(392)
    rooms, baths = random.integers(1, 6, count), random.integers(1, 4, count)
    feet, year = 300 * rooms + random.uniform(200, 900, count), random.integers(1920, 2020, count)
    far = random.uniform(200, 9000, count)
    rent = 0.4 + 0.0008 * feet + 0.1 * baths + 0.004 * (year - 1920) - 0.00008 * far
    return np.stack([rooms, baths, feet, year, far], 1).astype("float32"), rent.astype("float32")[:, None]


@outside_sick(
    "saturated_units",
    ["hidden_1"],
    family="tabular",
    source="https://github.com/BrainJS/brain.js/issues/195",
    accepted="The activations work best with inputs between 0 and 1; divide the square feet by 10,000 and so on.",
    also=PINNED,
)
def rent_from_square_feet() -> Training:
    """The rent of a flat by two sigmoid layers from rooms, square feet and meters, none of which is scaled."""
    x, y = flats()
    model = keras.Sequential(
        [
            layers.Input((5,)),
            layers.Dense(20, activation="sigmoid", name="hidden_1"),
            layers.Dense(10, activation="sigmoid", name="hidden_2"),
            layers.Dense(1, name="rent"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.05, momentum=0.1)
    return Training(compiled(model, optimizer, "mean_squared_error"), x, y, epochs=10)
