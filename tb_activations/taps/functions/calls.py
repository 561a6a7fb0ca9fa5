"""Element-wise functions in a traced graph: the tensor they start from, and which activation function they compute."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Container, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tb_activations.taps.functions.recognition import GRID, NAMELESS, Function, Values, classify
from tb_activations.taps.gist import gist

_LOGGER = logging.getLogger("tb_activations")

MOST_OPERATIONS = 64
"""How many operations are followed back; activation functions have a dozen at most."""

RESHAPING = frozenset({"Reshape", "ExpandDims", "Squeeze"})
_SAME = frozenset({"Identity", "IdentityN", "StopGradient", "PreventGradient", "EnsureShape", "CheckNumerics"})
PERMUTING = frozenset({"Transpose", "BroadcastTo"})
PASSING = RESHAPING | _SAME | PERMUTING
"""Operations that pass on the values of their first input (`IdentityN`: of every input)."""

_CONSTANT = {"ZerosLike": 0, "OnesLike": 1}
ELEMENTWISE = frozenset(
    {
        *("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Tanh", "Sigmoid", "Softplus", "Softsign", "Cast"),
        *("Exp", "Expm1", "Log", "Log1p", "Abs", "Neg", "Sign", "Square", "Sqrt", "Rsqrt", "Reciprocal", "Inv"),
        *("Erf", "Erfc", "Atan", "Sin", "Cos", "Sinh", "Cosh", "Asinh", "Floor", "Ceil", "Round", "Rint", "IsNan"),
        *("AddV2", "Add", "AddN", "Sub", "Mul", "MulNoNan", "RealDiv", "Div", "DivNoNan", "Pow", "SquaredDifference"),
        *("Maximum", "Minimum", "ClipByValue", "SelectV2", "Select", "Atan2", "FloorDiv", "FloorMod", "IsFinite"),
        *("Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual"),
        *("LogicalAnd", "LogicalOr", "LogicalNot"),
    }
)
"""Stateless operations whose output elements each depend only on the same element of the inputs."""


@dataclasses.dataclass(frozen=True)
class Chain:
    """The element-wise operations that end in a tensor.

    Attributes:
        root: the tensor that they start from; the tensor itself if there are none.
        function: the activation function among them, None without one.
        after: the function's result.
        is_reshaped: whether values were reshaped between `root` and `after`, keeping their order.
        is_permuted: whether they were reordered.
    """

    root: tf.Tensor
    function: Function | None
    after: tf.Tensor
    is_reshaped: bool = False
    is_permuted: bool = False


def chain(tensor: tf.Tensor, stops: Container[Any]) -> Chain:
    """Follows a tensor of a graph back to the tensor that it is an element-wise function of.

    `stops` holds references (`tensor.ref()`) of tensors at which the search ends.
    """
    cuts, operations = _cuts(tensor, stops)
    root = cuts[-1][0]
    none = Chain(root, None, root)
    if len(cuts) == 1 or not root.dtype.is_floating:
        return none
    try:
        found = _functions(root, [cut for cut, _ in cuts[:-1]], operations)
    except Exception as error:  # Only the recognition is lost; the step does not depend on it.
        _LOGGER.debug("A function in the step cannot be evaluated (%s).", gist(error))
        return none
    place = _place(found)
    if place is None:
        return none
    after, begin = cuts[place]
    kinds = {operation.type for operation in operations[begin:]}
    return Chain(root, found[place], after, bool(kinds & RESHAPING), bool(kinds & PERMUTING))


def _place(found: Sequence[Function | None]) -> int | None:
    """The place of the function that counts, in a list with the last function first; None without any.

    The last function that silences units, because it may add a cap. Otherwise the first one applied that has a name,
    otherwise the first one applied.
    """
    functions = [(place, function) for place, function in enumerate(found) if function is not None]
    silencing = [place for place, function in functions if function.is_silencing]
    named = [place for place, function in functions if function.name not in NAMELESS]
    first = [place for place, _ in functions]
    if silencing:
        return silencing[0]
    return (named or first)[-1] if first else None


def origin(tensor: tf.Tensor, stops: Container[Any]) -> tf.Tensor:
    """The root of `chain`, without recognizing the function."""
    return _cuts(tensor, stops)[0][-1][0]


def _cuts(tensor: tf.Tensor, stops: Container[Any]) -> tuple[list[tuple[tf.Tensor, int]], list[Any]]:
    """Tensors that every path to `tensor` passes through, nearest first, and the operations, the last one first.

    Each tensor comes with the number of operations between it and `tensor`.
    """
    cuts: list[tuple[tf.Tensor, int]] = [(tensor, 0)]
    operations: list[Any] = []
    frontier = {tensor.ref(): tensor}

    while len(operations) < MOST_OPERATIONS:
        # Operations are numbered as they are made. Taking the latest first ensures that a tensor is expanded only after
        # everything that was computed from it.
        latest = max(frontier.values(), key=lambda value: value.op._id)
        inputs = None if latest.ref() in stops else _arguments(latest)
        if inputs is None:
            break
        del frontier[latest.ref()]
        operations.append(latest.op)
        frontier |= {value.ref(): value for value in inputs if _constant(value) is None}
        if not frontier:
            break
        if len(frontier) == 1:
            cuts.append((next(iter(frontier.values())), len(operations)))
    return cuts, operations[: cuts[-1][1]]


def passed(tensor: tf.Tensor) -> tf.Tensor | None:
    """The tensor whose values this one passes on, None if it computes its own."""
    operation = tensor.op
    if operation.type not in PASSING or not len(operation.inputs):
        return None
    value: tf.Tensor = operation.inputs[tensor.value_index if operation.type == "IdentityN" else 0]
    return value


def _arguments(tensor: tf.Tensor) -> list[tf.Tensor] | None:
    """The tensors that a tensor is computed from element by element; None if it is computed otherwise."""
    handed = passed(tensor)
    if handed is not None:
        return [handed]
    return list(tensor.op.inputs) if tensor.op.type in ELEMENTWISE else None


def _constant(tensor: tf.Tensor) -> Any:
    """The single number that fills a constant tensor, as an array without axes; None for any other tensor."""
    operation = tensor.op
    if operation.type in _CONSTANT:
        return np.array(_CONSTANT[operation.type], tensor.dtype.as_numpy_dtype)
    if operation.type == "Fill":
        return _constant(operation.inputs[1])
    value = tf.get_static_value(tensor)
    if value is None and operation.type == "Placeholder":
        value = _captured(tensor)
    if value is None or tensor.dtype == tf.string or not value.size or np.any(value != value.flat[0]):
        return None
    return np.asarray(value).reshape(-1)[0].reshape(())


def _captured(tensor: tf.Tensor) -> Any:
    """The value of an eager constant that the graph captured; None for anything else."""
    for outer, inner in getattr(tensor.graph, "captures", ()):
        if inner is tensor and isinstance(outer, tf.__internal__.EagerTensor) and outer.dtype != tf.resource:
            return outer.numpy() if outer.shape.num_elements() == 1 else None
    return None


def _functions(root: tf.Tensor, cuts: list[tf.Tensor], operations: list[Any]) -> tuple[Function | None, ...]:
    """The activation function that each of `cuts` is of `root`."""
    graph, names = tf.compat.v1.GraphDef(), {root.ref(): "grid:0"}
    node = graph.node.add(name="grid", op="Placeholder")
    node.attr["dtype"].type = root.dtype.as_datatype_enum
    for place, operation in enumerate(reversed(operations)):
        if operation.type in PASSING:
            for output in operation.outputs:
                handed = passed(output)
                if handed is not None and handed.ref() in names:
                    names[output.ref()] = names[handed.ref()]
            continue
        inputs = [names.get(value.ref()) or _add_constant(graph, value) for value in operation.inputs]
        node = graph.node.add(name=f"n{place}", op=operation.type, input=inputs)
        for key, attribute in operation.node_def.attr.items():
            if not key.startswith("_"):
                node.attr[key].CopyFrom(attribute)
        names[operation.outputs[0].ref()] = f"n{place}:0"
    outputs = tuple(names[cut.ref()] for cut in cuts)
    return _evaluated(graph.SerializeToString(deterministic=True), outputs, root.dtype.name)


def _add_constant(graph: Any, tensor: tf.Tensor) -> str:
    name, value = f"c{len(graph.node)}", _constant(tensor)
    node = graph.node.add(name=name, op="Const")
    node.attr["dtype"].type = tensor.dtype.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, tensor.dtype, []))
    return f"{name}:0"


@functools.lru_cache(maxsize=256)
def _evaluated(graph: bytes, outputs: tuple[str, ...], dtype: str) -> tuple[Function | None, ...]:
    """The functions that a graph computes of its placeholder "grid". Cached: retraced steps contain the same ones."""
    with tf.Graph().as_default() as scratch:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(graph), name="")
        config = tf.compat.v1.ConfigProto(device_count={"GPU": 0}, inter_op_parallelism_threads=1)
        with tf.compat.v1.Session(graph=scratch, config=config) as session:
            grid = GRID.astype(tf.as_dtype(dtype).as_numpy_dtype)
            results = session.run(outputs, {"grid:0": grid})
    x = grid.astype(np.float64)
    return tuple(_classified(x, np.asarray(result), dtype) for result in results)


def _classified(x: Values, result: Any, dtype: str) -> Function | None:
    if result.size != x.size or result.dtype == bool:
        return None
    return classify(x, result.astype(np.float64).reshape(-1), tolerance(dtype))


def tolerance(dtype: str) -> float:
    """Relative precision with which functions are computed in this type."""
    return 0.02 if dtype in ("float16", "bfloat16") else 1e-3
