"""Trainings with values that are not finite, layers that say the same of every sample, and poor starting weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, sick
from benchmarks.cases.data import Array, diabetes, digits, flat_digits, raw_table, table
from benchmarks.cases.networks import compiled, constant, normal, on_digits, stack

STUCK = ("vanishing_gradient", "stagnant_weights", "no_gradient")
"""What follows where a layer says the same of every sample: nothing before it can learn."""


def log_loss(labels: Any, probabilities: Any) -> Any:
    """Cross entropy as one writes it the first time: without a bound on the logarithm."""
    truth = ops.one_hot(ops.cast(ops.reshape(labels, [-1]), "int32"), 10)
    return -ops.sum(truth * ops.log(probabilities), -1)


@sick("nonfinite", ["head", "probabilities"], also=("poor_init",), onset=27)
def nonfinite_log_of_zero() -> Training:
    """An outlier drives a probability to exactly 0, and the loss takes its logarithm."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "leaky_relu", name="hidden_0"),
            layers.Dense(10, name="head"),
            layers.Softmax(name="probabilities"),
        ]
    )
    x, y = flat_digits()
    x = x.copy()
    x[27 * 32 + 3] *= 300
    return Training(
        compiled(model, keras.optimizers.SGD(0.05), log_loss),
        x,
        y,
        fit={"shuffle": False},
        constant_loss=float(np.log(10)),
        update_freq=1,
    )


def root_loss(target: Any, prediction: Any) -> Any:
    """Distance, with its infinite slope at 0."""
    return ops.sqrt(ops.sum(ops.square(target - prediction), -1))


@sick("nonfinite", ["head"], onset=0)
def nonfinite_root_of_zero() -> Training:
    """A distance of exactly 0 in the loss: its square root has no finite gradient there."""
    x, y = diabetes()
    target = np.repeat(np.where(y > 0, y, 0), 2, 1)
    model = keras.Sequential(
        [
            layers.Input((10,)),
            layers.Dense(24, "tanh", name="hidden_0"),
            layers.Dense(2, kernel_initializer="zeros", name="head"),
        ]
    )
    return Training(compiled(model, "adam", root_loss), x, target, epochs=12)


def with_bad_sample(value: float, row: int = 300) -> tuple[Array, Array]:
    x, y = flat_digits()
    x = x.copy()
    x[row, 5] = value
    return x, y


@sick("nonfinite", ["hidden_0"], onset=300 // 32)
def nonfinite_bad_sample() -> Training:
    """One NaN in one sample of the tenth batch."""
    return on_digits(stack("tanh", (32, 32)), "adam", with_bad_sample(np.nan), fit={"shuffle": False})


@sick("nonfinite", ["normalize"], onset=5)
def nonfinite_division() -> Training:
    """Outputs divided by their norm, and one empty image with norm 0."""
    x, y = digits()
    x = x.copy()
    x[5 * 32 + 7] = 0
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.Flatten(name="flatten"),
            layers.Dense(32, use_bias=False, name="hidden_0"),
            layers.Lambda(lambda v: v / ops.sqrt(ops.sum(v * v, -1, keepdims=True)), name="normalize"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model, "sgd", (x, y), fit={"shuffle": False})


@sick("nonfinite", ["hidden_1"], also=("poor_init", "stagnant_weights"), onset=0)
def nonfinite_half_precision() -> Training:
    """Outputs beyond 65504 in float16: they overflow in the second layer at every step."""
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "relu", name="hidden_0"),
            layers.Dense(32, "relu", kernel_initializer=normal(40000.0), name="hidden_1"),
            layers.Dense(10, dtype="float32", name="head"),
        ]
    )
    return on_digits(model)


@sick("nonfinite", ["hidden_0", "head"], also=("exploding_gradient",))
def nonfinite_overflow() -> Training:
    """Linear regression with a learning rate of 5: every step is larger than the last one until float32 overflows."""
    model = stack(None, (8,), 1, (10,))
    return Training(compiled(model, keras.optimizers.SGD(5.0), "mse"), *diabetes(), epochs=8)


@sick("collapsed_layer", ["flatten", "hidden_0"], onset=0)
def collapsed_equal_inputs() -> Training:
    """A bug in the input pipeline: every sample is the same image."""
    x, y = digits()
    return on_digits(stack("tanh", (32, 32), inputs=(8, 8)), "adam", (np.repeat(x[:1], len(x), 0), y))


