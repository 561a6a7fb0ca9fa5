"""Statistics as sums, for layers in loops and conditions: what several calls measure adds up.

Sums are float64, so that squares of float32 values neither overflow nor underflow. They hold no extremes: the largest
output of a unit is estimated from a high moment.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tb_activations.taps.numbers.histograms import LENGTH
from tb_activations.taps.numbers.statistics import BOUNDS, Activation, Gradient
from tb_activations.taps.numbers.tables import OUTER

FORWARD = ("elements", "finite", "saturated")
BACKWARD = ("elements", "squares", "abs_sum", "finite")
PER_UNIT = ("sums", "squares", "nonzero", "moments")
_POWER = 16
"""The mean of this power of the outputs tells the largest one: of a thousand outputs, at least two thirds of it."""


def length(units: int) -> int:
    """Length of the sums of a layer with this many units; a layer without units counts as one."""
    return len(FORWARD) + len(PER_UNIT) * max(units, 1) + len(BACKWARD)


def forward(value: tf.Tensor, axis: int | None, name: str | None) -> tf.Tensor:
    """The sums of a layer's output, float64: `FORWARD`, then `PER_UNIT` of each unit.

    Args:
        value: floating-point tensor.
        axis: that counts units, None for none.
        name: of the activation function.
    """
    value = tf.cast(value, tf.float64)
    if axis is None:
        rows = tf.reshape(value, [-1, 1])
    else:
        order = [*(index for index in range(value.shape.rank) if index != axis), axis]
        rows = tf.reshape(tf.transpose(value, order), [-1, value.shape[axis]])
    is_finite = tf.math.is_finite(rows)
    kept = tf.where(is_finite, rows, 0.0)
    columns = [kept, tf.square(kept), tf.cast(rows != 0, tf.float64), kept**_POWER]
    whole = tf.stack([_size(rows), _count(is_finite), _saturated(rows, name)])
    return tf.concat([whole, *(tf.reduce_sum(column, 0) for column in columns)], 0)


def backward(gradient: tf.Tensor) -> tf.Tensor:
    """The sums of a gradient, float64: `BACKWARD`."""
    flat = tf.cast(tf.reshape(gradient, [-1]), tf.float64)
    is_finite = tf.math.is_finite(flat)
    kept = tf.where(is_finite, flat, 0.0)
    sums = [_size(flat), tf.reduce_sum(tf.square(kept)), tf.reduce_sum(tf.abs(kept)), _count(is_finite)]
    return tf.stack(sums)


def activation_of(sums: tf.Tensor, units: int, is_bounded: bool, with_histogram: tf.Tensor | None) -> Activation:
    """`statistics.activation` from sums; without extremes and kurtosis, and with an empty or unknown histogram."""
    columns = max(units, 1)
    elements, finite, saturated = tf.unstack(sums[: len(FORWARD)])
    per_unit = tf.reshape(sums[len(FORWARD) : -len(BACKWARD)], [len(PER_UNIT), columns])
    each = finite / columns
    means, squares = per_unit[0] / each, per_unit[1] / each
    mean, square = tf.reduce_mean(means), tf.reduce_mean(squares)
    variances = tf.maximum(squares - tf.square(means), 0.0)
    values = [
        elements,
        mean,
        tf.sqrt(tf.maximum(square - tf.square(mean), 0.0)),
        math.nan,
        math.nan,
        tf.reduce_sum(per_unit[2]),
        elements - finite,
        tf.sqrt(tf.reduce_mean(variances)),
        tf.math.reduce_std(means),
        saturated / elements if is_bounded else math.nan,
        math.nan,
    ]
    known = tf.stack([tf.cast(value, tf.float32) for value in values])
    active = tf.cast(per_unit[2] / (elements / columns), tf.float32)
    peak = tf.cast((per_unit[3] / each) ** (1 / _POWER), tf.float32)
    histogram = tf.zeros([0]) if with_histogram is None else tf.fill([LENGTH], math.nan)
    return Activation(known, active if units else tf.zeros([0]), peak if units else tf.zeros([0]), histogram)


def gradient_of(sums: tf.Tensor, with_histogram: tf.Tensor | None) -> Gradient:
    """`statistics.gradient` from sums."""
    elements, squares, abs_sum, finite = tf.unstack(sums[-len(BACKWARD) :])
    values = tf.stack([elements, tf.sqrt(squares), abs_sum, elements - finite])
    # Without a call there is no gradient.
    values = tf.cast(tf.where(elements > 0, values, math.nan), tf.float32)
    return Gradient(values, tf.zeros([0]) if with_histogram is None else tf.fill([LENGTH], math.nan))


def _saturated(rows: tf.Tensor, name: str | None) -> tf.Tensor:
    if name not in BOUNDS:
        return tf.constant(0.0, tf.float64)
    low, high = BOUNDS[name]
    return _count(tf.abs(rows - (low + high) / 2) > (high - low) / 2 * OUTER)


def _size(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.size(values, out_type=tf.int64), tf.float64)


def _count(flags: Any) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(flags, tf.float64))
