"""What an optimizer remembers of earlier gradients, and how it clips them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.taps.numbers.weights import Moments


class Clipping(NamedTuple):
    """The norms to which an optimizer clips gradients: of each weight, and of all together; None if it does not."""

    each: float | None = None
    together: float | None = None


def moments_of(optimizer: Any, variables: Sequence[Any]) -> list[Moments]:
    """The memory of these weights, of optimizers that keep it as those of Keras do; call it before the update."""
    # SGD keeps the steps it took, which point against the gradients; the others keep the gradients.
    steps = getattr(optimizer, "momentums", None) or []
    momentums = getattr(optimizer, "_momentums", None) or steps
    velocities = getattr(optimizer, "_velocities", None) or []
    if not getattr(optimizer, "built", False) or not (momentums or velocities):
        return [Moments()] * len(variables)
    correction = _correction(optimizer) if velocities else None
    sign = -1.0 if momentums is steps else 1.0
    return [
        Moments(_at(momentums, place), _at(velocities, place), sign, correction)
        for place in map(optimizer._get_variable_index, variables)
    ]


def clipping_of(optimizer: Any) -> Clipping:
    """The norms to which an optimizer clips."""
    return Clipping(*(_number(getattr(optimizer, name, None)) for name in ("clipnorm", "global_clipnorm")))


def count_of_updates(optimizer: Any) -> tf.Tensor | None:
    """How often an optimizer has changed the weights, if it accumulates the gradients of several steps; else None."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not any(getattr(one, "gradient_accumulation_steps", None) for one in (optimizer, inner)):
        return None
    return tf.identity(tf.convert_to_tensor(optimizer.iterations))


def _correction(optimizer: Any) -> Any:
    """The factor by which the moving average of the square is too small at this step (Kingma & Ba 2015)."""
    decay = _number(getattr(optimizer, "beta_2", None))
    if decay is None:
        return None
    return 1.0 - tf.pow(decay, tf.cast(tf.convert_to_tensor(optimizer.iterations), tf.float32))


def _at(values: Sequence[Any], place: int) -> Any:
    return values[place] if place < len(values) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
