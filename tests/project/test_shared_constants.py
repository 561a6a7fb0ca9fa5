"""The tab computes with the constants of the rules and of the schedule."""

from __future__ import annotations

import json
import re

from tests.project.shared_constants import PATH, constants, text


def test_the_tab_has_the_constants_of_python() -> None:
    assert json.loads(PATH.read_text("utf-8")) == constants(), "run `python -m tests.project.shared_constants`"
    assert list(constants()) == re.findall(r'^  "(\w+)":', text(), re.MULTILINE)


def test_the_tab_uses_every_one_and_repeats_none() -> None:
    sources = {path: path.read_text("utf-8") for path in PATH.parent.parent.rglob("*.ts*")}
    assert [name for name in constants() if not any(f"constants.{name}" in one for one in sources.values())] == []
    assert [path.name for path, one in sources.items() if "cadence.py" in one] == []
