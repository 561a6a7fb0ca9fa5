"""Arithmetic of a loss that combines each sample with every other one by accident: a vector and a column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.records.specs import AllPairs
from tb_activations.taps.functions.places import place_of
from tb_activations.taps.functions.upstream import SIZES, between, graph_operations

KINDS: Mapping[str, str] = {
    "Sub": "subtraction",
    "SquaredDifference": "squared difference",
    "AddV2": "addition",
    "Add": "addition",
    "Mul": "multiplication",
    "MulNoNan": "multiplication",
    "RealDiv": "division",
    "Div": "division",
    "DivNoNan": "division",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Pow": "power",
    "Xlogy": "multiplication",
}
"""By type of operation, what messages call it."""

MOST = 4
"""In the description of a run."""
_MOST_OF_LOSS, _MOST_BEFORE = 10_000, 1000
"""Operations that are looked at before the loss, and before an argument."""

_WEIGHS = frozenset({"multiplication", "division"})
_BATCHES = frozenset({"IteratorGetNext", "IteratorGetNextSync", "OptionalGetValue"})
_NO_DATA = (tf.resource, tf.variant)
_NEW_AXIS = frozenset({"ExpandDims", "StridedSlice", "Reshape"})


class _Origin(NamedTuple):
    """The layers whose outputs a tensor is computed from, and whether also from data that no layer has seen."""

    layers: frozenset[str]
    has_data: bool


def all_pairs(losses: Iterable[Any], makers: Mapping[Any, str]) -> tuple[AllPairs, ...]:
    """At most `MOST` operations between the last layers and the loss whose result has a row and a column per sample.

    NumPy's rules make a matrix of `(batch,)` and `(batch, 1)`. That is an accident if one of them holds outputs and the
    other data, or outputs of other layers. Losses that compare samples with each other combine a tensor with itself.

    Args:
        losses: tensors of a graph; eager ones have no operations.
        makers: operation to the name of the layer that returned its result.
    """
    found: dict[AllPairs, None] = {}
    operations = between(list(graph_operations(losses)), makers, _MOST_OF_LOSS)
    for operation in sorted(operations, key=lambda one: one._id):
        if operation.type in KINDS and len(found) < MOST:
            pairs = _pairs(operation, makers)
            if pairs is not None:
                found[pairs] = None
    return tuple(found)


def _pairs(operation: Any, makers: Mapping[Any, str]) -> AllPairs | None:
    vector, column = sorted(operation.inputs[:2], key=lambda value: value.shape.rank or 0)
    if not _make_matrix(vector.shape, column.shape):
        return None
    of_vector, of_column = _origin(vector, makers), _origin(column, makers)
    if of_vector is None or of_column is None or not _is_accident(of_vector, of_column, column, makers):
        return None
    place = place_of(operation)
    if not place:
        return None
    kind = KINDS[operation.type]
    data, other = (of_vector, of_column) if not of_vector.layers else (of_column, of_vector)
    weighs = kind in _WEIGHS and not data.layers and other.has_data
    return AllPairs(kind, place, _named(of_vector, makers), _named(of_column, makers), weighs)


def _make_matrix(vector: tf.TensorShape, column: tf.TensorShape) -> bool:
    """Whether their sizes may be that of a batch. A vector of known size is one of features if the batch is unknown."""
    if vector.rank != 1 or column.rank != 2 or column[1] != 1:
        return False
    size, rows = vector[0], column[0]
    return size is None or (size == rows and size != 1)


def _is_accident(vector: _Origin, column: _Origin, values: tf.Tensor, makers: Mapping[Any, str]) -> bool:
    if vector.layers and column.layers:
        return not vector.layers & column.layers and not _has_new_axis(values, makers)
    return (vector.has_data or bool(vector.layers)) and (column.has_data or bool(column.layers)) and vector != column


def _has_new_axis(column: tf.Tensor, makers: Mapping[Any, str]) -> bool:
    """Whether the program made the column of a vector, as losses over pairs do."""
    return any(
        operation.type in _NEW_AXIS and operation.inputs[0].shape.rank == 1 and operation.outputs[0].shape.rank == 2
        for operation in between([column.op], makers, _MOST_BEFORE)
    )


def _origin(tensor: tf.Tensor, makers: Mapping[Any, str]) -> _Origin | None:
    """None if finding out takes too long."""
    waiting, seen = [tensor.op], {tensor.op}
    layers, has_data = set(), False
    # Terminates: each operation is visited once.
    while waiting:
        operation = waiting.pop()
        if len(seen) > _MOST_BEFORE:
            return None
        if operation in makers:
            layers.add(makers[operation])
        elif operation.type in _BATCHES or (operation.type == "Placeholder" and _holds_numbers(operation)):
            has_data = True
        elif operation.type not in SIZES:
            new = {value.op for value in operation.inputs} - seen
            seen |= new
            waiting += new
    return _Origin(frozenset(layers), has_data)


def _holds_numbers(placeholder: Any) -> bool:
    return placeholder.outputs[0].dtype not in _NO_DATA


def _named(origin: _Origin, makers: Mapping[Any, str]) -> str:
    """The last of the layers, "" for data."""
    return next((name for name in reversed(list(dict.fromkeys(makers.values()))) if name in origin.layers), "")
