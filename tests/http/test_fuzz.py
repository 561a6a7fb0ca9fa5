"""A few of the requests and files of which `make fuzz` sends thousands, and requests while a run is being written."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tb_activations import load
from tests.http import fuzzing, mutants
from tests.live_server import Server, serve, wait_for
from tests.synthetic import write_run

FILES = 30
REQUESTS = 40
"""Examples; each is eight requests at the same time."""


def test_the_contract_names_every_route() -> None:
    for route in fuzzing.ROUTES:
        assert re.search(rf"### `{re.escape(route.strip('/'))}", fuzzing.CONTRACT), route
    assert {"run", "layer", "stat", "stats", "kind", "max_steps"} <= set(fuzzing.PARAMETERS)


@pytest.fixture(scope="module", params=[True, False], ids=["fast", "python"])
def targets(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, list[str]]]:
    folder = tmp_path_factory.mktemp("targets")
    names = fuzzing.write_targets(folder)
    with serve(folder, load_fast=request.param) as server:
        server.wait_for_runs(2)
        yield server, names


def test_no_request_breaks_the_server(targets: tuple[Server, list[str]]) -> None:
    server, names = targets
    answered: set[int] = set()

    @settings(max_examples=REQUESTS, deadline=None, database=None, phases=[Phase.generate], derandomize=True)
    @given(st.lists(fuzzing.requests(names), min_size=8, max_size=8))
    def fuzz(wanted: list[fuzzing.Wanted]) -> None:
        answers = fuzzing.ask_together(server, pool, wanted)
        answered.update(answer.status for answer in answers)
        assert [text for answer in answers if (text := fuzzing.complaint(answer))] == []

    with ThreadPoolExecutor(8) as pool:
        fuzz()
    # It came past the checks of the parameters, too.
    assert {200, 400, 404} <= answered
    assert server.process.poll() is None
    assert "Traceback" not in server.log.read_text()


def test_hostile_names_are_served_as_they_are(targets: tuple[Server, list[str]]) -> None:
    server, _ = targets
    assert fuzzing.HOSTILE_RUN in [run["name"] for run in server.get("runs").json["runs"]]
    layers = server.get("run", run=fuzzing.HOSTILE_RUN).json["layers"]
    assert [layer["name"] for layer in layers] == list(fuzzing.HOSTILE_LAYERS)
    for name in fuzzing.HOSTILE_LAYERS:
        answer = server.get("series", run=fuzzing.HOSTILE_RUN, layer=name, stats="mean")
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers


def test_a_run_that_is_described_several_times_is_among_what_is_damaged(tmp_path: Path) -> None:
    content = fuzzing.write_grown(tmp_path / "parts")
    mutants.write_mutant(tmp_path, "grown", lambda path: path.write_bytes(content))
    run = load(tmp_path, "grown")
    assert len(run.layers) == fuzzing.PLAN.layers
    assert len(run.steps) == 3 * fuzzing.PLAN.steps
    assert np.isnan(run.stat("mean")).any(axis=1).tolist() == [False] * 4 + [True] * 4 + [False] * 4


@pytest.mark.parametrize("load_fast", [True, False], ids=["fast", "python"])
def test_no_file_breaks_the_server(tmp_path: Path, load_fast: bool) -> None:
    names: list[str] = []
    mutations = fuzzing.mutated_files(tmp_path / "good", are_events=not load_fast)

    @settings(
        max_examples=FILES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutations)
    def write(mutation: tuple[str, mutants.Mutation]) -> None:
        names.append(f"mutant-{len(names)}")
        mutants.write_mutant(tmp_path / "logs", names[-1], mutation[1])

    write()
    # Its name comes last, and so does it in the order of loading.
    write_run(tmp_path / "logs", name="sound", steps=3)
    with serve(tmp_path / "logs", load_fast=load_fast) as server, ThreadPoolExecutor(8) as pool:
        server.wait_for_records("sound", 3)
        for name in [*names, "sound"]:
            answers = fuzzing.ask_together(server, pool, fuzzing.every_route(name))
            assert [text for answer in answers if (text := fuzzing.complaint(answer))] == []
        assert server.process.poll() is None
        assert server.get("runs").status == 200


def test_a_record_that_is_no_event_leaves_the_list_of_runs(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "broken"
    folder.mkdir(parents=True)
    mutants.write_records(folder / "events.out.tfevents.1.host.1.0", [b"\xff\xff no event"])
    with serve(tmp_path / "logs", load_fast=False) as server:
        wait_for(lambda: "DecodeError" in server.log.read_text() or None, "TensorBoard's loader to stumble")
        answer = server.get("runs")
        assert (answer.status, answer.json) == (200, {"runs": [], "left_out": {}})


@pytest.mark.parametrize("load_fast", [True, False], ids=["fast", "python"])
def test_fuzzed_requests_while_the_run_is_being_written(tmp_path: Path, load_fast: bool) -> None:
    names = fuzzing.write_targets(tmp_path / "logs")
    whole = write_run(tmp_path / "whole", steps=REQUESTS, stock=False).read_bytes()
    live = tmp_path / "logs" / "live" / "events.out.tfevents.1.host.1.0"
    live.parent.mkdir()
    live.touch()
    # Pieces end in the middle of records.
    size = len(whole) // REQUESTS + 1
    pieces = iter([whole[start : start + size] for start in range(0, len(whole), size)])

    def append() -> None:
        with live.open("ab") as file:
            file.write(next(pieces, b""))

    routes = itertools.cycle(fuzzing.every_route("live"))
    with serve(tmp_path / "logs", load_fast=load_fast) as server, ThreadPoolExecutor(10) as pool:
        server.wait_for_runs(2)

        @settings(max_examples=REQUESTS, deadline=None, database=None, phases=[Phase.generate], derandomize=True)
        @given(st.lists(fuzzing.requests(names, run="live"), min_size=8, max_size=8))
        def fuzz(wanted: list[fuzzing.Wanted]) -> None:
            writing = pool.submit(append)
            right = pool.submit(fuzzing.ask, server, next(routes))
            answers = fuzzing.ask_together(server, pool, wanted)
            writing.result()
            # Of a run that has only begun to be read, what is asked for may not be there yet. A request to judge it
            # gives way to one of the fuzzed requests that came later.
            asked = right.result()
            is_judging = asked.path.startswith("/judge?")
            assert asked.status in ((200, 404, 409) if is_judging else (200, 404))
            assert asked.status != 409 or b'"superseded"' in asked.body
            assert [text for answer in answers if (text := fuzzing.complaint(answer))] == []

        fuzz()
        with live.open("ab") as file:
            file.writelines(pieces)
        server.wait_for_records("live", REQUESTS)
        assert "Traceback" not in server.log.read_text()
