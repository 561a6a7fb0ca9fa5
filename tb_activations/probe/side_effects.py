"""Side effects of calling a model, found in its graph before the model is called."""

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
    "Stateful",  # draws of tf.random.Generator, and calls of functions, whose operations are checked as well
    "NonDeterministicInts",
)
_LOCAL = ("TensorArray", "CudnnRNN", "If", "While", "Case", "For", "Assert", "CheckNumerics", "Print")
_LOOKUPS = ("LookupTableFind", "LookupTableSize", "LookupTableExport")
_HARMLESS = (*READING, *_VARIABLES, *_LOCAL, *_LOOKUPS)
"""Prefixes of stateful operation types that change only variables, or nothing persistent."""
_SEEDS = ("seed", "seed2")


@dataclasses.dataclass(frozen=True)
class SideEffect:
    """A persistent change that a call would make.

    Attributes:
        what: description of the operation.
        layer: name of the layer that has it, "" if unknown.
    """

    what: str
    layer: str = ""

    def __str__(self) -> str:
        return f"{self.what} of layer {self.layer!r}" if self.layer else self.what


def side_effects(model: keras.Model, x: Any, *, with_gradient: bool = False) -> list[SideEffect]:
    """Changes by calls of the model that `restored` cannot undo; empty if there are none.

    The model is traced in inference mode and in training mode; none of its operations is run. Its Python code does run
    while it is traced, and is not checked.

    Args:
        model: any Keras model that can be called.
        x: a (structure of) tensors with samples on the first axis.
        with_gradient: whether the gradient with respect to `x` is traced too, in inference mode.
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
        # Without a graph seed only the draws of layers that set a seed have one.
        tf.compat.v1.get_default_graph().seed = None
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            floats = [part for part in keras.tree.flatten(inputs) if part.dtype.is_floating]
            tape.watch(floats)
            outputs = model(inputs, training=training)
        return (outputs, tape.gradient(outputs, floats)) if with_gradient and floats else outputs

    specs = keras.tree.map_structure(lambda part: tf.TensorSpec(part.shape, part.dtype), x)
    return tf.function(call, autograph=False).get_concrete_function(specs).graph


def _nodes(graph: Any) -> Iterator[tuple[str, Any]]:
    """Every operation, also of called functions, with the name of its caller in the model's own graph."""
    functions = {function.signature.name: function.node_def for function in graph.library.function}
    waiting = [(node.name, node) for node in graph.node]
    # Terminates: a function is removed from `functions` at its first call.
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
        # An operation without a definition is a function call.
        return False
    if all(name in node.attr for name in _SEEDS):
        # A compiled step has its own state for a seeded draw; eager code shares it with the training.
        return is_eager and any(node.attr[name].i for name in _SEEDS)
    return True


def _layer(place: str, layers: Collection[str]) -> str:
    """The innermost layer whose name scope contains the place; a scope that is reopened gets a number."""
    scopes = [(part, re.sub(r"_\d+$", "", part)) for part in reversed(place.split("/"))]
    return next((name for names in scopes for name in names if name in layers), "")


def _hidden_variables(graph: Any) -> Iterator[SideEffect]:
    """Variables of the graph that `alive` does not find, as after `gc.freeze`."""
    known = {id(variable._handle) for variable in alive()}
    for captured, _ in graph.captures:
        data = getattr(captured, "_handle_data", None)
        if captured.dtype == tf.resource and data is not None and data.is_set and id(captured) not in known:
            yield SideEffect("a variable unknown to the garbage collector")
