"""The route `mute`: the only one that writes, one file next to the run, and only for the tab on the same machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.plugins.base_plugin import TBContext
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from tb_activations.events.mutes_file import NAME, read_mutes
from tb_activations.plugin.muting import Muting
from tb_activations.records.finding import Severity
from tests.http.fuzzing import FROM_THE_TAB, Asked, Wanted, ask
from tests.live_server import Server, serve
from tests.synthetic import Plan, write_run

DEAD = {"rule": "dead_units", "layer": "dense_2"}
STARVED = [{"rule": "vanishing_gradient", "layer": f"dense_{index}"} for index in range(2)]


@pytest.fixture(scope="module", params=[True, False], ids=["fast", "python"])
def server(request: pytest.FixtureRequest, logs: Path) -> Iterator[Server]:
    with serve(logs, load_fast=request.param) as running:
        running.wait_for_records("sick", Plan().steps)
        yield running


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder, name="sick", stock=False)
    return folder


@pytest.fixture(autouse=True)
def _nothing_muted(logs: Path) -> None:
    (logs / "sick" / NAME).unlink(missing_ok=True)


def post(server: Server, body: object, run: str = "sick", **headers: str) -> Asked:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ask(server, Wanted("POST", f"/mute?run={run}", {**FROM_THE_TAB, **headers}, content))


def refusal(answer: Asked) -> tuple[int, str]:
    return answer.status, json.loads(answer.body)["kind"]


def test_muted_findings_count_nowhere_and_are_told(server: Server, logs: Path) -> None:
    answer = post(server, {"findings": [DEAD, *STARVED], "note": "sparse on purpose"})
    assert (answer.status, json.loads(answer.body)) == (200, {"run": "sick", "muted": 3})
    told = server.get("findings", run="sick").json
    assert (told["verdict"]["severity"], told["verdict"]["muted"]) == (None, 3)
    assert told["verdict"]["sentence"].endswith("3 findings muted.")
    assert told["mutes"] == {"stored": "run", "why": "", "problem": ""}
    assert [(one["mute"]["note"], one["mute"]["stored"]) for one in told["findings"]] == [
        ("sparse on purpose", "run")
    ] * 3
    layers = server.get("run", run="sick").json["layers"]
    assert [(layer["severity"], layer["muted"]) for layer in layers[:4]] == [
        (None, [1]),
        (None, [1]),
        (None, [0]),
        (None, []),
    ]
    assert layers[2]["outcomes"][0] == "problem"
    assert server.get("runs").json["runs"][0]["severity"] is None
    assert {mute.severity for mute in read_mutes(logs / "sick").values()} == {Severity.PROBLEM, Severity.WARNING}


def test_a_note_of_null_unmutes(server: Server, logs: Path) -> None:
    post(server, {"findings": [DEAD, *STARVED], "note": ""})
    assert post(server, {"findings": [DEAD], "note": None}).status == 200
    assert [finding["mute"] is None for finding in server.get("findings", run="sick").json["findings"]] == [
        True,
        False,
        False,
    ]
    post(server, {"findings": STARVED, "note": None})
    assert read_mutes(logs / "sick") == {}


def test_what_the_browser_keeps_is_honored_and_told_apart(server: Server) -> None:
    muted = json.dumps([{**DEAD, "severity": "problem"}, {**STARVED[0], "severity": "note"}])
    told = server.get("findings", run="sick", muted=muted).json
    # The warning is worse than the note that was muted.
    assert [finding["mute"] for finding in told["findings"]] == [
        {"note": "", "time": 0, "stored": "browser"},
        None,
        None,
    ]
    assert told["verdict"]["severity"] == "warning"
    assert server.get("run", run="sick", muted=muted).json["layers"][2]["severity"] is None


FOREIGN: dict[str, dict[str, str]] = {
    "a form": {"Content-Type": "application/x-www-form-urlencoded"},
    "plain text": {"Content-Type": "text/plain"},
    "another site": {"Origin": "http://evil.example"},
    "another port": {"Origin": "http://localhost:1"},
    "no origin": {"Origin": ""},
    "a sandboxed page": {"Origin": "null"},
    "no address": {"Origin": "http://[::"},
    "another tab of the browser": {"Sec-Fetch-Site": "cross-site"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_only_the_tab_may_write(server: Server, logs: Path, headers: dict[str, str]) -> None:
    answer = post(server, {"findings": [DEAD], "note": "x"}, **headers)
    assert refusal(answer) == (403, "forbidden")
    assert not (logs / "sick" / NAME).exists()


ELSEWHERE = {
    "a name that points here": {"Host": "evil.example", "Origin": "http://evil.example"},
    "a proxy": {"X-Forwarded-For": "192.0.2.7"},
    "an address of the network": {"Host": "192.0.2.7:6006", "Origin": "http://192.0.2.7:6006"},
}


@pytest.mark.parametrize("headers", ELSEWHERE.values(), ids=ELSEWHERE)
def test_only_this_machine_may_write(server: Server, logs: Path, headers: dict[str, str]) -> None:
    assert refusal(post(server, {"findings": [DEAD], "note": "x"}, **headers)) == (403, "read_only")
    assert not (logs / "sick" / NAME).exists()
    asked = ask(server, Wanted("GET", "/findings?run=sick", headers))
    assert json.loads(asked.body)["mutes"]["stored"] == "browser"


BAD: dict[str, object] = {
    "empty": b"",
    "no JSON": b"{",
    "no UTF-8": b"\xff\xff",
    "deep": b"[" * 100_000,
    "a list": [],
    "no note": {"findings": [DEAD]},
    "more": {"findings": [DEAD], "note": "", "path": "/etc"},
    "a number": {"findings": [DEAD], "note": 1},
    "a long note": {"findings": [DEAD], "note": "n" * 1001},
    "no findings": {"findings": [], "note": ""},
    "too many": {"findings": [DEAD] * 1001, "note": ""},
    "no objects": {"findings": ["dead_units"], "note": ""},
    "other members": {"findings": [{**DEAD, "severity": "note"}], "note": ""},
    "too large": b" " * 300_000,
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_bad_bodies_are_named_and_write_nothing(server: Server, logs: Path, body: object) -> None:
    answer = post(server, body)
    assert refusal(answer) == (400, "bad_parameter")
    assert len(answer.body) < 500
    assert not (logs / "sick" / NAME).exists()


def test_only_open_findings_of_listed_runs_can_be_muted(server: Server, logs: Path) -> None:
    assert refusal(post(server, {"findings": [DEAD, {"rule": "x", "layer": ""}], "note": ""})) == (
        404,
        "unknown_finding",
    )
    for run in ("../logs/sick", "%2e%2e%2fsick", "/etc", "nowhere", "sick%00"):
        assert refusal(post(server, {"findings": [DEAD], "note": ""}, run=run)) == (404, "unknown_run")
    assert refusal(ask(server, Wanted("POST", "/mute", FROM_THE_TAB, b"{}"))) == (400, "bad_parameter")
    assert [path.name for path in (logs / "sick").iterdir() if "tfevents" not in path.name] == []


def test_damaged_mutes_are_told_and_not_overwritten(server: Server, logs: Path) -> None:
    (logs / "sick" / NAME).write_text("mine")
    told = server.get("findings", run="sick").json
    assert told["mutes"]["problem"] == f"{NAME} is not JSON"
    assert told["verdict"]["severity"] == "problem"
    assert refusal(post(server, {"findings": [DEAD], "note": ""})) == (422, "damaged_run")
    assert (logs / "sick" / NAME).read_text() == "mine"


def test_a_folder_that_cannot_be_written_to_is_read_only(server: Server, logs: Path) -> None:
    blocked = logs / "sick" / f".{NAME}.{server.process.pid}"
    blocked.mkdir()
    try:
        assert refusal(post(server, {"findings": [DEAD], "note": ""})) == (403, "read_only")
    finally:
        blocked.rmdir()
    assert read_mutes(logs / "sick") == {}


def muting(logdir: Path | str | None, **flags: Any) -> Muting:
    return Muting(TBContext(logdir=None if logdir is None else str(logdir), flags=SimpleNamespace(**flags)))


def request(host: str = "localhost:6006", address: str = "127.0.0.1") -> Request:
    return Request(EnvironBuilder(headers=[("Host", host)], environ_base={"REMOTE_ADDR": address}).get_environ())


@pytest.mark.parametrize(
    ("flags", "is_shared"),
    [
        ({}, False),
        ({"host": None, "bind_all": False}, False),
        ({"host": "localhost"}, False),
        ({"host": "127.0.0.2"}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "::"}, True),
        ({"host": "192.0.2.7"}, True),
        ({"host": ""}, True),
        ({"bind_all": True}, True),
    ],
)
def test_a_server_for_other_machines_writes_for_nobody(logs: Path, flags: dict[str, Any], is_shared: bool) -> None:
    reason = muting(logs, **flags).why_not(request(), "sick")
    assert reason == ("TensorBoard serves other machines" if is_shared else "")


@pytest.mark.parametrize(
    ("host", "address", "is_here"),
    [
        ("localhost:6006", "127.0.0.1", True),
        ("[::1]:6006", "::1", True),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("localhost", "192.0.2.7", False),
        ("localhost.evil.example", "127.0.0.1", False),
        ("192.0.2.7", "127.0.0.1", False),
        ("127.0.0.1.evil.example", "127.0.0.1", False),
    ],
)
def test_which_clients_are_on_this_machine(logs: Path, host: str, address: str, is_here: bool) -> None:
    reason = muting(logs).why_not(request(host, address), "sick")
    assert reason == ("" if is_here else "the page was not opened as localhost")


def test_runs_outside_the_log_directory_are_left_alone(tmp_path: Path) -> None:
    write_run(tmp_path / "elsewhere", name="run", steps=1)
    top = tmp_path / "logs"
    top.mkdir()
    (top / "link").symlink_to(tmp_path / "elsewhere" / "run")
    reason = "the run is not in a local log directory"
    for logdir, run in ((top, "link"), (top, "../elsewhere/run"), (top, "nowhere"), (None, "run"), ("gs://b/c", "run")):
        assert muting(logdir).why_not(request(), run) == reason
        assert muting(logdir).of(run) == ({}, "")
    assert muting(tmp_path / "elsewhere").why_not(request(), ".") == ""


def test_a_read_only_folder_is_told_before_anything_is_written(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert muting(logs).why_not(request(), "sick") == "the folder of the run is read-only"
