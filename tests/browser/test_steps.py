"""The common horizontal axis: what it counts, zoom and pan."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenTab, Tab
from tests.live_server import Server

SICK = "&p.layer_health.run=relu_dies"


def drag(tab: Tab, selector: str, start: float, end: float) -> None:
    """Across a plot, from one share of its width to another."""
    box = tab.frame.locator(selector).first.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    tab.page.mouse.move(box["x"] + start * box["width"], y)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + end * box["width"], y, steps=4)
    tab.page.mouse.up()


def test_axes_count_steps_epochs_or_time(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    title = tab.panel("matrix").locator(".matrix-axis-title")
    expect(title).to_have_text("Step")
    before = tab.picture("series")
    tab.frame.get_by_role("button", name="Epoch").click()
    expect(title).to_have_text("Epoch")
    expect(tab.panel("matrix").locator(".matrix-ticks")).to_have_text("01234")
    assert tab.picture("series") != before
    tab.frame.get_by_role("button", name="Time").click()
    expect(title).to_have_text("Seconds")
    assert tab.place["x"] == "time"
    tab.page.reload()
    tab.wait_until_loaded()
    expect(title).to_have_text("Seconds")


def test_a_run_that_does_not_tell_is_shown_by_step(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place="&p.layer_health.run=single_step&p.layer_health.x=time")
    expect(tab.frame.locator(".bar")).to_contain_text("not recorded, showing steps")
    expect(tab.panel("matrix").locator(".matrix-axis-title")).to_have_text("Step")


def test_dragging_zooms_all_pictures(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, height=1900, place=SICK)
    panels = ["matrix", "series", "distribution", "units", "training"]
    before = {panel: tab.picture(panel) for panel in panels}
    drag(tab, "#matrix .matrix-plot", 0.25, 0.5)
    field = tab.frame.locator(".zoom-field")
    expect(field).to_contain_text("steps 298 to 595")
    assert [panel for panel in panels if tab.picture(panel) == before[panel]] == []
    expect(tab.frame.locator(".step-field")).not_to_contain_text("Unpin")
    field.get_by_role("button", name="Later steps").click()
    expect(field).to_contain_text("steps 447 to 743")
    assert tab.place["zoom"].startswith("446")
    tab.frame.locator("#series .u-over").first.dblclick()
    expect(field).to_have_count(0)
    drag(tab, "#series .u-over", 0.5, 0.75)
    expect(field).to_contain_text("steps 595 to 892")
    field.get_by_role("button", name="All steps").click()
    expect(field).to_have_count(0)
    tab.verdict.hover()
    expect(tab.frame.locator(".step-field")).to_contain_text("Step")


def test_keys_zoom_and_the_window_follows_the_step(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    tab.frame.get_by_role("application", name="Health of 8 layers").focus()
    tab.page.keyboard.press("Home")
    for _ in range(2):
        tab.page.keyboard.press("+")
    field = tab.frame.locator(".zoom-field")
    expect(field).to_contain_text("steps 0 to 297")
    for _ in range(4):
        tab.page.keyboard.press("Shift+ArrowRight")
    expect(field).to_contain_text("steps 103 to 400")
    tab.page.keyboard.press("-")
    expect(field).to_contain_text("steps 103 to 697")
    tab.page.keyboard.press("0")
    expect(field).to_have_count(0)
    expect(tab.frame.locator(".step-field")).to_contain_text("Step 400")


def test_only_what_was_dragged_far_enough_zooms(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, height=1200, place=SICK)
    drag(tab, "#matrix .matrix-plot", 0.5, 0.502)
    expect(tab.frame.locator(".step-field")).to_contain_text("Step 60")
    expect(tab.frame.locator(".zoom-field")).to_have_count(0)
