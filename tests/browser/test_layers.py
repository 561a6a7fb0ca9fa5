"""The list of layers and the map of the model: nesting, flags, branches, calls."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenTab
from tests.live_server import Server

SICK = "&p.layer_health.run=relu_dies"
NESTED = "&p.layer_health.run=nested&p.layer_health.sort=model"


def test_nested_models_collapse(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=NESTED)
    groups = tab.panel("layers").locator(".layer-group")
    expect(groups.locator(".layer-name")).to_contain_text(["encoder", "block_0", "block_1", "block_2"])
    expect(groups.nth(0)).to_contain_text("12 layers, 2 with findings")
    expect(groups.nth(0)).to_contain_text("Problem")
    tab.layers.first.focus()
    tab.page.keyboard.press("ArrowDown")
    expect(groups.nth(0)).to_be_focused()
    tab.page.keyboard.press("ArrowLeft")
    expect(groups.nth(0)).to_have_attribute("aria-expanded", "false")
    expect(tab.layers).to_have_count(3)
    assert tab.place["folded"] == "encoder"
    tab.page.reload()
    tab.wait_until_loaded()
    expect(tab.layers).to_have_count(3)
    tab.frame.get_by_role("button", name="Collapse all nested models").click()
    tab.frame.get_by_role("button", name="Expand all nested models").click()
    expect(tab.layers).to_have_count(14 + 4)


def test_map_shows_branches_and_health_at_the_step(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, height=1800, place=NESTED)
    model = tab.panel("map")
    rows = model.locator(".map-row")
    expect(model).to_contain_text("Lines connect each layer to the layers that use its output.")
    expect(rows).to_have_count(12)
    expect(rows.nth(2)).to_contain_text("Problem dense_2")
    lanes = model.locator(".lanes circle")
    places = [circle.get_attribute("cx") for circle in lanes.all()]
    assert len(set(places)) == 2, "a branch has a lane of its own"
    tab.frame.get_by_role("application", name="Health of 14 layers").focus()
    tab.page.keyboard.press("Home")
    expect(rows.nth(2)).to_contain_text("OK dense_2")
    expect(model).to_contain_text("Health at step 0.")
    rows.nth(7).click()
    expect(tab.selected_layer).to_have_text("dense_9")
    tab.page.keyboard.press("ArrowDown")
    expect(rows.nth(8)).to_be_focused()
    model.get_by_role("button", name="Collapse nested models").click()
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("encoder 10 layers, collapsed")
    tab.frame.get_by_role("button", name="Unpin").click()
    expect(rows.nth(1)).to_contain_text("Problem")
    rows.nth(1).click()
    expect(rows).to_have_count(5)


def test_map_of_many_layers_can_be_read(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, height=2400, place="&p.layer_health.run=many_layers")
    model = tab.panel("map")
    expect(model).to_contain_text("layers are in call order")
    rows = model.locator(".map-row")
    expect(rows).to_have_count(200)
    cut = rows.evaluate_all("rows => rows.filter((row) => row.scrollWidth > row.clientWidth).map((row) => row.title)")
    assert cut == []
    assert model.evaluate("panel => panel.offsetHeight") < 1400


def test_calls_of_a_shared_layer(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=NESTED + "&p.layer_health.layer=encoder%2Fblock_1%2Fdense_4%401")
    calls = tab.panel("findings").locator(".call-sites")
    expect(calls).to_contain_text("call 1")
    calls.get_by_role("button", name="call 2").click()
    expect(tab.panel("findings").locator("h2")).to_have_text("encoder/block_1/dense_4@2")
    expect(calls.get_by_role("button", name="call 2")).to_have_attribute("aria-pressed", "true")


def test_flags_filter_list_and_timeline(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    flag = tab.frame.get_by_role("button", name="Vanishing gradient 2")
    flag.click()
    expect(tab.frame.locator(".layer-list .layer-name")).to_have_text(["dense_0", "dense_1"])
    expect(tab.panel("matrix")).to_contain_text("Filtered: 2 of 8 layers.")
    expect(tab.panel("matrix").locator(".matrix-name")).to_have_text(["dense_0", "dense_1"])
    assert tab.place["flag"] == "vanishing_gradient"
    flag.click()
    expect(tab.layers).to_have_count(8)
    expect(tab.panel("layers").locator(".spark path")).to_have_count(8)
    expect(tab.panel("layers")).to_contain_text("Lines: activation gradient norm over time")


def test_scale_of_a_statistic(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK + "&p.layer_health.stat=weight_gradient_norm")
    before = tab.picture("matrix")
    tab.panel("matrix").get_by_label("Scale").select_option("linear")
    expect(tab.panel("matrix").locator(".legend")).to_contain_text("linear")
    assert tab.picture("matrix") != before
    assert tab.place["scale"] == "linear"


@pytest.mark.parametrize(
    ("tab_name", "tag"), [("Scalars", "gradient_norm/dense_2"), ("Histograms", "activation/dense_2")]
)
def test_same_layer_in_the_stock_tabs(open_tab: OpenTab, server: Server, tab_name: str, tag: str) -> None:
    tab = open_tab(server, place=SICK)
    tab.panel("findings").get_by_role("link", name=tab_name).click()
    expect(tab.page.get_by_text(tag, exact=True).first).to_be_visible()
    assert f"#{tab_name.lower()}" in tab.page.url
    # TensorBoard's own tabs, not ours.
    tab.complaints.clear()


def test_monitoring_overhead(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    cost = tab.panel("cost")
    for words in ("1.3%", "40 ms", "120", "every 10 steps", "update_freq=10"):
        expect(cost).to_contain_text(words)


def test_the_page_ends_with_its_content(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place="&p.layer_health.run=many_layers")
    expect(tab.layers).to_have_count(200)
    blank = tab.frame.locator("html").evaluate(
        "root => root.scrollHeight - document.querySelector('main').getBoundingClientRect().bottom - root.scrollTop"
    )
    assert abs(blank) < 1


def test_the_list_scrolls_to_the_chosen_layer(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, height=1500, place="&p.layer_health.run=many_layers&p.layer_health.layer=dense_150")
    expect(tab.selected_layer).to_have_text("dense_150")
    expect(tab.selected_layer).to_be_in_viewport()
    tab.panel("matrix").get_by_role("application").focus()
    tab.page.keyboard.press("Shift+ArrowUp")
    expect(tab.selected_layer).to_have_text("dense_140")
    inside = tab.frame.locator(".layer-list").evaluate(
        """list => { const chosen = list.querySelector("[aria-current]").getBoundingClientRect();
        const box = list.getBoundingClientRect();
        return chosen.top >= box.top - 1 && chosen.bottom <= box.bottom + 1; }"""
    )
    assert inside


@pytest.mark.parametrize("width", [360, 3840])
def test_narrow_and_wide_screens(open_tab: OpenTab, server: Server, width: int) -> None:
    tab = open_tab(server, width=width, height=2100, place=SICK + "&p.layer_health.others=healthy")
    overflow = tab.frame.locator("html").evaluate("root => root.scrollWidth - root.clientWidth")
    assert overflow == 0, "the page scrolls sideways"
    cut = tab.frame.locator(".panel").evaluate_all(
        "panels => panels.filter((panel) => panel.scrollWidth > panel.clientWidth + 1).map((panel) => panel.id)"
    )
    assert cut == []
