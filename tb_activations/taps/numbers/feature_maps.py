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
    is_channels_first = unit_axis == 1
    height, width, channels = (*value.shape[2:], value.shape[1]) if is_channels_first else value.shape[1:]
    rows, columns = max(-(-height // SIDE), 1), max(-(-width // SIDE), 1)
    # Few operations, of the step itself: calling a function would take longer than copying the maps.
    if is_channels_first:
        cut = tf.transpose(value[:SAMPLES, :CHANNELS, ::rows, ::columns], [0, 2, 3, 1])
    else:
        cut = value[:SAMPLES, ::rows, ::columns, :CHANNELS]
    maps = tf.cast(cut, tf.float32)
    if maps.shape[0] != SAMPLES:
        missing = SAMPLES - tf.shape(maps)[0]
        maps = tf.pad(maps, [[0, missing], [0, 0], [0, 0], [0, 0]], constant_values=float("nan"))
        maps.set_shape([SAMPLES, -(-height // rows), -(-width // columns), min(channels, CHANNELS)])
    return maps
