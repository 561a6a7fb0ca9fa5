"""Activation functions are recognized by their values."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.taps.numbers.values import StepValues
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


EXPECTED = {name: expected for name, (_, expected) in (SILENCING | OTHERS).items()}
FUNCTIONS: dict[str, Function] = {name: function for name, (function, _) in (SILENCING | OTHERS).items()} | NOT_ONE
LAYERS = {name: f"hidden_{number}" for number, name in enumerate(FUNCTIONS)}
"""Names of layers: many functions are observed in one pass, each of a layer of its own."""


def around(names: Iterable[str], style: str) -> keras.Model:
    """A model that applies each of these functions to a layer's outputs, or in the layer, and joins them."""
    is_inside = style == "in the layer"
    hidden = {name: dense(LAYERS[name], activation=FUNCTIONS[name] if is_inside else None) for name in names}

    def call(parts: Any, x: Any) -> Any:
        outputs = [(name, getattr(parts, LAYERS[name])(x)) for name in names]
        return parts.head(tf.concat([out if is_inside else FUNCTIONS[name](out) for name, out in outputs], -1))

    return ByHand(call, **{LAYERS[name]: layer for name, layer in hidden.items()}, head=head())


STYLES = ("subclassed", "in the layer")


@functools.cache
def seen_around_all(style: str) -> StepValues:
    return seen_by(around(FUNCTIONS, style), X)


def activation_of(seen: StepValues, name: str) -> str | None:
    return row_of(seen, LAYERS[name]).call.activation


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", list(SILENCING))
def test_functions_that_silence_units_are_recognized(name: str, style: str) -> None:
    seen = seen_around_all(style)
    assert activation_of(seen, name) == EXPECTED[name]
    if style == "subclassed" or "behind" not in name:
        assert_silent(seen, LAYERS[name])
    assert np.isnan(value_of(seen, LAYERS[name], "saturated_fraction"))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", list(OTHERS))
def test_functions_that_do_not_silence_units_are_recognized(name: str, style: str) -> None:
    seen = seen_around_all(style)
    assert activation_of(seen, name) == EXPECTED[name]
    bounded = {"tanh", "sigmoid", "hard_tanh", "hard_sigmoid", "softsign", "bounded function"}
    # The biases of -100 press five of sixteen units against the lower bound.
    saturated = value_of(seen, LAYERS[name], "saturated_fraction")
    assert (saturated >= DEAD / UNITS) == (EXPECTED[name] in bounded)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", list(NOT_ONE))
def test_what_is_no_activation_function_is_not_taken_for_one(name: str, style: str) -> None:
    activation = activation_of(seen_around_all(style), name)
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
def test_half_precision(policy: str) -> None:
    silencing = ("tf.nn.relu", "keras.ops.relu", "clipped")
    others = ("tf.nn.gelu", "tf.nn.silu", "tf.tanh", "softplus", "elu")
    keras.config.set_dtype_policy(policy)
    try:
        seen = seen_by(around((*silencing, *others), "subclassed"), X)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {row_of(seen, LAYERS[name]).call.dtype for name in silencing} == {policy.removeprefix("mixed_")}
    for name in silencing:
        assert activation_of(seen, name) == EXPECTED[name]
        assert_silent(seen, LAYERS[name])
    if policy == "mixed_float16":
        assert {name: activation_of(seen, name) for name in others} == {name: EXPECTED[name] for name in others}


def test_under_xla() -> None:
    names = ("tf.nn.relu", "a mask", "clipped")
    seen = seen_by(around(names, "subclassed"), X, jit_compile=True)
    for name in names:
        assert activation_of(seen, name) == EXPECTED[name]
        assert_silent(seen, LAYERS[name])


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
