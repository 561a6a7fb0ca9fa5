"""The guide lists the keys of the tab."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_names_every_key_of_the_help() -> None:
    (source,) = (ROOT / "frontend/src").rglob("keyboard_help.tsx")
    keys = [
        key
        for group in re.findall(r"keys: \[([^\]]*)\]", source.read_text("utf-8"))
        for key in re.findall(r'"([^"]+)"', group)
    ]
    assert len(keys) > 10
    printed = (ROOT / "docs/guide.md").read_text("utf-8").split("## Keys")[1]
    assert [key for key in keys if key.encode().decode("unicode_escape") not in printed] == []
