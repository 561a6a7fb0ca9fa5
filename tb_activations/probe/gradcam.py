"""Grad-CAM on any layer's feature maps."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from tb_activations.probe.calls import find_output, outputs, owners, recorded
from tb_activations.probe.targets import Scorer
from tb_activations.records.arguments import invalid
from tb_activations.taps.layer_calls import LayerCalls


def class_activation_map(score: Scorer, x: tf.Tensor, layer: str | None) -> tf.Tensor:
    """`[samples, height, width]` float32, at least 0, with the height and width of the images `x`.

    The weight of a map is the mean over its positions of the gradient of the score. Negative values of the weighted
    sum are set to 0. Source: Selvaraju et al. 2017, equations 1 and 2.

    Args:
        x: `[samples, height, width, channels]`, or `[samples, channels, height, width]` where Keras'
            `image_data_format` is "channels_first".
        layer: the output whose maps are used; None uses the last one with height and width.

    Raises:
        ValueError: `x` has no image shape, `layer` is not a layer output, or it has no height and width.
    """
    if x.shape.rank != 4:
        raise invalid("x", f"shape {tuple(x.shape)}. Grad-CAM needs images with 4 axes")
    with tf.GradientTape(watch_accessed_variables=False) as tape:

        def watched(value: tf.Tensor) -> tf.Tensor:
            own = tf.identity(value)
            tape.watch(own)
            return own

        with recorded(score.model, transform=watched) as recording:
            value = score(x)
    name, maps, channels = _maps(recording, layer)
    gradient = tape.gradient(value, maps)
    if gradient is None:
        raise invalid("layer", f"the target does not depend on {name!r}")
    positions = [axis for axis in (1, 2, 3) if axis != channels]
    weights = tf.reduce_mean(tf.cast(gradient, tf.float32), positions, keepdims=True)
    summed = tf.nn.relu(tf.reduce_sum(weights * tf.cast(maps, tf.float32), channels))
    is_channels_first = keras.config.image_data_format() == "channels_first"
    size = x.shape[2:4] if is_channels_first else x.shape[1:3]
    return tf.image.resize(summed[..., None], size)[..., 0]


def _maps(recording: LayerCalls, layer: str | None) -> tuple[str, tf.Tensor, int]:
    """Name and output of the layer to use, and its axis of channels."""
    calls = recording.by_name()
    named, layers = outputs(calls), owners(calls)
    axes = {name: _channel_axis(layers[name]) for name in named}
    fitting = [name for name, value in named.items() if _is_stack_of_maps(value, axes[name])]
    if not fitting:
        raise ValueError("The model has no layer output with height and width, which Grad-CAM needs.")
    name = fitting[-1] if layer is None else find_output(named, layer, "layer")
    if name not in fitting:
        raise invalid(
            "layer",
            f"{layer!r} has the output shape {tuple(named[name].shape)}, without height and width",
            f"{', '.join(map(repr, fitting))}",
        )
    return name, named[name], axes[name]


def _is_stack_of_maps(value: tf.Tensor, channels: int) -> bool:
    if value.shape.rank != 4 or not value.dtype.is_floating:
        return False
    sizes = [size for axis, size in enumerate(value.shape) if axis not in (0, channels)]
    return bool(math.prod(sizes) > 1)


def _channel_axis(layer: keras.layers.Layer) -> int:
    data_format = getattr(layer, "data_format", None) or keras.config.image_data_format()
    return 1 if data_format == "channels_first" else 3
