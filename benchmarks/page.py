"""docs/benchmarks.md: each benchmark writes a section of its own."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import tb_activations


def replace_section(path: Path, section: str) -> None:
    """Writes a section, which begins with its "## title", in place of the one with that title, or at the end."""
    title = section.splitlines()[0]
    before, *sections = path.read_text("utf-8").split("\n## ")
    parts = [f"## {one}".strip() for one in sections]
    places = [place for place, one in enumerate(parts) if one.splitlines()[0] == title]
    if places:
        parts[places[0]] = section.strip()
    else:
        parts.append(section.strip())
    path.write_text("\n\n".join([before.strip(), *parts]) + "\n", "utf-8")


def rows_of(path: Path, title: str) -> list[list[str]]:
    """The rows of the table in the section with this title, "## " included; none without one."""
    sections = path.read_text("utf-8").split("\n## ")
    found = [one for one in sections if f"## {one}".startswith(f"{title}\n")]
    lines = [line for one in found for line in one.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def with_others(rows: Sequence[Sequence[str]], path: Path, title: str) -> list[Sequence[str]]:
    """These rows and, in the page's order, those of its table that tell of something else in their first two cells."""
    known = [row for row in rows_of(path, title) if len(row) == len(rows[0])]
    kept, new = ({(row[0], row[1]): row for row in some} for some in (known, rows))
    return [new.get(key) or kept[key] for key in dict.fromkeys([*kept, *new])]


def today() -> str:
    return str(datetime.date.today())


def measured_now() -> str:
    """The date and the version, for a row of a table whose rows are measured one by one."""
    return f"{today()} ({tb_activations.__version__})"


def machine(*packages: str) -> str:
    """Date, machine and versions, as the beginning of a section tells them."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    return (
        f"On {today()}: {platform.machine()}, {os.cpu_count()} shared cores, no GPU, "
        f"Python {platform.python_version()}, {versions}, tb-activations {tb_activations.__version__}"
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
