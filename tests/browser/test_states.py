"""Nothing recorded, one step only, unreadable, newer, failing, growing."""

from __future__ import annotations

import json
import time
import urllib.parse
from pathlib import Path

import numpy as np
from playwright.sync_api import expect
from tensorboard.compat.proto.event_pb2 import Event

from tb_activations.events.encoding import Encoder
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS
from tb_activations.records.finding import Outcome
from tb_activations.records.specs import LayerSpec, RunSpec
from tb_activations.records.step_record import StepRecord
from tests.browser.conftest import OpenTab, StartServer
from tests.live_server import DEADLINE, Server
from tests.synthetic import START_TIME, write_damaged_layers, write_events, write_run

POLLED = 10_000
"""Milliseconds after which the tab asks for new steps."""


def test_empty_logdir_tells_how_to_begin(open_tab: OpenTab, start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(tmp_path)
    tab = open_tab(server)
    expect(tab.verdict).to_have_text("No Layer Health runs yet")
    code = "\n".join(tab.frame.locator("code").all_inner_texts())
    for line in (
        "from tb_activations import LayerHealth",
        'callbacks=[LayerHealth("logs/run-1")]',
        "tensorboard --logdir logs",
    ):
        assert line in code


def test_what_is_too_large_to_be_shown_is_counted(
    open_alone: OpenTab, start_server: StartServer, tmp_path: Path
) -> None:
    versions = {f"package{index}": "1" * 1000 for index in range(300)}
    spec = RunSpec("wordy", (LayerSpec(name="dense", class_name="Dense"),), versions=versions)
    write_events(tmp_path / "run", [Event(wall_time=START_TIME, summary=Encoder().run(spec))])
    server = start_server(tmp_path)
    server.wait_for_runs(1)
    tab = open_alone(server)
    expect(tab.frame.locator(".banner")).to_have_text("Too much data to show. Omitted: 300 versions.")


def test_first_run_appears_on_reload(open_tab: OpenTab, start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(tmp_path)
    tab = open_tab(server, theme="dark")
    write_run(tmp_path, name="first")
    server.wait_for_records("first", 120)
    tab.press_reload()
    expect(tab.verdict).to_contain_text("dense_2")


def test_reload_brings_new_steps_and_keeps_the_place(
    open_tab: OpenTab, start_server: StartServer, tmp_path: Path
) -> None:
    write_run(tmp_path, name="growing", steps=60)
    server = start_server(tmp_path)
    server.wait_for_records("growing", 60)
    tab = open_tab(server, height=600)
    expect(tab.frame.locator(".facts")).to_contain_text("60 of 60 recorded steps")
    tab.layers.filter(has_text="dense_5").click()
    tab.frame.get_by_label("Show", exact=True).select_option(label="Weight norm")
    tab.panel("units").scroll_into_view_if_needed()
    expect(tab.panel("units")).to_contain_text("16 active")
    scrolled = tab.frame.locator("html").evaluate("root => root.scrollTop")
    assert scrolled > 0
    write_run(tmp_path, name="growing", steps=90, start_step=600, start_time=START_TIME + 100)
    server.wait_for_records("growing", 150)
    tab.press_reload()
    expect(tab.frame.locator(".facts")).to_contain_text("150 of 150 recorded steps")
    expect(tab.selected_layer).to_have_text("dense_5")
    expect(tab.frame.get_by_label("Show", exact=True)).to_have_value("weight_norm")
    assert tab.frame.locator("html").evaluate("root => root.scrollTop") == scrolled


def test_a_running_training_is_followed_without_a_reload(
    open_tab: OpenTab, start_server: StartServer, tmp_path: Path
) -> None:
    begun = time.time() - 40
    write_run(tmp_path, name="live", steps=60, start_time=begun)
    server = start_server(tmp_path)
    server.wait_for_records("live", 60)
    tab = open_tab(server, height=600)
    tab.page.clock.install()
    tab.page.reload()
    tab.wait_until_loaded()
    skeletons = tab.frame.locator("html").evaluate_handle(
        """root => {
          const seen = [];
          new MutationObserver(() => seen.push(root.querySelectorAll(".skeleton").length))
            .observe(root, { childList: true, subtree: true });
          return seen;
        }"""
    )
    tab.panel("units").scroll_into_view_if_needed()
    scrolled = tab.frame.locator("html").evaluate("root => root.scrollTop")
    write_run(tmp_path, name="live", steps=20, start_step=600, start_time=begun + 31)
    server.wait_for_records("live", 80)
    tab.page.clock.fast_forward(POLLED)
    expect(tab.frame.locator(".facts")).to_contain_text("80 of 80 recorded steps", timeout=DEADLINE * 1000)
    assert tab.frame.locator("html").evaluate("root => root.scrollTop") == scrolled
    assert not any(skeletons.json_value()), "what was there gave way to a placeholder"


def test_one_step_is_no_health_certificate(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place="&p.layer_health.run=single_step")
    expect(tab.frame.locator(".facts")).to_contain_text("1 of 1 recorded step")
    expect(tab.layers.first).to_contain_text("2 waiting for data")
    expect(tab.panel("findings")).to_contain_text("Not enough data yet")


def test_unreadable_run_says_why(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, place="&p.layer_health.run=unreadable")
    expect(tab.verdict).to_have_text("“unreadable” is damaged")
    expect(tab.frame.get_by_role("alert")).to_contain_text("not JSON")


def test_run_with_a_sound_overview_and_damaged_layers_is_called_damaged(
    open_alone: OpenTab, start_server: StartServer, tmp_path: Path
) -> None:
    write_damaged_layers(tmp_path, "half")
    server = start_server(tmp_path)
    server.wait_for_records("half", 2)
    tab = open_alone(server)
    tab.expected = "status of 422"
    expect(tab.frame.get_by_label("Run", exact=True)).to_contain_text("half – no open findings")
    expect(tab.verdict).to_have_text("“half” is damaged")
    expect(tab.frame.get_by_role("alert")).to_contain_text("holds a value that is not a tensor")


def test_newer_run_says_what_to_do(open_alone: OpenTab, server: Server) -> None:
    tab = open_alone(server, theme="dark", place="&p.layer_health.run=newer_schema")
    expect(tab.verdict).to_have_text("“newer_schema” was written by a newer version")
    alert = tab.frame.get_by_role("alert")
    expect(alert).to_contain_text("99")
    expect(alert).to_contain_text("upgrade tb_activations")


def test_lost_server_keeps_what_was_loaded(open_alone: OpenTab, start_server: StartServer, tmp_path: Path) -> None:
    write_run(tmp_path, name="train")
    server = start_server(tmp_path)
    server.wait_for_records("train", 120)
    tab = open_alone(server)
    tab.expected = "net::ERR_"
    server.process.terminate()
    server.process.wait(DEADLINE)
    tab.layers.filter(has_text="dense_5").click()
    expect(tab.panel("series").get_by_role("alert")).to_contain_text("TensorBoard does not respond")
    expect(tab.verdict).to_contain_text("dense_2")
    expect(tab.panel("findings")).to_contain_text("OK: 3 checks passed")
    expect(tab.frame.locator("#matrix canvas")).to_be_visible()


def test_failed_refresh_is_told_and_can_be_retried(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place="&p.layer_health.run=relu_dies")
    tab.expected = "status of 500"
    # A server that fails on one route only cannot be had on purpose.
    tab.page.route("**/findings?*", lambda route: route.fulfill(status=500, body="out of memory"))
    tab.press_reload()
    banner = tab.frame.locator(".banner")
    expect(banner).to_contain_text("Could not refresh: out of memory. Showing the last loaded data.")
    expect(tab.verdict).to_contain_text("dense_2")
    tab.page.unroute_all()
    banner.get_by_role("button", name="Retry").click()
    expect(banner).to_have_count(0)


def test_a_part_that_fails_leaves_the_others_alive(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab(server, place="&p.layer_health.run=relu_dies")
    tab.expected = "unexpected value unheard-of"
    answer = server.get("findings", run="relu_dies").json
    # The server never sends this; it represents any bug in one panel.
    answer["findings"][0]["severity"] = "unheard-of"
    nonsense = json.dumps(answer)
    tab.page.route("**/findings?*", lambda route: route.fulfill(content_type="application/json", body=nonsense))
    tab.press_reload()
    expect(tab.panel("findings").get_by_role("alert")).to_contain_text("Could not display this panel")
    expect(tab.verdict).to_contain_text("dense_2")
    expect(tab.frame.locator("#matrix canvas")).to_be_visible()
    tab.layers.filter(has_text="dense_5").click()
    expect(tab.panel("findings")).to_contain_text("OK: 3 checks passed")
    expect(tab.panel("units")).to_contain_text("16 units: 16 active.")


def test_what_was_not_evaluated_never_looks_healthy(
    open_alone: OpenTab, start_server: StartServer, tmp_path: Path
) -> None:
    names = ["judged", "failed", "waiting", "spared", "hidden"]
    outcomes = [
        [Outcome.OK, Outcome.OK],
        [Outcome.OK, Outcome.ERROR],
        [Outcome.INSUFFICIENT_DATA, Outcome.NOT_APPLICABLE],
        [Outcome.NOT_APPLICABLE, Outcome.NOT_APPLICABLE],
        [Outcome.NOT_APPLICABLE, Outcome.NOT_APPLICABLE],
    ]
    _write_judged(tmp_path / "judged", names, np.array(outcomes, np.uint8))
    server = start_server(tmp_path)
    server.wait_for_records("judged", 1)
    tab = open_alone(server)
    rows = dict(
        zip(
            tab.frame.locator(".layer-list .layer-name").all_inner_texts(),
            zip(
                tab.frame.locator(".layer-list .shape").all_inner_texts(),
                tab.frame.locator(".layer-list .layer-words").all_inner_texts(),
                strict=True,
            ),
            strict=True,
        )
    )
    words = {name: (" ".join(shape.split()), text) for name, (shape, text) in rows.items()}
    assert words == {
        "failed": ("! Not evaluated", "Not evaluated: vanishing gradient failed"),
        "hidden": ("× Not observable", "called inside tf.while_loop"),
        "waiting": ("… Not enough data yet", "Not enough data yet"),
        "judged": ("✓ OK", "OK: 2 checks passed"),
        "spared": ("– Not applicable", "No rule applies"),
    }
    assert list(words) == ["failed", "judged", "waiting", "spared", "hidden"]
    for name, (shape, _) in words.items():
        tab.layers.filter(has_text=name).first.click()
        expect(tab.selected_layer).to_have_text(name)
        expect(tab.panel("matrix").locator(".readout")).to_contain_text(shape[2:])
        expect(tab.panel("map").locator(".map-row", has_text=name)).to_contain_text(shape[2:])
    expect(tab.frame.locator(".verdict")).to_contain_text("Not fully evaluated")
    expect(tab.frame.locator(".verdict")).to_contain_text("Rules that failed: vanishing gradient on 1 layer.")


def _write_judged(folder: Path, names: list[str], outcomes: np.ndarray) -> None:
    spec = RunSpec(
        model="judged",
        layers=tuple(
            LayerSpec(name, "Dense", not_observed="called inside tf.while_loop" if name == "hidden" else "")
            for name in names
        ),
    )
    record = StepRecord(
        step=0,
        layers=np.ones((len(names), len(LAYER_COLUMNS)), np.float32),
        weights=np.zeros((0, 6), np.float32),
        totals=np.ones(len(STEP_COLUMNS), np.float32),
        unit_activity=np.zeros(0, np.float32),
        unit_peak=np.zeros(0, np.float32),
    )
    encoder = Encoder()
    rules = ("dead_units", "vanishing_gradient")
    summaries = [encoder.run(spec), encoder.record(record, outcomes=outcomes, rules=rules, findings=[])]
    write_events(folder, [Event(wall_time=START_TIME, step=0, summary=summary) for summary in summaries])


def test_link_to_a_run_that_is_gone(open_alone: OpenTab, server: Server) -> None:
    name = "<b>gone</b>"
    tab = open_alone(server, place=f"&p.layer_health.run={urllib.parse.quote(name)}")
    banner = tab.frame.locator(".banner")
    expect(banner).to_contain_text(f"Run “{name}” not found. Showing “")
    banner.get_by_role("button", name="Dismiss").click()
    expect(banner).to_have_count(0)
