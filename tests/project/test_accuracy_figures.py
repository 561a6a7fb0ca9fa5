"""The README quotes the accuracy of the rules from the page that `make accuracy` writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tb_activations.health.rules import RULES

ROOT = Path(__file__).parents[2]
ACCURACY = (ROOT / "docs/accuracy.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [README, *(page.read_text("utf-8") for page in sorted((ROOT / "docs").glob("*.md")))]
RECALL, PRECISION = 3, 5


def table(page: str) -> list[list[str]]:
    """The rows of rules with percentages in a page."""
    rows = [line for line in page.splitlines() if re.match(rf"\| ({'|'.join(RULES)}) \|.*%", line)]
    return [[cell.strip() for cell in row.split("|")] for row in rows]


def quoted(page: str) -> tuple[int, ...]:
    """Healthy trainings, those with a false alarm, sick ones and those found, as a page quotes them."""
    text = re.sub(r"\s+", " ", page)
    found = re.search(r"(\d+) healthy trainings, (\d+) with a false alarm[.;] (\d+) sick ones, (\d+) found", text)
    assert found
    return tuple(map(int, found.groups()))


def worst(rows: list[list[str]]) -> int:
    """The lowest recall or precision of any rule, in percent."""
    return min(int(row[column].split("%")[0]) for row in rows for column in (RECALL, PRECISION))


def test_every_rule_has_its_row() -> None:
    assert [row[1] for row in table(ACCURACY)] == list(RULES)


def test_the_table_is_in_one_place_only() -> None:
    assert [page for page in PAGES if table(page)] == [ACCURACY]


def test_the_readme_quotes_the_counts() -> None:
    assert quoted(README) == quoted(ACCURACY)


def test_the_readme_quotes_the_worst_rule() -> None:
    assert f"the lowest precision and recall of any rule is {worst(table(ACCURACY))} %" in re.sub(r"\s+", " ", README)


@pytest.mark.parametrize(("old", "new"), [("100% (6/6)", "17% (1/6)"), ("100% (9/9)", "9% (1/11)")])
def test_a_worse_rule_is_noticed(old: str, new: str) -> None:
    assert worst(table(ACCURACY.replace(old, new, 1))) == int(new.split("%")[0])
