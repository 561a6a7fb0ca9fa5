"""The demo as a new user runs it: three real trainings, and the tab at the address it prints.

The picture of `relu_dies` that this leaves among the screenshots is the one in the README.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tb_activations import load
from tests.browser.conftest import OpenTab
from tests.live_server import ROOT, Server


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("demo")
    log = folder / "errors"
    command = [sys.executable, "-m", "tb_activations", "demo", "--logdir", str(folder / "logs")]
    with log.open("w") as errors, subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors) as process:
        with contextlib.ExitStack() as stack:
            stack.callback(process.send_signal, signal.SIGTERM)
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line.decode()
                if address := re.search(r"(http://localhost:\d+/)#layer_health", said):
                    break
            else:
                pytest.fail(f"the demo ended without an address:\n{said}\n{log.read_text()}")
            server = Server(address[1], process, log)
            for run in ("healthy", "relu_dies", "deep_sigmoid"):
                server.wait_for_records(run, len(load(folder / "logs" / run).steps))
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
