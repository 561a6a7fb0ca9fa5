"""What programs from outside claim, and how measurements confirm it."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases import CASES
from benchmarks.cases.base import FAMILIES, Case, Goal
from benchmarks.cases.measurements import Measurements
from benchmarks.cases.scoring import unconfirmed_claims
from benchmarks.cases.training import load_measurements, measure

HEALTHY = [case for case in CASES.values() if case.is_outside and case.rule is None]
SICK = [case for case in CASES.values() if case.is_outside and case.rule is not None]
STUCK = Measurements(
    [{"step": 0, "loss": 1.0, "layers": {}}, {"step": 9, "loss": 0.95, "layers": {}}], {}, {}, None, 1.0
)


def case(**known: Any) -> Case:
    return Case("made_up", "", lambda: None, **known)  # type: ignore[arg-type, return-value]


def with_goal(is_reached: bool) -> Measurements:
    return dataclasses.replace(STUCK, goal={"name": "accuracy", "start": 0.1, "end": 0.9, "is_reached": is_reached})


def test_sixty_healthy_programs_of_every_family() -> None:
    count = Counter(case.family for case in HEALTHY)
    assert sum(count.values()) >= 60
    assert {family for family in FAMILIES if count[family] < 6} == set()
    assert [case.name for case in HEALTHY if not case.about.endswith(".")] == []


def test_sixty_sick_programs_with_their_reports() -> None:
    assert len(SICK) >= 60
    assert {family for family in FAMILIES if not any(case.family == family for case in SICK)} == set()
    assert [case.name for case in SICK if not case.source.startswith("http") or " " in case.source] == []
    assert [case.name for case in SICK if not case.accepted.endswith(".") or not case.about.endswith(".")] == []
    assert {case.source for case in SICK if [other.source for other in SICK].count(case.source) > 1} == set()


@pytest.mark.parametrize(
    ("goal", "values"),
    [
        (Goal("accuracy", float, at_least=0.8), {0.8: True, 0.79: False, math.nan: False}),
        (Goal("error", float, at_most=0.5), {0.5: True, 0.51: False, math.inf: False}),
    ],
)
def test_a_goal_is_reached_within_its_limits(goal: Goal, values: dict[float, bool]) -> None:
    assert {value: goal.is_reached(value) for value in values} == values


def test_only_a_healthy_program_from_outside_claims_to_learn() -> None:
    assert unconfirmed_claims(case(), STUCK) == ()
    assert unconfirmed_claims(case(family="text"), STUCK) == ("it learns: loss from 1 to 0.95, 1 of a constant",)


def test_a_goal_decides_whether_a_program_has_learned() -> None:
    assert unconfirmed_claims(case(family="text"), with_goal(True)) == ()
    assert unconfirmed_claims(case(family="text"), with_goal(False)) == ("it learns: accuracy from 0.1 to 0.9",)


def test_a_subclassed_program_is_measured_by_its_goal(tmp_path: Path) -> None:
    program = CASES["series_residual_stacks"]
    measure(program, tmp_path / "measured")
    measured = load_measurements(tmp_path / "measured")
    assert measured.layers == {}
    assert unconfirmed_claims(program, measured) == ()
