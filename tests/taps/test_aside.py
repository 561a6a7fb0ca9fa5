"""Reading a value that TensorFlow would merge away changes nothing: it is computed again aside from the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.taps.numbers.aside import aside
from tests.training.models import Trainable, train
from tests.training.observe import Observe, value_of

X = np.random.default_rng(0).normal(size=(48, 6, 6, 3)).astype("float32")
Y = np.arange(48) % 5


FUNCTIONS = ("elu", "tanh", "leaky_relu", "silu")


def network() -> Trainable:
    """A branch for each function. They share a loss, so a digit that changes in one branch changes all weights.

    TensorFlow adds more than two branches in the order of the names of their operations.
    Widths that no vector register divides: TensorFlow computes the rest in another way once it merges operations.
    """
    inputs, heads = layers.Input((6, 6, 3)), []
    for function in FUNCTIONS:
        h = layers.Conv2D(5, 3, padding="same", name=f"{function}_conv")(inputs)
        h = layers.Flatten(name=f"{function}_flatten")(layers.Activation(function, name=f"{function}_after_conv")(h))
        h = layers.Dense(7, name=f"{function}_dense")(h)
        heads.append(layers.Dense(5, name=f"{function}_head")(layers.Activation(function)(h)))
    return keras.Model(inputs, layers.Add(name="all")(heads)), X, Y


Trained = tuple[keras.Model, Observe]


@pytest.fixture(scope="module")
def compiled() -> Trained:
    return train(network, [observe := Observe(update_freq=2)]), observe


def test_activation_layers_keep_the_last_digits(compiled: Trained) -> None:
    for one, other in zip(train(network, []).get_weights(), compiled[0].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_computed_aside_is_the_value_of_the_layer(compiled: Trained) -> None:
    eager = Observe(update_freq=2)
    train(network, [eager], epochs=1, run_eagerly=True)
    for function in FUNCTIONS:
        for layer in (f"{function}_conv", f"{function}_dense"):
            for column in ("mean", "std"):
                found, expected = (value_of(seen.seen[0][1], layer, column) for seen in (compiled[1], eager))
                np.testing.assert_allclose(found, expected, rtol=1e-4, err_msg=layer)


def read(functions: list[Any]) -> tuple[bool, Any, Any]:
    """Whether a sum that these functions read is computed again; its values as read, and as expected."""
    weights, bias, x = tf.random.stateless_normal([3, 4], [1, 2]), tf.ones([4]), tf.constant(X[:, 0, 0])
    copied = []

    def step(x: Any) -> Any:
        before = tf.nn.bias_add(tf.matmul(x, weights), bias)
        after = [function(before) for function in functions]
        again = aside(before)
        copied.append(again is not before)
        return again, after

    actual, _ = tf.function(step, autograph=False)(x)
    return copied[0], actual, x @ weights + bias


@pytest.mark.parametrize(
    ("functions", "is_copied"),
    [
        ([tf.nn.elu], True),
        ([lambda value: tf.nn.elu(tf.identity(value))], True),
        ([tf.nn.elu, tf.nn.tanh], False),
        ([tf.nn.relu], False),
        ([tf.nn.softmax], False),
        ([], False),
    ],
)
def test_only_what_would_be_merged_is_computed_again(functions: list[Any], is_copied: bool) -> None:
    copied, actual, expected = read(functions)
    assert copied == is_copied
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("follows", "is_copied"),
    [
        (lambda value: tf.nn.bias_add(value, tf.ones([4])), False),
        (lambda value: value * 0.5, True),
        (lambda value: value + 1.0, True),
    ],
)
def test_a_batched_product_is_not_merged_with_a_bias(follows: Callable[[Any], Any], is_copied: bool) -> None:
    copied = []

    def step(x: Any) -> Any:
        product = tf.matmul(x, tf.ones([1, 3, 4]))
        after = follows(product)
        copied.append(aside(product) is not product)
        return after

    tf.function(step, autograph=False).get_concrete_function(tf.TensorSpec([2, 5, 3]))
    assert copied == [is_copied]


def sum_of_sums(reads: Callable[[Any], Any]) -> tuple[Any, Any, int]:
    """A sum of sums; what is read of the inner one; how many operations add."""

    def step(x: Any, y: Any) -> Any:
        inner = tf.add_n([x, y])
        outer = tf.add_n([inner, inner, y])
        return outer, reads(inner)

    concrete = tf.function(step, autograph=False).get_concrete_function(tf.TensorSpec([3]), tf.TensorSpec([3]))
    outer, read_value = concrete(tf.constant([1.0, 2.0, 3.0]), tf.constant([0.5, 0.5, 0.5]))
    return outer, read_value, sum(operation.type == "AddN" for operation in concrete.graph.get_operations())


def test_a_sum_that_only_another_sum_reads_is_added_again() -> None:
    outer, values, additions = sum_of_sums(aside)
    np.testing.assert_array_equal(values, [1.5, 2.5, 3.5])
    np.testing.assert_array_equal(outer, [3.5, 5.5, 7.5])
    assert additions == 3


def test_eager_values_are_returned_as_they_are() -> None:
    value = tf.constant([1.0])
    assert aside(value) is value


def test_values_that_an_identity_hands_on_are_those_of_their_source() -> None:
    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def product(value: Any) -> Any:
        return value * tf.sigmoid(value), lambda gradient: gradient

    def step(x: Any) -> Any:
        value = product(x)
        scaled = value * 2.0
        again = aside(value)
        kinds.append((value.op.type, again.op.type, again.op.inputs[1].op.name))
        return scaled, again

    kinds: list[tuple[str, str, str]] = []
    scaled, again = tf.function(step, autograph=False)(tf.constant([1.0, -2.0]))
    # The sigmoid is computed again as well: one that two products read would not be merged.
    assert kinds == [("IdentityN", "Mul", "Sigmoid-layer_health")]
    np.testing.assert_allclose(again, scaled / 2)
