"""Activation functions between the layers of a traced step, and the layers they belong to.

The graph is followed from each layer's inputs back to the layers that produced them. An activation function on the
path belongs to the layer whose output it was applied to. After a join (an addition, say), it belongs to the layer with
the same output shape that was called last.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from tb_activations.taps.functions.calls import PERMUTING, RESHAPING, Chain, chain
from tb_activations.taps.functions.recognition import Function
from tb_activations.taps.layers import unit_axis
from tb_activations.taps.step.seen import NONE, SeenCall

_JOINING = frozenset({"AddV2", "Add", "AddN", "Sub", "BiasAdd", "Mul", "RealDiv", "SelectV2"})
_THINNING = frozenset(
    {
        *("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D", "Pad", "PadV2", "MirrorPad", "Mean", "Max"),
        *("ResizeBilinear", "ResizeNearestNeighbor", "StridedSlice"),
    }
)
"""Operations that keep the unit axis but change the number of samples or positions."""

_MOST_VISITS = 20_000
"""Bounds the search in large graphs; functions beyond it are not found."""


@dataclasses.dataclass(frozen=True)
class Applied:
    """A function that was applied to a layer's output, and its result.

    Attributes:
        after: the function's result for this layer.
        axis: the unit axis of `after`.
        origin: the tensor that the function returned; `after` may be a slice of it or a reshaped copy.
    """

    function: Function
    after: tf.Tensor
    axis: int | None
    origin: tf.Tensor


@dataclasses.dataclass(frozen=True)
class _Pending:
    """A function found on the way back from a layer's input, before the layer it was applied to is known.

    Attributes:
        part: (begin, size) on the last axis, if the function was applied to a concatenation of several layers.
        is_reshaped, is_thinned: whether the values were reshaped, or pooled and the like, between layer and function.
        is_joined: whether they were added to or combined with other values in between.
    """

    chain: Chain
    part: tuple[int, int] | None = None
    is_reshaped: bool = False
    is_thinned: bool = False
    is_joined: bool = False

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.chain.after.ref(), self.part, self.is_reshaped, self.is_thinned, self.is_joined)

    def through(self, operation: Any, place: int) -> _Pending | None:
        """The function as seen from an operation's input at `place`; None if it was not applied to that input."""
        if operation.type in RESHAPING:
            return dataclasses.replace(self, is_reshaped=True)
        if operation.type in _THINNING | PERMUTING:
            return dataclasses.replace(self, is_thinned=True) if place == 0 else None
        if operation.type in _JOINING:
            return dataclasses.replace(self, is_joined=True)
        if operation.type == "ConcatV2" and not (self.part or self.is_reshaped or self.is_thinned):
            part = _part(operation, place)
            return part and dataclasses.replace(self, part=part)
        return None


def _part(concatenation: Any, place: int) -> tuple[int, int] | None:
    """The (begin, size) of an input on the last axis of a concatenation; None for a concatenation along another."""
    *values, axis = concatenation.inputs
    rank, at = concatenation.outputs[0].shape.rank, tf.get_static_value(axis)
    sizes = [int(value.shape[-1]) for value in values if value.shape.rank and value.shape[-1] is not None]
    if not rank or at is None or int(at) % rank != rank - 1 or len(sizes) < len(values) or place >= len(sizes):
        return None
    return sum(sizes[:place]), sizes[place]


