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
