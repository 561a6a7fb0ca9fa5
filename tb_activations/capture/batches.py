"""The batches of one execution, taken out of Keras' iterator before anything is done with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Batches:
    """At least one batch, all of the same type.

    Attributes:
        items: what a train step is given, one after the other.
        spec: the type of each, as `tf.function` takes it for an input signature.
    """

    items: Sequence[Any]
    spec: Any


def take(iterator: Any, count: int) -> Batches:
    """The next `count` batches, fewer where the data end.

    Raises:
        StopIteration, OutOfRangeError: there is none left.
    """
    items = [next(iterator)]
    try:
        while len(items) < count:
            items.append(next(iterator))
    except (StopIteration, tf.errors.OutOfRangeError):
        # The next execution finds the end again.
        pass
    spec = getattr(iterator, "element_spec", None)
    if spec is None:
        spec = tf.nest.map_structure(tf.type_spec_from_value, items[0])
    return Batches(items, spec)
