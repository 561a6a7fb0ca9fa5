"""What a user does who disagrees with a finding: other thresholds, and mutes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tb_activations.cli.main import main
from tb_activations.events.mutes_file import read_mutes
from tests.browser.conftest import OpenTab
from tests.browser.test_accessibility import violations
from tests.judged_run import LAYER, PLAN, write_judged_run
from tests.live_server import Server, serve

FOUND = f"Start with {LAYER}: 60% of units dead since step 100. 1 of 4 layers needs attention."
SILENT = "No problems found in 4 layers; 3 rules checked, 1 not applicable."


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    write_judged_run(folder)
    return folder


@pytest.fixture(scope="module")
def server(logs: Path) -> Iterator[Server]:
    with serve(logs) as running:
        running.wait_for_records("train", PLAN.steps)
        yield running


def test_a_slider_judges_again_and_the_saved_rules_are_those_of_check(
    open_alone: OpenTab, server: Server, logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tab = open_alone(server)
    expect(tab.verdict).to_have_text(FOUND)
    tab.panel("findings").get_by_role("button", name="Try other thresholds").click()
    drawer = tab.frame.get_by_role("complementary", name="Thresholds")
    expect(drawer).to_contain_text("The stored run does not change.")
    slider = drawer.get_by_role("slider", name="Warning from")
    expect(slider).to_be_visible()
    slider.focus()
    # From 50% to 65%, with the keyboard.
    for _ in range(15):
        tab.page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "65%")
    expect(drawer.locator(".trial-verdict")).to_contain_text(SILENT)
    expect(drawer).to_contain_text("1 finding changes severity")
    expect(drawer.locator(".change")).to_have_text(re.compile("Warning.*becomes.*Note"))
    expect(drawer).to_contain_text(f"Judged again over {PLAN.steps} stored records.")
    expect(tab.verdict).to_have_text(FOUND)
    assert violations(tab) == []
    # A note needs 70% now, so the finding disappears.
    drawer.get_by_role("spinbutton", name="Note from, exact value").fill("70")
    tab.page.keyboard.press("Enter")
    expect(drawer).to_contain_text("1 finding disappears")
    with tab.page.expect_download() as download:
        drawer.get_by_role("button", name="Save rules file").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert json.loads(path.read_text())["dead_units"] == {"note_share": 0.7, "warning_share": 0.65}
    assert main(["check", str(logs), "--thresholds", str(path)]) == 0
    assert main(["check", str(logs)]) == 1
    assert (
        "train: no warning or problem. Rules: 3 checked (Dead units, NaN or infinity, Spike)" in capsys.readouterr().out
    )
    tab.page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(tab.panel("findings").get_by_role("button", name="Try other thresholds")).to_be_focused()


def test_a_mute_survives_a_reload_and_is_honored_by_check(
    open_alone: OpenTab, server: Server, logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tab = open_alone(server, width=360, theme="dark")
    card = tab.panel("findings")
    card.get_by_role("button", name="Mute…").click()
    card.get_by_label("Why is this finding not a problem?").fill("Sparse <b>on purpose</b>")
    expect(card).to_contain_text("Stored next to the run")
    assert violations(tab) == []
    card.get_by_role("button", name="Mute", exact=True).click()
    expect(tab.verdict).to_have_text(f"{SILENT} 1 finding muted.")
    tab.page.reload()
    tab.wait_until_loaded()
    expect(tab.verdict).to_have_text(f"{SILENT} 1 finding muted.")
    folded = card.locator(".muted-finding")
    expect(folded.locator("summary")).to_contain_text("Sparse <b>on purpose</b>")
    expect(folded.locator("article")).not_to_be_visible()
    expect(tab.layers.filter(has_text=LAYER)).to_contain_text("1 muted")
    expect(tab.panel("matrix").locator(".readout")).to_have_text(f"{LAYER}step 390Muted")
    expect(tab.panel("matrix").locator(".legend")).to_contain_text("Muted")
    expect(tab.panel("map").locator(".map-row", has_text=LAYER)).to_contain_text("Muted")
    assert [mute.note for mute in read_mutes(logs / "train").values()] == ["Sparse <b>on purpose</b>"]
    assert main(["check", str(logs)]) == 0
    assert "train: no warning or problem, 1 muted." in capsys.readouterr().out
    folded.locator("summary").click()
    folded.get_by_role("button", name="Unmute").click()
    expect(tab.verdict).to_have_text(FOUND)
    expect(card.locator("article")).to_be_focused()
    assert read_mutes(logs / "train") == {}


def test_behind_a_proxy_mutes_are_kept_in_the_browser(open_tab: OpenTab, server: Server, logs: Path) -> None:
    tab = open_tab(server)
    tab.page.set_extra_http_headers({"X-Forwarded-For": "192.0.2.7"})
    tab.press_reload()
    card = tab.panel("findings")
    card.get_by_role("button", name="Mute…").click()
    expect(card).to_contain_text("Kept in this browser, because the page was not opened as localhost.")
    card.get_by_label("Why is this finding not a problem?").fill("mine")
    card.get_by_role("button", name="Mute", exact=True).click()
    tab.page.reload()
    tab.wait_until_loaded()
    expect(tab.verdict).to_have_text(f"{SILENT} 1 finding muted.")
    expect(card.locator(".muted-finding summary")).to_contain_text("mine")
    expect(tab.panel("matrix").locator(".readout")).to_have_text(f"{LAYER}step 390Muted")
    assert read_mutes(logs / "train") == {}
