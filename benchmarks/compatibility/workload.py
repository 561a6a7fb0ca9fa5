"""What a cell trains: a model with suitable data, digits 0 to 9 as images, rows of pixels or tokens."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_digits

SAMPLES, BATCH = 64, 16
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@dataclasses.dataclass(frozen=True)
class Workload:
    """A model, its loss and its data."""

    model: keras.Model
    x: Any
    y: Any
    loss: Any = LOSS


def pictures(axis: int = -1) -> np.ndarray:
    """`[SAMPLES, 8, 8, 1]`, or with the channel at `axis`."""
    return np.expand_dims(load_digits().images[:SAMPLES] / 16, axis).astype("float32")


def labels() -> np.ndarray:
    return np.asarray(load_digits().target[:SAMPLES])


def tokens() -> np.ndarray:
    """`[SAMPLES, 16]`, 0 to 16."""
    return (pictures().reshape(SAMPLES, 64)[:, ::4] * 16).astype("int32")
