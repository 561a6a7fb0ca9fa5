"""Cross entropy is computed from the logits of a softmax or sigmoid in an observed step too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.training.alone import Callbacks, assert_whole, data, observed


class Head(layers.Layer):
    """Ends with a TensorFlow function."""

    def __init__(self, units: int, function: Callable[[Any], Any]) -> None:
        super().__init__(name="head")
        self.units, self.function = units, function

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")

    def call(self, x: Any) -> Any:
        return self.function(tf.matmul(x, self.kernel))


class Returned(keras.Model):
    """Applies the function after the last layer."""

    def __init__(self, units: int, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.dense, self.function = layers.Dense(units, name="dense"), function

    def call(self, x: Any) -> Any:
        return self.function(self.dense(x))


def in_a_layer(units: int, function: Callable[[Any], Any]) -> keras.Model:
    return keras.Sequential([layers.Input((8,)), Head(units, function)])


@pytest.mark.parametrize("make", [in_a_layer, Returned])
@pytest.mark.parametrize(
    ("units", "function", "loss"),
    [(3, tf.nn.softmax, "sparse_categorical_crossentropy"), (1, tf.sigmoid, "binary_crossentropy")],
)
def test_probabilities_that_float32_rounds_to_one(
    make: Callable[[int, Any], keras.Model], units: int, function: Any, loss: str, tmp_path: Path
) -> None:
    x, y = data()
    target = np.digitize(y[:, 0], [-1, 1]) if units > 1 else (y > 0).astype("float32")

    def train(callbacks: Callbacks) -> keras.Model:
        model = make(units, function)
        model.compile("sgd", loss, jit_compile=False)
        # Large inputs: from saturated probabilities, the loss would differ from that of the logits.
        model.fit(x * 30, target, batch_size=32, epochs=2, verbose=0, callbacks=list(callbacks))
        return model

    assert_whole(observed(train, tmp_path))
