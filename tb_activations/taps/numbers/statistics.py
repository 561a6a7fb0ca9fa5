"""Statistics of one tensor, computed in the graph. All of them work in eager code, in a `tf.function` and under XLA.

Each has a fast path for ordinary values and, in a `tf.cond`, a careful one for tensors that hold NaN or infinities or
whose squares leave the range of float32. Statistics are over the finite elements.

Each is a separate `tf.function`, traced once per process and called by every observed step: tracing them inline for
every layer would take ten times as long as tracing the step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.taps.numbers.histograms import LENGTH, histogram
from tb_activations.taps.numbers.layout import GRADIENT_STATISTICS

_SMALLEST_SAFE_SQUARES = 1e-30
"""A smaller sum of squares has lost digits to underflow (the smallest normal float32 is 1.2e-38)."""

_SAFE_DIFFERENCE = 0.05
"""If the variance is a smaller share of the mean square, computing it as a difference of squares loses digits."""
_COUNTED = 2**18
"""Zeros are counted in this many elements: all elements of most layers, the first samples of a batch in large ones."""

_SPREAD = 2**16
"""Spreads and saturation are computed on an evenly strided sample of rows with about this many elements."""
_SPREAD_ROWS = 64
"""Minimum number of sampled rows, if there are as many."""

BOUNDS = {
    "tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "soft_sign": (-1.0, 1.0),
}
"""Activations that level off on both sides, and their bounds."""
_OUTER = 0.95
"""An output beyond this share of the way from the middle of its range to a bound is saturated."""

_ROWS = tf.TensorSpec([None, None], tf.float32)
_FLAT = tf.TensorSpec([None], tf.float32)
_WANTED = tf.TensorSpec([], tf.bool)
_NUMBER = tf.TensorSpec([], tf.float32)


def once(signature: list[tf.TensorSpec]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A `tf.function` that is traced once for this signature and not inlined into the graphs that call it.

    If it were inlined, TensorFlow would optimize its conditionals again for every layer, which takes longer than
    everything else.
    """
    whole = {"_noinline": True}
    return lambda f: tf.function(f, input_signature=signature, autograph=False, experimental_attributes=whole)


class Activation(NamedTuple):
    """`values` `[ACTIVATION_STATISTICS]`; `active` (share of samples and positions) and `peak` (largest absolute value)
    `[units]`, empty without a unit axis; `histogram` `[32]`.
    """

    values: tf.Tensor
    active: tf.Tensor
    peak: tf.Tensor
    histogram: tf.Tensor


def activation(
    value: tf.Tensor,
    unit_axis: int | None,
    with_histogram: tf.Tensor | None,
    name: str | None = None,
    bounds: tuple[float, float] | None = None,
) -> Activation:
    """Statistics of a layer's output.

    Args:
        value: floating-point tensor of rank >= 1. Means and extremes of an empty one are NaN or infinite.
        unit_axis: the axis that counts units, None for no statistics per unit.
        with_histogram: boolean scalar, whether to fill the histogram (NaN otherwise); None for an empty histogram.
        name: of the activation function; the saturated share is measured for those in `BOUNDS`.
        bounds: the values at which an activation function not in `BOUNDS` levels off; None if it does not.
    """
    bounds = BOUNDS.get(name or "", bounds)
    value = tf.cast(value, tf.float32)
    rows = _rows(value, value.shape.rank - 1 if unit_axis is None and value.shape.rank else unit_axis)
    measured = _activation(rows) if with_histogram is None else _activation_with_histogram(rows, with_histogram)
    values, active, peak = measured[:3]
    values = tf.concat([values, [_saturated(rows, bounds) if bounds else float("nan")]], 0)
    units = 0 if unit_axis is None else value.shape[unit_axis]
    filled = tf.zeros([0]) if with_histogram is None else measured[3]
    return Activation(values, tf.ensure_shape(active, [None])[:units], peak[:units], filled)


def _rows(value: tf.Tensor, axis: int | None) -> tf.Tensor:
    rank = value.shape.rank
    if axis is None or rank is None or not value.shape[axis]:
        return tf.reshape(value, [-1, 1])
    if axis != rank - 1:
        value = tf.transpose(value, [*(index for index in range(rank) if index != axis), axis])
    return tf.reshape(value, [-1, value.shape[-1]])


