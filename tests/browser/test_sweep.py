"""The three tasks of a user with a sweep: twelve runs of a network of 35 layers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.test_demo import Clicks
from tests.live_server import Server, serve
from tests.synthetic import START_TIME, write_run

RUNS, STEPS = 12, 40


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("sweep")
    for index in range(RUNS):
        write_run(
            folder,
            name=f"lr={index}",
            layers=35,
            steps=STEPS,
            units=8,
            stock=False,
            sick=index % 3 == 2,
            seed=index,
            epoch=10,
            start_time=START_TIME + index,
        )
    with serve(folder) as server:
        for index in range(RUNS):
            server.wait_for_records(f"lr={index}", STEPS)
        yield server


def test_three_tasks_take_few_clicks(open_tab: OpenTab, sweep: Server) -> None:
    tab = open_tab(sweep, height=2000)
    clicks = Clicks()

    # Which layer of which run went wrong first, and when?
    expect(tab.verdict).to_have_text("4 of 12 runs need attention.")
    sick = tab.frame.get_by_role("row").filter(has=tab.frame.get_by_role("link", name="lr=5", exact=True))
    expect(sick.locator(".cell-start")).to_have_text("dense_2 100% of units dead")
    expect(sick.locator("[data-label='Since step']")).to_have_text("120")
    assert clicks.count == 0

    # Is lr=4 better than lr=5, and from which layer on?
    clicks(tab.frame.get_by_label("Compare lr=5", exact=True))
    clicks(tab.frame.get_by_role("button", name="Compare lr=4 with lr=5"))
    comparison = tab.panel("comparison")
    better = r"^lr=4 is better: loss [\d.]+ vs\. [\d.]+, val_loss [\d.]+ vs\. [\d.]+, val_accuracy .*"
    expect(comparison.locator(".best")).to_have_text(re.compile(better))
    expect(comparison.get_by_role("button", name="dense_2 since step 120")).to_be_visible()
    expect(tab.panel("lanes").locator("canvas")).to_have_count(2)
    assert clicks.count == 2
    expect(tab.panel("matrix").locator(".matrix-name")).to_have_count(35)

    # Which units of dense_2 are dead, and since when? It is the layer that the page opens at.
    expect(tab.selected_layer).to_have_text("dense_2")
    expect(tab.panel("units").locator(".lives")).to_contain_text("8 dead")
    assert clicks.count == 2


def test_runs_to_compare_can_be_searched(open_alone: OpenTab, sweep: Server) -> None:
    tab = open_alone(sweep, place="&p.layer_health.run=lr%3D4")
    menu = tab.frame.locator(".bar .menu")
    menu.locator("summary").click()
    expect(menu.get_by_role("checkbox")).to_have_count(RUNS - 1)
    expect(menu.get_by_role("searchbox")).to_be_visible()
    menu.get_by_role("searchbox").fill("lr=1[01]$")
    expect(menu.get_by_role("checkbox")).to_have_count(2)
    menu.get_by_label("lr=11", exact=True).check()
    expect(tab.panel("comparison").locator("tbody tr")).to_have_count(2)
