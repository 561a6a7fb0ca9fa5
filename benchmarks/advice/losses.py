"""Changes of the loss of a training."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import keras

from benchmarks.advice.changes import Change, NotPossible
from benchmarks.advice.parts import recompile, safe_operations
from benchmarks.cases.base import Training

LEAST = 1e-7
"""Lower bound of the argument of a logarithm or root in a mended loss."""


@dataclasses.dataclass(frozen=True)
class Loss(Change):
    """Another loss: its name, or a loss object."""

    loss: str

    kind: ClassVar[str] = "change the loss"
    rescales: ClassVar[bool] = True

    def apply(self, training: Training) -> Training:
        return recompile(training, loss=self.loss)


@dataclasses.dataclass(frozen=True)
class FromLogits(Change):
    """The loss takes logits."""

    kind: ClassVar[str] = "let the loss take logits"

    def apply(self, training: Training) -> Training:
        loss = keras.losses.get(training.model.loss)
        name = getattr(loss, "name", None) or getattr(loss, "__name__", "")
        classes = {
            "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
            "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
            "binary_crossentropy": keras.losses.BinaryCrossentropy,
        }
        if name not in classes:
            raise NotPossible(f"the loss is {name}")
        return recompile(training, loss=classes[name](from_logits=True))


@dataclasses.dataclass(frozen=True)
class SafeLoss(Change):
    """Logarithms and roots in the loss get arguments of at least `least`."""

    least: float = LEAST

    kind: ClassVar[str] = "bound the arguments of the loss"

    def apply(self, training: Training) -> Training:
        loss = training.model.loss
        if not callable(loss) or isinstance(loss, keras.losses.Loss):
            loss = keras.losses.get(loss)
        if loss is None:
            raise NotPossible("the loss is not given to compile")

        def safe_loss(truth: Any, guess: Any) -> Any:
            with safe_operations(self.least):
                return loss(truth, guess)

        return recompile(training, loss=safe_loss)
