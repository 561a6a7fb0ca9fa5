"""The gradients at layer outputs: asked of the tape in a graph, taken from a tap in eager code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tb_activations.taps import taps
from tb_activations.taps.step.seen import SeenCall

Receive = Callable[[SeenCall, tf.Tensor], None]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Tensors whose gradients a backward pass is to compute as well, each with the call that it belongs to."""

    points: Sequence[tuple[SeenCall, tf.Tensor]] = ()
    receive: Receive = lambda *_: None

    @property
    def tensors(self) -> list[tf.Tensor]:
        return [tensor for _, tensor in self.points]

    def received(self, gradients: Sequence[Any]) -> None:
        """Hands on the gradients, which have the order of `tensors`; None marks a tensor without one."""
        for (seen, _), gradient in zip(self.points, gradients, strict=True):
            if gradient is not None:
                self.receive(seen, gradient)


def wanted(calls: Sequence[SeenCall], models: frozenset[str], receive: Receive, *, is_filled: bool) -> Wanted:
    """The outputs of these calls, for a backward pass to weights of `models`.

    Args:
        calls: outputs of layers that belong only to other models are left out.
        models: names.
        receive: gets the gradients. Of an output with logits it gets that of the logits first.
        is_filled: whether the pass returns zeros for tensors without a gradient. Zeros must not hide the gradient of
            the logits, so only that is asked for.
    """
    points = []
    for seen in calls:
        if seen.is_reached_by(models):
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
