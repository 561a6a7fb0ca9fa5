"""What every rule is, and what it says of a layer."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

from tb_activations.health.history import History
from tb_activations.records.finding import Finding, Outcome, Severity


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Why a rule calls a layer sick at the latest step; the fields mean what they mean in `Finding`."""

    severity: Severity
    quantity: str
    value: float
    threshold: float
    samples: int
    checks: int
    since_step: int
    message: str
    might_be_wrong: str
    advice: str
    units: tuple[int, ...] = ()
    unit_count: int = 0


Judged = Outcome | Evidence


@dataclasses.dataclass(frozen=True)
class Rule(abc.ABC):
    """One rule with its thresholds; the dataclass fields of a subclass are the thresholds, all of them numbers.

    Attributes:
        id: what files and arguments call it.
        title: what people read.
        source: where its definition comes from.
        limits: lowest and highest value allowed for each threshold.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    limits: ClassVar[Mapping[str, tuple[float, float]]]

    @property
    def thresholds(self) -> dict[str, float]:
        return {field.name: float(getattr(self, field.name)) for field in dataclasses.fields(self)}

    @abc.abstractmethod
    def judge(self, history: History, earlier: Sequence[Finding | None]) -> list[Judged]:
        """One answer a layer at the latest step of `history`, in the order of its layers.

        Args:
            history: holds at least one step.
            earlier: per layer this rule's finding that is open from the step before, None where there is none.
        """

    def again(self, evidence: Evidence, first: Finding, latest: Finding | None) -> Evidence:
        """The evidence of a layer in which a finding of this rule closed before, as it shall stand in the finding.

        Args:
            first: the earliest of the layer's closed findings.
            latest: the one that this evidence continues, None where it begins a new finding.
        """
        del first, latest
        return evidence

    @staticmethod
    @abc.abstractmethod
    def headline(finding: Finding) -> str:
        """The finding in a few words, without layer and step."""


def percent(share: float) -> str:
    """`0.876` as "88 %"; what is neither nothing nor all is never rounded to it."""
    if 0 < share < 0.01:
        return "under 1 %"
    if 0.99 < share < 1:
        return "over 99 %"
    return f"{share:.0%}".replace("%", " %")
