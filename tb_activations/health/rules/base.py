"""What every rule is, and what it says of a layer."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple

from tb_activations.health.history import History
from tb_activations.records.finding import Finding, Outcome, Severity, Unit


class Sign(NamedTuple):
    """Something a rule measures.

    Attributes:
        id: what files and code call it, unique within the rule.
        title: what people read; nothing depends on it.
        unit: of the value and its threshold.
    """

    id: str
    title: str
    unit: Unit = ""


class Where(NamedTuple):
    """Where a cause may lie as seen from its consequence."""

    before: bool = False
    here: bool = False
    behind: bool = False


FORWARD = Where(before=True, here=True)
"""The signal on its way forward: a layer suffers from itself and from the layers before it."""
BACKWARD = Where(here=True, behind=True)
"""The gradient on its way back: a layer suffers from itself and from the layers nearer the loss."""
ANYWHERE = Where(before=True, here=True, behind=True)
HERE = Where(here=True)


class Cause(NamedTuple):
    """A rule that explains another, and where the layer of its finding may lie."""

    rule: str
    where: Where


Leader = Literal["first", "nearest_to_loss", "largest"]
"""Which of several layers with findings of one rule explains the others: the first in call order, the one that the
gradient passes first, or the one with the largest value."""


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Why a rule calls a layer sick at the latest step; the fields mean what they mean in `Finding`."""

    severity: Severity
    sign: Sign
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
    origin: str = ""
    reopened_step: int | None = None
    follow_up: str = ""


Judged = Outcome | Evidence


@dataclasses.dataclass(frozen=True)
class Rule(abc.ABC):
    """One rule with its thresholds; the dataclass fields of a subclass are the thresholds, all of them numbers.

    Attributes:
        id: what files and arguments call it.
        title: what people read.
        why: what happens to a training in which such a finding stays open.
        source: where its definition comes from.
        limits: lowest and highest value allowed for each threshold.
        signs: everything it measures.
        causes: what a finding may follow from, the likeliest first. Two rules may cause each other, in other layers.
        leader: which of several layers explains the others; None where each stands for itself.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    why: ClassVar[str]
    source: ClassVar[str]
    limits: ClassVar[Mapping[str, tuple[float, float]]]
    signs: ClassVar[tuple[Sign, ...]]
    causes: ClassVar[tuple[Cause, ...]] = ()
    leader: ClassVar[Leader | None] = None

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

    @classmethod
    def causes_of(cls, sign: str) -> tuple[Cause, ...]:
        """What a finding with this sign may follow from."""
        del sign
        return cls.causes

    @staticmethod
    def can_cause(finding: Finding, effect: str) -> bool:
        """Whether a finding of this rule is bad enough to cause findings of the rule called `effect`."""
        del effect
        return finding.severity is not Severity.NOTE

    @staticmethod
    def can_follow(finding: Finding, cause: str) -> bool:
        """Whether a finding of this rule can be what the rule called `cause` leaves behind."""
        del finding, cause
        return True

    @staticmethod
    def explains_others(finding: Finding) -> bool:
        """Whether it may explain findings of the same rule in other layers; see `leader`."""
        del finding
        return True


def percent(share: float) -> str:
    """`0.876` as "88%"; what is neither nothing nor all is never rounded to it."""
    if 0 < share < 0.01:
        return "under 1%"
    if 0.99 < share < 1:
        return "over 99%"
    return f"{share:.0%}"
