"""The base class of rules, and their answers."""

from __future__ import annotations

import abc
import dataclasses
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.records.finding import Finding, Outcome, Severity, Unit
from tb_activations.records.formatting import measured
from tb_activations.records.specs import LayerSpec

_LOGGER = logging.getLogger("tb_activations")
_undescribed: set[str] = set()
"""Rules whose failure to describe a finding has been logged: words are read again at every record."""


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
BEFORE = Where(before=True)


class Cause(NamedTuple):
    """A rule whose findings explain those of another, and where they may lie."""

    rule: str
    where: Where


Leader = Literal["first", "nearest_to_loss", "largest"]
"""The layer that explains the findings of one rule in other layers: the first in call order, the one that the gradient
reaches first, or the one with the largest value."""


class Explanation(NamedTuple):
    """A finding in words; the fields have the same meaning as in `Finding`."""

    message: str
    might_be_wrong: str
    advice: str
    units: tuple[int, ...] = ()
    follow_up: str = ""


class Evidence(NamedTuple):
    """The reasons for a finding at the latest step; the fields have the same meaning as in `Finding`.

    Attributes:
        explain: tells them in words. It is called when somebody reads the finding, so it must hold copies of what
            later steps change.
    """

    severity: Severity
    sign: Sign
    value: float
    threshold: float
    samples: int
    checks: int
    since_step: int
    explain: Callable[[], Explanation]
    unit_count: int = 0
    closing_threshold: float = math.nan
    origin: str = ""
    reopened_step: int | None = None
    sample_row: int | None = None


@dataclasses.dataclass(frozen=True)
class Told:
    """An explanation in words that are known already; stands where `Evidence.explain` is expected."""

    explanation: Explanation

    def __call__(self) -> Explanation:
        return self.explanation


class OpenFinding(NamedTuple):
    """A finding that is open; its properties have the same meaning as in `Finding`.

    Attributes:
        evidence: of the latest step; its `since_step` is that of the finding.
    """

    rule: str
    layer: str
    source: str
    opened_step: int
    last_step: int
    evidence: Evidence

    @property
    def severity(self) -> Severity:
        return self.evidence.severity

    @property
    def sign(self) -> str:
        return self.evidence.sign.id

    @property
    def value(self) -> float:
        return self.evidence.value

    @property
    def threshold(self) -> float:
        return self.evidence.threshold

    @property
    def checks(self) -> int:
        return self.evidence.checks

    @property
    def since_step(self) -> int:
        return self.evidence.since_step

    @property
    def origin(self) -> str:
        return self.evidence.origin

    @property
    def id(self) -> str:
        return f"{self.rule}:{self.layer}:{self.opened_step}"

    def _words(self) -> Explanation:
        try:
            return self.evidence.explain()
        # A rule that fails must not take the findings of others with it.
        except Exception:
            if self.rule not in _undescribed:
                _undescribed.add(self.rule)
                _LOGGER.warning("Layer health: rule %s could not describe its finding.", self.rule, exc_info=True)
            return Explanation(f"{self.rule} in {self.layer or 'the training'}: not described.", "", "")

    def told(self, root: str | None = None, closed_step: int | None = None) -> Finding:
        """The finding in words, with this root; closed if `closed_step` is given."""
        evidence, words = self.evidence, self._words()
        return Finding(
            rule=self.rule,
            layer=self.layer,
            severity=evidence.severity,
            sign=evidence.sign.id,
            unit=evidence.sign.unit,
            value=evidence.value,
            threshold=evidence.threshold,
            samples=evidence.samples,
            checks=evidence.checks,
            since_step=evidence.since_step,
            opened_step=self.opened_step,
            last_step=self.last_step,
            message=words.message,
            might_be_wrong=words.might_be_wrong,
            advice=words.advice,
            source=self.source,
            units=words.units,
            unit_count=evidence.unit_count,
            closed_step=closed_step,
            closing_threshold=evidence.closing_threshold,
            root=root,
            origin=evidence.origin,
            reopened_step=evidence.reopened_step,
            follow_up=words.follow_up,
            sample_row=evidence.sample_row,
        )


