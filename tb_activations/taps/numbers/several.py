"""Samples of many tensors at once, whatever their numbers of columns, and sums over them.

A small operation in a large graph costs little more than its call, so tensors share as many as they can.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tb_activations.taps.numbers.constants import Constants
from tb_activations.taps.numbers.samples import COUNTS, FEWEST, SAMPLED, Samples
from tb_activations.taps.numbers.traced_once import once


class Several(NamedTuple):
    """Samples of all tensors of several groups; those of a group have the same number of columns.

    Attributes:
        groups: of each; their `owners` count from its first tensor.
        rows, lengths: `[tensors]` int32, as in `Samples`, of all tensors.
        owners: `[sampled rows]` int32, the tensor of each row of all groups; None for a single tensor.
        columns: `[tensors]` float32.
        of_columns: `[columns of all tensors]` int32, the tensor of each; None for a single tensor.
    """

    groups: Sequence[Samples]
    rows: tf.Tensor
    lengths: tf.Tensor
    owners: tf.Tensor | None
    columns: tf.Tensor
    of_columns: tf.Tensor | None

    @classmethod
    def only(cls, samples: Samples, tensor: tf.Tensor) -> Several:
        """Those of a single tensor `[rows, columns]`."""
        rows, columns = tf.unstack(tf.shape(tensor), num=2)
        return cls([samples], rows[None], samples.lengths, None, tf.cast(columns, tf.float32)[None], None)

    def row_sums(self, values: tf.Tensor) -> tf.Tensor:
        """`[tensors, ...]` of `[sampled rows, ...]`."""
        return tf.reduce_sum(values, 0)[None] if self.owners is None else tf.math.segment_sum(values, self.owners)

    def column_sums(self, values: tf.Tensor) -> tf.Tensor:
        """`[tensors, ...]` of `[columns of all tensors, ...]`."""
        if self.of_columns is None:
            return tf.reduce_sum(values, 0)[None]
        return tf.math.segment_sum(values, self.of_columns)

    def column_minima(self, values: tf.Tensor) -> tf.Tensor:
        """`[tensors]` of `[columns of all tensors]`."""
        return tf.reduce_min(values)[None] if self.of_columns is None else tf.math.segment_min(values, self.of_columns)

    def column_maxima(self, values: tf.Tensor) -> tf.Tensor:
        """`[tensors]` of `[columns of all tensors]`."""
        return tf.reduce_max(values)[None] if self.of_columns is None else tf.math.segment_max(values, self.of_columns)

    def for_columns(self, values: tf.Tensor) -> tf.Tensor:
        """`[columns of all tensors]` of `[tensors]`."""
        return values if self.of_columns is None else tf.gather(values, self.of_columns)


def of_several(groups: Sequence[Sequence[tf.Tensor]], constants: Constants) -> Several:
    """Samples of groups of tensors `[rows, columns]` whose number of columns is known and the same within a group."""
    # Few operations for each tensor, as a deep network has hundreds of them; none that waits for another tensor, as all
    # of them would be kept in memory.
    columns = [tensor.shape[1] for group in groups for tensor in group]
    most = [max(SAMPLED // count, FEWEST) for count in columns]
    limits = iter(most)
    parts = [[_part(tensor, next(limits), constants) for tensor in group] for group in groups]
    values = [_joined([one for one, _ in group]) for group in parts]
    counts = [len(group) for group in groups]
    known = [tensor.shape[0] for group in groups for tensor in group]
    if None in known:
        rows = tf.stack([one for group in parts for _, one in group])
        numbers = constants(np.repeat(np.arange(len(groups)), counts))
        starts = constants(np.repeat(np.cumsum([0, *counts[:-1]]), counts))
        lengths, owners, places, sizes = _places(rows, constants(most), numbers, starts)
        split = tf.split(places, sizes, num=len(groups))
    else:
        sampled = np.array([-(-size // _stride(size, one)) for size, one in zip(known, most, strict=True)], np.int32)
        rows, lengths, owners = constants(known), constants(sampled), constants(_owners(sampled))
        split = [constants(_owners(one)) for one in np.split(sampled, np.cumsum(counts[:-1]))]
    given = zip(values, tf.split(lengths, counts), split, strict=True)
    return Several(
        [Samples(*one) for one in given],
        rows,
        lengths,
        owners,
        constants(columns, np.float32),
        constants(_owners(columns)),
    )


def _joined(parts: Sequence[tf.Tensor]) -> tf.Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, 0)


def _owners(counts: Any) -> Any:
    return np.repeat(np.arange(len(counts)), counts)


def _part(tensor: tf.Tensor, most: int, constants: Constants) -> tuple[tf.Tensor, tf.Tensor]:
    """The sampled rows of one of several tensors, and the number of all of its rows."""
    rows, columns = tensor.shape
    if rows is not None:
        if _stride(rows, most) == 1:
            return tensor, constants(rows)
        return _gather(tensor, constants(np.arange(0, rows, _stride(rows, most))), constants), constants(rows)
    rows = tf.raw_ops.Size(input=tensor) // constants(columns)
    places = tf.range(constants(0), rows, _stride(rows, constants(most), constants(1)))
    return _gather(tensor, places, constants), rows


def _gather(tensor: tf.Tensor, places: tf.Tensor, constants: Constants) -> tf.Tensor:
    # Gathering takes a tenth of the time of a strided slice.
    return tf.raw_ops.GatherV2(params=tensor, indices=places, axis=constants(0))


def _stride(rows: Any, most: Any, one: Any = 1) -> Any:
    # The width of an image is usually even: an even stride could sample a single column of it.
    return rows // most | one


@once([COUNTS] * 4)
def _places(rows: tf.Tensor, most: tf.Tensor, groups: tf.Tensor, starts: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Sampled rows of each tensor; for each of them, the tensor among all and within its group; those of each group."""
    lengths = -(-rows // _stride(rows, most))
    stops = tf.cumsum(lengths)[None]
    owners = tf.raw_ops.UpperBound(sorted_inputs=stops, values=tf.range(stops[0, -1])[None])[0]
    return lengths, owners, owners - tf.gather(starts, owners), tf.math.segment_sum(lengths, groups)
