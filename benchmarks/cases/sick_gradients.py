"""Trainings whose gradients vanish, explode or never arrive, and whose weights stagnate or jump."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from benchmarks.cases.base import Training, sick
from benchmarks.cases.data import diabetes, digits, table, waves
from benchmarks.cases.networks import at_step, compiled, learning_rate, normal, on_digits, stack

SHRUNK = ("collapsed_layer", "stagnant_weights")
"""May accompany a vanishing gradient: outputs that hardly differ between samples, weights that hardly change."""


@sick("vanishing_gradient", [f"hidden_{n}" for n in range(6)], also=SHRUNK, onset=0)
def vanishing_deep_sigmoid() -> Training:
    """Eight sigmoid layers and plain SGD."""
    return on_digits(stack("sigmoid", (24,) * 8), keras.optimizers.SGD(0.1))


@sick("vanishing_gradient", [f"hidden_{n}" for n in range(6)], also=("poor_init", *SHRUNK), onset=0)
def vanishing_tanh_small_init() -> Training:
    """Six tanh layers whose weights start at a hundredth of the right size."""
    return on_digits(stack("tanh", (24,) * 6, kernel_initializer=normal(0.005)), keras.optimizers.SGD(0.1))


@sick(
    "vanishing_gradient",
    [*(f"hidden_{n}" for n in range(5)), "head"],
    also=("poor_init", *SHRUNK),
    onset=0,
)
def vanishing_everywhere() -> Training:
    """Weights so small that the gradient is tiny in every layer alike: no ratio between layers shows it."""
    small = normal(1e-4)
    hidden = [layers.Dense(24, "tanh", kernel_initializer=small, name=f"hidden_{n}") for n in range(5)]
    head = layers.Dense(10, kernel_initializer=small, use_bias=False, name="head")
    return on_digits(keras.Sequential([layers.Input((64,)), *hidden, head]), keras.optimizers.SGD(0.05))


@sick("vanishing_gradient", [f"conv_{n}" for n in range(5)], also=SHRUNK, onset=0)
def vanishing_deep_convolutions() -> Training:
    """Six sigmoid convolutions on top of each other."""
    convs = [layers.Conv2D(8, 3, padding="same", activation="sigmoid", name=f"conv_{n}") for n in range(6)]
    model = keras.Sequential(
        [layers.Input((8, 8)), layers.Reshape((8, 8, 1), name="reshape"), *convs, layers.Flatten(name="flatten")]
    )
    model.add(layers.Dense(10, name="head"))
    return on_digits(model, keras.optimizers.SGD(0.05), digits(512), epochs=10)


@sick("vanishing_gradient", [f"hidden_{n}" for n in range(5)], also=SHRUNK, onset=0)
def vanishing_hidden_softmax() -> Training:
    """Softmax as the activation of five hidden layers."""
    return on_digits(stack("softmax", (24,) * 5), keras.optimizers.SGD(0.1))


@sick("exploding_gradient", ["hidden_0", "hidden_1", "head"], also=("stagnant_weights", "poor_init"))
def exploding_squares() -> Training:
    """Layers that square their outputs, and a learning rate of 0.3: a polynomial of degree 4 diverges."""
    model = stack(ops.square, (16, 16), 1, (10,))
    return Training(compiled(model, keras.optimizers.Adam(0.3), "mse"), *diabetes(), epochs=15)


@sick("exploding_gradient", ["rnn", "head"], also=("poor_init", "dead_units"), onset=0)
def exploding_recurrent() -> Training:
    """A ReLU RNN over 20 steps whose recurrent weights have a spectral radius of about 3."""
    x, y = waves(512, 20)
    rnn = layers.SimpleRNN(24, "relu", recurrent_initializer=normal(0.6), name="rnn")
    model = keras.Sequential([layers.Input((20, 1)), rnn, layers.Dense(3, name="head")])
    return Training(compiled(model, keras.optimizers.SGD(0.01, clipnorm=1.0)), x, y, epochs=12)


@sick("exploding_gradient", ["hidden_0", "head"], also=("stagnant_weights",))
def exploding_regression() -> Training:
    """Linear regression through a hidden linear layer with a learning rate just too large: it diverges, without NaN."""
    model = stack(None, (8,), 1, (10,))
    x, y = diabetes()
    return Training(compiled(model, keras.optimizers.SGD(0.45, clipvalue=50.0), "mse"), x, y, epochs=12, batch_size=64)


@sick(
    "exploding_gradient",
    ["hidden_0", "hidden_1", "head"],
    also=("stagnant_weights", "saturated_units", "vanishing_gradient"),
    onset=120,
)
def exploding_after_jump() -> Training:
    """The learning rate of Adam jumps to 30 at step 120; tanh keeps the values finite, the loss reaches thousands."""
    return on_digits(stack("tanh", (32, 32)), fit={"callbacks": [at_step(120, learning_rate(30.0))]})


@sick("no_gradient", ["hidden_0"], also=("stagnant_weights",), onset=0)
def no_gradient_stopped() -> Training:
    """`stop_gradient` after the first layer."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "relu", name="hidden_0"),
            layers.Lambda(ops.stop_gradient, name="stop"),
            layers.Dense(32, "relu", name="hidden_1"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model)


