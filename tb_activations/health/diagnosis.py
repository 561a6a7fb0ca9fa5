"""Turns records into findings: runs the rules at every observed step and keeps open and closed findings."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.causes import WHOLE_ROW
from tb_activations.health.history import History
from tb_activations.health.ledger import Ledger
from tb_activations.health.replay import StoredHistory
from tb_activations.health.roots import bearings, root_ids, worst_first
from tb_activations.health.rules import configure
from tb_activations.health.rules.base import Evidence, LayerRule, OpenFinding, Rule, TrainingRule
from tb_activations.records.finding import WHOLE, Finding, Outcome, Severity
from tb_activations.records.specs import RunSpec
from tb_activations.records.step_record import StepRecord

_LOGGER = logging.getLogger("tb_activations")

Answer = TypeVar("Answer")

_OF = {severity: severity.outcome for severity in Severity}


@dataclasses.dataclass(frozen=True)
class Judgement:
    """The result of judging a run up to an observed step.

    Attributes:
        outcomes: `[layers, layer rules]` uint8 of `Outcome`.
        training: `[training rules]` uint8 of `Outcome`.
        tell: gives `findings`; it may be called later.
        changes: those that opened, changed severity or closed at this step, worst first.
    """

    outcomes: NDArray[np.uint8]
    training: NDArray[np.uint8]
    tell: Callable[[], tuple[Finding, ...]]
    changes: tuple[Finding, ...]

    @property
    def has_problem(self) -> bool:
        """Whether a rule reports a problem at this step."""
        return bool((self.outcomes == Outcome.PROBLEM).any() or (self.training == Outcome.PROBLEM).any())

    @functools.cached_property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, open and closed, worst first. Put into words when first asked for, which few steps do."""
        return self.tell()


