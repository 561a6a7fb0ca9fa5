"""Activation functions between the layers of an eager step, which has no graph: recognized from the values alone."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tb_activations.taps.functions.between import Applied
from tb_activations.taps.functions.calls import tolerance
from tb_activations.taps.functions.recognition import Function, Values, classify_sample
from tb_activations.taps.layers import unit_axis
from tb_activations.taps.step.seen import NONE, SeenCall

_KEPT = 4
"""Calls kept until the layer that takes their output is called; more would keep their tensors in memory."""
_SAMPLE = 2048
"""Elements compared to recognize a function."""


class Waiting:
    """The latest calls of a step, held back until they are measured.

    A function is recognized when a layer receives a tensor with the shape of an earlier output whose values are a
    known function of that output. Functions of joined outputs, or after the last layer, cannot be found this way.
    """

    def __init__(self) -> None:
        self._calls: collections.deque[SeenCall] = collections.deque()
        self._applied: dict[int, Applied] = {}
        self._raw: set[int] = set()

    def given(self, inputs: tuple[tf.Tensor, ...], *, is_use: bool) -> None:
        """Notes that a layer is called with these tensors; `is_use` is false for a layer that only passes them on."""
        for value in inputs:
            handed = [call for call in self._calls if call.output is value]
            if handed:
                self._raw |= {id(call) for call in handed if is_use}
                continue
            for call in reversed(self._calls):
                applied = _applied(call, value)
                if applied is not None:
                    self._applied.setdefault(id(call), applied)
                    break

    def add(self, call: SeenCall) -> Iterator[tuple[SeenCall, Applied | None]]:
        """Adds a call; yields calls that are held no longer, each with the function applied to it."""
        self._calls.append(call)
        if len(self._calls) > _KEPT:
            yield self._taken()

    def rest(self) -> Iterator[tuple[SeenCall, Applied | None]]:
        """The calls that are still held, each with the function applied to it."""
        while self._calls:
            yield self._taken()

    def _taken(self) -> tuple[SeenCall, Applied | None]:
        call = self._calls.popleft()
        applied = self._applied.pop(id(call), None)
        return call, None if id(call) in self._raw else applied


def _applied(call: SeenCall, value: tf.Tensor) -> Applied | None:
    is_open = call.own_activation in NONE and not call.is_transparent and not call.is_composite
    if not is_open or value.shape != call.output.shape or value.dtype != call.output.dtype:
        return None
    function = _function(call.output, value)
    axis = unit_axis(call.entry.layer, value.shape.rank, has_activation=True)
    return None if function is None else Applied(function, value, axis, value)


def _function(before: tf.Tensor, after: tf.Tensor) -> Function | None:
    return classify_sample(_sample(before), _sample(after), tolerance(before.dtype.name))


def _sample(value: tf.Tensor) -> Values:
    flat = tf.reshape(value, [-1])
    # The number of units is usually even: an even stride could sample a single unit.
    numbers: Any = flat[:: max(flat.shape[0] // _SAMPLE, 1) | 1].numpy()
    return np.asarray(numbers, np.float64)
