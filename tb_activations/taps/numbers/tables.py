"""Statistics of several tensors at once, a row of a table for each; computed in the graph.

There is a fast path for ordinary values and, in a `tf.cond`, a careful one for tensors that hold NaN or infinities or
whose squares leave the range of float32. Statistics are over the finite elements.

A large tensor is passed over once. The sum of each column of outputs and the norm of gradients come from all elements:
no NaN and no active unit is missed. The rest comes from a sample. Only samples wait for the conditionals, which would
otherwise keep all tensors of a step in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.taps.numbers.histograms import LENGTH, histogram
from tb_activations.taps.numbers.samples import Samples
from tb_activations.taps.numbers.traced_once import ANY, once

_SMALLEST_SAFE_SQUARES = 1e-30
"""A smaller sum of squares has lost digits to underflow (the smallest normal float32 is 1.2e-38)."""
_OVERFLOWING = 1e18
"""The square of a larger norm may be infinite."""
OUTER = 0.95
"""An output beyond this share of the way from the middle of its range to a bound is saturated."""


class Outputs(NamedTuple):
    """Statistics of outputs with the same number of columns.

    Attributes:
        sizes: `[tensors]` float32, elements of each.
        values: `[tensors, ACTIVATION_STATISTICS]`, right for those that are plain.
        is_plain: `[tensors]`.
        active, peak: `[tensors, columns]`.
    """

    sizes: tf.Tensor
    values: tf.Tensor
    is_plain: tf.Tensor
    active: tf.Tensor
    peak: tf.Tensor


class Gradients(NamedTuple):
    """Statistics of gradients with the same number of columns.

    Attributes:
        sizes, is_plain: as in `Outputs`.
        values: `[tensors, GRADIENT_STATISTICS]`, right for those that are plain.
    """

    sizes: tf.Tensor
    values: tf.Tensor
    is_plain: tf.Tensor


class Group(NamedTuple):
    """Some tensors with the same number of columns, and their statistics."""

    tensors: int
    samples: Samples
    seen: Any


def outputs(samples: Samples, sums: tf.Tensor, bounds: tf.Tensor | None) -> Outputs:
    """Statistics of outputs.

    Args:
        sums: `[tensors, columns]` of all elements.
        bounds: `[tensors, 2]`, NaN for a tensor without; None for none.
    """
    values, counts = samples.values, samples.counts
    rows, seen = tf.cast(samples.rows, tf.float32), counts * samples.columns
    sizes = rows * samples.columns
    total = tf.reduce_sum(sums, 1)

    means = samples.column_sums(values) / counts[:, None]
    # Computed from differences: for equal outputs, a difference of squares would leave rounding errors instead of 0.
    within = tf.sqrt(samples.sums(tf.square(values - samples.of_rows(means))) / seen)
    between = tf.math.reduce_std(means, 1)
    std = tf.sqrt(tf.square(within) + tf.square(between))
    squares = tf.square(values)
    kurtosis = samples.sums(tf.square(squares)) / seen / tf.square(samples.sums(squares) / seen)

    lows, highs = samples.column_minima(), samples.column_maxima()
    peak = tf.maximum(highs, -lows)
    # A column that is zero in the sampled rows may be active, or not finite, in others.
    everywhere = tf.abs(sums) / tf.maximum(rows, 1.0)[:, None]
    peak = tf.where((peak <= 0) | ~tf.math.is_finite(everywhere), everywhere, peak)
    share = _share(samples.column_sums(tf.cast(values != 0, tf.float32)), counts[:, None])
    active = tf.where(peak == 0, 0.0, tf.maximum(share, 1 / tf.maximum(rows, 1.0)[:, None]))

    columns = [
        sizes,
        total / sizes,
        std,
        tf.reduce_min(lows, 1),
        tf.reduce_max(highs, 1),
        # A number of elements: the mean of shares leaves rounding errors.
        tf.round(tf.math.multiply_no_nan(tf.reduce_mean(active, 1), sizes)),
        tf.zeros_like(sizes),
        within,
        between,
        tf.fill(tf.shape(sizes), float("nan")) if bounds is None else _outer_shares(samples, bounds),
        kurtosis,
    ]
    # A value that is not finite makes its sum not finite.
    plain = tf.math.is_finite(total) & is_plain(tf.square(std))
    return Outputs(sizes, tf.stack(columns, 1), plain, active, peak)


def gradients(samples: Samples, squares: tf.Tensor) -> Gradients:
    """Statistics of gradients; `squares` `[tensors]` are half the sums of squares of all elements."""
    sizes = tf.cast(samples.rows, tf.float32) * samples.columns
    absolute = samples.sums(tf.abs(samples.values)) * (sizes / (samples.counts * samples.columns))
    values = tf.stack([sizes, tf.sqrt(2.0 * squares), absolute, tf.zeros_like(sizes)], 1)
    return Gradients(sizes, values, is_plain(2.0 * squares))


def checked_outputs(groups: Sequence[Group]) -> tf.Tensor:
    """`[tensors, ACTIVATION_STATISTICS]` of all groups, right for every tensor."""
    values = tf.concat([group.seen.values for group in groups], 0)
    plain = tf.concat([group.seen.is_plain for group in groups], 0)

    def careful() -> tf.Tensor:
        mean, std, low, high, lost = _careful(groups, _careful_output, 5)
        size, total_mean, _, _, _, nonzero, _, *rest = tf.unstack(values, axis=1)
        is_finite = tf.math.is_finite(total_mean)
        lost = tf.where(is_finite | (size == 0), lost, tf.maximum(lost, 1.0))
        table = [size, tf.where(is_finite, total_mean, mean), std, low, high, nonzero, lost, *rest]
        return tf.where(plain[:, None], values, tf.stack(table, 1))

    return tf.cond(tf.reduce_all(plain), lambda: values, careful)


def checked_gradients(groups: Sequence[Group]) -> tf.Tensor:
    """`[tensors, GRADIENT_STATISTICS]` of all groups, right for every tensor."""
    values = tf.concat([group.seen.values for group in groups], 0)
    plain = tf.concat([group.seen.is_plain for group in groups], 0)

    def careful() -> tf.Tensor:
        mean_square_root, mean_absolute, lost = _careful(groups, _careful_gradient, 3)
        size, norm, _, _ = tf.unstack(values, axis=1)
        estimate = mean_square_root * tf.sqrt(size - lost)
        # The squares of a finite gradient may overflow, too; its sample shows that.
        is_bad = tf.math.is_nan(norm) | (tf.math.is_inf(norm) & (estimate < _OVERFLOWING))
        lost = tf.where(is_bad, tf.maximum(lost, 1.0), lost)
        length = tf.where(tf.math.is_finite(norm), tf.maximum(norm, estimate), estimate)
        return tf.where(plain[:, None], values, tf.stack([size, length, mean_absolute * (size - lost), lost], 1))

    return tf.cond(tf.reduce_all(plain), lambda: values, careful)


def histograms(groups: Sequence[Group], values: tf.Tensor | None, is_wanted: tf.Tensor) -> tf.Tensor:
    """`[tensors, LENGTH]` of all groups, NaN if not wanted.

    Args:
        values: as `checked_outputs` returned them, whose extremes are the edges; None to find edges.
    """
    count = sum(group.tensors for group in groups)

    def filled() -> tf.Tensor:
        sizes = [group.seen.sizes for group in groups]
        if values is None:
            found = [group.samples.each(_free_histogram, [own]) for group, own in zip(groups, sizes, strict=True)]
        else:
            edges = [tf.split(values[:, at], [group.tensors for group in groups]) for at in (3, 4)]
            given = zip(groups, sizes, *edges, strict=True)
            found = [group.samples.each(_histogram, own) for group, *own in given]
        return tf.concat(found, 0)

    return tf.cond(is_wanted, filled, lambda: tf.fill([count, LENGTH], float("nan")))


def is_plain(squares: tf.Tensor) -> tf.Tensor:
    """Whether these sums of squares have lost nothing to overflow or underflow."""
    return tf.math.is_finite(squares) & (squares > _SMALLEST_SAFE_SQUARES)


def careful_length(kept: tf.Tensor) -> tf.Tensor:
    """L2 norm of finite values that are not negative, and that may leave the range of float32 when squared."""
    # The maximum of no elements is -infinity.
    largest = tf.maximum(tf.reduce_max(kept), 0.0)
    return largest * tf.sqrt(tf.reduce_sum(tf.square(kept / tf.where(largest > 0, largest, 1.0))))


def column_sums(rows: tf.Tensor) -> tf.Tensor:
    """`[columns]` of `[rows, columns]`."""
    # This takes as long as the sum of everything; `reduce_sum` over the rows takes twice as long.
    return tf.raw_ops.BiasAddGrad(out_backprop=rows)


def _outer_shares(samples: Samples, bounds: tf.Tensor) -> tf.Tensor:
    middle, outer = tf.reduce_mean(bounds, 1), (bounds[:, 1] - bounds[:, 0]) / 2 * OUTER
    distance = tf.abs(samples.values - samples.of_rows(middle[:, None]))
    is_outer = tf.cast(distance > samples.of_rows(outer[:, None]), tf.float32)
    return tf.where(tf.math.is_nan(middle), middle, _share(samples.sums(is_outer), samples.counts * samples.columns))


def _share(count: tf.Tensor, whole: tf.Tensor) -> tf.Tensor:
    # In float32 a vectorized division may be off by one digit: all of a thousand would be a little less than 1.
    return tf.cast(tf.math.divide_no_nan(tf.cast(count, tf.float64), tf.cast(whole, tf.float64)), tf.float32)


def _careful(groups: Sequence[Group], measure: Callable[[tf.Tensor], tf.Tensor], count: int) -> list[tf.Tensor]:
    """`[tensors]` of each of the values that are measured; the last, a number of elements, scaled to all of them."""
    found = tf.concat([group.samples.each(measure) for group in groups], 0)
    *columns, lost = tf.unstack(found, num=count, axis=1)
    # The share of the elements that were sampled is that of the rows.
    rows, seen = (tf.cast(tf.concat([one[at] for one in (g.samples for g in groups)], 0), tf.float32) for at in (1, 2))
    return [*columns, tf.math.divide_no_nan(lost * rows, seen)]


@once([ANY])
def _careful_output(sample: tf.Tensor) -> tf.Tensor:
    """Mean, standard deviation, smallest and largest of the finite elements, number of the others."""
    finite = tf.math.is_finite(sample)
    count = tf.reduce_sum(tf.cast(finite, tf.float32))
    low = tf.reduce_min(tf.where(finite, sample, sample.dtype.max))
    high = tf.reduce_max(tf.where(finite, sample, sample.dtype.min))
    mean = tf.reduce_sum(tf.where(finite, sample, 0.0) / tf.maximum(count, 1.0))
    std = careful_length(tf.abs(tf.where(finite, sample - mean, 0.0))) / tf.sqrt(tf.maximum(count, 1.0))
    known = [tf.where(count > 0, value, float("nan")) for value in (mean, std, low, high)]
    return tf.stack([*known, tf.cast(tf.size(sample), tf.float32) - count])


@once([ANY])
def _careful_gradient(sample: tf.Tensor) -> tf.Tensor:
    """Root mean square and mean absolute value of the finite elements, number of the others."""
    finite = tf.math.is_finite(sample)
    count = tf.reduce_sum(tf.cast(finite, tf.float32))
    kept = tf.abs(tf.where(finite, sample, 0.0))
    some = tf.maximum(count, 1.0)
    lost = tf.cast(tf.size(sample), tf.float32) - count
    return tf.stack([careful_length(kept) / tf.sqrt(some), tf.reduce_sum(kept / some), lost])


_SCALAR = tf.TensorSpec([], tf.float32)


@once([ANY, _SCALAR, _SCALAR, _SCALAR])
def _histogram(sample: tf.Tensor, size: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    return histogram(sample, low, high, size)


@once([ANY, _SCALAR])
def _free_histogram(sample: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    return histogram(sample, None, None, size)
