"""The route `judge`: what other thresholds find, within bounds, and without a trace in the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tb_activations.events.reader import load
from tb_activations.health.rejudging import rejudge
from tb_activations.health.rules import configure
from tb_activations.plugin.errors import ApiError, ErrorKind
from tb_activations.plugin.judging import Judging
from tests.http.test_turns import Clock
from tests.judged_run import LAYER, PLAN, write_judged_run
from tests.live_server import Server, serve
from tests.synthetic import write_run

OTHERS: dict[str, dict[str, float]] = {"dormant_units": {}, "nonfinite": {}, "loss_spike": {}}


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    write_judged_run(folder)
    write_run(folder, name="single", steps=1, stock=False)
    return folder


@pytest.fixture(scope="module")
def server(logs: Path) -> Iterator[Server]:
    with serve(logs) as running:
        running.wait_for_runs(2)
        running.wait_for_records("train", PLAN.steps)
        yield running


def judge(server: Server, rules: object, run: str = "train", **more: str) -> Any:
    answer = server.get("judge", run=run, rules=json.dumps(rules), **more)
    assert answer.status == 200, answer.text
    return answer.json


def test_other_thresholds_find_something_else(server: Server) -> None:
    answer = judge(server, {"dead_units": {"warning_share": 0.65}, **OTHERS})
    assert answer["changes"] == [
        {
            "rule": "dead_units",
            "layer": LAYER,
            "headline": "60% of units dead",
            "before": "warning",
            "after": "note",
        }
    ]
    assert answer["verdict"]["severity"] == "note"
    assert (answer["records"], answer["left_out"]) == (PLAN.steps, {})


def test_a_rule_that_is_left_out_finds_nothing(server: Server) -> None:
    answer = judge(server, OTHERS)
    assert [(change["before"], change["after"]) for change in answer["changes"]] == [("warning", None)]
    assert answer["verdict"]["severity"] is None
    assert answer["verdict"]["rules_checked"] == 2


def test_the_thresholds_of_the_run_change_nothing_and_judge_nothing(server: Server) -> None:
    answer = judge(server, {"dead_units": {}, **OTHERS})
    assert (answer["changes"], answer["records"]) == ([], 0)
    assert answer["verdict"] == server.get("findings", run="train").json["verdict"]


def test_the_verdict_honors_mutes(server: Server) -> None:
    muted = json.dumps([{"rule": "dead_units", "layer": LAYER, "severity": "warning"}])
    answer = judge(server, {"dead_units": {"note_share": 0.2}, **OTHERS}, muted=muted)
    assert (answer["verdict"]["severity"], answer["verdict"]["muted"]) == (None, 1)


def test_a_run_of_one_step_can_be_judged(server: Server) -> None:
    assert judge(server, {"dead_units": {"min_checks": 1}}, run="single")["records"] == 1


BAD = {
    "missing": None,
    "no JSON": "{",
    "deep": "[" * 10_000,
    "a list": '["dead_units"]',
    "empty": "{}",
    "unknown rule": '{"sloth": {}}',
    "unknown threshold": '{"dead_units": {"sloth": 1}}',
    "beyond the limits": '{"dead_units": {"note_share": 2}}',
    "NaN": '{"dead_units": {"note_share": NaN}}',
    "no mapping": '{"dead_units": 1}',
    "a text": '{"dead_units": {"note_share": "0.2"}}',
    "too long": json.dumps({"dead_units": {}, "x" * 17_000: {}}),
}


@pytest.mark.parametrize("rules", BAD.values(), ids=BAD)
def test_bad_rules_are_named(server: Server, rules: str | None) -> None:
    answer = server.get("judge", run="train", **({} if rules is None else {"rules": rules}))
    assert (answer.status, answer.json["kind"]) == (400, "bad_parameter")
    assert answer.json["error"].startswith("parameter 'rules' must be a JSON object")
    assert len(answer.json["error"]) < 1000


@pytest.mark.parametrize(
    "muted",
    [
        "{",
        "{}",
        "[1]",
        '[{"rule": "r", "layer": "l"}]',
        '[{"rule": "r", "layer": 1, "severity": "note"}]',
        "x" * 17_000,
    ],
)
@pytest.mark.parametrize("route", ["run", "findings"])
def test_bad_mutes_are_named(server: Server, route: str, muted: str) -> None:
    answer = server.get(route, run="train", muted=muted)
    assert (answer.status, answer.json["kind"]) == (400, "bad_parameter")
    assert answer.json["error"].startswith("parameter 'muted' must be a JSON list")


def test_an_unknown_run_is_named(server: Server) -> None:
    answer = server.get("judge", run="../train", rules='{"dead_units": {}}')
    assert (answer.status, answer.json["kind"]) == (404, "unknown_run")


def test_requests_at_the_same_time_do_not_pile_up(server: Server) -> None:
    def ask(place: int) -> Any:
        rules = {"dead_units": {"min_samples": 100 + place}, **OTHERS}
        return server.get("judge", run="train", rules=json.dumps(rules))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert {answer.status for answer in answers} <= {200, 409}
    assert {answer.json["kind"] for answer in answers if answer.status == 409} <= {"superseded"}
    # The latest one is always answered.
    assert 200 in [answer.status for answer in answers]
    assert judge(server, {"dead_units": {"note_share": 0.3}, **OTHERS})["records"] == PLAN.steps


def test_the_stored_run_does_not_change(server: Server, logs: Path) -> None:
    def digests() -> dict[str, str]:
        files = [path for path in sorted(logs.rglob("*")) if path.is_file()]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before, findings = digests(), server.get("findings", run="train").json
    judge(server, {"dead_units": {"note_share": 0.9, "warning_share": 0.9}, "nonfinite": {}})
    assert digests() == before
    assert server.get("findings", run="train").json == findings


def test_a_run_that_takes_too_long_is_refused_with_what_to_do(logs: Path) -> None:
    clock = Clock()

    def slow() -> float:
        clock.now += 1
        return clock.now

    with pytest.raises(ApiError, match="tb-activations check --thresholds") as caught:
        Judging(slow).answer(
            "", "train", lambda: load(logs, "train"), configure({"dead_units": {"note_share": 0.3}, **OTHERS}), {}
        )
    assert caught.value.kind == ErrorKind.TOO_SLOW


def test_the_own_thresholds_are_judged_once_per_run(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = load(logs, "train")
    judging, judged, replays = Judging(Clock()), list[tuple[str, ...]](), set[Any]()

    def counted(standing: Any, replay: Any, rules: Any, check: Any) -> Any:
        judged.append(tuple(rule.id for rule in rules))
        replays.add(replay)
        return rejudge(standing, replay, rules, check)

    monkeypatch.setattr("tb_activations.plugin.judging.rejudge", counted)
    for share in (0.2, 0.3, 0.4):
        judging.answer("", "train", lambda: run, configure({"dead_units": {"note_share": share}, **OTHERS}), {})
    # Only what changed, as `loss_spike` hears of no other rule, and the thresholds of the run only at first.
    assert judged == [("dead_units",)] * 4
    assert len(replays) == 1, "the columns of the run are prepared once"
