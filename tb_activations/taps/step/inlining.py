"""Traces functions that the user compiled as part of the observed step instead of as separate graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """The Python function inside a `tf.function`, whose tensors then belong to the calling step.

    AutoGraph converts it as `tf.function` would. Any other function is returned unchanged.
    """
    compiled = getattr(function, "python_function", None)
    if compiled is None:
        return function
    converted: Callable[..., Any] = tf.__internal__.autograph.tf_convert(
        compiled, tf.__internal__.autograph.control_status_ctx(), user_requested=True
    )
    return converted


def as_part_of_caller(function: Any) -> Callable[..., Any]:
    """What a `tf.function` computes, as Python that adds operations to the graph of its caller.

    The caller may be traced without AutoGraph; the function is converted as its own arguments say.
    """
    plain: Callable[..., Any] = function.python_function
    if not getattr(function, "_autograph", True):
        return plain
    converted: Callable[..., Any] = tf.autograph.to_graph(plain)
    return converted


def is_plain(function: Any) -> bool:
    """Whether a `tf.function` computes the same when it is traced as a part of its caller.

    Functions of TensorFlow, Keras and this package stay as they are, and those that XLA compiles on their own.
    """
    module = str(getattr(function, "__module__", "") or "")
    is_own = module.partition(".")[0] in ("tensorflow", "keras", "keras_hub", "tb_activations")
    return not (is_own or getattr(function, "_jit_compile", None) or getattr(function, "_attributes", None))
