"""The first feature maps of convolutional outputs, small enough to return from every observed step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import tensorflow as tf

T = TypeVar("T")

SAMPLES, CHANNELS, SIDE = 2, 16, 32
MOST_LAYERS = 24
"""Calls of layers with maps per step, evenly spread over the depth. The pictures of all would be most of what the run
of a deep network takes on disk, and drawing them would take most of the time at the end of an epoch."""


def is_stack(value: tf.Tensor) -> bool:
    """Whether an output can be a stack of maps."""
    return value.shape.rank == 4 and all(size is not None for size in value.shape[1:])


def spread(candidates: Sequence[T]) -> list[T]:
    """At most `MOST_LAYERS` of these, evenly spaced, with the first and the last."""
    if len(candidates) <= MOST_LAYERS:
        return list(candidates)
    return [candidates[round(place * (len(candidates) - 1) / (MOST_LAYERS - 1))] for place in range(MOST_LAYERS)]


def first_maps(value: tf.Tensor, unit_axis: int | None) -> tf.Tensor | None:
    """`[SAMPLES, height, width, channels]` float32 of a layer's output; None if the output is not a stack of maps.

    At most `CHANNELS` channels; sides longer than `SIDE` are subsampled by a constant stride. A batch with fewer than
    `SAMPLES` samples is padded with NaN.
    """
    if unit_axis is None or not is_stack(value):
        return None
    maps = tf.cast(value[:SAMPLES], tf.float32)
    if unit_axis == 1:
        maps = tf.transpose(maps, [0, 2, 3, 1])
    height, width, channels = maps.shape[1:]
    maps = maps[:, :: -(-height // SIDE), :: -(-width // SIDE), : min(channels, CHANNELS)]
    missing = SAMPLES - tf.shape(maps)[0]
    filled = tf.pad(maps, [[0, missing], [0, 0], [0, 0], [0, 0]], constant_values=float("nan"))
    return tf.ensure_shape(filled, [SAMPLES, *maps.shape[1:]])
