"""The HTML report in Chromium: nothing runs, nothing is loaded, both themes can be read, paper too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tb_activations.cli.main import main
from tests.browser.conftest import Photograph, Theme
from tests.browser.test_accessibility import AXE, LEVELS
from tests.synthetic import write_newer_schema, write_run

themes = pytest.mark.parametrize("theme", ["light", "dark"])


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a sick run, a healthy one, one with hostile names and one that cannot be read."""
    folder = tmp_path_factory.mktemp("report")
    write_run(folder / "logs", name="relu_dies", steps=60, stock=False)
    write_run(folder / "logs", name="healthy", sick=False, steps=60, stock=False)
    write_run(folder / "logs", name="hostile <b>names</b>", hostile=True, steps=60, stock=False)
    write_newer_schema(folder / "logs", "newer")
    assert main(["report", str(folder / "logs"), "--format", "html", "--output", str(folder / "report.html")]) == 0
    return folder / "report.html"


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: Browser, report: Path, photograph: Photograph) -> Iterator[Page]:
    """The report in the theme of the test; it must not have complained, asked anything, or loaded anything."""
    theme: Theme = "dark" if "dark" in request.node.name else "light"
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=theme)
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(report.as_uri())
    page.locator("details").evaluate_all("all => all.forEach(details => { details.open = true; })")
    yield page
    photograph(page, request.node.name.replace("[", "_").rstrip("]"), has_failed=complaints != [], full_page=True)
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]


@themes
def test_anyone_can_read_it(page: Page, theme: Theme) -> None:
    root = page.locator("html")
    root.evaluate("(_, source) => { (0, eval)(source); }", AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = root.evaluate(
        "async (root, levels) => (await axe.run(root, { runOnly: levels })).violations", LEVELS
    )
    assert [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found] == []


def test_the_themes_differ(browser: Browser, report: Path) -> None:
    grounds = []
    both: tuple[Theme, ...] = ("light", "dark")
    for theme in both:
        context = browser.new_context(color_scheme=theme)
        page = context.new_page()
        page.goto(report.as_uri())
        grounds.append(page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert grounds == ["rgb(245, 246, 247)", "rgb(32, 33, 36)"]


def test_runs_are_folded_until_a_link_or_a_click_opens_them(browser: Browser, report: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(report.as_uri())
    states = page.locator("details.run")
    assert states.evaluate_all("all => all.map(details => details.open)") == [False] * 3
    page.get_by_role("link", name="relu_dies").click()
    assert states.evaluate_all("all => all.map(details => details.open)") == [False, False, True]
    page.get_by_role("heading", name="healthy").click()
    assert states.evaluate_all("all => all.map(details => details.open)") == [True, False, True]
    context.close()


RUNS = 17
LONG_NAME = "batch_norm_learning_rate_0.0003"


@pytest.fixture(scope="module")
def sweep_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    for index in range(RUNS):
        write_run(folder / "logs", name=f"{LONG_NAME}_{index}", sick=index % 3 == 0, steps=40, units=4, stock=False)
    assert main(["report", str(folder / "logs"), "--format", "html", "--output", str(folder / "report.html")]) == 0
    return folder / "report.html"


@pytest.mark.parametrize("width", [360, 1280])
def test_a_report_of_many_runs_is_short_and_its_names_are_readable(
    browser: Browser, sweep_report: Path, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto(sweep_report.as_uri())
    name = page.get_by_role("link", name=f"{LONG_NAME}_16", exact=True).first
    characters = name.evaluate(
        """name => { const lines = new Set([...name.getClientRects()].map((box) => Math.round(box.top)));
          return name.textContent.length / lines.size; }"""
    )
    height = page.evaluate("() => document.documentElement.scrollHeight")
    context.close()
    assert characters > 8, "a line of a name has few letters"
    assert height < RUNS * 800, "longer than a screen for each run"


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_pictures_are_drawn(page: Page) -> None:
    sizes = page.locator(".life img").evaluate_all("images => images.map(image => image.naturalWidth)")
    assert len(sizes) == 2
    assert all(size > 0 for size in sizes)
    strip = page.locator(".strip .problem").first.bounding_box()
    assert strip is not None
    assert strip["width"] > 100
    assert page.locator(".chart .line").first.evaluate("line => line.getTotalLength()") > 100


def test_it_can_be_printed(page: Page) -> None:
    page.emulate_media(media="print")
    assert page.evaluate("() => getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert len(page.pdf()) > 10_000


def test_hostile_names_are_shown_as_they_are(page: Page) -> None:
    assert page.get_by_role("heading", name="hostile <b>names</b>").is_visible()
    assert "<img src=x onerror=alert(1)>" in page.inner_text("main")
