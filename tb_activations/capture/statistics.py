"""Figures of one tensor, computed in the graph. All of them work in eager code, in a `tf.function` and under XLA.

Each function has a quick way for ordinary values and, behind one `tf.cond`, a careful one for tensors that hold
NaN or infinities or whose squares leave the range of float32. Figures are over the finite elements.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tb_activations.capture.histograms import BUCKETS, histogram

_SMALLEST_SAFE_SQUARES = 1e-30
"""Below this sum of squares float32 has lost digits to underflow (its smallest normal number is 1.2e-38)."""

ACTIVATION_FIGURES = ("elements", "mean", "std", "min", "max", "nonzero", "nonfinite")
GRADIENT_FIGURES = ("elements", "norm", "abs_sum", "nonfinite")


class Activation(NamedTuple):
    """`figures` `[ACTIVATION_FIGURES]`; `active` and `peak` `[units]`, empty without a unit axis; `histogram` `[32]`."""

    figures: tf.Tensor
    active: tf.Tensor
    peak: tf.Tensor
    histogram: tf.Tensor


def activation(value: tf.Tensor, unit_axis: int | None, with_histogram: bool) -> Activation:
    """Figures of a layer's output.

    Args:
        value: floating-point tensor of rank >= 1; may be empty, then means and extremes are NaN or infinite.
        unit_axis: the axis that counts units, None to leave units out.
        with_histogram: whether to fill the histogram; otherwise it is empty.
    """
    value = tf.cast(value, tf.float32)
    mean = tf.reduce_mean(value)
    deviations = tf.reduce_sum(tf.math.squared_difference(value, mean))
    if unit_axis is None:
        active = peak = tf.zeros([0])
        low, high = tf.reduce_min(value), tf.reduce_max(value)
        nonzero = tf.reduce_sum(tf.cast(value != 0, tf.float32))
    else:
        rows = _units_last(value, unit_axis)
        active = tf.reduce_sum(tf.cast(rows != 0, tf.float32), 0)
        lows, highs = tf.reduce_min(rows, 0), tf.reduce_max(rows, 0)
        peak = tf.maximum(tf.abs(lows), tf.abs(highs))
        low, high = tf.reduce_min(lows), tf.reduce_max(highs)
        nonzero = tf.reduce_sum(active)
    moments = tf.cond(
        tf.math.is_finite(deviations) & (deviations > _SMALLEST_SAFE_SQUARES),
        lambda: tf.stack([mean, tf.sqrt(deviations / _size(value)), low, high, 0.0]),
        lambda: _careful_moments(value),
    )
    figures = tf.stack([_size(value), moments[0], moments[1], moments[2], moments[3], nonzero, moments[4]])
    filled = histogram(value, moments[2], moments[3]) if with_histogram else tf.zeros([0])
    return Activation(figures, active, peak, filled)


def _units_last(value: tf.Tensor, axis: int) -> tf.Tensor:
    rank = value.shape.rank
    if axis != rank - 1:
        value = tf.transpose(value, [*(index for index in range(rank) if index != axis), axis])
    return tf.reshape(value, [-1, value.shape[-1]])


def _careful_moments(value: tf.Tensor) -> tf.Tensor:
    finite = tf.math.is_finite(value)
    count = tf.reduce_sum(tf.cast(finite, tf.float32))
    low = tf.reduce_min(tf.where(finite, value, value.dtype.max))
    high = tf.reduce_max(tf.where(finite, value, value.dtype.min))
    mean = tf.reduce_sum(tf.where(finite, value, 0.0) / tf.maximum(count, 1.0))
    # Scaled to at most 1 before squaring, so that neither tiny nor huge deviations leave the range of float32.
    widest = tf.maximum(high - mean, mean - low)
    scaled = tf.where(finite, value - mean, 0.0) / tf.where(widest > 0, widest, 1.0)
    std = widest * tf.sqrt(tf.reduce_sum(tf.square(scaled)) / tf.maximum(count, 1.0))
    figures = [tf.where(count > 0, figure, float("nan")) for figure in (mean, std, low, high)]
    return tf.stack([*figures, _size(value) - count])


class Gradient(NamedTuple):
    """`figures` `[GRADIENT_FIGURES]`; `histogram` `[32]` or empty."""

    figures: tf.Tensor
    histogram: tf.Tensor


def gradient(value: tf.Tensor, with_histogram: bool) -> Gradient:
    """Figures of a gradient: floating-point tensor of any shape."""
    value = tf.cast(value, tf.float32)
    figures = tf.concat([_size(value)[None], _norm_figures(value)], 0)
    if not with_histogram:
        return Gradient(figures, tf.zeros([0]))
    return Gradient(figures, histogram(value, None, None))


def norm(value: tf.Tensor) -> tf.Tensor:
    """`[2]`: L2 norm of the finite elements, count of the others."""
    figures = _norm_figures(tf.cast(value, tf.float32))
    return tf.stack([figures[0], figures[2]])


def _norm_figures(value: tf.Tensor) -> tf.Tensor:
    squares = 2.0 * tf.nn.l2_loss(value)
    return tf.cond(
        tf.math.is_finite(squares) & (squares > _SMALLEST_SAFE_SQUARES),
        lambda: tf.stack([tf.sqrt(squares), tf.reduce_sum(tf.abs(value)), 0.0]),
        lambda: _careful_norm_figures(value),
    )


def _careful_norm_figures(value: tf.Tensor) -> tf.Tensor:
    finite = tf.math.is_finite(value)
    kept = tf.abs(tf.where(finite, value, 0.0))
    # The maximum of no elements is -infinity.
    largest = tf.maximum(tf.reduce_max(kept), 0.0)
    scaled = kept / tf.where(largest > 0, largest, 1.0)
    length = largest * tf.sqrt(tf.reduce_sum(tf.square(scaled)))
    return tf.stack([length, tf.reduce_sum(kept), _size(value) - tf.reduce_sum(tf.cast(finite, tf.float32))])


def _size(value: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.size(value, out_type=tf.int64), tf.float32)


def histogram_length(with_histogram: bool) -> int:
    """Length of the `histogram` fields above."""
    return BUCKETS + 2 if with_histogram else 0
