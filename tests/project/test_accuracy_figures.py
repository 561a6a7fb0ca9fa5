"""What the pages say of the rules' accuracy is what `make accuracy` wrote."""

from __future__ import annotations

import re
from pathlib import Path

from tb_activations.health.rules import RULES

ROOT = Path(__file__).parents[2]
ACCURACY = (ROOT / "docs/accuracy.md").read_text("utf-8")


def table(page: str) -> list[str]:
    return [line for line in page.splitlines() if re.match(rf"\| ({'|'.join(RULES)}) \|", line)]


def summary() -> str:
    found = re.search(r"^\d+ healthy trainings, .*$", ACCURACY, re.MULTILINE)
    assert found
    return found[0]


def test_every_rule_has_its_row() -> None:
    assert [line.split("|")[1].strip() for line in table(ACCURACY)] == list(RULES)


def test_the_page_of_rules_holds_the_table_and_the_sentence() -> None:
    page = (ROOT / "docs/rules.md").read_text("utf-8")
    assert table(page) == table(ACCURACY)
    assert summary() in page


def test_the_first_page_holds_the_sentence_and_the_first_columns() -> None:
    page = (ROOT / "README.md").read_text("utf-8")
    assert summary() in page
    assert table(page) == ["|".join(line.split("|")[:6]) + "|" for line in table(ACCURACY)]
