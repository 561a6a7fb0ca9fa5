"""The address keeps the place, also below a path prefix."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenTab, StartServer
from tests.live_server import Server
from tests.synthetic import START_TIME, write_run


def test_choices_survive_a_reload_of_the_page(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place="&p.layer_health.run=healthy")
    tab.frame.get_by_label("Run", exact=True).select_option("relu_dies")
    tab.layers.filter(has_text="dense_5").click()
    tab.frame.get_by_label("Show", exact=True).select_option(label="Update-to-weight ratio")
    tab.frame.get_by_role("button", name="Model order").click()
    tab.frame.get_by_role("application", name="Update-to-weight ratio").focus()
    tab.page.keyboard.press("Home")
    tab.page.keyboard.press("ArrowRight")
    kept = {"run": "relu_dies", "layer": "dense_5", "stat": "update_ratio", "step": "10", "sort": "model"}
    assert tab.place == kept
    tab.page.reload()
    tab.wait_until_loaded()
    expect(tab.frame.get_by_label("Run", exact=True)).to_have_value("relu_dies")
    expect(tab.selected_layer).to_have_text("dense_5")
    expect(tab.frame.get_by_label("Show", exact=True)).to_have_value("update_ratio")
    expect(tab.frame.locator(".step-field")).to_contain_text("Step 10")
    expect(tab.frame.get_by_role("button", name="Model order")).to_have_attribute("aria-pressed", "true")
    assert tab.place == kept


def test_choices_survive_a_visit_to_another_tab(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place="&p.layer_health.run=relu_dies")
    tab.layers.filter(has_text="dense_5").click()
    tab.page.get_by_role("tab", name="Scalars").click()
    expect(tab.verdict).not_to_be_visible()
    tab.page.get_by_role("tab", name="Layer Health").click()
    expect(tab.selected_layer).to_have_text("dense_5")
    expect(tab.frame.locator("#matrix canvas")).to_be_visible()


@pytest.mark.parametrize("load_fast", [True, False], ids=["fast", "python"])
def test_below_a_path_prefix(open_tab: OpenTab, start_server: StartServer, tmp_path: Path, load_fast: bool) -> None:
    write_run(tmp_path, name="train", pictures=True)
    write_run(tmp_path, name="other", sick=False, start_time=START_TIME - 60)
    server = start_server(tmp_path, path_prefix="/behind/a/proxy", load_fast=load_fast)
    assert "/behind/a/proxy/" in server.url
    server.wait_for_records("train", 120)
    tab = open_tab(server)
    # TensorBoard's page itself asks for its fonts without the prefix.
    tab.expected = "/font-roboto/"
    assert "/behind/a/proxy/" in str(tab.frame.get_by_role("link", name="train").get_attribute("href"))
    tab.frame.get_by_role("link", name="train").click()
    expect(tab.verdict).to_contain_text("dense_2")
    tab.layers.filter(has_text="dense_1").click()
    expect(tab.panel("series").locator("canvas").first).to_be_visible()
    assert tab.place["layer"] == "dense_1"
    tab.layers.filter(has_text="dense_0").click()
    tab.compare("other")
    expect(tab.panel("comparison").locator("tbody tr")).to_have_count(2)
    picture = tab.panel("pictures").locator("img")
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 0
    expect(tab.panel("pictures")).to_contain_text("the same scale for all maps")
    assert "/behind/a/proxy/" in tab.page.url
