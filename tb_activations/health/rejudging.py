"""Judges a stored training again with some rules changed; the findings of all other rules are kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.diagnosis import Diagnosis
from tb_activations.health.graph import layer_graph
from tb_activations.health.replay import Replay
from tb_activations.health.roots import name_roots, worst_first
from tb_activations.health.rules import Rule
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.specs import RunSpec


@dataclasses.dataclass(frozen=True, eq=False)
class Standing:
    """How a training was judged, after its last step.

    Attributes:
        findings: open and closed.
        outcomes: `[layers]` uint8 of `Outcome` for each rule that judges layers, by id.
        training: `Outcome` of the rules for the training as a whole by id.
    """

    spec: RunSpec
    findings: tuple[Finding, ...]
    outcomes: Mapping[str, NDArray[np.uint8]]
    training: Mapping[str, int]

    @property
    def table(self) -> NDArray[np.uint8]:
        """`[layers, rules]` uint8 of `Outcome`."""
        columns = list(self.outcomes.values())
        return np.stack(columns, axis=1) if columns else np.empty((len(self.spec.layers), 0), np.uint8)

    def without(self, rules: Collection[str]) -> Standing:
        """The same without these rules and what they found."""
        return dataclasses.replace(
            self,
            findings=tuple(finding for finding in self.findings if finding.rule not in rules),
            outcomes={rule: column for rule, column in self.outcomes.items() if rule not in rules},
            training={rule: outcome for rule, outcome in self.training.items() if rule not in rules},
        )


@dataclasses.dataclass(frozen=True)
class Change:
    """A finding that is open in one judging and not in the other, or has another severity there.

    Attributes:
        finding: as judged last; as judged before if it disappeared.
        before: None if it appeared.
        after: None if it disappeared.
    """

    finding: Finding
    before: Severity | None
    after: Severity | None


def rejudge(
    standing: Standing, replay: Replay, rules: Sequence[Rule], check: Callable[[], None] = lambda: None
) -> Standing:
    """The same training with these rules judged over its records, in place of what `standing` has of them.

    Rules for the training as a whole see the kept findings with their last severity.

    Args:
        replay: of all stored records.
        check: called before every step; may raise to end it.
    """
    kept = standing.without({rule.id for rule in rules})
    diagnosis = Diagnosis(standing.spec, tuple(rules), kept.findings)
    last = diagnosis.judge_stored(replay.history(), check)
    nothing = np.full((len(standing.spec.layers), len(diagnosis.rules)), Outcome.INSUFFICIENT_DATA, np.uint8)
    outcomes = nothing if last is None else last.outcomes
    training = [int(Outcome.INSUFFICIENT_DATA)] * len(diagnosis.training_rules)
    if last is not None:
        training = last.training.tolist()
    found = () if last is None else last.findings
    rooted = name_roots([*kept.findings, *found], standing.spec, layer_graph(standing.spec.layers))
    return Standing(
        standing.spec,
        worst_first(rooted, standing.spec),
        {**kept.outcomes, **dict(zip(diagnosis.rules, outcomes.T, strict=True))},
        {**kept.training, **dict(zip(diagnosis.training_rules, training, strict=True))},
    )


def changes(before: Iterable[Finding], after: Iterable[Finding]) -> list[Change]:
    """What differs between the open findings of two judgings: the worst first, then as in `after` and `before`."""
    old, new = _open(before), _open(after)
    found = [
        Change(finding, old[key].severity if key in old else None, finding.severity)
        for key, finding in new.items()
        if key not in old or old[key].severity is not finding.severity
    ]
    found += [Change(finding, finding.severity, None) for key, finding in old.items() if key not in new]
    return sorted(found, key=lambda change: -max(one.rank for one in (change.before, change.after) if one))


def _open(findings: Iterable[Finding]) -> dict[tuple[str, str], Finding]:
    return {(finding.rule, finding.layer): finding for finding in findings if finding.closed_step is None}
