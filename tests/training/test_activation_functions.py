"""Activation functions are recognized by what they do, wherever they stand, and count for the layer they belong to."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.training.forward import figure, peaks_of, row_of, seen_by

UNITS = 16
DEAD = 5
"""Units whose bias holds them below zero for good."""
X = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
PICTURES = np.random.default_rng(1).normal(size=(16, 8, 8, 3)).astype("float32")
Function = Callable[[Any], Any]

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


def bias(shape: Any, dtype: Any = None) -> Any:
    return tf.concat([tf.fill([DEAD], -100.0), tf.zeros([shape[0] - DEAD])], 0)


def dense(name: str = "hidden", units: int = UNITS, **options: Any) -> layers.Layer:
    return layers.Dense(units, bias_initializer=bias, name=name, **options)


def head() -> layers.Layer:
    return layers.Dense(3, name="head")


class ByHand(keras.Model):
    """A model whose `call` is this function of its layers by name and of the input."""

    def __init__(self, call: Callable[[Any, Any], Any], **parts: layers.Layer) -> None:
        super().__init__()
        self.parts = list(parts.values())
        self.names = list(parts)
        self._call = call

    def call(self, x: Any, training: bool = False) -> Any:
        return self._call(types.SimpleNamespace(**dict(zip(self.names, self.parts, strict=True))), x)


def subclassed(function: Function) -> keras.Model:
    return ByHand(lambda part, x: part.head(function(part.hidden(x))), hidden=dense(), head=head())


def functional(function: Function) -> keras.Model:
    inputs = layers.Input((8,))
    return keras.Model(inputs, head()(function(dense()(inputs))))


def in_the_layer(function: Function) -> keras.Model:
    return keras.Sequential([layers.Input((8,)), dense(activation=function), head()])


def in_a_convolution(function: Function) -> keras.Model:
    conv = layers.Conv2D(UNITS, 3, activation=function, bias_initializer=bias, name="hidden")
    return keras.Sequential([layers.Input((8, 8, 3)), conv, layers.Flatten(), head()])


def assert_silent(seen: Any, layer: str = "hidden", dead: int = DEAD) -> None:
    peaks = peaks_of(seen, layer)
    assert (peaks[:dead] == 0).all()
    assert (peaks[dead:] > 0).all()
    assert figure(seen, layer, "silent_fraction") == pytest.approx(dead / len(peaks))


STYLES = {"subclassed": subclassed, "in the layer": in_the_layer}


@pytest.mark.parametrize("style", list(STYLES))
@pytest.mark.parametrize("name", list(SILENCING))
def test_functions_that_silence_units_are_recognized(name: str, style: str) -> None:
    function, expected = SILENCING[name]
    seen = seen_by(STYLES[style](function), X)
    assert row_of(seen, "hidden").call.activation == expected
    if style == "subclassed" or "behind" not in name:
        assert_silent(seen)
    assert np.isnan(figure(seen, "hidden", "saturated_fraction"))


@pytest.mark.parametrize("style", list(STYLES))
@pytest.mark.parametrize("name", list(OTHERS))
def test_functions_that_do_not_silence_units_are_recognized(name: str, style: str) -> None:
    function, expected = OTHERS[name]
    seen = seen_by(STYLES[style](function), X)
    assert row_of(seen, "hidden").call.activation == expected
    is_bounded = expected in {"tanh", "sigmoid", "hard_tanh", "hard_sigmoid", "softsign", "bounded function"}
    # The biases of -100 press five of sixteen units against the lower bound.
    assert (figure(seen, "hidden", "saturated_fraction") >= DEAD / UNITS) == is_bounded


@pytest.mark.parametrize("style", list(STYLES))
@pytest.mark.parametrize("name", list(NOT_ONE))
def test_what_is_no_activation_function_is_not_taken_for_one(name: str, style: str) -> None:
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


def test_the_figures_are_those_of_the_same_function_in_the_layer() -> None:
    outside, inside = subclassed(tf.nn.relu), in_the_layer("relu")
    outside(X[:1])
    outside.set_weights(inside.get_weights())
    one, other = seen_by(outside, X), seen_by(inside, X)
    for column in one.layers:
        assert figure(one, "hidden", column) == pytest.approx(figure(other, "hidden", column), nan_ok=True), column
        assert figure(one, "head", column) == pytest.approx(figure(other, "head", column), nan_ok=True), column
    np.testing.assert_array_equal(one.activity, other.activity)


def lies(v: Any) -> Any:
    return v + 0.0 * v


lies.__name__ = "relu"


def test_a_name_is_not_believed() -> None:
    assert row_of(seen_by(in_the_layer(lies), X), "hidden").call.activation is None


def test_layers_of_keras_are_named_as_ever() -> None:
    parts = [layers.Input((8,)), dense(), layers.Activation("relu", name="act"), layers.Dense(8, "gelu", name="gelu")]
    seen = seen_by(keras.Sequential([*parts, layers.LeakyReLU(name="leaky"), head()]), X)
    names = {name: row_of(seen, name).call.activation for name in ("hidden", "act", "gelu", "leaky", "head")}
    assert names == {"hidden": "linear", "act": "relu", "gelu": "gelu", "leaky": "leaky_relu", "head": "linear"}
    assert_silent(seen, "act")
    assert figure(seen, "hidden", "silent_fraction") == 0


def test_a_lambda_layer_is_an_activation_layer() -> None:
    seen = seen_by(keras.Sequential([layers.Input((8,)), dense(), layers.Lambda(tf.nn.relu, name="act"), head()]), X)
    assert row_of(seen, "act").call.activation == "relu"
    assert_silent(seen, "act")
    assert row_of(seen, "hidden").call.activation == "linear"


def test_a_normalization_between_takes_the_function() -> None:
    def call(part: Any, x: Any) -> Any:
        return part.head(tf.nn.relu(part.norm(part.hidden(x))))

    norm = layers.BatchNormalization(beta_initializer=bias, name="norm")
    seen = seen_by(ByHand(call, hidden=dense(), norm=norm, head=head()), X)
    assert row_of(seen, "norm").call.activation == "relu"
    assert row_of(seen, "hidden").call.activation == "linear"
    assert_silent(seen, "norm")


def residual(part: Any, x: Any) -> Any:
    shortcut = part.shortcut(x)
    return part.head(tf.nn.relu(part.hidden(tf.nn.tanh(part.first(x))) + shortcut))


def test_behind_a_sum_the_function_belongs_to_the_layer_called_last() -> None:
    shortcut = layers.Dense(UNITS, name="shortcut", use_bias=False)
    seen = seen_by(ByHand(residual, shortcut=shortcut, first=dense("first"), hidden=dense(), head=head()), X)
    names = {name: row_of(seen, name).call.activation for name in ("shortcut", "first", "hidden")}
    assert names == {"shortcut": "linear", "first": "tanh", "hidden": "relu"}
    assert_silent(seen)


def test_a_residual_net_of_many_blocks() -> None:
    def call(part: Any, x: Any) -> Any:
        h = tf.nn.relu(part.stem(x))
        for block in (part.a, part.b, part.c):
            h = tf.nn.relu(block(h) + h)
        return part.head(h)

    parts = {name: layers.Dense(UNITS, name=name) for name in ("stem", "a", "b", "c")}
    seen = seen_by(ByHand(call, **parts, head=head()), X)
    assert {row_of(seen, name).call.activation for name in parts} == {"relu"}
    assert row_of(seen, "head").call.activation == "linear"


def test_behind_a_concatenation_every_branch_has_its_own_units() -> None:
    def call(part: Any, x: Any) -> Any:
        return part.head(tf.nn.relu(tf.concat([part.one(x), part.other(x)], -1)))

    other = layers.Dense(8, name="other")
    seen = seen_by(ByHand(call, one=dense("one"), other=other, head=head()), X)
    assert [row_of(seen, name).call.activation for name in ("one", "other")] == ["relu", "relu"]
    assert_silent(seen, "one")
    assert_silent(seen, "other", 0)


def test_functions_before_a_concatenation() -> None:
    def call(part: Any, x: Any) -> Any:
        return part.head(keras.ops.concatenate([keras.ops.relu(part.one(x)), keras.ops.tanh(part.other(x))]))

    seen = seen_by(ByHand(call, one=dense("one"), other=dense("other"), head=head()), X)
    assert [row_of(seen, name).call.activation for name in ("one", "other")] == ["relu", "tanh"]
    assert_silent(seen, "one")


def test_a_bias_of_the_model_is_part_of_the_sum() -> None:
    class Shifted(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.head = layers.Dense(UNITS, use_bias=False, name="hidden"), head()
            self.shift = self.add_weight(shape=(UNITS,), initializer=bias)

        def call(self, x: Any) -> Any:
            return self.head(tf.nn.relu(self.hidden(x) + self.shift))

    seen = seen_by(Shifted(), X)
    assert row_of(seen, "hidden").call.activation == "relu"
    assert_silent(seen)


MOVED: dict[str, tuple[Callable[[Any, Any], Any], dict[str, layers.Layer]]] = {
    "dropout before": (lambda p, h: tf.nn.relu(p.move(h)), {"move": layers.Dropout(0.5)}),
    "dropout behind": (lambda p, h: p.move(tf.nn.relu(h)), {"move": layers.Dropout(0.5)}),
    "tf.nn.dropout before": (lambda p, h: tf.nn.relu(tf.nn.dropout(h, 0.5)), {}),
    "flatten before": (lambda p, h: tf.nn.relu(p.move(h)), {"move": layers.Flatten()}),
    "flatten behind": (lambda p, h: p.move(tf.nn.relu(h)), {"move": layers.Flatten()}),
    "reshape before": (lambda p, h: tf.nn.relu(tf.reshape(h, [-1, 6 * 6 * UNITS])), {}),
    "pooling layer before": (lambda p, h: tf.nn.relu(p.move(h)), {"move": layers.MaxPooling2D()}),
    "pooling layer behind": (lambda p, h: p.move(tf.nn.relu(h)), {"move": layers.MaxPooling2D()}),
    "pooling function before": (lambda p, h: tf.nn.relu(tf.nn.max_pool2d(h, 2, 2, "VALID")), {}),
    "pooling function behind": (lambda p, h: tf.nn.max_pool2d(tf.nn.relu(h), 2, 2, "VALID"), {}),
    "global pooling before": (lambda p, h: tf.nn.relu(tf.reduce_mean(h, [1, 2])), {}),
}


@pytest.mark.parametrize("name", list(MOVED))
def test_moving_between_layer_and_function(name: str) -> None:
    between, parts = MOVED[name]
    conv = layers.Conv2D(UNITS, 3, bias_initializer=bias, name="hidden")
    flatten = layers.Flatten(name="flatten")
    model = ByHand(
        lambda p, x: p.head(p.flatten(between(p, p.hidden(x)))), hidden=conv, **parts, flatten=flatten, head=head()
    )
    seen = seen_by(model, PICTURES)
    assert row_of(seen, "hidden").call.activation == "relu"
    assert row_of(seen, "hidden").call.shape == (None, 6, 6, UNITS)
    assert_silent(seen)


def test_channels_first() -> None:
    def call(part: Any, x: Any) -> Any:
        h = tf.nn.relu(tf.transpose(part.hidden(x), [0, 2, 1]))
        return part.head(part.flatten(h))

    parts = {"hidden": dense(), "flatten": layers.Flatten(), "head": head()}
    seen = seen_by(ByHand(call, **parts), PICTURES[:, 0])
    # The units stand on another axis than the layer's, so nothing is said of them.
    assert row_of(seen, "hidden").call.activation == "linear"


def test_outputs_that_are_also_used_as_they_are_stay_so() -> None:
    def call(part: Any, x: Any) -> Any:
        h = part.hidden(x)
        return part.head(tf.nn.relu(h)) + part.side(h)

    seen = seen_by(ByHand(call, hidden=dense(), head=head(), side=layers.Dense(3, name="side")), X)
    assert row_of(seen, "hidden").call.activation == "linear"
    assert figure(seen, "hidden", "min") < -50


def test_two_halves_of_one_output_have_no_function_in_common() -> None:
    def call(part: Any, x: Any) -> Any:
        h = part.hidden(x)
        return part.head(tf.concat([tf.nn.relu(h), tf.nn.relu(-h)], -1))

    assert row_of(seen_by(ByHand(call, hidden=dense(), head=head()), X), "hidden").call.activation == "linear"


def test_the_same_function_twice_is_one() -> None:
    def call(part: Any, x: Any) -> Any:
        h = part.hidden(x)
        return part.head(tf.nn.relu(h)) + part.side(tf.nn.relu(h))

    seen = seen_by(ByHand(call, hidden=dense(), head=head(), side=layers.Dense(3, name="side")), X)
    assert row_of(seen, "hidden").call.activation == "relu"
    assert_silent(seen)


def test_a_shared_layer_with_two_functions_has_none_as_a_whole() -> None:
    def call(part: Any, x: Any) -> Any:
        return part.head(tf.nn.relu(part.hidden(x))) + part.head(tf.tanh(part.hidden(-x)))

    seen = seen_by(ByHand(call, hidden=dense(), head=head()), X)
    assert [row_of(seen, "hidden", site).call.activation for site in range(3)] == [None, "relu", "tanh"]


class Wrapping(layers.Layer):
    """A layer around a layer, with a function of its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(name="wrapping", **options)
        self.inner = dense("inner")

    def call(self, x: Any) -> Any:
        return tf.nn.relu(self.inner(x))


