"""Losses that combine a vector with a column by accident, found in a traced step with the line of the program."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tb_activations.records.specs import AllPairs
from tests.training.observe import Observe

pytestmark = pytest.mark.filterwarnings("ignore:Gradients do not exist for variables")

X = np.random.default_rng(0).uniform(0.1, 1, (20, 4)).astype("float32")
Y = X.sum(1)

Loss = Callable[..., Any]


class Regression(keras.Model):
    """A training step of its own, as a program has it. The loss takes targets `(batch,)` and outputs `(batch, 1)`."""

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.hidden, self.value = layers.Dense(6, activation="relu", name="hidden"), layers.Dense(1, name="value")
        self.other = layers.Dense(1, name="other")
        self.own_loss = loss

    def build(self, input_shape: Any) -> None:
        for layer in (self.hidden, self.other):
            layer.build(input_shape)
        self.value.build((None, 6))

    def call(self, inputs: Any) -> Any:
        return self.value(self.hidden(inputs))

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            given = {"x": x, "y": y, "value": self(x), "other": self.other(x)}
            loss = self.own_loss(*(given[name] for name in inspect.signature(self.own_loss).parameters))
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss}


def found(loss: Loss, *, targets: Any = Y, drop_remainder: bool = False, **options: Any) -> tuple[AllPairs, ...]:
    model = Regression(loss)
    model.compile("sgd", **{"jit_compile": False} | options)
    callback = Observe(with_histograms=False)
    data = tf.data.Dataset.from_tensor_slices((X, targets)).batch(8, drop_remainder=drop_remainder)
    model.fit(data, epochs=1, shuffle=False, verbose=0, callbacks=[callback])
    pairs: tuple[AllPairs, ...] = callback.seen[0][1].all_pairs
    return pairs


def place(function: Loss) -> str:
    lines, start = inspect.getsourcelines(function)
    return f"{function.__name__} (test_pairs.py:{start + len(lines) - 1})"


def squared(y: Any, value: Any) -> Any:
    return tf.reduce_mean(tf.square(y - value))


def squared_difference(y: Any, value: Any) -> Any:
    return tf.reduce_mean(tf.math.squared_difference(value, y))


def flattened(y: Any, value: Any) -> Any:
    return ops.mean(ops.abs(ops.reshape(y, (-1,)) - value))


def advantage(y: Any, value: Any, other: Any) -> Any:
    return -tf.reduce_mean(other[:, 0] * tf.stop_gradient(y - value))


def bootstrapped(y: Any, value: Any, other: Any) -> Any:
    return tf.reduce_mean(tf.square(y + 0.9 * tf.reduce_max(other, axis=1) - value))


@pytest.mark.parametrize(
    ("loss", "kind", "vector"),
    [
        (squared, "subtraction", ""),
        (squared_difference, "squared difference", ""),
        (flattened, "subtraction", ""),
        (advantage, "subtraction", ""),
        (bootstrapped, "subtraction", "other"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"jit_compile": True}, {"drop_remainder": True}], ids=str)
def test_a_vector_and_a_column_are_found_with_their_line(
    loss: Loss, kind: str, vector: str, options: Mapping[str, Any]
) -> None:
    assert found(loss, **options)[0] == AllPairs(kind, place(loss), vector, "value")


def rewarded(value: Any, y: Any) -> Any:
    return -tf.reduce_mean(value[:, 0] * y)


def test_targets_may_be_the_column() -> None:
    assert found(rewarded, targets=Y[:, None]) == (AllPairs("multiplication", place(rewarded), "value", ""),)


def weighted(x: Any, y: Any, value: Any) -> Any:
    return tf.reduce_mean(x[:, :1] * tf.square(y - value[:, 0]))


def test_weights_of_single_samples_that_are_a_column_weigh_all() -> None:
    assert found(weighted) == (AllPairs("multiplication", place(weighted), "value", "", weighs=True),)


def same_shapes(y: Any, value: Any) -> Any:
    return tf.reduce_mean(tf.square(y[:, None] - value)) + tf.reduce_mean(tf.square(y - value[:, 0]))


def pairs_of_outputs(y: Any, value: Any) -> Any:
    score = value[:, 0]
    is_better = tf.cast(y[:, None] > y, "float32")
    return tf.reduce_mean(is_better * tf.nn.relu(1 - value + score) * tf.abs(y[:, None] - y))


def good_and_bad(value: Any, other: Any) -> Any:
    return tf.reduce_mean(tf.nn.relu(1 - value[:, 0][:, None] + other[:, 0]))


def scaled(y: Any, value: Any) -> Any:
    return tf.reduce_mean(tf.square(y[:, None] - value) * tf.constant([1.0, 2.0])) + tf.reduce_mean(y) * 0


@pytest.mark.parametrize("loss", [same_shapes, pairs_of_outputs, good_and_bad, scaled])
@pytest.mark.parametrize("drop_remainder", [False, True])
def test_losses_that_are_meant_so_are_left_alone(loss: Loss, drop_remainder: bool) -> None:
    assert found(loss, drop_remainder=drop_remainder) == ()


@pytest.mark.parametrize("loss", ["mse", "huber", squared])
def test_keras_adapts_the_shapes_of_a_compiled_loss(loss: Any) -> None:
    model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
    model.compile("sgd", loss, jit_compile=False)
    callback = Observe(with_histograms=False)
    model.fit(X, Y, batch_size=8, epochs=1, verbose=0, sample_weight=Y, callbacks=[callback])
    assert callback.seen[0][1].all_pairs == ()


def test_an_eager_step_has_none() -> None:
    assert found(squared, run_eagerly=True) == ()
