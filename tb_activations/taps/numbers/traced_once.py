"""Functions of a graph that are traced once, however many layers they are called for; and what compiles a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

ANY = tf.TensorSpec(None, tf.float32)
FLAG = tf.TensorSpec([], tf.bool)


def once(signature: list[tf.TensorSpec]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A `tf.function` that is traced once for this signature and not inlined into the graphs that call it.

    If it were inlined, TensorFlow would optimize its conditionals again for every layer, which takes longer than
    everything else.
    """
    whole = {"_noinline": True}
    return lambda f: tf.function(f, input_signature=signature, autograph=False, experimental_attributes=whole)


def is_for_xla() -> bool:
    """Whether the current graph is compiled by XLA, which lacks some operations and knows all lengths."""
    graph: Any = tf.compat.v1.get_default_graph()
    # Terminates: each graph and context was made within the next one.
    while graph is not None:
        context = graph._get_control_flow_context()
        while context is not None:
            if context.IsXLAContext():
                return True
            context = context.outer_context
        graph = getattr(graph, "outer_graph", None)
    return False
