"""Finds the layers that an output was computed from, and the outputs that gate others, in the traced graph."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import keras

from tb_activations.records.specs import AllPairs, FragileOperation, GradientCut
from tb_activations.taps.functions.calls import origin
from tb_activations.taps.functions.cuts import gradient_cuts
from tb_activations.taps.functions.fragile import fragile_operations
from tb_activations.taps.functions.pairs import all_pairs
from tb_activations.taps.functions.upstream import graph_operations
from tb_activations.taps.gist import gist

_LOGGER = logging.getLogger("tb_activations")
Found = TypeVar("Found")
_PRODUCTS = frozenset({"Mul", "MulNoNan"})


class Wiring:
    """Follows tensors from layer to layer within one graph. Eager tensors carry no history, so they have no sources.

    Attributes:
        gates: names of layers whose output was multiplied by that of another layer; found once a later layer takes
            the product.
    """

    def __init__(self) -> None:
        self._makers: dict[Any, str] = {}
        self._outputs: set[Any] = set()
        self.gates: set[str] = set()

    def sources(self, outputs: Any) -> tuple[str, ...]:
        """The nearest layers upstream of `outputs` (any nest of tensors), in the order in which they were called."""
        found = self._before(_operations(outputs))
        order = {name: place for place, name in enumerate(dict.fromkeys(self._makers.values()))}
        return tuple(sorted(found, key=order.__getitem__))

    def made(self, outputs: Any, name: str) -> None:
        """Records that layer `name` returned `outputs`; tensors that it only passed on keep their earlier layer."""
        for operation in _operations(outputs):
            self._makers.setdefault(operation, name)
            self._outputs |= {value.ref() for value in operation.outputs}

    def fragile_operations(self, losses: Iterable[Any]) -> tuple[FragileOperation, ...]:
        """The operations after the last layers that may make these losses, or their gradients, non-finite."""
        return self._searched(fragile_operations, losses)

    def all_pairs(self, losses: Iterable[Any]) -> tuple[AllPairs, ...]:
        """The operations after the last layers that combine each sample with every other one by accident."""
        return self._searched(all_pairs, losses)

    def gradient_cuts(self, losses: Iterable[Any], unreached: Mapping[str, Sequence[Any]]) -> tuple[GradientCut, ...]:
        """Where the gradient ends of layers that have none, given by name with their weights."""
        return self._searched(gradient_cuts, losses, unreached)

    def _searched(
        self, search: Callable[..., tuple[Found, ...]], losses: Iterable[Any], *further: Any
    ) -> tuple[Found, ...]:
        try:
            return search(losses, self._makers, *further)
        except Exception as error:  # Advice is less precise without them.
            _LOGGER.debug("Cannot search the operations of the loss (%s).", gist(error))
            return ()

    def _before(self, start: list[Any]) -> set[str]:
        found, seen, waiting = set(), set(start), list(start)
        while waiting:
            operation = waiting.pop()
            if operation in self._makers:
                found.add(self._makers[operation])
                continue
            if operation.type in _PRODUCTS:
                self._see_product(operation)
            for value in operation.inputs:
                if value.op not in seen:
                    seen.add(value.op)
                    waiting.append(value.op)
        return found

    def _see_product(self, product: Any) -> None:
        one, other = product.inputs
        for factor, rest in ((one, other), (other, one)):
            # A gate's sigmoid may be applied outside of the layer.
            maker = self._makers.get(origin(factor, self._outputs).op)
            if maker is not None and self._before([rest.op]) - {maker}:
                self.gates.add(maker)


def _operations(outputs: Any) -> list[Any]:
    return list(graph_operations(keras.tree.flatten(outputs)))
