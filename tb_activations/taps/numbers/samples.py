"""Rows of tensors with the same number of columns, sampled, and their sums and extremes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.taps.numbers.traced_once import once

SAMPLED = 2**14
"""About how many elements a sample has."""
FEWEST = 64
"""Minimum number of sampled rows, if there are as many."""

TABLE, COUNTS = tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.int32)


class Samples(NamedTuple):
    """Evenly strided rows of tensors `[rows, columns]` with the same number of columns, which is not 0.

    Attributes:
        values: `[sampled rows, columns]` of all tensors.
        lengths: `[tensors]` int32, sampled rows of each.
        owners: `[sampled rows]` int32, the tensor of each; None for a single tensor. The last of several tensors must
            have rows: sums over segments end with the last segment that has any.
    """

    values: tf.Tensor
    lengths: tf.Tensor
    owners: tf.Tensor | None

    def each(self, measure: Callable[..., Any], given: Sequence[tf.Tensor] = ()) -> Any:
        """`[tensors, ...]` of a traced function of `[sampled rows, columns]` of each, and of its element of `given`."""
        if self.owners is None:
            return measure(self.values, *(one[0] for one in given))[None]
        return _for_each(measure, len(given))(self.values, self.lengths, *given)

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
    return Samples(values, tf.shape(values)[:1], None)


@functools.cache
def _for_each(measure: Callable[..., Any], count: int) -> Callable[..., Any]:
    # A loop, as this is rarely needed: a call for each tensor would take memory in every step.
    @once([TABLE, COUNTS, *[tf.TensorSpec([None], tf.float32)] * count])
    def each(values: tf.Tensor, lengths: tf.Tensor, *given: tf.Tensor) -> Any:
        stops = tf.cumsum(lengths)

        def one(ends: Any) -> Any:
            return measure(values[ends[0] : ends[1]], *ends[2:])

        return tf.map_fn(one, (stops - lengths, stops, *given), fn_output_signature=tf.float32)

    return each


def sampled_rows(rows: tf.Tensor) -> tf.Tensor:
    """Evenly strided rows of `[rows, columns]`, whose number of columns is not 0; all of a small tensor."""
    count, columns = tf.unstack(tf.shape(rows), num=2)
    stride = count // tf.maximum(SAMPLED // columns, FEWEST)
    # All rows are one block, which is copied at once.
    block = tf.where(stride <= 1, tf.maximum(count, 1), 1)
    blocks = tf.reshape(rows, tf.stack([count // block, block * columns]))
    places = tf.range(0, tf.shape(blocks)[0], stride | 1)
    return tf.reshape(tf.gather(blocks, places), tf.stack([-1, columns]))
