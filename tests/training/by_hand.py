"""Models whose `call` is a function from a test, and in which some units are dead."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.training.forward import peaks_of, value_of

UNITS = 16
DEAD = 5
"""Units whose bias keeps their inputs below zero."""
X = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
PICTURES = np.random.default_rng(1).normal(size=(16, 8, 8, 3)).astype("float32")
Function = Callable[[Any], Any]


def bias(shape: Any, dtype: Any = None) -> Any:
    return tf.concat([tf.fill([DEAD], -100.0), tf.zeros([shape[0] - DEAD])], 0)


def dense(name: str = "hidden", units: int = UNITS, **options: Any) -> layers.Layer:
    return layers.Dense(units, bias_initializer=bias, name=name, **options)


def head() -> layers.Layer:
    return layers.Dense(3, name="head")


class ByHand(keras.Model):
    """A model whose `call` is this function of its layers (by name) and the input."""

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


def in_the_layer(function: Function | str) -> keras.Model:
    return keras.Sequential([layers.Input((8,)), dense(activation=function), head()])


def in_a_convolution(function: Function) -> keras.Model:
    conv = layers.Conv2D(UNITS, 3, activation=function, bias_initializer=bias, name="hidden")
    return keras.Sequential([layers.Input((8, 8, 3)), conv, layers.Flatten(), head()])


def assert_silent(seen: Any, layer: str = "hidden", dead: int = DEAD) -> None:
    peaks = peaks_of(seen, layer)
    assert (peaks[:dead] == 0).all()
    assert (peaks[dead:] > 0).all()
    assert value_of(seen, layer, "silent_fraction") == pytest.approx(dead / len(peaks))
