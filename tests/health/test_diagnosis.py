from __future__ import annotations

import dataclasses
import logging
import pickle
from typing import ClassVar

import numpy as np
import pytest

from tb_activations.health.diagnosis import Diagnosis
from tb_activations.health.history import History
from tb_activations.health.ledger import CLOSED_KEPT, REOPEN_WITHIN
from tb_activations.health.rules import RULES, configure
from tb_activations.health.rules.base import Answers, Earlier, LayerRule
from tb_activations.records.finding import Finding, Outcome, Severity
from tb_activations.records.step_record import StepRecord
from tests.health.trainings import chain, equal, judge, random_records, record, replay, still_open

SPEC = chain("a", "b", "out")


def overflowing(step: int) -> StepRecord:
    return record(SPEC, step, values={"a": {"weight_gradient_nonfinite": 1.0}})


def mixed(pattern: str) -> list[StepRecord]:
    """One record per letter: `x` with NaN in a gradient, `.` healthy."""
    return [overflowing(step) if letter == "x" else record(SPEC, step) for step, letter in enumerate(pattern)]


@pytest.mark.parametrize("seed", range(2))
def test_a_replay_gives_what_was_judged_live(seed: int) -> None:
    records = random_records(SPEC, 80, np.random.default_rng(seed))
    live = judge(SPEC, records)
    assert any(judgement.changes for judgement in live)
    for length in (1, 7, 40, 80):
        assert equal(replay(SPEC, iter(records[:length])), live[length - 1])


def test_replay_of_nothing_is_undecided() -> None:
    judgement = replay(SPEC, [])
    assert np.all(judgement.outcomes == Outcome.INSUFFICIENT_DATA)
    assert judgement.findings == judgement.changes == ()


def test_replay_takes_other_thresholds() -> None:
    records = [record(SPEC, step, silent={"b": [0, 1, 2]}) for step in range(20)]
    assert replay(SPEC, records).findings[0].severity is Severity.NOTE
    assert replay(SPEC, records, {"dead_units": {"problem_share": 0.3}}).findings[0].severity is Severity.PROBLEM


def test_memory_does_not_grow_with_steps() -> None:
    diagnosis = Diagnosis(SPEC)
    sizes = []
    for count, entry in enumerate(random_records(SPEC, 600, np.random.default_rng(0)), 1):
        diagnosis.judge(entry)
        if count in (200, 600):
            sizes.append(len(pickle.dumps(diagnosis)))
    assert sizes[1] < 1.1 * sizes[0]


def test_a_finding_opens_stays_and_closes() -> None:
    judgements = judge(SPEC, mixed("..xxx.."), ["nonfinite"])
    changes = [[(finding.opened_step, finding.closed_step) for finding in entry.changes] for entry in judgements]
    assert changes == [[], [], [(2, None)], [], [], [(2, 5)], []]
    assert [finding.last_step for finding in judgements[4].findings] == [4]
    assert judgements[-1].findings[0].last_step == 4


def test_a_finding_that_returns_soon_is_reopened_and_later_a_new_one() -> None:
    flicker = judge(SPEC, mixed("x" + "." * REOPEN_WITHIN + "x"), ["nonfinite"])[-1]
    assert [(finding.opened_step, finding.closed_step) for finding in flicker.findings] == [(0, None)]
    again = judge(SPEC, mixed("x" + "." * (REOPEN_WITHIN + 1) + "x"), ["nonfinite"])[-1]
    assert [(finding.opened_step, finding.closed_step) for finding in again.findings] == [
        (REOPEN_WITHIN + 2, None),
        (0, 1),
    ]
    assert len({finding.id for finding in again.findings}) == 2


def test_closed_findings_are_bounded() -> None:
    findings = judge(SPEC, mixed(("x" + "." * 9) * 20), ["nonfinite"])[-1].findings
    assert len(findings) == CLOSED_KEPT
    assert findings[-1].opened_step == 190


def test_a_change_of_severity_is_reported() -> None:
    spec = chain("a", "b", "out", units=20)
    records = [record(spec, step, silent={"b": range(10 if step < 30 else 18)}) for step in range(60)]
    changes = [finding for entry in judge(spec, records, ["dead_units"]) for finding in entry.changes]
    assert [finding.severity for finding in changes] == [Severity.NOTE, Severity.WARNING, Severity.PROBLEM]
    # The share that is a problem was reached only later, so it is another finding than the warning.
    assert [finding.since_step for finding in changes] == [0, 0, 30]
    assert [finding.opened_step >= finding.since_step for finding in changes] == [True, True, True]
    assert [finding.id for finding in judge(spec, records, ["dead_units"])[-1].findings] == [changes[-1].id]


@dataclasses.dataclass(frozen=True)
class Broken(LayerRule):
    """Fails from the third record on."""

    id: ClassVar[str] = "broken"
    title: ClassVar[str] = "Broken"
    source: ClassVar[str] = ""

    def judge(self, history: History, earlier: Earlier) -> Answers:
        if history.checks > 2:
            raise ZeroDivisionError("a fault in the rule")
        return Answers(np.full(len(history.spec.layers), Outcome.OK, np.uint8), {})

    @staticmethod
    def headline(finding: Finding) -> str:
        return ""


