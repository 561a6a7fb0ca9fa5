"""Trainings whose units are dead, dormant or saturated."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, sick
from benchmarks.cases.data import diabetes, digits, raw_table, waves
from benchmarks.cases.networks import at_step, compiled, constant, learning_rate, normal, on_digits, stack

STARVED = ("vanishing_gradient", "stagnant_weights", "no_gradient", "collapsed_layer")
"""What follows where a whole layer is dead: nothing passes through it, forward or backward."""


def part(share: float, value: float) -> Any:
    """Initializer of a bias: `value` for the first `share` of the units, 0 for the others."""

    def make(shape: Any, dtype: Any = None) -> Any:
        chosen = np.arange(shape[-1]) < share * shape[-1]
        return ops.cast(np.broadcast_to(np.where(chosen, value, 0), shape), dtype)

    return make


@sick("dead_units", ["hidden_1"], also=STARVED, onset=0)
def dead_layer_by_bias() -> Training:
    """One of three ReLU layers starts with a bias of -10: it is dead from the start and starves the layer below."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "relu", name="hidden_0"),
            layers.Dense(32, "relu", bias_initializer=constant(-10), name="hidden_1"),
            layers.Dense(32, "relu", name="hidden_2"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model)


@sick("dead_units", ["hidden_0"], onset=0)
def most_units_dead_by_bias() -> Training:
    """70 % of the units of the first layer are dead from the start; the others learn the task nevertheless."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(40, "relu", bias_initializer=part(0.7, -20), name="hidden_0"),
            layers.Dense(32, "relu", name="hidden_1"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model)


@sick(
    "dead_units",
    ["hidden_0", "hidden_1", "hidden_2"],
    also=("vanishing_gradient", "no_gradient", "collapsed_layer"),
    onset=100,
)
def dead_by_learning_rate_jump() -> Training:
    """The learning rate jumps from 0.001 to 1 at step 100 and most ReLU units die within a few steps."""
    model = stack("relu", (32, 32, 32))
    return on_digits(model, fit={"callbacks": [at_step(100, learning_rate(1.0))]})


@sick("dead_units", ["hidden_0"], also=STARVED, onset=0)
def dead_by_negative_inputs() -> Training:
    """All inputs are negative and all first weights positive: no unit of the first layer is ever active."""
    x, y = digits()
    start = keras.initializers.RandomUniform(0.0, 0.3, seed=1)
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.Flatten(name="flatten"),
            layers.Dense(32, "relu", kernel_initializer=start, name="hidden_0"),
            layers.Dense(32, "relu", name="hidden_1"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model, data=(-x - 0.05, y))


@sick("dead_units", ["conv_1"], onset=0)
def dead_channels() -> Training:
    """75 % of the channels of the second convolution are dead from the start."""
    x, y = digits()
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.Reshape((8, 8, 1), name="reshape"),
            layers.Conv2D(8, 3, activation="relu", name="conv_0"),
            layers.Conv2D(16, 3, activation="relu", bias_initializer=part(0.75, -20), name="conv_1"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model, data=(x, y))


@sick("dead_units", ["hidden_0", "hidden_1"], also=STARVED)
def dead_by_raw_targets() -> Training:
    """Regression on targets of mean 152 with plain SGD: the first steps are so large that they kill the ReLU units."""
    x, y = diabetes(standard_target=False)
    model = compiled(stack("relu", (32, 32), 1, (10,)), keras.optimizers.SGD(0.05, clipnorm=100.0), "mse")
    return Training(model, x, y, epochs=15)


@sick("dormant_units", ["hidden_1"], onset=0)
def dormant_gelu() -> Training:
    """70 % of the GELU units of the middle layer start with a bias of -12 and output almost nothing."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "gelu", name="hidden_0"),
            layers.Dense(40, "gelu", bias_initializer=part(0.7, -12), name="hidden_1"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model)


@sick("dormant_units", ["conv_1"], onset=0)
def dormant_silu_channels() -> Training:
    """75 % of the SiLU channels of a convolution are pushed far below zero."""
    x, y = digits()
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.Reshape((8, 8, 1), name="reshape"),
            layers.Conv2D(8, 3, activation="silu", name="conv_0"),
            layers.Conv2D(16, 3, activation="silu", bias_initializer=part(0.75, -25), name="conv_1"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model, data=(x, y))


@sick("dormant_units", ["hidden_0"], onset=0)
def dormant_leaky() -> Training:
    """A leaky ReLU of slope 0.0001 with a bias of -8 on two thirds of the units: they leak, but nothing relevant."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(36, name="dense_0", bias_initializer=part(0.67, -8)),
            layers.LeakyReLU(negative_slope=0.0001, name="hidden_0"),
            layers.Dense(32, "tanh", name="hidden_1"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model)


class PerUnitNorm(keras.regularizers.Regularizer):
    """Group lasso: a price on the norm of every unit's weights, which drives whole units to zero."""

    def __init__(self, price: float) -> None:
        self.price = price

    def __call__(self, kernel: Any) -> Any:
        return self.price * ops.sum(ops.sqrt(ops.sum(ops.square(kernel), 0) + 1e-8))


@sick("dormant_units", ["hidden_0"])
def dormant_by_group_lasso() -> Training:
    """A far too high penalty on whole units: most ELU units shrink to nothing during training."""
    shrinking = keras.optimizers.schedules.CosineDecay(0.1, 480)
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(40, "elu", use_bias=False, kernel_regularizer=PerUnitNorm(0.17), name="hidden_0"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model, keras.optimizers.SGD(shrinking), epochs=20)


@sick("saturated_units", ["hidden_0"], also=("poor_init", "collapsed_layer"), onset=0)
def saturated_by_raw_inputs() -> Training:
    """The raw columns of the wine set, up to 1700, into tanh."""
    x, y = raw_table("wine")
    return Training(compiled(stack("tanh", (24, 24), 3, (13,))), x, y, epochs=30, batch_size=16)


@sick("saturated_units", ["hidden_0", "hidden_1"], also=("poor_init",), onset=0)
def saturated_by_init() -> Training:
    """Sigmoid layers whose weights start twenty times too large."""
    return on_digits(stack("sigmoid", (32, 32), kernel_initializer=normal(4.0)))


@sick(
    "saturated_units",
    ["hidden_0", "hidden_1"],
    also=("exploding_gradient", "stagnant_weights"),
    onset=100,
)
def saturated_by_learning_rate_jump() -> Training:
    """The learning rate jumps to 2 at step 100 and the tanh layers jump to their bounds."""
    return on_digits(stack("tanh", (32, 32)), fit={"callbacks": [at_step(100, learning_rate(2.0))]})


@sick("saturated_units", ["hidden_1"], also=("vanishing_gradient", "collapsed_layer"), onset=0)
def saturated_by_bias() -> Training:
    """A tanh layer that starts with a bias of 8."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "tanh", name="hidden_0"),
            layers.Dense(32, "tanh", bias_initializer=constant(8), name="hidden_1"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model)


@sick("saturated_units", ["rnn"], also=("poor_init", "exploding_gradient"), onset=0)
def saturated_recurrent() -> Training:
    """A plain tanh RNN with recurrent weights ten times too large: it flips between its bounds."""
    x, y = waves()
    rnn = layers.SimpleRNN(24, kernel_initializer=normal(3.0), recurrent_initializer=normal(2.0), name="rnn")
    model = keras.Sequential([layers.Input((12, 1)), rnn, layers.Dense(3, name="head")])
    return Training(compiled(model), x, y)
