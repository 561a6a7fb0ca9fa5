"""Makes the pictures of README and guide: `make pictures` trains the demo and photographs the real tab."""

from __future__ import annotations

import dataclasses
import io
import os
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FloatRect, FrameLocator, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, Theme
from tests.browser.demo_server import running_demo
from tests.live_server import ROOT, Server

IMAGES = ROOT / "docs" / "images"
COLORS = 256
"""Of the palette a picture is kept in."""


@dataclasses.dataclass(frozen=True)
class Shot:
    """One picture.

    Attributes:
        name: of the file.
        place: the tab's keys in the address.
        panels: ids of the panels to show, None for the whole window.
        height: of the window.
        theme: of TensorBoard.
    """

    name: str
    place: str
    panels: tuple[str, ...] | None = None
    height: int = 1060
    theme: Theme = "light"


SHOTS = (
    Shot("sick_run", "run=relu_dies"),
    Shot("compare", "run=relu_dies&others=healthy&layer=conv_1", ("comparison", "depth"), theme="dark"),
    Shot("vanishing", "run=deep_sigmoid", ("depth",)),
    Shot("units", "run=relu_dies&layer=conv_1", ("distribution", "units")),
    Shot("feature_maps", "run=healthy&layer=conv_1&picture=feature_maps%2Fconv_1", ("pictures",)),
)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_demo(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for shot in SHOTS:
            kept = _take(browser, server, shot)
            path = IMAGES / f"{shot.name}.png"
            path.write_bytes(kept)
            print(f"{path.relative_to(ROOT)}: {len(kept) // 1024} KiB")
        browser.close()


def _take(browser: Browser, server: Server, shot: Shot) -> bytes:
    height = shot.height if shot.panels is None else 3400
    context = browser.new_context(viewport={"width": 1280, "height": height}, color_scheme=shot.theme)
    page = context.new_page()
    place = "".join(f"&p.layer_health.{part}" for part in shot.place.split("&"))
    page.goto(f"{server.url}#layer_health{place}")
    tab = page.frame_locator("iframe")
    tab.locator("main[aria-busy=false]").wait_for()
    tab.locator("#pictures .message, #pictures img").first.wait_for()
    tab.locator(".skeleton").first.wait_for(state="detached")
    page.wait_for_load_state("networkidle")
    taken = page.screenshot(clip=None if shot.panels is None else _around(tab, shot.panels))
    context.close()
    return _small(taken)


def _around(tab: FrameLocator, panels: tuple[str, ...]) -> FloatRect:
    """What holds these panels, and what lies between them."""
    boxes = [box for panel in panels if (box := tab.locator(f"#{panel}").bounding_box()) is not None]
    left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right = max(box["x"] + box["width"] for box in boxes)
    bottom = max(box["y"] + box["height"] for box in boxes)
    return {"x": left - 6, "y": top - 6, "width": right - left + 12, "height": bottom - top + 12}


def _small(taken: bytes) -> bytes:
    drawn = Image.open(io.BytesIO(taken)).convert("RGB")
    drawn = drawn.quantize(COLORS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    kept = io.BytesIO()
    drawn.save(kept, "PNG", optimize=True)
    return kept.getvalue()


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
