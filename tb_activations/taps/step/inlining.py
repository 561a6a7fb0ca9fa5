"""Functions that the user compiled, traced as a part of the observed step instead of as a graph of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a `tf.function` compiles, so that its tensors belong to the step that calls it; another function as it is.

    Python code that depends on tensors is converted as `tf.function` would convert it.
    """
    compiled = getattr(function, "python_function", None)
    if compiled is None:
        return function
    converted: Callable[..., Any] = tf.__internal__.autograph.tf_convert(
        compiled, tf.__internal__.autograph.control_status_ctx(), user_requested=True
    )
    return converted
