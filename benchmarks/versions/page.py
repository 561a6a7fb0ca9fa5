"""Reports the results of the sets: as JSON between runs, as a table on the terminal, as `docs/versions.md`."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.versions.sets import FRAMEWORKS, Set, all_sets

SHOWN = (*FRAMEWORKS, "numpy", "protobuf", "pillow", "rich", "jinja2")
NOT_TRIED = "not tried"
_INTRODUCTION = """# Versions

`make test-versions` writes this page; do not edit it. It installs every set into a new environment and tests it.

"oldest" has every requirement at the lower bound in `setup.py`: frameworks at exactly that release, other packages with
later bug fixes. "newest" has the newest releases that work together. Both include TensorFlow and train. "viewing only"
is the package without an extra: no TensorFlow; reading, reports and the tab's server. The newest releases on the oldest
Python have no row, since `make test` runs all tests with them. The tests demand the same everywhere: with XLA off,
weights trained with and without observing must be bit-identical.
"""
_BELOW = """
Below the lower bounds:

- With Keras 3.8 and 3.9 the small transformer of the tests is not bit-identical while observed. These releases add
  the biases of attention as a plain sum, which TensorFlow's graph optimizer merges with the residual sum after it. An
  observed step needs the tensor between them, so the sums stay separate and round differently.
- TensorBoard up to 2.19 lacks the module that detects the format of an image, which the tab's server needs. TensorFlow
  2.18 and 2.19 require these releases.
- TensorBoard 2.20 finds its plugins with `pkg_resources`, which setuptools has dropped. With a recent setuptools, such
  as 84, it does not start, with or without this package. 2.21 does not need it.
- Python 3.10 has reached its end of life.
"""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a set.

    Attributes:
        reason: why it was not tried or could not be installed, else "".
        python: the exact version.
        versions: of the packages in `SHOWN`, by name, those that are installed.
        seconds: duration of the tests.
        date: of the run.
    """

    reason: str = ""
    python: str = ""
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    date: str = ""

    @property
    def is_good(self) -> bool:
        """Whether all tests ran and passed."""
        return not self.reason and self.passed > 0 and not self.failed and not self.skipped

    @property
    def was_tried(self) -> bool:
        """Whether its Python was available."""
        return not self.reason.startswith(NOT_TRIED)

    @property
    def verdict(self) -> str:
        """The result in words, with the number of tests."""
        if self.reason:
            return self.reason
        counted = {"passed": self.passed, "**failed**": self.failed, "skipped": self.skipped}
        return ", ".join(f"{count} {word}" for word, count in counted.items() if count) or "no tests"


def keep(folder: Path, tried: Set, outcome: Outcome) -> None:
    """Stores an outcome for `kept`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _file_name(tried)).write_text(json.dumps(dataclasses.asdict(outcome), indent=1), "utf-8")


def kept(folder: Path, tried: Set) -> Outcome:
    """The last outcome of the set."""
    file = folder / _file_name(tried)
    return Outcome(**json.loads(file.read_text("utf-8"))) if file.exists() else Outcome(NOT_TRIED)


def show(outcomes: Sequence[tuple[Set, Outcome]]) -> None:
    """Prints the table."""
    table = Table(*_HEADS)
    for tried, outcome in outcomes:
        table.add_row(*_cells(tried, outcome))
    Console(width=200).print(table)


def write(page: Path, outcomes: Sequence[tuple[Set, Outcome]]) -> None:
    """Writes the page."""
    rows = [_HEADS, ("---",) * len(_HEADS), *(_cells(tried, outcome) for tried, outcome in outcomes)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    page.write_text(f"{_INTRODUCTION}\n" + "\n".join(lines) + f"\n\nThe tests:\n\n{_tests()}{_BELOW}", "utf-8")


_HEADS = ("set", "Python", *SHOWN, "tests", "minutes", "date")


def _cells(tried: Set, outcome: Outcome) -> tuple[str, ...]:
    versions = (outcome.versions.get(name, "–") for name in SHOWN)
    minutes = f"{outcome.seconds / 60:.1f}" if outcome.seconds else "–"
    return (tried.title, outcome.python or tried.python, *versions, outcome.verdict, minutes, outcome.date or "–")


def _tests() -> str:
    listed = {tried.title: ", ".join(f"`{test}`" for test in tried.tests) for tried in all_sets()}
    return "".join(f"- {title}: {tests}\n" for title, tests in listed.items())


def _file_name(tried: Set) -> str:
    return re.sub(r"\W+", "_", tried.name) + ".json"