class Between:
    """Searches one graph for functions between layers.

    Args:
        calls: in the order in which they ended.
        stops: references of further tensors that layers returned; the search ends there.
    """

    def __init__(self, calls: Sequence[SeenCall], stops: Iterable[Any]) -> None:
        self._calls = {call.output.ref(): (place, call) for place, call in enumerate(calls)}
        self._stops = frozenset(stops) | self._calls.keys()
        self._reached: dict[tuple[Any, ...], list[tuple[int, SeenCall, _Pending]]] = {}
        self._raw: set[int] = set()
        self._visited: set[tuple[Any, ...]] = set()

    def applied(self, exits: Iterable[tf.Tensor]) -> dict[int, Applied]:
        """The function applied to a call's output, by `id` of the call.

        `exits` are tensors that models returned. A layer whose output is also used directly gets no function.
        """
        for _, call in self._calls.values():
            if not call.is_transparent:
                for value in call.inputs:
                    self._follow(value, is_use=True)
            if call.is_composite:
                self._follow(call.value, is_use=False)
        for value in exits:
            self._follow(value, is_use=False)
        found: dict[int, list[Applied]] = {}
        for reached in self._reached.values():
            for call, applied in self._owner(reached):
                found.setdefault(id(call), []).append(applied)
        return {
            key: applied[0]
            for key, applied in found.items()
            if key not in self._raw and len({one.function.name for one in applied}) == 1
        }

    def _follow(self, start: tf.Tensor, *, is_use: bool) -> None:
        waiting: list[tuple[tf.Tensor, _Pending | None]] = [(start, None)]
        # `_visit` skips pairs of tensor and function that it has seen, so the search ends.
        while waiting and len(self._visited) < _MOST_VISITS:
            waiting += self._visit(*waiting.pop(), is_use=is_use)

    def _visit(
        self, tensor: tf.Tensor, pending: _Pending | None, *, is_use: bool
    ) -> list[tuple[tf.Tensor, _Pending | None]]:
        key = (tensor.ref(), pending and pending.key, is_use)
        if key in self._visited:
            return []
        self._visited.add(key)
        if tensor.ref() in self._stops:
            return self._arrive(tensor, pending, is_use=is_use)
        passed = chain(tensor, self._stops)
        if passed.function is not None:
            pending = _Pending(passed, None, passed.is_reshaped, passed.is_permuted)
        elif passed.root is not tensor and pending is not None:
            pending = dataclasses.replace(pending, is_reshaped=True) if _moves(tensor, passed.root) else pending
        if passed.root.ref() in self._stops:
            return self._arrive(passed.root, pending, is_use=is_use)
        operation = passed.root.op
        return [
            (value, pending and pending.through(operation, place))
            for place, value in enumerate(operation.inputs)
            if value.dtype.is_floating
        ]

    def _arrive(
        self, tensor: tf.Tensor, pending: _Pending | None, *, is_use: bool
    ) -> list[tuple[tf.Tensor, _Pending | None]]:
        if tensor.ref() not in self._calls:
            return []
        place, call = self._calls[tensor.ref()]
        if call.is_transparent:
            return [(call.inputs[0], pending and _through_layer(pending, call))]
        if call.is_composite:
            return [(call.value, pending)]
        if pending is not None:
            self._reached.setdefault((pending.chain.after.ref(), pending.part), []).append((place, call, pending))
        elif is_use:
            self._raw.add(id(call))
        return []

    def _owner(self, reached: list[tuple[int, SeenCall, _Pending]]) -> list[tuple[SeenCall, Applied]]:
        """The layer that one function belongs to, of all that it was reached from; empty if it fits none of them."""
        fitting = []
        for place, call, pending in reached:
            applied = _fitted(call, pending)
            if applied is not None and call.own_activation in NONE:
                fitting.append((place, call, applied))
            elif pending.is_joined:
                self._raw.add(id(call))
        if not fitting:
            return []
        last = max(fitting, key=lambda entry: entry[0])
        self._raw |= {id(call) for _, call, _ in fitting if call is not last[1]}
        return [(last[1], last[2])]


def _moves(tensor: tf.Tensor, root: tf.Tensor) -> bool:
    return tensor.shape.rank != root.shape.rank or not tensor.shape.is_compatible_with(root.shape)


def _through_layer(pending: _Pending, call: SeenCall) -> _Pending:
    given, returned = call.inputs[0].shape, call.output.shape
    if given.rank == returned.rank and given.is_compatible_with(returned):
        return pending
    if given.num_elements() == returned.num_elements() and given[1:].num_elements() == returned[1:].num_elements():
        return dataclasses.replace(pending, is_reshaped=True)
    return dataclasses.replace(pending, is_thinned=True)


def _fitted(call: SeenCall, pending: _Pending) -> Applied | None:
    """The function as applied to this layer's output; None if the layer's units cannot be found in the result."""
    function, after, output = pending.chain.function, pending.chain.after, call.output
    assert function is not None
    axis = unit_axis(call.entry.layer, output.shape.rank, has_activation=True)
    if pending.part is not None:
        begin, size = pending.part
        after = after[..., begin : begin + size]
    if pending.is_thinned:
        place = None if pending.is_reshaped else _thinned_axis(after, output, axis)
        return None if place is None else Applied(function, after, place, pending.chain.after)
    if pending.is_reshaped:
        after = tf.ensure_shape(tf.reshape(after, tf.shape(output)), output.shape)
    if after.shape.rank != output.shape.rank or not after.shape.is_compatible_with(output.shape):
        return None
    return Applied(function, after, axis, pending.chain.after)


def _thinned_axis(after: tf.Tensor, output: tf.Tensor, axis: int | None) -> int | None:
    """The unit axis of `after`, which is `output` pooled or the like; `axis` is the unit axis of `output`."""
    rank, left = output.shape.rank, after.shape.rank
    if axis is None or rank is None or not left or not output.shape[axis]:
        return None
    place = left - 1 if axis == rank - 1 else axis
    return place if place < left and after.shape[place] == output.shape[axis] else None
