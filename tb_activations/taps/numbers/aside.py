"""Copies of operations aside from a traced step, for values that a step computes only on the way to others."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_BATCHED = frozenset({"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"})
_PRODUCTS = _BATCHED | {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul"}
_SUMS = frozenset({"AddV2", "Add", "BiasAdd"})
_FUNCTIONS = frozenset({"Elu", "Tanh", "Sigmoid", "LeakyRelu"})
"""Functions that are rounded differently when merged with the product before. `Relu` rounds nothing."""
_MERGING = {
    **dict.fromkeys(_PRODUCTS - _BATCHED, _SUMS | _FUNCTIONS),
    # Never with a bias: a second product would be most of what observing an attention layer takes.
    **dict.fromkeys(_BATCHED, (_SUMS - {"BiasAdd"}) | _FUNCTIONS | {"Mul"}),
    **dict.fromkeys(_SUMS | {"AddN"}, _SUMS | {"AddN"}),
    **dict.fromkeys(("Mul", "RealDiv"), _SUMS | {"AddN", "Maximum", "Mul", "RealDiv"}),
    # The parts of swish, mish and hard swish, which oneDNN computes at once.
    "Sigmoid": frozenset({"Mul"}),
    "Relu6": frozenset({"Mul"}),
    "Tanh": frozenset({"Mul"}),
    "Softplus": frozenset({"Tanh"}),
}
"""For each operation those that TensorFlow's graph optimizer may merge it with if nothing else reads its result."""


def aside(tensor: tf.Tensor) -> tf.Tensor:
    """The values of a tensor of the current graph, to be read without a change of the step.

    The graph optimizer merges operations if nothing else reads the values in between: sums of sums, or a product, the
    bias and a function. A further reader would prevent that and so change the last digits of the result. Such values
    are computed again from values that several operations read already, or that are not merged.

    Call it when the step is complete: it must know everything that reads the tensor.
    """
    if isinstance(tensor, tf.__internal__.EagerTensor):
        return tensor
    source = _source(tensor)
    return _again(source) if _is_merged(source) else tensor


_HANDING_ON = frozenset({"Identity", "IdentityN"})
"""Operations that the graph optimizer removes; functions with a custom gradient end in one."""


def _source(tensor: tf.Tensor) -> tf.Tensor:
    """The tensor whose values are only handed on until they are these."""
    # Terminates: inputs were created before their operation.
    while tensor.op.type in _HANDING_ON:
        tensor = tensor.op.inputs[tensor.value_index]
    return tensor


def _is_merged(tensor: tf.Tensor) -> bool:
    kind = tensor.op.type
    if kind == "RealDiv" and tensor.op.inputs[0].op.type in _SPREADING:
        # The gradient of a mean: divided before it is spread, however many operations read it.
        return True
    if kind not in _MERGING:
        return False
    readers = _readers(tensor)
    if len(readers) != 1:
        return False
    return readers[0].type in _MERGING[kind] or (readers[0].type in _FUNCTIONS and _is_sum_with_product(tensor.op))


def _is_sum_with_product(operation: Any) -> bool:
    """Whether this is a product with a bias, and perhaps the output of another layer, added to it."""
    return operation.type in _SUMS and any(
        _is_merged(value) and (value.op.type in _PRODUCTS or _is_sum_with_product(value.op))
        for value in operation.inputs
    )


_SPREADING = frozenset({"BroadcastTo", "Tile"})
_OF_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank"})
"""Operations that need no values: the graph optimizer replaces them before it merges others."""


def _readers(tensor: tf.Tensor) -> list[Any]:
    """The operations that read the values of a tensor, directly or through one that only hands them on; each once."""
    readers = []
    for operation in tensor.consumers():
        if operation.type in _HANDING_ON:
            for given, output in zip(operation.inputs, operation.outputs, strict=True):
                readers += _readers(output) if given is tensor else []
        elif operation.type not in _OF_SHAPES:
            readers.append(operation)
    return list(dict.fromkeys(readers))


def _again(tensor: tf.Tensor) -> tf.Tensor:
    operation = tensor.op
    inputs = [_again(value) if _is_merged(value) else value for value in operation.inputs]
    # Without an attribute of their own, the graph optimizer would replace the copies by the originals.
    mark = tf.compat.v1.AttrValue(b=True)
    # Merged with what follows, they are replaced nevertheless. The optimizer then adds terms in the order of their
    # names: a hyphen sorts before every other character of a name.
    with operation.graph.name_scope(None):
        copy = operation.graph.create_op(
            operation.type,
            inputs,
            [output.dtype for output in operation.outputs],
            name=f"{operation.name}-layer_health",
            attrs=dict(operation.node_def.attr) | {"_layer_health_aside": mark},
        )
    again: tf.Tensor = copy.outputs[tensor.value_index]
    return again
