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


def residual() -> Workload:
    """Twelve blocks of two convolutions, as in ResNets for small pictures."""
    inputs = layers.Input((32, 32, 3))
    h = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    for block in range(12):
        filters, stride = 16 * 2 ** (block // 4), 2 if block in (4, 8) else 1
        inner = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(h)
        inner = layers.ReLU()(layers.BatchNormalization()(inner))
        inner = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(inner))
        around = h if h.shape[-1] == filters else layers.Conv2D(filters, 1, stride, use_bias=False)(h)
        h = layers.ReLU()(layers.Add()([inner, around]))
    outputs = layers.Dense(10)(layers.GlobalAveragePooling2D()(h))
    return keras.Model(inputs, outputs), *_data((32, 32, 3)), 64


def resnet50() -> Workload:
    model = keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3), classes=10, classifier_activation=None)
    return model, *_data((64, 64, 3)), 16


def lstm() -> Workload:
    """Two LSTMs over 64 time steps."""
    recurrent = [layers.LSTM(256, return_sequences=True), layers.LSTM(256)]
    model = keras.Sequential([layers.Input((64, 64)), *recurrent, layers.Dense(10)])
    return model, *_data((64, 64)), 64


def _data(shape: tuple[int, ...]) -> tuple[Any, Any]:
    return _RANDOM.normal(size=(2048, *shape)).astype("float32"), _RANDOM.integers(0, 10, 2048)


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "MLP": mlp,
    "CNN": cnn,
    "residual network": residual,
    "LSTM": lstm,
    "transformer": transformer,
    "ResNet50": resnet50,
}
