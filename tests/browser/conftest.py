"""The real tab in the real TensorBoard, driven in Chromium."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import urllib.parse
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    CDPSession,
    ConsoleMessage,
    Dialog,
    FrameLocator,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from tests.conftest import Once
from tests.live_server import ROOT, Server, serve
from tests.synthetic import write_logdir

CHROMIUM = "/usr/bin/chromium"
SHELL = shutil.which("chromium-headless-shell") or CHROMIUM
"""The same engine without a browser around it, if it is installed: it opens pages more quickly."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
UNUSED = (
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades", "LensOverlay"),
    *("HttpsFirstBalancedModeAutoEnable", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning"),
    *("AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled"),
    *("PreconnectToSearch", "WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"),
)
"""Parts of Chromium that tests do not need.

The last three load some hundred scripts into each window, for suggestions below an address bar that nobody sees. Those
before them are what Playwright turns off: Chromium heeds only the last list it is given.
"""
SAVING = [
    f"--disable-features={','.join(UNUSED)}",
    # Playwright asks for places in scripts, for which V8 would parse TensorBoard's own again.
    "--js-flags=--no-enable-lazy-source-positions",
    # One process shows all pages: it is started once, and compiles TensorBoard's scripts once.
    "--process-per-site",
]
"""What makes tests quicker and shows the same. Benchmarks do without, for they measure what a user waits for."""
REPORT_POLICY_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`));
"""

MANY_LAYERS_RECORDS = 1000
DEADLINE = 15_000
"""Milliseconds to wait for anything; reached only when something is broken."""
expect.set_options(timeout=DEADLINE)
Theme = Literal["light", "dark"]
Photograph = Callable[..., None]
HAS_FAILED = pytest.StashKey[bool]()
BAR = 64
"""Pixels that TensorBoard takes at the top of a window."""


@dataclasses.dataclass
class Tab:
    """The Layer Health tab in a browser window.

    Attributes:
        page: TensorBoard's page, or that of the tab where it is alone.
        frame: the tab in it.
        complaints: errors in the console, uncaught exceptions, content security policy reports and dialogs.
        expected: pattern of complaints that the test provokes.
    """

    page: Page
    frame: FrameLocator | Page
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
        browser = playwright.chromium.launch(executable_path=SHELL, args=[*ARGUMENTS, *SAVING])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared_context(browser: Browser) -> Iterator[BrowserContext]:
    """Of all windows: they load and compile TensorBoard's scripts of several megabytes once."""
    context = browser.new_context()
    context.set_default_timeout(DEADLINE)
    yield context
    context.close()


@pytest.fixture(scope="session")
def developer_tools(shared_context: BrowserContext) -> CDPSession:
    """Those of an empty window that stays open."""
    return shared_context.new_cdp_session(shared_context.new_page())


@pytest.fixture
def context(shared_context: BrowserContext, developer_tools: CDPSession) -> Iterator[BrowserContext]:
    """The browser as a test finds it: with nothing that an earlier one opened, allowed or stored in it."""
    before = set(shared_context.pages)
    yield shared_context
    for page in set(shared_context.pages) - before:
        page.close()
    shared_context.clear_permissions()
    developer_tools.send(
        "Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "cookies,local_storage,indexeddb"}
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remembers for `photograph` whether the test failed."""
    report = yield
    item.stash[HAS_FAILED] = item.stash.get(HAS_FAILED, False) or report.failed
    return report


@pytest.fixture
def photograph(request: pytest.FixtureRequest) -> Photograph:
    """Takes a picture of a page at the end of a test that failed, or of each test if SCREENSHOTS names a folder."""
    folder = Path(os.environ.get("SCREENSHOTS", ROOT / "build" / "screenshots"))

    def take(page: Page, name: str, *, has_failed: bool = False, **options: Any) -> None:
        if has_failed or request.node.stash.get(HAS_FAILED, False) or "SCREENSHOTS" in os.environ:
            folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=folder / f"{name}.png", **options)

    return take


@pytest.fixture(scope="session")
def logdir(once: Once) -> Path:
    return once("logdir", write_logdir)


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
def tabs(
    context: BrowserContext, photograph: Photograph, start_server: StartServer, request: pytest.FixtureRequest
) -> Iterator[list[Tab]]:
    """What a test opens. Afterwards no tab may have complained.

    Tabs close before servers stop.
    """
    opened: list[Tab] = []
    yield opened
    name = re.sub(r"\W+", "_", request.node.name).strip("_")
    for index, tab in enumerate(opened):
        photograph(tab.page, f"{name}{f'_{index}' if index else ''}", has_failed=bool(tab.unexpected()))
        tab.page.close()
    assert [tab.unexpected() for tab in opened] == [[] for _ in opened]


@pytest.fixture
def open_tab(context: BrowserContext, tabs: list[Tab]) -> OpenTab:
    """Opens the tab in TensorBoard: `open_tab(server, theme="dark", width=700, place="&p.layer_health.run=train")`."""

    def open_one(
        server: Server,
        *,
        theme: Theme = "light",
        width: int = 1280,
        height: int = 900,
        place: str = "",
        query: str = "",
    ) -> Tab:
        page = _window(context, theme, width, height)
        tabs.append(_watched(Tab(page, page.frame_locator("iframe"))))
        page.goto(f"{server.url}{query}#layer_health{place}")
        tabs[-1].wait_until_loaded()
        return tabs[-1]

    return open_one


@pytest.fixture
def open_alone(context: BrowserContext, tabs: list[Tab]) -> OpenTab:
    """Opens the tab without TensorBoard's page around it, for tests in which that page plays no part.

    It takes a third of the time, and is what an editor shows that lets nobody reach the page around. The window is as
    large as TensorBoard's frame would be.
    """

    def open_one(
        server: Server, *, theme: Theme = "light", width: int = 1280, height: int = 900, place: str = ""
    ) -> Tab:
        page = _window(context, theme, width, height - BAR)
        tabs.append(_watched(Tab(page, page)))
        page.goto(f"{server.url}data/plugin_entry.html?name=layer_health#layer_health{place}")
        tabs[-1].wait_until_loaded()
        return tabs[-1]

    return open_one


def _window(context: BrowserContext, theme: Theme, width: int, height: int) -> Page:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)
    return page


def _watched(tab: Tab) -> Tab:
    """The tab, that notes from now on what goes wrong in it."""
    tab.page.add_init_script(REPORT_POLICY_VIOLATIONS)
    tab.page.on("console", lambda message: _note_errors(message, tab))
    tab.page.on("pageerror", lambda error: tab.complaints.append(f"uncaught {error}"))
    tab.page.on("dialog", lambda dialog: _refuse(dialog, tab))
    return tab


def _note_errors(message: ConsoleMessage, tab: Tab) -> None:
    # Chromium looks for an icon there if a page names none, as that of the tab alone.
    if message.type == "error" and not message.location["url"].endswith("/favicon.ico"):
        tab.complaints.append(f"{message.text} ({message.location['url']})")


def _refuse(dialog: Dialog, tab: Tab) -> None:
    tab.complaints.append(f"dialog {dialog.message}")
    dialog.dismiss()
