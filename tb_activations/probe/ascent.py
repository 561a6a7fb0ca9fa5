"""Activation maximization: the input that a unit responds to most."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from tb_activations.probe.climbing import Ascent, Climb, MaximizedInput, Objective, Regularizers
from tb_activations.probe.inputs import check_count, check_number
from tb_activations.probe.state import build, preserved
from tb_activations.records.arguments import invalid

_STARTS = 16
"""Random starting inputs to choose from."""


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
    regularizers = Regularizers(jitter, blur, norm, bounds)
    _check(n_steps, learning_rate, seed, regularizers)
    random = np.random.default_rng(seed)
    starts = _starts(shape, start, bounds, random)
    if (jitter or blur) and starts.ndim != 4:
        raise invalid(
            "jitter" if jitter else "blur",
            f"only images of shape (height, width, channels) can use it, not samples of shape {starts.shape[1:]}",
            "0",
        )
    found = _maximized(model, layer, [unit], starts, Ascent(n_steps, learning_rate, regularizers), random)[0]
    if isinstance(found, Exception):
        raise found
    return found


def maximize_units(
    model: keras.Model, layer: str, units: Sequence[int], shape: Sequence[int], ascent: Ascent
) -> list[MaximizedInput | Exception]:
    """`maximize_activation` of several units of a layer at once; the error where it would raise one."""
    random = np.random.default_rng(0)
    starts = _starts(shape, None, ascent.regularizers.bounds, random)
    return _maximized(model, layer, units, starts, ascent, random)


def _maximized(
    model: keras.Model,
    layer: str,
    units: Sequence[int],
    starts: NDArray[np.float32],
    ascent: Ascent,
    random: np.random.Generator,
) -> list[MaximizedInput | Exception]:
    build(model, tf.convert_to_tensor(starts))
    with preserved(model):
        objective = Objective(model, layer, tuple(units))
        scores = np.nan_to_num(objective(tf.convert_to_tensor(starts)).numpy(), nan=-np.inf)
        climb = Climb(objective, starts[scores.argmax(0)], ascent)
        for step in range(ascent.n_steps):
            climb.step(step, random)
        climb.arrive()
    return climb.results()


def _check(n_steps: int, learning_rate: float, seed: int, regularizers: Regularizers) -> None:
    check_count("n_steps", n_steps)
    for argument, value in (
        ("learning_rate", learning_rate),
        ("seed", seed),
        ("jitter", regularizers.jitter),
        ("blur", regularizers.blur),
        ("norm", regularizers.norm),
    ):
        check_number(argument, value, 0.0)
    if regularizers.norm > 1:
        raise invalid("norm", repr(regularizers.norm), "a number from 0 to 1")
    _check_bounds(regularizers.bounds)


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
