"""The first feature maps of convolutional outputs, small enough to return from every observed step."""

from __future__ import annotations

import tensorflow as tf

SAMPLES, CHANNELS, SIDE = 2, 16, 32


def first_maps(value: tf.Tensor, unit_axis: int | None) -> tf.Tensor | None:
    """`[SAMPLES, height, width, channels]` float32 of a layer's output; None if the output is not a stack of maps.

    At most `CHANNELS` channels; sides longer than `SIDE` are subsampled by a constant stride. A batch with fewer than
    `SAMPLES` samples is padded with NaN.
    """
    if value.shape.rank != 4 or unit_axis is None or any(size is None for size in value.shape[1:]):
        return None
    maps = tf.cast(value[:SAMPLES], tf.float32)
    if unit_axis == 1:
        maps = tf.transpose(maps, [0, 2, 3, 1])
    height, width, channels = maps.shape[1:]
    maps = maps[:, :: -(-height // SIDE), :: -(-width // SIDE), : min(channels, CHANNELS)]
    missing = SAMPLES - tf.shape(maps)[0]
    filled = tf.pad(maps, [[0, missing], [0, 0], [0, 0], [0, 0]], constant_values=float("nan"))
    return tf.ensure_shape(filled, [SAMPLES, *maps.shape[1:]])
