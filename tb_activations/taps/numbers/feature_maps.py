"""The first feature maps of convolutional outputs, small enough to return from every observed step."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TypeVar

import tensorflow as tf

from tb_activations.taps.numbers.traced_once import once

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
    height, width, channels = value.shape[1:] if unit_axis != 1 else (*value.shape[2:], value.shape[1])
    strides = max(-(-height // SIDE), 1), max(-(-width // SIDE), 1)
    maps = _cut(unit_axis == 1, strides, value.dtype)(value)
    shape = [SAMPLES, -(-height // strides[0]), -(-width // strides[1]), min(channels, CHANNELS)]
    return tf.ensure_shape(maps, shape)


@functools.cache
def _cut(is_channels_first: bool, strides: tuple[int, int], dtype: tf.DType) -> Callable[[tf.Tensor], tf.Tensor]:
    """Cuts the first maps out of outputs of this kind."""

    @once([tf.TensorSpec([None] * 4, dtype)])
    def cut(value: tf.Tensor) -> tf.Tensor:
        maps = tf.cast(value[:SAMPLES], tf.float32)
        if is_channels_first:
            maps = tf.transpose(maps, [0, 2, 3, 1])
        maps = maps[:, :: strides[0], :: strides[1], :CHANNELS]
        missing = SAMPLES - tf.shape(maps)[0]
        return tf.pad(maps, [[0, missing], [0, 0], [0, 0], [0, 0]], constant_values=float("nan"))

    return cut
