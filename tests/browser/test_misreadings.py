"""What a reader of an early version took for something else. All tests share a server and a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import DEADLINE, Tab
from tests.browser.odd_runs import DEAD, EPOCH, FROZEN, JUDGED, NAN, PLAN, write_odd
from tests.judged_run import LAYER as JUDGED_LAYER
from tests.judged_run import write_judged_run
from tests.live_server import serve


@pytest.fixture(scope="module")
def tab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    folder: Path = tmp_path_factory.mktemp("logs")
    write_odd(folder, tmp_path_factory.mktemp("scratch"))
    write_judged_run(folder, "judged")
    context = browser.new_context(viewport={"width": 1280, "height": 2200})
    context.set_default_timeout(DEADLINE)
    with serve(folder) as server:
        server.wait_for_records("odd", PLAN.steps)
        server.wait_for_records("judged", 40)
        page = context.new_page()
        opened = Tab(page, page.frame_locator("iframe"))
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.goto(f"{server.url}#layer_health&p.layer_health.run=odd&p.layer_health.layer={NAN}")
        opened.wait_until_loaded()
        yield opened
        assert opened.complaints == []
        context.close()


def choose(tab: Tab, run: str, layer: str) -> None:
    tab.frame.get_by_label("Run", exact=True).select_option(run)
    tab.layers.filter(has_text=layer).click()
    expect(tab.selected_layer).to_have_text(layer)
    tab.wait_until_loaded()


def colors(figure: Locator) -> int:
    """How many pixels of the chart have a strong color: lines and points, not axes and grid."""
    count: int = figure.locator("canvas").evaluate(
        """canvas => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let at = 0; at < data.length; at += 4)
            count += data[at + 3] > 128 && Math.abs(data[at] - data[at + 2]) > 60;
          return count;
        }"""
    )
    return count


def test_nan_zero_and_no_value_never_look_the_same(tab: Tab) -> None:
    choose(tab, "odd", NAN)
    depth = tab.panel("depth")
    expect(depth.locator(".readout")).to_contain_text("not finite")
    expect(depth.locator(".legend")).to_contain_text("zero")
    expect(depth.locator(".legend")).to_contain_text("not finite")
    choose(tab, "odd", DEAD)
    expect(depth.locator(".readout")).to_have_text(re.compile(rf"^{DEAD}step 390$"))


def test_the_picture_of_units_does_not_hide_the_reconstruction(tab: Tab) -> None:
    choose(tab, "odd", NAN)
    expect(tab.panel("pictures").get_by_role("combobox")).to_have_value("reconstruction/output")


def test_rows_that_no_rule_judges_come_last_and_say_so_everywhere(tab: Tab) -> None:
    expect(tab.layers.nth(JUDGED)).to_contain_text(FROZEN)
    expect(tab.layers.nth(JUDGED)).to_contain_text("Not applicable")
    names = tab.panel("matrix").locator(".matrix-name")
    expect(names).to_have_count(JUDGED)
    expect(tab.panel("matrix")).to_contain_text("5 rows that no rule can judge are hidden.")
    tab.panel("matrix").get_by_role("button", name="Show", exact=True).click()
    expect(names.nth(JUDGED)).to_have_text(FROZEN)
    expect(tab.panel("matrix")).to_contain_text("Last: 5 rows that no rule can judge.")
    expect(tab.panel("matrix").locator(".legend")).to_contain_text("Not applicable")
    expect(tab.panel("map").locator(".map-row", has_text=FROZEN)).to_contain_text("Not applicable")


def test_values_recorded_once_an_epoch_are_seen(tab: Tab) -> None:
    rare = tab.panel("training").locator("figure", has_text="Reconstruction error")
    assert colors(rare) > 4 * 12, "four values are no points of one pixel"
    expect(tab.panel("training")).to_contain_text("Epoch: at its end; dashed: validation")
    losses = tab.panel("training").locator("figure", has_text=re.compile(r"^epoch loss0\."))
    plot = losses.locator(".u-over")
    width, height = plot.evaluate("plot => [plot.clientWidth, plot.clientHeight]")
    plot.hover(position={"x": width * (2 * EPOCH - 1) / (PLAN.steps - 1), "y": height / 2})
    rows = tab.frame.locator(".tooltip:not([hidden]) .tooltip-row")
    expect(rows).to_have_text(["training0.05", "validation0.1"])


def test_ticks_are_not_clipped(tab: Tab) -> None:
    series = tab.panel("series")
    series.get_by_text("Statistics", exact=True).click()
    series.get_by_label("Output values").check()
    series.get_by_text("Statistics", exact=True).click()
    figure = series.locator("figure", has_text="Output values")
    expect(figure).to_contain_text("256 values")
    # Where it is clipped, ink touches the left edge of the drawing.
    columns = figure.locator("canvas").evaluate(
        """canvas => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, 3, canvas.height);
          let ink = 0;
          for (let at = 3; at < data.length; at += 4) ink += data[at] > 0;
          return ink;
        }"""
    )
    assert columns == 0


def test_a_layer_without_trained_weights_has_no_link_to_scalars(tab: Tab) -> None:
    links = tab.panel("findings").locator(".stock-links a")
    expect(links).to_have_text(["Scalars", "Histograms", "Distributions", "Images"])
    choose(tab, "odd", FROZEN)
    expect(links).to_have_text(["Histograms", "Distributions", "Images"])


def test_since_means_the_same_in_words_bar_and_map(tab: Tab) -> None:
    choose(tab, "judged", JUDGED_LAYER)
    expect(tab.verdict).to_contain_text(f"{JUDGED_LAYER}: 60% of units dead since step 100.")
    card = tab.panel("findings")
    expect(card).to_contain_text(re.compile(r"step 100, confirmed at step 1\d0 \(until then its bar in the timeline"))
    expect(card).to_contain_text("threshold 50%, closes at 40%")
    readout = tab.panel("matrix").locator(".readout")
    card.get_by_role("button", name="step 100").click()
    expect(readout).to_have_text(f"{JUDGED_LAYER}step 100Warning, not yet confirmed")
    expect(tab.panel("map").locator(".map-row", has_text=JUDGED_LAYER)).to_contain_text("Warning, not yet confirmed")
    expect(tab.panel("matrix").locator(".legend")).to_contain_text("Warning, not yet confirmed")
    tab.panel("matrix").get_by_role("application").focus()
    tab.page.keyboard.press("ArrowLeft")
    expect(readout).to_have_text(re.compile(rf"{JUDGED_LAYER}step 90(OK|Not enough data yet)"))
    tab.page.keyboard.press("End")
    expect(readout).to_have_text(f"{JUDGED_LAYER}step 390Warning")
    tab.page.keyboard.press("Escape")


def test_one_number_has_one_spelling(tab: Tab) -> None:
    choose(tab, "judged", JUDGED_LAYER)
    shown = [tab.verdict, tab.panel("findings"), tab.selected_layer.locator(".."), tab.panel("root-cause")]
    for place in shown:
        expect(place).to_contain_text("60%")
        expect(place).not_to_contain_text(re.compile(r"0\.6\b|60 %|60\.0"))


def test_thresholds_are_lines_with_words(tab: Tab) -> None:
    silent = tab.panel("series").locator("figure", has_text="Silent units")
    plot = silent.locator(".u-over")
    width, height = plot.evaluate("plot => [plot.clientWidth, plot.clientHeight]")
    plot.hover(position={"x": width / 2, "y": height / 2})
    tooltip = tab.frame.locator("#series .tooltip:not([hidden])")
    expect(tooltip).to_contain_text("Dead units: warning from 50%")
    expect(tooltip).to_contain_text("Dead units: problem from 70%")
    for field in tab.frame.locator(".settings summary").all():
        field.click()
    thresholds = tab.frame.locator(".facts-table", has_text="Thresholds")
    expect(thresholds).to_contain_text("Dormant units: dormant below this part of the layer's mean output")
    expect(thresholds).not_to_contain_text(re.compile(r"\btau\b|warning_share"))
