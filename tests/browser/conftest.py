"""The real tab in the real TensorBoard, driven in Chromium."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, FrameLocator, Locator, Page, expect, sync_playwright

from tests.live_server import ROOT, Server, serve
from tests.synthetic import write_logdir

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REPORT_POLICY_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`));
"""

MANY_LAYERS_RECORDS = 1000
DEADLINE = 15_000
"""Milliseconds to wait for anything; reached only when something is broken."""
expect.set_options(timeout=DEADLINE)
Theme = Literal["light", "dark"]


@dataclasses.dataclass
class Tab:
    """The Layer Health tab in a browser window.

    Attributes:
        page: TensorBoard's page.
        frame: the tab in it.
        complaints: errors in the console, uncaught exceptions, content security policy reports and dialogs.
        expected: pattern of complaints that the test provokes.
    """

    page: Page
    frame: FrameLocator
    complaints: list[str] = dataclasses.field(default_factory=list)
    expected: str | None = None

    @property
    def verdict(self) -> Locator:
        return self.frame.locator("h1")

    @property
    def layers(self) -> Locator:
        return self.frame.locator(".layer-list button")

    @property
    def selected_layer(self) -> Locator:
        return self.frame.locator(".layer-list [aria-current=true] .layer-name")

    @property
    def place(self) -> dict[str, str]:
        """The tab's keys in the address."""
        fragment = urllib.parse.urlsplit(self.page.url).fragment
        return {key.removeprefix("p.layer_health."): value for key, value in urllib.parse.parse_qsl(fragment)}

    def picture(self, panel: str) -> str:
        """What the panel's first canvas shows."""
        drawn: str = self.panel(panel).locator("canvas").first.evaluate("canvas => canvas.toDataURL()")
        return drawn

    def panel(self, name: str) -> Locator:
        return self.frame.locator(f"#{name}")

    def wait_until_loaded(self) -> None:
        expect(self.frame.locator("main")).to_have_attribute("aria-busy", "false")
        expect(self.frame.locator(".skeleton")).to_have_count(0)

    def compare(self, *runs: str) -> None:
        """Compares these runs with the main one."""
        menu = self.frame.locator(".menu", has_text="Compare")
        menu.locator("summary").click()
        for run in runs:
            menu.get_by_label(run, exact=True).check()
        menu.locator("summary").click()

    def press_reload(self) -> None:
        """TensorBoard's own reload button."""
        self.page.locator("button.reload-button").click()

    def unexpected(self) -> list[str]:
        return [text for text in self.complaints if self.expected is None or not re.search(self.expected, text)]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    folder = Path(os.environ.get("SCREENSHOTS", ROOT / "build" / "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    write_logdir(folder)
    return folder


@pytest.fixture(scope="session")
def server(logdir: Path) -> Iterator[Server]:
    with serve(logdir) as server:
        server.wait_for_runs(8)
        server.wait_for_records("many_layers", MANY_LAYERS_RECORDS)
        yield server


StartServer = Callable[..., Server]
OpenTab = Callable[..., Tab]


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Starts TensorBoard for one test: `start_server(folder, path_prefix="/behind")`."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(serve(*arguments, **options))


@pytest.fixture
def open_tab(
    browser: Browser, screenshots: Path, start_server: StartServer, request: pytest.FixtureRequest
) -> Iterator[OpenTab]:
    """Opens the tab: `open_tab(server, theme="dark", width=700, place="&p.layer_health.run=train")`.

    Afterwards every tab is photographed, and must not have complained. Tabs close before servers stop.
    """
    tabs: list[Tab] = []

    def open_one(
        server: Server,
        *,
        theme: Theme = "light",
        width: int = 1280,
        height: int = 900,
        place: str = "",
        query: str = "",
    ) -> Tab:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
        context.set_default_timeout(DEADLINE)
        page = context.new_page()
        tab = Tab(page, page.frame_locator("iframe"))
        page.add_init_script(REPORT_POLICY_VIOLATIONS)
        page.on("console", lambda message: _note_errors(message, tab))
        page.on("pageerror", lambda error: tab.complaints.append(f"uncaught {error}"))
        page.on("dialog", lambda dialog: _refuse(dialog, tab))
        page.goto(f"{server.url}{query}#layer_health{place}")
        tabs.append(tab)
        tab.wait_until_loaded()
        return tab

    yield open_one
    name = re.sub(r"\W+", "_", request.node.name).strip("_")
    for index, tab in enumerate(tabs):
        tab.page.screenshot(path=screenshots / f"{name}{f'_{index}' if index else ''}.png")
        tab.page.context.close()
    assert [tab.unexpected() for tab in tabs] == [[] for _ in tabs]


def _note_errors(message: ConsoleMessage, tab: Tab) -> None:
    if message.type == "error":
        tab.complaints.append(f"{message.text} ({message.location['url']})")


def _refuse(dialog: Dialog, tab: Tab) -> None:
    tab.complaints.append(f"dialog {dialog.message}")
    dialog.dismiss()
