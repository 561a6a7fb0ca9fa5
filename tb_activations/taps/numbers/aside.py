"""Copies of operations aside from a traced step, for values that a step computes only on the way to others."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_PRODUCTS = frozenset(
    {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"}
)
_MERGED = _PRODUCTS | {"BiasAdd", "AddV2", "Add"}
"""Operations that TensorFlow's graph optimizer merges with the one that follows."""
_MERGING = frozenset({"BiasAdd", "AddV2", "Add", "AddN", "Mul", "Elu", "Tanh", "Sigmoid", "LeakyRelu"})
"""Operations that it merges with the ones before, and that are then rounded differently. `Relu` rounds nothing."""


def aside(tensor: tf.Tensor) -> tf.Tensor:
    """The values of a tensor of the current graph, to be read without a change of the step.

    The graph optimizer merges a product, the bias and a function into one operation if nothing else reads the values
    in between. A further reader would prevent that and so change the last digits of the result. Such values are
    computed again from the inputs of the product.

    Call it when the step is complete: it must know everything that reads the tensor.
    """
    return _again(tensor) if not isinstance(tensor, tf.__internal__.EagerTensor) and _is_merged(tensor) else tensor


def _is_merged(tensor: tf.Tensor) -> bool:
    if tensor.op.type not in _MERGED or not _has_product(tensor.op):
        return False
    readers = _readers(tensor)
    return len(readers) == 1 and readers[0].type in _MERGING


def _has_product(operation: Any) -> bool:
    return operation.type in _PRODUCTS or any(value.op.type in _MERGED and _has_product(value.op) for value in operation.inputs)


def _readers(tensor: tf.Tensor) -> list[Any]:
    """The operations that read a tensor, directly or through an operation that only hands it on."""
    readers = []
    for operation in tensor.consumers():
        readers += _readers(operation.outputs[0]) if operation.type == "Identity" else [operation]
    return readers


def _again(tensor: tf.Tensor) -> tf.Tensor:
    operation = tensor.op
    inputs = [_again(value) if _is_merged(value) else value for value in operation.inputs]
    # Without an attribute of their own, the graph optimizer would replace the copies by the originals.
    mark = tf.compat.v1.AttrValue(b=True)
    copy = operation.graph.create_op(
        operation.type,
        inputs,
        [output.dtype for output in operation.outputs],
        name="layer_health_aside",
        attrs=dict(operation.node_def.attr) | {"_layer_health_aside": mark},
    )
    again: tf.Tensor = copy.outputs[tensor.value_index]
    return again