@sick("collapsed_layer", ["mask", "masked"], also=STUCK, onset=0)
def collapsed_by_mask() -> Training:
    """Everything is multiplied by a mask that is zero."""
    inputs = layers.Input((64,))
    body = layers.Dense(32, "tanh", name="hidden_0")(inputs)
    mask = layers.Lambda(lambda value: ops.zeros_like(value), name="mask")(body)
    body = layers.Multiply(name="masked")([body, mask])
    body = layers.Dense(32, "tanh", name="hidden_1")(body)
    return on_digits(keras.Model(inputs, layers.Dense(10, name="head")(body)))


@sick("collapsed_layer", ["normalize"], also=STUCK, onset=0)
def collapsed_by_normalization() -> Training:
    """Layer normalization over an axis of size 1: the output is always 0."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "tanh", name="hidden_0"),
            layers.Dense(1, name="narrow"),
            layers.LayerNormalization(name="normalize"),
            layers.Dense(16, "tanh", name="hidden_1"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model)


@sick("collapsed_layer", ["head"], also=(*STUCK, "unfit_head"), onset=0)
def collapsed_softmax_of_one() -> Training:
    """Softmax over a single output: it is 1 for every sample. (With cross entropy Keras uses the logits.)"""
    x, y = table("breast_cancer")
    model = keras.Sequential(
        [layers.Input((30,)), layers.Dense(24, "tanh", name="hidden_0"), layers.Dense(1, "softmax", name="head")]
    )
    return Training(compiled(model, "adam", "mse"), x, y[:, None].astype("float32"), epochs=15)


@sick("collapsed_layer", ["frozen"], also=(*STUCK, "dormant_units"), onset=0)
def collapsed_frozen_zeros() -> Training:
    """A layer of zeros was frozen before its weights were loaded."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "tanh", name="hidden_0"),
            layers.Dense(32, "tanh", kernel_initializer="zeros", trainable=False, name="frozen"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model)


@sick("poor_init", ["hidden_0"], onset=0)
def poor_init_symmetric() -> Training:
    """All weights of the hidden layers start at the same value: their units stay copies of each other."""
    return on_digits(stack("tanh", (32, 32), kernel_initializer=constant(0.05)))


@sick("poor_init", ["hidden_0", "hidden_1"], also=(*STUCK, "dead_units", "collapsed_layer"), onset=0)
def poor_init_zeros() -> Training:
    """All weights start at zero, with ReLU."""
    return on_digits(stack("relu", (32, 32), kernel_initializer="zeros"))


@sick("poor_init", ["hidden_0", "hidden_1", "hidden_2"], also=("exploding_gradient",), onset=0)
def poor_init_large() -> Training:
    """ReLU layers whose weights start ten times too large: the first loss is in the thousands."""
    return on_digits(stack("relu", (32, 32, 32), kernel_initializer=normal(2.0)))


@sick(
    "poor_init",
    ["hidden_0", "hidden_1", "hidden_2"],
    also=(*STUCK, "collapsed_layer", "dead_units"),
    onset=0,
)
def poor_init_small() -> Training:
    """ReLU layers whose weights start a hundred times too small."""
    return on_digits(stack("relu", (32, 32, 32), kernel_initializer=normal(0.002)), keras.optimizers.SGD(0.05))


@sick("poor_init", ["hidden_0"], also=("exploding_gradient", "dead_units"), onset=0)
def poor_init_raw_inputs() -> Training:
    """The raw columns of the wine set, up to 1700, into ReLU: the outputs start in the hundreds."""
    x, y = raw_table("wine")
    return Training(compiled(stack("relu", (24, 24), 3, (13,))), x, y, epochs=30, batch_size=16)


@sick("poor_init", [*(f"hidden_{n}" for n in range(6)), "head"], also=("exploding_gradient",), onset=0)
def poor_init_deep_linear() -> Training:
    """Six linear layers that each enlarge the signal fivefold: the loss starts at millions."""
    model = stack(None, (24,) * 6, 1, (10,), kernel_initializer=normal(1.0))
    return Training(compiled(model, "adam", "mse"), *diabetes(), epochs=20)
