"""Random numbers whose state TensorFlow keeps in the compiled step: `tf.random.normal` and its like."""

from __future__ import annotations

from typing import Any

_SEEDS = ("seed", "seed2")


def seeded_draws(graph: Any) -> tuple[str, ...]:
    """Types of the graph's operations that draw from a seed and a state of their own, sorted; () for eager code.

    The compiled steps with and without taps hold such a state each, so that a training of which some steps are observed
    draws other numbers than one of which none is. Without a seed no two trainings draw the same anyway. `keras.random`
    and `tf.random.Generator` keep their state in variables, which both steps share.
    """
    operations = graph.get_operations() if graph is not None else ()
    return tuple(sorted({operation.type for operation in operations if _is_seeded_draw(operation)}))


def _is_seeded_draw(operation: Any) -> bool:
    attributes = operation.node_def.attr
    return operation.op_def.is_stateful and any(attributes[name].i for name in _SEEDS if name in attributes)
