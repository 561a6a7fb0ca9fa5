"""No violation of WCAG 2.2 AA that axe-core can find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenTab, StartServer, Tab, Theme
from tests.live_server import ROOT, Server

AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SICK = "&p.layer_health.run=relu_dies"

themes = pytest.mark.parametrize("theme", ["light", "dark"])


def violations(tab: Tab) -> list[str]:
    """Of the tab itself, not of TensorBoard around it."""
    root = tab.frame.locator("html")
    # The content security policy stops a script tag; evaluating does not pass through it.
    root.evaluate("(_, source) => { (0, eval)(source); }", AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = root.evaluate(
        "async (root, levels) => (await axe.run(root, { runOnly: levels, iframes: false })).violations", LEVELS
    )
    return [f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes'][:3]]}" for each in found]


@themes
def test_of_a_sick_run(open_alone: OpenTab, server: Server, theme: Theme) -> None:
    tab = open_alone(server, theme=theme, place=SICK)
    tab.frame.get_by_text("How this run was observed and judged").click()
    assert violations(tab) == []


@themes
def test_of_tables(open_alone: OpenTab, server: Server, theme: Theme) -> None:
    tab = open_alone(server, theme=theme, place=SICK)
    for button in tab.frame.get_by_role("button", name="Table").all():
        button.click()
    tab.panel("series").get_by_text("Statistics", exact=True).click()
    expect(tab.frame.get_by_role("table").first).to_be_visible()
    assert violations(tab) == []


@themes
def test_of_the_keyboard_help(open_alone: OpenTab, server: Server, theme: Theme) -> None:
    tab = open_alone(server, theme=theme, place=SICK)
    tab.frame.get_by_role("button", name="Keyboard help").click()
    tab.frame.get_by_label("Enable single-key shortcuts").uncheck()
    expect(tab.frame.get_by_role("dialog")).to_be_visible()
    assert violations(tab) == []


@themes
def test_of_a_statistic_of_many_layers(open_alone: OpenTab, server: Server, theme: Theme) -> None:
    tab = open_alone(server, theme=theme, place="&p.layer_health.run=many_layers&p.layer_health.stat=gradient_norm")
    assert violations(tab) == []


@themes
def test_of_runs_side_by_side(open_alone: OpenTab, server: Server, theme: Theme) -> None:
    tab = open_alone(server, theme=theme, place=SICK + "&p.layer_health.others=healthy&p.layer_health.zoom=200~600")
    tab.frame.get_by_text("Compare: 1 more").click()
    expect(tab.panel("comparison").locator("tbody tr")).to_have_count(2)
    assert violations(tab) == []


@themes
def test_of_nested_layers_and_pictures(open_alone: OpenTab, server: Server, theme: Theme) -> None:
    place = (
        "&p.layer_health.run=nested&p.layer_health.sort=model&p.layer_health.layer=stem&p.layer_health.flag=dead_units"
    )
    tab = open_alone(server, theme=theme, place=place)
    expect(tab.panel("pictures").locator("img")).to_be_visible()
    assert violations(tab) == []


@themes
def test_of_nothing_recorded(open_alone: OpenTab, start_server: StartServer, tmp_path: Path, theme: Theme) -> None:
    tab = open_alone(start_server(tmp_path), theme=theme)
    assert violations(tab) == []


@themes
def test_of_a_run_that_cannot_be_read(open_alone: OpenTab, server: Server, theme: Theme) -> None:
    tab = open_alone(server, theme=theme, place="&p.layer_health.run=unreadable")
    assert violations(tab) == []


def test_what_is_wrong_would_be_found(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    tab.verdict.evaluate("heading => { heading.style.color = '#eee'; }")
    assert [each.split(":")[0] for each in violations(tab)] == ["color-contrast"]
