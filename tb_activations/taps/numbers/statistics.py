"""Statistics of one tensor, computed in the graph. All of them work in eager code, in a `tf.function` and under XLA.

Each is one call of a `tf.function` that is traced once per process; `together` measures many tensors at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.taps.numbers import tables
from tb_activations.taps.numbers.samples import of_one
from tb_activations.taps.numbers.several import Several
from tb_activations.taps.numbers.traced_once import ANY, FLAG, once

BOUNDS = {
    "tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "soft_sign": (-1.0, 1.0),
}
"""Activations that level off on both sides, and their bounds."""


class Activation(NamedTuple):
    """`values` `[ACTIVATION_STATISTICS]`; `active` (share of samples and positions) and `peak` (largest absolute value)
    `[units]`, empty without a unit axis; `histogram` `[32]`.

    Of a large tensor, everything but its mean, its silent units, and whether it holds NaN or infinities, is that of
    sampled rows.
    """

    values: tf.Tensor
    active: tf.Tensor
    peak: tf.Tensor
    histogram: tf.Tensor


def activation(
    value: tf.Tensor,
    unit_axis: int | None,
    with_histogram: tf.Tensor | None,
    name: str | None = None,
    bounds: tuple[float, float] | None = None,
) -> Activation:
    """Statistics of a layer's output.

    Args:
        value: floating-point tensor of rank >= 1. Means and extremes of an empty one are NaN or infinite.
        unit_axis: the axis that counts units, None for no statistics per unit.
        with_histogram: boolean scalar, whether to fill the histogram (NaN otherwise); None for an empty histogram.
        name: of the activation function; the saturated share is measured for those in `BOUNDS`.
        bounds: the values at which an activation function not in `BOUNDS` levels off; None if it does not.
    """
    bounds = BOUNDS.get(name or "", bounds)
    given: list[Any] = [columns_last(tf.cast(value, tf.float32), unit_axis)]
    if with_histogram is not None:
        given.append(with_histogram)
    if bounds is not None:
        given.append(tf.constant(bounds))
    measure = _activation_of(with_histogram is not None, bounds is not None, unit_axis is not None)
    values, *rest = measure(*given)
    filled = rest.pop() if with_histogram is not None else tf.zeros([0])
    active, peak = rest or (tf.zeros([0]), tf.zeros([0]))
    return Activation(values, active, peak, filled)


def columns_last(value: tf.Tensor, axis: int | None) -> tf.Tensor:
    """The tensor with its units along the last axis, whose length is known and not 0."""
    rank = value.shape.rank
    if axis is not None and rank is not None and axis != rank - 1:
        value = tf.transpose(value, [*(index for index in range(rank) if index != axis), axis])
    return value if rank and value.shape[-1] else tf.reshape(value, [-1, 1])


@functools.cache
def _activation_of(has_histogram: bool, has_bounds: bool, has_units: bool) -> Callable[..., Any]:
    signature = [ANY, *([FLAG] if has_histogram else []), *([ANY] if has_bounds else [])]

    @once(signature)
    def measure(value: tf.Tensor, *more: tf.Tensor) -> list[tf.Tensor]:
        rows = _rows(value)
        bounds = more[-1][None] if has_bounds else None
        samples = of_one(rows)
        whole = Several.only(samples, rows)
        seen = tables.outputs(whole, tables.columns(samples, tables.column_sums(rows)[None], bounds), bounds)
        values, histograms = tables.checked_outputs(whole, seen, more[0] if has_histogram else None)
        results = [values[0]]
        if has_units:
            results += [seen.active, seen.peak]
        if histograms is not None:
            results.append(histograms[0])
        return results

    return measure


class Gradient(NamedTuple):
    """`values` `[GRADIENT_STATISTICS]`; `histogram` `[32]` or empty."""

    values: tf.Tensor
    histogram: tf.Tensor


def gradient(value: tf.Tensor, with_histogram: tf.Tensor | None) -> Gradient:
    """Statistics of a gradient: floating-point tensor of any shape; `with_histogram` as for `activation`."""
    value = tf.cast(value, tf.float32)
    value = columns_last(value, value.shape.rank - 1 if value.shape.rank else None)
    if with_histogram is None:
        return Gradient(_gradient(value), tf.zeros([0]))
    return Gradient(*_gradient_with_histogram(value, with_histogram))


@once([ANY])
def _gradient(value: tf.Tensor) -> tf.Tensor:
    return _measured_gradient(value, None)[0][0]


@once([ANY, FLAG])
def _gradient_with_histogram(value: tf.Tensor, is_wanted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    values, histograms = _measured_gradient(value, is_wanted)
    assert histograms is not None
    return values[0], histograms[0]


def _measured_gradient(value: tf.Tensor, is_wanted: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor | None]:
    rows = _rows(value)
    samples = of_one(rows)
    whole = Several.only(samples, rows)
    absolute = tf.reduce_sum(tf.abs(samples.values), 1)
    return tables.checked_gradients(whole, tables.gradients(whole, absolute, tf.nn.l2_loss(value)[None]), is_wanted)


def _rows(value: tf.Tensor) -> tf.Tensor:
    return tf.reshape(value, tf.stack([-1, tf.shape(value)[-1]]))


def norm(value: tf.Tensor) -> tf.Tensor:
    """`[2]`: the number of finite elements of a floating-point tensor of any shape, and their L2 norm."""
    return _norm(tf.cast(value, tf.float32))


@once([ANY])
def _norm(value: tf.Tensor) -> tf.Tensor:
    squares = 2.0 * tf.nn.l2_loss(value)

    def careful() -> tf.Tensor:
        finite = tf.math.is_finite(value)
        length = tables.careful_length(tf.abs(tf.where(finite, value, 0.0)))
        return tf.stack([tf.reduce_sum(tf.cast(finite, tf.float32)), length])

    return tf.cond(tables.is_plain(squares), lambda: tf.stack([size_of(value), tf.sqrt(squares)]), careful)


def size_of(value: tf.Tensor) -> tf.Tensor:
    """Number of elements, float32."""
    return tf.cast(tf.size(value, out_type=tf.int64), tf.float32)
