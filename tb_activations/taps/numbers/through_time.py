"""How large the outputs of a cell and the gradients at them are at each time step of a sequence, in the graph."""

from __future__ import annotations

import math

import tensorflow as tf

from tb_activations.records.columns import TIME_BINS
from tb_activations.taps.numbers.traced_once import ANY, once


def profile(value: tf.Tensor, gradient: tf.Tensor | None, mask: tf.Tensor | None, wanted: tf.Tensor) -> tf.Tensor:
    """`[SEQUENCE_VALUES]` float32: how many time steps there are; for outputs, then gradients, the number of finite
    elements in each bin and their root mean square.

    A bin is a time step if there are at most `TIME_BINS` of them. Otherwise time step `t` of `n` is in bin
    `TIME_BINS * t // n`. Bins without elements hold 0 and NaN. Everything is NaN if it is not wanted.

    Args:
        value: `[batch, time, ...]`, floating-point, in the order in which the loop ran.
        gradient: of the same shape; None for none.
        mask: `[batch, time]`, false where the values are padding; None without padding.
        wanted: boolean scalar.
    """
    kept = tf.ones(tf.shape(value)[:2], tf.bool) if mask is None else mask
    none = tf.concat([tf.zeros([TIME_BINS]), tf.fill([TIME_BINS], math.nan)], 0)
    bins = [none if given is None else _bins(tf.cast(given, tf.float32), kept, wanted) for given in (value, gradient)]
    length = tf.where(wanted, tf.cast(tf.shape(value)[1], tf.float32), math.nan)
    return tf.concat([length[None], *bins], 0)


@once([ANY, tf.TensorSpec(None, tf.bool), tf.TensorSpec([], tf.bool)])
def _bins(value: tf.Tensor, mask: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    return tf.cond(wanted, lambda: _filled(value, mask), lambda: tf.fill([2 * TIME_BINS], math.nan))


def _filled(value: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    batch, time = tf.shape(value)[0], tf.shape(value)[1]
    flat = tf.reshape(value, tf.stack([batch, time, tf.size(value) // tf.maximum(batch * time, 1)]))
    kept = tf.math.is_finite(flat) & mask[:, :, None]
    clean = tf.where(kept, flat, 0.0)
    # Scaled to at most 1 before squaring, so that tiny gradients do not vanish.
    scale = tf.maximum(tf.reduce_max(tf.abs(clean), [0, 2]), 0.0)
    squares = tf.reduce_sum(tf.square(clean / tf.where(scale > 0, scale, 1.0)[None, :, None]), [0, 2])
    counts = tf.reduce_sum(tf.cast(kept, tf.float32), [0, 2])
    totals = tf.square(tf.cast(scale, tf.float64)) * tf.cast(squares, tf.float64)
    steps = tf.range(time)
    bins = tf.where(time > TIME_BINS, steps * TIME_BINS // tf.maximum(time, 1), steps)
    sums = tf.math.unsorted_segment_sum(tf.stack([totals, tf.cast(counts, tf.float64)], 1), bins, TIME_BINS)
    total, count = sums[:, 0], sums[:, 1]
    means = tf.where(count > 0, tf.sqrt(total / tf.maximum(count, 1.0)), math.nan)
    return tf.concat([tf.cast(count, tf.float32), tf.cast(means, tf.float32)], 0)
