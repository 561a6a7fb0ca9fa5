"""Which parts of an input an output rests on."""

from __future__ import annotations

from typing import Any, Literal, get_args

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from tb_activations.probe.gradcam import class_activation_map
from tb_activations.probe.inputs import check_count, check_number, single_float_input
from tb_activations.probe.integrated import integrated_gradients
from tb_activations.probe.state import build, preserved
from tb_activations.probe.targets import Scorer, Target, scorer

Method = Literal["gradient", "smoothgrad", "integrated", "gradcam"]


def saliency(
    model: keras.Model,
    x: Any,
    target: Target = None,
    method: Method = "gradient",
    *,
    layer: str | None = None,
    baseline: ArrayLike = 0.0,
    steps: int = 64,
    samples: int = 32,
    noise: float = 0.15,
    seed: int = 0,
    batch_size: int = 32,
) -> NDArray[np.float32]:
    """How much each input value matters to one output of the model in inference mode, sample by sample.

    Methods:
        "gradient": the gradient of the output by the input (Simonyan et al. 2013), signed.
        "smoothgrad": the mean of that gradient over `samples` noisy copies; the noise's standard deviation is `noise`
            times the range of the sample's values (Smilkov et al. 2017, who use 0.1 to 0.2).
        "integrated": integrated gradients from `baseline` to the sample (Sundararajan et al. 2017, equation 1). They
            sum to the difference of the outputs at both ends; steps are refined, from `steps` on, until that holds
            within 1 %, or within the rounding of the model's numbers if that is more, as in half precision.
        "gradcam": feature maps weighted by their mean gradient, negative sums cut off (Selvaraju et al. 2017,
            equations 1 and 2), enlarged bilinearly to the input's height and width.

    Args:
        model: any Keras model with one input.
        x: `[samples, ...]`; images are `[samples, height, width, channels]` (or as Keras' `image_data_format` says).
        target: the unit of an output `[samples, units]`: one for all samples, one for each, or None for the largest.
            For any other outputs a function from them to `[samples]`. A softmax hides what matters once it is sure:
            prefer logits.
        method: see above.
        layer: for "gradcam", the output whose maps are used, named as `activations` names it; None takes the last one
            that has height and width.
        baseline: for "integrated", the input that stands for nothing: a number, or an array like one sample.
        steps, samples, noise, seed: see the methods; the same seed gives the same noise whatever the `batch_size`.
        batch_size: samples a call.

    Returns:
        float32 in the shape of `x`; "gradcam": `[samples, height, width]`, from 0 upwards. Not rescaled.

    Raises:
        ValueError: an argument that is not allowed or does not fit the model.
        TypeError: `x` is not one array.
        ArithmeticError: integrated gradients do not add up with 64 times `steps`, since the output jumps or is not
            finite on the way; the message says by how much they miss.
    """
    if method not in get_args(Method):
        allowed = ", ".join(f'"{name}"' for name in get_args(Method))
        raise ValueError(f"Invalid value for argument `method`: {method!r}. Allowed are {allowed}.")
    for argument, count in (("steps", steps), ("samples", samples), ("batch_size", batch_size)):
        check_count(argument, count)
    check_number("noise", noise, 0.0)
    check_number("seed", seed, 0.0)
    inputs = single_float_input(x)
    _check_target_length(target, len(inputs))
    build(model, inputs[:batch_size])
    maps = []
    with preserved(model):
        for start in range(0, len(inputs), batch_size):
            batch = inputs[start : start + batch_size]
            score = scorer(model, batch, target, start)
            if method == "gradient":
                found = score.gradient(batch)
            elif method == "smoothgrad":
                found = _smoothed(score, batch, samples, noise, [(seed, start + row) for row in range(len(batch))])
            elif method == "integrated":
                found = integrated_gradients(score, batch, _baseline(baseline, batch), steps)
            else:
                found = class_activation_map(score, batch, layer)
            maps.append(tf.cast(found, tf.float32).numpy())
    return np.concatenate(maps)


def _check_target_length(target: Target, samples: int) -> None:
    if target is not None and not callable(target) and np.ndim(target) and len(np.asarray(target)) != samples:
        raise ValueError(
            f"Invalid value for argument `target`: {len(np.asarray(target))} units for {samples} samples. "
            "Allowed is one unit for each sample, or one for all."
        )


def _smoothed(score: Scorer, x: tf.Tensor, samples: int, noise: float, seeds: list[tuple[int, int]]) -> tf.Tensor:
    axes = list(range(1, x.shape.rank))
    std = noise * (tf.reduce_max(x, axes, keepdims=True) - tf.reduce_min(x, axes, keepdims=True))
    generators = [np.random.default_rng(seed) for seed in seeds]
    total = tf.zeros(x.shape, tf.float32)
    for _ in range(samples):
        draw = np.stack([generator.standard_normal(x.shape[1:], np.float32) for generator in generators])
        total += tf.cast(score.gradient(x + std * tf.cast(draw, x.dtype)), tf.float32)
    return total / samples


def _baseline(baseline: ArrayLike, x: tf.Tensor) -> tf.Tensor:
    given = np.asarray(baseline)
    if given.shape not in ((), tuple(x.shape[1:])) or not np.issubdtype(given.dtype, np.number):
        raise ValueError(
            f"Invalid value for argument `baseline`: shape {given.shape} of {given.dtype}. "
            f"Allowed is a number or an array of one sample's shape {tuple(x.shape[1:])}."
        )
    return tf.broadcast_to(tf.cast(given, x.dtype), x.shape)
