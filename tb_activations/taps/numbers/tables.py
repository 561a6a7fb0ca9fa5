"""Statistics of several tensors at once, a row of a table for each; computed in the graph.

There is a fast path for ordinary values and, in a `tf.cond`, a careful one for tensors that hold NaN or infinities or
whose squares leave the range of float32. Statistics are over the finite elements.

A large tensor is passed over once. The sum of each column of outputs and the norm of gradients come from all elements:
no NaN and no active unit is missed. The rest comes from a sample. Only samples wait for the conditionals, which would
otherwise keep all tensors of a step in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tb_activations.taps.numbers.histograms import LENGTH, histogram
from tb_activations.taps.numbers.samples import Samples
from tb_activations.taps.numbers.several import Several
from tb_activations.taps.numbers.traced_once import ANY, once

_SMALLEST_SAFE_SQUARES = 1e-30
"""A smaller sum of squares has lost digits to underflow (the smallest normal float32 is 1.2e-38)."""
_OVERFLOWING = 1e18
"""The square of a larger norm may be infinite."""
OUTER = 0.95
"""An output beyond this share of the way from the middle of its range to a bound is saturated."""


class Outputs(NamedTuple):
    """Statistics of outputs.

    Attributes:
        sizes: `[tensors]` float32, elements of each.
        values: `[tensors, ACTIVATION_STATISTICS]`, right for those that are plain.
        is_plain: `[tensors]`.
        active, peak: `[columns of all tensors]`.
    """

    sizes: tf.Tensor
    values: tf.Tensor
    is_plain: tf.Tensor
    active: tf.Tensor
    peak: tf.Tensor


class Gradients(NamedTuple):
    """Statistics of gradients.

    Attributes:
        sizes, is_plain: as in `Outputs`.
        values: `[tensors, GRADIENT_STATISTICS]`, right for those that are plain.
    """

    sizes: tf.Tensor
    values: tf.Tensor
    is_plain: tf.Tensor


class Columns(NamedTuple):
    """What is measured of outputs with the same number of columns, or of all.

    Attributes:
        table: `[5, columns of all tensors]`: the sum of all elements; of the sampled ones the mean, the minimum, the
            maximum and how many are not 0.
        rows: `[sampled rows, 3]`: sums of squared differences from the columns' means, of squares and fourth powers.
        outer: `[tensors]`, sampled elements beyond `OUTER`; None without bounds.
    """

    table: tf.Tensor
    rows: tf.Tensor
    outer: tf.Tensor | None


def columns(samples: Samples, sums: tf.Tensor, bounds: tf.Tensor | None) -> Columns:
    """What is measured of outputs with the same number of columns.

    Args:
        sums: `[tensors, columns]` of all elements.
        bounds: `[tensors, 2]`, NaN for a tensor without; None for none.
    """
    values = samples.values
    means = samples.column_sums(values) / tf.cast(samples.lengths, tf.float32)[:, None]
    nonzero = samples.column_sums(tf.cast(values != 0, tf.float32))
    squares = tf.square(values)
    # Computed from differences: for equal outputs, a difference of squares would leave rounding errors instead of 0.
    summed = [tf.math.squared_difference(values, samples.of_rows(means)), squares, tf.square(squares)]
    table = tf.stack([sums, means, samples.column_minima(), samples.column_maxima(), nonzero])
    return Columns(
        tf.reshape(table, [5, -1]),
        tf.stack([tf.reduce_sum(one, 1) for one in summed], 1),
        None if bounds is None else _outer(samples, bounds),
    )


def outputs(samples: Several, measured: Columns, bounds: tf.Tensor | None) -> Outputs:
    """Statistics of outputs, from what `columns` measured of all tensors."""
    sums, means, lows, highs, nonzero = tf.unstack(measured.table, num=5)
    counts, rows = tf.cast(samples.lengths, tf.float32), tf.cast(samples.rows, tf.float32)
    sizes, seen = rows * samples.columns, counts * samples.columns
    deviations, squares, fourth = tf.unstack(samples.row_sums(measured.rows) / seen[:, None], num=3, axis=1)

    peak = tf.maximum(highs, -lows)
    # A column that is zero in the sampled rows may be active, or not finite, in others.
    of_column = samples.for_columns(tf.maximum(rows, 1.0))
    everywhere = tf.abs(sums) / of_column
    peak = tf.where((peak <= 0) | ~tf.math.is_finite(everywhere), everywhere, peak)
    share = _share(nonzero, samples.for_columns(counts))
    active = tf.where(peak == 0, 0.0, tf.maximum(share, 1 / of_column))

    total, mean, used = tf.unstack(samples.column_sums(tf.stack([sums, means, active], 1)), num=3, axis=1)
    distances = tf.math.squared_difference(means, samples.for_columns(mean / samples.columns))
    between = samples.column_sums(distances) / samples.columns
    columns = [
        sizes,
        total / sizes,
        tf.sqrt(deviations + between),
        samples.column_minima(lows),
        samples.column_maxima(highs),
        # A number of elements: the mean of shares leaves rounding errors.
        tf.round(tf.math.multiply_no_nan(used / samples.columns, sizes)),
        tf.zeros_like(sizes),
        tf.sqrt(deviations),
        tf.sqrt(between),
        tf.fill(tf.shape(sizes), float("nan")) if bounds is None else _outer_shares(measured, bounds, seen),
        fourth / tf.square(squares),
    ]
    # A value that is not finite makes its sum not finite.
    plain = tf.math.is_finite(total) & is_plain(deviations + between)
    return Outputs(sizes, tf.stack(columns, 1), plain, active, peak)


def gradients(samples: Several, absolute: tf.Tensor, squares: tf.Tensor) -> Gradients:
    """Statistics of gradients.

    Args:
        absolute: `[sampled rows]`, sums of absolute values.
        squares: `[tensors]`, half the sums of squares of all elements.
    """
    sizes = tf.cast(samples.rows, tf.float32) * samples.columns
    whole = samples.row_sums(absolute) * (sizes / (tf.cast(samples.lengths, tf.float32) * samples.columns))
    values = tf.stack([sizes, tf.sqrt(2.0 * squares), whole, tf.zeros_like(sizes)], 1)
    return Gradients(sizes, values, is_plain(2.0 * squares))


def checked_outputs(samples: Several, seen: Outputs, wanted: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Right for every tensor: `[tensors, ACTIVATION_STATISTICS]`, and `[tensors, LENGTH]` histograms.

    Args:
        wanted: boolean scalar, whether to fill the histograms (NaN otherwise); None for no histograms.
    """

    def careful() -> tf.Tensor:
        mean, std, low, high, lost = _careful(samples, _careful_output, 5)
        size, total_mean, _, _, _, nonzero, _, *rest = tf.unstack(seen.values, axis=1)
        is_finite = tf.math.is_finite(total_mean)
        lost = tf.where(is_finite | (size == 0), lost, tf.maximum(lost, 1.0))
        table = [size, tf.where(is_finite, total_mean, mean), std, low, high, nonzero, lost, *rest]
        return tf.where(seen.is_plain[:, None], seen.values, tf.stack(table, 1))

    def filled(values: tf.Tensor) -> tf.Tensor:
        # The edges are the extremes.
        columns = [tf.split(one, _members(samples)) for one in (seen.sizes, values[:, 3], values[:, 4])]
        given = zip(samples.groups, *columns, strict=True)
        return tf.concat([group.each(_histogram, own) for group, *own in given], 0)

    return _checked(seen, careful, filled, wanted)


