"""A small sample of a model's weights that identifies the model's state."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_LOGGER = logging.getLogger("tb_activations")

FINGERPRINT_SIZE = 1024
_GOLDEN = (5**0.5 - 1) / 2


def fingerprint(variables: Iterable[Any]) -> NDArray[np.float32]:
    """About `FINGERPRINT_SIZE` elements, spread over all elements of the variables; empty without variables.

    Each variable contributes at least one element, unless there are more variables than elements. Variables that
    cannot be read (a table of strings, an uninitialized variable) are left out. Pass `model.weights`, frozen weights
    included: the fingerprint must not depend on which weights are trained.
    """
    sizes: list[tuple[Any, int]] = []
    for variable in variables:
        size = _size(variable)
        if size:
            sizes.append((variable, size))
    sizes = _spread(sizes)
    total = sum(size for _, size in sizes)
    parts = [_elements(variable, size, max(1, round(FINGERPRINT_SIZE * size / total))) for variable, size in sizes]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def _size(variable: Any) -> int:
    try:
        is_number = tf.as_dtype(variable.dtype).is_numpy_compatible and tf.as_dtype(variable.dtype) != tf.string
        return int(np.prod([int(size) for size in variable.shape])) if is_number else 0
    except Exception as error:
        _LOGGER.debug("Layer health: %r is left out of the fingerprint (%s).", type(variable).__name__, error)
        return 0


def _spread(sizes: Sequence[tuple[Any, int]]) -> list[tuple[Any, int]]:
    if len(sizes) <= FINGERPRINT_SIZE:
        return list(sizes)
    return [sizes[place] for place in np.linspace(0, len(sizes) - 1, FINGERPRINT_SIZE).round().astype(int)]


def _elements(variable: Any, size: int, count: int) -> NDArray[np.float32]:
    # Multiples of the golden ratio spread evenly over rows and columns; a fixed stride could stay in one column.
    places = np.arange(size) if count >= size else np.unique((np.arange(count) * _GOLDEN % 1 * size).astype(np.int64))
    try:
        # Gathered from the value: after a gather from a variable, TensorFlow copies that variable on every later read.
        tensor = tf.convert_to_tensor(variable)
        if ":CPU:" in tensor.device:
            # Without a copy, and without operations, of which hundreds of weights would need thousands.
            values = np.asarray(tensor).reshape(-1)[places]
        else:
            values = tf.gather(tf.reshape(tensor, [-1]), places).numpy()
        values = np.real(values) if np.iscomplexobj(values) else values
        return np.asarray(values).astype(np.float32)
    except Exception as error:
        _LOGGER.debug("Layer health: %r is left out of the fingerprint (%s).", type(variable).__name__, error)
        return np.zeros(0, np.float32)
