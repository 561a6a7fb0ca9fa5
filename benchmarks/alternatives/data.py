"""What every way trains on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

BATCH, SIDE, FILTERS = 64, 32, (32, 32, 64, 64)
"""The network has a convolution of these widths each, with batch normalization and ReLU; pooling after two."""
EPOCHS = 4
"""The first one is not timed."""


def pictures() -> tuple[NDArray[Any], NDArray[Any]]:
    """scikit-learn's digits as `[1792, SIDE, SIDE, 3]` float32 in [0, 1] and int64 labels: 28 whole batches."""
    small, labels = load_digits(return_X_y=True)
    count = len(labels) // BATCH * BATCH
    one = (small[:count] / 16).reshape(-1, 8, 8, 1).astype("float32")
    times = SIDE // 8
    return np.repeat(np.repeat(np.repeat(one, times, 1), times, 2), 3, 3), labels[:count].astype("int64")
