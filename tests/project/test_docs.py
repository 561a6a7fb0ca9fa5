"""The pages link to what exists, name what exists, and the API reference has every public name."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import tb_activations
from tb_activations import integrations, probe, testing

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
MAPS = [ROOT / "CONTRIBUTING.md", DOCS / "design.md"]
MODULES = {"integrations": integrations, "probe": probe, "testing": testing}
IMAGES = DOCS / "images"
LARGEST_PICTURE = 200 * 1024

# Pages that only include a file at the top of the repository.
INCLUDES = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}


def links(text: str) -> list[str]:
    """Targets of the links and pictures of a page, without those on the web and those in code."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]


def anchors(text: str) -> set[str]:
    """What GitHub and Sphinx call the headings of a page."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken(page: Path) -> list[str]:
    """Links of a page that lead nowhere."""
    missing = []
    for link in links(page.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            missing.append(link)
    return missing


def entries(page: str) -> list[str]:
    """The names that a page of the API reference documents."""
    return re.findall(r"^\.\. auto\w+:: (\S+)$", page, re.MULTILINE)


def public_names() -> set[str]:
    names = {name for name in tb_activations.__all__ if name not in MODULES and not name.startswith("__")}
    names |= {f"{module}.{name}" for module, loaded in MODULES.items() for name in loaded.__all__}
    return {f"tb_activations.{name}" for name in names}


def undocumented(page: str) -> set[str]:
    return public_names() - set(entries(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize("link", ["nowhere.md", "rules.md#no-such-heading", "#no-such-heading"])
def test_a_broken_link_is_noticed(tmp_path: Path, link: str) -> None:
    (tmp_path / "rules.md").write_text("# Rules\n", "utf-8")
    (tmp_path / "page.md").write_text(f"# Page\n\n[there](rules.md#rules), [here](#page), [nowhere]({link})\n", "utf-8")
    assert broken(tmp_path / "page.md") == [link]


def test_every_public_name_is_in_the_api_reference() -> None:
    assert undocumented((DOCS / "api.md").read_text("utf-8")) == set()


def test_a_missing_public_name_is_noticed() -> None:
    page = (DOCS / "api.md").read_text("utf-8").replace("tb_activations.load\n", "tb_activations.other\n")
    assert undocumented(page) == {"tb_activations.load"}


def test_the_api_reference_names_nothing_else_and_nothing_twice() -> None:
    names = entries((DOCS / "api.md").read_text("utf-8"))
    assert len(names) == len(set(names))
    for name in names:
        module, _, item = name.rpartition(".")
        documented = getattr(importlib.import_module(module), item)
        assert documented.__doc__, name


def test_the_site_shows_every_page() -> None:
    shown = set(re.findall(r"^(\w+)$", (DOCS / "index.md").read_text("utf-8"), re.MULTILINE))
    assert shown == {page.stem for page in DOCS.glob("*.md")} - {"index"}
    for page, source in INCLUDES.items():
        assert f"{{include}} ../{source}" in (DOCS / page).read_text("utf-8")


def test_the_site_is_built_with_the_tests() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^test:.*\bdocs\b.*##", makefile, re.MULTILINE)
    assert re.search(r"^docs:.*\n\t.*sphinx.*--fail-on-warning", makefile, re.MULTILINE)


@pytest.mark.parametrize("page", MAPS, ids=lambda page: page.name)
def test_the_maps_name_what_exists(page: Path) -> None:
    paths = re.findall(r"`((?:tb_activations|tests|frontend|benchmarks|docs)/[^`\s]*)`", page.read_text("utf-8"))
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_contributing_names_every_folder() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    folders = [path.parent.name for path in (ROOT / "tb_activations").glob("*/__init__.py")]
    tops = [name for name in ("benchmarks", "docs", "frontend", "tests", ".ci") if (ROOT / name).is_dir()]
    assert [name for name in sorted([*folders, *tops]) if f"`{name}/`" not in text] == []


def test_every_picture_is_shown_and_small() -> None:
    shown = {Path(link).name for page in PAGES for link in links(page.read_text("utf-8"))}
    pictures = sorted(IMAGES.glob("*.png"))
    assert [picture.name for picture in pictures if picture.name not in shown] == []
    assert [picture.name for picture in pictures if picture.stat().st_size > LARGEST_PICTURE] == []
