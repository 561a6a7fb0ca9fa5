"""Each error carries a kind; a status code alone does not say what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from werkzeug.test import Client

from tb_activations.plugin.errors import STATUSES, BadParameterError, CannotReadError, ErrorKind
from tests.http import fuzzing
from tests.http.providers import Narrow, Provider
from tests.live_server import Server, serve
from tests.synthetic import write_damaged_layers, write_newer_schema, write_run

TABLES = ("run", "findings", "matrix", "series")


def test_the_contract_lists_every_kind_with_its_status() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", fuzzing.CONTRACT, re.MULTILINE)
    assert {kind: int(status) for kind, status in rows} == {kind.value: status for kind, status in STATUSES.items()}
    assert set(STATUSES) == set(ErrorKind)


@pytest.fixture(scope="module", params=[True, False], ids=["fast", "python"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder, name="sound")
    write_damaged_layers(folder, "damaged")
    write_newer_schema(folder, "newer")
    with serve(folder, load_fast=request.param) as running:
        running.wait_for_runs(3)
        running.wait_for_records("damaged", 2)
        yield running


def test_a_run_with_a_sound_overview_and_damaged_layers_is_damaged_not_newer(server: Server) -> None:
    listed = {entry["name"]: entry for entry in server.get("runs").json["runs"]}
    assert (listed["damaged"]["readable"], listed["damaged"]["kind"]) == (True, None)
    for wanted in fuzzing.every_route("damaged"):
        if wanted.path[1:].split("?")[0] not in TABLES:
            continue
        answer = fuzzing.ask(server, wanted)
        assert (answer.status, json.loads(answer.body)["kind"]) == (422, "damaged_run")
        assert "layer_health/layers holds a value that is not a tensor" in json.loads(answer.body)["error"]
    newer = server.get("run", run="newer")
    assert (newer.status, newer.json["kind"]) == (409, "newer_schema")


def test_a_run_that_is_too_large_is_neither_damaged_nor_newer() -> None:
    client = Client(fuzzing.plugin_of(Narrow(most=0)).get_plugin_apps()["/run"])
    answer = client.get("/run?run=run0")
    assert (answer.status_code, answer.get_json()["kind"]) == (413, "too_large")


def test_an_error_is_bounded_and_printable() -> None:
    damaged = CannotReadError("\ud800", ErrorKind.DAMAGED_RUN, "x" * 100_000)
    assert len(str(damaged)) < 1200
    assert str(BadParameterError("stat", "\ud800" * 1000, "a name")).isprintable()


def test_other_methods_name_the_allowed_ones() -> None:
    answer = Client(fuzzing.plugin_of(Provider()).get_plugin_apps()["/runs"]).post("/runs")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert answer.get_json() == {"error": "method must be GET, got 'POST'", "kind": "bad_method"}


def test_an_unexpected_failure_is_not_disguised() -> None:
    class Broken(Provider):
        def list_tensors(self, ctx: object, **_: object) -> object:
            raise RuntimeError("no such disk")

    client = Client(fuzzing.plugin_of(Broken()).get_plugin_apps()["/run"])
    with pytest.raises(RuntimeError, match="no such disk"):
        client.get("/run?run=run0")
