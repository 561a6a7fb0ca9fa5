"""Statistics of a weight in one step, and of what the optimizer remembers of its gradients; computed in the graph."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.taps.numbers.layout import GRADIENT_STATISTICS
from tb_activations.taps.numbers.statistics import (
    ANY,
    gradient_values,
    norm_and_nonfinite,
    once,
    sampled_rows,
    size_of,
    strided,
)

_WHOLE = 2**18
"""Larger weights are not kept until after the update, which would make TensorFlow copy them; a sample of them is."""


class Moments(NamedTuple):
    """What an optimizer remembers of the gradients of one weight; None for what it does not.

    Attributes:
        momentum: moving average of the gradient, or of what points against it if `sign` is -1.
        velocity: moving average of its square.
        sign: of the momentum.
        correction: the factor by which the velocity is too small because it started at zero.
    """

    momentum: Any = None
    velocity: Any = None
    sign: float = 1.0
    correction: Any = None


NO_MOMENTS = Moments()


class Before(NamedTuple):
    """A weight and its moments before an update, or samples of large ones.

    Attributes:
        held: the weight or its sample.
        momentum, velocity: None for what the optimizer does not remember.
        known: `[3]`: norm of the weight, number of its non-finite elements, share of starved units; None while they
            can be computed from what is held.
        sign, correction: as in `Moments`.
    """

    held: tf.Tensor
    momentum: tf.Tensor | None
    velocity: tf.Tensor | None
    known: tf.Tensor | None
    sign: float
    correction: Any


def before(weight: tf.Tensor, moments: Moments = NO_MOMENTS) -> Before:
    """What has to be read of a weight before its update."""
    momentum = None if moments.momentum is None else _float(moments.momentum)
    velocity = None if moments.velocity is None else _float(moments.velocity)
    known, held = None, tf.identity(weight)
    size = weight.shape.num_elements()
    if size is not None and size > _WHOLE:
        has_units = _has_units(weight)
        known, held, *sampled = called(_large_before, _float(weight), momentum, velocity, has_units=has_units)
        rest = iter(sampled)
        momentum = None if momentum is None else next(rest)
        velocity = None if velocity is None else next(rest)
    return Before(held, momentum, velocity, known, moments.sign, moments.correction)


def updated(given: Before, gradient: tf.Tensor | None, after: tf.Tensor) -> tf.Tensor:
    """`[WEIGHT_STATISTICS]` of an update.

    The gradient's statistics come first; without a gradient they are NaN except for the number of elements. Then the
    weight's L2 norm and number of non-finite elements before the update, the L2 norm of the update, and from the
    optimizer's memory: cosine between gradient and momentum, surprise, and the share of units along the last axis that
    no gradient has ever reached. Surprise is the root mean square of gradient / √velocity (Wortsman et al. 2023). It is
    large if the memory of the square is out of date.

    The update of a weight with more than 262,144 elements, and everything from memory, are computed on a sample.
    """
    return called(
        _update_values,
        _float(after),
        None if gradient is None else _float(gradient),
        _float(given.held),
        given.known,
        given.momentum,
        given.velocity,
        None if given.correction is None or given.velocity is None else _float(given.correction),
        has_units=_has_units(after),
        sign=given.sign,
    )


def _has_units(weight: tf.Tensor) -> bool:
    shape = weight.shape
    return shape.rank is not None and shape.rank >= 2 and shape.num_elements() != 0


def _float(value: Any) -> tf.Tensor:
    return tf.cast(tf.convert_to_tensor(value), tf.float32)


def called(function: Callable[..., Any], *values: tf.Tensor | None, **settings: float) -> Any:
    """Calls a function that is traced once for each combination of values that are None, and for its settings."""
    given = tuple(value is not None for value in values)
    traced = _traced(function, given, tuple(sorted(settings.items())))
    return traced(*(value for value in values if value is not None))


@functools.cache
def _traced(
    function: Callable[..., Any], given: tuple[bool, ...], settings: tuple[tuple[str, float], ...]
) -> Callable[..., Any]:
    def call(*values: tf.Tensor) -> Any:
        left = iter(values)
        return function(*(next(left) if is_given else None for is_given in given), **dict(settings))

    return once([ANY] * sum(given))(call)


def _large_before(
    weight: tf.Tensor, momentum: tf.Tensor | None, velocity: tf.Tensor | None, *, has_units: bool
) -> list[tf.Tensor]:
    flat = tf.reshape(weight, [-1])
    starved = _starved_share(velocity) if velocity is not None and has_units else math.nan
    known = tf.concat([norm_and_nonfinite(flat), [starved]], 0)
    rest = [strided(tf.reshape(value, [-1])) for value in (momentum, velocity) if value is not None]
    return [known, strided(flat), *rest]


def _update_values(
    after: tf.Tensor,
    gradient: tf.Tensor | None,
    held: tf.Tensor,
    known: tf.Tensor | None,
    momentum: tf.Tensor | None,
    velocity: tf.Tensor | None,
    correction: tf.Tensor | None,
    *,
    has_units: bool,
    sign: float,
) -> tf.Tensor:
    flat = tf.reshape(after, [-1])
    now, then = (flat if known is None else strided(flat)), tf.reshape(held, [-1])
    scale = tf.sqrt(size_of(flat) / tf.maximum(size_of(now), 1.0))
    update = norm_and_nonfinite(now - then)[0] * scale
    if known is None:
        starved = _starved_share(velocity) if velocity is not None and has_units else math.nan
        known = tf.concat([norm_and_nonfinite(then), [starved]], 0)
    of_gradient = tf.concat([size_of(flat)[None], tf.fill([len(GRADIENT_STATISTICS) - 1], math.nan)], 0)
    cosine = surprise = tf.constant(math.nan)
    if gradient is not None:
        dense = tf.reshape(gradient, [-1])
        sample = strided(dense)
        of_gradient = gradient_values(dense, sample)
        if momentum is not None:
            cosine = sign * _cosine(sample, strided(tf.reshape(momentum, [-1])))
        if velocity is not None:
            surprise = _surprise(sample, strided(tf.reshape(velocity, [-1])))
            surprise *= tf.sqrt(correction) if correction is not None else 1.0
    return tf.concat([of_gradient, known[:2], [update, cosine, surprise, known[2]]], 0)


def _starved_share(velocity: tf.Tensor) -> tf.Tensor:
    rows = sampled_rows(tf.reshape(velocity, [-1, tf.shape(velocity)[-1]]))
    return tf.reduce_mean(tf.cast(tf.reduce_max(rows, 0) <= 0, tf.float32))


def _cosine(gradient: tf.Tensor, momentum: tf.Tensor) -> tf.Tensor:
    norms = tf.norm(gradient) * tf.norm(momentum)
    return tf.where(norms > 0, tf.reduce_sum(gradient * momentum) / norms, math.nan)


def _surprise(gradient: tf.Tensor, velocity: tf.Tensor) -> tf.Tensor:
    # Where no gradient has arrived before, any is infinitely surprising.
    known = velocity > 0
    count = tf.reduce_sum(tf.cast(known, tf.float32))
    squares = tf.where(known, tf.square(gradient) / tf.where(known, velocity, 1.0), 0.0)
    return tf.where(count > 0, tf.sqrt(tf.reduce_sum(squares) / tf.maximum(count, 1.0)), math.nan)
