"""What a call of a model does beside computing, read from its graph before it is called."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from tb_activations.probe.variables import READING, alive

_VARIABLES = (
    "Assign",  # and AssignAdd, AssignSub, each followed by Variable
    "ResourceApply",
    "ResourceScatter",
    "ResourceSparseApply",
    "ResourceStridedSliceAssign",
    "ResourceCountUpTo",
    "Rng",
    "Stateful",  # draws of tf.random.Generator, and calls of functions, whose own operations are looked at
    "NonDeterministicInts",
)
_LOCAL = ("TensorArray", "CudnnRNN", "If", "While", "Case", "For", "Assert", "CheckNumerics", "Print")
_LOOKUPS = ("LookupTableFind", "LookupTableSize", "LookupTableExport")
_HARMLESS = (*READING, *_VARIABLES, *_LOCAL, *_LOOKUPS)
"""Beginnings of the types of stateful operations that change nothing but variables, or nothing that lasts."""
_SEEDS = ("seed", "seed2")


@dataclasses.dataclass(frozen=True)
class SideEffect:
    """What a call would change for good.

    Attributes:
        what: in words.
        layer: name of the layer that does it, "" if it is not known.
    """

    what: str
    layer: str = ""

    def __str__(self) -> str:
        return f"{self.what} of layer {self.layer!r}" if self.layer else self.what


def side_effects(model: keras.Model, x: Any, *, with_gradient: bool = False) -> list[SideEffect]:
    """What calls of the model would change that `restored` does not give back; empty if there is nothing of the kind.

    The model is traced in inference mode and in training mode, no operation of it is run. What its Python code does
    while it is traced happens: it cannot be seen here.

    Args:
        model: any Keras model that can be called.
        x: a (structure of) tensors with samples on the first axis.
        with_gradient: whether the gradient with respect to `x` is to be taken too, in inference mode.
    """
    layers = {layer.name for layer in model._flatten_layers()}
    found: dict[SideEffect, None] = {}
    for training in (False, True):
        graph = _trace(model, x, training, with_gradient and not training)
        for place, node in _nodes(graph.as_graph_def()):
            if _is_side_effect(node, is_eager=bool(model.run_eagerly)):
                found[SideEffect(f"operation {node.op}", _layer(place, layers))] = None
        found |= dict.fromkeys(_hidden_variables(graph))
    return list(found)


def _trace(model: keras.Model, x: Any, training: bool, with_gradient: bool) -> Any:
    def call(inputs: Any) -> Any:
        # Only draws whose layer asked for a seed are to have one.
        tf.compat.v1.get_default_graph().seed = None
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            floats = [part for part in keras.tree.flatten(inputs) if part.dtype.is_floating]
            tape.watch(floats)
            outputs = model(inputs, training=training)
        return (outputs, tape.gradient(outputs, floats)) if with_gradient and floats else outputs

    specs = keras.tree.map_structure(lambda part: tf.TensorSpec(part.shape, part.dtype), x)
    return tf.function(call, autograph=False).get_concrete_function(specs).graph


def _nodes(graph: Any) -> Iterator[tuple[str, Any]]:
    """Every operation, those of called functions too, with the name of the operation of the model's own graph."""
    functions = {function.signature.name: function.node_def for function in graph.library.function}
    waiting = [(node.name, node) for node in graph.node]
    # Ends, since a function leaves `functions` when it is called first.
    while waiting:
        place, node = waiting.pop()
        yield place, node
        for name in _called(node):
            waiting += [(place, inner) for inner in functions.pop(name, ())]


def _called(node: Any) -> Iterator[str]:
    for attribute in node.attr.values():
        yield attribute.func.name
        yield from (function.name for function in attribute.list.func)


def _is_side_effect(node: Any, is_eager: bool) -> bool:
    definition = op_def_registry.get(node.op)
    if definition is None or not definition.is_stateful or node.op.startswith(_HARMLESS):
        # Without a definition it is a call of a function.
        return False
    if all(name in node.attr for name in _SEEDS):
        # Compiled steps keep the state of a seeded draw to themselves; eager ones share it.
        return is_eager and any(node.attr[name].i for name in _SEEDS)
    return True


def _layer(place: str, layers: Collection[str]) -> str:
    """The innermost layer whose name scope the place is in; a scope that is opened again gets a number."""
    scopes = [(part, re.sub(r"_\d+$", "", part)) for part in reversed(place.split("/"))]
    return next((name for names in scopes for name in names if name in layers), "")


def _hidden_variables(graph: Any) -> Iterator[SideEffect]:
    """Variables of the graph that nobody finds, as after `gc.freeze`."""
    known = {id(variable._handle) for variable in alive()}
    for captured, _ in graph.captures:
        data = getattr(captured, "_handle_data", None)
        if captured.dtype == tf.resource and data is not None and data.is_set and id(captured) not in known:
            yield SideEffect("a variable that the garbage collector does not list")
