"""What to start with in a sick run: what follows from it, on what evidence, and what to change."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import OpenTab, StartServer
from tests.browser.odd_runs import FIRST_CAUSE, LATER, LATER_CAUSE, write_two_causes
from tests.live_server import Server

SICK = "&p.layer_health.run=relu_dies"


def test_the_card_shows_the_chain_the_evidence_and_a_change(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place=SICK)
    expect(tab.verdict).to_contain_text("Start with dense_2: 100% of units dead since step 360. 2 findings follow")
    card = tab.panel("root-cause")
    chain = card.locator(".chain li")
    expect(chain).to_have_count(2)
    expect(chain.nth(0)).to_have_text("step 360▲ProblemDead units: dense_2")
    expect(chain.nth(1)).to_contain_text("Vanishing gradient: dense_0, dense_1")
    expect(card.get_by_role("img")).to_have_accessible_name(
        "Share of units silent in the step from step 0 to 1,190, last 100%, threshold 50%, finding since step 360"
    )
    expect(card).to_contain_text("84 observed steps, 2,688 samples")
    expect(card.locator("pre")).to_contain_text('keras.layers.Dense(..., activation="leaky_relu", name="dense_2")')
    expect(card).to_contain_text("The units may answer to inputs that these batches do not hold.")

    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    card.get_by_role("button", name="Copy").click()
    expect(card.get_by_role("button", name="Copied")).to_be_visible()
    assert tab.page.evaluate("navigator.clipboard.readText()") == card.locator("pre").inner_text()

    chain.nth(1).get_by_role("button", name="dense_1").click()
    expect(tab.selected_layer).to_have_text("dense_1")
    expect(chain.nth(0)).to_contain_text("dense_2")
    chain.nth(0).get_by_role("button", name="step 360").click()
    expect(tab.frame.locator(".step-field")).to_contain_text("Step 360")

    tab.frame.get_by_role("button", name="Onset").click()
    listed = tab.frame.locator(".layer-list .layer-name").all_inner_texts()
    assert listed[:4] == ["dense_0", "dense_1", "dense_2", "batch_normalization_3"]
    assert tab.place["sort"] == "onset"

    tab.frame.get_by_label("Run", exact=True).select_option("healthy")
    expect(card).to_have_count(0)


def test_a_narrow_page_folds_the_evidence(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place=SICK, width=360)
    card = tab.panel("root-cause")
    expect(card.get_by_role("img")).not_to_be_visible()
    card.get_by_text("Evidence").click()
    expect(card.get_by_role("img")).to_be_visible()


def test_a_run_starts_with_the_cause_of_most_and_not_with_the_first_layer(
    open_alone: OpenTab, start_server: StartServer, tmp_path: Path
) -> None:
    write_two_causes(tmp_path / "logs", tmp_path / "scratch")
    server = start_server(tmp_path / "logs")
    server.wait_for_records("two_causes", 120)
    tab = open_alone(server)
    named = re.search(r"dense_\d", tab.verdict.inner_text())
    assert named is not None
    assert named[0] == FIRST_CAUSE, f"{LATER_CAUSE} is dead since step {LATER} only, and nothing follows from it"
    expect(tab.verdict).to_contain_text(
        f"Start with {FIRST_CAUSE}: 100% of units dead since step 360. 2 findings follow"
    )
    expect(tab.selected_layer).to_have_text(FIRST_CAUSE)
    names = tab.frame.locator(".layer-list .layer-name")
    assert names.all_inner_texts()[:2] == [FIRST_CAUSE, LATER_CAUSE]
    tab.frame.get_by_role("button", name="Onset").click()
    assert names.all_inner_texts()[:4] == ["dense_0", "dense_1", FIRST_CAUSE, LATER_CAUSE]