AnyFinding = Finding | OpenFinding

Earlier = Mapping[int, OpenFinding]
"""A rule's open findings from the previous step by the row of their layer."""

Judged = Outcome | Evidence


class Answers(NamedTuple):
    """What a rule says of all layers.

    Attributes:
        outcomes: `[layers]` uint8 of `Outcome`; any value where there is a finding.
        found: the findings by row.
    """

    outcomes: NDArray[np.uint8]
    found: Mapping[int, Evidence]


def outcomes_of(*cases: tuple[NDArray[np.bool_], Outcome], otherwise: Outcome = Outcome.OK) -> NDArray[np.uint8]:
    """`[layers]` outcomes: that of the first case that is true of a layer."""
    conditions, values = zip(*cases, strict=True)
    return np.select(list(conditions), [np.uint8(value) for value in values], np.uint8(otherwise))


def either(flags: NDArray[np.bool_], earlier: Earlier) -> NDArray[np.bool_]:
    """`[layers]`: whether the flag is true or the layer has an open finding."""
    result = flags.copy()
    if earlier:
        result[list(earlier)] = True
    return result


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
        lines: by statistic of a layer the thresholds that its values are compared with.
        causes: possible causes of a finding, the most likely first. Two rules may cause each other, in other layers.
        leader: the layer that explains the findings in other layers; None if none does.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    why: ClassVar[str]
    source: ClassVar[str]
    limits: ClassVar[Mapping[str, tuple[float, float]]]
    labels: ClassVar[Mapping[str, Label]] = {}
    lines: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    signs: ClassVar[tuple[Sign, ...]]
    causes: ClassVar[tuple[Cause, ...]] = ()
    leader: ClassVar[Leader | None] = None

    @property
    def thresholds(self) -> dict[str, float]:
        return {field.name: float(getattr(self, field.name)) for field in dataclasses.fields(self)}

    def line_factor(self, layer: LayerSpec) -> float:
        """What the thresholds in `lines` are multiplied by for this layer."""
        del layer
        return 1.0

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
    def bearing(value: float) -> float:
        """What of a finding's value decides causes and roots: they stay the same while this does."""
        del value
        return 0.0

    @staticmethod
    def can_cause(finding: AnyFinding, effect: str) -> bool:
        """Whether a finding of this rule is severe enough to cause findings of the rule `effect`."""
        del effect
        return finding.severity is not Severity.NOTE

    @staticmethod
    def can_follow(finding: AnyFinding, cause: str) -> bool:
        """Whether a finding of this rule can be a consequence of one of the rule `cause`."""
        del finding, cause
        return True

    @staticmethod
    def explains_others(finding: AnyFinding) -> bool:
        """Whether it may explain findings of the same rule in other layers; see `leader`."""
        del finding
        return True


class LayerRule(Rule):
    """A rule that judges each layer."""

    @abc.abstractmethod
    def judge(self, history: History, earlier: Earlier) -> Answers:
        """The answers at the latest step of `history`, in the order of its layers.

        Args:
            history: holds at least one step.
            earlier: this rule's open findings from the previous step.
        """


class TrainingRule(Rule):
    """A rule that judges the training as a whole; the layer of its findings is `WHOLE`.

    Attributes:
        hears_others: whether its answer depends on the findings of other rules.
    """

    hears_others: ClassVar[bool] = True

    @abc.abstractmethod
    def judge(self, history: History, earlier: OpenFinding | None, known: Sequence[OpenFinding]) -> Judged:
        """The answer at the latest step of `history`.

        Args:
            history: holds at least one step.
            earlier: this rule's open finding from the previous step, None without one.
            known: the open findings of the rules that have judged this step: those of all layers, then those of the
                rules for the training that come first in `RULES`.
        """
