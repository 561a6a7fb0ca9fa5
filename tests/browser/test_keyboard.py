"""Everything by keyboard alone."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenTab
from tests.live_server import Server

SICK = "&p.layer_health.run=relu_dies"


def test_arrow_keys_walk_through_the_layers(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    tab.frame.locator(".layer-list [aria-current=true]").focus()
    tab.page.keyboard.press("ArrowDown")
    expect(tab.selected_layer).to_have_text("dense_0")
    expect(tab.layers.nth(1)).to_be_focused()
    tab.page.keyboard.press("End")
    expect(tab.selected_layer).to_have_text("head_7")
    tab.page.keyboard.press("Home")
    expect(tab.selected_layer).to_have_text("dense_2")


def test_arrow_keys_walk_through_the_matrix(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    readout = tab.panel("matrix").locator(".readout")
    matrix = tab.frame.get_by_role("application", name="Health of 8 layers")
    matrix.focus()
    tab.page.keyboard.press("Home")
    expect(readout).to_have_text("dense_2step 0OK")
    tab.page.keyboard.press("ArrowRight")
    expect(readout).to_contain_text("step 10")
    tab.page.keyboard.press("Shift+ArrowRight")
    expect(readout).to_contain_text("step 110")
    tab.page.keyboard.press("End")
    tab.page.keyboard.press("ArrowUp")
    expect(readout).to_have_text("dense_1step 1,190Warning")
    expect(tab.selected_layer).to_have_text("dense_1")
    tab.page.keyboard.press("Escape")
    expect(tab.frame.locator(".step-field")).to_have_text("Latest step")


def test_arrow_keys_walk_through_the_units(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    tab.frame.get_by_role("application", name="Activity of 16 units").focus()
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("End")
    expect(tab.panel("units").locator(".readout")).to_contain_text("unit 0")
    expect(tab.panel("units").locator(".readout")).to_contain_text("active on 0% of samples")


def test_tab_key_reaches_every_control_once(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place=SICK)
    tab.frame.get_by_label("Run", exact=True).focus()
    reached = []
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        reached.append(
            tab.frame.locator("html").evaluate(
                """() => {
                  const element = document.activeElement;
                  return element === document.body ? "" :
                    element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent;
                }"""
            )
        )
        if reached[-1].startswith("How this run"):
            break
    told = " | ".join(reached)
    wanted = ["Compare", "Step", "Epoch", "Time", "Copy link", "Save report", "Keyboard help"]
    wanted += ["Severity", "Model order", "Export: layers", "Dead units 1", "dense_2"]
    wanted += ["step 360", "Scalars", "Images", "Export: model", "dense_2", "Export: monitoring overhead"]
    wanted += ["Curves", "Table", "Export: training", "Show", "Export: timeline", "Health of 8 layers"]
    wanted += ["Statistic", "Table", "Export: depth profile", "gradient norm of 8 layers"]
    wanted += ["Statistics", "Curves", "Table", "Export: metrics", "Activations", "Gradients", "Table"]
    wanted += ["Distribution of activations", "Table", "Export: units", "Activity of 16 units"]
    wanted += ["How this run was observed and judged"]
    position = 0
    for name in wanted:
        found = told.find(name, position)
        assert found >= 0, f"{name!r} is not reached after {told[:position]!r} in {told!r}"
        position = found
    assert "dense_5" not in told, "the list of layers takes more than one stop"


def test_letters_go_through_the_findings(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    tab.layers.first.focus()
    focused = tab.frame.locator("article:focus")
    for layer in ("dense_2", "dense_0", "dense_1", "dense_2"):
        tab.page.keyboard.press("n")
        expect(tab.selected_layer).to_have_text(layer)
        expect(focused).to_contain_text(f"{layer}:")
    tab.page.keyboard.press("p")
    expect(tab.selected_layer).to_have_text("dense_1")
    tab.frame.get_by_label("Run", exact=True).select_option("healthy")
    expect(tab.verdict).to_contain_text("No problems found")
    tab.layers.first.focus()
    tab.page.keyboard.press("n")
    expect(tab.layers.first).to_be_focused()


def test_slash_filters_the_layers(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    tab.layers.first.focus()
    tab.page.keyboard.press("/")
    expect(tab.frame.get_by_label("Filter layers")).to_be_focused()
    tab.page.keyboard.type("nn/?")
    expect(tab.panel("layers")).to_contain_text("No match for “nn/?” among 8 layers.")
    expect(tab.frame.get_by_role("dialog")).to_have_count(0)


def test_help_names_the_keys_and_turns_letters_off(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place=SICK)
    tab.layers.first.focus()
    tab.page.keyboard.press("?")
    dialog = tab.frame.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_contain_text("Next open finding")
    dialog.get_by_label("Enable single-key shortcuts").uncheck()
    tab.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    for key in ("n", "/", "?"):
        tab.page.keyboard.press(key)
    expect(tab.frame.locator("article:focus")).to_have_count(0)
    expect(tab.frame.get_by_label("Filter layers")).to_have_count(0)
    expect(dialog).to_have_count(0)
    tab.page.reload()
    tab.wait_until_loaded()
    tab.frame.get_by_role("button", name="Keyboard help").click()
    expect(dialog.get_by_label("Enable single-key shortcuts")).not_to_be_checked()
    dialog.get_by_role("button", name="Close").click()
    expect(tab.frame.get_by_role("button", name="Keyboard help")).to_be_focused()


def test_focus_is_visible(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK)
    tab.frame.get_by_label("Run", exact=True).focus()
    tab.page.keyboard.press("Tab")
    outline = tab.frame.locator(":focus-visible").evaluate("element => getComputedStyle(element).outlineStyle")
    assert outline == "solid"


def test_from_opening_the_tab_to_the_history_of_one_unit(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place=SICK)
    tab.page.locator("iframe").focus()
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        name = tab.frame.locator("html").evaluate("() => document.activeElement.getAttribute('aria-label') ?? ''")
        if name.startswith("Activity of 16 units"):
            break
    else:
        raise AssertionError("the units are not reached")
    for _ in range(4):
        tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("Home")
    readout = tab.panel("units").locator(".readout")
    expect(readout).to_contain_text("unit 3dead since step 90: silent on 3,552 samples, so active on less than 0.0845%")
    expect(readout).to_contain_text("step 0active on")
    tab.page.keyboard.press("End")
    expect(readout).to_contain_text("active on 0% of samples")
