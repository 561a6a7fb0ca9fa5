"""Sums and norms of tensors of different sizes at once, in the graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tb_activations.taps.numbers.constants import Constants
from tb_activations.taps.numbers.statistics import norm
from tb_activations.taps.numbers.tables import is_plain

_WIDTH = 256
"""Elements of a block. Tensors are filled up with zeros: sums over rows take a tenth of the time of sums by place."""
_SHORT = 4096
"""Up to this size, joining tensors costs less than a call for each."""
_MIDDLE = 2**16
"""Larger tensors are measured alone, so that they need not be kept in memory until all others are known."""


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


def norms(tensors: Sequence[tf.Tensor], constants: Constants) -> tuple[tf.Tensor, tf.Tensor]:
    """`[tensors]` each: L2 norm of the finite elements, and number of the others; float32 tensors of known shape."""
    sizes = [tensor.shape.num_elements() for tensor in tensors]
    short = [place for place, size in enumerate(sizes) if size <= _SHORT]
    middle = [place for place, size in enumerate(sizes) if _SHORT < size <= _MIDDLE]
    long = [place for place, size in enumerate(sizes) if size > _MIDDLE]
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
    table = tf.concat([table, *norms_and_others([tensors[place] for place in long])], 1)
    found, others = tf.unstack(tf.gather(table, np.argsort([*short, *middle, *long]), axis=1))
    return found, others


def norms_and_others(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """As `norms`, each measured alone: `[2, tensors]`; no element for no tensors."""
    if not tensors:
        return []
    finite, lengths = tf.unstack(tf.stack([norm(tensor) for tensor in tensors], 1))
    return [tf.stack([lengths, np.array([tensor.shape.num_elements() for tensor in tensors], np.float32) - finite])]
