"""The tab on the three trainings of the demo. `make pictures` makes the pictures of the documents from the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tb_activations import load
from tests.browser.conftest import OpenTab
from tests.browser.demo_server import RUNS
from tests.conftest import Once
from tests.live_server import Server, serve
from tests.packaging import machines


@pytest.fixture(scope="module")
def demo(once: Once) -> Iterator[Server]:
    logs = machines.demo(once).logs
    with serve(logs) as server:
        for run in RUNS:
            server.wait_for_records(run, len(load(logs / run).steps))
        yield server


SENTENCES = {
    "healthy": r"^No problems found in 6 layers",
    "relu_dies": r"^Start with conv_\d: [\d.]+% of units dead since step 1[5-9]\d\.",
    "deep_sigmoid": r"^Start with hidden_\d: gradient vanishes \(elasticity [\d.e-]+\) since step 0\.",
}


@pytest.mark.parametrize("run", list(SENTENCES))
def test_the_first_sentence_names_the_sick_layer(demo: Server, open_tab: OpenTab, run: str) -> None:
    tab = open_tab(demo, place=f"&p.layer_health.run={run}", height=1075)
    expect(tab.verdict).to_have_text(re.compile(SENTENCES[run]))


def test_the_tab_opens_at_the_table_of_runs(demo: Server, open_tab: OpenTab) -> None:
    tab = open_tab(demo)
    expect(tab.verdict).to_have_text("2 of 3 runs need attention.")


def test_the_three_runs_have_the_severities_they_were_made_for(demo: Server) -> None:
    assert {run["name"]: run["severity"] for run in demo.get("runs").json["runs"]} == {
        "healthy": None,
        "relu_dies": "problem",
        "deep_sigmoid": "problem",
    }


class Clicks:
    """Clicks of a person, counted."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, target: Locator) -> None:
        self.count += 1
        target.click()


def test_three_tasks_of_a_new_user_take_few_clicks(demo: Server, open_tab: OpenTab) -> None:
    tab = open_tab(demo, height=2000)
    clicks = Clicks()

    # Which layer went wrong first, and when?
    sick = tab.frame.get_by_role("row").filter(has_text="relu_dies")
    expect(sick).to_contain_text(re.compile(r"conv_2 [\d.]+% of units dead"))
    expect(sick.locator("[data-label='Since step']")).to_have_text(re.compile(r"^1[5-9]\d$"))
    assert clicks.count == 0

    # Is healthy better than relu_dies, and from which layer on?
    clicks(tab.frame.get_by_label("Compare relu_dies", exact=True))
    clicks(tab.frame.get_by_role("button", name="Compare healthy with relu_dies"))
    better = tab.panel("comparison").locator(".best")
    expect(better).to_have_text(re.compile(r"^healthy is better: loss [\d.e\u2212]+ vs\."))
    rows = tab.panel("comparison").locator("tbody tr")
    expect(rows.nth(1)).to_contain_text("No problems found")
    expect(rows.nth(1).get_by_role("button")).to_have_text(
        [re.compile(r"^conv_2 since step 1[5-9]\d$"), re.compile(r"^conv_\d at step \d+$")]
    )
    losses = [float(row.locator("td").nth(1).inner_text().split()[0].replace("\u2212", "-")) for row in rows.all()]
    assert losses[1] < losses[0]
    assert clicks.count == 2

    # Which units of conv_2 are dead, and since when?
    clicks(tab.layers.filter(has_text="conv_2"))
    units = tab.panel("units")
    expect(units.locator(".lives")).to_have_text(re.compile(r"^32 units: (\d+ never active, )?\d+ dead"))
    units.locator(".matrix-plot").hover(position={"x": 300, "y": 4})
    expect(units.locator(".readout")).to_contain_text(re.compile(r"unit \d+dead since step \d+"))
    assert clicks.count == 3
