"""The models that are timed, with random data of their shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

Workload = tuple[keras.Model, Any, Any, int]
"""Model, inputs, labels, batch size."""

_RANDOM = np.random.default_rng(0)


def mlp() -> Workload:
    model = keras.Sequential([layers.Input((784,))])
    for _ in range(3):
        model.add(layers.Dense(512, "relu"))
    model.add(layers.Dense(10))
    return model, *_data((784,)), 128


def cnn() -> Workload:
    model = keras.Sequential([layers.Input((32, 32, 3))])
    for filters in (32, 32, 64, 64):
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
        if len(model.layers) % 2 == 0:
            model.add(layers.MaxPooling2D())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10))
    return model, *_data((32, 32, 3)), 64


def transformer() -> Workload:
    inputs = layers.Input((64,), dtype="int32")
    h = layers.Embedding(1000, 128)(inputs)
    for _ in range(2):
        normal = layers.LayerNormalization()(h)
        h = layers.Add()([h, layers.MultiHeadAttention(4, 32)(normal, normal)])
        inner = layers.Dense(512, "gelu")(layers.LayerNormalization()(h))
        h = layers.Add()([h, layers.Dense(128)(inner)])
    outputs = layers.Dense(10)(layers.GlobalAveragePooling1D()(h))
    x = _RANDOM.integers(0, 1000, (2048, 64)).astype("int32")
    return keras.Model(inputs, outputs), x, _RANDOM.integers(0, 10, 2048), 32


def _data(shape: tuple[int, ...]) -> tuple[Any, Any]:
    return _RANDOM.normal(size=(2048, *shape)).astype("float32"), _RANDOM.integers(0, 10, 2048)


WORKLOADS: dict[str, Callable[[], Workload]] = {"MLP": mlp, "CNN": cnn, "transformer": transformer}
