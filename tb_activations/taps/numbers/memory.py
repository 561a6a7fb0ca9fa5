"""A weight's gradient compared with what the optimizer remembers of earlier ones; computed in the graph."""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from tb_activations.taps.numbers.statistics import once

_SAMPLED = 2**16
"""Elements of a large weight that are compared, evenly strided."""
_FLAT = tf.TensorSpec([None], tf.float32)


class Moments(NamedTuple):
    """An optimizer's memory of one weight before a step; None for what it does not keep.

    Attributes:
        momentum: `strided` moving average of the gradient.
        velocity: `strided` moving average of its square.
        correction: the factor by which that average is too small because it started at zero.
        starved: share of units, along the last axis, whose velocity is zero: no gradient has ever reached them.
    """

    momentum: tf.Tensor | None = None
    velocity: tf.Tensor | None = None
    correction: tf.Tensor | float = 1.0
    starved: tf.Tensor | float = math.nan


def strided(value: tf.Tensor) -> tf.Tensor:
    """An evenly strided sample of the elements, flat."""
    flat = tf.reshape(tf.cast(value, tf.float32), [-1])
    # The number of units is usually even: an even stride could sample a few of them only.
    return flat[:: tf.maximum(tf.size(flat) // _SAMPLED, 1) | 1]


def starved_share(velocity: tf.Tensor) -> tf.Tensor | float:
    """See `Moments.starved`; NaN for vectors."""
    rank = velocity.shape.rank
    if rank is None or rank < 2:
        return math.nan
    rows = tf.reshape(tf.cast(velocity, tf.float32), [-1, velocity.shape[-1]])
    return tf.reduce_mean(tf.cast(tf.reduce_max(rows, 0) <= 0, tf.float32))


def memory(gradient: tf.Tensor | None, moments: Moments) -> tf.Tensor:
    """`[3]` float32: cosine between gradient and momentum, surprise, starved share; NaN for what is unknown.

    Surprise is the root mean square of gradient / √velocity (Wortsman et al. 2023). It is large if the memory of the
    square is out of date.
    """
    cosine = surprise = tf.constant(math.nan)
    if gradient is not None:
        sample = strided(gradient)
        if moments.momentum is not None:
            cosine = _cosine(sample, moments.momentum)
        if moments.velocity is not None:
            surprise = _surprise(sample, moments.velocity) * tf.sqrt(moments.correction)
    return tf.stack([cosine, surprise, tf.cast(moments.starved, tf.float32)])


@once([_FLAT, _FLAT])
def _cosine(gradient: tf.Tensor, momentum: tf.Tensor) -> tf.Tensor:
    norms = tf.norm(gradient) * tf.norm(momentum)
    return tf.where(norms > 0, tf.reduce_sum(gradient * momentum) / norms, math.nan)


@once([_FLAT, _FLAT])
def _surprise(gradient: tf.Tensor, velocity: tf.Tensor) -> tf.Tensor:
    # Where no gradient has arrived before, any is infinitely surprising.
    known = velocity > 0
    count = tf.reduce_sum(tf.cast(known, tf.float32))
    squares = tf.where(known, tf.square(gradient) / tf.where(known, velocity, 1.0), 0.0)
    return tf.where(count > 0, tf.sqrt(tf.reduce_sum(squares) / tf.maximum(count, 1.0)), math.nan)