class Diagnosis:
    """Judges one training record by record, with the same result during the training and from stored records.

    If a rule raises an `Exception`, its outcome is `ERROR`, for every layer, a warning is logged once, and the training
    continues. Other `BaseException`s are raised.

    Args:
        rules: None for all.
        elsewhere: all findings of rules that are not among these but judge the same training; rules for the training
            as a whole see those that were open at a step.
    """

    def __init__(self, spec: RunSpec, rules: tuple[Rule, ...] | None = None, elsewhere: Sequence[Finding] = ()) -> None:
        self._spec, self._elsewhere = spec, elsewhere
        self._chosen = configure() if rules is None else rules
        self._rules = tuple(rule for rule in self._chosen if isinstance(rule, LayerRule))
        self._training_rules = tuple(rule for rule in self._chosen if isinstance(rule, TrainingRule))
        self._history = History(spec)
        self._ledger = Ledger()
        self._tell: Callable[[], tuple[Finding, ...]] = tuple
        self._roots = _Roots([], [])
        self._failed: set[str] = set()

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules, in the order of the columns of `Judgement.outcomes`."""
        return tuple(rule.id for rule in self._rules)

    @property
    def training_rules(self) -> tuple[str, ...]:
        """Ids of the rules for the training as a whole, in the order of `Judgement.training`."""
        return tuple(rule.id for rule in self._training_rules)

    @property
    def thresholds(self) -> Mapping[str, Mapping[str, float]]:
        return {rule.id: rule.thresholds for rule in self._chosen}

    def redescribe(self, spec: RunSpec) -> None:
        """Continues with a newer description of the run. History and findings of layers that it keeps are kept.

        Findings of layers that it no longer has are dropped.
        """
        names = {WHOLE, *(layer.name for layer in spec.layers)}
        self._spec, self._history = spec, self._history.described(spec)
        self._ledger = self._ledger.of_layers(names)
        left = tuple(finding for finding in self._tell() if finding.layer in names)
        self._tell, self._roots = functools.partial(tuple, left), _Roots([], [])

    def judge(self, record: StepRecord) -> Judgement:
        """Judges the next observed step; steps must ascend.

        If an exception interrupts it, such as a time limit, the findings stay as they were after the previous step.
        The next step then reports what this one would have changed.

        Raises:
            ValueError: the record does not fit the run's description.
        """
        self._history.update(record)
        ledger, changed = self._ledger.copy(), list[tuple[str, str]]()
        outcomes = self._judge_layers(ledger, changed)
        training = self._judge_training(ledger, changed)
        roots = self._named_roots(ledger.still_open())
        tell = functools.partial(_told, ledger.still_open(), ledger.closed(), roots.ids, self._spec)
        judgement = Judgement(outcomes, training, tell, ())
        if changed:
            changed_ids = {ledger.latest_id(*key) for key in changed}
            changes = tuple(finding for finding in judgement.findings if finding.id in changed_ids)
            judgement = Judgement(outcomes, training, functools.partial(tuple, judgement.findings), changes)
        self._ledger, self._tell, self._roots = ledger, judgement.tell, roots
        return judgement

    def judge_stored(self, history: StoredHistory, check: Callable[[], None]) -> Judgement | None:
        """The judgement after the last step of a stored run, without roots; None if it has no step.

        Args:
            check: called before every step; may raise to end it.
        """
        self._history, last = history, None
        for _ in history:
            check()
            last = self._judge_layers(self._ledger, []), self._judge_training(self._ledger, [])
        if last is None:
            return None
        still_open = self._ledger.still_open()
        told = functools.partial(_told, still_open, self._ledger.closed(), [None] * len(still_open), self._spec)
        return Judgement(*last, told, ())

    def _judge_layers(self, ledger: Ledger, changed: list[tuple[str, str]]) -> NDArray[np.uint8]:
        """Runs the rules for layers; notes their findings in `ledger` and `changed`."""
        layers = self._spec.layers
        outcomes = np.full((len(layers), len(self._rules)), Outcome.ERROR, np.uint8)
        now = {"step": self._history.step, "check": self._history.checks}
        for column, rule in enumerate(self._rules):
            row_of = self._history.row_of
            earlier = {row_of[layer]: finding for layer, finding in ledger.open_of(rule.id).items()}
            answers = self._answers(rule, rule.judge, earlier)
            if answers is None:
                continue
            outcomes[:, column] = answers.outcomes
            if answers.found:
                outcomes[list(answers.found), column] = [_OF[one.severity] for one in answers.found.values()]
            for row in sorted(earlier.keys() | answers.found.keys()):
                answer = answers.found.get(row) or Outcome(outcomes[row, column])
                if ledger.note(rule, layers[row].name, answer, **now):
                    changed.append((rule.id, layers[row].name))
        return outcomes

    def _named_roots(self, still_open: Sequence[OpenFinding]) -> _Roots:
        """The roots of the open findings; found again only if something that decides them has changed."""
        bearing = bearings(still_open)
        if bearing == self._roots.bearings:
            return self._roots
        rows = {**self._history.row_of, WHOLE: WHOLE_ROW}
        return _Roots(bearing, root_ids(still_open, rows, self._history.graph))

    def _judge_training(self, ledger: Ledger, changed: list[tuple[str, str]]) -> NDArray[np.uint8]:
        """Runs the rules for the training as a whole; notes their findings in `ledger` and `changed`."""
        outcomes = np.full(len(self._training_rules), Outcome.ERROR, np.uint8)
        elsewhere = self._open_elsewhere() if self._training_rules else []
        for place, rule in enumerate(self._training_rules):
            earlier = ledger.open_of(rule.id).get(WHOLE)
            known = [*elsewhere, *ledger.still_open()] if rule.hears_others else []
            answer = self._answers(rule, rule.judge, earlier, known)
            if answer is None:
                continue
            outcomes[place] = _OF[answer.severity] if isinstance(answer, Evidence) else answer
            if ledger.note(rule, WHOLE, answer, step=self._history.step, check=self._history.checks):
                changed.append((rule.id, WHOLE))
        return outcomes

    def _open_elsewhere(self) -> list[Finding]:
        step = self._history.step
        return [
            finding
            for finding in self._elsewhere
            if finding.opened_step <= step and (finding.closed_step is None or step < finding.closed_step)
        ]

    def not_evaluated(self) -> Judgement:
        """The judgement of a step that was recorded but not judged: every outcome `ERROR`, findings as last judged."""
        return not_evaluated(self._spec, self.rules, self.training_rules, self._tell())

    def _answers(self, rule: Rule, judge: Callable[..., Answer], *given: Any) -> Answer | None:
        """What the rule says, None if it failed."""
        try:
            return judge(self._history, *given)
        # Only `Exception`: KeyboardInterrupt and a time limit must get through.
        except Exception:
            if rule.id not in self._failed:
                self._failed.add(rule.id)
                _LOGGER.warning("Layer health: rule %s failed; it is not evaluated.", rule.id, exc_info=True)
            return None


class _Roots(NamedTuple):
    """The ids of the roots of open findings, and what decided them."""

    bearings: list[tuple[object, ...]]
    ids: list[str | None]


def _told(
    still_open: Sequence[OpenFinding], closed: Sequence[Finding], roots: Sequence[str | None], spec: RunSpec
) -> tuple[Finding, ...]:
    """All findings in words, worst first."""
    told = [finding.told(root) for finding, root in zip(still_open, roots, strict=True)]
    return worst_first([*told, *closed], spec)


def not_evaluated(
    spec: RunSpec, rules: Sequence[str], training_rules: Sequence[str], findings: tuple[Finding, ...]
) -> Judgement:
    """A judgement without an outcome, and with the findings of an earlier one."""
    return Judgement(
        np.full((len(spec.layers), len(rules)), Outcome.ERROR, np.uint8),
        np.full(len(training_rules), Outcome.ERROR, np.uint8),
        functools.partial(tuple, findings),
        (),
    )
