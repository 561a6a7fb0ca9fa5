"""Statistics of attention: how large the logits of each head are, and how its weights spread over the keys."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.taps.numbers import statistics
from tb_activations.taps.numbers.layout import ACTIVATION_STATISTICS
from tb_activations.taps.numbers.statistics import Activation, once

MOST_QUERIES = 128
"""Queries of a call that are measured, of all samples together."""
_EACH = 16
"""Queries of a sample, if there are samples enough."""

_MASKED = -5e3
"""A smaller logit means that a mask was added to it: Keras adds -1e9, in float16 -3e4."""
_SAME = 1e-6
"""Logits that differ by a smaller share of their size are equal within the precision of float32."""
_MEASURED = 7
"""Of `ACTIVATION_STATISTICS`; the others need units, which logits do not have."""


class Places(NamedTuple):
    """The queries that are measured: `rows` `[rows]` of the batch, and `queries` `[queries]` of each of them."""

    rows: tf.Tensor
    queries: tf.Tensor


def places(batch: Any, length: Any) -> Places:
    """At most `MOST_QUERIES` queries, evenly spread over the batch and the sequence; each an int or int32 scalar."""
    batch, length = tf.convert_to_tensor(batch, tf.int32), tf.convert_to_tensor(length, tf.int32)
    each = tf.minimum(length, _EACH)
    rows = tf.minimum(batch, MOST_QUERIES // tf.maximum(each, 1))
    each = tf.minimum(length, MOST_QUERIES // tf.maximum(rows, 1))
    return Places(_spread(rows, batch), _spread(each, length))


def _spread(count: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """`[count]` of the numbers below `size`, each in the middle of its share of them."""
    return (2 * tf.range(count) + 1) * size // tf.maximum(2 * count, 1)


def taken(value: tf.Tensor, index: tf.Tensor, axis: int) -> tf.Tensor:
    """`value` at these places along an axis; a single one, which stands for all, stays single."""
    if value.shape[axis] == 1:
        return value
    return tf.gather(value, tf.minimum(index, tf.shape(value)[axis] - 1), axis=axis)


def heads(logits: tf.Tensor, mask: tf.Tensor | None, with_histogram: tf.Tensor | None) -> Activation:
    """Statistics of the logits of some queries, before the softmax over the keys.

    The `values` of the result are those of the logits that are not masked, followed by `HEAD_STATISTICS`. Its units
    are the heads: `active` is the entropy of a head's weights as a share of the largest possible one, the mean over the
    queries that have at least two keys; `peak` is the head's largest absolute logit. Both are NaN without such queries.

    Args:
        logits: `[samples, heads, queries, keys]`, floating-point.
        mask: boolean, true for the keys of a query; its axes are as long as those of `logits`, or 1. None if masked
            logits have a large negative number added.
        with_histogram: as for `statistics.activation`.
    """
    logits = tf.cast(logits, tf.float32)
    # NaN is no sign of a mask: it must be seen.
    mask = ~(logits < _MASKED) if mask is None else mask
    flat, further, entropy, peak = _heads(logits, mask)
    whole = statistics.activation(flat, None, with_histogram)
    unknown = tf.fill([len(ACTIVATION_STATISTICS) - _MEASURED], float("nan"))
    return Activation(tf.concat([whole.values[:_MEASURED], unknown, further], 0), entropy, peak, whole.histogram)


@once([tf.TensorSpec([None] * 4, tf.float32), tf.TensorSpec([None] * 4, tf.bool)])
def _heads(logits: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """The logits that are not masked, `HEAD_STATISTICS`, and `[heads]` entropy and peak."""
    is_key = tf.broadcast_to(mask, tf.shape(logits))
    size = tf.reduce_max(tf.abs(tf.where(is_key, logits, 0.0)), [0, 2, 3])
    # The largest of numbers that hold a NaN may be another number.
    is_lost = tf.reduce_any(tf.math.is_nan(logits) & is_key, [0, 2, 3])
    peak = tf.where(is_lost, float("nan"), size)
    keys = tf.reduce_sum(tf.cast(is_key, tf.float32), -1)
    is_choice = keys > 1
    entropy, heaviest = _spreads(logits, is_key)
    entropy = entropy / tf.math.log(tf.where(is_choice, keys, 2.0))
    entropy = _mean_over_queries(tf.clip_by_value(entropy, 0.0, 1.0), is_choice)
    heaviest = _mean_over_queries(heaviest, is_choice)
    likeness, pair = _most_alike(logits, is_key, keys)
    further = tf.stack([tf.reduce_max(peak), tf.reduce_mean(entropy), tf.reduce_mean(heaviest), likeness, *pair])
    peak = tf.where(tf.reduce_any(is_key, [0, 2, 3]), peak, float("nan"))
    return tf.boolean_mask(logits, is_key), further, entropy, peak


def _spreads(logits: tf.Tensor, is_key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`[samples, heads, queries]` entropy of the weights, and the largest of them."""
    highest = tf.reduce_max(tf.where(is_key, logits, logits.dtype.min), -1, keepdims=True)
    below = tf.where(is_key, logits - highest, 0.0)
    shares = tf.where(is_key, tf.exp(below), 0.0)
    whole = tf.reduce_sum(shares, -1)
    entropy = tf.math.log(whole) - tf.reduce_sum(shares * below, -1) / whole
    return entropy, tf.reduce_max(shares, -1) / whole


def _mean_over_queries(values: tf.Tensor, is_judged: tf.Tensor) -> tf.Tensor:
    """`[heads]` from `[samples, heads, queries]`; NaN for a head without judged queries."""
    return tf.reduce_sum(tf.where(is_judged, values, 0.0), [0, 2]) / tf.reduce_sum(
        tf.cast(is_judged, tf.float32), [0, 2]
    )


def _most_alike(
    logits: tf.Tensor, is_key: tf.Tensor, keys: tf.Tensor
) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
    """How alike the two heads are whose logits resemble each other most, and which; NaN if no two can be compared.

    2 ab / (a² + b²) of their logits, each query's mean subtracted: 1 if they are equal, 0 if they are unrelated. A
    number added to all logits of a query changes no weight.
    """
    count = tf.shape(logits)[1]
    mean = tf.reduce_sum(tf.where(is_key, logits, 0.0), -1) / tf.maximum(keys, 1.0)
    centered = tf.where(is_key, logits - mean[..., None], 0.0)
    rows = tf.reshape(tf.transpose(centered, [1, 0, 2, 3]), tf.stack([count, -1]))
    products = tf.linalg.matmul(rows, rows, transpose_b=True)
    squares = tf.linalg.diag_part(products)
    sizes = tf.reduce_sum(tf.square(tf.where(is_key, logits, 0.0)), [0, 2, 3])
    is_flat = squares <= _SAME**2 * sizes
    likeness = 2.0 * products / (squares[:, None] + squares[None])
    is_pair = (tf.range(count)[:, None] < tf.range(count)[None]) & ~is_flat[:, None] & ~is_flat[None]
    # Overflow leaves NaN, which is no likeness.
    known = tf.reshape(tf.where(is_pair & tf.math.is_finite(likeness), likeness, -2.0), [-1])
    # With one head there is no pair, and with none no place.
    place = tf.argmax(tf.concat([known, [-2.0]], 0), output_type=tf.int32)
    best = tf.concat([known, [-2.0]], 0)[place]
    found = [best, *(tf.cast(one, tf.float32) for one in (place // count, place % count))]
    best, one, other = (tf.where(best < -1.5, float("nan"), value) for value in found)
    return best, (one, other)
