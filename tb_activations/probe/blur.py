"""A Gaussian filter over images."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf


def blurred(images: tf.Tensor, std: float) -> tf.Tensor:
    """`images` `[samples, height, width, channels]`, each channel filtered with a Gaussian of `std` pixels.

    The filter is cut off at three standard deviations. Beyond the border the edge pixels are repeated, so a constant
    image is not changed.
    """
    radius = math.ceil(3 * std)
    places = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * np.square(places / std))
    kernel /= kernel.sum()
    for axis in (1, 2):
        # Repeats edge pixels: padding by reflection fails for images smaller than the filter.
        size = images.shape[axis]
        shifted = [tf.gather(images, np.clip(np.arange(size) + place, 0, size - 1), axis=axis) for place in places]
        images = tf.add_n([tf.cast(weight, images.dtype) * part for weight, part in zip(kernel, shifted, strict=True)])
    return images
