"""Findings, their severity, and the other outcomes of a rule."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Literal

Unit = Literal["share", "count", ""]
"""Of a value and its threshold: a share in [0, 1], a whole number, or a pure number."""

UNITS: tuple[Unit, ...] = ("share", "count", "")

WHOLE = ""
"""The layer of a finding about the training as a whole."""


class Severity(enum.StrEnum):
    """How bad a finding is; declared from mild to bad."""

    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"

    @property
    def rank(self) -> int:
        """0 for a note; higher is worse."""
        return _RANKS[self]

    @property
    def outcome(self) -> Outcome:
        """What a rule says of the layer of an open finding."""
        return Outcome[self.name]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Outcome(enum.IntEnum):
    """The answer of one rule for one layer at one step; event files store the number."""

    OK = 0
    NOTE = 1
    WARNING = 2
    PROBLEM = 3
    NOT_APPLICABLE = 4
    INSUFFICIENT_DATA = 5
    ERROR = 6

    @property
    def rank(self) -> int:
        """0 where the rule does not apply; higher is worse. A failed rule ranks above OK and below a note."""
        return _BEST_TO_WORST.index(self)


_BEST_TO_WORST = (
    Outcome.NOT_APPLICABLE,
    Outcome.INSUFFICIENT_DATA,
    Outcome.OK,
    Outcome.ERROR,
    Outcome.NOTE,
    Outcome.WARNING,
    Outcome.PROBLEM,
)


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that is wrong with a layer, or with the training as a whole.

    Attributes:
        layer: its name, `WHOLE` for the training as a whole.
        sign: id of what `value` and `threshold` measure, unique within the rule; the rule has its title.
        unit: of `value` and `threshold`.
        value: as last measured, for `nonfinite` as first seen; may be NaN or infinite.
        threshold: what `value` was compared with when the finding opened.
        samples: how many samples (for convolutions: positions) the judgement rests on.
        checks: how many observed steps showed it, in a row unless it is an explosion whose damage lasts.
        since_step: the first of them.
        opened_step: the observed step at which the rule became sure.
        last_step: the last observed step that confirmed it.
        closed_step: the observed step at which it was resolved, None while it is open.
        closing_threshold: what `value` must reach for the finding to close, which keeps it from opening and closing
            often; NaN where that is `threshold` itself.
        units: indices of the units concerned, at most 1,000; `unit_count` is how many there are.
        message: one or two sentences that name layer, value, threshold and first step.
        might_be_wrong: what could make this a false alarm here.
        advice: what to try, for this layer.
        source: where the rule comes from.
        root: `id` of the finding this one follows from, None for a root.
        origin: id of where a value that is not finite came from: "data", "loss", "unseen", "suspected", or ""
            where unknown.
        reopened_step: the observed step at which it was seen again after it had closed, None if it never closed.
        follow_up: the end of `message`, from its leading space on, that tells what happened later.
        sample_row: row of the batch that stood out at `since_step`, counted from 0; None where none did.
        sample_id: what `LayerHealth(sample_id=)` returned for that row, "" without it.
    """

    rule: str
    layer: str
    severity: Severity
    sign: str
    unit: Unit
    value: float
    threshold: float
    samples: int
    checks: int
    since_step: int
    opened_step: int
    last_step: int
    message: str
    might_be_wrong: str
    advice: str
    source: str
    units: tuple[int, ...] = ()
    unit_count: int = 0
    closed_step: int | None = None
    closing_threshold: float = math.nan
    root: str | None = None
    origin: str = ""
    reopened_step: int | None = None
    follow_up: str = ""
    sample_row: int | None = None
    sample_id: str = ""

    @property
    def id(self) -> str:
        return f"{self.rule}:{self.layer}:{self.opened_step}"
