"""Rows of tensors, sampled, and their sums and extremes; of several tensors at once.

A small operation in a large graph costs little more than its call, so tensors with as many columns share theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.taps.numbers.constants import Constants
from tb_activations.taps.numbers.traced_once import once

SAMPLED = 2**14
"""About how many elements a sample has."""
_FEWEST = 64
"""Minimum number of sampled rows, if there are as many."""


class Samples(NamedTuple):
    """Evenly strided rows of tensors `[rows, columns]` with the same number of columns, which is not 0.

    Attributes:
        values: `[sampled rows, columns]` of all tensors.
        rows: `[tensors]` int32, all rows of each.
        lengths: `[tensors]` int32, sampled rows of each.
        owners: `[sampled rows]` int32, the tensor of each; None for a single tensor. The last of several tensors must
            have rows: sums over segments end with the last segment that has any.
    """

    values: tf.Tensor
    rows: tf.Tensor
    lengths: tf.Tensor
    owners: tf.Tensor | None

    @property
    def columns(self) -> tf.Tensor:
        """Their number, float32."""
        return tf.cast(tf.shape(self.values)[1], tf.float32)

    @property
    def counts(self) -> tf.Tensor:
        """`[tensors]` float32, sampled rows of each."""
        return tf.cast(self.lengths, tf.float32)

    def parts(self, count: int) -> list[tf.Tensor]:
        """`[sampled rows, columns]` of each of so many tensors."""
        return [self.values] if self.owners is None else list(tf.split(self.values, self.lengths, num=count))

    def sums(self, values: tf.Tensor) -> tf.Tensor:
        """`[tensors]`, the sum of what belongs to each; `values` has the shape of `self.values`."""
        rows = tf.reduce_sum(values, 1)
        return tf.reduce_sum(rows)[None] if self.owners is None else tf.math.segment_sum(rows, self.owners)

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
        return values if self.owners is None else tf.gather(values, self.owners)

    def _by_column(self, values: tf.Tensor, whole: Callable[..., Any], each: Callable[..., Any]) -> Any:
        return whole(values, 0)[None] if self.owners is None else each(values, self.owners)


def of_one(rows: tf.Tensor) -> Samples:
    """Samples of one tensor."""
    values = sampled_rows(rows)
    return Samples(values, tf.shape(rows)[:1], tf.shape(values)[:1], None)


def of_several(tensors: Sequence[tf.Tensor], constants: Constants) -> Samples:
    """Samples of tensors whose number of columns is known."""
    # Few operations for each tensor: a deep network has hundreds of them.
    shapes = tf.stack([tf.shape(tensor) for tensor in tensors])
    rows, strides, lengths, owners = _places(shapes, constants(max(SAMPLED // tensors[0].shape[-1], _FEWEST)))
    ends = (tf.unstack(one, num=len(tensors)) for one in (rows, strides))
    zero = constants(0)
    parts = [
        tf.raw_ops.GatherV2(params=tensor, indices=tf.range(zero, count, stride), axis=zero)
        for tensor, count, stride in zip(tensors, *ends, strict=True)
    ]
    return Samples(tf.concat(parts, 0), rows, lengths, owners)


@once([tf.TensorSpec([None, 2], tf.int32), tf.TensorSpec([], tf.int32)])
def _places(shapes: tf.Tensor, most: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    rows = shapes[:, 0]
    strides = tf.bitwise.bitwise_or(rows // most, 1)
    lengths = -(-rows // strides)
    stops = tf.cumsum(lengths)[None]
    owners = tf.raw_ops.UpperBound(sorted_inputs=stops, values=tf.range(stops[0, -1])[None])[0]
    return rows, strides, lengths, owners


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
