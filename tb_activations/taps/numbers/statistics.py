"""Statistics of one tensor, computed in the graph. All of them work in eager code, in a `tf.function` and under XLA.

Each has a fast path for ordinary values and, in a `tf.cond`, a careful one for tensors that hold NaN or infinities or
whose squares leave the range of float32. Statistics are over the finite elements.

Each is one call of a `tf.function` that is traced once per process: traced inline for every layer, they would take ten
times as long as the step. A large tensor is passed over a few times only: its mean, its spread, its silent units and
what is not finite come from all elements, the rest from a sample.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.taps.numbers.histograms import LENGTH, histogram

SAMPLED = 2**16
"""About how many elements a sample has."""
_BLOCK = 64
"""Adjacent elements of a vector that are sampled together: single ones would cost as much as reading everything."""

_SMALLEST_SAFE_SQUARES = 1e-30
"""A smaller sum of squares has lost digits to underflow (the smallest normal float32 is 1.2e-38)."""

_SAFE_DIFFERENCE = 0.05
"""If the variance is a smaller share of the mean square, computing it as a difference of squares loses digits."""
_ROWS = 64
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
OUTER = 0.95
"""An output beyond this share of the way from the middle of its range to a bound is saturated."""

ANY = tf.TensorSpec(None, tf.float32)
_FLAG = tf.TensorSpec([], tf.bool)


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

    In large tensors, extremes, shares and peaks are those of the first samples.
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
    given: list[Any] = [_columns_last(tf.cast(value, tf.float32), unit_axis)]
    if with_histogram is not None:
        given.append(with_histogram)
    if bounds is not None:
        given.append(tf.constant(bounds))
    measure = _activation_of(with_histogram is not None, bounds is not None, unit_axis is not None)
    values, *rest = measure(*given)
    filled = rest.pop() if with_histogram is not None else tf.zeros([0])
    active, peak = rest or (tf.zeros([0]), tf.zeros([0]))
    return Activation(values, active, peak, filled)


def _columns_last(value: tf.Tensor, axis: int | None) -> tf.Tensor:
    """The tensor with its units along the last axis, whose length is known and not 0."""
    rank = value.shape.rank
    if axis is not None and rank is not None and axis != rank - 1:
        value = tf.transpose(value, [*(index for index in range(rank) if index != axis), axis])
    return value if rank and value.shape[-1] else tf.reshape(value, [-1, 1])


@functools.cache
def _activation_of(has_histogram: bool, has_bounds: bool, has_units: bool) -> Callable[..., Any]:
    signature = [ANY, *([_FLAG] if has_histogram else []), *([ANY] if has_bounds else [])]

    @once(signature)
    def measure(value: tf.Tensor, *more: tf.Tensor) -> list[tf.Tensor]:
        rows = tf.reshape(value, [-1, tf.shape(value)[-1]])
        moments, active, peak = _activation_values(rows)
        sampled = sampled_rows(rows)
        saturated = _outer_share(sampled, more[-1]) if has_bounds else float("nan")
        results = [tf.concat([moments, [*_spreads(sampled), saturated, _kurtosis(sampled)]], 0)]
        if has_units:
            results += [active, peak]
        if has_histogram:
            results.append(tf.cond(more[0], lambda: histogram(rows, moments[3], moments[4]), _no_histogram))
        return results

    return measure


def _activation_values(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The first seven of `ACTIVATION_STATISTICS`, the active share and the peak of each column."""
    count = tf.shape(rows)[0]
    # As a product, the sum of each column takes as long as the sum of everything.
    sums = tf.linalg.matmul(tf.ones([1, count]), rows)[0]
    mean, mean_square = tf.reduce_sum(sums) / size_of(rows), 2.0 * tf.nn.l2_loss(rows) / size_of(rows)
    variance = mean_square - tf.square(mean)
    leading = rows[: _wanted_rows(rows)]
    lows, highs = tf.reduce_min(leading, 0), tf.reduce_max(leading, 0)
    moments = tf.cond(
        tf.math.is_finite(mean_square)
        & (mean_square * size_of(rows) > _SMALLEST_SAFE_SQUARES)
        & (variance > _SAFE_DIFFERENCE * mean_square),
        lambda: tf.stack([mean, tf.sqrt(variance), tf.reduce_min(lows), tf.reduce_max(highs), 0.0]),
        lambda: _careful_moments(rows),
    )
    peak = tf.maximum(tf.abs(lows), tf.abs(highs))
    # A column that is zero in the first rows may be active, or not finite, in later ones.
    means = tf.abs(sums) / tf.cast(tf.maximum(count, 1), tf.float32)
    peak = tf.where((peak == 0) | ~tf.math.is_finite(means), means, peak)
    least = tf.cast(1 / tf.maximum(count, 1), tf.float32)
    share = tf.reduce_mean(tf.cast(leading != 0, tf.float32), 0)
    active = tf.where(peak == 0, 0.0, tf.maximum(share, least))
    nonzero = tf.reduce_mean(active) * size_of(rows)
    values = [size_of(rows), moments[0], moments[1], moments[2], moments[3], nonzero, moments[4]]
    return tf.stack(values), active, peak


