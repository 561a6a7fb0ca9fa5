"""Programs whose returns are normalized away or out of range, with layers, numbers or rates that were forgotten."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import BLOWN, UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import Array, digits, flat_digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.partly_trained import PartlyTrained, trained_in_part

STILL = (
    "stagnant_weights",
    "vanishing_gradient",
    "no_gradient",
    "dead_units",
    "dormant_units",
    "saturated_units",
    "collapsed_layer",
    "learning_rate",
    "no_learning",
)
"""What goes with weights that do not move."""


def minus_weighted_chance(truth: Any, chances: Any) -> Any:
    """Minus the logarithm of the chance of the move that was made, times its advantage."""
    made = ops.one_hot(ops.cast(truth[..., 0], "int32"), 4)
    return -truth[..., 1] * ops.sum(made * chances, axis=-1)


@outside_sick(
    "stagnant_weights",
    ["conv_1", "conv_2", "features"],
    family="reinforcement_learning",
    source="https://github.com/SforAiDl/genrl/issues/315",
    accepted="The optimizers are given the weights of actor and critic only, not those of the convolutions before.",
    also=("dead_units", "no_gradient"),
)
def convolutions_no_optimizer_knows() -> Training:
    """What to do with a picture, by an actor and a critic on the same convolutions, which no optimizer was given."""
    x, labels = digits(640)
    moves = np.random.default_rng(550).integers(0, 4, len(x))
    reward = (moves == labels % 4).astype("float32")
    y = {
        "actor": np.stack([moves, reward - reward.mean()], 1).astype("float32"),
        "critic": reward[:, None],
    }
    inputs = layers.Input((8, 8, 1))
    body = layers.Conv2D(16, 3, activation="relu", name="conv_1")(inputs)
    body = layers.Conv2D(32, 3, activation="relu", name="conv_2")(body)
    body = layers.Dense(48, activation="relu", name="features")(layers.Flatten(name="flatten")(body))
    hidden = [layers.Dense(32, activation="relu", name=f"{part}_hidden")(body) for part in ("actor", "critic")]
    outputs = {
        "actor": layers.Dense(4, activation="log_softmax", name="actor")(hidden[0]),
        "critic": layers.Dense(1, name="critic")(hidden[1]),
    }
    model = PartlyTrained(inputs, outputs)
    losses = {"actor": minus_weighted_chance, "critic": "mse"}
    listed = ("actor_hidden", "actor", "critic_hidden", "critic")
    trained_in_part(model, keras.optimizers.Adam(0.002), losses, *listed)
    return Training(model, x[..., None], y, epochs=8, constant_loss=UNKNOWN)


def minus_normalized_chance(truth: Any, chances: Any) -> Any:
    """The same, with advantages that are normalized over the batch of episodes, for each moment on its own."""
    advantage = truth[..., 1]
    centered = advantage - ops.mean(advantage, axis=0, keepdims=True)
    scaled = centered / ops.sqrt(ops.var(advantage, axis=0, keepdims=True) + 1e-8)
    return minus_weighted_chance(ops.stack([truth[..., 0], scaled], axis=-1), chances)


@outside_sick(
    "no_learning",
    [WHOLE],
    family="reinforcement_learning",
    source="https://github.com/tensorflow/agents/issues/651",
    accepted="Advantages are normalized over the batch alone, so those of a batch of one episode all become zero.",
    also=STILL,
)
def advantages_of_one_episode() -> Training:
    """A policy is trained with one episode per batch, and its advantages are normalized over the batch."""
    random = np.random.default_rng(551)
    states = random.normal(size=(40, 20, 6)).astype("float32")
    moves = random.integers(0, 4, (40, 20))
    reward = (moves == states[..., :4].argmax(-1)).astype("float32")
    y = np.stack([moves, reward], -1).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((20, 6)),
            layers.Dense(32, activation="tanh", name="policy_1"),
            layers.Dense(32, activation="tanh", name="policy_2"),
            layers.Dense(4, activation="log_softmax", name="chances"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003), minus_normalized_chance)
    return Training(model, states, y, epochs=5, batch_size=1, constant_loss=UNKNOWN)


@outside_sick(
    "unfit_head",
    ["value"],
    family="reinforcement_learning",
    source="https://github.com/LuEE-C/PPO-Keras/issues/13",
    accepted="The critic ends in tanh, but what it learns is a discounted sum of all rewards, which easily exceeds 1.",
    also=STILL,
)
def critic_that_ends_in_tanh() -> Training:
    """A critic of three tanh layers, the last one included, learns how long a pole will stay up."""
    random = np.random.default_rng(552)
    states = random.normal(size=(800, 4)).astype("float32")
    left = np.clip(40 - 15 * np.abs(states[:, 2] + 0.5 * states[:, 3]) + random.normal(0, 3, 800), 1, 40)
    returns = ((1 - 0.95**left) / 0.05).astype("float32")[:, None]
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(64, activation="tanh", name="critic_1"),
            layers.Dense(64, activation="tanh", name="critic_2"),
            layers.Dense(1, activation="tanh", name="value"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(1e-3), "mse"), states, returns, epochs=10)


class Accumulator(layers.Layer):
    """Sums of its inputs by weights near -1, 0 and 1, which are made of two other ones when the layer is built."""

    def __init__(self, units: int, name: str) -> None:
        super().__init__(name=name)
        self.units = units

    def build(self, input_shape: Any) -> None:
        shape = (input_shape[-1], self.units)
        self.sign = self.add_weight(shape, initializer="glorot_uniform", name="sign")
        self.size = self.add_weight(shape, initializer="glorot_uniform", name="size")
        self.effective = ops.tanh(self.sign) * ops.sigmoid(self.size)

    def call(self, numbers: Any) -> Any:
        return ops.matmul(numbers, self.effective)


@outside_sick(
    "no_gradient",
    ["accumulator_1", "accumulator_2"],
    family="tabular",
    source="https://github.com/bharathgs/NALU/pull/2",
    accepted="The effective weights are made once in the constructor; the two that they consist of are never updated.",
    also=STILL,
)
def sums_of_weights_made_once() -> Training:
    """Sums and differences by two neural accumulators, whose two kinds of weights are combined once and for all."""
    random = np.random.default_rng(553)
    x = random.uniform(0, 4, (800, 6)).astype("float32")
    y = np.stack([x[:, 0] + x[:, 3], x[:, 1] - x[:, 4]], 1).astype("float32")
    inputs = layers.Input((6,))
    body = Accumulator(8, "accumulator_1")(inputs)
    body = Accumulator(8, "accumulator_2")(body)
    model = keras.Model(inputs, layers.Dense(2, name="answers")(body))
    return Training(compiled(model, keras.optimizers.RMSprop(0.003), "mse"), x, y, epochs=8)


class PairsOfColumns(layers.Layer):
    """The sum over all pairs of columns of their product times that of their factors."""

    def __init__(self, width: int, name: str) -> None:
        super().__init__(name=name)
        self.width = width

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.RandomNormal(stddev=0.1)
        self.factors = self.add_weight((input_shape[-1], self.width), initializer=start, name="factors")

    def call(self, row: Any) -> Any:
        both = ops.square(ops.matmul(row, self.factors))
        alone = ops.matmul(ops.square(row), ops.square(self.factors))
        return 0.5 * ops.sum(both - alone, axis=-1, keepdims=True)


def ratings(count: int = 800) -> tuple[Array, Array]:
    """Users and films as columns of zeros and ones, the age of the user and the year of the film, and ratings."""
    random = np.random.default_rng(554)
    user, film = random.integers(0, 40, count), random.integers(0, 30, count)
    age, year = random.integers(18, 70, 40)[user], random.integers(1950, 2000, 30)[film]
    taste = random.normal(0, 1, (40, 3)), random.normal(0, 1, (30, 3))
    y = np.clip(np.round(3.5 + (taste[0][user] * taste[1][film]).sum(1)), 1, 5)
    x = np.concatenate([np.eye(40)[user], np.eye(30)[film], age[:, None], year[:, None]], 1)
    return x.astype("float32"), y.astype("float32")[:, None]


@outside_sick(
    "exploding_gradient",
    ["pairs", "columns"],
    family="tabular",
    source="https://github.com/online-ml/river/issues/669",
    accepted="Gradients explode, since ages and years are so much larger than the zeros and ones of categories.",
    also=(*BLOWN, "nonfinite", "vanishing_gradient", "no_gradient"),
)
def years_between_zeros_and_ones() -> Training:
    """Ratings by a factorization machine and SGD, with the age of the user and the year of the film as they are."""
    x, y = ratings()
    inputs = layers.Input((72,))
    single = layers.Dense(1, name="columns")(inputs)
    double = PairsOfColumns(8, "pairs")(inputs)
    model = keras.Model(inputs, layers.Add(name="rating")([single, double]))
    return Training(compiled(model, keras.optimizers.SGD(0.01), "mse"), x, y, epochs=5)


class Annealing(keras.callbacks.Callback):
    """Lets the rate fall like one over the number of batches, by a factor of what it was before."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self.start, self.seen = start, 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.seen += 1
        optimizer = self.model.optimizer
        optimizer.learning_rate = float(optimizer.learning_rate) * min(1.0, self.start / self.seen)


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="vision",
    source="https://github.com/lisa-lab/pylearn2/pull/1156",
    accepted="The base rate is set again at every batch, so that the rate falls to zero as soon as annealing starts.",
    also=STILL,
)
def rate_annealed_from_the_last_one() -> Training:
    """Digits by SGD with a rate that is annealed from the fifth batch on, each time from its last value."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(64, activation="sigmoid", name="hidden_1"),
            layers.Dense(32, activation="sigmoid", name="hidden_2"),
            layers.Dense(10, activation="softmax", name="classes"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return Training(model, *flat_digits(640), epochs=6, fit={"callbacks": [Annealing(5)]})
