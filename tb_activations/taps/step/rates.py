"""The learning rates of the optimizers that a step applies."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf


class Rates:
    """Learning rates of the first and the last optimizer of a step; those between them do not count.

    Attributes:
        last: of the last one, NaN before any.
    """

    def __init__(self) -> None:
        self.last: float | tf.Tensor = math.nan
        self._first: tuple[Any, tf.Tensor] | None = None
        self._latest: Any = None

    def see(self, optimizer: Any, rate: tf.Tensor) -> None:
        """Takes in the rate of an optimizer that is applied."""
        self._first = self._first or (optimizer, rate)
        self._latest, self.last = optimizer, rate

    @property
    def first(self) -> float | tf.Tensor:
        """Of the first optimizer; NaN if it is also the last one."""
        return math.nan if self._first is None or self._first[0] is self._latest else self._first[1]
