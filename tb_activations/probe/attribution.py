"""Attribution: which parts of an input an output depends on."""

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
from tb_activations.records.arguments import invalid

Method = Literal["gradient", "smoothgrad", "integrated", "gradcam"]


def saliency(
    model: keras.Model,
    x: Any,
    *,
    target: Target = None,
    method: Method = "gradient",
    layer: str | None = None,
    baselines: ArrayLike = 0.0,
    n_steps: int = 64,
    n_samples: int = 32,
    noise: float = 0.15,
    seed: int = 0,
    batch_size: int = 32,
) -> NDArray[np.float32]:
    """How much each input value affects one output of the model in inference mode, for each sample.

    Methods:
        "gradient": the signed gradient of the output with respect to the input (Simonyan et al. 2013).
        "smoothgrad": the mean of that gradient over `n_samples` noisy copies. The standard deviation of the noise is
            `noise` times the range of the sample's values (Smilkov et al. 2017, who use 0.1 to 0.2).
        "integrated": integrated gradients from `baselines` to the sample (Sundararajan et al. 2017, equation 1). Their
            sum is the difference between the outputs at both ends. `n_steps` is refined until this holds within 1%, or
            within the rounding error of the model's dtype where that is larger, as in half precision.
        "gradcam": feature maps weighted by their mean gradient, negative sums set to 0 (Selvaraju et al. 2017,
            equations 1 and 2), resized bilinearly to the input's height and width.

    Args:
        model: any Keras model with one input.
        x: `[samples, ...]`; images are `[samples, height, width, channels]` (or follow Keras' `image_data_format`).
        target: the unit to explain, for outputs `[samples, units]`: one for all samples, one per sample, or None for
            the largest output. For other outputs, a function from the outputs to `[samples]`. Prefer logits: the
            gradient of a confident softmax is close to 0.
        method: see above.
        layer: for "gradcam", the output whose maps are used, as `activations` names it. None uses the last one with
            height and width.
        baselines: for "integrated", the reference input: a number, an array like one sample, or an array like `x`.
        n_steps: for "integrated", the steps to begin with.
        n_samples, noise, seed: for "smoothgrad". The same seed gives the same noise for any `batch_size`.
        batch_size: samples per call of the model.

    Returns:
        float32 with the shape of `x`; for "gradcam" `[samples, height, width]`, at least 0. Not rescaled.

    Raises:
        ValueError: an argument is not allowed or does not fit the model.
        TypeError: `x` is not a single array.
        ArithmeticError: integrated gradients do not converge within 64 times `n_steps` because the output jumps or is
            not finite on the way; the message gives the remaining error.
    """
    if method not in get_args(Method):
        allowed = ", ".join(f'"{name}"' for name in get_args(Method))
        raise invalid("method", repr(method), allowed)
    for argument, count in (("n_steps", n_steps), ("n_samples", n_samples), ("batch_size", batch_size)):
        check_count(argument, count)
    check_number("noise", noise, 0.0)
    check_number("seed", seed, 0.0)
    inputs = single_float_input(x)
    _check_target_length(target, len(inputs))
    reference = _baselines(baselines, inputs) if method == "integrated" else inputs
    build(model, inputs[:batch_size])
    maps = []
    with preserved(model):
        for start in range(0, len(inputs), batch_size):
            batch = inputs[start : start + batch_size]
            score = scorer(model, batch, target, start)
            if method == "gradient":
                found = score.gradient(batch)
            elif method == "smoothgrad":
                found = _smoothed(score, batch, n_samples, noise, [(seed, start + row) for row in range(len(batch))])
            elif method == "integrated":
                found = integrated_gradients(score, batch, reference[start : start + batch_size], n_steps)
            else:
                found = class_activation_map(score, batch, layer)
            maps.append(tf.cast(found, tf.float32).numpy())
    return np.concatenate(maps)


def _check_target_length(target: Target, samples: int) -> None:
    if target is not None and not callable(target) and np.ndim(target) and len(np.asarray(target)) != samples:
        raise invalid(
            "target", f"{len(np.asarray(target))} units for {samples} samples", "one unit per sample, or one for all"
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


def _baselines(baselines: ArrayLike, x: tf.Tensor) -> tf.Tensor:
    """The reference input of each sample, in the shape of `x`."""
    given = np.asarray(baselines)
    if given.shape not in ((), tuple(x.shape[1:]), tuple(x.shape)) or not np.issubdtype(given.dtype, np.number):
        raise invalid(
            "baselines",
            f"shape {given.shape} of {given.dtype}",
            f"a number, or an array of shape {tuple(x.shape[1:])} or {tuple(x.shape)}",
        )
    return tf.broadcast_to(tf.cast(given, x.dtype), x.shape)