@once([_ROWS, _WANTED])
def _activation_with_histogram(rows: tf.Tensor, is_wanted: tf.Tensor) -> tuple[tf.Tensor, ...]:
    values, active, peak = _activation_values(rows)
    filled = tf.cond(is_wanted, lambda: histogram(rows, values[3], values[4]), _no_histogram)
    return values, active, peak, filled


@once([_ROWS])
def _activation(rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return _activation_values(rows)


def _activation_values(rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
    # Each statistic is a pass over memory; most are computed without a temporary as large as the tensor.
    mean, mean_square = tf.reduce_mean(rows), 2.0 * tf.nn.l2_loss(rows) / _size(rows)
    variance = mean_square - tf.square(mean)
    lows, highs = tf.reduce_min(rows, 0), tf.reduce_max(rows, 0)
    low, high = tf.reduce_min(lows), tf.reduce_max(highs)
    moments = tf.cond(
        tf.math.is_finite(mean_square)
        & (mean_square * _size(rows) > _SMALLEST_SAFE_SQUARES)
        & (variance > _SAFE_DIFFERENCE * mean_square),
        lambda: tf.stack([mean, tf.sqrt(variance), low, high, 0.0]),
        lambda: _careful_moments(rows),
    )
    peak = tf.maximum(tf.abs(lows), tf.abs(highs))
    active = _active_share(rows, peak)
    nonzero = tf.reduce_mean(active) * _size(rows)
    values = [_size(rows), moments[0], moments[1], moments[2], moments[3], nonzero, moments[4], *_spreads(rows)]
    return tf.stack(values), active, peak


def _active_share(rows: tf.Tensor, peak: tf.Tensor) -> tf.Tensor:
    """`[columns]`: share of rows in which the column is not zero, counted in the first rows of a large tensor.

    Zero is exact nevertheless: a unit counts as silent only if its `peak` over all rows is zero.
    """
    counted = tf.maximum(_COUNTED // tf.maximum(tf.shape(rows)[1], 1), 1)
    leading = rows[:counted]
    share = tf.reduce_mean(tf.cast(leading != 0, tf.float32), 0)
    least = tf.cast(1 / tf.maximum(tf.shape(rows)[0], 1), tf.float32)
    return tf.where(peak == 0, 0.0, tf.maximum(share, least))


def _sampled(rows: tf.Tensor) -> tf.Tensor:
    shape = tf.shape(rows)
    wanted = tf.maximum(_SPREAD // tf.maximum(shape[1], 1), _SPREAD_ROWS)
    # The width of an image is usually even: an even stride could sample a single column of it.
    return rows[:: tf.maximum(shape[0] // wanted, 1) | 1]


def _spreads(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    sampled = _sampled(rows)
    means = tf.reduce_mean(sampled, 0)
    # Computed from differences: for equal outputs, a difference of squares would leave rounding errors instead of 0.
    return tf.sqrt(tf.reduce_mean(tf.square(sampled - means))), tf.math.reduce_std(means)


def _saturated(rows: tf.Tensor, bounds: tuple[float, float]) -> tf.Tensor:
    low, high = bounds
    return _outer_share(rows, tf.constant((low + high) / 2), tf.constant((high - low) / 2 * _OUTER))


@once([_ROWS, _NUMBER, _NUMBER])
def _outer_share(rows: tf.Tensor, middle: tf.Tensor, outer: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(tf.abs(_sampled(rows) - middle) > outer, tf.float32))


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
    values = [tf.where(count > 0, value, float("nan")) for value in (mean, std, low, high)]
    return tf.stack([*values, _size(value) - count])


class Gradient(NamedTuple):
    """`values` `[GRADIENT_STATISTICS]`; `histogram` `[32]` or empty."""

    values: tf.Tensor
    histogram: tf.Tensor


def gradient(value: tf.Tensor, with_histogram: tf.Tensor | None) -> Gradient:
    """Statistics of a gradient: floating-point tensor of any shape; `with_histogram` as for `activation`."""
    value = tf.cast(value, tf.float32)
    values = _gradient(tf.reshape(value, [-1]))
    axis = value.shape.rank - 1 if value.shape.rank else None
    if with_histogram is None:
        return Gradient(values, tf.zeros([0]))
    return Gradient(values, _gradient_histogram(_rows(value, axis), with_histogram))


@once([_ROWS, _WANTED])
def _gradient_histogram(rows: tf.Tensor, is_wanted: tf.Tensor) -> tf.Tensor:
    return tf.cond(is_wanted, lambda: histogram(rows, None, None), _no_histogram)


def _no_histogram() -> tf.Tensor:
    return tf.fill([LENGTH], float("nan"))


@once([_FLAT])
def _gradient(value: tf.Tensor) -> tf.Tensor:
    return _gradient_values(value)


def _gradient_values(value: tf.Tensor) -> tf.Tensor:
    squares = 2.0 * tf.nn.l2_loss(value)
    return tf.cond(
        tf.math.is_finite(squares) & (squares > _SMALLEST_SAFE_SQUARES),
        lambda: tf.stack([_size(value), tf.sqrt(squares), tf.reduce_sum(tf.abs(value)), 0.0]),
        lambda: _careful_gradient(value),
    )


def _careful_gradient(value: tf.Tensor) -> tf.Tensor:
    finite = tf.math.is_finite(value)
    kept = tf.abs(tf.where(finite, value, 0.0))
    # The maximum of no elements is -infinity.
    largest = tf.maximum(tf.reduce_max(kept), 0.0)
    scaled = kept / tf.where(largest > 0, largest, 1.0)
    length = largest * tf.sqrt(tf.reduce_sum(tf.square(scaled)))
    nonfinite = _size(value) - tf.reduce_sum(tf.cast(finite, tf.float32))
    return tf.stack([_size(value), length, tf.reduce_sum(kept), nonfinite])


def root_mean_square(value: tf.Tensor) -> tf.Tensor:
    """Root mean square of the finite elements of a floating-point tensor of any shape; NaN without finite elements."""
    values = _norm(tf.reshape(tf.cast(value, tf.float32), [-1]))
    return values[1] / tf.sqrt(values[0])


@once([_FLAT])
def _norm(value: tf.Tensor) -> tf.Tensor:
    """`[2]`: the number of finite elements, and their L2 norm."""
    squares = 2.0 * tf.nn.l2_loss(value)

    def careful() -> tf.Tensor:
        elements, norm, _, nonfinite = tf.unstack(_careful_gradient(value))
        return tf.stack([elements - nonfinite, norm])

    return tf.cond(
        tf.math.is_finite(squares) & (squares > _SMALLEST_SAFE_SQUARES),
        lambda: tf.stack([_size(value), tf.sqrt(squares)]),
        careful,
    )


def root_mean_square_of(measured: Activation) -> tf.Tensor:
    """Root mean square of a measured tensor, from its mean and standard deviation instead of another pass over it."""
    mean, std = tf.abs(measured.values[1]), measured.values[2]
    # Scaled to at most 1 before squaring.
    largest = tf.maximum(mean, std)
    safe = tf.where(largest > 0, largest, 1.0)
    return largest * tf.sqrt(tf.square(mean / safe) + tf.square(std / safe))


def weight(gradient_of_it: tf.Tensor | None, before: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
    """`[WEIGHT_STATISTICS]` of one weight in one step.

    The gradient's statistics come first; without a gradient they are NaN except for the number of elements. Then the
    weight's L2 norm and number of non-finite elements before the update, and the L2 norm of the update.
    """
    values = (before, after) if gradient_of_it is None else (before, after, gradient_of_it)
    flat = [tf.reshape(tf.cast(value, tf.float32), [-1]) for value in values]
    return _unmoved_weight(*flat) if gradient_of_it is None else _weight(*flat)


@once([_FLAT, _FLAT, _FLAT])
def _weight(before: tf.Tensor, after: tf.Tensor, gradient_of_it: tf.Tensor) -> tf.Tensor:
    return tf.concat([_gradient_values(gradient_of_it), _step_values(before, after)], 0)


@once([_FLAT, _FLAT])
def _unmoved_weight(before: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
    none = tf.fill([len(GRADIENT_STATISTICS) - 1], float("nan"))
    return tf.concat([_size(before)[None], none, _step_values(before, after)], 0)


def _step_values(before: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
    whole, update = _gradient_values(before), _gradient_values(after - before)
    return tf.stack([whole[1], whole[3], update[1]])


def _size(value: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.size(value, out_type=tf.int64), tf.float32)