def checked_gradients(
    samples: Several, seen: Gradients, wanted: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Right for every tensor: `[tensors, GRADIENT_STATISTICS]`, and histograms as from `checked_outputs`."""

    def careful() -> tf.Tensor:
        mean_square_root, mean_absolute, lost = _careful(samples, _careful_gradient, 3)
        size, norm, _, _ = tf.unstack(seen.values, axis=1)
        estimate = mean_square_root * tf.sqrt(size - lost)
        # The squares of a finite gradient may overflow, too; its sample shows that.
        is_bad = tf.math.is_nan(norm) | (tf.math.is_inf(norm) & (estimate < _OVERFLOWING))
        lost = tf.where(is_bad, tf.maximum(lost, 1.0), lost)
        length = tf.where(tf.math.is_finite(norm), tf.maximum(norm, estimate), estimate)
        table = tf.stack([size, length, mean_absolute * (size - lost), lost], 1)
        return tf.where(seen.is_plain[:, None], seen.values, table)

    def filled(_: tf.Tensor) -> tf.Tensor:
        given = zip(samples.groups, tf.split(seen.sizes, _members(samples)), strict=True)
        return tf.concat([group.each(_free_histogram, [own]) for group, own in given], 0)

    return _checked(seen, careful, filled, wanted)


def _checked(
    seen: Outputs | Gradients,
    careful: Callable[[], tf.Tensor],
    filled: Callable[[tf.Tensor], tf.Tensor],
    wanted: tf.Tensor | None,
) -> tuple[tf.Tensor, tf.Tensor | None]:
    plain = tf.reduce_all(seen.is_plain)
    if wanted is None:
        return tf.cond(plain, lambda: seen.values, careful), None

    def none() -> tf.Tensor:
        return tf.fill([tf.shape(seen.sizes)[0], LENGTH], float("nan"))

    def slow() -> tuple[tf.Tensor, tf.Tensor]:
        values = tf.cond(plain, lambda: seen.values, careful)
        return values, tf.cond(wanted, lambda: filled(values), none)

    # One conditional, as a rule not entered: whatever a conditional reads takes an operation in every step.
    values, histograms = tf.cond(plain & ~wanted, lambda: (seen.values, none()), slow)
    return values, histograms


def _members(samples: Several) -> list[int]:
    """How many tensors each group has."""
    return [group.lengths.shape[0] for group in samples.groups]


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


def _outer(samples: Samples, bounds: tf.Tensor) -> tf.Tensor:
    middle, outer = tf.reduce_mean(bounds, 1), (bounds[:, 1] - bounds[:, 0]) / 2 * OUTER
    distance = tf.abs(samples.values - samples.of_rows(middle[:, None]))
    return samples.sums(tf.cast(distance > samples.of_rows(outer[:, None]), tf.float32))


def _outer_shares(measured: Columns, bounds: tf.Tensor, seen: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_nan(bounds[:, 0]), bounds[:, 0], _share(measured.outer, seen))


def _share(count: tf.Tensor, whole: tf.Tensor) -> tf.Tensor:
    # In float32 a vectorized division may be off by one digit: all of a thousand would be a little less than 1.
    return tf.cast(tf.math.divide_no_nan(tf.cast(count, tf.float64), tf.cast(whole, tf.float64)), tf.float32)


def _careful(samples: Several, measure: Callable[[tf.Tensor], tf.Tensor], count: int) -> list[tf.Tensor]:
    """`[tensors]` of each of the values that are measured; the last, a number of elements, scaled to all of them."""
    found = tf.concat([group.each(measure) for group in samples.groups], 0)
    *columns, lost = tf.unstack(found, num=count, axis=1)
    # The share of the elements that were sampled is that of the rows.
    rows, sampled = tf.cast(samples.rows, tf.float32), tf.cast(samples.lengths, tf.float32)
    return [*columns, tf.math.divide_no_nan(lost * rows, sampled)]


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
