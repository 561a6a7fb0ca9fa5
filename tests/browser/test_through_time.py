"""The panel that shows how far back the gradient of a recurrent layer reaches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenTab
from tests.live_server import Server, serve
from tests.synthetic import write_run

PLACE = "&p.layer_health.run=recurrent&p.layer_health.layer="


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder, name="recurrent", recurrent=True, layers=4, steps=30)
    with serve(folder) as server:
        server.wait_for_records("recurrent", 30)
        yield server


def test_the_reading_follows_the_cursor(recurrent: Server, open_alone: OpenTab) -> None:
    tab = open_alone(recurrent, place=f"{PLACE}dense_1", height=2000)
    panel = tab.panel("time")
    expect(panel).to_contain_text("The gradient at the first 2 time steps is 1e-6 times that at the last one;")
    expect(panel.get_by_role("application")).to_have_count(1)
    panel.get_by_role("application").focus()
    tab.page.keyboard.press("Home")
    expect(panel).to_contain_text("The gradient at the first 2 time steps is 0.01 times that at the last one;")
    tab.page.keyboard.press("ArrowDown")
    expect(panel.locator(".readout")).to_contain_text("time step 1")
    panel.get_by_role("button", name="Table").click()
    rows = panel.locator("tbody tr")
    expect(rows).to_have_count(64)
    expect(rows.last).to_contain_text("0.01")
    expect(rows.last).to_contain_text("0.6")


def test_other_layers_have_no_such_panel(recurrent: Server, open_alone: OpenTab) -> None:
    tab = open_alone(recurrent, place=f"{PLACE}dense_2", height=1000)
    expect(tab.panel("distribution")).to_be_visible()
    expect(tab.panel("time")).to_have_count(0)
