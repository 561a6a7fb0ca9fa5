"""Whether a run is healthy: its causes that count, or why it could not be judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tb_activations.health.verdict import NOTHING_TRAINED, is_trained
from tb_activations.records.finding import Finding, Severity
from tb_activations.report.stored import Judged, Unreadable
from tb_activations.report.words import (
    NO_STEP,
    Family,
    families,
    place,
    plural,
    rules_in_words,
    unobserved,
    why_no_layer,
)

HEALTHY, SICK, CANNOT_JUDGE = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Cause:
    """Findings with one root cause that count.

    Attributes:
        finding: the root; the first finding that follows from it if the root does not count.
        root: the root.
        consequences: number of further findings that count and follow from it.
    """

    finding: Finding
    root: Finding
    consequences: int

    @property
    def text(self) -> str:
        """The message of the finding, and how it is connected with others."""
        count = f"{self.consequences} more {plural(self.consequences, 'finding')}"
        if self.finding is not self.root:
            others = f"; so {'does' if self.consequences == 1 else 'do'} {count}" if self.consequences else ""
            return f"{self.finding.message} (follows from {self.root.rule} in {place(self.root)}{others})"
        if not self.consequences:
            return self.finding.message
        return f"{self.finding.message} ({count} {'follows' if self.consequences == 1 else 'follow'} from it)"


@dataclasses.dataclass(frozen=True, eq=False)
class Checked:
    """The result for one run.

    Attributes:
        run: the run.
        causes: worst first.
        lesser: number of open findings of the rules that do not count.
        rules: the rules that count.
        reason: why the run could not be judged, "" if it could.
    """

    run: Judged | Unreadable
    causes: tuple[Cause, ...] = ()
    lesser: int = 0
    rules: tuple[str, ...] = ()
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
        return max((cause.finding.severity for cause in self.causes), key=lambda one: one.rank, default=None)


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
    causes = [cause for family in families(run.run.findings) if (cause := _cause(family, lowest, rules))]
    lesser = sum(finding.closed_step is None and finding.rule in rules for finding in run.run.findings)
    reason = "" if causes else _why_not_judged(run, rules)
    return Checked(run, tuple(causes), 0 if causes else lesser, rules, reason)


def _cause(family: Family, lowest: Severity, rules: Sequence[str]) -> Cause | None:
    counting = [one for one in family.members if one.severity.rank >= lowest.rank and one.rule in rules]
    return Cause(counting[0], family.root, len(counting) - 1) if counting else None


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
