"""Statistics of many short weights at once: biases, and the scales and offsets of normalizations.

They are most of the weights of a deep network and few of its parameters. One by one, the calls would take longer than
the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tb_activations.taps.numbers.weights import Before, called

_LONGEST = 2**13


def is_short(given: Before, gradient: tf.Tensor | None) -> bool:
    """Whether a weight is a short vector with a gradient."""
    shape = given.held.shape
    return gradient is not None and shape.rank == 1 and 0 < (shape[0] or 0) <= _LONGEST and given.known is None


def updated_together(
    given: Sequence[Before], gradients: Sequence[tf.Tensor], after: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """`weights.updated` of each of these short weights of one optimizer."""
    lengths = [int(one.held.shape[0]) for one in given]
    places = tf.constant(np.repeat(np.arange(len(lengths)), lengths).astype(np.float32))
    correction = given[0].correction
    table = called(
        _table,
        places,
        _joined(gradients),
        _joined([one.held for one in given]),
        _joined(after),
        _joined([one.momentum for one in given]),
        _joined([one.velocity for one in given]),
        None if correction is None else tf.cast(correction, tf.float32),
        count=len(given),
        sign=given[0].sign,
    )
    return list(tf.unstack(table, num=len(given)))


def _joined(values: Sequence[tf.Tensor | None]) -> tf.Tensor | None:
    known = [tf.cast(value, tf.float32) for value in values if value is not None]
    return tf.concat(known, 0) if len(known) == len(values) else None


def _table(
    places: tf.Tensor,
    gradient: tf.Tensor,
    before: tf.Tensor,
    after: tf.Tensor,
    momentum: tf.Tensor | None,
    velocity: tf.Tensor | None,
    correction: tf.Tensor | None,
    *,
    count: int,
    sign: float,
) -> tf.Tensor:
    """`[weights, WEIGHT_STATISTICS]`."""
    parts = _Parts(tf.cast(places, tf.int32), count)
    elements = parts.sum(tf.ones_like(gradient))
    gradient_norm, gradient_finite = parts.norm(gradient)
    norm, finite = parts.norm(before)
    update, _ = parts.norm(after - before)
    cosine = surprise = unknown = tf.fill([count], math.nan)
    if momentum is not None:
        cosine = sign * _cosines(parts, gradient, momentum)
    if velocity is not None:
        surprise = _surprises(parts, gradient, velocity)
        surprise *= tf.sqrt(correction) if correction is not None else 1.0
    of_gradient = [elements, gradient_norm, parts.sum(_finite(tf.abs(gradient))), elements - gradient_finite]
    return tf.stack([*of_gradient, norm, elements - finite, update, cosine, surprise, unknown], 1)


class _Parts:
    """Sums over the parts of a vector, each element with the place of its part."""

    def __init__(self, places: tf.Tensor, count: int) -> None:
        self._places = places
        self._count = count

    def sum(self, values: tf.Tensor) -> tf.Tensor:
        return tf.math.unsorted_segment_sum(values, self._places, self._count)

    def norm(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Norm and number of the finite elements of each part."""
        kept = _finite(values)
        largest = tf.maximum(tf.math.unsorted_segment_max(tf.abs(kept), self._places, self._count), 0.0)
        # Scaled to at most 1 before squaring, so that no part leaves the range of float32.
        scale = tf.where(largest > 0, largest, 1.0)
        squares = self.sum(tf.square(kept / tf.gather(scale, self._places)))
        return largest * tf.sqrt(squares), self.sum(tf.cast(tf.math.is_finite(values), tf.float32))


def _finite(values: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_finite(values), values, 0.0)


def _cosines(parts: _Parts, gradient: tf.Tensor, momentum: tf.Tensor) -> tf.Tensor:
    norms = tf.sqrt(parts.sum(tf.square(gradient))) * tf.sqrt(parts.sum(tf.square(momentum)))
    return tf.where(norms > 0, parts.sum(gradient * momentum) / norms, math.nan)


def _surprises(parts: _Parts, gradient: tf.Tensor, velocity: tf.Tensor) -> tf.Tensor:
    known = velocity > 0
    count = parts.sum(tf.cast(known, tf.float32))
    squares = parts.sum(tf.where(known, tf.square(gradient) / tf.where(known, velocity, 1.0), 0.0))
    return tf.where(count > 0, tf.sqrt(squares / tf.maximum(count, 1.0)), math.nan)
