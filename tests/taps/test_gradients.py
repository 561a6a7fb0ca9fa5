"""Gradients at layer outputs: the same in a compiled step, where the tape is asked, as in an eager one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.taps.numbers.values import StepValues
from tests.training.models import train
from tests.training.observe import Observe, value_of

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

X = np.random.default_rng(0).normal(size=(32, 12)).astype("float32")
CLASSES = np.arange(32) % 3


def branched() -> keras.Model:
    """Has a layer that returns its input, one that is called twice, and probabilities."""
    inputs = layers.Input((12,))
    stem = layers.Dense(12, "tanh", name="stem")(inputs)
    idle = layers.Dropout(0.0, name="idle")(stem)
    shared = layers.Dense(12, "sigmoid", name="shared")
    added = layers.Add(name="added")([shared(shared(idle)), stem])
    return keras.Model(inputs, layers.Dense(3, "softmax", name="head")(added))


def frozen_below() -> keras.Model:
    base = layers.Dense(12, "relu", name="base", trainable=False)
    flat, hidden = layers.Flatten(name="flat"), layers.Dense(12, "relu", name="hidden")
    return keras.Sequential([layers.Input((12,)), flat, base, hidden, layers.Dense(3, "softmax", name="head")])


class Tape(keras.Model):
    """Asks for zeros where there is no gradient; one layer is not connected to the loss."""

    def __init__(self, unconnected: tf.UnconnectedGradients) -> None:
        super().__init__()
        self.unconnected = unconnected
        self.first, self.aside = layers.Dense(8, "tanh", name="first"), layers.Dense(4, name="aside")
        self.head = layers.Dense(3, "softmax", name="head")

    def call(self, x: Any) -> Any:
        h = self.first(x)
        self.aside(h)
        return self.head(h)

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        variables = self.trainable_variables
        sources = [variable.value for variable in variables]
        gradients = tape.gradient(loss, sources, unconnected_gradients=self.unconnected)
        pairs = [(one, variable) for one, variable in zip(gradients, variables, strict=True) if one is not None]
        self.optimizer.apply_gradients(pairs)
        return {"loss": loss}


def without_zeros() -> keras.Model:
    return Tape(tf.UnconnectedGradients.NONE)


def with_zeros() -> keras.Model:
    return Tape(tf.UnconnectedGradients.ZERO)


@functools.cache
def first_step(make: Callable[[], keras.Model], **options: Any) -> StepValues:
    """Each training is traced only once for all tests; nobody changes its values."""
    observe = Observe(update_freq=10)
    train(lambda: (make(), X, CLASSES), [observe], epochs=1, from_logits=False, **options)
    return observe.seen[0][1]


@pytest.mark.parametrize("make", [branched, without_zeros])
def test_compiled_and_eager_steps_see_the_same(make: Callable[[], keras.Model]) -> None:
    compiled, eager = first_step(make), first_step(make, run_eagerly=True)
    rows = [(row.call.name, row.call_site) for row in compiled.rows]
    assert rows == [(row.call.name, row.call_site) for row in eager.rows]
    np.testing.assert_allclose(compiled.layers["gradient_norm"], eager.layers["gradient_norm"], rtol=1e-4)


def test_a_layer_that_returns_its_input_has_only_the_gradient_of_what_follows_it() -> None:
    seen = first_step(branched)
    idle, stem = (value_of(seen, name, "gradient_norm") for name in ("idle", "stem"))
    assert 0 < idle != stem > 0


def test_a_backward_pass_does_not_go_on_to_layers_before_the_first_weight() -> None:
    seen, eager = first_step(frozen_below), first_step(frozen_below, run_eagerly=True)
    for layer in ("flat", "base"):
        assert np.isnan(value_of(seen, layer, "gradient_norm"))
    for layer in ("hidden", "head"):
        assert value_of(seen, layer, "gradient_norm") == pytest.approx(
            value_of(eager, layer, "gradient_norm"), rel=1e-4
        )


def test_zeros_in_place_of_missing_gradients_do_not_hide_that_of_the_logits() -> None:
    missing, zero = first_step(without_zeros), first_step(with_zeros)
    for layer in ("first", "head"):
        expected, actual = (value_of(values, layer, "gradient_norm") for values in (missing, zero))
        assert actual == expected > 0
    assert np.isnan(value_of(missing, "aside", "gradient_norm"))
    assert value_of(zero, "aside", "gradient_norm") == 0
