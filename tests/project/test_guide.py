"""The guide's links exist, and no picture of the documentation lies about unused."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "guide.md").read_text("utf-8")
README = (DOCS.parent / "README.md").read_text("utf-8")
LARGEST_PICTURE = 200 * 1024


def targets(text: str) -> list[str]:
    return re.findall(r"\]\(([^)#]+)\)", text)


def test_every_link_leads_somewhere() -> None:
    assert targets(GUIDE)
    assert [target for target in targets(GUIDE) if not (DOCS / target).is_file()] == []


def test_every_picture_is_shown_and_small() -> None:
    pages = [README, *(page.read_text("utf-8") for page in DOCS.glob("*.md"))]
    shown = {Path(target).name for page in pages for target in targets(page)}
    pictures = sorted((DOCS / "images").glob("*.png"))
    assert [picture.name for picture in pictures if picture.name not in shown] == []
    assert [picture.name for picture in pictures if picture.stat().st_size > LARGEST_PICTURE] == []


def test_it_names_every_key_of_the_help() -> None:
    source = (DOCS.parent / "frontend/src/panels/keyboard_help.tsx").read_text("utf-8")
    keys = [key for group in re.findall(r"keys: \[([^\]]*)\]", source) for key in re.findall(r'"([^"]+)"', group)]
    assert len(keys) > 10
    printed = GUIDE.split("## Keys")[1]
    assert [key for key in keys if key.encode().decode("unicode_escape") not in printed] == []
