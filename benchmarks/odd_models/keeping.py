"""Layers that keep state between steps, each in another place, and layers that draw random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

_GLOBAL: list[tf.Variable] = []
_COUNT = [0]
_KEEPERS: list[Averaging] = []


class Averaging(layers.Layer):
    """Subtracts a moving average of its inputs; subclasses decide where it is kept."""

    def build(self, shape: Any) -> None:
        self.keep(tf.Variable(tf.zeros(shape[-1]), trainable=False))
        _KEEPERS.append(self)

    def keep(self, variable: tf.Variable) -> None:
        self.average = variable

    def kept(self) -> Any:
        return self.average

    def call(self, x: Any, training: bool = False) -> Any:
        kept = self.kept()
        if training:
            # Mixed precision reads a layer's own weights in float16.
            mean = tf.reduce_mean(tf.cast(x, kept.dtype), axis=list(range(len(x.shape) - 1)))
            kept.assign(0.9 * tf.cast(kept, mean.dtype) + 0.1 * mean)
        return x - tf.cast(kept, x.dtype)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class InDict(Averaging):
    def keep(self, variable: tf.Variable) -> None:
        self.state = {"mean": variable}

    def kept(self) -> Any:
        return self.state["mean"]


class InNestedList(Averaging):
    def keep(self, variable: tf.Variable) -> None:
        self.state = [[variable]]

    def kept(self) -> Any:
        return self.state[0][0]


class InModule(Averaging):
    def keep(self, variable: tf.Variable) -> None:
        self.module = tf.Module()
        self.module.value = variable

    def kept(self) -> Any:
        return self.module.value


class InWeight(Averaging):
    """State as Keras recommends it."""

    def build(self, shape: Any) -> None:
        self.average = self.add_weight(shape=(shape[-1],), initializer="zeros", trainable=False, name="average")


class InGlobal(Averaging):
    def keep(self, variable: tf.Variable) -> None:
        _GLOBAL.append(variable)
        self.index = len(_GLOBAL) - 1

    def kept(self) -> Any:
        return _GLOBAL[self.index]


class InPython(layers.Layer):
    """Grows with the number of calls, which Python counts."""

    def call(self, x: Any, training: bool = False) -> Any:
        if not training:
            return x
        factor = tf.numpy_function(_counted, [0.0], tf.float32)
        factor.set_shape([])
        return x * tf.cast(factor, x.dtype)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class SeededNoise(layers.Layer):
    """Draws with its own generator."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = keras.random.SeedGenerator(3)

    def call(self, x: Any, training: bool = False) -> Any:
        return x + 0.1 * keras.random.normal(tf.shape(x), dtype=x.dtype, seed=self.generator) if training else x

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class GlobalNoise(layers.Layer):
    """Draws with the global generator."""

    def call(self, x: Any, training: bool = False) -> Any:
        return x * keras.random.uniform(tf.shape(x), 0.8, 1.2, dtype=x.dtype) if training else x

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


KEEPERS: dict[str, Callable[[], Any] | None] = {
    "none": None,
    "attribute": Averaging,
    "dict": InDict,
    "nested_list": InNestedList,
    "module": InModule,
    "global": InGlobal,
    "python": InPython,
    "spectral_norm": lambda: layers.SpectralNormalization(layers.Dense(8)),
    "weight": InWeight,
}
NOISES: dict[str, Callable[[], Any] | None] = {
    "none": None,
    "dropout": lambda: layers.Dropout(0.3),
    "seeded_dropout": lambda: layers.Dropout(0.3, seed=7),
    "gaussian_noise": lambda: layers.GaussianNoise(0.1),
    "gaussian_dropout": lambda: layers.GaussianDropout(0.2),
    "seed_generator": SeededNoise,
    "keras_random": GlobalNoise,
}


def forget() -> None:
    """Resets all state outside models, as in a new process."""
    _GLOBAL.clear()
    _KEEPERS.clear()
    _COUNT[0] = 0


def all_kept() -> list[np.ndarray]:
    """State that Keras does not track."""
    return [*(keeper.kept().numpy() for keeper in _KEEPERS), np.array(_COUNT)]


def _counted(_: Any) -> np.float32:
    _COUNT[0] += 1
    return np.float32(min(1, 0.5 + _COUNT[0] / 50))
