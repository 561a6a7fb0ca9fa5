"""Findings that a person has judged to be false alarms."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from tb_activations.records.finding import Finding, Severity


@dataclasses.dataclass(frozen=True)
class Mute:
    """A finding that does not count, and why.

    Attributes:
        rule: id of the rule.
        layer: its name, `WHOLE` for the training as a whole.
        severity: of the finding when it was muted; the mute ends if the finding becomes worse.
        note: why, in the words of the person; may be empty.
        time: when, in seconds since the epoch.
    """

    rule: str
    layer: str
    severity: Severity
    note: str
    time: float

    def covers(self, finding: Finding) -> bool:
        """Whether the finding is open, and no worse than the one that was muted."""
        return (
            finding.closed_step is None
            and (finding.rule, finding.layer) == (self.rule, self.layer)
            and finding.severity.rank <= self.severity.rank
        )


Mutes = Mapping[tuple[str, str], Mute]
"""Mutes by rule and layer."""

NO_MUTES: Mutes = {}


def mutes_of(mutes: Iterable[Mute]) -> dict[tuple[str, str], Mute]:
    """These mutes by rule and layer; of several for the same finding the last one counts."""
    return {(mute.rule, mute.layer): mute for mute in mutes}


def mute_of(finding: Finding, mutes: Mutes) -> Mute | None:
    """What mutes the finding, None if it counts."""
    mute = mutes.get((finding.rule, finding.layer))
    return mute if mute is not None and mute.covers(finding) else None


def counting(findings: Iterable[Finding], mutes: Mutes) -> tuple[Finding, ...]:
    """The findings that are not muted, in their order."""
    return tuple(finding for finding in findings if mute_of(finding, mutes) is None)