@sick("no_gradient", ["hidden_0", "hidden_1"], also=("stagnant_weights",), onset=0)
def no_gradient_rounded() -> Training:
    """Values are rounded between layers: rounding has no gradient."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "relu", name="hidden_0"),
            layers.Dense(32, "relu", name="hidden_1"),
            layers.Lambda(lambda value: ops.round(4 * value), name="rounded"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model)


@sick("no_gradient", ["scores"], also=("stagnant_weights",), onset=0)
def no_gradient_argmax() -> Training:
    """An argmax feeds the other layers: the layers before it never learn."""
    inputs = layers.Input((64,))
    scores = layers.Dense(16, name="scores")(inputs)
    chosen = layers.Lambda(lambda value: ops.one_hot(ops.argmax(value, -1), 16), name="chosen")(scores)
    body = layers.Dense(32, "relu", name="hidden_0")(layers.Concatenate(name="joined")([inputs, chosen]))
    return on_digits(keras.Model(inputs, layers.Dense(10, name="head")(body)))


@sick("no_gradient", ["second_hidden", "second"], also=("stagnant_weights",), onset=0)
def no_gradient_unused_output() -> Training:
    """A second output with its own layers that no loss uses."""
    inputs = layers.Input((64,))
    body = layers.Dense(32, "relu", name="hidden_0")(inputs)
    first = layers.Dense(10, name="first")(body)
    second = layers.Dense(2, name="second")(layers.Dense(16, "relu", name="second_hidden")(body))
    model = keras.Model(inputs, {"first": first, "second": second})
    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    training = on_digits(model)
    compiled(model, "adam", {"first": logits, "second": None})
    return Training(model, training.x, {"first": training.y})


@sick("stagnant_weights", ["hidden_0", "hidden_1", "head"], onset=0)
def stagnant_tiny_learning_rate() -> Training:
    """SGD with a learning rate of 1e-7."""
    return on_digits(stack("relu", (32, 32)), keras.optimizers.SGD(1e-7))


@sick("stagnant_weights", ["hidden_0", "hidden_1", "head"], onset=0)
def stagnant_adam() -> Training:
    """Adam with a learning rate of 1e-12: weight plus step rounds to the weight."""
    x, y = table("breast_cancer")
    return Training(compiled(stack("tanh", (24, 24), 2, (30,)), keras.optimizers.Adam(1e-12)), x, y, epochs=15)


@sick("stagnant_weights", ["hidden_0", "hidden_1", "head"], onset=0)
def stagnant_by_rounding() -> Training:
    """Weights kept in bfloat16, steps smaller than its last bit: every update is rounded away."""
    keras.mixed_precision.set_dtype_policy("bfloat16")
    x, y = digits()
    model = stack("tanh", (32, 32), inputs=(8, 8))
    return on_digits(model, keras.optimizers.SGD(1e-5), (x, y))


class Projected(keras.constraints.Constraint):
    """Maps weights to the nearest multiple of 0.25."""

    def __call__(self, kernel: Any) -> Any:
        return ops.round(4 * kernel) / 4


@sick("stagnant_weights", ["hidden_1"], onset=0)
def stagnant_by_constraint() -> Training:
    """A constraint puts one layer's weights on a coarse grid after every step: every update is undone."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "tanh", name="hidden_0"),
            layers.Dense(32, "tanh", kernel_constraint=Projected(), use_bias=False, name="hidden_1"),
            layers.Dense(10, name="head"),
        ]
    )
    model.get_layer("hidden_1").kernel.assign(Projected()(model.get_layer("hidden_1").kernel))
    return on_digits(model, keras.optimizers.SGD(0.01))


@sick(
    "stagnant_weights",
    ["hidden_0", "hidden_1", "hidden_2", "head"],
    also=("exploding_gradient", "saturated_units"),
    onset=0,
)
def moving_too_fast() -> Training:
    """SGD with momentum and a learning rate a hundred times too large: half of the weights change at every step."""
    optimizer = keras.optimizers.SGD(3.0, momentum=0.5, weight_decay=0.2)
    return on_digits(stack("tanh", (32, 32, 32)), optimizer, epochs=8)
