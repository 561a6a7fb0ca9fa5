"""What setup.py declares is what `docs/versions.md` shows as passed; the README says the same."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from benchmarks.versions.page import NOT_TRIED, Outcome
from benchmarks.versions.sets import FRAMEWORKS, PACKAGE, Set, all_sets, declared_pythons, requirements

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
LINES = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/versions.md").read_text("utf-8").splitlines()
    if line.startswith("| ")
]
ROWS = [dict(zip(LINES[0], cells, strict=True)) for cells in LINES[2:]]


def row(entry: Set) -> dict[str, str]:
    """The line of a set in the page."""
    (found,) = (
        line for line in ROWS if line["set"] == entry.title and re.fullmatch(rf"{entry.python}\.\d+", line["Python"])
    )
    return found


@pytest.mark.parametrize("entry", all_sets(), ids=lambda entry: entry.name)
def test_every_set_passed_with_releases_that_are_admitted(entry: Set) -> None:
    line = row(entry)
    assert re.fullmatch(r"[1-9]\d* passed", line["tests"])
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", line["date"])
    for requirement in map(Requirement, entry.requirements):
        if requirement.name in line:
            assert Version(line[requirement.name]) in requirement.specifier


def test_the_page_has_no_other_lines() -> None:
    assert len(ROWS) == len(all_sets())


def test_each_lower_bound_is_that_of_the_oldest_set() -> None:
    line = row(all_sets()[0])
    for requirement in requirements("demo"):
        (bound,) = requirement.specifier
        assert bound.operator == ">="
        if requirement.name in line:
            shown = Version(line[requirement.name])
            length = 3 if requirement.name in FRAMEWORKS else 2
            assert shown.release[:length] == (*Version(bound.version).release, 0, 0)[:length]


def test_no_python_is_admitted_below_the_declared_ones() -> None:
    assert importlib.metadata.metadata(PACKAGE)["Requires-Python"] == f">={declared_pythons()[0]}"


def test_the_readme_names_the_same_releases() -> None:
    oldest, newest = row(all_sets()[0]), row([entry for entry in all_sets() if entry.title == "newest"][-1])
    names = {"Python": "Python", "tensorflow": "TensorFlow", "keras": "Keras", "tensorboard": "TensorBoard"}
    for name, spelled in names.items():
        first, last = (".".join(line[name].split(".")[:2]) for line in (oldest, newest))
        assert f"{spelled} {first} to {last}" in README


@pytest.mark.parametrize(
    ("outcome", "is_good", "verdict"),
    [
        (Outcome(passed=3), True, "3 passed"),
        (Outcome(passed=3, failed=1), False, "3 passed, 1 **failed**"),
        (Outcome(passed=3, skipped=2), False, "3 passed, 2 skipped"),
        (Outcome(), False, "no tests"),
        (Outcome("not installable"), False, "not installable"),
        (Outcome(NOT_TRIED), False, "not tried"),
    ],
)
def test_only_a_set_without_failed_and_skipped_tests_is_proven(outcome: Outcome, is_good: bool, verdict: str) -> None:
    assert (outcome.is_good, outcome.verdict) == (is_good, verdict)
