"""Activation maximization: the input that a unit responds to most."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from tb_activations.probe.blur import blurred
from tb_activations.probe.calls import find_output, outputs, owners, recorded
from tb_activations.probe.inputs import check_count, check_number
from tb_activations.probe.state import build, preserved
from tb_activations.records.arguments import invalid
from tb_activations.taps.layers import unit_axis

_STARTS = 16
"""Random starting inputs to choose from."""


@dataclasses.dataclass(frozen=True)
class MaximizedInput:
    """The result of `maximize_activation`.

    Attributes:
        input: one sample, float32.
        activation: the unit's mean output for `input`, in inference mode.
        history: `[n_steps]` float32: the unit's mean output before each step (for the shifted input, with jitter).
    """

    input: NDArray[np.float32]
    activation: float
    history: NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Regularizers:
    """Keeps a maximized input from turning into noise. 0 turns a regularizer off.

    Attributes:
        jitter: images are randomly shifted by up to this many pixels before each step and shifted back after it.
        blur: standard deviation, in pixels, of a Gaussian filter applied to images after each step.
        norm: share by which each step shrinks the input toward zero, from 0 to 1.
        bounds: lowest and highest allowed value; None for no limit.
    """

    jitter: int = 0
    blur: float = 0.0
    norm: float = 0.0
    bounds: tuple[float, float] | None = None


def maximize_activation(
    model: keras.Model,
    *,
    layer: str,
    unit: int,
    shape: Sequence[int] | None = None,
    start: ArrayLike | None = None,
    n_steps: int = 200,
    learning_rate: float = 0.1,
    seed: int = 0,
    jitter: int = 0,
    blur: float = 0.0,
    norm: float = 0.0,
    bounds: tuple[float, float] | None = None,
) -> MaximizedInput:
    """Finds an input that maximizes one unit's mean output by gradient ascent (Erhan et al. 2009).

    Each step follows the gradient, scaled to a root mean square of 1, by a `learning_rate` that falls linearly to 0.
    The regularizers are applied after each step, then the bounds.

    Args:
        model: any Keras model with one floating-point input.
        layer: the layer's name, as `activations` names outputs.
        unit: index on the layer's feature axis (channels of convolutions). The mean over all other axes is maximized.
        shape: shape of one sample, without a batch axis, if `start` is not given. The best of 16 random samples is the
            start: uniform within the bounds, or standard normal without bounds.
        start: one sample to start from, if `shape` is not given.
        n_steps: number of steps.
        learning_rate: length of the first step, per value. A twentieth of the range of your data is a good start.
        seed: for starts and jitter; the same seed gives the same result.
        jitter, blur, norm, bounds: see `Regularizers`; the first two are for images `[height, width, channels]`.

    Raises:
        ValueError: an argument is not allowed, or no gradient reaches the start because the unit is off there.
        FloatingPointError: the activation or its gradient is not finite; the message names the step.
    """
    check_count("n_steps", n_steps)
    regularizers = Regularizers(jitter, blur, norm, bounds)
    for argument, value in (("learning_rate", learning_rate), ("seed", seed), ("jitter", jitter), ("blur", blur)):
        check_number(argument, value, 0.0)
    check_number("norm", norm, 0.0)
    if norm > 1:
        raise invalid("norm", repr(norm), "a number from 0 to 1")
    _check_bounds(bounds)
    random = np.random.default_rng(seed)
    starts = _starts(shape, start, bounds, random)
    if (jitter or blur) and starts.ndim != 4:
        raise invalid(
            "jitter" if jitter else "blur",
            f"only images of shape (height, width, channels) can use it, not samples of shape {starts.shape[1:]}",
            "0",
        )
    build(model, tf.convert_to_tensor(starts))
    with preserved(model):
        objective = _Objective(model, layer, unit)
        first = np.argmax(np.nan_to_num(objective(tf.convert_to_tensor(starts)).numpy(), nan=-np.inf))
        x, history = _climb(objective, starts[first], n_steps, learning_rate, regularizers, random)
        activation = float(objective(x)[0])
    _check_finite(activation, n_steps)
    return MaximizedInput(x[0].numpy(), activation, history)


@dataclasses.dataclass(frozen=True)
class _Objective:
    model: keras.Model
    layer: str
    unit: int

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """`[samples]` float32: the unit's mean output."""
        with recorded(self.model) as recording:
            self.model(x, training=False)
        calls = recording.by_name()
        named = outputs(calls)
        name = find_output(named, self.layer, "layer")
        output = named[name] if named[name].shape.rank > 1 else named[name][:, None]
        axis = unit_axis(owners(calls)[name], output.shape.rank) or output.shape.rank - 1
        units = output.shape[axis]
        if isinstance(self.unit, bool) or not isinstance(self.unit, int | np.integer) or not 0 <= self.unit < units:
            raise invalid(
                "unit", repr(self.unit), f"a whole number from 0 to {units - 1}, the units of layer {self.layer!r}"
            )
        values = tf.gather(output, self.unit, axis=axis)
        return tf.reduce_mean(tf.reshape(tf.cast(values, tf.float32), [len(x), -1]), axis=1)


