"""Statistics of attention: how large the logits of each head are, and how its weights spread over the keys."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tb_activations.taps.numbers import statistics, together
from tb_activations.taps.numbers.layout import ACTIVATION_STATISTICS
from tb_activations.taps.numbers.statistics import Activation
from tb_activations.taps.numbers.traced_once import once

MOST_QUERIES = 128
"""Queries of a call that are measured, of all samples together."""
_EACH = 16
"""Queries of a sample, if there are samples enough."""

_MASKED = -5e3
"""A smaller logit means that a mask was added to it: Keras adds -1e9, in float16 -3e4."""
_NO_KEY = -1e9
"""Below the largest logit: such a key has no weight."""
_SAME = 1e-6
"""Logits that differ by a smaller share of their size are equal within the precision of float32."""
_MEASURED = 7
"""Of `ACTIVATION_STATISTICS`; the others need units, which logits do not have."""


class Places(NamedTuple):
    """The queries that are measured: `rows` `[rows]` of the batch, and `queries` `[queries]` of each of them."""

    rows: Any
    queries: Any


def places(batch: Any, length: Any) -> Places:
    """At most `MOST_QUERIES` queries, evenly spread over the batch and the sequence.

    Args:
        batch, length: numbers or int32 scalars. Of two numbers the places are arrays: each attention layer would need
            twenty small operations to find them.
    """
    is_known = isinstance(batch, int) and isinstance(length, int)
    least, most = (min, max) if is_known else (tf.minimum, tf.maximum)
    each = least(length, _EACH)
    rows = least(batch, MOST_QUERIES // most(each, 1))
    each = least(length, MOST_QUERIES // most(rows, 1))
    numbers = functools.partial(np.arange, dtype=np.int32) if is_known else tf.range
    # Each in the middle of its share.
    spread = [(2 * numbers(count) + 1) * size // most(2 * count, 1) for count, size in ((rows, batch), (each, length))]
    return Places(*spread)


def length_of(value: tf.Tensor, axis: int) -> Any:
    """The length of an axis: a number if it is known, else an int32 scalar."""
    return tf.shape(value)[axis] if value.shape[axis] is None else value.shape[axis]


def taken(value: tf.Tensor, index: Any, axis: int) -> tf.Tensor:
    """`value` at these places along an axis; a single one, which stands for all, stays single."""
    size = length_of(value, axis)
    if value.shape[axis] == 1:
        return value
    if isinstance(size, int) and isinstance(index, np.ndarray):
        return tf.gather(value, np.minimum(index, size - 1).astype(np.int32), axis=axis)
    return tf.gather(value, tf.minimum(tf.cast(index, tf.int32), size - 1), axis=axis)


def unmasked(logits: tf.Tensor) -> tf.Tensor:
    """Where no mask was added to these logits."""
    # NaN is no sign of a mask: it must be seen.
    return ~(tf.cast(logits, tf.float32) < _MASKED)


def heads(logits: tf.Tensor, mask: tf.Tensor | None, with_histogram: tf.Tensor | None) -> Activation:
    """Statistics of the logits of some queries, before the softmax over the keys.

    The `values` of the result are those of the logits that are not masked, followed by `HEAD_STATISTICS`. Its units
    are the heads: `active` is the entropy of a head's weights as a share of the largest possible one, the mean over the
    queries that have at least two keys; `peak` is the head's largest absolute logit. Both are NaN without such queries.

    Args:
        logits: `[samples, heads, queries, keys]`, floating-point.
        mask: boolean, true for the keys of a query; its axes are as long as those of `logits`, or 1. None for all.
        with_histogram: as for `statistics.activation`.
    """
    flat, *rest = _measured(logits, mask)
    return _of_heads(statistics.activation(flat, None, with_histogram), *rest)


def of_several(given: Sequence[tuple[tf.Tensor, tf.Tensor | None, tf.Tensor | None]]) -> list[Activation]:
    """`heads` of the attention of several layers; `with_histogram` is the same for all."""
    measured = [_measured(logits, mask) for logits, mask, _ in given]
    wholes = together.activations([(flat, None, given[0][2], None, None) for flat, *_ in measured])
    return [_of_heads(whole, *rest) for whole, (_, *rest) in zip(wholes, measured, strict=True)]


def _measured(logits: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    given = [tf.cast(logits, tf.float32), *([] if mask is None else [mask])]
    flat, further, entropy, peak = _heads_of(mask is not None)(*given)
    return flat, further, entropy, peak


def _of_heads(whole: Activation, further: tf.Tensor, entropy: tf.Tensor, peak: tf.Tensor) -> Activation:
    unknown = tf.fill([len(ACTIVATION_STATISTICS) - _MEASURED], float("nan"))
    return Activation(tf.concat([whole.values[:_MEASURED], unknown, further], 0), entropy, peak, whole.histogram)


class _Logits:
    """Logits `[heads, queries, keys]`, and which of them belong to keys; `is_key` is None if all do.

    `keys` is the number of keys: of each query `[heads, queries]`, or a scalar without `is_key`.
    """

    def __init__(self, value: tf.Tensor, is_key: tf.Tensor | None) -> None:
        self.value, self.is_key = value, is_key
        if is_key is None:
            self.keys = tf.cast(tf.shape(value)[-1], tf.float32)
        else:
            self.keys = tf.reduce_sum(tf.cast(is_key, tf.float32), -1)

    def only(self, value: tf.Tensor, other: float) -> tf.Tensor:
        """A value for each key, and another one elsewhere."""
        return value if self.is_key is None else tf.where(self.is_key, value, other)


@functools.cache
def _heads_of(has_mask: bool) -> Callable[..., Any]:
    shape = [None] * 4

    @once([tf.TensorSpec(shape, tf.float32), *([tf.TensorSpec(shape, tf.bool)] if has_mask else [])])
    def measure(value: tf.Tensor, *masks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """The logits that are not masked, `HEAD_STATISTICS`, and `[heads]` entropy and peak."""
        is_key = _heads_first(tf.broadcast_to(masks[0], tf.shape(value))) if has_mask else None
        logits = _Logits(_heads_first(value), is_key)
        kept = logits.only(logits.value, 0.0)
        squares = tf.reduce_sum(tf.square(kept), [1, 2])
        # The largest of numbers that hold a NaN may be another number.
        peak = tf.where(tf.math.is_nan(squares), squares, tf.reduce_max(tf.abs(kept), [1, 2]))
        entropy, heaviest = _spreads(logits)
        likeness, pair = _most_alike(logits, kept, squares)
        further = [tf.reduce_max(peak), tf.reduce_mean(entropy), tf.reduce_mean(heaviest), likeness, *pair]
        flat = tf.reshape(logits.value, [-1]) if is_key is None else tf.boolean_mask(logits.value, is_key)
        # Without a query no head has keys.
        has_keys = tf.size(kept) > 0 if is_key is None else tf.reduce_any(logits.keys > 0, 1)
        return flat, tf.stack(further), entropy, tf.where(has_keys, peak, float("nan"))

    return measure


def _heads_first(value: tf.Tensor) -> tf.Tensor:
    shape = tf.shape(value)
    # The length of each axis, because of an empty one.
    lengths = tf.stack([shape[1], shape[0] * shape[2], shape[3]])
    return tf.reshape(tf.transpose(value, [1, 0, 2, 3]), lengths)


def _spreads(logits: _Logits) -> tuple[tf.Tensor, tf.Tensor]:
    """`[heads]` entropy of the weights as a share of the largest possible one, and the largest weight."""
    highest = tf.reduce_max(logits.only(logits.value, logits.value.dtype.min), -1, keepdims=True)
    below = logits.only(logits.value - highest, _NO_KEY)
    shares = tf.exp(below)
    whole = tf.reduce_sum(shares, -1)
    entropy = tf.math.log(whole) - tf.reduce_sum(shares * below, -1) / whole
    is_choice = logits.keys > 1
    entropy = tf.clip_by_value(entropy / tf.math.log(tf.where(is_choice, logits.keys, 2.0)), 0.0, 1.0)
    # The share of the heaviest key is exp(0).
    return _mean_over_queries(entropy, is_choice), _mean_over_queries(1.0 / whole, is_choice)


def _mean_over_queries(values: tf.Tensor, is_judged: tf.Tensor) -> tf.Tensor:
    """`[heads]` from `[heads, queries]`; NaN for a head without judged queries. `is_judged` may be a scalar."""
    if is_judged.shape.rank == 0:
        return tf.where(is_judged, tf.reduce_mean(values, 1), float("nan"))
    return tf.reduce_sum(tf.where(is_judged, values, 0.0), 1) / tf.reduce_sum(tf.cast(is_judged, tf.float32), 1)


def _most_alike(logits: _Logits, kept: tf.Tensor, sizes: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
    """How alike the two heads are whose logits resemble each other most, and which; NaN if no two can be compared.

    2 ab / (a² + b²) of their logits, each query's mean subtracted: 1 if they are equal, 0 if they are unrelated. A
    number added to all logits of a query changes no weight.

    Args:
        kept: the logits, 0 where they are masked.
        sizes: `[heads]` their sums of squares.
    """
    count = tf.shape(kept)[0]
    mean = tf.reduce_sum(kept, -1, keepdims=True) / tf.maximum(logits.keys, 1.0)[..., None]
    rows = tf.reshape(logits.only(kept - mean, 0.0), tf.stack([count, tf.reduce_prod(tf.shape(kept)[1:])]))
    products = tf.linalg.matmul(rows, rows, transpose_b=True)
    squares = tf.linalg.diag_part(products)
    is_flat = squares <= _SAME**2 * sizes
    likeness = 2.0 * products / (squares[:, None] + squares[None])
    is_pair = (tf.range(count)[:, None] < tf.range(count)[None]) & ~is_flat[:, None] & ~is_flat[None]
    # Overflow leaves NaN, which is no likeness.
    known = tf.reshape(tf.where(is_pair & tf.math.is_finite(likeness), likeness, -2.0), [-1])
    # With one head there is no pair, and with none no place.
    known = tf.concat([known, [-2.0]], 0)
    place = tf.argmax(known, output_type=tf.int32)
    best = known[place]
    one, other = (tf.cast(number, tf.float32) for number in (place // count, place % count))
    best, one, other = (tf.where(best < -1.5, float("nan"), value) for value in (best, one, other))
    return best, (one, other)
