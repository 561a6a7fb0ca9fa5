"""What a person sees of a sick run, and what choosing changes."""

from __future__ import annotations

import csv
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenTab, StartServer, Tab, Theme
from tests.live_server import Server
from tests.synthetic import HOSTILE_NAMES, write_run

SICK = "&p.layer_health.run=relu_dies"


def ground_color(tab: Tab) -> tuple[int, ...]:
    color = tab.frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    return tuple(int(part) for part in re.findall(r"\d+", color))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 700])
def test_verdict_names_the_sick_layer(open_tab: OpenTab, server: Server, theme: Theme, width: int) -> None:
    tab = open_tab(server, theme=theme, width=width, height=1700, place=SICK)
    expect(tab.verdict).to_contain_text("3 of 8 layers")
    expect(tab.verdict).to_contain_text("dense_2")
    expect(tab.selected_layer).to_have_text("dense_2")
    assert (max(ground_color(tab)) < 128) == (theme == "dark")
    overflow = tab.frame.locator("html").evaluate("root => root.scrollWidth - root.clientWidth")
    assert overflow == 0, "the page scrolls sideways"


def test_theme_follows_tensorboard_while_open(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, theme="light", place=SICK)
    assert min(ground_color(tab)) > 200
    tab.page.get_by_label("Menu for changing light or dark theme").click()
    tab.page.get_by_role("menuitemradio", name="Dark").or_(tab.page.get_by_role("menuitem", name="Dark")).click()
    expect(tab.frame.locator("html")).to_have_attribute("data-theme", "dark")
    assert max(ground_color(tab)) < 128


