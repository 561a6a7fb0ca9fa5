"""What is known of a measured training, and the facts that follow from it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

LEARNED = 0.9


@dataclasses.dataclass(frozen=True)
class Fact:
    """`layer` has the sickness `rule` since `onset`, with the evidence; `certain` or only arguable."""

    rule: str
    layer: str
    certain: bool
    onset: int
    why: str


@dataclasses.dataclass(frozen=True)
class Measurements:
    """The stored measurements of one training, see `measure.Measured`.

    Attributes:
        moments: step, loss and values of the layers before training and after every epoch.
        steps: by layer the relative size of every step of its kernels.
        layers: by layer the constants.
        constant_loss: loss of the best constant predictor, NaN if unknown.
        goal: name of the figure that shows whether the program has learned, its values before and after, and whether
            the last is good enough; None if the loss shows it.
        rates: the learning rate of every step, None where the optimizer has none that can be read.
        broken_loss_step: the first step whose reported loss was not finite.
        data_nonfinite: number of inputs, targets and sample weights that are NaN or infinite, in arrays.
        batch_losses: the loss of every batch.
        heads: by the name of an output layer how it fits its targets, see `heads.heads`.
    """

    moments: list[dict[str, Any]]
    steps: Mapping[str, list[float]]
    layers: Mapping[str, dict[str, Any]]
    broken_step: int | None
    constant_loss: float
    goal: Mapping[str, Any] | None = None
    rates: Sequence[float | None] = ()
    broken_loss_step: int | None = None
    batch_losses: Sequence[float] = ()
    data_nonfinite: int = 0
    heads: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    def series(self, layer: str, figure: str) -> list[Any]:
        """One value of one layer at every measurement, None if not available."""
        return [moment["layers"][layer].get(figure) for moment in self.moments]

    def step_of(self, measurement: int) -> int:
        return int(self.moments[measurement]["step"])

    @property
    def losses(self) -> list[float]:
        return [float(moment["loss"]) for moment in self.moments]

    @property
    def late(self) -> int:
        """The number of last measurements that count as late."""
        return max(2, len(self.moments) // 5)

    @property
    def reference_loss(self) -> float:
        """The loss of a network that learned nothing."""
        known = [loss for loss in (self.constant_loss, self.losses[0]) if math.isfinite(loss)]
        return min(known) if known else math.inf

    @property
    def has_learned(self) -> bool:
        if self.goal is not None:
            return bool(self.goal["is_reached"])
        reference = self.reference_loss
        margin = (1 - LEARNED) * abs(reference) if math.isfinite(reference) else 0
        return self.losses[-1] < reference - margin

    @property
    def progress(self) -> str:
        """What the training has changed in the figure that shows whether it has learned."""
        if self.goal is not None:
            return f"{self.goal['name']} from {self.goal['start']:.3g} to {self.goal['end']:.3g}"
        return f"loss from {self.losses[0]:.3g} to {self.losses[-1]:.3g}, {self.constant_loss:.3g} of a constant"
