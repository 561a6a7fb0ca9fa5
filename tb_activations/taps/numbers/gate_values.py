"""Statistics of the gates of a cell, all of them at once: one by one, the calls would take longer than the numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from tb_activations.taps.numbers.histograms import LENGTH
from tb_activations.taps.numbers.statistics import BOUNDS, Activation
from tb_activations.taps.numbers.tables import OUTER
from tb_activations.taps.numbers.traced_once import ANY, once


def activations(
    values: tf.Tensor,
    mask: tf.Tensor | None,
    unit_axis: int,
    names: Sequence[str],
    with_histogram: tf.Tensor | None,
) -> list[Activation]:
    """`statistics.activation` of each gate; without histograms and kurtosis.

    Args:
        values: `[batch, time, gates, ...]`, floating point.
        mask: `[batch, time]`, false where values are padding; None without a mask.
        unit_axis: the axis that counts units.
        names: of the activation function of each gate, "" for none.
        with_histogram: None for empty histograms; they are NaN otherwise.
    """
    rank = values.shape.rank
    order = [*(axis for axis in range(rank) if axis not in (2, unit_axis)), 2, unit_axis]
    units, ordered = values.shape[unit_axis], tf.transpose(tf.cast(values, tf.float32), order)
    if mask is not None:
        ordered = tf.boolean_mask(ordered, mask)
    bounds = tf.constant([BOUNDS.get(name, (math.nan, math.nan)) for name in names])
    table, active, peak = _measured(tf.reshape(ordered, [-1, len(names), units]), bounds)
    histogram = tf.zeros([0]) if with_histogram is None else tf.fill([LENGTH], math.nan)
    return [Activation(table[gate], active[gate], peak[gate], histogram) for gate in range(len(names))]


@once([ANY, ANY])
def _measured(values: tf.Tensor, bounds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """`[gates, ACTIVATION_STATISTICS]`, `[gates, units]` active share and peak, of `[rows, gates, units]`."""
    finite = tf.math.is_finite(values)
    kept, weights = tf.where(finite, values, 0.0), tf.cast(finite, tf.float32)
    rows, units = tf.cast(tf.shape(values)[0], tf.float32), tf.cast(tf.shape(values)[2], tf.float32)
    counts = tf.reduce_sum(weights, 0)
    means = tf.math.divide_no_nan(tf.reduce_sum(kept, 0), counts)
    # From differences: a difference of squares would leave rounding errors for a gate that never moves.
    spreads = tf.reduce_sum(weights * tf.square(kept - means), 0)
    total = tf.reduce_sum(counts, 1)
    mean = tf.math.divide_no_nan(tf.reduce_sum(kept, [0, 2]), total)
    between = tf.reduce_sum(counts * tf.square(means - mean[:, None]), 1)
    within = tf.reduce_sum(spreads, 1)
    low = tf.reduce_min(tf.where(finite, values, values.dtype.max), [0, 2])
    high = tf.reduce_max(tf.where(finite, values, values.dtype.min), [0, 2])
    nonzero = tf.cast(values != 0, tf.float32)
    middle, half = tf.reduce_mean(bounds, 1)[:, None], (bounds[:, 1] - bounds[:, 0])[:, None] / 2
    outer = tf.reduce_mean(tf.cast(tf.abs(kept - middle) > half * OUTER, tf.float32), [0, 2])
    table = [
        tf.fill(tf.shape(total), rows * units),
        mean,
        tf.sqrt(tf.math.divide_no_nan(within + between, total)),
        low,
        high,
        tf.reduce_sum(nonzero, [0, 2]),
        rows * units - total,
        tf.sqrt(tf.math.divide_no_nan(within, total)),
        tf.math.reduce_std(means, 1),
        tf.where(tf.math.is_nan(bounds[:, 0]), bounds[:, 0], outer),
        tf.fill(tf.shape(total), math.nan),
    ]
    return tf.stack(table, 1), tf.reduce_mean(nonzero, 0), tf.reduce_max(tf.abs(kept), 0)
