"""Several steps in one call, as Keras runs them for `steps_per_execution`: what they need in Keras' own loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf


class Handover:
    """Passes batches that are already here to a function that takes a `tf.data` iterator of this type.

    Args:
        spec: the type of the items, as an input signature for `tf.function`.

    Raises:
        TypeError, ValueError: a `tf.data` iterator cannot yield such items from Python.
    """

    def __init__(self, spec: Any) -> None:
        self.spec = spec
        self._batches: Sequence[Any] = ()
        # One dataset for all executions: each would be traced.
        self._dataset = tf.data.Dataset.from_generator(lambda: iter(self._batches), output_signature=spec)

    def of(self, batches: Sequence[Any]) -> Iterator[Any]:
        """An iterator over these batches; the one before must not be used any more."""
        self._batches = batches
        iterator: Iterator[Any] = iter(self._dataset)
        return iterator


class FirstOfExecution:
    """Keeps a vector of the first step of an execution. Only what the last step returns leaves Keras' loop."""

    def __init__(self) -> None:
        # A float, because integer variables are not supported on every device.
        self._step = tf.Variable(0.0, trainable=False, name="layer_health_step")
        self._kept: tf.Variable | None = None

    def begin(self) -> None:
        """Makes the next step the first one."""
        self._step.assign(0.0)

    def see(self, vector: tf.Tensor) -> None:
        """Takes the vector of a step, while the step is traced; nothing if its shape is not known."""
        if not vector.shape.is_fully_defined():
            return
        with tf.init_scope():
            if self._kept is None or self._kept.shape != vector.shape:
                self._kept = tf.Variable(tf.zeros(vector.shape), trainable=False, name="layer_health_first")
        self._kept.assign(tf.where(tf.equal(self._step, 0.0), vector, self._kept))
        self._step.assign_add(1.0)

    def vector(self) -> tf.Tensor | None:
        """That of the first step since `begin`."""
        return None if self._kept is None else self._kept.read_value()
