"""Statistics of the outputs of many layers at once, or of the gradients at them.

Called for each layer, small operations take longer than the numbers. Tensors with as many units share theirs.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.taps.numbers import tables
from tb_activations.taps.numbers.constants import Constants
from tb_activations.taps.numbers.samples import COUNTS, TABLE, Samples
from tb_activations.taps.numbers.several import Several, of_several
from tb_activations.taps.numbers.statistics import BOUNDS, Activation, Gradient, activation, columns_last, gradient
from tb_activations.taps.numbers.traced_once import is_for_xla, once

Output = tuple[tf.Tensor, int | None, tf.Tensor | None, str | None, tuple[float, float] | None]
"""The arguments of `statistics.activation`."""

_NARROW = 8
"""A tensor with fewer columns is measured alone: its rows would be copied one by one."""


class _Groups(NamedTuple):
    """Tensors `[rows, columns]` that are measured together, in groups with as many columns; and their places.

    Where any tensor may be empty, each group ends with one that is no layer's and has rows; its place is `_NOBODY`.
    """

    places: list[list[int]]
    tensors: list[list[tf.Tensor]]

    @property
    def every_place(self) -> list[int]:
        return [place for group in self.places for place in group]


_NOBODY = -1


def activations(given: Sequence[Output]) -> list[Activation]:
    """`statistics.activation` of each; `with_histogram` is the same for all."""
    constants = Constants()
    groups = _grouped([_rows(one[0], one[1], constants) for one in given])
    found: dict[int, Activation] = {}
    if groups.places:
        samples = of_several(groups.tensors, constants)
        seen = _outputs(groups, samples, _bounds(given))
        values, filled = tables.checked_outputs(samples, seen, given[0][2])
        widths = [tensor.shape[1] for group in groups.tensors for tensor in group]
        active, peak = tf.split(seen.active, widths), tf.split(seen.peak, widths)
        rows = zip(groups.every_place, _each(values, widths), active, peak, _each(filled, widths), strict=True)
        found = {place: _of_layer(given[place], Activation(*row)) for place, *row in rows if place != _NOBODY}
    return [found[place] if place in found else activation(*one) for place, one in enumerate(given)]


def gradients(given: Sequence[tf.Tensor], with_histogram: tf.Tensor | None) -> list[Gradient]:
    """`statistics.gradient` of each."""
    constants = Constants()
    groups = _grouped([_rows(one, None, constants) for one in given])
    found: dict[int, Gradient] = {}
    if groups.places:
        samples = of_several(groups.tensors, constants)
        absolute = [tf.reduce_sum(tf.abs(group.values), constants(1)) for group in samples.groups]
        squares = [tf.nn.l2_loss(tensor) for group in groups.tensors for tensor in group]
        seen = tables.Gradients(*_seen_gradients(*samples[1:], tf.concat(absolute, 0), tf.stack(squares)))
        values, filled = tables.checked_gradients(samples, seen, with_histogram)
        rows = zip(groups.every_place, _each(values, squares), _each(filled, squares), strict=True)
        found = {place: Gradient(*row) for place, *row in rows}
    return [found[at] if at in found else gradient(one, with_histogram) for at, one in enumerate(given)]


def _rows(value: tf.Tensor, axis: int | None, constants: Constants) -> tf.Tensor | None:
    """`[rows, columns]`; None for what is to be measured alone.

    The columns are the last axis if there is no unit axis, and a vector of unknown length is one column, as for
    `statistics.activation`.
    """
    rank = value.shape.rank
    if not rank:
        return None
    axis = rank - 1 if axis is None else axis
    columns = value.shape[axis]
    if rank == 1 and columns is None:
        return tf.reshape(tf.cast(value, tf.float32), constants([-1, 1]))
    if columns is None or columns < _NARROW:
        return None
    value = columns_last(tf.cast(value, tf.float32), axis)
    return value if rank == 2 else tf.reshape(value, constants([-1, columns]))


def _grouped(rows: Sequence[tf.Tensor | None]) -> _Groups:
    members: dict[int, list[tuple[int, tf.Tensor]]] = collections.defaultdict(list)
    for place, one in enumerate([] if is_for_xla() else rows):
        if one is not None:
            members[one.shape[-1]].append((place, one))
    if not all(one.shape[0] for group in members.values() for _, one in group):
        for columns, group in members.items():
            group.append((_NOBODY, tf.constant([[at % 2 + 1.0 for at in range(columns)]])))
    places = [[place for place, _ in group] for group in members.values()]
    return _Groups(places, [[one for _, one in group] for group in members.values()])


def _outputs(groups: _Groups, samples: Several, bounds: Mapping[int, tuple[float, float]]) -> tables.Outputs:
    """Statistics of all these; `bounds` are those of the functions that have any, by place."""
    measured = [
        _columns(own, tensors, [bounds.get(place, _NO_BOUNDS) for place in places])
        for own, places, tensors in zip(samples.groups, *groups, strict=True)
    ]
    table = tf.concat([one.table for one in measured], 1)
    given = [*samples[1:], table, tf.concat([one.rows for one in measured], 0)]
    if not bounds:
        return tables.Outputs(*_seen(*given))
    outer = [
        tf.zeros([len(places)]) if one.outer is None else one.outer
        for one, places in zip(measured, groups.places, strict=True)
    ]
    of_all = tf.constant([bounds.get(place, _NO_BOUNDS) for place in groups.every_place])
    return tables.Outputs(*_seen_within(*given, tf.concat(outer, 0), of_all))


_NO_BOUNDS = (math.nan, math.nan)


def _columns(samples: Samples, tensors: Sequence[tf.Tensor], bounds: Sequence[tuple[float, float]]) -> tables.Columns:
    sums = tf.stack([tables.column_sums(tensor) for tensor in tensors])
    if all(math.isnan(low) for low, _ in bounds):
        table, rows = _plain_columns(*samples, sums)
        return tables.Columns(table, rows, None)
    return tables.Columns(*_bounded_columns(*samples, sums, tf.constant(bounds)))


_SAMPLES = [TABLE, COUNTS, COUNTS]
_BOUNDS = tf.TensorSpec([None, 2], tf.float32)
_EACH = tf.TensorSpec([None], tf.float32)
_OF_ALL = [COUNTS, COUNTS, COUNTS, _EACH, COUNTS]


@once([*_SAMPLES, TABLE])
def _plain_columns(*given: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(tables.columns(Samples(*given[:3]), given[3], None)[:2])


@once([*_SAMPLES, TABLE, _BOUNDS])
def _bounded_columns(*given: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(tables.columns(Samples(*given[:3]), *given[3:]))


@once([*_OF_ALL, TABLE, TABLE])
def _seen(*given: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(tables.outputs(Several([], *given[:5]), tables.Columns(given[5], given[6], None), None))


@once([*_OF_ALL, TABLE, TABLE, _EACH, _BOUNDS])
def _seen_within(*given: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(tables.outputs(Several([], *given[:5]), tables.Columns(*given[5:8]), given[8]))


@once([*_OF_ALL, _EACH, _EACH])
def _seen_gradients(*given: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(tables.gradients(Several([], *given[:5]), *given[5:]))


def _bounds(given: Sequence[Output]) -> dict[int, tuple[float, float]]:
    found = {place: BOUNDS.get(name or "", bounds) for place, (*_, name, bounds) in enumerate(given)}
    return {place: bounds for place, bounds in found.items() if bounds is not None}


def _of_layer(given: Output, measured: Activation) -> Activation:
    none = tf.zeros([0])
    return measured if given[1] is not None else measured._replace(active=none, peak=none)


def _each(rows: tf.Tensor | None, like: Sequence[Any]) -> list[tf.Tensor]:
    """The rows of a table, as many as the other sequence has items; empty ones without a table."""
    return [tf.zeros([0])] * len(like) if rows is None else list(tf.unstack(rows, num=len(like)))
