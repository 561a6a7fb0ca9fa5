"""One difference between two runs."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Any, NamedTuple

import numpy as np


class Cause(enum.StrEnum):
    """What kind of thing differs."""

    HYPERPARAMETER = "hyperparameter"
    """Learning rate, batch size, loss scale, loss, activation function, dtype, frozen layers, observed steps."""
    LAYER = "layer"
    """The model: layers and weights that are missing, added, in another order, or of another class or shape."""
    STATISTIC = "statistic"
    """What was measured."""
    FINDING = "finding"
    """What the rules report; on request."""
    PICTURE = "picture"
    """On request."""


@dataclasses.dataclass(frozen=True)
class Largest:
    """Where a statistic differs most.

    Attributes:
        step: of the expected run.
        expected, actual: the values there.
        size: `|actual - expected|` relative to the root mean square of the expected values over the steps; infinite if
            only one of the two is finite, 0 if a run has never measured the statistic.
    """

    step: int
    expected: object
    actual: object
    size: float


@dataclasses.dataclass(frozen=True)
class Difference:
    """Something that differs between two runs, and where it first does.

    Attributes:
        what: the statistic or property that differs.
        expected: its value in the expected run.
        actual: its value in the actual run.
        step: the first observed step at which it differs, in the expected run; None for properties of the whole run.
        layer: name of the layer in the expected run (of an added layer: in the actual run), None for the training as
            a whole.
        tolerance: the tolerance that was exceeded, "" if values must be equal.
        hint: another possible cause of the difference, "" if there is none.
        cause: what kind of thing differs.
        weight: the weight's own name, "" unless it is a statistic of a single weight.
        epoch: the epoch of `step` if runs are compared by epoch, else None.
        count: at how many of the compared places it differs: steps, or steps and units.
        compared: number of compared places.
        largest: where it differs most; None if there is only one value.
    """

    what: str
    expected: object
    actual: object
    step: int | None = None
    layer: str | None = None
    tolerance: str = ""
    hint: str = ""
    cause: Cause = Cause.STATISTIC
    weight: str = ""
    epoch: int | None = None
    count: int = 1
    compared: int = 1
    largest: Largest | None = None

    @property
    def place(self) -> str:
        """Epoch, step, layer and weight in words; "" for the run as a whole."""
        places = [f"epoch {self.epoch}"] if self.epoch is not None else []
        places += [f"step {self.step}"] if self.step is not None else []
        places += [f"layer {self.layer!r}"] if self.layer is not None else []
        places += [f"weight {self.weight!r}"] if self.weight else []
        return ", ".join(places)

    @property
    def size(self) -> float:
        """`largest.size`; infinite for properties, which have no size."""
        return self.largest.size if self.largest is not None else math.inf

    def __str__(self) -> str:
        """One sentence: step, layer, statistic, both values, tolerance."""
        where = f"{self.place}: " if self.place else ""
        tolerance = f" ({self.tolerance})" if self.tolerance else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}{self.what} expected {shown(self.expected)}, got {shown(self.actual)}{tolerance}{hint}"

    def to_json(self) -> dict[str, Any]:
        """All attributes in JSON's own types; NaN and infinities are the strings "NaN", "Infinity" and "-Infinity"."""
        members = {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}
        if self.largest is not None:
            members["largest"] = {name: _plain(value) for name, value in vars(self.largest).items()}
        return members


class Placed(NamedTuple):
    """A difference and its place in the order of a training: causes come before their consequences."""

    order: tuple[int, ...]
    difference: Difference


def shown(value: object) -> str:
    """A value in a sentence; numbers with all digits that distinguish them."""
    return "NaN" if isinstance(value, float | np.floating) and math.isnan(value) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.floating):
        # The shortest text that reads back as the same float32.
        value = float(str(value))
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str | dict) else str(value)
