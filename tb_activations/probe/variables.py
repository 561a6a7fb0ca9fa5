"""Every variable of the process, and the values of those that a block of code writes."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_callbacks, ops
from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable

READING = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape", "VarIsInitializedOp"})
"""Operations that leave the variables they are given as they are."""


class _Block:
    """What stood in the variables when a block began, and which of them were written since.

    Keys are identities of resource handles. A block within another one asks it for what was not written in between.
    """

    def __init__(self, outer: _Block | None, among: Sequence[BaseResourceVariable] | None) -> None:
        self.written: set[int] = set()
        self._outer = outer
        self._before: dict[int, tuple[Any, tf.Tensor]] = {}
        if outer is None:
            for variable in alive() if among is None else among:
                self._keep(variable._handle, variable.dtype)
        else:
            for handle, value in filter(None, map(outer.find, outer.written)):
                self._keep(handle, value.dtype)

    def find(self, key: int) -> tuple[Any, tf.Tensor] | None:
        """The handle and value of a variable, None for one that came into being within the outermost block."""
        return self._before.get(key) or (self._outer.find(key) if self._outer is not None else None)

    def add(self, variables: Sequence[BaseResourceVariable]) -> None:
        """Variables that belong here even if the garbage collector does not list them."""
        for variable in variables:
            if _is_eager(variable) and self.find(id(variable._handle)) is None:
                self._keep(variable._handle, variable.dtype)

    def restore(self) -> None:
        for key in self.written:
            found = self.find(key)
            if found is not None:
                tf.raw_ops.AssignVariableOp(resource=found[0], value=found[1])

    def _keep(self, handle: Any, dtype: tf.DType) -> None:
        # Reading shares the memory; a copy is made only of what is written.
        with contextlib.suppress(tf.errors.FailedPreconditionError, tf.errors.NotFoundError):
            # Suppressed for variables without a value: there is nothing to keep.
            self._before[id(handle)] = handle, tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype.base_dtype)


class _Thread(threading.local):
    block: _Block | None = None


_THREAD = _Thread()


@contextlib.contextmanager
def restored(
    variables: Sequence[BaseResourceVariable] = (), among: Sequence[BaseResourceVariable] | None = None
) -> Iterator[None]:
    """Gives every variable of the process that this thread writes within the block its value back.

    Wherever the variable is kept: in layers, other models, optimizers, generators, closures, modules. What other
    threads write meanwhile stays written. A variable that is created within the block keeps its value, and so does one
    that `gc.freeze` hid, unless it is among `variables`. Blocks may stand within each other; only the outermost one
    has to search, unless `among` holds what `alive` found a moment ago.
    """
    outer = _THREAD.block
    block = _Block(outer, among)
    block.add(variables)
    _THREAD.block = block
    if outer is None:
        op_callbacks.add_op_callback(_note)
    try:
        yield
    finally:
        # What is given back is no news to the block around.
        _THREAD.block = None
        if outer is None:
            op_callbacks.remove_op_callback(_note)
        try:
            block.restore()
        finally:
            _THREAD.block = outer


def alive() -> list[BaseResourceVariable]:
    """The variables of the process that hold values, as the garbage collector lists them."""
    kinds = set(_kinds(BaseResourceVariable))
    return [variable for variable in gc.get_objects() if type(variable) in kinds and _is_eager(variable)]


def _kinds(kind: type) -> Iterator[type]:
    yield kind
    subclasses: list[type] = kind.__subclasses__()
    for subclass in subclasses:
        yield from _kinds(subclass)


def _is_eager(variable: BaseResourceVariable) -> bool:
    """Whether it is whole and outside any graph; one that is just being made has no handle yet."""
    return isinstance(getattr(variable, "_handle", None), ops.EagerTensor)


def _note(
    op_type: str, inputs: Sequence[Any], attrs: Any, outputs: Any, op_name: str | None = None, graph: Any = None
) -> None:
    """Takes note of the variables that an operation of this thread may have written."""
    block = _THREAD.block
    if block is not None and graph is None and op_type not in READING:
        block.written.update(id(value) for value in inputs if value.dtype == tf.resource)
