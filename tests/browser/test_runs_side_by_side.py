"""Several runs in one picture: chosen here, or as TensorBoard's own tabs have chosen them."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenTab
from tests.live_server import Server, serve
from tests.synthetic import START_TIME, write_run

SICK = "&p.layer_health.run=relu_dies"
BOTH = SICK + "&p.layer_health.others=healthy"
LONG = "sweep_" + "learning_rate=0.0003_" * 7
COLORS = ["#425066", "#12b5cb", "#e52592", "#f9ab00", "#9334e6", "#7cb342", "#e8710a"]


def test_first_divergence(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, height=1900, place=SICK)
    expect(tab.panel("comparison")).to_have_count(0)
    before = tab.picture("series")
    tab.compare("healthy")
    rows = tab.panel("comparison").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("3 of 8 layers need attention")
    expect(rows.nth(1)).to_contain_text("No problems found in 8 layers")
    expect(rows.nth(1).get_by_role("button")).to_have_text(["dense_2 since step 360", "dense_0 at step 360"])
    expect(rows.nth(1)).to_contain_text(re.compile(r"0\.0\d+ vs\. 0"))
    assert tab.picture("series") != before
    assert tab.place == {"run": "relu_dies", "others": "healthy"}
    tab.layers.filter(has_text="dense_5").click()
    rows.nth(1).get_by_role("button").last.click()
    expect(tab.selected_layer).to_have_text("dense_0")
    expect(tab.frame.locator(".step-field")).to_contain_text("Step 360")
    tab.page.reload()
    tab.wait_until_loaded()
    expect(tab.panel("comparison").locator("tbody tr")).to_have_count(2)
    comparison = tab.panel("comparison")
    expect(comparison.locator(".best")).to_have_text(re.compile(r"^healthy is better: loss .*, val_loss .* vs\. .*\.$"))
    expect(comparison.get_by_role("columnheader")).to_have_text(
        ["Run", "Verdict", "loss", "val_loss", "val_accuracy", "Batch loss", "First divergence"]
    )
    best = comparison.locator("tbody tr").nth(1).locator("td", has_text="best")
    expect(best).to_have_count(3)
    tab.frame.get_by_text("Compare: 1 more").click()
    in_menu = tab.frame.get_by_label("healthy", exact=True)
    in_menu.uncheck()
    expect(tab.panel("comparison")).to_have_count(0)
    tab.panel("depth").locator("h2").click()
    expect(in_menu).not_to_be_visible()
    tab.frame.get_by_text("Compare", exact=True).click()
    in_menu.focus()
    tab.page.keyboard.press("Escape")
    expect(in_menu).not_to_be_visible()


def test_profiles_are_laid_over_one_another(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, height=1900, theme="dark", place=BOTH)
    depth = tab.panel("depth")
    lines = depth.locator("[data-run]")
    expect(lines).to_have_count(2)
    expect(depth.locator(".readout")).to_contain_text("relu_dies: 0")
    expect(depth.locator(".readout")).to_contain_text("healthy: 0.0")
    dashes = [line.locator(".profile-line").get_attribute("stroke-dasharray") for line in lines.all()]
    assert len(set(dashes)) == 2, "color alone tells the runs apart"
    depth.get_by_role("button", name="Table").click()
    expect(depth.get_by_role("columnheader")).to_have_text(
        ["Layer", "Activation gradient norm, relu_dies", "Activation gradient norm, healthy"]
    )


def test_runs_have_the_colors_of_tensorboard(open_tab: OpenTab, server: Server) -> None:
    order = server.request(server.url + "data/runs").json
    tab = open_tab(server, place=BOTH)
    strokes = tab.panel("comparison").locator(".run-key path")
    expect(strokes).to_have_count(2)
    for stroke, run in zip(strokes.all(), ("relu_dies", "healthy"), strict=True):
        drawn, wanted = channels(stroke.get_attribute("stroke") or ""), channels(COLORS[order.index(run) % len(COLORS)])
        # A color that hardly stands out from white is darker, of the same hue.
        shade = max(drawn) / max(wanted)
        assert 0.6 < shade <= 1
        assert drawn == pytest.approx([shade * part for part in wanted], abs=1)


def channels(color: str) -> list[int]:
    """Red, green and blue of "#12b5cb" or "rgb(16, 163, 183)"."""
    if color.startswith("#"):
        return [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    return [int(part) for part in re.findall(r"\d+", color)]


def test_main_and_other_run_change_places(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=BOTH)
    tab.frame.get_by_label("Run", exact=True).select_option("healthy")
    expect(tab.verdict).to_contain_text("No problems found")
    expect(tab.panel("comparison").locator("tbody th")).to_have_text(["healthy", "relu_dies"])


def test_begins_with_the_ticks_of_the_scalars_tab(open_tab: OpenTab, server: Server) -> None:
    runs = server.request(server.url + "data/runs").json
    ticks = {run: run in ("healthy", "relu_dies", "unreadable") for run in runs}
    encoded = urllib.parse.quote(base64.b64encode(json.dumps(ticks).encode()).decode(), safe="")
    tab = open_tab(server, place=f"&runSelectionState={encoded}")
    listed = tab.frame.locator(".run-link")
    expect(listed).to_have_text(["relu_dies", "unreadable", "healthy"])
    tab.frame.get_by_role("button", name="Show all runs").click()
    expect(listed).to_have_count(8)


def test_begins_with_the_pattern_of_the_time_series_tab(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, query="?runFilter=" + urllib.parse.quote("^(healthy|nested)$"))
    expect(tab.frame.locator(".run-link")).to_have_text(["nested", "healthy"])
    expect(tab.frame.get_by_role("searchbox")).to_have_value("^(healthy|nested)$")


def test_every_compared_run_has_a_lane_of_its_health(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place="&p.layer_health.run=healthy&p.layer_health.others=relu_dies,nested")
    lanes = tab.panel("lanes").locator(".lane")
    expect(lanes.locator(".run-key")).to_have_text(["healthy", "nested", "relu_dies"])
    pictures = [lane.locator("canvas").evaluate("canvas => canvas.toDataURL()") for lane in lanes.all()]
    assert len(set(pictures)) == 3
    plot = lanes.nth(2).locator(".matrix-plot")
    box = plot.bounding_box()
    assert box is not None
    row = box["height"] / 8
    plot.hover(position={"x": box["width"] * 0.75, "y": 2.5 * row})
    expect(lanes.nth(2).locator(".lane-head")).to_contain_text("dense_2: Problem, step 890")
    expect(lanes.nth(0).locator(".lane-head")).to_contain_text("OK, step 890")
    plot.click(position={"x": 10, "y": 1.5 * row})
    expect(tab.selected_layer).to_have_text("dense_1")


def test_a_run_of_another_model_is_no_error(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place="&p.layer_health.run=nested&p.layer_health.others=healthy")
    expect(tab.panel("comparison")).to_contain_text("no shared layers")
    expect(tab.panel("series").locator("canvas").first).to_be_visible()


@pytest.fixture(scope="module")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("long")
    write_run(folder, name="short", steps=10)
    write_run(folder, name=LONG, steps=10, start_time=START_TIME + 60)
    with serve(folder) as server:
        server.wait_for_records(LONG, 10)
        yield server


@pytest.mark.parametrize("width", [360, 1280])
def test_long_names_stay_on_the_screen(open_alone: OpenTab, long_names: Server, width: int) -> None:
    tab = open_alone(long_names, width=width, place="&p.layer_health.run=short")
    menu = tab.frame.locator(".bar .menu")
    menu.locator("summary").click()
    box = menu.locator("fieldset").evaluate(
        "menu => { const { left, right } = menu.getBoundingClientRect(); return [left, right]; }"
    )
    assert 0 <= box[0] < box[1] <= width
    menu.get_by_label(LONG, exact=True).check()
    menu.locator("summary").click()
    expect(tab.panel("comparison").locator("tbody tr")).to_have_count(2)
    assert tab.frame.locator("html").evaluate("root => root.scrollWidth - root.clientWidth") == 0


@pytest.mark.parametrize("width", [360, 1280])
def test_long_names_leave_the_table_of_runs_readable(open_alone: OpenTab, long_names: Server, width: int) -> None:
    tab = open_alone(long_names, width=width, place=f"&p.layer_health.run=short&p.layer_health.others={LONG}")
    table = tab.panel("comparison").locator("table")
    cells = table.locator("tbody tr").nth(1).locator("th, td")
    expect(cells.first).to_have_text(LONG)
    expect(cells.first.locator("svg")).to_be_visible()
    ends = cells.evaluate_all("cells => cells.map((cell) => [cell.scrollWidth, cell.clientWidth])")
    assert [end for end in ends if end[0] > end[1]] == [], "a name covers the next column"
    around = table.locator("xpath=..")
    assert around.evaluate("box => box.scrollWidth - box.clientWidth") == 0, "a part of the table is cut off"
    assert tab.frame.locator("html").evaluate("root => root.scrollWidth - root.clientWidth") == 0


def test_panels_of_a_single_run_name_it(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place="&p.layer_health.run=healthy&p.layer_health.others=relu_dies")
    for panel in ("distribution", "units", "pictures"):
        expect(tab.panel(panel)).to_contain_text("healthy")
    tab.frame.get_by_text("Compare: 1 more").click()
    tab.frame.get_by_label("relu_dies", exact=True).uncheck()
    expect(tab.panel("comparison")).to_have_count(0)
    for panel in ("distribution", "units", "pictures"):
        expect(tab.panel(panel)).not_to_contain_text("healthy")
