"""Feature maps and other pictures of the run."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.browser.conftest import OpenTab
from tests.live_server import Server

NESTED = "&p.layer_health.run=nested&p.layer_health.layer=stem"


def natural_size(image: Locator) -> list[int]:
    expect(image).to_have_js_property("complete", True)
    size: list[int] = image.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    return size


def test_feature_maps_with_their_range_at_the_step(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, height=2000, place=NESTED)
    panel = tab.panel("pictures")
    image = panel.locator("img")
    expect(panel).to_contain_text("Values from -1 (darkest) to 111 (lightest), the same scale for all maps.")
    expect(panel).to_contain_text("Two samples, four channels.")
    expect(panel).to_contain_text("Step 1,100, 10 of 10 pictures")
    width, height = natural_size(image)
    assert width > 0
    assert [int(image.get_attribute(side) or 0) for side in ("width", "height")] == [width, height]
    panel.get_by_role("slider").focus()
    tab.page.keyboard.press("Home")
    expect(panel).to_contain_text("Values from -1 (darkest) to 11 (lightest)")
    expect(image).to_have_attribute("alt", "feature maps of stem at step 100")
    expect(tab.frame.locator(".step-field")).to_contain_text("Step 100")
    tab.frame.get_by_role("application", name="Health of 14 layers").focus()
    tab.page.keyboard.press("End")
    expect(panel).to_contain_text("10 of 10 pictures")


def test_pictures_of_other_writers(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, height=2000, theme="dark", place=NESTED)
    panel = tab.panel("pictures")
    panel.get_by_role("combobox", name="Picture").select_option(label="confusion")
    expect(panel).to_contain_text("Rows are **classes**.")
    assert min(natural_size(panel.locator("img"))) > 0
    assert tab.place["picture"] == "confusion"
    tab.layers.nth(1).click()
    expect(panel.get_by_role("combobox", name="Picture")).to_have_value("confusion")


def test_without_pictures(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place="&p.layer_health.run=relu_dies")
    expect(tab.panel("pictures")).to_contain_text("This run has no pictures.")
    expect(tab.panel("pictures").locator("img")).to_have_count(0)
