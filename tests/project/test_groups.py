from __future__ import annotations

import pytest

from benchmarks.cases import CASES
from benchmarks.cases.base import Case
from benchmarks.cases.groups import Group, families, halves
from benchmarks.cases.scoring import Result


def result(rule: str | None, *, found: bool = False, right: bool = False, alarms: int = 0) -> Result:
    case = Case("made_up", "", lambda: None, rule)  # type: ignore[arg-type, return-value]
    return Result(case, (), ("alarm",) * alarms, (), found, right if found else None)  # type: ignore[arg-type]


def test_f1_counts_misses_and_cases_with_a_false_alarm() -> None:
    hits = [result("dead_units", found=True, right=True), result("dead_units", found=True)]
    group = Group("made up", [*hits, result("dead_units"), result(None), result(None, alarms=3)])
    assert (group.found, group.right_layer) == (2, 1)
    assert group.f1 == pytest.approx(4 / 6)
    assert group.layer_f1 == pytest.approx(2 / 5)


def test_every_case_is_in_one_half_and_those_from_outside_in_one_family() -> None:
    results = [Result(case, (), (), ()) for case in CASES.values()]
    held_out, tuned = halves(results)
    assert len(held_out.results) + len(tuned.results) == len(results)
    assert all(one.case.is_outside for one in held_out.results)
    assert sum(len(group.results) for group in families(results)) == sum(one.case.is_outside for one in results)


def test_nothing_is_perfect_by_mistake() -> None:
    assert Group("all missed", [result("dead_units")]).f1 == 0
