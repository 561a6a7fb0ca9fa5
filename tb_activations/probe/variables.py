"""All TensorFlow variables of the process, and restoring those that a block of code writes."""

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
"""Operations that only read the variables they are given."""


class _Block:
    """The values of variables when a block began, and which of them were written since.

    Keys are the ids of resource handles. A nested block asks the outer one for variables not written before it began.
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
        """The handle and value of a variable, None for one created within the outermost block."""
        return self._before.get(key) or (self._outer.find(key) if self._outer is not None else None)

    def add(self, variables: Sequence[BaseResourceVariable]) -> None:
        """Includes variables that the garbage collector may not list."""
        for variable in variables:
            if _is_eager(variable) and self.find(id(variable._handle)) is None:
                self._keep(variable._handle, variable.dtype)

    def restore(self) -> None:
        for key in self.written:
            found = self.find(key)
            if found is not None:
                tf.raw_ops.AssignVariableOp(resource=found[0], value=found[1])

    def _keep(self, handle: Any, dtype: tf.DType) -> None:
        # A read shares the variable's memory; TensorFlow copies it only when the variable is written.
        with contextlib.suppress(tf.errors.FailedPreconditionError, tf.errors.NotFoundError):
            # A variable without a value raises these: there is nothing to restore.
            self._before[id(handle)] = handle, tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype.base_dtype)


class _Thread(threading.local):
    block: _Block | None = None


_THREAD = _Thread()


@contextlib.contextmanager
def restored(
    variables: Sequence[BaseResourceVariable] = (), among: Sequence[BaseResourceVariable] | None = None
) -> Iterator[None]:
    """Restores every variable of the process that this thread writes within the block.

    It does not matter where the variable is kept: in layers, other models, optimizers, generators, closures or modules.
    Writes by other threads are kept. So are the values of variables created within the block, and of those hidden by
    `gc.freeze` unless they are in `variables`. Blocks may be nested; only the outermost one has to search for
    variables, unless `among` holds what `alive` has just returned.
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
        # The writes that restore values must not be noted by the outer block.
        _THREAD.block = None
        if outer is None:
            op_callbacks.remove_op_callback(_note)
        try:
            block.restore()
        finally:
            _THREAD.block = outer


def alive() -> list[BaseResourceVariable]:
    """The variables of the process that hold values, as listed by the garbage collector."""
    kinds = set(_kinds(BaseResourceVariable))
    return [variable for variable in gc.get_objects() if type(variable) in kinds and _is_eager(variable)]


def _kinds(kind: type) -> Iterator[type]:
    yield kind
    subclasses: list[type] = kind.__subclasses__()
    for subclass in subclasses:
        yield from _kinds(subclass)


def _is_eager(variable: BaseResourceVariable) -> bool:
    """Whether the variable is complete and outside any graph; one under construction has no handle yet."""
    return isinstance(getattr(variable, "_handle", None), ops.EagerTensor)


def _note(
    op_type: str, inputs: Sequence[Any], attrs: Any, outputs: Any, op_name: str | None = None, graph: Any = None
) -> None:
    """Notes the variables that an operation of this thread may have written."""
    block = _THREAD.block
    if block is not None and graph is None and op_type not in READING:
        block.written.update(id(value) for value in inputs if value.dtype == tf.resource)
