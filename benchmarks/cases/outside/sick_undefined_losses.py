"""Programs whose loss is undefined: densities that underflow, weights of absent classes, logarithms below zero."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled

LOST = ("nonfinite", "nonfinite_data", "no_learning", "collapsed_layer")
"""What goes with a loss that is not finite."""


def swings(count: int = 512) -> tuple[Array, Array]:
    """States of a pendulum, and the noise that its actor is to add to two torques."""
    random = np.random.default_rng(340)
    angle = random.uniform(-math.pi, math.pi, count)
    state = np.stack([np.cos(angle), np.sin(angle), random.uniform(-1, 1, count)], 1)
    return state.astype("float32"), random.normal(size=(count, 2)).astype("float32")


def soft_actor_loss(noise: Any, given: Any) -> Any:
    """Entropy and cost of torques between -2 and 2, which are squashed by tanh and then scaled."""
    mean, log_deviation = given[:, :2], ops.clip(given[:, 2:], -5.0, 2.0)
    raw = mean + ops.exp(log_deviation) * noise
    torque = 2 * ops.tanh(raw)
    log_chance = -ops.square(noise) / 2 - log_deviation - ops.log(1 - ops.square(torque) + 1e-6)
    return ops.mean(0.2 * log_chance + ops.square(torque - 1), axis=-1)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="reinforcement_learning",
    source="https://github.com/cpnota/autonomous-learning-library/issues/139",
    accepted="The logarithm of 1 minus the squared action is NaN for actions scaled beyond 1; use the unscaled tanh.",
    also=LOST,
)
def torques_squashed_and_scaled() -> Training:
    """A soft actor gives two torques between -2 and 2 and corrects their density as if they were within 1."""
    x, noise = swings()
    model = keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(48, activation="relu", name="actor_1"),
            layers.Dense(48, activation="relu", name="actor_2"),
            layers.Dense(4, name="mean_and_deviation"),
        ]
    )
    optimizer = keras.optimizers.Adam(0.001)
    return Training(compiled(model, optimizer, soft_actor_loss), x, noise, epochs=4, constant_loss=UNKNOWN)


def strokes(count: int = 320, length: int = 16) -> tuple[Array, Array]:
    """Positions of a pen, in pixels, and its next position."""
    random = np.random.default_rng(341)
    path = np.cumsum(random.normal(2, 6, (count, length + 1, 1)) + random.normal(0, 3, (count, 1, 1)), axis=1)
    return path[:, :-1].astype("float32"), path[:, 1:].astype("float32")


def mixture_loss(truth: Any, given: Any) -> Any:
    """Minus the logarithm of the density of a mixture of five normal distributions."""
    mean, deviation, share = given[..., :5], ops.exp(given[..., 5:10]), ops.softmax(given[..., 10:])
    density = ops.exp(-ops.square((truth - mean) / deviation) / 2) / (deviation * math.sqrt(2 * math.pi))
    return -ops.log(ops.sum(share * density, axis=-1))


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="generative",
    source="https://github.com/keras-team/keras/issues/1061",
    accepted="A numeric problem of the mixture: its densities underflow, and the logarithm of their sum is infinite.",
    also=(*LOST, "poor_init"),
)
def pen_strokes_far_from_every_density() -> Training:
    """The next position of a pen by a recurrent mixture of densities, with positions in pixels up to a hundred."""
    x, y = strokes()
    model = keras.Sequential(
        [
            layers.Input((16, 1)),
            layers.LSTM(24, return_sequences=True, name="lstm"),
            layers.TimeDistributed(layers.Dense(15, name="inner"), name="mixture"),
        ]
    )
    return Training(compiled(model, "rmsprop", mixture_loss), x, y, epochs=4, constant_loss=UNKNOWN)


def balanced_loss(counts: Array) -> Any:
    """Cross entropy with weights by the effective number of samples of each class."""
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = (1 - 0.999) / (1 - 0.999**counts)
        weights = (weights / weights.sum() * len(counts)).astype("float32")

    def loss(truth: Any, chances: Any) -> Any:
        chosen = ops.one_hot(ops.cast(truth[:, 0], "int32"), len(counts))
        each = -ops.sum(chosen * ops.log(chances + 1e-7), axis=-1)
        return ops.sum(chosen * weights, axis=-1) * each

    return loss


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="vision",
    source="https://github.com/fcakyon/balanced-loss/pull/12",
    accepted="The data lack samples of one label, whose weight divides by zero; the loss comes out as NaN.",
    also=LOST,
)
def weight_of_an_absent_class() -> Training:
    """Ten kinds of pictures, weighted by how many there are, and none of the ninth kind in this part of the data."""
    x, y = digits()
    is_there = y != 8
    x, y = x[is_there][..., None], y[is_there]
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(12, 3, activation="relu", name="conv_1"),
            layers.Conv2D(24, 3, activation="relu", name="conv_2"),
            layers.GlobalMaxPooling2D(name="pool"),
            layers.Dense(10, activation="softmax", name="kinds"),
        ]
    )
    compiled(model, "adam", balanced_loss(np.bincount(y, minlength=10)))
    return Training(model, x, y[:, None], epochs=4, constant_loss=UNKNOWN)


def demand(count: int = 400, length: int = 14) -> tuple[Array, Array]:
    """Sales of two weeks, from 0.001 to 1,000, and those of the next week."""
    random = np.random.default_rng(342)
    size = 10 ** random.uniform(-3, 3, (count, 1))
    sales = size * np.exp(random.normal(0, 0.4, (count, length + 7)))
    sales = np.clip(sales, 0.001, 1000).astype("float32")
    return sales[:, :length, None], sales[:, length:]


def log_error(truth: Any, guess: Any) -> Any:
    """Squared difference of the logarithms, each of 1 plus a value."""
    return ops.mean(ops.square(ops.log(guess + 1) - ops.log(truth + 1)), axis=-1)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="time_series",
    source="https://github.com/timeseriesAI/tsai/issues/150",
    accepted="A forecast below -1 has no logarithm, so training ends in NaN; learn the target's logarithm instead.",
    also=(*LOST, "poor_init"),
)
def forecasts_below_minus_one() -> Training:
    """Sales of the next seven days by convolutions over time, under a squared logarithmic error and a linear output."""
    x, y = demand()
    model = keras.Sequential(
        [
            layers.Input((14, 1)),
            layers.Conv1D(16, 3, padding="causal", activation="relu", name="week_1"),
            layers.Conv1D(16, 3, padding="causal", dilation_rate=2, activation="relu", name="week_2"),
            layers.GlobalAveragePooling1D(name="pool"),
            layers.Dense(7, name="next_week"),
        ]
    )
    return Training(compiled(model, "adam", log_error), x, y, epochs=4, constant_loss=UNKNOWN)
