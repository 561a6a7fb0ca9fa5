"""Functions of one tensor in a traced graph: where element-wise operations begin, and what they do to numbers."""

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
"""A function is followed back over so many operations; activation functions have a dozen at most."""

RESHAPING = frozenset({"Reshape", "ExpandDims", "Squeeze"})
_SAME = frozenset({"Identity", "IdentityN", "StopGradient", "PreventGradient", "EnsureShape", "CheckNumerics"})
PERMUTING = frozenset({"Transpose", "BroadcastTo"})
PASSING = RESHAPING | _SAME | PERMUTING
"""Operations that hand on the values of their first input (`IdentityN`: of every input)."""

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
"""Operations without state of which each element of the output depends on the same element of the inputs."""


@dataclasses.dataclass(frozen=True)
class Chain:
    """What a tensor was made of by element-wise operations alone.

    Attributes:
        root: the tensor that the function was applied to; the tensor itself where nothing was.
        function: the activation function on the way, None for none.
        after: the tensor right behind it.
        is_reshaped: whether values were given another shape between `root` and `after`, in the same order.
        is_permuted: whether they were put in another order.
    """

    root: tf.Tensor
    function: Function | None
    after: tf.Tensor
    is_reshaped: bool = False
    is_permuted: bool = False


def chain(tensor: tf.Tensor, stops: Container[Any]) -> Chain:
    """Follows a tensor of a graph back to what it is an element-wise function of.

    `stops` holds references (`tensor.ref()`) of tensors that are taken as they come.
    """
    cuts, operations = _cuts(tensor, stops)
    root = cuts[-1][0]
    none = Chain(root, None, root)
    if len(cuts) == 1 or not root.dtype.is_floating:
        return none
    try:
        found = _functions(root, [cut for cut, _ in cuts[:-1]], operations)
    except Exception as error:  # What cannot be evaluated is not recognized; the step itself does not need it.
        _LOGGER.debug("A function in the step cannot be evaluated (%s).", gist(error))
        return none
    place = _place(found)
    if place is None:
        return none
    after, begin = cuts[place]
    kinds = {operation.type for operation in operations[begin:]}
    return Chain(root, found[place], after, bool(kinds & RESHAPING), bool(kinds & PERMUTING))


def _place(found: Sequence[Function | None]) -> int | None:
    """Which of the functions on the way counts, the last one first; None if none is an activation function.

    Of those that silence units the last, which may add a cap; else the first that has a name, else the first.
    """
    functions = [(place, function) for place, function in enumerate(found) if function is not None]
    silencing = [place for place, function in functions if function.is_silencing]
    named = [place for place, function in functions if function.name not in NAMELESS]
    first = [place for place, _ in functions]
    if silencing:
        return silencing[0]
    return (named or first)[-1] if first else None


def origin(tensor: tf.Tensor, stops: Container[Any]) -> tf.Tensor:
    """The root of `chain`, without a look at the function."""
    return _cuts(tensor, stops)[0][-1][0]


def _cuts(tensor: tf.Tensor, stops: Container[Any]) -> tuple[list[tuple[tf.Tensor, int]], list[Any]]:
    """Tensors through which everything passes on its way to `tensor`, nearest first.

    With each the number of operations behind it; and all the operations, the last one first.
    """
    cuts: list[tuple[tf.Tensor, int]] = [(tensor, 0)]
    operations: list[Any] = []
    frontier = {tensor.ref(): tensor}
    # Every turn takes one operation more.
    while len(operations) < MOST_OPERATIONS:
        # The latest first, so that nothing is passed before all that was computed from it.
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
    """The tensor whose values this one hands on, None if it has its own."""
    operation = tensor.op
    if operation.type not in PASSING or not len(operation.inputs):
        return None
    value: tf.Tensor = operation.inputs[tensor.value_index if operation.type == "IdentityN" else 0]
    return value


def _arguments(tensor: tf.Tensor) -> list[tf.Tensor] | None:
    """What the elements of a tensor are computed from, None where they are not computed element by element."""
    handed = passed(tensor)
    if handed is not None:
        return [handed]
    return list(tensor.op.inputs) if tensor.op.type in ELEMENTWISE else None


def _constant(tensor: tf.Tensor) -> Any:
    """The one number that a constant tensor is full of, as an array without axes; None where it is not constant."""
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
    """The value of an eager constant that the graph took from outside."""
    for outer, inner in getattr(tensor.graph, "captures", ()):
        if inner is tensor and isinstance(outer, tf.__internal__.EagerTensor) and outer.dtype != tf.resource:
            return outer.numpy() if outer.shape.num_elements() == 1 else None
    return None


def _functions(root: tf.Tensor, cuts: list[tf.Tensor], operations: list[Any]) -> tuple[Function | None, ...]:
    """What each of `cuts` is of `root`."""
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
    """The functions that a graph computes of its placeholder "grid"; the same ones come up step after step."""
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
    """How exactly functions are computed in this type, relatively."""
    return 0.02 if dtype in ("float16", "bfloat16") else 1e-3
