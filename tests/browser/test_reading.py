"""Reading values: time that really ran, gaps, tooltips, curves, tables, exports, links."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import OpenTab
from tests.live_server import Server, serve
from tests.synthetic import START_TIME, write_run

SICK = "&p.layer_health.run=relu_dies"
NESTED = "&p.layer_health.run=nested&p.layer_health.sort=model"
GAP = "&p.layer_health.run=gap"
LONG_NAME = "x" * 145


@pytest.fixture(scope="module")
def odd_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A run that was not observed from step 190 to 900, and one with a long name."""
    folder = tmp_path_factory.mktemp("odd")
    write_run(folder, name="gap", steps=20, sick=False, start_time=START_TIME + 60)
    write_run(folder, name="gap", steps=20, sick=False, start_step=900, start_time=START_TIME + 600)
    write_run(folder, name=LONG_NAME, steps=20, sick=False)
    # The clock of the trainer is ahead, so that the run counts as live however slow the tests are.
    for name in ("live", "over"):
        write_run(folder, name=name, steps=20, sick=False, start_time=time.time() + 3600, ends=name == "over")
    with serve(folder) as server:
        server.wait_for_records("gap", 40)
        server.wait_for_records(LONG_NAME, 20)
        server.wait_for_records("live", 20)
        server.wait_for_records("over", 20)
        yield server


def point_at(plot: Locator, x: float, y: float = 0.5) -> None:
    expect(plot).to_be_visible()
    width, height = plot.evaluate("plot => [plot.clientWidth, plot.clientHeight]")
    plot.hover(position={"x": x * width, "y": y * height})


def blank_share(plot: Locator, x: float) -> float:
    """How much of a column of pixels has no cell."""
    share: float = plot.locator("canvas").evaluate(
        """(canvas, x) => {
          const column = canvas.getContext("2d").getImageData(Math.floor(x * canvas.width), 0, 1, canvas.height).data;
          let blank = 0;
          for (let row = 0; row < canvas.height; row++) blank += column[row * 4 + 3] === 0;
          return blank / canvas.height;
        }""",
        x,
    )
    return share


def test_no_axis_shows_a_step_that_never_ran(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, height=1700, place=SICK)
    for panel in ("matrix", "units", "distribution"):
        plot = tab.panel(panel).locator(".matrix-plot")
        point_at(plot, 0.999)
        last = 1100 if panel == "distribution" else 1190
        expect(tab.frame.locator(".step-field")).to_contain_text(f"Step {last:,}")
        expect(tab.panel(panel).locator(".step-mark")).to_have_attribute(
            "style", re.compile(r"left: 100(\.000)?%" if last == 1190 else r"left: 92\.4\d+%")
        )


def test_steps_without_a_record_are_hatched_and_explained(open_alone: OpenTab, odd_server: Server) -> None:
    tab = open_alone(odd_server, height=1700, place=GAP)
    for panel in ("matrix", "units"):
        plot = tab.panel(panel).locator(".matrix-plot")
        assert blank_share(plot, 0.5) > 0.5
        assert blank_share(plot, 0.1) < 0.2
        expect(tab.panel(panel).locator(".legend")).to_contain_text("no record")
    before = tab.picture("training")
    tab.frame.locator("#training .u-over").first.hover()
    assert tab.picture("training") == before


def test_a_live_training_tells_when_it_will_be_observed_again(open_alone: OpenTab, odd_server: Server) -> None:
    tab = open_alone(odd_server, place="&p.layer_health.run=live")
    words = tab.panel("training").locator(".heartbeat")
    expect(words).to_have_text(re.compile(r"Last record: step 190, just now\. Next record around step 200, in about "))
    over = open_alone(odd_server, place=GAP)
    expect(over.panel("training").locator("figure").first).to_be_visible()
    expect(over.panel("training").locator(".heartbeat")).to_have_count(0)


def test_a_training_that_has_just_ended_tells_so(open_alone: OpenTab, odd_server: Server) -> None:
    tab = open_alone(odd_server, place="&p.layer_health.run=over")
    words = tab.panel("training").locator(".heartbeat")
    expect(words).to_have_text("The training ended just now. Last record: step 190.")


