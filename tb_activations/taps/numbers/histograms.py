"""Bucket counts in the graph, over an evenly strided sample.

`tf.summary.histogram` needs 240 bytes of temporary memory per element, and neither it nor `tf.math.bincount` compiles
under XLA. This histogram sorts at most 16,384 elements into buckets and scales the counts to the full number.
"""

from __future__ import annotations

import tensorflow as tf

from tb_activations.taps.numbers.layout import HISTOGRAM_BUCKETS, HISTOGRAM_EDGES

BUCKETS = HISTOGRAM_BUCKETS
LENGTH = HISTOGRAM_EDGES + BUCKETS
SAMPLE = 16_384


def histogram(
    rows: tf.Tensor, low: tf.Tensor | None, high: tf.Tensor | None, size: tf.Tensor | None = None
) -> tf.Tensor:
    """`[LENGTH]` float32: lowest edge, highest edge, counts of equally wide buckets between them.

    Args:
        rows: float32 `[rows, columns]`. Elements that are not finite are left out.
        low, high: float32 scalars, the smallest and largest element; None for those of the sample.
        size: number of elements that the counts are to add up to, float32; None for those of `rows`.

    If all elements are equal, they are counted in the last bucket. Without finite elements the edges are NaN.
    """
    sample = strided_sample(rows)
    finite = tf.math.is_finite(sample)
    kept = tf.where(finite, sample, 0.0)
    if low is None or high is None:
        low = tf.reduce_min(tf.where(finite, sample, sample.dtype.max))
        high = tf.reduce_max(tf.where(finite, sample, sample.dtype.min))
        some = low <= high
        low = tf.where(some, low, float("nan"))
        high = tf.where(some, high, float("nan"))
    # Divided before subtracting, so that a range near the largest float32 does not overflow.
    width = high / BUCKETS - low / BUCKETS
    place = tf.where(width > 0, (kept - low) / tf.where(width > 0, width, 1.0), float(BUCKETS))
    place = tf.clip_by_value(tf.where(tf.math.is_finite(place), place, 0.0), 0.0, BUCKETS - 1.0)
    counts = tf.math.unsorted_segment_sum(tf.cast(finite, tf.float32), tf.cast(place, tf.int32), BUCKETS)
    seen = tf.cast(tf.size(sample), tf.float32)
    whole = tf.cast(tf.size(rows, out_type=tf.int64), tf.float32) if size is None else size
    scale = whole / tf.maximum(seen, 1.0)
    return tf.concat([low[None], high[None], counts * scale], 0)


def strided_sample(rows: tf.Tensor) -> tf.Tensor:
    """About `SAMPLE` elements of `rows` `[rows, columns]`, evenly spread, as a vector; all of a smaller tensor.

    Whole rows are taken, so that every unit is sampled equally often. The stride is odd, so that it does not resonate
    with the even sizes of images and sequences. Long rows are split first.
    """
    width = tf.shape(rows)[1]
    rows = tf.reshape(rows, tf.stack([-1, tf.where(width > SAMPLE // 16, 1, width)]))
    wanted = tf.maximum(SAMPLE // tf.maximum(tf.shape(rows)[1], 1), 1)
    stride = (tf.shape(rows)[0] + wanted - 1) // wanted
    stride = tf.maximum(stride + (1 - stride % 2), 1)
    return tf.reshape(rows[::stride], [-1])
