"""The tab in the frames of editors and notebooks: sandboxed, scaled, narrow, of another origin, without storage."""

from __future__ import annotations

import contextlib
import functools
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.browser.conftest import DEADLINE
from tests.live_server import Server

SICK = "#layer_health&p.layer_health.run=relu_dies"
NOTEBOOK = "allow-scripts allow-same-origin allow-forms allow-downloads"
EDITOR = "allow-scripts allow-forms allow-same-origin allow-pointer-lock"
"""What the TensorBoard extension of VS Code allows: no downloads, no windows, no navigation of the page around it."""
POLICY = "default-src 'unsafe-inline'; frame-src http: https:"
NO_STORAGE = """
if (location.pathname.includes("plugin_entry"))
  for (const name of ["localStorage", "sessionStorage"])
    Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });
"""
"""Only for the tab: TensorBoard itself does not start without storage, so an editor has to give it some."""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[int]:
    """Serves the folder on all names of this machine, at this port."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as around:
        serving = threading.Thread(target=around.serve_forever)
        serving.start()
        yield around.server_port
        around.shutdown()
        serving.join()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1000, "height": 1000})
    context.set_default_timeout(DEADLINE)
    yield context.new_page()
    context.close()


def inner(page: Page) -> FrameLocator:
    """The tab in TensorBoard in the page."""
    return page.frame_locator("iframe").frame_locator("iframe")


def test_keys_copying_and_downloads_work_in_a_notebook(page: Page, server: Server, tmp_path: Path) -> None:
    frame = f'src="{server.url}{SICK}" width="990" height="700"'
    (tmp_path / "index.html").write_text(f'<textarea></textarea><iframe sandbox="{NOTEBOOK}" {frame}></iframe>')
    with served(tmp_path) as port:
        page.goto(f"http://localhost:{port}/")
        tab = inner(page)
        expect(tab.locator("#series figure").first).to_be_visible()
        with page.expect_download() as saving:
            tab.get_by_role("link", name="Save report").click()
        assert saving.value.suggested_filename == "relu_dies_health.html"
        panel = tab.locator("#training")
        panel.locator("summary", has_text="Export").click()
        with page.expect_download() as saving:
            panel.get_by_role("button", name="PNG").click()
        assert saving.value.suggested_filename == "relu_dies_training.png"
        panel.locator("summary", has_text="Export").click()
        panel.get_by_role("button", name="Copy CSV").click()
        expect(panel.get_by_role("status")).to_have_text("Copied.")
        panel.locator("h2").click()
        page.keyboard.press("n")
        expect(tab.locator("article:focus")).to_have_count(1)
        page.locator("textarea").focus()
        page.keyboard.press("Control+V")
        expect(page.locator("textarea")).to_have_value(re.compile("^Step,Loss,Learning rate"))


def write_webview(folder: Path, address: str, width: int) -> None:
    """A page like the webview of the extension: a policy of its own, and the frame at 80% of its size."""
    style = f"width: {width / 0.8}px; height: 950px; transform: scale(0.8); transform-origin: 0 0; border: 0"
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    frame = f'<iframe sandbox="{EDITOR}" src="{address}" style="{style}"></iframe>'
    (folder / "index.html").write_text(f"{policy}<textarea></textarea>{frame}")


@pytest.mark.parametrize("has_storage", [True, False])
def test_the_tab_works_in_the_frame_of_vs_code(page: Page, server: Server, tmp_path: Path, has_storage: bool) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    if not has_storage:
        page.add_init_script(NO_STORAGE)
    write_webview(tmp_path, server.url + SICK, 480)
    with served(tmp_path) as port:
        # Another origin but the same site: the browser gives frames of other sites no storage.
        page.goto(f"http://localhost:{port}/")
        tab = inner(page)
        expect(tab.locator("h1")).to_contain_text("Start with dense_2")
        expect(tab.locator("#series figure").first).to_be_visible()
        assert tab.locator("html").evaluate("root => root.scrollWidth - root.clientWidth") == 0
        tab.locator(".layer-list button", has_text="dense_5").click()
        expect(tab.locator("#findings h2")).to_have_text("dense_5")
        tab.get_by_role("button", name="Keyboard help").click()
        tab.get_by_label("Enable single-key shortcuts").uncheck()
        page.keyboard.press("Escape")
        # Downloads are forbidden there, copying is not.
        tab.get_by_role("button", name="Thresholds", exact=True).click()
        drawer = tab.get_by_role("complementary", name="Thresholds")
        drawer.get_by_role("button", name="Copy", exact=True).click()
        expect(drawer.get_by_role("button", name="Copied")).to_be_visible()
        page.locator("textarea").focus()
        page.keyboard.press("Control+V")
        expect(page.locator("textarea")).to_have_value(re.compile(r'^\{\s+"dead_units": \{'))
        drawer.get_by_role("button", name="Close").click()
        tab.get_by_role("link", name="Scalars").click()
        expect(page.frame_locator("iframe").get_by_text("gradient_norm/dense_5").first).to_be_visible()
    assert complaints == []
