"""Compares a recorded run with its golden, and reports a difference as text and as a page."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection
from pathlib import Path

from tb_activations.comparison.axis import Match
from tb_activations.comparison.compare import compare
from tb_activations.comparison.tolerance import Tolerances
from tb_activations.events.reader import load
from tb_activations.golden.store import EVENT_FILE, as_golden, write_golden
from tb_activations.report.comparison_page import Compared, comparison_page

LINES = 40
"""Of a failure at most."""
UPDATE = "--update-layer-health"


@dataclasses.dataclass(frozen=True)
class Golden:
    """A golden and how runs are compared with it.

    Attributes:
        folder: of the golden.
        title: the test that it belongs to.
        tolerances: per statistic and layer.
        match: "step" or "epoch", as in `tb_activations.testing.compare`.
        include: () or ("findings",): a golden has no units and histograms.

    Raises:
        ValueError: `include` has anything else.
    """

    folder: Path
    title: str
    tolerances: Tolerances
    match: Match = "step"
    include: Collection[str] = ()

    def __post_init__(self) -> None:
        for aspect in self.include:
            if aspect != "findings":
                raise ValueError(f"include may have only 'findings', got {aspect!r}, which a golden does not have")

    @property
    def exists(self) -> bool:
        """Whether the golden has been written."""
        return (self.folder / EVENT_FILE).is_file()

    def update(self, log_dir: str | os.PathLike[str]) -> bool:
        """Writes the golden unless the run in `log_dir` matches it already; whether it was written."""
        if self.exists and not self.failure(log_dir, None):
            return False
        write_golden(load(log_dir), self.folder, self.title, self.match)
        return True

    def failure(self, log_dir: str | os.PathLike[str], page: Path | None) -> str:
        """What differs, in at most 40 lines; "" if the run in `log_dir` matches the golden.

        Args:
            page: where to write an HTML page with charts if something differs; None writes none.
        """
        if not self.exists:
            return f"{self.title} has no golden in {self.folder}\nTo write it, run: pytest {UPDATE}"
        expected = load(self.folder)
        actual = as_golden(expected, load(log_dir), self.match)
        found = compare(expected, actual, self.tolerances, match=self.match, include=self.include, name=self.title)
        if found.is_equal:
            return ""
        lines = [f"{self.title} differs from its golden: {found.text(LINES - 2)}"]
        if page is not None:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(comparison_page([Compared(found, expected, actual)], title=self.title), "utf-8")
            lines.append(f"Charts: {os.path.relpath(page)}")
        return "\n".join([*lines, f"If this change is intended, run: pytest {UPDATE}"])
