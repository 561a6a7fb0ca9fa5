"""Blocks that `tf.recompute_grad` computes again in the backward pass, as large models do to save memory."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.training.models import Trainable, digits, train
from tests.training.observe import Observe, value_of


class Block(layers.Layer):
    """Two layers, the second called once or twice."""

    def __init__(self, is_recomputed: bool, is_shared: bool) -> None:
        super().__init__(name="block")
        self._is_recomputed, self._is_shared = is_recomputed, is_shared
        self.first, self.second = layers.Dense(16, "relu", name="first"), layers.Dense(16, "tanh", name="second")

    def build(self, shape: Any) -> None:
        self.first.build(shape)
        self.second.build((None, 16))

    def call(self, x: Any) -> Any:
        def block(value: Any) -> Any:
            h = self.second(self.first(value))
            return self.second(h) if self._is_shared else h

        return (tf.recompute_grad(block) if self._is_recomputed else block)(x)

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], 16)


def network(is_recomputed: bool, is_shared: bool = False) -> Trainable:
    x, y = digits()
    before, head = layers.Dense(32, "relu", name="before"), layers.Dense(10, name="head")
    model = keras.Sequential([layers.Input((64,)), before, Block(is_recomputed, is_shared), head])
    return model, x.reshape(len(x), 64), y


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_a_repeated_call_counts_as_the_call_that_it_repeats(run_eagerly: bool) -> None:
    seen = {}
    for is_recomputed in (False, True):
        observe, make = Observe(update_freq=3), functools.partial(network, is_recomputed)
        observed = train(make, [observe], run_eagerly=run_eagerly)
        alone = train(make, [], run_eagerly=run_eagerly)
        for one, other in zip(alone.get_weights(), observed.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        seen[is_recomputed] = observe.seen[1][1]
    rows = [[(row.call.name, row.call_site) for row in step.rows] for step in seen.values()]
    assert rows[0] == rows[1] == [(name, 0) for name in ("before", "block/first", "block/second", "block", "head")]
    for layer, _ in rows[0]:
        for what in ("mean", "gradient_norm", "weight_gradient_norm"):
            expected, actual = (value_of(step, layer, what) for step in seen.values())
            np.testing.assert_allclose(actual, expected, rtol=1e-5)
    assert value_of(seen[True], "block/first", "gradient_norm") > 0


def test_several_repeated_calls_of_a_layer_have_no_gradient() -> None:
    observe = Observe(update_freq=3)
    train(lambda: network(True, is_shared=True), [observe])
    last = observe.seen[1][1]
    assert [row.call_site for row in last.rows if row.call.name == "block/second"] == [0, 1, 2]
    assert value_of(last, "block/first", "gradient_norm") > 0
    assert np.isnan(value_of(last, "block/second", "gradient_norm"))
    assert value_of(last, "block/second", "weight_gradient_norm") > 0
