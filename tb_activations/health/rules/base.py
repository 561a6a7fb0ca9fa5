"""The base class of rules, and their answers."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple

from tb_activations.health.history import History
from tb_activations.records.finding import Finding, Outcome, Severity, Unit
from tb_activations.records.formatting import measured


class Sign(NamedTuple):
    """A quantity that a rule measures.

    Attributes:
        id: its name in files and code, unique within the rule.
        title: its name for people; code must not depend on it.
        unit: of the value and its threshold.
    """

    id: str
    title: str
    unit: Unit = ""


ThresholdUnit = Literal["share", "times", "steps", "samples", ""]
"""Of a threshold: a share in [0, 1], a factor, a number of observed steps, a number of samples, or a pure number."""


class Label(NamedTuple):
    """A threshold for people.

    Attributes:
        title: what it limits; code must not depend on it.
    """

    title: str
    unit: ThresholdUnit = ""


class Where(NamedTuple):
    """Where a cause may lie, seen from its consequence: in earlier layers, in the same one, in later ones."""

    before: bool = False
    here: bool = False
    behind: bool = False


FORWARD = Where(before=True, here=True)
"""Damage to the signal: its cause lies in the layer itself or in an earlier one."""
BACKWARD = Where(here=True, behind=True)
"""Damage to the gradient: its cause lies in the layer itself or nearer the loss."""
ANYWHERE = Where(before=True, here=True, behind=True)
HERE = Where(here=True)


class Cause(NamedTuple):
    """A rule whose findings explain those of another, and where they may lie."""

    rule: str
    where: Where


Leader = Literal["first", "nearest_to_loss", "largest"]
"""The layer that explains the findings of one rule in other layers: the first in call order, the one that the gradient
reaches first, or the one with the largest value."""


@dataclasses.dataclass(frozen=True)
class Evidence:
    """The reasons for a finding at the latest step; the fields have the same meaning as in `Finding`."""

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
    closing_threshold: float = math.nan
    origin: str = ""
    reopened_step: int | None = None
    follow_up: str = ""


Judged = Outcome | Evidence


def limit_in_words(threshold: float, closing: float, *, is_eased: bool, unit: Unit = "") -> str:
    """The threshold of a finding; for one that only its closing threshold keeps open, that one too."""
    words = f"threshold {measured(threshold, unit)}"
    return f"{words}, closes at {measured(closing, unit)}" if is_eased else words


@dataclasses.dataclass(frozen=True)
class Rule(abc.ABC):
    """One rule with its thresholds. The dataclass fields of a subclass are its thresholds; all are numbers.

    Attributes:
        id: its name in files and arguments.
        title: its name for people.
        why: what happens to a training in which such a finding stays open.
        source: of the definition.
        limits: lowest and highest allowed value of each threshold.
        labels: the name of each threshold for people.
        signs: all quantities that it measures.
        causes: possible causes of a finding, the most likely first. Two rules may cause each other, in other layers.
        leader: the layer that explains the findings in other layers; None if none does.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    why: ClassVar[str]
    source: ClassVar[str]
    limits: ClassVar[Mapping[str, tuple[float, float]]]
    labels: ClassVar[Mapping[str, Label]] = {}
    signs: ClassVar[tuple[Sign, ...]]
    causes: ClassVar[tuple[Cause, ...]] = ()
    leader: ClassVar[Leader | None] = None

    @property
    def thresholds(self) -> dict[str, float]:
        return {field.name: float(getattr(self, field.name)) for field in dataclasses.fields(self)}

    def again(self, evidence: Evidence, first: Finding, latest: Finding | None) -> Evidence:
        """Adapts the evidence for a layer in which an earlier finding of this rule has closed.

        Args:
            first: the earliest of the layer's closed findings.
            latest: the finding that this evidence reopens, None if it opens a new one.
        """
        del first, latest
        return evidence

    @staticmethod
    @abc.abstractmethod
    def headline(finding: Finding) -> str:
        """The finding in a few words, without layer and step."""

    @classmethod
    def causes_of(cls, sign: str) -> tuple[Cause, ...]:
        """Possible causes of a finding with this sign, the most likely first."""
        del sign
        return cls.causes

    @staticmethod
    def can_cause(finding: Finding, effect: str) -> bool:
        """Whether a finding of this rule is severe enough to cause findings of the rule `effect`."""
        del effect
        return finding.severity is not Severity.NOTE

    @staticmethod
    def can_follow(finding: Finding, cause: str) -> bool:
        """Whether a finding of this rule can be a consequence of one of the rule `cause`."""
        del finding, cause
        return True

    @staticmethod
    def explains_others(finding: Finding) -> bool:
        """Whether it may explain findings of the same rule in other layers; see `leader`."""
        del finding
        return True


class LayerRule(Rule):
    """A rule that judges each layer."""

    @abc.abstractmethod
    def judge(self, history: History, earlier: Sequence[Finding | None]) -> list[Judged]:
        """One answer per layer at the latest step of `history`, in the order of its layers.

        Args:
            history: holds at least one step.
            earlier: for each layer, this rule's open finding from the previous step, None without one.
        """


class TrainingRule(Rule):
    """A rule that judges the training as a whole; the layer of its findings is `WHOLE`."""

    @abc.abstractmethod
    def judge(self, history: History, earlier: Finding | None, known: Sequence[Finding]) -> Judged:
        """The answer at the latest step of `history`.

        Args:
            history: holds at least one step.
            earlier: this rule's open finding from the previous step, None without one.
            known: the open findings of the rules that have judged this step: those of all layers, then those of the
                rules for the training that come first in `RULES`.
        """


def evidence_of(earlier: Finding, signs: Sequence[Sign]) -> Evidence:
    """The evidence of the previous step, unchanged."""
    # A finding that another version stored may have a sign that this version does not know.
    known = next((sign for sign in signs if sign.id == earlier.sign), Sign(earlier.sign, earlier.sign, earlier.unit))
    same = {field.name: getattr(earlier, field.name) for field in dataclasses.fields(Evidence)}
    return Evidence(**{**same, "sign": known})