def sampled_rows(rows: tf.Tensor) -> tf.Tensor:
    """Evenly strided rows of `[rows, columns]`; all of a small tensor."""
    count, columns = tf.unstack(tf.shape(rows))
    stride = count // _wanted_rows(rows)
    # All rows are one block, which is copied at once.
    block = tf.where(stride <= 1, tf.maximum(count, 1), 1)
    blocks = tf.reshape(rows, tf.stack([count // block, block * columns]))
    # The width of an image is usually even: an even stride could sample a single column of it.
    return tf.reshape(_every(blocks, stride), tf.stack([-1, columns]))


def _wanted_rows(rows: tf.Tensor) -> tf.Tensor:
    return tf.maximum(SAMPLED // tf.maximum(tf.shape(rows)[1], 1), _ROWS)


def _spreads(sampled: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    means = tf.reduce_mean(sampled, 0)
    # Computed from differences: for equal outputs, a difference of squares would leave rounding errors instead of 0.
    return tf.sqrt(tf.reduce_mean(tf.square(sampled - means))), tf.math.reduce_std(means)


def _kurtosis(sampled: tf.Tensor) -> tf.Tensor:
    squares = tf.square(sampled)
    return tf.reduce_mean(tf.square(squares)) / tf.square(tf.reduce_mean(squares))


def _outer_share(sampled: tf.Tensor, bounds: tf.Tensor) -> tf.Tensor:
    low, high = bounds[0], bounds[1]
    outer = (high - low) / 2 * OUTER
    return tf.reduce_mean(tf.cast(tf.abs(sampled - (low + high) / 2) > outer, tf.float32))


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
    return tf.stack([*values, size_of(value) - count])


class Gradient(NamedTuple):
    """`values` `[GRADIENT_STATISTICS]`; `histogram` `[32]` or empty."""

    values: tf.Tensor
    histogram: tf.Tensor


def gradient(value: tf.Tensor, with_histogram: tf.Tensor | None) -> Gradient:
    """Statistics of a gradient: floating-point tensor of any shape; `with_histogram` as for `activation`."""
    value = tf.cast(value, tf.float32)
    if with_histogram is None:
        return Gradient(_gradient(value), tf.zeros([0]))
    axis = value.shape.rank - 1 if value.shape.rank else None
    return Gradient(*_gradient_with_histogram(_columns_last(value, axis), with_histogram))


@once([ANY])
def _gradient(value: tf.Tensor) -> tf.Tensor:
    return _of_whole_gradient(value)


@once([ANY, _FLAG])
def _gradient_with_histogram(value: tf.Tensor, is_wanted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    rows = tf.reshape(value, [-1, tf.shape(value)[-1]])
    filled = tf.cond(is_wanted, lambda: histogram(rows, None, None), _no_histogram)
    return _of_whole_gradient(value), filled


def _of_whole_gradient(value: tf.Tensor) -> tf.Tensor:
    flat = tf.reshape(value, [-1])
    return gradient_values(flat, strided(flat))


def _no_histogram() -> tf.Tensor:
    return tf.fill([LENGTH], float("nan"))


def gradient_values(flat: tf.Tensor, sample: tf.Tensor) -> tf.Tensor:
    """`[GRADIENT_STATISTICS]` of a vector; the absolute sum is that of its sample (see `strided`), scaled."""
    squares = 2.0 * tf.nn.l2_loss(flat)

    def fast() -> tf.Tensor:
        whole = tf.reduce_sum(tf.abs(sample)) * (size_of(flat) / size_of(sample))
        return tf.stack([size_of(flat), tf.sqrt(squares), whole, 0.0])

    return tf.cond(_is_plain(squares), fast, lambda: _careful_gradient(flat))


def strided(flat: tf.Tensor) -> tf.Tensor:
    """An evenly strided sample of a vector; all of one with less than `2 * SAMPLED` elements."""
    size = tf.size(flat)
    # All of a vector is one block: element by element, gathering would take longer than everything else.
    block = tf.where(size < 2 * SAMPLED, tf.maximum(size, 1), _BLOCK)
    blocks = tf.reshape(flat[: size // block * block], tf.stack([-1, block]))
    # The number of units is usually even: an even stride could sample a few of them only.
    return tf.reshape(_every(blocks, size // SAMPLED), [-1])


def _every(rows: tf.Tensor, stride: tf.Tensor) -> tf.Tensor:
    """Each row at a multiple of the stride, made odd. Gathering takes a tenth of the time of a strided slice."""
    return tf.gather(rows, tf.range(0, tf.shape(rows)[0], tf.maximum(stride, 1) | 1))


def _is_plain(squares: tf.Tensor) -> tf.Tensor:
    return tf.math.is_finite(squares) & (squares > _SMALLEST_SAFE_SQUARES)


def _careful_gradient(value: tf.Tensor) -> tf.Tensor:
    finite = tf.math.is_finite(value)
    kept = tf.abs(tf.where(finite, value, 0.0))
    # The maximum of no elements is -infinity.
    largest = tf.maximum(tf.reduce_max(kept), 0.0)
    scaled = kept / tf.where(largest > 0, largest, 1.0)
    length = largest * tf.sqrt(tf.reduce_sum(tf.square(scaled)))
    nonfinite = size_of(value) - tf.reduce_sum(tf.cast(finite, tf.float32))
    return tf.stack([size_of(value), length, tf.reduce_sum(kept), nonfinite])


def norm(value: tf.Tensor) -> tf.Tensor:
    """`[2]`: the number of finite elements of a floating-point tensor of any shape, and their L2 norm."""
    return _norm(tf.cast(value, tf.float32))


@once([ANY])
def _norm(value: tf.Tensor) -> tf.Tensor:
    length, nonfinite = tf.unstack(norm_and_nonfinite(tf.reshape(value, [-1])))
    return tf.stack([size_of(value) - nonfinite, length])


def norm_and_nonfinite(flat: tf.Tensor) -> tf.Tensor:
    """`[2]`: L2 norm of the finite elements of a vector, and the number of the others."""
    squares = 2.0 * tf.nn.l2_loss(flat)

    def careful() -> tf.Tensor:
        _, length, _, nonfinite = tf.unstack(_careful_gradient(flat))
        return tf.stack([length, nonfinite])

    return tf.cond(_is_plain(squares), lambda: tf.stack([tf.sqrt(squares), 0.0]), careful)


def size_of(value: tf.Tensor) -> tf.Tensor:
    """Number of elements, float32."""
    return tf.cast(tf.size(value, out_type=tf.int64), tf.float32)