def test_a_layer_around_a_layer_leaves_it_its_function() -> None:
    seen = seen_by(keras.Sequential([layers.Input((8,)), Wrapping(), head()]), X)
    assert row_of(seen, "wrapping/inner").call.activation == "relu"
    assert row_of(seen, "wrapping").call.activation is None
    assert_silent(seen, "wrapping/inner")


def test_a_function_behind_a_layer_around_a_layer() -> None:
    class Plain(Wrapping):
        def call(self, x: Any) -> Any:
            return self.inner(x)

    seen = seen_by(ByHand(lambda p, x: p.head(tf.nn.relu(p.plain(x))), plain=Plain(), head=head()), X)
    assert_silent(seen, "wrapping/inner")


def test_a_layer_with_weights_of_its_own() -> None:
    class Own(layers.Layer):
        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], UNITS), initializer="glorot_uniform", name="kernel")
            self.bias = self.add_weight(shape=(UNITS,), initializer=bias, name="bias")

        def call(self, x: Any) -> Any:
            return tf.nn.relu(tf.matmul(x, self.kernel) + self.bias)

    seen = seen_by(keras.Sequential([layers.Input((8,)), Own(name="own"), head()]), X)
    assert row_of(seen, "own").call.activation == "relu"
    assert_silent(seen, "own")


