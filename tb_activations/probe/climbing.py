"""Inputs that climb together, each by the gradient of the unit that it maximizes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations.probe.blur import blurred
from tb_activations.probe.calls import find_output, outputs, owners, recorded
from tb_activations.records.arguments import invalid
from tb_activations.taps.layers import unit_axis


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


@dataclasses.dataclass(frozen=True)
class Ascent:
    """How an input climbs; see `maximize_activation`."""

    n_steps: int
    learning_rate: float
    regularizers: Regularizers


@dataclasses.dataclass(frozen=True)
class Objective:
    model: keras.Model
    layer: str
    units: tuple[int, ...]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """`[samples, units]` float32: the mean outputs of the units."""
        with recorded(self.model) as recording:
            self.model(x, training=False)
        calls = recording.by_name()
        named = outputs(calls)
        name = find_output(named, self.layer, "layer")
        output = named[name] if named[name].shape.rank > 1 else named[name][:, None]
        axis = unit_axis(owners(calls)[name], output.shape.rank) or output.shape.rank - 1
        count = output.shape[axis]
        for unit in self.units:
            if isinstance(unit, bool) or not isinstance(unit, int | np.integer) or not 0 <= unit < count:
                raise invalid(
                    "unit", repr(unit), f"a whole number from 0 to {count - 1}, the units of layer {self.layer!r}"
                )
        values = tf.cast(tf.gather(output, self.units, axis=axis), tf.float32)
        return tf.reduce_mean(values, [place for place in range(1, output.shape.rank) if place != axis])


class Climb:
    """Inputs that climb together, one for each unit. One that cannot continue stays where it is."""

    def __init__(self, objective: Objective, starts: NDArray[np.float32], ascent: Ascent) -> None:
        self._objective, self._ascent = objective, ascent
        self._x = tf.convert_to_tensor(starts)
        self._history = np.zeros((len(starts), ascent.n_steps), np.float32)
        self._last = np.zeros(len(starts), np.float32)
        self._errors: list[Exception | None] = [None] * len(starts)

    def step(self, number: int, random: np.random.Generator) -> None:
        """Takes one step, the first one with number 0."""
        regularizers, steps = self._ascent.regularizers, self._ascent.n_steps
        shift = random.integers(-regularizers.jitter, regularizers.jitter, size=2, endpoint=True)
        if all(self._errors):
            return
        shifted = tf.roll(self._x, shift, [1, 2]) if regularizers.jitter else self._x
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(shifted)
            scores = self._own(shifted)
            # Samples do not depend on each other in inference mode, so this gradient is that of each.
            total = tf.reduce_sum(scores)
        self._history[:, number] = scores
        self._check_finite(scores.numpy(), number)
        direction = self._direction(tape.gradient(total, shifted), number)
        x = shifted + self._ascent.learning_rate * (1 - number / steps) * direction
        x = _regularized(tf.roll(x, -shift, [1, 2]) if regularizers.jitter else x, regularizers)
        self._x = tf.where(self._of_samples([error is None for error in self._errors]), x, self._x)

    def arrive(self) -> None:
        """Measures the activations of the last inputs."""
        if not all(self._errors):
            self._last = self._own(self._x).numpy()
            self._check_finite(self._last, self._ascent.n_steps)

    def results(self) -> list[MaximizedInput | Exception]:
        return [
            error or MaximizedInput(one, float(last), history)
            for error, one, last, history in zip(self._errors, self._x.numpy(), self._last, self._history, strict=True)
        ]

    def _own(self, x: tf.Tensor) -> tf.Tensor:
        return tf.linalg.diag_part(self._objective(x))

    def _of_samples(self, values: Any) -> tf.Tensor:
        return tf.reshape(tf.convert_to_tensor(values), [-1, *[1] * (self._x.shape.rank - 1)])

    def _direction(self, gradient: tf.Tensor | None, number: int) -> tf.Tensor:
        if gradient is None:
            gradient = tf.zeros_like(self._x)
        axes = list(range(1, gradient.shape.rank))
        sizes = tf.sqrt(tf.reduce_mean(tf.square(gradient), axes))
        self._check_finite(sizes.numpy(), number)
        # A unit that saturates on the way has a gradient of 0; the climb ends there.
        if not number:
            self._fail(sizes.numpy() == 0, lambda place: self._no_gradient(self._objective.units[place]))
        return tf.math.divide_no_nan(gradient, self._of_samples(sizes))

    def _no_gradient(self, unit: int) -> Exception:
        return ValueError(
            f"No gradient of unit {unit} of layer {self._objective.layer!r} reaches the start: the unit is off there "
            "or does not depend on the input. Try another `seed` or `start`, or the layer before its activation."
        )

    def _check_finite(self, values: NDArray[np.float32], number: int) -> None:
        def error(place: int) -> Exception:
            return FloatingPointError(
                f"The activation or its gradient is {values[place]} at step {number}. If the model's own weights are "
                "finite, try a smaller `learning_rate`, `bounds`, or a `norm` above 0."
            )

        self._fail(~np.isfinite(values), error)

    def _fail(self, places: NDArray[np.bool_], error: Callable[[int], Exception]) -> None:
        for place in np.flatnonzero(places):
            self._errors[place] = self._errors[place] or error(int(place))


def _regularized(x: tf.Tensor, regularizers: Regularizers) -> tf.Tensor:
    if regularizers.blur:
        x = blurred(x, regularizers.blur)
    x *= 1 - regularizers.norm
    return x if regularizers.bounds is None else tf.clip_by_value(x, *map(float, regularizers.bounds))
