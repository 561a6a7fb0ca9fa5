"""The gradients at layer outputs: asked of the tape in a graph, taken from a tap in eager code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_activations.taps import taps
from tb_activations.taps.step.seen import Seen, SeenCall

Receive = Callable[[Seen, tf.Tensor], None]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Tensors whose gradients a backward pass is to compute as well, each with the call that it belongs to."""

    points: Sequence[tuple[Seen, tf.Tensor]] = ()
    receive: Receive = lambda *_: None

    @property
    def tensors(self) -> list[tf.Tensor]:
        return [tensor for _, tensor in self.points]

    def received(self, gradients: Sequence[Any]) -> None:
        """Hands on the gradients, which have the order of `tensors`; None marks a tensor without one."""
        for (seen, _), gradient in zip(self.points, gradients, strict=True):
            if gradient is not None:
                self.receive(seen, gradient)


def wanted(
    calls: Sequence[Seen], models: frozenset[str], receive: Receive, sources: Sequence[Any], *, is_filled: bool
) -> Wanted:
    """The outputs of these calls, for a backward pass to weights of `models`.

    Outputs that depend on none of the sources, such as those of a frozen base, are left out: the pass would go further
    only to compute their gradients.

    Args:
        calls: outputs of layers that belong only to other models are left out.
        models: names.
        sources: variables and tensors that the pass goes to.
        receive: gets the gradients. Of an output with logits it gets that of the logits first.
        is_filled: whether the pass returns zeros for tensors without a gradient. Zeros must not hide the gradient of
            the logits, so only that is asked for.
    """
    points: list[tuple[Seen, tf.Tensor]] = []
    depending = _depending_on(sources)
    for seen in calls:
        if seen.is_reached_by(models) and (depending is None or any(one in depending for one in seen.operations)):
            points += [(seen, tensor) for tensor in (seen.points[:1] if is_filled else seen.points)]
    return Wanted(points, receive)


def repeated(calls: Sequence[SeenCall], receive: Receive) -> Wanted:
    """The outputs of calls that were repeated within a backward pass."""
    return Wanted([(seen, tensor) for seen in calls for tensor in seen.repeats], receive)


def points(output: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """The tensors whose gradient is that of a layer's output in a graph: its logits, if it has any, and itself.

    A tensor that no tape has recorded is left out: a backward pass would go further only to compute its gradient.
    """
    logits = taps.logits(output)
    return tuple(tensor for tensor in (logits, output) if tensor is not None and taps.is_recorded(tensor))


def _depending_on(sources: Sequence[Any]) -> set[Any] | None:
    """The operations of the current graph that depend on one of these; None if that is unknown."""
    graph = tf.compat.v1.get_default_graph()
    try:
        starts = [_in_graph(source, graph) for source in sources]
    except (AttributeError, TypeError, ValueError):
        return None
    found: set[Any] = {start.op for start in starts}
    waiting = [operation for start in starts for operation in start.consumers()]
    # Terminates: each operation is looked at once.
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [reader for output in operation.outputs for reader in output.consumers()]
    return found


def _in_graph(source: Any, graph: Any) -> tf.Tensor:
    if isinstance(source, tf.Tensor):
        return source
    variable = source._value if isinstance(source, keras.Variable) else source
    return graph.capture(variable.handle)
