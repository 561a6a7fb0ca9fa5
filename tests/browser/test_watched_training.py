"""A real autoencoder, watched while it learned, in the real tab.

The picture in `docs/probe.md` is cut out of a photograph that this takes if the variable SCREENSHOTS names a folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from playwright.sync_api import expect

from tb_activations import LayerHealth, load
from tests.browser.conftest import OpenTab
from tests.conftest import Once
from tests.live_server import Server, serve
from tests.snapshots.models import autoencoder, digits
from tests.unoptimized import unoptimized

EPOCHS = 8
PLACE = "&p.layer_health.run=autoencoder&p.layer_health.layer=image&p.layer_health.picture=reconstruction%2Foutput"


@pytest.fixture(scope="module")
def watched(once: Once) -> Iterator[Server]:
    folder = once("watched", train)
    with serve(folder) as server:
        server.wait_for_records("autoencoder", len(load(folder / "autoencoder").steps))
        yield server


def train(folder: Path) -> None:
    keras.utils.set_random_seed(0)
    x, _ = digits(1024)
    callback = LayerHealth(folder / "autoencoder", image_freq="epoch", probe_data=(x[:64], x[:64]))
    with unoptimized():
        autoencoder().fit(x, x, batch_size=32, epochs=EPOCHS, verbose=0, callbacks=[callback])


def test_reconstructions_sharpen_under_the_step_slider(watched: Server, open_alone: OpenTab) -> None:
    tab = open_alone(watched, place=PLACE, height=2000)
    panel = tab.panel("pictures")
    image = panel.locator("img")
    expect(panel).to_contain_text(f"{EPOCHS} of {EPOCHS} pictures")
    expect(panel).to_contain_text("Values from 0 (darkest) to 1 (lightest)")
    expect(panel).to_contain_text("its reconstruction by the model (below)")

    def error() -> float:
        """Mean difference of the upper row of tiles and the lower one, as the browser shows them."""
        expect(image).to_have_js_property("complete", True)
        shown = image.evaluate(
            """image => { const canvas = document.createElement("canvas");
            canvas.width = image.naturalWidth; canvas.height = 97; const drawn = canvas.getContext("2d");
            drawn.drawImage(image, 0, 0);
            return Array.from(drawn.getImageData(0, 0, canvas.width, 97).data); }"""
        )
        pixels = np.array(shown, float).reshape(97, -1, 4)[:, :391, 0]
        return float(np.abs(pixels[:48] - pixels[49:]).mean())

    last = error()
    panel.get_by_role("slider").focus()
    tab.page.keyboard.press("Home")
    expect(panel).to_contain_text(f"1 of {EPOCHS} pictures")
    expect(image).to_have_attribute("alt", re.compile("reconstruction of output at step 31$"))
    assert last < 0.7 * error()


def test_reconstruction_error_falls_among_the_statistics(watched: Server, open_alone: OpenTab) -> None:
    tab = open_alone(watched, place=PLACE, height=2000)
    training = tab.panel("training")
    expect(training.locator("figcaption", has_text="Reconstruction error")).to_have_count(1)
    training.get_by_role("button", name="Table").click()
    header = training.locator("th", has_text="Reconstruction error")
    expect(header).to_have_count(1)
    place = header.evaluate("cell => cell.cellIndex")
    cells = training.locator(f"tbody tr > *:nth-child({place + 1})").all_inner_texts()
    errors = [float(cell) for cell in cells if re.fullmatch(r"[\d.]+(e[−-]\d+)?", cell.strip())]
    assert len(errors) == EPOCHS
    # The newest stands first.
    assert errors[0] < errors[-1] / 2
    training.get_by_role("button", name="Table", exact=True).click()
