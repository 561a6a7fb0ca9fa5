"""Digits as images and labels."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits


def pictures(count: int = 96) -> np.ndarray:
    """`[count, 8, 8, 1]` float32 in [0, 1]."""
    return np.asarray(load_digits().images[:count, :, :, None] / 16, np.float32)


def labels(count: int = 96) -> np.ndarray:
    """`[count]` int32, 0 to 9."""
    return np.asarray(load_digits().target[:count], np.int32)
