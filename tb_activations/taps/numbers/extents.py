"""The range of a tensor, and the loss of the best constant prediction of targets; both computed in the graph."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tb_activations.taps.numbers.traced_once import ANY, once

EXTENT = ("min", "max", "nonfinite")

_MOST_ROWS = 4096
"""Rows of targets that are used; in batches with more, the first ones."""
_MOST_CLASSES = 1024


def extent(values: list[tf.Tensor]) -> tf.Tensor:
    """`[EXTENT]` float32 over all elements of numeric tensors: finite minimum and maximum, number of others.

    The extremes are NaN without a finite element; everything is NaN without a tensor.
    """
    parts = [_extent(tf.cast(tf.stop_gradient(value), tf.float32)) for value in values]
    if not parts:
        return tf.fill([len(EXTENT)], math.nan)
    low, high, nonfinite = tf.unstack(tf.stack(parts, 1))
    low, high = tf.reduce_min(low), tf.reduce_max(high)
    has_any = low <= high
    return tf.stack([tf.where(has_any, low, math.nan), tf.where(has_any, high, math.nan), tf.reduce_sum(nonfinite)])


@once([ANY])
def _extent(value: tf.Tensor) -> tf.Tensor:
    """Without a finite element the minimum is larger than the maximum."""

    def careful() -> tf.Tensor:
        finite = tf.math.is_finite(value)
        return tf.stack(
            [
                tf.reduce_min(tf.where(finite, value, value.dtype.max)),
                tf.reduce_max(tf.where(finite, value, value.dtype.min)),
                tf.reduce_sum(tf.cast(~finite, tf.float32)),
            ]
        )

    # NaN and infinity make the sum NaN or infinite; so may huge values, which the careful path counts correctly.
    return tf.cond(
        tf.math.is_finite(tf.reduce_sum(tf.abs(value))),
        lambda: tf.stack([tf.reduce_min(value), tf.reduce_max(value), 0.0]),
        careful,
    )


def constant_loss(loss: str, targets: tf.Tensor, units: int | None) -> tf.Tensor:
    """Loss that the best constant prediction of these targets reaches, NaN for an unknown loss.

    For mean absolute error, that of predicting the mean. Entropies have the bias correction of Miller 1955, because a
    small batch shows fewer classes than there are.

    Args:
        loss: the function's name in `keras.losses`.
        targets: of any rank; the last axis is that of the classes or outputs, except for class numbers.
        units: number of classes that the model distinguishes.
    """
    targets = tf.cast(tf.stop_gradient(targets), tf.float32)
    if loss == "sparse_categorical_crossentropy":
        if not units or units > _MOST_CLASSES:
            return tf.constant(math.nan)
        numbers = tf.cast(tf.reshape(targets, [-1])[:_MOST_ROWS], tf.int32)
        return _entropy(tf.one_hot(numbers, units))
    rows = _rows(targets)
    if rows is None:
        return tf.constant(math.nan)
    count = tf.cast(tf.shape(rows)[0], tf.float32)
    if loss == "categorical_crossentropy":
        return _entropy(rows)
    if loss == "binary_crossentropy":
        share = tf.reduce_mean(rows, 0)
        entropy = -tf.math.xlogy(share, share) - tf.math.xlogy(1 - share, 1 - share)
        return tf.reduce_mean(entropy) + 0.5 / count
    if loss == "mean_squared_error":
        return tf.reduce_mean(tf.math.reduce_variance(rows, 0)) * count / tf.maximum(count - 1, 1)
    if loss == "mean_absolute_error":
        return tf.reduce_mean(tf.abs(rows - tf.reduce_mean(rows, 0)))
    return tf.constant(math.nan)


def sums(targets: tf.Tensor) -> tf.Tensor:
    """`[2]` float32: smallest and largest sum of a row of `[samples, classes]`; NaN for others and without a sample."""
    if targets.shape.rank != 2:
        return tf.fill([2], math.nan)
    rows = tf.reduce_sum(tf.cast(tf.stop_gradient(targets), tf.float32), 1)
    low, high = tf.reduce_min(rows), tf.reduce_max(rows)
    # Without a row, the smallest is infinity.
    return tf.where(tf.math.is_finite(low), tf.stack([low, high]), math.nan)


def _rows(targets: tf.Tensor) -> Any:
    rank = targets.shape.rank
    if rank is None:
        return None
    if rank < 2:
        return tf.reshape(targets, [-1, 1])[:_MOST_ROWS]
    if targets.shape[-1] is None:
        return None
    return tf.reshape(targets, [-1, targets.shape[-1]])[:_MOST_ROWS]


def _entropy(rows: tf.Tensor) -> tf.Tensor:
    """Entropy of the mean of `[rows, classes]`."""
    shares = tf.reduce_mean(rows, 0)
    seen = tf.reduce_sum(tf.cast(shares > 0, tf.float32))
    bias = (seen - 1) / (2 * tf.cast(tf.shape(rows)[0], tf.float32))
    return -tf.reduce_sum(tf.math.xlogy(shares, shares)) + bias
