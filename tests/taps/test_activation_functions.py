"""Activation functions are recognized by their values."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.training.by_hand import (
    DEAD,
    PICTURES,
    UNITS,
    ByHand,
    Function,
    X,
    assert_silent,
    dense,
    functional,
    head,
    in_a_convolution,
    in_the_layer,
    subclassed,
)
from tests.training.forward import row_of, seen_by, value_of

SILENCING: dict[str, tuple[Function, str]] = {
    "tf.nn.relu": (tf.nn.relu, "relu"),
    "tf.nn.relu6": (tf.nn.relu6, "relu6"),
    "keras.ops.relu": (keras.ops.relu, "relu"),
    "keras.activations.relu": (keras.activations.relu, "relu"),
    "relu with a maximum": (lambda v: keras.activations.relu(v, max_value=2.0), "relu"),
    "relu with a threshold": (lambda v: keras.activations.relu(v, threshold=0.5), "rectifier"),
    "functools.partial": (functools.partial(keras.activations.relu, max_value=6.0), "relu6"),
    "tf.maximum": (lambda v: tf.maximum(v, 0.0), "relu"),
    "zeros_like": (lambda v: tf.maximum(v, tf.zeros_like(v)), "relu"),
    "tf.where": (lambda v: tf.where(v > 0, v, 0.0), "relu"),
    "a mask": (lambda v: v * tf.cast(v > 0, v.dtype), "relu"),
    "half of v + |v|": (lambda v: (v + tf.abs(v)) / 2, "relu"),
    "clipped": (lambda v: tf.clip_by_value(v, 0.0, 6.0), "relu6"),
    "squared": (lambda v: tf.square(tf.nn.relu(v)), "rectifier"),
    "hard_silu": (keras.activations.hard_silu, "hard_silu"),
    "sparse_plus": (keras.activations.sparse_plus, "sparse_plus"),
    "scaled and shifted behind": (lambda v: 0.5 * tf.nn.relu(v) + 1.0, "relu"),
}
OTHERS: dict[str, tuple[Function, str]] = {
    "tf.nn.leaky_relu": (tf.nn.leaky_relu, "leaky_relu"),
    "leaky by hand": (lambda v: tf.maximum(v, 0.1 * v), "leaky_relu"),
    "tf.tanh": (tf.tanh, "tanh"),
    "tf.sigmoid": (tf.sigmoid, "sigmoid"),
    "sigmoid by hand": (lambda v: 1.0 / (1.0 + tf.exp(-v)), "sigmoid"),
    "clipped on both sides": (lambda v: tf.clip_by_value(v, -1.0, 1.0), "hard_tanh"),
    "hard_sigmoid": (keras.ops.hard_sigmoid, "hard_sigmoid"),
    "softsign": (tf.nn.softsign, "softsign"),
    "arctangent": (tf.atan, "bounded function"),
    "wide tanh": (lambda v: 1.7159 * tf.tanh(v * 2 / 3), "bounded function"),
    "keras.ops.silu": (keras.ops.silu, "silu"),
    "tf.nn.silu": (tf.nn.silu, "silu"),
    "silu by hand": (lambda v: v * tf.sigmoid(v), "silu"),
    "keras.ops.gelu": (keras.ops.gelu, "gelu"),
    "tf.nn.gelu": (tf.nn.gelu, "gelu"),
    "approximate gelu": (lambda v: tf.nn.gelu(v, approximate=True), "gelu"),
    "quick gelu": (lambda v: v * tf.sigmoid(1.702 * v), "smooth rectifier"),
    "elu": (tf.nn.elu, "elu"),
    "selu": (tf.nn.selu, "selu"),
    "softplus": (tf.math.softplus, "softplus"),
    "softplus by hand": (lambda v: tf.math.log(1.0 + tf.exp(v)), "softplus"),
    "mish": (keras.activations.mish, "mish"),
}
NOT_ONE: dict[str, Function] = {
    "identity": tf.identity,
    "scaled": lambda v: 2.0 * v - 1.0,
    "absolute": tf.abs,
    "square": tf.square,
    "exponential": tf.exp,
    "sine": tf.sin,
    "bell": lambda v: tf.exp(-tf.square(v)),
    "softmax": tf.nn.softmax,
}


STYLES = {"subclassed": subclassed, "in the layer": in_the_layer}


@pytest.mark.parametrize("style", list(STYLES))
@pytest.mark.parametrize("name", list(SILENCING))
def test_functions_that_silence_units_are_recognized(name: str, style: str) -> None:
    function, expected = SILENCING[name]
    seen = seen_by(STYLES[style](function), X)
    assert row_of(seen, "hidden").call.activation == expected
    if style == "subclassed" or "behind" not in name:
        assert_silent(seen)
    assert np.isnan(value_of(seen, "hidden", "saturated_fraction"))


@pytest.mark.parametrize("style", list(STYLES))
@pytest.mark.parametrize("name", list(OTHERS))
def test_functions_that_do_not_silence_units_are_recognized(name: str, style: str) -> None:
    function, expected = OTHERS[name]
    seen = seen_by(STYLES[style](function), X)
    assert row_of(seen, "hidden").call.activation == expected
    is_bounded = expected in {"tanh", "sigmoid", "hard_tanh", "hard_sigmoid", "softsign", "bounded function"}
    # The biases of -100 push five of sixteen units to the lower bound.
    assert (value_of(seen, "hidden", "saturated_fraction") >= DEAD / UNITS) == is_bounded


@pytest.mark.parametrize("style", list(STYLES))
@pytest.mark.parametrize("name", list(NOT_ONE))
def test_other_functions_are_not_taken_for_activation_functions(name: str, style: str) -> None:
    seen = seen_by(STYLES[style](NOT_ONE[name]), X)
    activation = row_of(seen, "hidden").call.activation
    assert activation in {None, "linear", getattr(NOT_ONE[name], "__name__", "")} - {"<lambda>"}


@pytest.mark.parametrize("name", ["keras.ops.relu", "relu with a maximum", "keras.activations.relu"])
def test_functional_models_with_operations_between_layers(name: str) -> None:
    function, expected = SILENCING[name]
    seen = seen_by(functional(function), X)
    assert row_of(seen, "hidden").call.activation == expected
    assert_silent(seen)


def test_a_function_in_a_convolution() -> None:
    seen = seen_by(in_a_convolution(lambda v: tf.maximum(v, 0.0)), PICTURES)
    assert row_of(seen, "hidden").call.activation == "relu"
    assert_silent(seen)


def test_statistics_equal_those_of_the_same_function_in_the_layer() -> None:
    outside, inside = subclassed(tf.nn.relu), in_the_layer("relu")
    outside(X[:1])
    outside.set_weights(inside.get_weights())
    one, other = seen_by(outside, X), seen_by(inside, X)
    for column in one.layers:
        assert value_of(one, "hidden", column) == pytest.approx(value_of(other, "hidden", column), nan_ok=True), column
        assert value_of(one, "head", column) == pytest.approx(value_of(other, "head", column), nan_ok=True), column
    np.testing.assert_array_equal(one.activity, other.activity)


def lies(v: Any) -> Any:
    return v + 0.0 * v


lies.__name__ = "relu"


def test_a_name_alone_is_not_trusted() -> None:
    assert row_of(seen_by(in_the_layer(lies), X), "hidden").call.activation is None


def test_keras_layers_keep_their_activation_names() -> None:
    parts = [layers.Input((8,)), dense(), layers.Activation("relu", name="act"), layers.Dense(8, "gelu", name="gelu")]
    seen = seen_by(keras.Sequential([*parts, layers.LeakyReLU(name="leaky"), head()]), X)
    names = {name: row_of(seen, name).call.activation for name in ("hidden", "act", "gelu", "leaky", "head")}
    assert names == {"hidden": "linear", "act": "relu", "gelu": "gelu", "leaky": "leaky_relu", "head": "linear"}
    assert_silent(seen, "act")
    assert value_of(seen, "hidden", "silent_fraction") == 0


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["tf.nn.relu", "keras.ops.relu", "clipped"])
def test_half_precision(name: str, policy: str) -> None:
    function, expected = SILENCING[name]
    keras.config.set_dtype_policy(policy)
    try:
        model = subclassed(function)
        seen = seen_by(model, X)
    finally:
        keras.config.set_dtype_policy("float32")
    assert row_of(seen, "hidden").call.activation == expected
    assert_silent(seen)


@pytest.mark.parametrize("name", ["gelu", "tf.nn.silu", "tf.tanh", "softplus", "elu"])
def test_other_functions_in_half_precision(name: str) -> None:
    function, expected = (tf.nn.gelu, "gelu") if name == "gelu" else OTHERS[name]
    keras.config.set_dtype_policy("mixed_float16")
    try:
        seen = seen_by(subclassed(function), X)
    finally:
        keras.config.set_dtype_policy("float32")
    assert row_of(seen, "hidden").call.activation == expected


@pytest.mark.parametrize("name", ["tf.nn.relu", "a mask", "clipped"])
def test_under_xla(name: str) -> None:
    function, expected = SILENCING[name]
    seen = seen_by(subclassed(function), X, jit_compile=True)
    assert row_of(seen, "hidden").call.activation == expected
    assert_silent(seen)


@pytest.mark.parametrize("name", ["tf.nn.relu", "tf.nn.relu6", "keras.ops.relu", "a mask", "tf.where"])
def test_eager_steps_recognize_functions_from_values(name: str) -> None:
    function, _ = SILENCING[name]
    seen = seen_by(subclassed(function), X, eager=True)
    assert row_of(seen, "hidden").call.activation in {"relu", "relu6"}
    assert_silent(seen)


@pytest.mark.parametrize("name", ["tf.tanh", "tf.nn.leaky_relu", "tf.nn.gelu", "elu", "tf.sigmoid"])
def test_eager_steps_recognize_other_functions_too(name: str) -> None:
    function, expected = OTHERS[name]
    seen = seen_by(subclassed(function), X, eager=True)
    assert row_of(seen, "hidden").call.activation == expected


def test_eager_steps_assign_no_function_to_outputs_used_directly() -> None:
    seen = seen_by(subclassed(tf.identity), X, eager=True)
    assert row_of(seen, "hidden").call.activation == "linear"
    assert value_of(seen, "hidden", "min") < -50


def test_a_fully_dead_layer_in_an_eager_step() -> None:
    hidden = layers.Dense(UNITS, bias_initializer=keras.initializers.Constant(-100.0), name="hidden")
    seen = seen_by(ByHand(lambda p, x: p.head(tf.nn.relu(p.hidden(x))), hidden=hidden, head=head()), X, eager=True)
    assert row_of(seen, "hidden").call.activation == "relu"
    assert value_of(seen, "hidden", "silent_fraction") == 1
