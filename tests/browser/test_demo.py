"""The tab on the three trainings of the demo. `make pictures` makes the pictures of the documents from the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.demo_server import running_demo
from tests.live_server import Server


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_demo(tmp_path_factory.mktemp("demo")) as server:
        yield server


SENTENCES = {
    "healthy": r"^No problems found in 6 layers",
    "relu_dies": r"^\d of 6 layers need attention\. First: conv_\d - \d+ % of units dead since step 1[5-9]\d",
    "deep_sigmoid": r"^\d of 8 layers need attention\. First: hidden_\d - gradient vanishes",
}


@pytest.mark.parametrize("run", list(SENTENCES))
def test_the_first_sentence_names_the_sick_layer(demo: Server, open_tab: OpenTab, run: str) -> None:
    tab = open_tab(demo, place=f"&p.layer_health.run={run}", height=1075)
    expect(tab.verdict).to_have_text(re.compile(SENTENCES[run]))


def test_the_tab_opens_at_a_sick_run(demo: Server, open_tab: OpenTab) -> None:
    tab = open_tab(demo)
    expect(tab.verdict).to_have_text(re.compile("need attention"))


def test_the_three_runs_have_the_severities_they_were_made_for(demo: Server) -> None:
    assert {run["name"]: run["severity"] for run in demo.get("runs").json["runs"]} == {
        "healthy": None,
        "relu_dies": "problem",
        "deep_sigmoid": "problem",
    }
