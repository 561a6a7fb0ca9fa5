"""Scores the findings of a stored training against its known health."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

from benchmarks.cases.base import RULES, WHOLE, WHOLE_RULES, Case
from benchmarks.cases.lead import lead, loss_alarm
from benchmarks.cases.measurements import Fact, Measurements
from benchmarks.cases.training import load_measurements
from benchmarks.cases.truth import facts
from tb_activations.events.reader import load
from tb_activations.events.run import Run
from tb_activations.health.diagnosis import Diagnosis
from tb_activations.records.finding import Finding, Severity

_ORDER = list(Severity)


@dataclasses.dataclass(frozen=True)
class Result:
    """One training, judged.

    Attributes:
        found: every finding that was ever a warning or a problem.
        false_alarms: those that are not true.
        unconfirmed: claims of the case that the measurements do not confirm; a fault of the case.
        is_found: whether the sickness was found, in any layer.
        is_right_layer: whether its roots name the root cause and no healthy layer; None if nothing was found.
        lead: observed steps from the first finding of the sickness to the alarm of a watcher of the loss, or to the end
            of the training if that stays quiet; None if nothing was found.
        late_by: steps from the onset to the first finding of the sickness, None if nothing was found.
    """

    case: Case
    found: tuple[Finding, ...]
    false_alarms: tuple[Finding, ...]
    unconfirmed: tuple[str, ...]
    is_found: bool = False
    is_right_layer: bool | None = None
    late_by: int | None = None
    lead: int | None = None


def judge(folder: Path) -> list[Finding]:
    """Every finding that was ever a warning or a problem during the stored training.

    In its last form, but with the worst severity it ever had.
    """
    return judged(load(folder))


def judged(run: Run, *, with_notes: bool = False) -> list[Finding]:
    """The same for a run at hand; `with_notes` also those that were never more than a note."""
    diagnosis = Diagnosis(run.spec)
    worst: dict[str, Severity] = {}
    latest: dict[str, Finding] = {}
    for record in run.records():
        for finding in diagnosis.judge(record).findings:
            latest[finding.id] = finding
            if finding.closed_step is None:
                worst[finding.id] = max(worst.get(finding.id, Severity.NOTE), finding.severity, key=_ORDER.index)
    return [
        dataclasses.replace(latest[name], severity=severity)
        for name, severity in worst.items()
        if with_notes or severity is not Severity.NOTE
    ]


def score(case: Case, folder: Path) -> Result:
    """The result of the training that `train` stored in `folder`."""
    measured = load_measurements(folder)
    known = facts(measured)
    run = load(folder / "run")
    found = judged(run)
    allowed = _allowed(case)
    true = {(fact.rule, fact.layer) for fact in known if fact.rule in allowed}
    named = [finding for finding in found if finding.rule == case.rule]
    if case.rule == "no_learning" and not named:
        # Without a visible cause, such a finding is meant to be a note.
        named = [finding for finding in judged(run, with_notes=True) if finding.rule == case.rule]
    onset = _onset(case, known)
    first = min((finding.opened_step for finding in named), default=None)
    return Result(
        case,
        tuple(found),
        tuple(finding for finding in found if _is_false(finding, case, true)),
        unconfirmed_claims(case, measured),
        bool(named),
        _is_right_layer(case, roots_of(named, found), true) if named else None,
        first - onset if first is not None else None,
        lead(first, loss_alarm(measured.batch_losses), run.steps.tolist()) if first is not None else None,
    )


def roots_of(findings: Iterable[Finding], among: Iterable[Finding]) -> list[Finding]:
    """The final roots of `findings`; a finding whose root is not `among` them is its own root."""
    by_id = {finding.id: finding for finding in among}
    roots = {}
    for finding in findings:
        root, passed = finding, {finding.id}
        while root.root in by_id and root.root not in passed:
            root = by_id[root.root]
            passed.add(root.id)
        roots[root.id] = root
    return list(roots.values())


def _is_right_layer(case: Case, roots: Sequence[Finding], true: Container[tuple[str | None, str]]) -> bool:
    """Whether some root is in a layer of the root cause and every other one is at least true."""
    # A cause that lies in the training as a whole is no layer's, and named rightly if it is true.
    is_named = any(root.layer in case.layers or (root.layer == WHOLE and _is_true(root, case, true)) for root in roots)
    return is_named and all(root.layer in case.layers or _is_true(root, case, true) for root in roots)


def _is_true(finding: Finding, case: Case, true: Container[tuple[str | None, str]]) -> bool:
    """Whether the measurements confirm a finding; spikes of the loss are true of any sick training."""
    is_spike = finding.rule == "loss_spike" and case.rule is not None
    return is_spike or any((finding.rule, layer) in true for layer in with_those_around(finding.layer))


def with_those_around(layer: str) -> list[str]:
    """The name of a layer and of those that contain it: the query of attention is measured with the attention."""
    parts = layer.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _is_false(finding: Finding, case: Case, true: Container[tuple[str | None, str]]) -> bool:
    """Whether a finding is a false alarm. Gates and heads are not measured: of a sick training, nothing is known."""
    is_unknown = finding.rule not in RULES and case.rule is not None
    return not is_unknown and not _is_true(finding, case, true)


def _onset(case: Case, known: Iterable[Fact]) -> int:
    if case.onset is not None:
        return case.onset
    return min((fact.onset for fact in known if fact.rule == case.rule and fact.certain), default=0)


def _allowed(case: Case) -> set[str | None]:
    """The sicknesses that may be true of this case."""
    return {case.rule, *case.also, *(WHOLE_RULES if case.rule else ())}


def unconfirmed_claims(case: Case, measured: Measurements) -> tuple[str, ...]:
    """The claims of the case that its measurements do not confirm. A healthy case from outside claims to learn."""
    certain = [fact for fact in facts(measured) if fact.certain]
    allowed = _allowed(case)
    beyond = [
        f"it also has {fact.rule} in {fact.layer or 'the whole'}: {fact.why}"
        for fact in certain
        if fact.rule not in allowed
    ]
    if case.rule is None:
        has_failed = case.is_outside and not measured.has_learned
        return (*([f"it learns: {measured.progress}"] if has_failed else ()), *beyond)
    is_rooted = any(fact.rule == case.rule and fact.layer in case.layers for fact in certain)
    missing = [] if is_rooted else [f"{case.rule} of {', '.join(case.layers) or 'the whole'}"]
    return (*missing, *beyond)


@dataclasses.dataclass(frozen=True)
class RuleScore:
    """The score of one rule over all cases.

    Attributes:
        sick: cases with the sickness as their root cause.
        found: those in which the rule found it.
        right_layer: those in which its roots named the right layer.
        true_cases, false_cases: cases with at least one true finding of this rule; with at least one false alarm.
        healthy_alarms: healthy cases with a false alarm.
        late_by: steps from onset to finding, one per case found.
        leads: observed steps from finding to the alarm of a watcher of the loss, one per case found.
    """

    rule: str
    sick: int
    found: int
    right_layer: int
    true_cases: int
    false_cases: int
    healthy_alarms: int
    late_by: tuple[int, ...]
    leads: tuple[int, ...]

    @property
    def recall(self) -> float | None:
        return self.found / self.sick if self.sick else None

    @property
    def precision(self) -> float | None:
        claims = self.true_cases + self.false_cases
        return self.true_cases / claims if claims else None

    @property
    def right_layer_rate(self) -> float | None:
        return self.right_layer / self.found if self.found else None

    @property
    def median_lead(self) -> float | None:
        return statistics.median(self.leads) if self.leads else None

    @property
    def median_late_by(self) -> float | None:
        return statistics.median(self.late_by) if self.late_by else None


def rule_scores(results: Sequence[Result]) -> list[RuleScore]:
    """One score per rule, in the order of `RULES`."""
    return [_rule_score(rule, results) for rule in RULES]


def _rule_score(rule: str, results: Sequence[Result]) -> RuleScore:
    sick = [result for result in results if result.case.rule == rule]
    alarming = [result for result in results if any(finding.rule == rule for finding in result.false_alarms)]
    return RuleScore(
        rule,
        len(sick),
        sum(result.is_found for result in sick),
        sum(bool(result.is_right_layer) for result in sick),
        sum(any(f.rule == rule and f not in result.false_alarms for f in result.found) for result in results),
        len(alarming),
        sum(result.case.rule is None for result in alarming),
        tuple(result.late_by for result in sick if result.late_by is not None),
        tuple(result.lead for result in sick if result.lead is not None),
    )