def test_the_last_function_stands_behind_the_last_layer() -> None:
    seen = seen_by(ByHand(lambda part, x: tf.sigmoid(part.hidden(x)), hidden=dense()), X)
    assert row_of(seen, "hidden").call.activation == "sigmoid"
    assert 0 <= figure(seen, "hidden", "min") <= figure(seen, "hidden", "max") <= 1


def test_a_function_behind_a_model_within_a_model() -> None:
    inner = keras.Sequential([layers.Input((8,)), dense()], name="inner")
    seen = seen_by(ByHand(lambda part, x: part.head(tf.nn.relu(part.inner(x))), inner=inner, head=head()), X)
    assert_silent(seen, "inner/hidden")


def test_a_gate_whose_sigmoid_stands_outside_is_a_gate() -> None:
    def call(part: Any, x: Any) -> Any:
        return part.head(tf.sigmoid(part.gate(x)) * part.hidden(x))

    seen = seen_by(ByHand(call, gate=dense("gate"), hidden=dense(), head=head()), X)
    assert row_of(seen, "gate").call.activation == "sigmoid"
    assert row_of(seen, "gate").call.is_gate


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
def test_half_precision_of_others(name: str) -> None:
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
def test_eager_steps_tell_functions_from_values(name: str) -> None:
    function, _ = SILENCING[name]
    seen = seen_by(subclassed(function), X, eager=True)
    assert row_of(seen, "hidden").call.activation in {"relu", "relu6"}
    assert_silent(seen)


@pytest.mark.parametrize("name", ["tf.tanh", "tf.nn.leaky_relu", "tf.nn.gelu", "elu", "tf.sigmoid"])
def test_eager_steps_tell_other_functions_too(name: str) -> None:
    function, expected = OTHERS[name]
    seen = seen_by(subclassed(function), X, eager=True)
    assert row_of(seen, "hidden").call.activation == expected


def test_eager_steps_leave_outputs_that_are_used_as_they_are() -> None:
    seen = seen_by(subclassed(tf.identity), X, eager=True)
    assert row_of(seen, "hidden").call.activation == "linear"
    assert figure(seen, "hidden", "min") < -50


def test_a_layer_all_of_whose_units_are_dead_in_an_eager_step() -> None:
    hidden = layers.Dense(UNITS, bias_initializer=keras.initializers.Constant(-100.0), name="hidden")
    seen = seen_by(ByHand(lambda p, x: p.head(tf.nn.relu(p.hidden(x))), hidden=hidden, head=head()), X, eager=True)
    assert row_of(seen, "hidden").call.activation == "relu"
    assert figure(seen, "hidden", "silent_fraction") == 1
