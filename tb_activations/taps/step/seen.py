"""A layer's call within an observed step, as the taps saw it."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from tb_activations.taps.layers import NamedLayer, activation_name, is_moving

NONE = (None, "linear")
"""Activation names of layers without an activation function."""


@dataclasses.dataclass(eq=False)
class SeenCall:
    """The inputs and the output of one call of a layer.

    Attributes:
        entry: the layer.
        number: 1 for the layer's first call in the step.
        inputs: the floating-point tensors among the arguments, in order.
        value: the first floating-point tensor that the layer returned.
        output: the tensor that other layers receive: `value`, or the same values as another tensor.
        sources: names of the layers that it was computed from.
        models: names of the models that hold the layer.
        is_composite: whether other observed layers were called within the call.
        points: the tensors whose gradient a backward pass is asked for, in a graph.
        repeats: the outputs of calls within a backward pass that repeat this one, in a graph.
        gradients: the gradient at `output` for each differentiated loss, by the loss's index.
    """

    entry: NamedLayer
    number: int
    inputs: tuple[tf.Tensor, ...]
    value: tf.Tensor
    output: tf.Tensor
    sources: tuple[str, ...]
    models: frozenset[str]
    is_composite: bool
    points: tuple[tf.Tensor, ...] = ()
    repeats: list[tf.Tensor] = dataclasses.field(default_factory=list)
    gradients: dict[int, tf.Tensor] = dataclasses.field(default_factory=dict)

    def release(self) -> None:
        """Drops the tensors, which an eager step would otherwise keep in memory."""
        self.inputs = ()
        self.value = self.output = tf.zeros([0])

    def is_reached_by(self, models: frozenset[str]) -> bool:
        """Whether a backward pass to weights of these models counts for this call."""
        return not self.models or bool(self.models & models)

    @property
    def own_activation(self) -> str | None:
        """Name of the layer's own activation function."""
        return activation_name(self.entry.layer)

    @property
    def is_transparent(self) -> bool:
        """Whether the layer only passes on its input: a function applied after it belongs to the previous layer."""
        return is_moving(self.entry.layer) and len(self.inputs) == 1 and not self.is_composite


def floats(nest: Any) -> tuple[tf.Tensor, ...]:
    """The floating-point tensors in a nest, in order."""
    values = keras.tree.flatten(nest)
    return tuple(value for value in values if isinstance(value, tf.Tensor) and value.dtype.is_floating)
