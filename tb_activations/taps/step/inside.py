"""Layers that are called in conditions and loops of the traced step, which their values cannot leave.

Their statistics leave it as a gradient. A tap is an identity with a second input, a slot of zeros from outside that
the output does not depend on. Its gradient function returns statistics as the gradient at the slot. TensorFlow carries
that out of `tf.cond` and `tf.while_loop` and adds up the calls. What the loss does not depend on has no gradient.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tb_activations.taps import taps
from tb_activations.taps.gist import gist
from tb_activations.taps.layers import NamedLayer, activation_name, unit_axis
from tb_activations.taps.numbers import sums
from tb_activations.taps.numbers.layout import MAX_UNITS
from tb_activations.taps.numbers.statistics import BOUNDS
from tb_activations.taps.step import hooks
from tb_activations.taps.step.seen import SeenCall, SeenInside
from tb_activations.taps.step.wiring import Wiring

_GRADIENT = "LayerHealthInside"
_OF_THE_STEP = frozenset({"CondBranchFuncGraph", "WhileBodyFuncGraph"})
"""Graphs that belong to the step; those of a `tf.function` are kept for later steps, so they must not hold taps."""
_NOT_DIFFERENTIATED = "it is called inside a condition or loop, and the loss does not depend on its output"


@tf.RegisterGradient(_GRADIENT)  # type: ignore[untyped-decorator]
def _gradient(operation: Any, gradient: Any, *_: Any) -> list[Any]:
    forward = operation.inputs[1]
    return [gradient, None, tf.concat([forward, sums.backward(gradient)], 0)]


class Inside:
    """The calls in conditions and loops of one step.

    Args:
        graph: of the step; None in eager mode.
        wiring: which layers the step's tensors come from.
        reasons: why layers are not observed in this step, to be added to.
        known_reasons: the same for all steps: a function traced in an earlier step is not traced again.

    Attributes:
        calls: what was seen.
        unseen: names of layers with a call that could not be observed.
    """

    def __init__(self, graph: Any, wiring: Wiring, reasons: dict[str, str], known_reasons: dict[str, str]) -> None:
        self._graph = graph
        self._wiring = wiring
        self._reasons = reasons
        self._known_reasons = known_reasons
        self.calls: list[SeenInside] = []
        self.unseen: set[str] = set()

    def see(
        self,
        entry: NamedLayer,
        outputs: Any,
        given: Sequence[tf.Tensor],
        outside: Sequence[SeenCall],
        *,
        is_backward: bool,
    ) -> Any:
        """Records a call as far as its statistics can leave the condition or loop; returns the outputs to use instead.

        Args:
            entry: the layer.
            outputs: what it returned.
            given: the tensors that it and the layers around it were called with.
            outside: the calls outside that have ended.
            is_backward: whether it is called in a backward pass.
        """
        if self._graph is None or is_backward or not is_within(self._graph):
            return self._not_seen(entry, outputs, reason(self._graph))
        self._reasons[entry.name] = _NOT_DIFFERENTIATED
        try:
            sources = self._wiring.sources(from_outside(given, self._graph))
            return taps.map_first_float(outputs, lambda value: self._tapped(entry, value, sources, outside))
        except Exception as error:  # All other layers can still be observed.
            return self._not_seen(entry, outputs, f"it is called inside a condition or loop, where {gist(error)}")

    def _not_seen(self, entry: NamedLayer, outputs: Any, why: str) -> Any:
        self._reasons[entry.name] = self._known_reasons[entry.name] = why
        self.unseen.add(entry.name)
        return outputs

    def _tapped(
        self, entry: NamedLayer, value: tf.Tensor, sources: tuple[str, ...], outside: Sequence[SeenCall]
    ) -> tf.Tensor:
        tapped, seen = see(entry, value, self._graph, hooks.tapes())
        number = 1 + sum(seen.name == other.name for other in [*outside, *self.calls])
        self.calls.append(dataclasses.replace(seen, number=number, sources=sources, place=len(outside)))
        return tapped


def is_within(graph: Any) -> bool:
    """Whether the current graph is that of a condition or loop in this one."""
    current = taps.current_graph()
    # Terminates: the outermost graph has no outer one.
    while current is not None and current is not graph:
        if type(current).__name__ not in _OF_THE_STEP:
            return False
        current = getattr(current, "outer_graph", None)
    return current is not None


def reason(graph: Any) -> str:
    """Why a call in the current graph cannot be observed, and what to do; `graph` is that of the step."""
    if graph is None:
        return "it is called inside a tf.function of an eager step; train without run_eagerly to observe it"
    if is_within(graph):
        return "it is called in a backward pass, a cell, or a loop in a loop; call it outside to observe it"
    return (
        "it is called inside a function, which its values cannot leave: a tf.function with jit_compile or attributes, "
        "tf.vectorized_map or the like; call the layer outside, or remove jit_compile, to observe it"
    )


def from_outside(tensors: Sequence[tf.Tensor], graph: Any) -> list[tf.Tensor]:
    """The tensors of this graph that the given ones, of graphs within it, were computed from, as far as known."""
    found: list[tf.Tensor] = []
    seen: set[Any] = set()
    waiting = list(tensors)
    # Terminates: each tensor is looked at once.
    while waiting:
        tensor = waiting.pop()
        # A constant that Python holds has no graph, and comes from no layer.
        if isinstance(tensor, tf.__internal__.EagerTensor) or tensor.ref() in seen:
            continue
        seen.add(tensor.ref())
        own = tensor.graph
        if own is graph:
            found.append(tensor)
            continue
        outer = [given for given, taken in getattr(own, "captures", ()) if taken is tensor]
        waiting += outer or list(tensor.op.inputs)
    return found


def see(entry: NamedLayer, value: tf.Tensor, graph: Any, tapes: Sequence[tf.GradientTape]) -> tuple[Any, SeenInside]:
    """Taps an output; returns what to use instead, and what was seen.

    Args:
        entry: the layer.
        value: the output.
        graph: of the step.
        tapes: those that record the step.
    """
    name = activation_name(entry.layer)
    axis = unit_axis(entry.layer, value.shape.rank)
    units = 0 if axis is None else value.shape[axis] or 0
    if not units or units > MAX_UNITS:
        axis, units = None, 0
    with graph.as_default(), tf.control_dependencies(None):
        slot = tf.zeros([sums.length(units)], tf.float64)
    for tape in tapes:
        tape.watch(slot)
    forward = tf.stop_gradient(sums.forward(value, axis, name))
    with taps.current_graph().gradient_override_map({"IdentityN": _GRADIENT}):
        tapped, *_ = tf.identity_n([value, forward, slot])
    return tapped, SeenInside(
        entry=entry,
        value=slot,
        models=frozenset(),
        points=(slot,),
        shape=value.shape,
        dtype=value.dtype.name,
        units=units,
        activation=name,
        is_bounded=name in BOUNDS,
    )