def _climb(
    objective: _Objective,
    start: NDArray[np.float32],
    steps: int,
    learning_rate: float,
    regularizers: Regularizers,
    random: np.random.Generator,
) -> tuple[tf.Tensor, NDArray[np.float32]]:
    x, history = tf.convert_to_tensor(start[None]), np.zeros(steps, np.float32)
    for step in range(steps):
        shift = random.integers(-regularizers.jitter, regularizers.jitter, size=2, endpoint=True)
        shifted = tf.roll(x, shift, [1, 2]) if regularizers.jitter else x
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(shifted)
            score = objective(shifted)
        history[step] = score[0]
        _check_finite(float(score[0]), step)
        direction = _direction(tape.gradient(score, shifted), objective, step)
        x = shifted + learning_rate * (1 - step / steps) * direction
        x = _regularized(tf.roll(x, -shift, [1, 2]) if regularizers.jitter else x, regularizers)
    return x, history


def _direction(gradient: tf.Tensor | None, objective: _Objective, step: int) -> tf.Tensor:
    if gradient is not None:
        size = tf.sqrt(tf.reduce_mean(tf.square(gradient)))
        _check_finite(float(size), step)
        # A unit that saturates on the way has a gradient of 0; the climb ends there.
        if size > 0 or step:
            return tf.math.divide_no_nan(gradient, size)
    raise ValueError(
        f"No gradient of unit {objective.unit} of layer {objective.layer!r} reaches the start: the unit is off there "
        "or does not depend on the input. Try another `seed` or `start`, or the layer before its activation."
    )


def _regularized(x: tf.Tensor, regularizers: Regularizers) -> tf.Tensor:
    if regularizers.blur:
        x = blurred(x, regularizers.blur)
    x *= 1 - regularizers.norm
    return x if regularizers.bounds is None else tf.clip_by_value(x, *map(float, regularizers.bounds))


def _check_finite(value: float, step: int) -> None:
    if not np.isfinite(value):
        raise FloatingPointError(
            f"The activation or its gradient is {value} at step {step}. If the model's own weights are "
            "finite, try a smaller `learning_rate`, `bounds`, or a `norm` above 0."
        )


def _check_bounds(bounds: tuple[float, float] | None) -> None:
    if bounds is not None and not (len(bounds) == 2 and np.all(np.isfinite(bounds)) and bounds[0] < bounds[1]):
        raise invalid("bounds", repr(bounds), "None or two finite numbers, lowest first")


def _starts(
    shape: Sequence[int] | None,
    start: ArrayLike | None,
    bounds: tuple[float, float] | None,
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """`[starts, ...]`: the given one, or random ones."""
    if (shape is None) == (start is None):
        given = "neither" if shape is None else "both"
        raise ValueError(f"Invalid values for arguments `shape` and `start`: {given} given. Allowed is exactly one.")
    if start is not None:
        return np.asarray(start, np.float32)[None]
    sizes = tuple(shape or ())
    if not sizes or not all(isinstance(size, int | np.integer) and size > 0 for size in sizes):
        raise invalid("shape", repr(shape), "whole numbers from 1")
    if bounds is None:
        return random.standard_normal((_STARTS, *sizes), np.float32)
    return random.uniform(*bounds, (_STARTS, *sizes)).astype(np.float32)
