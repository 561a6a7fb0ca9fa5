"""Random operations whose state TensorFlow keeps in the compiled step, such as `tf.random.normal`."""

from __future__ import annotations

from typing import Any

_SEEDS = ("seed", "seed2")


def seeded_draws(graph: Any) -> tuple[str, ...]:
    """Types of the graph's seeded operations that keep their own random state, sorted; () for eager code.

    The compiled steps with and without taps each hold such a state. A training with observed steps therefore draws
    different numbers than one without. Unseeded operations differ between trainings anyway. `keras.random` and
    `tf.random.Generator` keep their state in variables, which both steps share.
    """
    operations = graph.get_operations() if graph is not None else ()
    return tuple(sorted({operation.type for operation in operations if _is_seeded_draw(operation)}))


def _is_seeded_draw(operation: Any) -> bool:
    attributes = operation.node_def.attr
    return operation.op_def.is_stateful and any(attributes[name].i for name in _SEEDS if name in attributes)
