"""Statistics of the outputs of many layers at once, or of the gradients at them.

Called for each layer, small operations take longer than the numbers. Tensors with as many units share theirs.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tb_activations.taps.numbers import tables
from tb_activations.taps.numbers.statistics import BOUNDS, Activation, Gradient, activation, columns_last, gradient

Output = tuple[tf.Tensor, int | None, tf.Tensor | None, str | None, tuple[float, float] | None]
"""The arguments of `statistics.activation`."""

_NARROW = 8
"""A tensor with fewer columns is measured alone: its rows would be copied one by one."""
_NOBODY = -1


def activations(given: Sequence[Output]) -> list[Activation]:
    """`statistics.activation` of each; `with_histogram` is the same for all."""
    is_alone = _is_for_xla()
    rows = [None if one[1] is None or is_alone else _rows(one[0], one[1]) for one in given]
    found = {place: activation(*given[place]) for place, one in enumerate(rows) if one is None}
    members, groups = _grouped(rows)
    if groups:
        measured = [
            tables.outputs(tensors, _bounds([given[place] for place in places if place >= 0]))
            for places, tensors in zip(members, groups, strict=True)
        ]
        values = tables.checked_outputs(measured)
        columns = (
            tf.unstack(values, num=sum(map(len, members))),
            [row for group in measured for row in tf.unstack(group.active, num=len(group.samples))],
            [row for group in measured for row in tf.unstack(group.peak, num=len(group.samples))],
            _histograms(measured, values, given[0][2]),
        )
        places = [place for group in members for place in group]
        found |= {place: Activation(*row) for place, *row in zip(places, *columns, strict=True) if place >= 0}
    return [found[place] for place in range(len(given))]


def gradients(given: Sequence[tf.Tensor], with_histogram: tf.Tensor | None) -> list[Gradient]:
    """`statistics.gradient` of each."""
    is_alone = _is_for_xla()
    rows = [None if is_alone or not one.shape.rank else _rows(one, one.shape.rank - 1) for one in given]
    found = {place: gradient(given[place], with_histogram) for place, one in enumerate(rows) if one is None}
    members, groups = _grouped(rows)
    if groups:
        measured = [tables.gradients(tensors) for tensors in groups]
        values = tf.unstack(tables.checked_gradients(measured), num=sum(map(len, members)))
        filled = _histograms(measured, None, with_histogram)
        places = [place for group in members for place in group]
        found |= {place: Gradient(*row) for place, *row in zip(places, values, filled, strict=True) if place >= 0}
    return [found[place] for place in range(len(given))]


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


def _rows(value: tf.Tensor, axis: int) -> tf.Tensor | None:
    """`[rows, columns]`; None for what is to be measured alone."""
    columns = value.shape[axis]
    if columns is None or columns < _NARROW:
        return None
    return tf.reshape(columns_last(tf.cast(value, tf.float32), axis), [-1, columns])


def _grouped(rows: Sequence[tf.Tensor | None]) -> tuple[list[list[int]], list[list[tf.Tensor]]]:
    """Places and tensors of each group with as many columns; -1 is the place of a last tensor that is no layer's."""
    members: dict[int, list[tuple[int, tf.Tensor]]] = collections.defaultdict(list)
    for place, one in enumerate(rows):
        if one is not None:
            members[one.shape[-1]].append((place, one))
    for columns, group in members.items():
        if len(group) > 1:
            # Any of the others may be empty; this one is not, and has ordinary values.
            group.append((_NOBODY, tf.constant([[at % 2 + 1.0 for at in range(columns)]])))
    groups = list(members.values())
    return [[place for place, _ in group] for group in groups], [[one for _, one in group] for group in groups]


def _bounds(given: Sequence[Output]) -> tf.Tensor | None:
    found = [BOUNDS.get(name or "", bounds) for *_, name, bounds in given]
    if found == [None] * len(found):
        return None
    last = [None] if len(found) > 1 else []
    return tf.constant([bounds or (math.nan, math.nan) for bounds in [*found, *last]])


def _histograms(
    measured: Sequence[tables.Outputs] | Sequence[tables.Gradients],
    values: tf.Tensor | None,
    with_histogram: tf.Tensor | None,
) -> list[tf.Tensor]:
    count = sum(len(group.samples) for group in measured)
    if with_histogram is None:
        return [tf.zeros([0])] * count
    return list(tf.unstack(tables.histograms(measured, values, with_histogram), num=count))
