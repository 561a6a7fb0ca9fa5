"""Statistics that are computed after the step, from tensors that leave it.

XLA compiles the statistics of every layer again, which takes several times as long as compiling the step. Computed by
functions of their own, they are traced once for all layers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import tensorflow as tf

T = TypeVar("T")
Measure = Callable[..., Any]
"""Takes a function and its arguments; returns its result, or a `Later`."""


@dataclasses.dataclass(frozen=True, eq=False)
class Later:
    """The result of a function that has not been called yet.

    Attributes:
        arguments: any nest; its tensors belong to the step.
        place: which item of the function's result it is; None for the whole.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    place: int | None = None

    @property
    def tensors(self) -> list[tf.Tensor]:
        """Those that the function needs."""
        return [value for value in tf.nest.flatten(self.arguments) if isinstance(value, tf.Tensor)]


def now(function: Callable[..., T], *arguments: Any) -> T:
    """The function's result: a `Measure`."""
    return function(*arguments)


def later(function: Callable[..., Any], *arguments: Any) -> Later:
    """The function's result after the step: a `Measure`."""
    return Later(function, arguments)


def items(result: Any, count: int) -> list[Any]:
    """The items of a result that is a list, or will be one."""
    if isinstance(result, Later):
        return [dataclasses.replace(result, place=place) for place in range(count)]
    return list(result)


class Results:
    """Calls the functions of results; each once.

    Args:
        tensors: those of the step by their `ref()`, as they left it.
    """

    def __init__(self, tensors: Mapping[Any, tf.Tensor]) -> None:
        self._tensors = tensors
        self._known: dict[Any, Any] = {}

    def of(self, result: Any) -> Any:
        """A result, or a tensor of the step, outside the step; anything else as it is."""
        if isinstance(result, tf.Tensor):
            return self._tensors[result.ref()]
        if not isinstance(result, Later):
            return result
        key = id(result.arguments)
        if key not in self._known:
            arguments = tf.nest.map_structure(self.of, result.arguments)
            self._known[key] = result.function(*arguments)
        whole = self._known[key]
        return whole if result.place is None else whole[result.place]
