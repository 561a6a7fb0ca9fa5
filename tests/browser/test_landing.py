"""The table of runs, and the ways from it to a run and back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import OpenTab, Tab, Theme
from tests.browser.test_accessibility import violations
from tests.browser.test_runs_side_by_side import COLORS
from tests.live_server import Server


def names(tab: Tab) -> list[str]:
    return tab.frame.locator(".run-link").all_inner_texts()


def row(tab: Tab, run: str) -> Locator:
    return tab.frame.locator(".landing-table tbody tr").filter(has=tab.frame.get_by_role("link", name=run, exact=True))


def sort_by(tab: Tab, column: str) -> None:
    tab.frame.get_by_role("columnheader", name=column, exact=True).get_by_role("button").click()


def test_every_run_is_listed_worst_first_with_what_to_start_with(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server)
    expect(tab.verdict).to_have_text("4 of 8 runs need attention, 2 unreadable.")
    assert names(tab)[-2:] == ["single_step", "healthy"]
    assert set(names(tab)[4:6]) == {"newer_schema", "unreadable"}
    sick = row(tab, "relu_dies")
    expect(sick.locator(".cell-start")).to_have_text("dense_2 100% of units dead")
    expect(sick.locator("[data-label='Since step']")).to_have_text("360")
    expect(sick.get_by_role("img")).to_have_accessible_name("Health over time: OK, then problem from step 357")
    expect(row(tab, "healthy").locator("[data-label=val_loss]")).to_have_text(re.compile(r"^0\.\d+$"))
    expect(row(tab, "healthy").get_by_role("img")).to_have_accessible_name("Health over time: OK")
    expect(row(tab, "newer_schema")).to_contain_text("schema version 99")
    order = server.request(server.url + "data/runs").json
    for run in ("relu_dies", "many_layers"):
        color = row(tab, run).locator(".run-dot").evaluate("dot => getComputedStyle(dot).backgroundColor")
        wanted = COLORS[order.index(run) % len(COLORS)]
        assert color == f"rgb({', '.join(str(int(wanted[at : at + 2], 16)) for at in (1, 3, 5))})"


def test_any_column_sorts_and_a_regular_expression_filters(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server)
    sort_by(tab, "Run")
    assert names(tab) == sorted(names(tab))
    sort_by(tab, "val_accuracy")
    assert names(tab)[:2] == ["healthy", "relu_dies"], "the best accuracy comes first, runs without it last"
    sort_by(tab, "val_loss")
    assert names(tab)[:2] == ["healthy", "relu_dies"]
    sort_by(tab, "val_loss")
    assert names(tab)[:2] == ["relu_dies", "healthy"]
    expect(tab.frame.get_by_role("columnheader", name="val_loss")).to_have_attribute("aria-sort", "descending")
    assert tab.place == {"order": "-=val_loss"}
    tab.page.reload()
    tab.wait_until_loaded()
    assert names(tab)[:2] == ["relu_dies", "healthy"]

    sort_by(tab, "Verdict")
    search = tab.frame.get_by_label("Filter runs by a regular expression")
    search.fill("^(HEALTHY|nest)")
    expect(tab.frame.locator(".run-link")).to_have_text(["nested", "healthy"])
    expect(tab.frame.get_by_role("status")).to_have_text("2 of 8 runs match")
    search.fill("(")
    expect(tab.frame.get_by_role("status")).to_have_text("This is not a regular expression.")
    expect(tab.frame.locator(".run-link")).to_have_count(8)


def test_the_back_button_leads_from_layer_to_run_to_all_runs(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server)
    tab.frame.get_by_role("link", name="relu_dies").click()
    expect(tab.verdict).to_contain_text("Start with dense_2")
    tab.layers.filter(has_text="dense_5").click()
    expect(tab.selected_layer).to_have_text("dense_5")
    tab.page.go_back()
    expect(tab.selected_layer).to_have_text("dense_2")
    assert tab.place == {"run": "relu_dies"}
    tab.page.go_back()
    expect(tab.verdict).to_contain_text("runs need attention")
    tab.page.go_forward()
    tab.page.go_forward()
    expect(tab.selected_layer).to_have_text("dense_5")
    tab.frame.get_by_role("button", name="All 8 runs").click()
    expect(tab.verdict).to_contain_text("runs need attention")
    tab.page.go_back()
    expect(tab.selected_layer).to_have_text("dense_5")


def test_the_keyboard_leads_from_all_runs_to_a_unit_and_back(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, height=1700)
    press = tab.page.keyboard.press
    tab.frame.locator(".run-link").first.focus()
    at = names(tab).index("relu_dies")
    for _ in range(at):
        press("ArrowDown")
    expect(row(tab, "relu_dies").get_by_role("link")).to_be_focused()
    press("Enter")
    expect(tab.selected_layer).to_have_text("dense_2")
    tab.frame.locator(".layer-list [aria-current=true]").focus()
    press("ArrowDown")
    press("ArrowUp")
    press("ArrowDown")
    expect(tab.selected_layer).to_have_text("dense_0")
    tab.panel("units").get_by_role("application").focus()
    press("ArrowDown")
    expect(tab.panel("units").locator(".readout")).to_contain_text("unit")
    tab.page.go_back()
    expect(tab.verdict).to_contain_text("runs need attention")
    assert tab.place == {}


def test_a_link_opens_a_run_in_a_new_window_and_marks_open_several(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server)
    with tab.page.context.expect_page() as opened:
        row(tab, "healthy").get_by_role("link").click(modifiers=["ControlOrMeta"])
    expect(opened.value.frame_locator("iframe").locator("h1")).to_contain_text("No problems found")
    expect(tab.verdict).to_contain_text("runs need attention")
    assert tab.frame.get_by_role("checkbox", disabled=False).count() == 6
    for name in ("healthy", "relu_dies", "nested"):
        tab.frame.get_by_label(f"Compare {name}", exact=True).check()
    tab.frame.get_by_role("button", name="Compare 3 runs").click()
    expect(tab.panel("lanes").locator(".lane")).to_have_count(3)


@pytest.mark.parametrize(("theme", "width"), [("dark", 360), ("light", 1280)])
def test_landing_and_root_cause_are_accessible(open_alone: OpenTab, server: Server, theme: Theme, width: int) -> None:
    tab = open_alone(server, theme=theme, width=width)
    tab.frame.get_by_label("Compare healthy", exact=True).check()
    assert violations(tab) == []
    assert tab.frame.locator("html").evaluate("root => root.scrollWidth - root.clientWidth") == 0
    tab.frame.get_by_role("link", name="relu_dies").click()
    expect(tab.panel("root-cause")).to_be_visible()
    assert violations(tab) == []
