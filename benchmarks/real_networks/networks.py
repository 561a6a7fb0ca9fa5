"""The networks, with scikit-learn's digits as pictures of the size they take, or as tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

BATCH, SIDE = 16, 64
Training = tuple[keras.Model, Any, Any]
"""Model, inputs, labels."""


def resnet50() -> Training:
    return _application(keras.applications.ResNet50)


def efficientnet_b0() -> Training:
    # It scales its inputs itself.
    return _application(keras.applications.EfficientNetB0, brightest=255.0)


def densenet121() -> Training:
    return _application(keras.applications.DenseNet121)


def bert() -> Training:
    """Twelve post-norm encoder blocks of width 256 with four heads, as in BERT."""
    pictures, labels = load_digits(return_X_y=True)
    inputs = layers.Input((64,), dtype="int32")
    h = layers.Embedding(17, 256)(inputs)
    for _ in range(12):
        attended = layers.MultiHeadAttention(4, 64, dropout=0.1)(h, h)
        h = layers.LayerNormalization()(layers.Add()([h, layers.Dropout(0.1)(attended)]))
        inner = layers.Dense(256)(layers.Dense(1024, "gelu")(h))
        h = layers.LayerNormalization()(layers.Add()([h, layers.Dropout(0.1)(inner)]))
    outputs = layers.Dense(10, "softmax")(layers.GlobalAveragePooling1D()(h))
    return keras.Model(inputs, outputs), pictures.astype("int32"), labels


def _application(make: Callable[..., keras.Model], brightest: float = 1.0) -> Training:
    pictures, labels = load_digits(return_X_y=True)
    small = (pictures / 16 * brightest).reshape(-1, 8, 8, 1).astype("float32")
    large = np.repeat(np.repeat(np.repeat(small[:512], SIDE // 8, 1), SIDE // 8, 2), 3, 3)
    return make(weights=None, input_shape=(SIDE, SIDE, 3), classes=10), large, labels[:512]


NETWORKS: dict[str, Callable[[], Training]] = {
    "ResNet50": resnet50,
    "EfficientNetB0": efficientnet_b0,
    "DenseNet121": densenet121,
    "BERT, 12 blocks": bert,
}
