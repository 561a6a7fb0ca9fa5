"""Walks from operations of a graph to those before them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

import tensorflow as tf

SIZES = frozenset({"Shape", "ShapeN", "Size", "Rank", "Const"})
"""Operations whose values do not depend on the data."""


def graph_operations(tensors: Iterable[Any]) -> Iterator[Any]:
    """The operations that made these tensors. Eager tensors, and what is no tensor, have none."""
    for value in tensors:
        if isinstance(value, tf.Tensor) and not isinstance(value, tf.__internal__.EagerTensor):
            yield value.op


def between(ends: Sequence[Any], makers: Container[Any], most: int) -> Iterator[Any]:
    """These operations and those before them, at most about so many, down to the operations in `makers`, excluded."""
    waiting, seen = list(ends), set(ends)
    # Terminates: each operation is visited once.
    while waiting and len(seen) < most:
        operation = waiting.pop()
        if operation in makers and operation not in ends:
            continue
        yield operation
        new = {value.op for value in operation.inputs} - seen
        seen |= new
        waiting += new
