"""What the server answers, what the tab declares and what the contract states are the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.fuzzing import CONTRACT
from tests.http.server_answers import PATH, Answers, answers, header_of, typescript

SETTINGS = ("thresholds", "cadence", "versions", "left_out", "metrics", "lines")
"""Objects whose members come from the run."""


@pytest.fixture(scope="module")
def asked() -> Answers:
    return answers()


def test_the_answers_that_the_tab_is_checked_against_are_current(asked: Answers) -> None:
    assert PATH.read_text("utf-8") == typescript(asked), "run `python -m tests.http.server_answers`"


def test_the_samples_hold_an_entry_of_every_list(asked: Answers) -> None:
    assert [path for path in _empty_lists(asked.json) if not path.endswith((".inputs", ".units", ".muted"))] == []


def test_the_contract_names_every_member(asked: Answers) -> None:
    members = {name for answer in asked.json.values() for name in _members(answer)}
    members |= {name for frame in asked.frames.values() for name in _members(header_of(frame))}
    assert len(members) > 60
    assert sorted(name for name in members if not re.search(rf'["`]{name}["`]', CONTRACT)) == []


def test_wording_does_not_change_the_file(asked: Answers) -> None:
    assert " " in asked.json["Findings"]["verdict"]["sentence"]
    assert asked.json["Findings"]["verdict"]["sentence"] not in typescript(asked)


def _members(value: Any) -> Iterator[str]:
    match value:
        case dict():
            yield from value
            for name, member in value.items():
                if name not in SETTINGS:
                    yield from _members(member)
        case list():
            for member in value:
                yield from _members(member)


def _empty_lists(value: Any, path: str = "") -> Iterator[str]:
    match value:
        case dict():
            for name, member in value.items():
                yield from _empty_lists(member, f"{path}.{name}")
        case []:
            yield path
        case list():
            for member in value:
                yield from _empty_lists(member, path)