def test_layers_are_ranked_by_severity_or_in_model_order(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    names = tab.frame.locator(".layer-list .layer-name")
    assert names.all_inner_texts()[:3] == ["dense_2", "dense_0", "dense_1"]
    tab.frame.get_by_role("button", name="Model order").click()
    assert names.all_inner_texts()[:4] == ["dense_0", "dense_1", "dense_2", "batch_normalization_3"]
    expect(tab.selected_layer).to_have_text("dense_2")


def test_finding_tells_evidence_cause_and_cure(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    findings = tab.panel("findings")
    for text in (
        "share of units dead = 100%",
        "threshold 50%",
        "step 360",
        "leaky_relu",
        "inputs that these batches",
        "learns nothing",
    ):
        expect(findings).to_contain_text(text)
    tab.layers.filter(has_text="dense_0").click()
    expect(findings).to_contain_text("no gradient arrives")
    findings.get_by_role("button", name="Dead units in dense_2").click()
    expect(tab.selected_layer).to_have_text("dense_2")


def test_choosing_a_layer_changes_every_panel(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    expect(tab.panel("units")).to_contain_text("16 units: 16 dead.")
    tab.layers.filter(has_text="dense_5").click()
    expect(tab.panel("findings").locator("h2")).to_have_text("dense_5")
    expect(tab.panel("findings")).to_contain_text("OK: 3 checks passed")
    expect(tab.panel("series").locator("h2")).to_have_text("Metrics: dense_5")
    expect(tab.panel("units")).to_contain_text("16 units: 16 active.")
    tab.frame.locator("html").evaluate("root => root.scrollTo(0, root.scrollHeight)")
    scrolled = tab.frame.locator("html").evaluate("root => root.scrollTop")
    tab.frame.locator("html").evaluate("() => document.querySelector('.layer-list li:nth-child(6) button').click()")
    expect(tab.panel("units")).to_contain_text("16 units: 16 active.")
    assert tab.frame.locator("html").evaluate("root => root.scrollTop") == scrolled, "the page jumps"
    tab.layers.filter(has_text="batch_normalization_3").click()
    expect(tab.panel("units")).to_contain_text("The units of this layer are not tracked.")


def test_choosing_a_statistic_shows_its_scale(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    expect(tab.panel("matrix").locator(".legend-item")).to_have_text(
        [re.compile(word) for word in ("Problem", "Warning", "OK")]
    )
    before = tab.frame.locator("#matrix canvas").evaluate("canvas => canvas.toDataURL()")
    tab.frame.get_by_label("Show", exact=True).select_option(label="Weight gradient norm")
    expect(tab.panel("matrix")).to_contain_text("logarithmic")
    expect(tab.panel("matrix").locator(".legend")).to_contain_text("zero")
    assert tab.frame.locator("#matrix canvas").evaluate("canvas => canvas.toDataURL()") != before


def marks(tab: Tab, kind: str) -> int:
    """How many layers the profile of the main run shows as points, zeros, missing or infinite."""
    path = tab.panel("depth").locator(f".profile-{kind}").last.get_attribute("d")
    return len(re.findall("M", path or ""))


def test_profile_over_the_depth_at_the_step(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, height=1700, place=SICK)
    depth = tab.panel("depth")
    expect(depth.locator(".readout")).to_have_text("dense_2step 1,1900")
    assert marks(tab, "zero") == 3
    assert marks(tab, "points") == 5
    expect(depth.locator(".legend")).to_contain_text("logarithmic")
    tab.panel("findings").get_by_role("button", name="step 360").click()
    depth.get_by_role("application").focus()
    tab.page.keyboard.press("ArrowLeft")
    expect(depth.locator(".readout")).to_contain_text("step 350")
    assert marks(tab, "points") == 8
    tab.page.keyboard.press("ArrowDown")
    expect(tab.selected_layer).to_have_text("batch_normalization_3")
    depth.get_by_label("Statistic").select_option(label="Silent units")
    expect(depth.locator(".legend")).to_contain_text("linear")
    expect(depth.locator(".legend")).to_contain_text("no value")
    depth.get_by_role("button", name="Table").click()
    rows = depth.locator("tbody tr")
    expect(rows).to_have_count(8)
    expect(rows.nth(2)).to_have_text("dense_2" + "93.8%")
    assert "depth=silent_fraction" in tab.page.url


def test_profile_counts_what_layers_do_not_have_apart(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place="&p.layer_health.run=healthy&p.layer_health.depth=silent_fraction")
    depth = tab.panel("depth")
    expect(depth.locator(".readout")).to_contain_text("step 1,190")
    assert marks(tab, "points") == 7
    assert marks(tab, "missing") == 1


def test_distribution_over_the_steps(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, height=1700, place=SICK)
    panel = tab.panel("distribution")
    expect(panel).to_contain_text("12 steps with a histogram")
    expect(panel).to_contain_text("evenly strided sample")
    expect(panel.locator(".readout")).to_contain_text("step 1,100")
    before = panel.locator("canvas").evaluate("canvas => canvas.toDataURL()")
    ridge = panel.locator(".ridge").inner_html()
    panel.get_by_role("application", name="Distribution of activations").focus()
    tab.page.keyboard.press("Home")
    tab.page.keyboard.press("ArrowDown")
    expect(panel.locator(".readout")).to_contain_text(re.compile(r"step 0.* of values from .* to "))
    assert panel.locator(".ridge").inner_html() != ridge
    panel.get_by_role("button", name="Gradients").click()
    expect(panel).to_contain_text("gradients with respect to the outputs")
    expect(panel.get_by_role("application", name="Distribution of gradients")).to_be_visible()
    assert panel.locator("canvas").evaluate("canvas => canvas.toDataURL()") != before
    assert "kind=gradient" in tab.page.url
    panel.get_by_role("button", name="Table").click()
    expect(panel.locator("tbody tr")).to_have_count(30)
    expect(panel.get_by_role("columnheader")).to_have_text(["Bucket", "From", "To", "Values", "Share"])


def test_choosing_a_run(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    tab.frame.get_by_label("Run", exact=True).select_option("healthy")
    expect(tab.verdict).to_contain_text(re.compile("No problems found", re.I))
    expect(tab.frame.locator(".verdict")).to_contain_text("OK")
    expect(tab.frame.locator(".shape-problem, .shape-warning")).to_have_count(0)


def test_statistics_are_there_as_a_table(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    series = tab.panel("series")
    series.get_by_text("Statistics", exact=True).click()
    series.get_by_label("Weight norm").check()
    expect(series.locator("figure")).to_have_count(5)
    series.get_by_text("Statistics", exact=True).click()
    series.get_by_role("button", name="Table").click()
    table = series.get_by_role("table")
    expect(table.get_by_role("columnheader")).to_have_count(6)
    expect(table.locator("tbody tr")).to_have_count(120)
    expect(table.locator("tbody tr").first).to_contain_text("1,190")


def test_statistics_can_be_saved(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    series = tab.panel("series")
    series.get_by_role("button", name="Table").click()
    with tab.page.expect_download() as download:
        series.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "relu_dies_dense_2.csv"
    with download.value.path().open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][0] == "Step"
    assert "Silent units" in rows[0]
    assert [row[0] for row in rows[1:]] == [str(10 * index) for index in reversed(range(120))]
    assert {row[rows[0].index("Silent units")] for row in rows[1:80]} == {"1"}


def test_header_tells_how_fresh_the_run_is(open_alone: OpenTab, start_server: StartServer, tmp_path: Path) -> None:
    write_run(tmp_path, name="fresh", steps=20, start_time=time.time() - 600)
    server = start_server(tmp_path)
    server.wait_for_records("fresh", 20)
    tab = open_alone(server)
    expect(tab.frame.locator(".facts")).to_contain_text("last step 190, 10 min ago")


def test_training_metrics_are_shown(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    charts = tab.panel("training").locator("figure")
    expect(charts.locator("figcaption > span")).to_have_text(["Loss", "Learning rate", "epoch loss", "epoch accuracy"])
    expect(charts.locator("canvas")).to_have_count(4)
    expect(tab.panel("training")).to_contain_text("Learning rate")


def test_pointing_at_one_panel_marks_the_step_in_all(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, height=1700, place=SICK)
    plot = tab.frame.locator("#matrix .matrix-plot")
    box = plot.bounding_box()
    assert box is not None
    plot.hover(position={"x": box["width"] / 2 + 2, "y": 5})
    expect(tab.frame.locator(".step-field")).to_contain_text("Step 600")
    expect(tab.panel("matrix").locator(".readout")).to_contain_text("dense_0")
    expect(tab.panel("matrix").locator(".readout")).to_contain_text("Warning")
    marks = tab.frame.locator(".step-mark")
    assert marks.count() == 3 + 4 + 4
    for mark in marks.all():
        expect(mark).to_be_visible()
    plot.click(position={"x": box["width"] / 4 + 2, "y": 5})
    tab.verdict.hover()
    expect(tab.frame.locator(".step-field")).to_contain_text("Step 300")
    expect(tab.selected_layer).to_have_text("dense_0")
    tab.frame.get_by_role("button", name="Unpin").click()
    expect(tab.frame.locator(".step-field")).to_have_text("Latest step")


def test_names_from_the_file_are_text(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place="&p.layer_health.run=hostile%20%3Cb%3Enames%3C%2Fb%3E")
    listed = tab.frame.locator(".layer-list .layer-name").all_inner_texts()
    assert sorted(listed) == sorted(f"{name} {index}" for index, name in enumerate(HOSTILE_NAMES))
    assert HOSTILE_NAMES[0] == "<img src=x onerror=alert(1)>"
    for button in tab.layers.all():
        button.click()
        name = button.locator(".layer-name").inner_text()
        expect(tab.panel("findings").locator("h2")).to_have_text(name)
        expect(tab.panel("series").locator("figure").first).to_be_visible()
    assert tab.frame.locator("img, script:not([type=module]), b.names").count() == 0


def test_many_layers_stay_usable(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place="&p.layer_health.run=many_layers")
    expect(tab.verdict).to_contain_text("of 200 layers")
    search = tab.frame.get_by_label("Filter layers")
    search.fill("DENSE_17")
    expect(tab.layers.first).to_contain_text("dense_17")
    assert tab.layers.count() < 12
    search.fill("nothing like it")
    expect(tab.panel("layers")).to_contain_text("No match for “nothing like it” among 200 layers.")
    tab.frame.get_by_role("button", name="Clear filter").click()
    expect(tab.layers).to_have_count(200)


def test_tab_says_what_it_is(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place=SICK)
    expect(tab.page.locator("iframe")).to_have_attribute("title", "Layer Health")
    expect(tab.frame.locator("html")).to_have_attribute("lang", "en")
