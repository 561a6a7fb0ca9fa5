"""A run that grows while it is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live_server import Server, serve, wait_for
from tests.synthetic import write_run


@pytest.mark.parametrize("load_fast", [True, False], ids=["fast", "python"])
def test_new_steps_show_up(tmp_path: Path, load_fast: bool) -> None:
    complete = write_run(tmp_path / "complete", steps=40, stock=False).read_bytes()
    half = write_run(tmp_path / "half", steps=20, stock=False).read_bytes()
    live = tmp_path / "logs" / "run" / "events.out.tfevents.1.host.1.0"
    live.parent.mkdir(parents=True)
    # What is written up to the 10th step is the same in both; the rest of `complete` is appended later.
    common = next(index for index, (a, b) in enumerate(zip(complete, half, strict=False)) if a != b)
    live.write_bytes(complete[:common])
    with serve(tmp_path / "logs", load_fast=load_fast) as server:
        early = wait_for(lambda: _records(server), "the first records")
        assert early < 40
        with live.open("ab") as file:
            file.write(complete[common:])
        server.wait_for_records("run", 40)
        assert server.get("matrix", run="run", stat="health").status == 200


def test_an_empty_log_directory_is_answered(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        assert server.get("runs").json["runs"] == []
        assert server.get("run", run="any").status == 404


def test_the_users_number_of_samples_counts(tmp_path: Path) -> None:
    write_run(tmp_path, name="run", steps=100, stock=False)
    with serve(tmp_path, "--samples_per_plugin", "layer_health=20") as server:
        server.wait_for_records("run", 20)
        assert server.get("runs").json["runs"][0]["records"] == 20


def _records(server: Server) -> int | None:
    runs = server.get("runs").json["runs"]
    return runs[0]["records"] if runs and runs[0]["records"] else None
