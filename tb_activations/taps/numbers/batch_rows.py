"""Which rows of a batch stand out: the first that is not finite, the one with the largest gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from tb_activations.taps.numbers.traced_once import ANY, once

BAD = ("row", "rows")
"""The first row that holds a value that is not finite, NaN without one; the number of such rows."""
LARGEST = ("row", "norm", "whole", "rows")
"""The row with the largest norm, or the first one that is not finite; its norm; that of all rows; their number."""


def first_bad(values: Sequence[tf.Tensor], nonfinite: tf.Tensor) -> tf.Tensor:
    """`[BAD]` float32 of tensors `[batch, ...]`; `nonfinite` is how many of their values are not finite."""
    rowed = [tf.cast(tf.stop_gradient(value), tf.float32) for value in values if value.shape.rank]
    if not rowed:
        return tf.constant([math.nan, math.nan])

    def search() -> tf.Tensor:
        rows, counts = tf.unstack(tf.stack([_bad(value) for value in rowed], 1))
        first = tf.reduce_min(rows)
        return tf.stack([tf.where(tf.math.is_finite(first), first, math.nan), tf.reduce_max(counts)])

    return tf.cond(nonfinite > 0, search, lambda: tf.constant([math.nan, 0.0]))


@once([ANY])
def _bad(value: tf.Tensor) -> tf.Tensor:
    """The first row is infinity without a bad one."""
    bad = ~tf.reduce_all(tf.math.is_finite(_flat(value)), 1)
    first = tf.cast(tf.argmax(bad), tf.float32)
    return tf.stack([tf.where(tf.reduce_any(bad), first, math.inf), tf.reduce_sum(tf.cast(bad, tf.float32))])


def largest(value: tf.Tensor) -> tf.Tensor:
    """`[LARGEST]` float32 of a gradient `[batch, ...]`; the row of an empty one is -1."""
    return _largest(tf.cast(value, tf.float32))


@once([ANY])
def _largest(value: tf.Tensor) -> tf.Tensor:
    rows = _flat(value)
    scale = tf.reduce_max(tf.where(tf.math.is_finite(rows), tf.abs(rows), 0.0))
    # Scaled to at most 1 before squaring, so that tiny gradients do not vanish.
    squares = tf.reduce_sum(tf.square(rows / tf.where(scale > 0, scale, 1.0)), 1)
    ranked = tf.where(tf.math.is_finite(squares), squares, math.inf)
    # A batch without rows has no largest one.
    row = tf.cond(tf.size(ranked) > 0, lambda: tf.argmax(ranked), lambda: tf.constant(-1, tf.int64))
    top, every = scale * tf.sqrt(tf.reduce_max(ranked)), scale * tf.sqrt(tf.reduce_sum(ranked))
    return tf.stack([tf.cast(row, tf.float32), top, every, tf.cast(tf.shape(rows)[0], tf.float32)])


def _flat(value: tf.Tensor) -> tf.Tensor:
    count = tf.shape(value)[0]
    return tf.reshape(value, tf.stack([count, tf.size(value) // tf.maximum(count, 1)]))
