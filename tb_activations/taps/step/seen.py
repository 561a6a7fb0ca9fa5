"""What the taps saw in an observed step: calls of layers, and parts of layers such as cells and gates."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_activations.taps.layers import NamedLayer, activation_name, is_moving

NONE = (None, "linear")
"""Activation names of layers without an activation function."""


@dataclasses.dataclass(eq=False)
class Begun:
    """A call in progress: the floating-point tensors among its arguments, and whether other layers run within it."""

    inputs: tuple[tf.Tensor, ...]
    is_composite: bool = False


@dataclasses.dataclass(eq=False, kw_only=True)
class Seen:
    """Values of one forward pass, and the gradients at them.

    Attributes:
        entry: the layer.
        value: a floating-point tensor.
        models: names of the models that hold the layer.
        points: the tensors whose gradient a backward pass is asked for.
        gradients: the gradient for each differentiated loss, by the loss's index.
    """

    entry: NamedLayer
    value: tf.Tensor
    models: frozenset[str]
    points: tuple[tf.Tensor, ...] = ()
    gradients: dict[int, tf.Tensor] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the row in the layer table."""
        return self.entry.name

    @property
    def operations(self) -> Sequence[Any]:
        """Those in the graph of the step that the values come from."""
        return [self.value.op]

    def is_reached_by(self, models: frozenset[str]) -> bool:
        """Whether a backward pass to weights of these models counts for these values."""
        return not self.models or bool(self.models & models)


@dataclasses.dataclass(frozen=True, eq=False)
class Gates:
    """The gates of one cell.

    Attributes:
        values: `[batch, time, gates, ...]`; of large cells, only the first samples.
        mask: `[batch, time]`, false where the values are padding; None without a mask.
        names: of their activation functions, "" for none.
    """

    values: tf.Tensor
    mask: tf.Tensor | None
    names: tuple[str, ...]


@dataclasses.dataclass(eq=False, kw_only=True)
class SeenPart(Seen):
    """A part of a layer with a row of its own: the cell of a recurrent layer, or a gate in it.

    Attributes:
        value: `[batch, time, ...]`, in the order in which the loop ran; of a gate, that of all gates together.
        layer: name of the layer that it is a part of.
        part: its name in the layer `entry`, "" for `entry` itself.
        class_name: what kind of part it is.
        activation: name of the function that it ends in; None for none.
        is_gate: whether other values are multiplied by it.
        mask: `[batch, time]`, false where the values are padding; None without a mask.
        number: 1 for the layer's first call in the step.
        is_cell: whether it is a cell itself, and not a gate or a layer in one.
        gates: all gates of the cell, and the place of this one among them; None for what is no gate.
    """

    layer: str
    part: str
    class_name: str
    activation: str | None
    is_gate: bool
    mask: tf.Tensor | None = None
    number: int = 1
    is_cell: bool = False
    gates: tuple[Gates, int] | None = None

    @property
    def name(self) -> str:
        """Of the row in the layer table."""
        return f"{self.entry.name}/{self.part}" if self.part else self.entry.name


@dataclasses.dataclass(eq=False, kw_only=True)
class SeenInside(Seen):
    """A call in a condition or loop; its statistics arrive as the gradient at `value`, a slot of zeros outside.

    Attributes:
        shape: of the output.
        dtype: of the output.
        units: number of units, 0 for none.
        activation: name of the layer's activation function.
        is_bounded: whether that function has bounds.
        number: 1 for the layer's first call in the step.
        sources: names of the layers that it was computed from.
        place: how many calls outside had ended before.
    """

    shape: tf.TensorShape
    dtype: str
    units: int
    activation: str | None
    is_bounded: bool
    number: int = 1
    sources: tuple[str, ...] = ()
    place: int = 0

    def whole_sums(self) -> tf.Tensor:
        """Those of the output and of its gradient; with several losses, the gradient of the first."""
        return next(iter(self.gradients.values()))

    @property
    def operations(self) -> Sequence[Any]:
        """The conditions and loops that take the slot."""
        found: Sequence[Any] = self.value.consumers()
        return found


@dataclasses.dataclass(eq=False, kw_only=True)
class SeenCall(Seen):
    """The inputs and the output of one call of a layer.

    Attributes:
        value: the first floating-point tensor that the layer returned.
        number: 1 for the layer's first call in the step.
        inputs: the floating-point tensors among the arguments, in order.
        output: the tensor that other layers receive: `value`, or the same values as another tensor.
        sources: names of the layers that it was computed from.
        is_composite: whether other observed layers were called within the call.
        points: empty in eager code.
        repeats: the outputs of calls within a backward pass that repeat this one, in a graph.
    """

    number: int
    inputs: tuple[tf.Tensor, ...]
    output: tf.Tensor
    sources: tuple[str, ...]
    is_composite: bool
    repeats: list[tf.Tensor] = dataclasses.field(default_factory=list)

    def release(self) -> None:
        """Drops the tensors, which an eager step would otherwise keep in memory."""
        self.inputs = ()
        self.value = self.output = tf.zeros([0])

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
