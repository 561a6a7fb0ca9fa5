"""Sums and norms of tensors of different sizes at once, in the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tb_activations.taps.numbers.constants import Constants
from tb_activations.taps.numbers.statistics import norm
from tb_activations.taps.numbers.tables import is_plain
from tb_activations.taps.numbers.traced_once import is_for_xla

_WIDTH = 256
"""Elements of a block. Tensors are filled up with zeros: sums over rows take a tenth of the time of sums by place."""
_SHORT = 4096
"""Up to this size, joining tensors costs less than a call for each."""
_MIDDLE = 2**16
"""Larger tensors are not kept in memory until all others are known."""


class Parts:
    """Tensors of these sizes, one after the other in blocks.

    Attributes:
        sizes: `[tensors]` float32.
    """

    def __init__(self, sizes: Sequence[int], constants: Constants) -> None:
        self.sizes = np.array(sizes, np.float32)
        self._constants = constants
        blocks = [-(-size // _WIDTH) for size in sizes]
        self._missing = [count * _WIDTH - size for count, size in zip(blocks, sizes, strict=True)]
        self._places = np.repeat(np.arange(len(blocks), dtype=np.int32), blocks)

    def blocks(self, tensors: Sequence[tf.Tensor | None]) -> tf.Tensor:
        """`[blocks, 256]` float32 of tensors of these sizes."""
        pieces = [self._zeros(0)]
        for tensor, missing in zip(tensors, self._missing, strict=True):
            pieces += [flat(tensor, self._constants), *([self._zeros(missing)] if missing else [])]
        return tf.reshape(tf.concat(pieces, 0), [-1, _WIDTH])

    def sums(self, blocks: tf.Tensor) -> tf.Tensor:
        """`[tensors]`, the sum of each."""
        return tf.math.unsorted_segment_sum(tf.reduce_sum(blocks, 1), self._places, len(self.sizes))

    def careful_norms(self, blocks: tf.Tensor) -> tf.Tensor:
        """`[2, tensors]`: L2 norm of the finite elements of each, and number of the others."""
        finite = tf.math.is_finite(blocks)
        kept = tf.abs(tf.where(finite, blocks, 0.0))
        rows = tf.reduce_max(kept, 1)
        largest = tf.maximum(tf.math.unsorted_segment_max(rows, self._places, len(self.sizes)), 0.0)
        # Scaled to at most 1 before squaring, so that no tensor leaves the range of float32.
        scale = tf.gather(tf.where(largest > 0, largest, 1.0), self._places)
        lengths = largest * tf.sqrt(self.sums(tf.square(kept / scale[:, None])))
        return tf.stack([lengths, self.sums(tf.cast(~finite, tf.float32))])

    def _zeros(self, count: int) -> tf.Tensor:
        return self._constants(np.zeros(count), np.float32)


def flat(tensor: tf.Tensor, constants: Constants) -> tf.Tensor:
    """`[elements]` of a tensor."""
    return tensor if tensor.shape.rank == 1 else tf.reshape(tensor, constants([-1]))


class Long(NamedTuple):
    """What is kept of a large tensor of known shape.

    Attributes:
        squares: half the sum of squares, a scalar; of a step that XLA compiles the `norm`.
        odd: all elements as a vector if their squares leave the range of float32, else none; None under XLA.
        size: number of elements.
    """

    squares: tf.Tensor
    odd: tf.Tensor | None
    size: int


def long(tensor: tf.Tensor, constants: Constants) -> Long:
    """What is to be kept of a large float32 tensor."""
    size = tensor.shape.num_elements()
    if is_for_xla():
        return Long(norm(tensor), None, size)
    half = tf.nn.l2_loss(tensor)
    # A slice that is empty as a rule: a conditional for each of hundreds of tensors would take several times as long.
    interval = tf.raw_ops.Bucketize(input=half, boundaries=_PLAIN)
    stop = tf.raw_ops.GatherV2(params=constants([[size], [0], [size]]), indices=interval, axis=constants(0))
    return Long(half, tf.raw_ops.Slice(input=flat(tensor, constants), begin=constants([0]), size=stop), size)


_PLAIN = [5e-31, 1e38]
"""Between these, half a sum of squares has lost nothing to underflow or overflow."""


def _lengths_and_others(kept: Sequence[Long]) -> list[tf.Tensor]:
    """`[2, tensors]`, as `norms`; no element for no tensors."""
    # After a step that XLA compiled there are both: weights from before the update, and gradients.
    known = [place for place, one in enumerate(kept) if one.odd is None]
    if known and len(known) < len(kept):
        rest = [place for place, one in enumerate(kept) if one.odd is not None]
        parts = [table for part in (known, rest) for table in _lengths_and_others([kept[place] for place in part])]
        return [tf.gather(tf.concat(parts, 1), np.argsort([*known, *rest]), axis=1)]
    if known:
        return _of_norms([one.squares for one in kept], [one.size for one in kept])
    odd = [one.odd for one in kept if one.odd is not None]
    if not odd:
        return []
    lengths, elements = tf.sqrt(2.0 * tf.stack([one.squares for one in kept])), tf.concat(odd, 0)

    def careful() -> tf.Tensor:
        counts = tf.stack([tf.shape(one)[0] for one in odd])
        is_finite = tf.math.is_finite(elements)
        # Squares of float32 numbers neither overflow nor underflow in float64.
        squares = tf.square(tf.where(is_finite, tf.cast(elements, tf.float64), 0.0))
        sums = tf.math.unsorted_segment_sum(
            tf.stack([squares, tf.cast(~is_finite, tf.float64)], 1), tf.repeat(tf.range(len(odd)), counts), len(odd)
        )
        found = tf.stack([tf.sqrt(sums[:, 0]), sums[:, 1]])
        return tf.where(counts > 0, tf.cast(found, tf.float32), tf.stack([lengths, tf.zeros_like(lengths)]))

    return [tf.cond(tf.size(elements) > 0, careful, lambda: tf.stack([lengths, tf.zeros_like(lengths)]))]


def norms(tensors: Sequence[tf.Tensor], kept: Sequence[Long], constants: Constants) -> tuple[tf.Tensor, tf.Tensor]:
    """`[tensors + kept]` each: L2 norm of the finite elements, and number of the others.

    Args:
        tensors: float32, of known shape.
        kept: of further tensors, as from `long`.
    """
    sizes = [tensor.shape.num_elements() for tensor in tensors]
    short = [place for place, size in enumerate(sizes) if size <= _SHORT]
    middle = [place for place, size in enumerate(sizes) if _SHORT < size <= _MIDDLE]
    large = [place for place, size in enumerate(sizes) if size > _MIDDLE]
    parts = Parts([sizes[place] for place in short], constants)
    blocks = parts.blocks([tensors[place] for place in short])
    squares = parts.sums(tf.square(blocks))
    if middle:
        of_middle = tf.stack([tf.nn.l2_loss(tensors[place]) for place in middle])
        squares = tf.concat([squares, 2.0 * of_middle], 0)

    def careful() -> tf.Tensor:
        return tf.concat([parts.careful_norms(blocks), *norms_and_others([tensors[place] for place in middle])], 1)

    is_fast = tf.reduce_all(is_plain(squares))
    table = tf.cond(is_fast, lambda: tf.stack([tf.sqrt(squares), tf.zeros_like(squares)]), careful)
    every = [*(long(tensors[place], constants) for place in large), *kept]
    table = tf.concat([table, *_lengths_and_others(every)], 1)
    order = [*np.argsort([*short, *middle, *large]), *range(len(tensors), len(tensors) + len(kept))]
    found, others = tf.unstack(tf.gather(table, np.array(order, np.int32), axis=1))
    return found, others


def norms_and_others(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """As `norms`, each measured alone: `[2, tensors]`; no element for no tensors."""
    return _of_norms([norm(tensor) for tensor in tensors], [tensor.shape.num_elements() for tensor in tensors])


def _of_norms(found: Sequence[tf.Tensor], sizes: Sequence[int]) -> list[tf.Tensor]:
    if not found:
        return []
    finite, lengths = tf.unstack(tf.stack(found, 1))
    return [tf.stack([lengths, np.array(sizes, np.float32) - finite])]
