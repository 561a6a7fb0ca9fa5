"""Statistics of the outputs of many layers at once, or of the gradients at them.

Called for each layer, small operations take longer than the numbers. Tensors with as many units share theirs.
"""

from __future__ import annotations

import collections
import itertools
import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tb_activations.taps.numbers import tables
from tb_activations.taps.numbers.constants import Constants
from tb_activations.taps.numbers.samples import COUNTS, TABLE, Samples, of_several
from tb_activations.taps.numbers.statistics import BOUNDS, Activation, Gradient, activation, columns_last, gradient
from tb_activations.taps.numbers.traced_once import once

Output = tuple[tf.Tensor, int | None, tf.Tensor | None, str | None, tuple[float, float] | None]
"""The arguments of `statistics.activation`."""

_NARROW = 8
"""A tensor with fewer columns is measured alone: its rows would be copied one by one."""
_NOBODY = -1
_SAMPLES = [TABLE, COUNTS, COUNTS, COUNTS]


def activations(given: Sequence[Output]) -> list[Activation]:
    """`statistics.activation` of each; `with_histogram` is the same for all."""
    constants = Constants()
    places, groups = _grouped([None if one[1] is None else _rows(one[0], one[1], constants) for one in given])
    found: dict[int, Activation] = {}
    if groups:
        members = zip(places, groups, strict=True)
        measured = [_outputs(own, _bounds([given[at] for at in group if at >= 0]), constants) for group, own in members]
        values = tables.checked_outputs(measured)
        columns = (
            tf.unstack(values, num=sum(map(len, places))),
            [row for group in measured for row in tf.unstack(group.seen.active, num=group.tensors)],
            [row for group in measured for row in tf.unstack(group.seen.peak, num=group.tensors)],
            _histograms(measured, values, given[0][2]),
        )
        found = {place: Activation(*row) for place, *row in zip(itertools.chain(*places), *columns, strict=True)}
    return [found[place] if place in found else activation(*one) for place, one in enumerate(given)]


def gradients(given: Sequence[tf.Tensor], with_histogram: tf.Tensor | None) -> list[Gradient]:
    """`statistics.gradient` of each."""
    constants = Constants()
    rows = [_rows(one, one.shape.rank - 1, constants) if one.shape.rank else None for one in given]
    places, groups = _grouped(rows)
    found: dict[int, Gradient] = {}
    if groups:
        measured = [_gradients(tensors, constants) for tensors in groups]
        values = tf.unstack(tables.checked_gradients(measured), num=sum(map(len, places)))
        filled = _histograms(measured, None, with_histogram)
        found = {place: Gradient(*row) for place, *row in zip(itertools.chain(*places), values, filled, strict=True)}
    return [found[at] if at in found else gradient(one, with_histogram) for at, one in enumerate(given)]


def _outputs(tensors: Sequence[tf.Tensor], bounds: tf.Tensor | None, constants: Constants) -> tables.Group:
    samples = of_several(tensors, constants)
    sums = tf.stack([tables.column_sums(tensor) for tensor in tensors])
    seen = _seen(*samples, sums) if bounds is None else _seen_within(*samples, sums, bounds)
    return tables.Group(len(tensors), samples, tables.Outputs(*seen))


@once([*_SAMPLES, TABLE])
def _seen(*given: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(tables.outputs(Samples(*given[:-1]), given[-1], None))


@once([*_SAMPLES, TABLE, tf.TensorSpec([None, 2], tf.float32)])
def _seen_within(*given: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(tables.outputs(Samples(*given[:-2]), *given[-2:]))


def _gradients(tensors: Sequence[tf.Tensor], constants: Constants) -> tables.Group:
    samples = of_several(tensors, constants)
    seen = _seen_gradients(*samples, tf.stack([tf.nn.l2_loss(tensor) for tensor in tensors]))
    return tables.Group(len(tensors), samples, tables.Gradients(*seen))


@once([*_SAMPLES, tf.TensorSpec([None], tf.float32)])
def _seen_gradients(*given: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(tables.gradients(Samples(*given[:-1]), given[-1]))


def _is_for_xla() -> bool:
    """Whether the current graph is compiled by XLA, which has no sums over sorted segments."""
    graph: Any = tf.compat.v1.get_default_graph()
    # Terminates: each graph and context was made within the next one.
    while graph is not None:
        context = graph._get_control_flow_context()
        while context is not None:
            if context.IsXLAContext():
                return True
            context = context.outer_context
        graph = getattr(graph, "outer_graph", None)
    return False


def _rows(value: tf.Tensor, axis: int, constants: Constants) -> tf.Tensor | None:
    """`[rows, columns]`; None for what is to be measured alone."""
    columns = value.shape[axis]
    if columns is None or columns < _NARROW:
        return None
    value = columns_last(tf.cast(value, tf.float32), axis)
    return value if value.shape.rank == 2 else tf.reshape(value, constants([-1, columns]))


def _grouped(rows: Sequence[tf.Tensor | None]) -> tuple[list[list[int]], list[list[tf.Tensor]]]:
    """Places and tensors of each group with as many columns; -1 is the place of a last tensor that is no layer's."""
    members: dict[int, list[tuple[int, tf.Tensor]]] = collections.defaultdict(list)
    for place, one in enumerate([] if _is_for_xla() else rows):
        if one is not None:
            members[one.shape[-1]].append((place, one))
    groups = [group for group in members.values() if len(group) > 1]
    for group in groups:
        # Any of the others may be empty; this one is not, and has ordinary values.
        ordinary = [[at % 2 + 1.0 for at in range(group[0][1].shape[-1])]]
        group.append((_NOBODY, tf.constant(ordinary)))
    return [[place for place, _ in group] for group in groups], [[one for _, one in group] for group in groups]


def _bounds(given: Sequence[Output]) -> tf.Tensor | None:
    found = [BOUNDS.get(name or "", bounds) for *_, name, bounds in given]
    if found == [None] * len(found):
        return None
    return tf.constant([bounds or (math.nan, math.nan) for bounds in [*found, None]])


def _histograms(
    measured: Sequence[tables.Group], values: tf.Tensor | None, with_histogram: tf.Tensor | None
) -> list[tf.Tensor]:
    count = sum(group.tensors for group in measured)
    if with_histogram is None:
        return [tf.zeros([0])] * count
    return list(tf.unstack(tables.histograms(measured, values, with_histogram), num=count))