def test_a_rule_that_fails_is_an_error_for_its_layers_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    diagnosis = Diagnosis(SPEC, (Broken(), *configure(["nonfinite"])))
    with caplog.at_level(logging.WARNING):
        judgements = [diagnosis.judge(entry) for entry in mixed("....x")]
    assert [int(entry.outcomes[0, 0]) for entry in judgements] == [0, 0, 6, 6, 6]
    assert judgements[-1].findings[0].rule == "nonfinite"
    assert [entry.message for entry in caplog.records] == ["Layer health: rule broken failed; it is not evaluated."]
    assert "a fault in the rule" in caplog.text


def test_missing_data_closes_no_finding() -> None:
    diagnosis = Diagnosis(SPEC, configure(["vanishing_gradient"]))
    vanished = {"a": {"weight_gradient_norm": 1e-12}}
    for step in range(20):
        diagnosis.judge(record(SPEC, step, values=vanished))
    for step in range(20, 60):
        judgement = diagnosis.judge(record(SPEC, step, values=vanished, loss=float("nan")))
    assert judgement.outcomes[0, 0] == Outcome.INSUFFICIENT_DATA
    assert [(finding.layer, finding.last_step) for finding in still_open(judgement)] == [("a", 41)]


def test_rules_and_thresholds_are_named() -> None:
    diagnosis = Diagnosis(SPEC)
    assert (*diagnosis.rules, *diagnosis.training_rules) == tuple(RULES)
    assert diagnosis.thresholds["dead_units"]["problem_share"] == 0.7


def test_single_calls_of_a_shared_layer_are_not_judged() -> None:
    shared = dataclasses.replace(SPEC.layers[1], name="b@1", call_site=1)
    spec = dataclasses.replace(SPEC, layers=(*SPEC.layers[:2], shared, SPEC.layers[2]))
    judgement = judge(spec, [record(spec, step) for step in range(20)])[-1]
    assert set(judgement.outcomes[2].tolist()) == {int(Outcome.NOT_APPLICABLE)}


class TimeLimitError(BaseException):
    """Raised as by a watchdog in the middle of a judgement."""


@dataclasses.dataclass(frozen=True)
class Endless(LayerRule):
    """Is interrupted at one step and finds nothing at all others."""

    id: ClassVar[str] = "endless"
    title: ClassVar[str] = "Endless"
    source: ClassVar[str] = "made up"
    limits: ClassVar[dict[str, tuple[float, float]]] = {}

    def judge(self, history: History, earlier: Earlier) -> Answers:
        if history.step == 3:
            raise TimeLimitError
        return Answers(np.full(len(history.spec.layers), Outcome.OK, np.uint8), {})

    @staticmethod
    def headline(finding: Finding) -> str:
        return finding.sign


@pytest.mark.parametrize("place", [0, 1])
def test_an_interrupted_judgement_is_not_evaluated_and_the_next_one_is_complete(place: int) -> None:
    (nonfinite,) = configure(["nonfinite"])
    rules = (Endless(), nonfinite) if place == 0 else (nonfinite, Endless())
    diagnosis = Diagnosis(SPEC, rules)
    records = mixed("x.xxx")
    known = [diagnosis.judge(entry) for entry in records[:3]][-1]
    with pytest.raises(TimeLimitError):
        diagnosis.judge(overflowing(3))
    left = diagnosis.not_evaluated()
    assert np.all(left.outcomes == Outcome.ERROR)
    assert left.outcomes.shape == (3, 2)
    assert (left.findings, left.changes) == (known.findings, ())
    after = diagnosis.judge(record(SPEC, 4))
    assert [(finding.layer, finding.closed_step) for finding in after.changes] == [("a", 4)]


def test_findings_of_an_interrupted_judgement_are_reported_by_the_next() -> None:
    diagnosis = Diagnosis(SPEC, (*configure(["nonfinite"]), Endless()))
    for step in range(3):
        diagnosis.judge(record(SPEC, step))
    with pytest.raises(TimeLimitError):
        diagnosis.judge(overflowing(3))
    assert diagnosis.not_evaluated().findings == ()
    assert [finding.layer for finding in diagnosis.judge(overflowing(4)).changes] == ["a"]


def test_nothing_judged_yet_is_not_evaluated_either() -> None:
    left = Diagnosis(SPEC).not_evaluated()
    assert (left.findings, left.changes) == ((), ())
    assert np.all(left.outcomes == Outcome.ERROR)


def test_the_first_of_many_findings_is_kept() -> None:
    findings = judge(SPEC, mixed(("x" + "." * 9) * 20), ["nonfinite"])[-1].findings
    assert [finding.opened_step for finding in findings] == [0, 180, 190]
