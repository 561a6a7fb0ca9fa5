"""Sums and norms of vectors of different lengths at once, in the graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tb_activations.taps.numbers.statistics import norm
from tb_activations.taps.numbers.tables import is_plain

_WIDTH = 256
"""Elements of a block. Vectors are filled up with zeros: sums over rows take a tenth of the time of sums by place."""
_SHORT = 4096
"""Up to this length, joining vectors costs less than a call for each."""
_MIDDLE = 2**16
"""Longer vectors are measured alone, so that they need not be kept in memory until all others are known."""


class Parts:
    """Vectors of these lengths, one after the other in blocks.

    Attributes:
        lengths: `[vectors]` float32.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths = np.array(lengths, np.float32)
        blocks = [-(-length // _WIDTH) for length in lengths]
        self._missing = [count * _WIDTH - length for count, length in zip(blocks, lengths, strict=True)]
        self._places = np.repeat(np.arange(len(blocks), dtype=np.int32), blocks)

    def blocks(self, vectors: Sequence[tf.Tensor | None]) -> tf.Tensor:
        """`[blocks, 256]` float32 of vectors of these lengths."""
        pieces = [tf.zeros([0])]
        for vector, missing in zip(vectors, self._missing, strict=True):
            pieces += [vector, *([tf.zeros([missing])] if missing else [])]
        return tf.reshape(tf.concat(pieces, 0), [-1, _WIDTH])

    def sums(self, blocks: tf.Tensor) -> tf.Tensor:
        """`[vectors]`, the sum of each."""
        return tf.math.unsorted_segment_sum(tf.reduce_sum(blocks, 1), self._places, len(self.lengths))

    def careful_norms(self, blocks: tf.Tensor) -> tf.Tensor:
        """`[2, vectors]`: L2 norm of the finite elements of each, and number of the others."""
        finite = tf.math.is_finite(blocks)
        kept = tf.abs(tf.where(finite, blocks, 0.0))
        rows = tf.reduce_max(kept, 1)
        largest = tf.maximum(tf.math.unsorted_segment_max(rows, self._places, len(self.lengths)), 0.0)
        # Scaled to at most 1 before squaring, so that no vector leaves the range of float32.
        scale = tf.gather(tf.where(largest > 0, largest, 1.0), self._places)
        lengths = largest * tf.sqrt(self.sums(tf.square(kept / scale[:, None])))
        return tf.stack([lengths, self.sums(tf.cast(~finite, tf.float32))])


def norms(vectors: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """`[vectors]` each: L2 norm of the finite elements, and number of the others; float32 vectors of known length."""
    lengths = [vector.shape[0] for vector in vectors]
    short = [place for place, length in enumerate(lengths) if length <= _SHORT]
    middle = [place for place, length in enumerate(lengths) if _SHORT < length <= _MIDDLE]
    long = [place for place, length in enumerate(lengths) if length > _MIDDLE]
    parts = Parts([lengths[place] for place in short])
    blocks = parts.blocks([vectors[place] for place in short])
    of_middle = [tf.zeros([0]), *(2.0 * tf.nn.l2_loss(vectors[place])[None] for place in middle)]
    squares = tf.concat([parts.sums(tf.square(blocks)), *of_middle], 0)

    def careful() -> tf.Tensor:
        return tf.concat([parts.careful_norms(blocks), *_alone([vectors[place] for place in middle])], 1)

    is_fast = tf.reduce_all(is_plain(squares))
    table = tf.cond(is_fast, lambda: tf.stack([tf.sqrt(squares), tf.zeros_like(squares)]), careful)
    table = tf.concat([table, *_alone([vectors[place] for place in long])], 1)
    found, others = tf.unstack(tf.gather(table, np.argsort([*short, *middle, *long]), axis=1))
    return found, others


def _alone(vectors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    return [norm_and_others(vector)[:, None] for vector in vectors]


def norm_and_others(vector: tf.Tensor) -> tf.Tensor:
    """`[2]`: the L2 norm of the finite elements of a float32 vector of known length, and the number of the others."""
    finite, length = tf.unstack(norm(vector))
    return tf.stack([length, vector.shape[0] - finite])
