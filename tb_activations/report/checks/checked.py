"""Whether a run is healthy: its causes that count, or why it could not be judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from tb_activations.health.verdict import NOTHING_TRAINED, is_trained
from tb_activations.records.finding import Finding, Severity
from tb_activations.records.mute import Mute
from tb_activations.report.stored import Judged, Unreadable
from tb_activations.report.words import (
    NO_STEP,
    Family,
    families,
    listed,
    place,
    plural,
    rules_in_words,
    unobserved,
    why_no_layer,
)

HEALTHY, SICK, CANNOT_JUDGE = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Cause:
    """Findings with one root cause that count, and those with the same fault in other layers.

    Attributes:
        finding: the root; the first finding that follows from it if the root does not count.
        root: the root.
        severity: the worst of all these findings.
        consequences: number of further findings that count and follow from it.
        also: other layers with the same fault.
    """

    finding: Finding
    root: Finding
    severity: Severity
    consequences: int = 0
    also: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The message of the finding, and how it is connected with others."""
        parts = [] if self.finding is self.root else [f"follows from {self.root.rule} in {place(self.root)}"]
        if self.also:
            parts.append(f"also in {listed(self.also)}")
        if self.consequences:
            parts.append(f"{self.consequences} more {plural(self.consequences, 'finding')} of this cause")
        return f"{self.finding.message} ({'; '.join(parts)})" if parts else self.finding.message

    def with_same_fault(self, other: Cause) -> Cause:
        """This cause with another one of the same rule folded into it."""
        return dataclasses.replace(
            self,
            severity=max(self.severity, other.severity, key=lambda severity: severity.rank),
            consequences=self.consequences + other.consequences,
            also=(*self.also, other.finding.layer),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Checked:
    """The result for one run.

    Attributes:
        run: the run.
        causes: worst first.
        lesser: number of open findings of the rules that do not count.
        rules: the rules that count.
        muted: the findings that would count if they were not muted, each with its mute.
        reason: why the run could not be judged, "" if it could.
    """

    run: Judged | Unreadable
    causes: tuple[Cause, ...] = ()
    lesser: int = 0
    rules: tuple[str, ...] = ()
    muted: tuple[tuple[Finding, Mute], ...] = ()
    reason: str = ""

    @property
    def name(self) -> str:
        """The path of the run below the log directory, "." for the log directory itself."""
        return self.run.run.name if isinstance(self.run, Judged) else self.run.name

    @property
    def status(self) -> int:
        """`HEALTHY`, `SICK` or `CANNOT_JUDGE`."""
        if self.causes:
            return SICK
        return CANNOT_JUDGE if self.reason else HEALTHY

    @property
    def severity(self) -> Severity | None:
        """Of the worst cause, None without one."""
        return max((cause.severity for cause in self.causes), key=lambda one: one.rank, default=None)


def check(run: Judged | Unreadable, lowest: Severity, only: Sequence[str] | None) -> Checked:
    """Checks one run.

    Args:
        run: as read.
        lowest: the lowest severity that counts.
        only: the rules that count; None for all.
    """
    if isinstance(run, Unreadable):
        return Checked(run, reason=run.reason)
    rules = tuple((*run.run.rules, *run.run.training_rules) if only is None else only)
    causes = _folded(cause for family in families(run.counting) if (cause := _cause(family, lowest, rules)))
    lesser = sum(finding.closed_step is None and finding.rule in rules for finding in run.counting)
    muted = tuple((one, mute) for one, mute in run.muted if one.severity.rank >= lowest.rank and one.rule in rules)
    reason = "" if causes else _why_not_judged(run, rules)
    return Checked(run, tuple(causes), 0 if causes else lesser, rules, muted, reason)


def _folded(causes: Iterable[Cause]) -> list[Cause]:
    """The causes in their order, those of the same rule as one: the learning rate that kills a layer kills many."""
    folded: dict[tuple[str, str, str], Cause] = {}
    for cause in causes:
        origin = "" if cause.finding is cause.root else cause.root.id
        key = (cause.finding.rule, cause.finding.sign, origin)
        folded[key] = folded[key].with_same_fault(cause) if key in folded else cause
    return list(folded.values())


def _cause(family: Family, lowest: Severity, rules: Sequence[str]) -> Cause | None:
    counting = [one for one in family.members if one.severity.rank >= lowest.rank and one.rule in rules]
    if not counting:
        return None
    worst = max((one.severity for one in counting), key=lambda severity: severity.rank)
    return Cause(counting[0], family.root, worst, len(counting) - 1)


def _why_not_judged(judged: Judged, rules: Sequence[str]) -> str:
    """Why a run without findings of these rules cannot be called healthy; "" if it can."""
    missing = [rule for rule in rules if rule not in judged.states]
    if missing:
        return f"the rule {missing[0]} was not run; use --thresholds FILE to judge again"
    reason = why_no_layer(judged.run.spec)
    if not len(judged.run.steps):
        return f"{NO_STEP}; {reason}" if reason else NO_STEP
    if reason:
        return reason
    if not is_trained(judged.run.spec):
        return NOTHING_TRAINED
    states = {rule: judged.states[rule] for rule in rules}
    # Rules for the training as a whole do not show that its layers are healthy.
    of_layers = [states[rule] for rule in rules if rule in judged.run.rules] or list(states.values())
    if "failed" in states.values() or "checked" not in of_layers:
        return "; ".join([rules_in_words(states), *(f"not observed: {why}" for why in unobserved(judged.run.spec))])
    return ""
