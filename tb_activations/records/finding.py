"""What a rule found: a finding, how bad it is, and what a rule says where it finds nothing."""

from __future__ import annotations

import dataclasses
import enum


class Severity(enum.StrEnum):
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


class Outcome(enum.IntEnum):
    """What one rule said of one layer at one step; the number is what the event file holds."""

    OK = 0
    NOTE = 1
    WARNING = 2
    PROBLEM = 3
    NOT_APPLICABLE = 4
    INSUFFICIENT_DATA = 5
    ERROR = 6


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one layer.

    Attributes:
        quantity: what `value` and `threshold` measure, in words.
        value: the measured figure when the finding was last judged, that of `nonfinite` when it was first seen; may be
            NaN or infinite.
        threshold: the figure it was compared with, eased where the finding lasts below the plain threshold.
        samples: how many samples (for convolutions: positions) the judgement rests on.
        checks: how many observed steps in a row showed it.
        since_step: since when it is so, as far as observed.
        opened_step: at which observed step the rule was sure.
        last_step: the last observed step that confirmed it.
        closed_step: the observed step at which it was gone, None while it lasts.
        units: indices of the units concerned, at most 1,000; `unit_count` is how many there are.
        message: one sentence that names layer, value, threshold and since when.
        might_be_wrong: what could make this a false alarm here.
        advice: what to try, for this layer.
        source: where the rule comes from.
        root: `id` of the finding this one follows from, None for a root.
    """

    rule: str
    layer: str
    severity: Severity
    quantity: str
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
    root: str | None = None

    @property
    def id(self) -> str:
        return f"{self.rule}:{self.layer}:{self.opened_step}"
