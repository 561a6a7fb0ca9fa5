"""From records to findings: runs the rules at every observed step and keeps what opened, lasts and closed."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import History
from tb_activations.health.records import Finding, Outcome, RunSpec, Severity, StepRecord
from tb_activations.health.roots import name_roots, worst_first
from tb_activations.health.rules import RuleChoice, configure
from tb_activations.health.rules.base import Evidence, Judged, Rule

_LOGGER = logging.getLogger("tb_activations")

REOPEN_WITHIN = 5
"""A finding that comes back within so many observed steps was never gone: it goes on under its old id."""

CLOSED_KEPT = 3
"""Closed findings kept for each rule and layer, so that one that comes and goes all training long stays bounded."""

_Key = tuple[str, str]
"""Rule and layer."""

_OUTCOMES = {
    Severity.NOTE: Outcome.NOTE,
    Severity.WARNING: Outcome.WARNING,
    Severity.PROBLEM: Outcome.PROBLEM,
}


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What is known after an observed step.

    Attributes:
        outcomes: `[layers, rules]` uint8 of `Outcome`.
        findings: all of them, open and closed, worst first.
        changes: those that opened, changed severity or closed at this step.
    """

    outcomes: NDArray[np.uint8]
    findings: tuple[Finding, ...]
    changes: tuple[Finding, ...]


class Diagnosis:
    """Judges one training, record by record; the same while it runs and over its stored records.

    A rule that raises answers `ERROR` for every layer, warns once and never stops the training.
    """

    def __init__(self, spec: RunSpec, rules: tuple[Rule, ...] | None = None) -> None:
        self._spec = spec
        self._rules = configure() if rules is None else rules
        self._history = History(spec)
        self._open: dict[_Key, Finding] = {}
        self._closed: dict[_Key, list[tuple[int, Finding]]] = {}
        self._failed: set[str] = set()

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules, in the order of the columns of `Judgement.outcomes`."""
        return tuple(rule.id for rule in self._rules)

    @property
    def thresholds(self) -> Mapping[str, Mapping[str, float]]:
        return {rule.id: rule.thresholds for rule in self._rules}

    def go_on(self, spec: RunSpec) -> None:
        """Goes on under a newer description of the run, with what is known of the rows that it keeps.

        Findings of layers that it does not have are forgotten.
        """
        self._spec, self._history = spec, self._history.described(spec)
        names = {layer.name for layer in spec.layers}
        self._open = {key: finding for key, finding in self._open.items() if key[1] in names}
        self._closed = {key: kept for key, kept in self._closed.items() if key[1] in names}

    def judge(self, record: StepRecord) -> Judgement:
        """Takes in the next observed step; steps must ascend.

        Raises:
            ValueError: the record does not fit the run's description.
        """
        self._history.update(record)
        outcomes = np.full((len(self._spec.layers), len(self._rules)), Outcome.ERROR, np.uint8)
        changed: list[_Key] = []
        for column, rule in enumerate(self._rules):
            for row, answer in enumerate(self._answers(rule)):
                outcomes[row, column] = _outcome(answer)
                layer = self._spec.layers[row].name
                if self._note(rule, layer, answer):
                    changed.append((rule.id, layer))
        findings = worst_first(name_roots(self._everything(), self._spec, self._history.graph), self._spec)
        by_key = {(finding.rule, finding.layer, finding.opened_step): finding for finding in findings}
        return Judgement(outcomes, findings, tuple(by_key[self._latest_key(key)] for key in changed))

    def _answers(self, rule: Rule) -> list[Judged]:
        earlier = [self._open.get((rule.id, layer.name)) for layer in self._spec.layers]
        try:
            return rule.judge(self._history, earlier)
        except Exception:
            if rule.id not in self._failed:
                self._failed.add(rule.id)
                _LOGGER.warning("Rule %s failed; its layers count as not evaluated.", rule.id, exc_info=True)
            return [Outcome.ERROR] * len(self._spec.layers)

    def _note(self, rule: Rule, layer: str, answer: Judged) -> bool:
        """Opens, keeps or closes the finding of one rule and layer; whether that is worth telling."""
        key = (rule.id, layer)
        earlier = self._open.get(key)
        if isinstance(answer, Evidence):
            resumed = earlier or self._reopened(key)
            self._open[key] = self._finding(rule, layer, answer, resumed)
            return earlier is None or earlier.severity is not answer.severity
        # Not knowing is no recovery: only a layer that is judged healthy, or not to be judged, closes a finding.
        if earlier is None or answer not in (Outcome.OK, Outcome.NOT_APPLICABLE):
            return False
        closed = dataclasses.replace(self._open.pop(key), closed_step=self._history.step)
        kept = self._closed.setdefault(key, [])
        kept.append((self._history.checks, closed))
        del kept[:-CLOSED_KEPT]
        return True

    def _reopened(self, key: _Key) -> Finding | None:
        closed = self._closed.get(key)
        if closed and self._history.checks - closed[-1][0] <= REOPEN_WITHIN:
            return closed.pop()[1]
        return None

    def _finding(self, rule: Rule, layer: str, evidence: Evidence, earlier: Finding | None) -> Finding:
        figures = {field.name: getattr(evidence, field.name) for field in dataclasses.fields(evidence)}
        step = self._history.step
        return Finding(
            rule=rule.id,
            layer=layer,
            opened_step=earlier.opened_step if earlier else step,
            last_step=step,
            source=rule.source,
            **figures,
        )

    def _everything(self) -> list[Finding]:
        closed = [finding for kept in self._closed.values() for _, finding in kept]
        return [*self._open.values(), *closed]

    def _latest_key(self, key: _Key) -> tuple[str, str, int]:
        finding = self._open.get(key) or self._closed[key][-1][1]
        return finding.rule, finding.layer, finding.opened_step


def _outcome(answer: Judged) -> Outcome:
    return _OUTCOMES[answer.severity] if isinstance(answer, Evidence) else answer


def replay(spec: RunSpec, records: Iterable[StepRecord], rules: RuleChoice = None) -> Judgement:
    """Judges a stored run again, with rules as `configure` takes them; no record leaves every outcome undecided."""
    diagnosis = Diagnosis(spec, configure(rules))
    undecided = np.full((len(spec.layers), len(diagnosis.rules)), Outcome.INSUFFICIENT_DATA, np.uint8)
    judgement = Judgement(undecided, (), ())
    for record in records:
        judgement = diagnosis.judge(record)
    return judgement
