"""Finds the phrases of `words.txt` in code, comments and documentation.

`python -m tests.project.words` prints every hit with its replacement and exits with status 1 if there is one.
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("words.txt")
SUFFIXES = {".py", ".ts", ".tsx", ".css", ".html", ".md", ".mjs"}
NAMES = {"Makefile"}
BUILT = "tb_activations/static/"
EXEMPT = "words: as stored"
"""A comment with these words exempts the lines up to the next blank one: they repeat what old event files hold."""

# A phrase may be wrapped, also within a comment, or be an identifier.
_GAP = r"[\s_]+(?:(?:#|//|\*)\s*)?"


@dataclasses.dataclass(frozen=True)
class Word:
    """A phrase to avoid and what to write instead."""

    phrase: str
    replacement: str

    @property
    def parts(self) -> list[str]:
        """The words of the phrase."""
        return self.phrase.strip("*").split()

    @property
    def pattern(self) -> str:
        """A regular expression without groups."""
        start = "" if self.phrase.startswith("*") else r"(?<!\w)"
        end = "" if self.phrase.endswith("*") else r"(?!\w)"
        return start + _GAP.join(map(re.escape, self.parts)) + end


@dataclasses.dataclass(frozen=True)
class Hit:
    """Where a phrase was found; `line` counts from 1."""

    line: int
    found: str
    replacement: str


def parse(text: str) -> list[Word]:
    """The words of a list.

    Raises:
        ValueError: a line is not `phrase -> replacement`.
    """
    words = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        phrase, arrow, replacement = line.partition(" -> ")
        if not (phrase and arrow and replacement):
            raise ValueError(f"each line must be 'phrase -> replacement', got {line!r}")
        words.append(Word(phrase, replacement))
    return words


def scan(text: str, words: Sequence[Word]) -> list[Hit]:
    """Every place of `text` in which one of `words` is used, in order."""
    text = _without_exempt(text)
    lower = text.lower()
    # Most files hold few of the words. A search for plain text first makes the scan ten times as fast.
    candidates = [word for word in words if all(part in lower for part in word.parts)]
    matches = [(match, word) for word in candidates for match in re.finditer(word.pattern, text, re.IGNORECASE)]
    matches.sort(key=lambda pair: (pair[0].start(), -pair[0].end()))
    hits, end = [], 0
    for match, word in matches:
        # Of phrases that overlap the longest one counts.
        if match.start() >= end:
            hits.append(Hit(text.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), word.replacement))
            end = match.end()
    return hits


def _without_exempt(text: str) -> str:
    """`text` with exempt lines emptied; line numbers stay."""
    lines, is_exempt = [], False
    for line in text.split("\n"):
        is_exempt = bool(line.strip()) and (is_exempt or EXEMPT in line)
        lines.append("" if is_exempt else line)
    return "\n".join(lines)


def files() -> list[Path]:
    """Every file under version control that people wrote."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [Path(name) for name in listed.stdout.splitlines() if not name.startswith(BUILT)]
    return [
        ROOT / path for path in paths if (path.suffix in SUFFIXES or path.name in NAMES) and (ROOT / path).is_file()
    ]


def main() -> int:
    """Prints all hits, one a line."""
    words = parse(LIST.read_text("utf-8"))
    count = 0
    for path in files():
        for hit in scan(path.read_text("utf-8"), words):
            count += 1
            print(f"{path.relative_to(ROOT)}:{hit.line}: {hit.found!r} -> {hit.replacement}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
