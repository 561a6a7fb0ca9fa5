"""What to start with in a sick run: what follows from it, on what evidence, and what to change."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenTab
from tests.live_server import Server

SICK = "&p.layer_health.run=relu_dies"


def test_the_card_shows_the_chain_the_evidence_and_a_change(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place=SICK)
    expect(tab.verdict).to_have_text(
        "Start with dense_2: 100% of units dead since step 360. 2 findings follow from it. 3 of 8 layers need attention."
    )
    card = tab.panel("root-cause")
    chain = card.locator(".chain li")
    expect(chain).to_have_count(2)
    expect(chain.nth(0)).to_have_text("step 360 ▲Problem Dead units: dense_2", use_inner_text=False)
    expect(chain.nth(1)).to_contain_text("Vanishing gradient: dense_0, dense_1")
    expect(card.get_by_role("img")).to_have_accessible_name(
        "Share of units silent in the step from step 0 to 1,190, last 100%, threshold 50%, finding since step 360"
    )
    expect(card).to_contain_text("84 observed steps in a row, 2,688 samples")
    expect(card.locator("pre")).to_contain_text('keras.layers.Dense(..., activation="leaky_relu", name="dense_2")')
    expect(card).to_contain_text("The units may answer to inputs that these batches do not hold.")


def test_the_change_can_be_copied(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place=SICK)
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    card = tab.panel("root-cause")
    card.get_by_role("button", name="Copy").click()
    expect(card.get_by_role("button", name="Copied")).to_be_visible()
    copied = tab.page.evaluate("navigator.clipboard.readText()")
    assert copied == card.locator("pre").inner_text()


def test_the_chain_leads_to_layers_and_steps(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place=SICK)
    chain = tab.panel("root-cause").locator(".chain li")
    chain.nth(1).get_by_role("button", name="dense_1").click()
    expect(tab.selected_layer).to_have_text("dense_1")
    expect(tab.panel("root-cause").locator(".chain li").first).to_contain_text("dense_2")
    chain.nth(0).get_by_role("button", name="step 360").click()
    expect(tab.frame.locator(".step-field")).to_contain_text("Step 360")


def test_a_healthy_run_has_no_card(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place="&p.layer_health.run=healthy")
    expect(tab.panel("root-cause")).to_have_count(0)


def test_layers_can_be_listed_by_onset(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place=SICK)
    tab.frame.get_by_role("button", name="Onset").click()
    listed = tab.frame.locator(".layer-list .layer-name").all_inner_texts()
    assert listed[:4] == ["dense_0", "dense_1", "dense_2", "batch_normalization_3"]
    assert tab.place["sort"] == "onset"


def test_a_narrow_page_folds_the_evidence(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place=SICK, width=360)
    card = tab.panel("root-cause")
    expect(card.get_by_role("img")).not_to_be_visible()
    card.get_by_text("Evidence").click()
    expect(card.get_by_role("img")).to_be_visible()
