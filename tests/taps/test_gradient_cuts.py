"""Why no gradient reaches a layer, found in a traced step with the line of the program."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tb_activations.records.specs import GradientCut
from tests.training.observe import Observe

pytestmark = pytest.mark.filterwarnings("ignore:Gradients do not exist for variables")

X = np.random.default_rng(0).uniform(0.1, 1, (16, 4)).astype("float32")

Change = Callable[[Any], Any]


class Changed(layers.Layer):
    """A custom layer that changes its inputs by a function."""

    def __init__(self, change: Change, **options: Any) -> None:
        super().__init__(**options)
        self.change = change

    def call(self, inputs: Any) -> Any:
        return self.change(inputs)


def found(model: keras.Model, loss: Any = "mse", targets: Any = X[:, :2], **options: Any) -> tuple[GradientCut, ...]:
    model.compile("sgd", loss, **{"jit_compile": False} | options)
    callback = Observe(with_histograms=False)
    model.fit(X, targets, batch_size=8, epochs=1, verbose=0, callbacks=[callback])
    cuts: tuple[GradientCut, ...] = callback.seen[0][1].gradient_cuts
    return cuts


def behind(change: Change, **options: Any) -> tuple[GradientCut, ...]:
    hidden = [layers.Dense(4, activation="tanh", name="first"), layers.Dense(4, name="second")]
    changed = Changed(change, name="changed")
    return found(keras.Sequential([layers.Input((4,)), *hidden, changed, layers.Dense(2, name="out")]), **options)


def place(function: Callable[..., Any], text: str = "return") -> str:
    """Where the line of this function that contains the text is."""
    lines, start = inspect.getsourcelines(function)
    (number,) = (start + offset for offset, line in enumerate(lines) if text in line)
    return f"{function.__name__} (test_gradient_cuts.py:{number})"


def stopped(values: Any) -> Any:
    return ops.stop_gradient(values)


def likeliest(values: Any) -> Any:
    index = ops.argmax(values, axis=-1)
    return ops.one_hot(index, 4)


def rounded(values: Any) -> Any:
    return tf.round(10 * values) / 10


def whole(values: Any) -> Any:
    return ops.cast(ops.cast(values, "int32"), "float32")


def above(values: Any) -> Any:
    return ops.cast(values > 0, "float32")


def by_numpy(values: Any) -> Any:
    result = tf.numpy_function(np.tanh, [values], tf.float32)
    return tf.ensure_shape(result, values.shape)


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        (stopped, "stop_gradient", "return"),
        (likeliest, "argmax", "argmax"),
        (rounded, "rounding", "return"),
        (whole, "conversion to integers", "return"),
        (above, "comparison", "return"),
        (by_numpy, "function in numpy", "numpy_function"),
    ],
)
def test_the_first_operation_without_a_gradient_is_named_for_every_layer_before_it(
    change: Change, kind: str, text: str
) -> None:
    expected = (kind, place(change, text))
    assert behind(change) == tuple(GradientCut(name, *expected) for name in ("first", "second"))


def test_it_is_found_in_a_step_that_xla_compiles() -> None:
    assert behind(rounded, jit_compile=True)[0].place == place(rounded)


def test_an_operation_of_a_functional_model_has_no_line() -> None:
    inputs = keras.Input((4,))
    hidden = ops.stop_gradient(layers.Dense(4, name="hidden")(inputs))
    model = keras.Model(inputs, layers.Dense(2, name="out")(hidden))
    assert found(model) == (GradientCut("hidden", "stop_gradient", ""),)


def straight_through(values: Any) -> Any:
    return values + ops.stop_gradient(tf.round(values) - values)


@pytest.mark.parametrize("change", [straight_through, ops.tanh])
def test_nothing_is_found_where_every_layer_has_a_gradient(change: Change) -> None:
    assert behind(change) == ()


class Rounded(layers.Layer):
    """A layer that computes with whole weights, which passes no gradient to them."""

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], 4), name="kernel")

    def call(self, inputs: Any) -> Any:
        return inputs @ ops.round(self.kernel)


def test_a_cut_between_the_weights_of_a_layer_and_its_outputs_is_found() -> None:
    model = keras.Sequential([layers.Input((4,)), Rounded(name="rounded"), layers.Dense(2, name="out")])
    assert found(model) == (GradientCut("rounded", "rounding", place(Rounded.call)),)


def test_the_weights_of_a_cell_count_for_its_layer() -> None:
    recurrent = layers.LSTM(3, return_sequences=True, name="recurrent")
    stages = [layers.Reshape((4, 1)), recurrent, Changed(stopped), layers.Flatten(), layers.Dense(2)]
    (cut,) = found(keras.Sequential([layers.Input((4,)), *stages]))
    assert (cut.layer, cut.kind) == ("recurrent", "stop_gradient")


class Side(keras.Model):
    """A layer whose outputs nothing uses, one of whose outputs only the shape is used, and one that is cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.unused, self.shape_of = layers.Dense(3, name="unused"), layers.Dense(3, name="shape_of")
        self.out = layers.Dense(2, name="out")

    def call(self, inputs: Any) -> Any:
        self.unused(inputs)
        size = tf.cast(tf.shape(self.shape_of(inputs))[0], "float32")
        return self.out(inputs) * size / size


def test_a_loss_that_does_not_use_the_outputs_is_named_as_such() -> None:
    assert found(Side()) == (GradientCut("unused"), GradientCut("shape_of"))


def in_bins(truth: Any, guess: Any) -> Any:
    counts = [tf.histogram_fixed_width(values, (0.0, 1.0), 4) for values in (truth, guess)]
    return ops.mean(ops.square(ops.cast(counts[0] - counts[1], "float32")))


def test_a_cut_in_the_loss_is_found() -> None:
    inputs = keras.Input((4,))
    body = layers.Dense(4, name="body")(inputs)
    model = keras.Model(inputs, [layers.Dense(2, name="sharp")(body), layers.Dense(2, name="toned")(body)])
    expected = GradientCut("toned", "histogram", place(in_bins, "histogram_fixed_width"))
    assert found(model, ["mse", in_bins], [X[:, :2], X[:, :2]]) == (expected,)


def test_an_eager_step_has_none() -> None:
    assert behind(rounded, run_eagerly=True) == ()
