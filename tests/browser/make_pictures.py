"""Makes the pictures of README and guide: `make pictures` trains a sweep and the demo and photographs the real tab.

`python -m tests.browser.make_pictures DIR` takes a sweep that `tests.browser.sweep` trained before.
"""

from __future__ import annotations

import dataclasses
import io
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FloatRect, FrameLocator, sync_playwright

from tb_activations import runs
from tests.browser.conftest import ARGUMENTS, CHROMIUM, Theme
from tests.browser.demo_server import running_demo
from tests.browser.sweep import train_sweep
from tests.live_server import ROOT, Server, serve

IMAGES = ROOT / "docs" / "images"
COLORS = 256
"""Of the palette a picture is kept in."""


@dataclasses.dataclass(frozen=True)
class Shot:
    """One picture.

    Attributes:
        name: of the file.
        place: the tab's keys in the address.
        panels: ids of the panels to show, "verdict" for the verdict, None for the whole window.
        height: of the window.
        theme: of TensorBoard.
    """

    name: str
    place: str
    panels: tuple[str, ...] | None = None
    height: int = 1060
    theme: Theme = "light"


SWEEP = (
    Shot("landing", "", height=770),
    Shot("root_cause", "run=batch_norm/lr%3D3", ("verdict", "root-cause")),
    Shot(
        "compare_sweep",
        "run=plain/lr%3D0.3&others=batch_norm%252Flr%253D0.03,plain%252Flr%253D0.03",
        ("comparison", "lanes"),
        theme="dark",
    ),
)
SHOTS = (
    Shot("sick_run", "run=relu_dies"),
    Shot("compare", "run=relu_dies&others=healthy&layer=conv_1", ("depth",), theme="dark"),
    Shot("vanishing", "run=deep_sigmoid", ("depth",)),
    Shot("units", "run=relu_dies&layer=conv_1", ("distribution", "units")),
    Shot("feature_maps", "run=healthy&layer=conv_1&picture=feature_maps%2Fconv_1", ("pictures",)),
)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        sweep = Path(sys.argv[1]) if len(sys.argv) > 1 else _trained(Path(folder, "sweep"))
        with serve(sweep) as server:
            for run in runs(sweep):
                server.wait_for_records(run.name, len(run.load().steps))
            _take_all(browser, server, SWEEP)
        with running_demo(Path(folder)) as server:
            _take_all(browser, server, SHOTS)
        browser.close()


def _trained(folder: Path) -> Path:
    train_sweep(folder)
    return folder


def _take_all(browser: Browser, server: Server, shots: Sequence[Shot]) -> None:
    for shot in shots:
        kept = _take(browser, server, shot)
        path = IMAGES / f"{shot.name}.png"
        path.write_bytes(kept)
        print(f"{path.relative_to(ROOT)}: {len(kept) // 1024} KiB")


def _take(browser: Browser, server: Server, shot: Shot) -> bytes:
    height = shot.height if shot.panels is None else 3400
    context = browser.new_context(viewport={"width": 1280, "height": height}, color_scheme=shot.theme)
    page = context.new_page()
    place = "".join(f"&p.layer_health.{part}" for part in shot.place.split("&") if part)
    page.goto(f"{server.url}#layer_health{place}")
    tab = page.frame_locator("iframe")
    tab.locator("main[aria-busy=false]").wait_for()
    if shot.place:
        tab.locator("#pictures .message, #pictures img").first.wait_for()
    tab.locator(".skeleton").first.wait_for(state="detached")
    page.wait_for_load_state("networkidle")
    taken = page.screenshot(clip=None if shot.panels is None else _around(tab, shot.panels))
    context.close()
    return _small(taken)


def _around(tab: FrameLocator, panels: tuple[str, ...]) -> FloatRect:
    """What holds these panels, and what lies between them."""
    boxes = [box for panel in panels if (box := tab.locator(f"#{panel}, .{panel}").first.bounding_box()) is not None]
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