def test_the_step_at_the_cursor_tells_its_batch_and_stays_in_view(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    plot = tab.panel("units").locator(".matrix-plot")
    top = tab.panel("units").evaluate("panel => panel.getBoundingClientRect().top + scrollY")
    point_at(plot, 0.505)
    field = tab.frame.locator(".step-field")
    expect(field).to_have_text("Step 600, epoch 2, after 30 s, 32 samples")
    dock = tab.frame.locator(".step-dock")
    expect(dock).to_have_text("Step 600, epoch 2, after 30 s, 32 samples")
    expect(dock).to_be_in_viewport()
    after = tab.panel("units").evaluate("panel => panel.getBoundingClientRect().top + scrollY")
    assert after == top, "pointing moves the page"


def test_the_step_and_the_way_back_stay_in_view_above_a_panel_far_down(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    plot = tab.panel("units").locator(".matrix-plot")
    point_at(plot, 0.505)
    tab.page.mouse.down()
    tab.page.mouse.up()
    tab.panel("units").locator("h2").hover()
    expect(tab.frame.locator(".step-field, .step-dock").filter(has_text="Step 600").last).to_be_in_viewport()
    back = tab.frame.get_by_role("button", name=re.compile("Unpin|Back to latest")).last
    expect(back).to_be_in_viewport()
    back.click()
    expect(tab.frame.locator(".step-field")).to_have_text("Latest step")


def test_tooltip_tells_all_runs_and_calls(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place=SICK + "&p.layer_health.others=healthy")
    point_at(tab.frame.locator("#series .u-over").first, 0.302)
    tooltip = tab.frame.locator("#series .tooltip:not([hidden])")
    expect(tooltip).to_contain_text("Step 360, epoch 1")
    expect(tooltip.locator(".tooltip-row")).to_have_text(["relu_dies100%", "healthy0%"])
    expect(tooltip).to_contain_text("Dead units in dense_2, since step 360")
    box = tooltip.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    shared = open_tab(server, place=NESTED + "&p.layer_health.layer=encoder%2Fblock_1%2Fdense_4%401")
    point_at(shared.frame.locator("#series .u-over").first, 0.5)
    rows = shared.frame.locator("#series .tooltip:not([hidden]) .tooltip-row")
    expect(rows).to_have_text([re.compile("dense_4@1"), re.compile("dense_4@2")])


def test_curves_can_be_smoothed_scaled_and_clipped(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    menu = tab.panel("series").locator("details", has_text="Curves")
    menu.locator("summary").click()
    seen = [tab.picture("series")]
    for change in (
        lambda: menu.get_by_label("Smoothing").fill("0.6"),
        lambda: menu.get_by_label("Vertical axis").select_option(label="logarithmic"),
        lambda: menu.get_by_label("Ignore outliers").check(),
    ):
        change()
        tab.frame.locator("body").evaluate("() => new Promise(requestAnimationFrame)")
        seen.append(tab.picture("series"))
    assert seen[0] != seen[1] != seen[2]
    assert tab.place["curve"] == "0.6,log,clip"
    expect(tab.panel("series")).to_contain_text("Silent units, logarithmic, smoothed")
    expect(tab.panel("training")).to_contain_text("Loss, logarithmic, smoothed")


def test_dead_units_since_when_is_one_click_with_table_and_csv(
    open_alone: OpenTab, server: Server, tmp_path: Path
) -> None:
    tab = open_alone(server, place=SICK)
    units = tab.panel("units")
    units.get_by_role("button", name="Table", exact=True).click()
    rows = units.locator("tbody tr")
    expect(rows).to_have_count(16)
    expect(rows.first).to_have_text(re.compile("0dead30"))
    with tab.page.expect_download() as saving:
        units.get_by_role("button", name="Download CSV").click()
    saving.value.save_as(tmp_path / "units.csv")
    with (tmp_path / "units.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert {row["State"] for row in table} == {"dead"}
    assert [int(row["Since step"]) for row in table] == sorted(int(row["Since step"]) for row in table)


PANELS = ["layers", "training", "matrix", "depth", "series", "distribution", "units", "map", "cost"]


# Chromium drops what a page saves beyond ten files within a second.
@pytest.mark.parametrize("panels", [PANELS[start : start + 3] for start in range(0, len(PANELS), 3)], ids="-".join)
def test_every_panel_can_be_saved(panels: list[str], open_alone: OpenTab, server: Server, tmp_path: Path) -> None:
    tab = open_alone(server, place=SICK)
    for panel in panels:
        sizes = {}
        for kind in ("SVG", "PNG", "CSV"):
            tab.panel(panel).locator("summary", has_text="Export").click()
            with tab.page.expect_download() as saving:
                tab.panel(panel).get_by_role("button", name=kind, exact=True).click()
            path = tmp_path / saving.value.suggested_filename
            assert path.suffix == f".{kind.lower()}"
            saving.value.save_as(path)
            sizes[kind] = path
        drawn = sizes["SVG"].read_text("utf-8")
        title = tab.panel(panel).locator("h2").inner_text()
        assert title.split(":")[0] in drawn
        assert ("<path" in drawn) or ("<image" in drawn) or panel == "cost"
        assert sizes["PNG"].read_bytes().startswith(b"\x89PNG")
        assert len(list(csv.reader(sizes["CSV"].read_text("utf-8").splitlines()))) > 2


def test_line_charts_are_saved_as_lines(open_alone: OpenTab, server: Server, tmp_path: Path) -> None:
    tab = open_alone(server, place=SICK)
    tab.panel("training").locator("summary", has_text="Export").click()
    with tab.page.expect_download() as saving:
        tab.panel("training").get_by_role("button", name="SVG").click()
    saving.value.save_as(tmp_path / "training.svg")
    drawn = (tmp_path / "training.svg").read_text("utf-8")
    assert "<image" not in drawn
    assert max(drawn_path.count("L") for drawn_path in re.findall(r' d="([^"]+)"', drawn)) == 119


def test_link_and_report_are_passed_on(open_tab: OpenTab, server: Server, tmp_path: Path) -> None:
    tab = open_tab(server, place=SICK)
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.frame.get_by_role("button", name="Copy link").click()
    expect(tab.frame.get_by_role("status").filter(has_text="Link copied")).to_have_count(1)
    assert tab.page.evaluate("navigator.clipboard.readText()") == tab.page.url
    with tab.page.expect_download() as saving:
        tab.frame.get_by_role("link", name="Save report").click()
    assert saving.value.suggested_filename == "relu_dies_health.html"
    saving.value.save_as(tmp_path / "report.html")
    assert "dense_2" in (tmp_path / "report.html").read_text("utf-8")


def test_keys_work_before_the_frame_is_clicked(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place=SICK)
    tab.page.evaluate("() => { window.focus(); document.activeElement?.blur(); }")
    tab.page.keyboard.press("n")
    expect(tab.panel("findings").locator("article:focus")).to_have_count(1)
    tab.page.locator("body").evaluate("body => body.focus()")


def test_nested_models_collapse_in_every_chart(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, height=1700, place=NESTED)
    tab.panel("matrix").get_by_role("button", name="Collapse nested models").click()
    for panel in ("matrix", "depth"):
        expect(tab.panel(panel).locator(".matrix-name")).to_have_text(["stem", "▸ encoder (12)", "head"])
    expect(tab.panel("map").locator(".map-row")).to_have_count(3)
    point_at(tab.panel("matrix").locator(".matrix-plot"), 0.9, 0.5)
    expect(tab.panel("matrix").locator(".readout")).to_have_text("▸ encoder (12)step 1,070Problem")
    tab.panel("matrix").locator(".matrix-plot").click()
    expect(tab.panel("matrix").locator(".matrix-name").nth(1)).to_have_text("▸ encoder/block_0 (4)")


def test_the_row_under_the_pointer_has_a_name(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place="&p.layer_health.run=many_layers")
    panel = tab.panel("matrix")
    names = panel.locator(".matrix-name")
    assert names.count() < 60
    for row in (41, 42, 43):
        point_at(panel.locator(".matrix-plot"), 0.5, (row + 0.5) / 200)
        expect(panel.locator(f".matrix-name[title$='_{row}']")).to_be_visible()
        expect(panel.locator(".matrix-name.is-hovered")).to_have_attribute("title", re.compile(f"_{row}$"))


def test_all_names_of_the_timeline_begin_at_its_edge(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=NESTED)
    names = tab.panel("matrix").locator(".matrix-name")
    begins = names.evaluate_all(
        """names => names.map((name) => {
          const text = document.createRange();
          text.selectNodeContents(name);
          return Math.round(text.getBoundingClientRect().left - name.getBoundingClientRect().left);
        })"""
    )
    assert len(begins) == 14
    assert set(begins) == {0}


def test_every_name_of_the_timeline_fits_its_column(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=f"{NESTED}&p.layer_health.layer=encoder%2Fblock_0%2Fdense_2")
    names = tab.panel("matrix").locator(".matrix-name")
    expect(names.locator("xpath=self::*[contains(@class, 'is-selected')]")).to_have_count(1)
    assert names.evaluate_all("names => names.filter((one) => one.scrollWidth > one.clientWidth).length") == 0


def test_narrow_page_shows_charts_before_prose_and_menus_stay_on_it(open_alone: OpenTab, odd_server: Server) -> None:
    tab = open_alone(odd_server, width=360, height=800, place=GAP)
    tops = {
        name: tab.panel(name).evaluate("panel => panel.getBoundingClientRect().top") for name in ("matrix", "findings")
    }
    assert tops["matrix"] < tops["findings"]
    for summary in tab.frame.locator("details.menu > summary").all():
        summary.click()
        box = summary.locator("xpath=following-sibling::fieldset").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        summary.click()
    overflow = tab.frame.locator("html").evaluate("root => root.scrollWidth - root.clientWidth")
    assert overflow == 0
