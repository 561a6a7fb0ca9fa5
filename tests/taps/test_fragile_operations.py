"""Operations that are not finite for every number, found in a traced step with the line of the program."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tb_activations.records.specs import FragileOperation
from tb_activations.taps.functions.fragile import MOST_OPERATIONS
from tests.training.observe import Observe

X = np.random.default_rng(0).uniform(0.1, 1, (16, 4)).astype("float32")


def found(model: keras.Model, loss: Any, **options: Any) -> tuple[FragileOperation, ...]:
    model.compile("sgd", loss, **{"jit_compile": False} | options)
    callback = Observe(with_histograms=False)
    model.fit(X, X[:, :2], batch_size=8, epochs=1, verbose=0, callbacks=[callback])
    return callback.seen[0][1].fragile_operations


def of_loss(loss: Any, **options: Any) -> tuple[FragileOperation, ...]:
    return found(keras.Sequential([layers.Input((4,)), layers.Dense(2, name="out")]), loss, **options)


def place(function: Callable[..., Any], text: str) -> str:
    """Where the line of this function that contains the text is."""
    lines, start = inspect.getsourcelines(function)
    (number,) = (start + offset for offset, line in enumerate(lines) if text in line)
    return f"{function.__name__} (test_fragile_operations.py:{number})"


def likelihood(truth: Any, guess: Any) -> Any:
    kept = truth * ops.log(guess)
    rest = (1 - truth) * ops.log(1 - guess)
    return -ops.mean(kept + rest)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_logarithm_of_outputs_is_found_with_its_line_and_layer(jit_compile: bool) -> None:
    assert of_loss(likelihood, jit_compile=jit_compile) == (
        FragileOperation("logarithm", place(likelihood, "ops.log(guess)"), "out"),
        FragileOperation("logarithm", place(likelihood, "ops.log(1 - guess)")),
    )


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mean_squared_error", ()),
        ("mean_absolute_error", ()),
        ("poisson", (FragileOperation("logarithm", "keras.losses.poisson", "out"),)),
    ],
)
def test_losses_of_keras_have_their_name_as_place(loss: str, expected: tuple[FragileOperation, ...]) -> None:
    assert of_loss(loss) == expected


def bounded(truth: Any, guess: Any) -> Any:
    safe = ops.log(ops.maximum(guess, 1e-7)) + ops.log(ops.clip(guess, 1e-7, 1.0)) + guess**2 / 3.0
    return ops.sum(safe * truth) / ops.cast(ops.size(guess), "float32")


def distances(truth: Any, guess: Any) -> Any:
    apart = ops.sqrt(ops.sum((guess[:, None] - guess[None]) ** 2, -1))
    return ops.mean(apart) / ops.sum(truth) + ops.mean(guess**0.5) + ops.mean(ops.exp(guess))


def test_bounded_arguments_constant_divisors_and_whole_powers_are_safe() -> None:
    assert of_loss(bounded) == ()


def test_roots_divisions_and_exponentials_are_found_in_call_order() -> None:
    expected = [("square root", "ops.sqrt", ""), ("division", "ops.sum(truth)", "")]
    expected += [("power", "guess**0.5", "out"), ("exponential", "ops.exp", "out")]
    found_ones = of_loss(distances)
    assert [(one.kind, one.takes) for one in found_ones] == [(kind, takes) for kind, _, takes in expected]
    assert [one.place for one in found_ones] == [place(distances, text) for _, text, _ in expected]


def test_equal_lines_count_once_and_at_most_so_many_are_kept() -> None:
    def repeated(truth: Any, guess: Any) -> Any:
        logarithms = sum(ops.mean(ops.log(guess + number) * truth) for number in range(40))
        return logarithms + ops.sqrt(ops.sum(truth))

    class Rooted(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs + sum(ops.sqrt(ops.sum(inputs) + number) for number in range(10))

    assert [one.kind for one in of_loss(repeated)] == ["logarithm", "square root"]
    inner = [Rooted(name=f"rooted_{number}") for number in range(80)]
    kept = found(keras.Sequential([layers.Input((4,)), *inner, layers.Dense(2)]), "poisson")
    assert len(kept) == MOST_OPERATIONS
    assert [one.before for one in kept] == ["", *(f"rooted_{number}" for number in range(MOST_OPERATIONS - 1))]


class Sampling(keras.Model):
    """A root between two layers and a logarithm in the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.spread = layers.Dense(4, name="spread")
        self.normalize = layers.BatchNormalization(name="normalize")
        self.rebuilt = layers.Dense(4, name="rebuilt")

    def train_step(self, data: Any) -> Any:
        x, _ = data
        with tf.GradientTape() as tape:
            variance = self.spread(self.normalize(x))
            rebuilt = self.rebuilt(tf.sqrt(variance))
            loss = tf.reduce_mean((rebuilt - x) ** 2) - tf.reduce_mean(tf.math.log(variance))
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss}


def test_an_operation_between_two_layers_names_the_layer_after_it() -> None:
    assert found(Sampling(), None) == (
        FragileOperation("logarithm", place(Sampling.train_step, "tf.math.log"), "spread"),
        FragileOperation("square root", place(Sampling.train_step, "tf.sqrt"), "spread", "rebuilt"),
    )


class Energy(layers.Layer):
    def call(self, inputs: Any) -> Any:
        return ops.log(ops.sum(ops.square(inputs), -1, keepdims=True))


def test_an_operation_within_a_layer_of_the_user_names_that_layer() -> None:
    model = keras.Sequential(
        [layers.Input((4,)), layers.Dense(3, name="dense"), Energy(name="energy"), layers.Dense(2)]
    )
    assert found(model, "mse") == (FragileOperation("logarithm", place(Energy.call, "ops.log"), "", "energy"),)


def test_an_eager_step_has_none() -> None:
    assert of_loss(likelihood, run_eagerly=True) == ()
