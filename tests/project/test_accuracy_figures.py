"""The README quotes the accuracy of the rules from the page that `make accuracy` writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.cases.base import RULES

ROOT = Path(__file__).parents[2]
ACCURACY = (ROOT / "docs/accuracy.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [README, *(page.read_text("utf-8") for page in sorted((ROOT / "docs").glob("*.md")))]
HALVES = ("Held out", "Tuned")
RECALL, PRECISION = 3, 5


def half(title: str, page: str = ACCURACY) -> str:
    """The part of the page about one half of the cases."""
    return page.partition(f"## {title}\n")[2].partition("\n## ")[0]


def table(page: str) -> list[list[str]]:
    """The rows of rules in a page."""
    rows = [line for line in page.splitlines() if re.match(rf"\| ({'|'.join(RULES)}) \| \d+ \|", line)]
    return [[cell.strip() for cell in row.split("|")] for row in rows]


def quoted(page: str) -> list[tuple[int, ...]]:
    """Healthy trainings, those with a false alarm, sick ones and those found, as often as a page quotes them."""
    text = re.sub(r"\s+", " ", page)
    pattern = r"(\d+) healthy trainings, (\d+) with a false alarm[.;] (\d+) sick ones, (\d+) found"
    return [tuple(map(int, found)) for found in re.findall(pattern, text)]


def worst(rows: list[list[str]]) -> int:
    """The lowest recall or precision of any rule, in percent."""
    shares = [row[column] for row in rows for column in (RECALL, PRECISION) if "%" in row[column]]
    return min(int(share.split("%")[0]) for share in shares)


@pytest.mark.parametrize("title", HALVES)
def test_every_rule_has_its_row(title: str) -> None:
    assert [row[1] for row in table(half(title))] == list(RULES)


def test_held_out_cases_come_first() -> None:
    assert ACCURACY.index("## Held out\n") < ACCURACY.index("## Tuned\n")


def test_the_table_is_in_one_place_only() -> None:
    assert [page for page in PAGES if table(page)] == [ACCURACY]


def test_the_readme_quotes_the_counts_held_out_first() -> None:
    assert quoted(README) == quoted(ACCURACY) == [*quoted(half("Held out")), *quoted(half("Tuned"))]


def test_the_readme_quotes_the_worst_rule() -> None:
    share = worst(table(half("Held out")))
    assert f"the lowest precision or recall of any rule is {share} %" in re.sub(r"\s+", " ", README)


def test_a_worse_rule_is_noticed() -> None:
    rows = [["", "a", "4", "75% (3/4)", "–", "100% (3/3)"], ["", "b", "0", "–", "–", "–"]]
    assert worst(rows) == 75
    rows[0][PRECISION] = "3% (1/33)"
    assert worst(rows) == 3
