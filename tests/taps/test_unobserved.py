"""Why a layer has no statistics."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from tests.training.observe import Observe

X = np.random.default_rng(0).normal(size=(16, 4, 6)).astype("float32")


class Skips(layers.Layer):
    """Has a layer that it never calls."""

    def __init__(self) -> None:
        super().__init__(name="outer")
        self.used, self.unused = layers.Dense(3, name="used"), layers.Dense(3, name="unused", trainable=False)

    def build(self, input_shape: Any) -> None:
        self.used.build(input_shape)
        self.unused.build(input_shape)
        self.built = True

    def call(self, x: Any) -> Any:
        return self.used(x)


def reasons(model: keras.Model) -> dict[str, str]:
    observe = Observe(with_histograms=False)
    model.compile("sgd", "mse")
    model.fit(X, X[..., :3], batch_size=16, verbose=0, callbacks=[observe])
    return {row.call.name: row.not_observed for row in observe.seen[0][1].rows if row.not_observed}


def test_of_a_layer_that_was_not_called_the_one_around_it_is_named() -> None:
    found = reasons(keras.Sequential([layers.Input((4, 6)), Skips()]))
    assert set(found) == {"outer/unused"}
    assert found["outer/unused"].startswith("outer ran without calling it")


def test_attention_that_keras_computes_at_once_names_the_attention_layer() -> None:
    inputs = keras.Input((4, 6))
    attended = layers.MultiHeadAttention(2, 3, name="attention")(inputs, inputs)
    found = reasons(keras.Model(inputs, layers.Dense(3)(attended)))
    assert set(found) <= {"attention/softmax", "attention/dropout"}
    assert all(reason.startswith("attention ran without calling it") for reason in found.values())
    assert "attention/softmax" in found
