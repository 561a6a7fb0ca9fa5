"""Constants that a graph holds once, however often they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf


class Constants:
    """Equal constants are one operation of the current graph.

    A shape, an axis and an index for each of hundreds of tensors are thousands of operations, which take longer to
    build and to optimize than those that compute something.
    """

    def __init__(self) -> None:
        self._known: dict[Any, tf.Tensor] = {}

    def __call__(self, value: Any, dtype: Any = np.int32) -> tf.Tensor:
        """The tensor of a number, list or array."""
        array = np.asarray(value, dtype)
        if tf.executing_eagerly():
            return tf.constant(array)
        # A constant of a branch cannot be read outside, so each graph has its own.
        key = (tf.compat.v1.get_default_graph(), array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            # It may be read by operations that come before what is current now.
            with tf.control_dependencies(None):
                self._known[key] = tf.constant(array)
        return self._known[key]
