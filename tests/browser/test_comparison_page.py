"""The page of a comparison in Chromium: nothing is loaded, and anyone can read it, on a phone as well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tb_activations.events.reader import load
from tb_activations.report.comparison_page import Compared, comparison_page
from tb_activations.testing import ASPECTS, compare
from tests.browser.conftest import Photograph, Theme
from tests.browser.test_accessibility import AXE, LEVELS
from tests.synthetic import Plan, write_run

PLAN = Plan(layers=7, steps=30, units=4, pictures=True, hostile=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two runs that differ in layers, statistics, units and pictures."""
    folder = tmp_path_factory.mktemp("comparison")
    write_run(folder / "a", plan=PLAN)
    write_run(folder / "b", plan=PLAN, seed=1, layers=6, pictures=False)
    one, other = load(folder / "a"), load(folder / "b")
    compared = Compared(compare(one, other, include=ASPECTS), one, other)
    (folder / "page.html").write_text(comparison_page([compared], title="<b>a test</b>"), "utf-8")
    return folder / "page.html"


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser, source: Path, photograph: Photograph) -> Iterator[Page]:
    theme: Theme = request.param
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=theme)
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(source.as_uri())
    page.locator("details").evaluate_all("all => all.forEach(details => { details.open = true; })")
    yield page
    photograph(page, f"comparison_{theme}", has_failed=complaints != [], full_page=True)
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [source.as_uri()]


def test_anyone_can_read_it_and_nothing_is_wider_than_a_phone(page: Page) -> None:
    root = page.locator("html")
    root.evaluate("(_, source) => { (0, eval)(source); }", AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = root.evaluate(
        "async (root, levels) => (await axe.run(root, { runOnly: levels })).violations", LEVELS
    )
    assert [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found] == []
    lines = page.locator(".chart .actual").evaluate_all("lines => lines.map(line => line.getTotalLength())")
    assert len(lines) >= 6
    assert all(length > 100 for length in lines)
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert page.get_by_role("heading", name="<b>a test</b>").is_visible()
