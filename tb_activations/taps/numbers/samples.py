"""Rows of tensors, sampled, and their sums and extremes; of several tensors at once.

A small operation in a large graph costs little more than its call, so tensors with as many columns share theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

SAMPLED = 2**14
"""About how many elements a sample has."""
_FEWEST = 64
"""Minimum number of sampled rows, if there are as many."""


class Samples:
    """Evenly strided rows of tensors `[rows, columns]` with the same number of columns, which is not 0.

    The last of several tensors must have rows: sums over segments end with the last segment that has any.

    Attributes:
        values: `[sampled rows, columns]` of all tensors.
        counts: `[tensors]` float32, sampled rows of each.
        rows: `[tensors]` int32, all rows of each.
        sizes: `[tensors]` float32, sampled elements of each.
    """

    def __init__(self, tensors: Sequence[tf.Tensor]) -> None:
        self._tensors = len(tensors)
        if self._tensors == 1:
            self.values = sampled_rows(tensors[0])
            self.rows, lengths = tf.shape(tensors[0])[:1], tf.shape(self.values)[:1]
        else:
            # Few operations for each tensor: a deep network has hundreds of them.
            self.rows = tf.reshape(tf.stack([tf.shape(tensor) for tensor in tensors]), [-1, 2])[:, 0]
            strides = tf.bitwise.bitwise_or(self.rows // max(SAMPLED // tensors[0].shape[-1], _FEWEST), 1)
            lengths = -(-self.rows // strides)
            zero, ends = tf.constant(0), (tf.unstack(one, num=self._tensors) for one in (self.rows, strides))
            parts = [
                tf.raw_ops.GatherV2(params=tensor, indices=tf.range(zero, count, stride), axis=zero)
                for tensor, count, stride in zip(tensors, *ends, strict=True)
            ]
            self.values = tf.concat(parts, 0)
            stops = tf.cumsum(lengths)[None]
            places = tf.range(zero, stops[0, -1])[None]
            self._owners = tf.raw_ops.UpperBound(sorted_inputs=stops, values=places)[0]
        self.counts = tf.cast(lengths, tf.float32)
        self.sizes = self.counts * tf.cast(tf.shape(self.values)[1], tf.float32)

    def __len__(self) -> int:
        return self._tensors

    def parts(self) -> list[tf.Tensor]:
        """`[sampled rows, columns]` of each tensor."""
        if self._tensors == 1:
            return [self.values]
        return list(tf.split(self.values, tf.cast(self.counts, tf.int32), num=self._tensors))

    def sums(self, values: tf.Tensor) -> tf.Tensor:
        """`[tensors]`, the sum of what belongs to each; `values` has the shape of `self.values`."""
        rows = tf.reduce_sum(values, 1)
        return tf.reduce_sum(rows)[None] if self._tensors == 1 else tf.math.segment_sum(rows, self._owners)

    def column_sums(self, values: tf.Tensor) -> tf.Tensor:
        """`[tensors, columns]`."""
        return self._by_column(values, tf.reduce_sum, tf.math.segment_sum)

    def column_minima(self) -> tf.Tensor:
        """`[tensors, columns]`."""
        return self._by_column(self.values, tf.reduce_min, tf.math.segment_min)

    def column_maxima(self) -> tf.Tensor:
        """`[tensors, columns]`."""
        return self._by_column(self.values, tf.reduce_max, tf.math.segment_max)

    def of_rows(self, values: tf.Tensor) -> tf.Tensor:
        """`[tensors, ...]` for each row."""
        return values if self._tensors == 1 else tf.gather(values, self._owners)

    def _by_column(self, values: tf.Tensor, whole: Callable[..., Any], each: Callable[..., Any]) -> Any:
        return whole(values, 0)[None] if self._tensors == 1 else each(values, self._owners)


def sampled_rows(rows: tf.Tensor) -> tf.Tensor:
    """Evenly strided rows of `[rows, columns]`, whose number of columns is not 0; all of a small tensor."""
    count, columns = tf.unstack(tf.shape(rows), num=2)
    stride = count // tf.maximum(SAMPLED // columns, _FEWEST)
    # All rows are one block, which is copied at once.
    block = tf.where(stride <= 1, tf.maximum(count, 1), 1)
    blocks = tf.reshape(rows, tf.stack([count // block, block * columns]))
    # The width of an image is usually even: an even stride could sample a single column of it. Gathering takes a tenth
    # of the time of a strided slice.
    places = tf.range(0, tf.shape(blocks)[0], tf.bitwise.bitwise_or(stride, 1))
    return tf.reshape(tf.gather(blocks, places), tf.stack([-1, columns]))
