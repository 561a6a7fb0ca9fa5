"""A function between layers belongs to the layer whose output it is applied to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.taps.numbers import together
from tests.training.by_hand import PICTURES, UNITS, ByHand, X, assert_silent, bias, dense, head, subclassed
from tests.training.forward import row_of, seen_by, value_of
from tests.training.models import Trainable, digits, train
from tests.training.observe import Observe


def test_a_lambda_layer_is_an_activation_layer() -> None:
    seen = seen_by(keras.Sequential([layers.Input((8,)), dense(), layers.Lambda(tf.nn.relu, name="act"), head()]), X)
    assert row_of(seen, "act").call.activation == "relu"
    assert_silent(seen, "act")
    assert row_of(seen, "hidden").call.activation == "linear"


def test_a_function_after_a_normalization_belongs_to_the_normalization() -> None:
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


def test_a_function_of_a_sum_belongs_to_the_layer_called_last() -> None:
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


def test_after_a_concatenation_every_branch_has_its_own_units() -> None:
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
def test_reshaping_and_pooling_between_layer_and_function(name: str) -> None:
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
    # The units are on a different axis than the layer's, so they are not judged.
    assert row_of(seen, "hidden").call.activation == "linear"


def test_outputs_that_are_also_used_directly_get_no_function() -> None:
    def call(part: Any, x: Any) -> Any:
        h = part.hidden(x)
        return part.head(tf.nn.relu(h)) + part.side(h)

    seen = seen_by(ByHand(call, hidden=dense(), head=head(), side=layers.Dense(3, name="side")), X)
    assert row_of(seen, "hidden").call.activation == "linear"
    assert value_of(seen, "hidden", "min") < -50


def test_different_functions_of_two_halves_are_not_one_function() -> None:
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


def test_a_shared_layer_with_two_functions_has_no_common_one() -> None:
    def call(part: Any, x: Any) -> Any:
        return part.head(tf.nn.relu(part.hidden(x))) + part.head(tf.tanh(part.hidden(-x)))

    seen = seen_by(ByHand(call, hidden=dense(), head=head()), X)
    assert [row_of(seen, "hidden", site).call.activation for site in range(3)] == [None, "relu", "tanh"]


class Wrapping(layers.Layer):
    """Wraps a layer and applies its own function."""

    def __init__(self, **options: Any) -> None:
        super().__init__(name="wrapping", **options)
        self.inner = dense("inner")

    def call(self, x: Any) -> Any:
        return tf.nn.relu(self.inner(x))


def test_a_wrapped_layer_keeps_its_function() -> None:
    seen = seen_by(keras.Sequential([layers.Input((8,)), Wrapping(), head()]), X)
    assert row_of(seen, "wrapping/inner").call.activation == "relu"
    assert row_of(seen, "wrapping").call.activation is None
    assert_silent(seen, "wrapping/inner")


def test_a_function_after_a_wrapping_layer() -> None:
    class Plain(Wrapping):
        def call(self, x: Any) -> Any:
            return self.inner(x)

    seen = seen_by(ByHand(lambda p, x: p.head(tf.nn.relu(p.plain(x))), plain=Plain(), head=head()), X)
    assert_silent(seen, "wrapping/inner")


def test_a_wrapping_layer_with_its_own_weights() -> None:
    class Own(layers.Layer):
        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], UNITS), initializer="glorot_uniform", name="kernel")
            self.bias = self.add_weight(shape=(UNITS,), initializer=bias, name="bias")

        def call(self, x: Any) -> Any:
            return tf.nn.relu(tf.matmul(x, self.kernel) + self.bias)

    seen = seen_by(keras.Sequential([layers.Input((8,)), Own(name="own"), head()]), X)
    assert row_of(seen, "own").call.activation == "relu"
    assert_silent(seen, "own")


def test_a_function_after_the_last_layer() -> None:
    seen = seen_by(ByHand(lambda part, x: tf.sigmoid(part.hidden(x)), hidden=dense()), X)
    assert row_of(seen, "hidden").call.activation == "sigmoid"
    assert 0 <= value_of(seen, "hidden", "min") <= value_of(seen, "hidden", "max") <= 1


def test_a_function_after_a_nested_model() -> None:
    inner = keras.Sequential([layers.Input((8,)), dense()], name="inner")
    seen = seen_by(ByHand(lambda part, x: part.head(tf.nn.relu(part.inner(x))), inner=inner, head=head()), X)
    assert_silent(seen, "inner/hidden")


def test_a_gate_whose_sigmoid_is_outside_the_layer_is_a_gate() -> None:
    def call(part: Any, x: Any) -> Any:
        return part.head(tf.sigmoid(part.gate(x)) * part.hidden(x))

    seen = seen_by(ByHand(call, gate=dense("gate"), hidden=dense(), head=head()), X)
    assert row_of(seen, "gate").call.activation == "sigmoid"
    assert row_of(seen, "gate").call.is_gate


def test_every_output_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The statistics after a function take no second pass over the tensor before it."""
    measured: list[Any] = []
    original = together.activations

    def counted(given: Any) -> Any:
        measured.extend(value for value, *_ in given)
        return original(given)

    monkeypatch.setattr(together, "activations", counted)
    seen_by(subclassed(tf.nn.relu), X)
    assert len(measured) == 2


def residual_net() -> Trainable:
    def call(part: Any, x: Any) -> Any:
        h = tf.nn.relu(part.norm(part.stem(x)))
        h = keras.ops.relu(part.block(h) + h)
        return part.last(part.drop(tf.nn.max_pool2d(h, 2, 2, "VALID")))

    x, y = digits()
    stem = layers.Conv2D(6, 3, padding="same", name="stem")
    block = layers.Conv2D(6, 3, padding="same", name="block")
    last = keras.Sequential([layers.Flatten(), layers.Dense(16, tf.nn.gelu), layers.Dense(10)])
    drop = layers.Dropout(0.3)
    model = ByHand(call, stem=stem, norm=layers.BatchNormalization(), block=block, drop=drop, last=last)
    model(x[:1])
    return model, x, y


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_weights_are_bit_identical_with_functions_between_layers(run_eagerly: bool) -> None:
    observe = Observe(update_freq=2)
    alone = train(residual_net, [], epochs=1, run_eagerly=run_eagerly).get_weights()
    observed = train(residual_net, [observe], epochs=1, run_eagerly=run_eagerly).get_weights()
    assert len(observe.seen) >= 3
    for one, other in zip(alone, observed, strict=True):
        np.testing.assert_array_equal(one, other)
    if not run_eagerly:
        _, seen = observe.seen[0]
        assert {name: row_of(seen, name).call.activation for name in ("stem", "batch_normalization", "block")} == {
            "stem": "linear",
            "batch_normalization": "relu",
            "block": "relu",
        }
