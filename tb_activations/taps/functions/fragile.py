"""Operations that are not finite for every number, and where the program has them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tb_activations.records.specs import FragileOperation
from tb_activations.taps.functions.calls import PASSING
from tb_activations.taps.functions.places import place_of
from tb_activations.taps.functions.upstream import SIZES, between, graph_operations

KINDS: Mapping[str, str] = {
    "Log": "logarithm",
    "Log1p": "logarithm",
    "Sqrt": "square root",
    "Rsqrt": "square root",
    "RealDiv": "division",
    "Div": "division",
    "Reciprocal": "division",
    "Inv": "division",
    "Pow": "power",
    "Exp": "exponential",
    "Acos": "arccosine",
    "Asin": "arcsine",
    "Atanh": "inverse tanh",
}
"""By type of operation, what advice calls it."""

MOST_OF_LOSS, MOST_OPERATIONS = 8, 64
"""In the description of a run."""
_MOST_BETWEEN = 1000
"""Operations that are looked at before one layer, and before the loss ten times as many."""
_MOST_PLACES = 1000
"""Operations whose place in the program is looked up, which takes half a millisecond each."""
_MOST_BEFORE = 64
"""Operations that are followed back from an argument."""

_PARTS = PASSING | {"Cast", "StridedSlice", "GatherV2", "Split", "SplitV", "Unpack", "Slice", "ConcatV2", "Pack"}


def fragile_operations(losses: Iterable[Any], makers: Mapping[Any, str]) -> tuple[FragileOperation, ...]:
    """The fragile operations of a step: at most `MOST_OF_LOSS` after the last layers, `MOST_OPERATIONS` altogether.

    Those with a safe argument are left out, and those that neither the user's code nor a loss of Keras contains.

    Args:
        losses: tensors of a graph; eager ones have no operations.
        makers: operation to the name of the layer that returned its result, in call order.
    """
    of_loss = list(graph_operations(losses))
    looked_up = itertools.count()
    found: dict[FragileOperation, None] = {}
    for one in _before("", of_loss, makers, 10 * _MOST_BETWEEN, looked_up):
        if len(found) < MOST_OF_LOSS:
            found[one] = None
    by_layer: dict[str, list[Any]] = {}
    for operation, name in makers.items():
        by_layer.setdefault(name, []).append(operation)
    for name, ends in by_layer.items():
        for one in _before(name, ends, makers, _MOST_BETWEEN, looked_up):
            if len(found) < MOST_OPERATIONS:
                found[one] = None
    return tuple(found)


def _before(
    name: str, ends: Sequence[Any], makers: Mapping[Any, str], most: int, looked_up: Iterator[int]
) -> Iterator[FragileOperation]:
    """Those between these operations, which are included, and the layers before."""
    for operation in sorted(between(ends, makers, most), key=lambda one: one._id):
        if operation.type in KINDS and _is_fragile(operation, makers):
            if next(looked_up) >= _MOST_PLACES:
                return
            place = place_of(operation)
            if place:
                yield FragileOperation(KINDS[operation.type], place, _taken(operation.inputs[0], makers), name)


def _is_fragile(operation: Any, makers: Mapping[Any, str]) -> bool:
    """Whether the argument that matters is neither bounded away from trouble nor constant."""
    arguments = list(operation.inputs)
    if operation.type == "Pow":
        exponent = tf.get_static_value(arguments[1])
        # Whole positive powers are finite, and so is their slope.
        if exponent is not None and np.all(exponent >= 1) and np.all(exponent == np.round(exponent)):
            return False
    critical = arguments[-1] if operation.type in ("RealDiv", "Div") else arguments[0]
    return not _is_bounded(critical) and _depends_on_data(critical, makers)


def _is_bounded(tensor: tf.Tensor) -> bool:
    """Whether a lower bound above zero was applied: `maximum`, `clip`."""
    operation = tensor.op
    for _ in range(_MOST_BEFORE):
        if operation.type in ("Maximum", "ClipByValue"):
            bound = tf.get_static_value(operation.inputs[1])
            other = tf.get_static_value(operation.inputs[0])
            return any(value is not None and bool(np.all(value > 0)) for value in (bound, other))
        if operation.type not in PASSING | {"Minimum"} or not len(operation.inputs):
            return False
        operation = operation.inputs[0].op
    return False


def _depends_on_data(tensor: tf.Tensor, makers: Mapping[Any, str]) -> bool:
    """Whether more than constants and sizes enters the tensor; true if that takes too long to find out."""
    waiting, seen = [tensor.op], {tensor.op}
    # Terminates: each operation is visited once.
    while waiting:
        operation = waiting.pop()
        if operation in makers or len(seen) > _MOST_BEFORE:
            return True
        if operation.type in SIZES:
            continue
        if not len(operation.inputs):
            return True
        new = {value.op for value in operation.inputs} - seen
        seen |= new
        waiting += new
    return False


def _taken(tensor: tf.Tensor, makers: Mapping[Any, str]) -> str:
    """The layer whose outputs, in part or with a constant added, the tensor holds; "" for anything else."""
    operation = tensor.op
    for _ in range(_MOST_BEFORE):
        if operation in makers:
            return makers[operation]
        given = [value for value in operation.inputs if tf.get_static_value(value) is None]
        is_shifted = operation.type in ("Add", "AddV2") and len(given) < len(operation.inputs)
        if not given or not (operation.type in _PARTS or is_shifted):
            return ""
        operation = given[0].op
    return ""
