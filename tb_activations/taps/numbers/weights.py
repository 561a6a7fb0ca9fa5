"""Statistics of the weights of an optimizer in one step, and of what it remembers; computed in the graph.

All weights are measured together: one by one, the calls would take longer than the numbers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations.taps.numbers.constants import Constants
from tb_activations.taps.numbers.parts import Long, Parts, flat, long, norms

_WHOLE = 2**16
"""Of a larger weight, a sample of about this many elements is kept until after the update."""
_OF_MEMORY = 2**13
"""Elements of a weight whose momentum and velocity are looked at."""
_BLOCK = 64
"""Adjacent elements that are sampled together: single ones would cost as much as reading everything."""
_GOLDEN = (math.sqrt(5) - 1) / 2


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
    """A weight and its moments before an update.

    Attributes:
        held: the weight, or a sample of its elements as a vector.
        known: what is kept of the whole of a weight that was sampled; None for others.
        momentum, velocity: all elements or a vector of some; None for what the optimizer does not remember.
        reached: `[units]`, the largest velocity of each unit along the last axis; None for a weight without units.
        sign, correction: as in `Moments`.
    """

    held: tf.Tensor
    known: Long | None
    momentum: tf.Tensor | None
    velocity: tf.Tensor | None
    reached: tf.Tensor | None
    sign: float
    correction: Any


def before(weights: Sequence[Any], moments: Sequence[Moments] | None = None) -> list[Before]:
    """What has to be read of weights of known shapes before their update.

    Whatever is kept as a whole makes TensorFlow copy the weight or the moment when it is updated.

    Raises:
        ValueError: the shape of a weight is unknown.
    """
    constants = Constants()
    return [_before(*one, constants) for one in zip(weights, moments or [NO_MOMENTS] * len(weights), strict=True)]


def _before(given: Any, moments: Moments, constants: Constants) -> Before:
    weight = _of_known_shape(given)
    momentum, velocity = (None if one is None else _of_known_shape(one) for one in moments[:2])
    return Before(
        _sample(weight, _WHOLE, constants),
        long(weight, constants) if weight.shape.num_elements() > _WHOLE else None,
        None if momentum is None else _sample(momentum, _OF_MEMORY, constants),
        None if velocity is None else _sample(velocity, _OF_MEMORY, constants),
        None if velocity is None else _reached(velocity, constants),
        moments.sign,
        moments.correction,
    )


def updated(
    given: Sequence[Before],
    gradients: Sequence[tf.Tensor | None],
    after: Sequence[Any],
    is_applied: tf.Tensor | None = None,
    is_in_branch: bool = False,
) -> list[tf.Tensor]:
    """`[WEIGHT_STATISTICS]` of the update of each of these weights.

    The gradient's statistics come first; without a gradient they are NaN except for the number of elements. Then the
    weight's L2 norm and number of non-finite elements before the update, the L2 norm of the update, and from the
    optimizer's memory: cosine between gradient and momentum, surprise, and the share of units along the last axis that
    no gradient has ever reached. Surprise is the root mean square of gradient / √velocity (Wortsman et al. 2023). It is
    large if the memory of the square is out of date.

    Of a weight with more than 65,536 elements, the update is that of a sample; of one with more than 8,192, so are the
    sum of absolute gradients and everything from memory.

    `is_applied` is false in a step that only accumulates gradients, which has no update: its norm is then NaN. Where an
    optimizer changes the weights in a branch (`is_in_branch`), that is a step in which no weight moves.
    """
    if not given:
        return []
    constants = Constants()
    now = [_of_known_shape(value) for value in after]
    sizes = np.array([value.shape.num_elements() for value in now], np.float32)
    dense = [
        None if gradient is None else _of_shape(gradient, value.shape, constants)
        for gradient, value in zip(gradients, now, strict=True)
    ]
    count = len(given)
    held = [one.held for one in given]
    update = [_sample(value, _WHOLE, constants) - kept for value, kept in zip(now, held, strict=True)]
    present = [place for place in range(count) if dense[place] is not None]
    sampled = [place for place, one in enumerate(given) if one.known is not None]
    kept = [one.known for one in given if one.known is not None]
    measured = norms([*held, *update, *(one for one in dense if one is not None)], kept, constants)
    arrived = 2 * count + len(present)
    length, nonfinite = (_instead(column[:count], column[arrived:], sampled) for column in measured)
    of_gradients = [_among(column[2 * count : arrived], present, count) for column in measured]
    lengths = measured[0]
    seen = np.array([value.shape.num_elements() for value in held], np.float32)
    moved = lengths[count : 2 * count] * np.sqrt(sizes / np.maximum(seen, 1))
    if is_in_branch:
        is_applied = tf.reduce_any(moved > 0)
    columns = [
        tf.constant(sizes),
        of_gradients[0],
        _absolute_sums(dense, present, sizes, constants),
        of_gradients[1],
        length,
        nonfinite,
        moved if is_applied is None else tf.where(is_applied, moved, math.nan),
        *_of_memory(given, dense, constants),
        _starved_shares([one.reached for one in given]),
    ]
    return list(tf.unstack(tf.stack(columns, 1), num=count))


def _absolute_sums(
    dense: Sequence[tf.Tensor | None], present: Sequence[int], sizes: NDArray[np.float32], constants: Constants
) -> tf.Tensor:
    parts, gradients = _sampled(dense, present, constants)
    sums = parts.sums(tf.abs(_finite(gradients))) * (sizes[list(present)] / np.maximum(parts.sizes, 1))
    return _among(sums, present, len(dense))


def _of_memory(given: Sequence[Before], dense: Sequence[tf.Tensor | None], constants: Constants) -> list[tf.Tensor]:
    """`[weights]` cosine between gradient and momentum, and surprise; NaN where the optimizer has no such memory."""
    count = len(given)
    with_momentum = [at for at in range(count) if dense[at] is not None and given[at].momentum is not None]
    with_velocity = [at for at in range(count) if dense[at] is not None and given[at].velocity is not None]
    parts, gradients = _sampled(dense, with_momentum, constants)
    cosine = _cosines(parts, gradients, parts.blocks([given[at].momentum for at in with_momentum]))
    cosine *= np.array([given[at].sign for at in with_momentum], np.float32)
    if with_velocity != with_momentum:
        parts, gradients = _sampled(dense, with_velocity, constants)
    surprise = _surprises(parts, gradients, parts.blocks([given[at].velocity for at in with_velocity]))
    corrections = [1.0 if given[at].correction is None else given[at].correction for at in with_velocity]
    surprise *= tf.sqrt(tf.stack([tf.cast(one, tf.float32) for one in corrections])) if corrections else 1.0
    return [_among(cosine, with_momentum, count), _among(surprise, with_velocity, count)]


def _sampled(dense: Sequence[tf.Tensor | None], places: Sequence[int], constants: Constants) -> tuple[Parts, tf.Tensor]:
    chosen = [gradient for gradient in (dense[at] for at in places) if gradient is not None]
    samples = [_sample(gradient, _OF_MEMORY, constants) for gradient in chosen]
    parts = Parts([sample.shape.num_elements() for sample in samples], constants)
    return parts, parts.blocks(samples)


def _cosines(parts: Parts, gradient: tf.Tensor, momentum: tf.Tensor) -> tf.Tensor:
    norms = tf.sqrt(parts.sums(tf.square(gradient))) * tf.sqrt(parts.sums(tf.square(momentum)))
    return tf.where(norms > 0, parts.sums(gradient * momentum) / norms, math.nan)


def _surprises(parts: Parts, gradient: tf.Tensor, velocity: tf.Tensor) -> tf.Tensor:
    # Where no gradient has arrived before, any is infinitely surprising.
    known = velocity > 0
    count = parts.sums(tf.cast(known, tf.float32))
    squares = parts.sums(tf.where(known, tf.square(gradient) / tf.where(known, velocity, 1.0), 0.0))
    return tf.where(count > 0, tf.sqrt(squares / tf.maximum(count, 1.0)), math.nan)


def _reached(velocity: tf.Tensor, constants: Constants) -> tf.Tensor | None:
    if velocity.shape.rank < 2 or not velocity.shape.num_elements():
        return None
    units = velocity.shape[-1]
    rows = velocity if velocity.shape.rank == 2 else tf.reshape(velocity, constants([-1, units]))
    if rows.shape[0] * units > _WHOLE:
        rows = _rows(rows, max(_WHOLE // units, _BLOCK), constants)
    return tf.reduce_max(rows, constants(0))


def _starved_shares(reached: Sequence[tf.Tensor | None]) -> tf.Tensor:
    places = [place for place, units in enumerate(reached) if units is not None]
    known = [units for units in reached if units is not None]
    if not known:
        return tf.fill([len(reached)], math.nan)
    counts = [units.shape[0] for units in known]
    starved = tf.cast(tf.concat(known, 0) <= 0, tf.float32)
    sums = tf.math.unsorted_segment_sum(starved, tf.constant(np.repeat(np.arange(len(counts)), counts)), len(counts))
    return _among(sums / np.array(counts, np.float32), places, len(reached))


def _instead(column: tf.Tensor, others: tf.Tensor, places: Sequence[int]) -> tf.Tensor:
    """A column with other values at these places."""
    if not places:
        return column
    count = column.shape[0]
    index = np.arange(count)
    index[list(places)] = count + np.arange(len(places))
    return tf.gather(tf.concat([column, others], 0), index)


def _among(column: tf.Tensor, places: Sequence[int], count: int) -> tf.Tensor:
    """`[count]` with the values of a column at these places and NaN elsewhere."""
    if len(places) == count:
        return column
    index = np.full(count, len(places))
    index[list(places)] = np.arange(len(places))
    return tf.gather(tf.concat([column, [math.nan]], 0), index)


def _of_known_shape(value: Any) -> tf.Tensor:
    # A cast would return a variable of this type itself, to be read later.
    tensor = tf.cast(tf.convert_to_tensor(value), tf.float32)
    if not tensor.shape.is_fully_defined():
        raise ValueError("a weight has an unknown shape")
    return tensor


def _of_shape(gradient: tf.Tensor, shape: tf.TensorShape, constants: Constants) -> tf.Tensor:
    # The shape of a gradient may be unknown: that of its weight is not.
    value = tf.cast(gradient, tf.float32)
    return value if value.shape.is_fully_defined() else tf.reshape(value, constants(shape.as_list()))


def _sample(tensor: tf.Tensor, most: int, constants: Constants) -> tf.Tensor:
    """An evenly spread sample of the elements as a vector; the tensor itself if it has at most `most` elements."""
    size = tensor.shape.num_elements()
    if size <= most:
        return tensor
    if size % _BLOCK:
        tensor = flat(tensor, constants)[: size // _BLOCK * _BLOCK]
    blocks = tf.reshape(tensor, constants([-1, _BLOCK]))
    return tf.reshape(_rows(blocks, most // _BLOCK, constants), constants([-1]))


def _rows(rows: tf.Tensor, wanted: int, constants: Constants) -> tf.Tensor:
    places = constants(_spread(rows.shape[0], wanted))
    return tf.raw_ops.GatherV2(params=rows, indices=places, axis=constants(0))


@functools.cache
def _spread(count: int, wanted: int) -> NDArray[np.int32]:
    """`wanted` of the numbers below `count`, one in each of as many equal intervals; all if there are fewer.

    The place within the interval varies: the number of units is usually even, and an even stride could sample a few of
    them only.
    """
    wanted = min(count, wanted)
    if wanted == count:
        return np.arange(count, dtype=np.int32)
    place = np.arange(wanted)
    return ((place + place * _GOLDEN % 1.0) * (count / wanted)).astype(np.int32)


def _finite(values: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_finite(values), values, 0.0)
