from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_server import Server, serve
from tests.synthetic import START_TIME, Plan, write_newer_schema, write_run, write_unreadable

RUNS = 7
RECORDS = 500
HOSTILE_RUN = "hostile <b>&?#%2F"


@pytest.fixture(scope="session")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of every kind that the server meets."""
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder, name="long", steps=RECORDS, layers=6, units=4, stock=False)
    write_run(folder, name="sick", start_time=START_TIME + 60)
    write_run(folder, name="healthy", sick=False, recurrent=True, start_time=START_TIME + 30)
    write_run(folder, name=HOSTILE_RUN, hostile=True, start_time=START_TIME + 90)
    write_run(folder, name="single", steps=1, sick=False, start_time=START_TIME + 120)
    write_newer_schema(folder, "newer")
    write_unreadable(folder, "damaged")
    return folder


@pytest.fixture(
    scope="session",
    params=[(True, ""), (False, "/behind/a/proxy")],
    ids=["fast", "python-prefix"],
)
def server(log_dir: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """TensorBoard with all runs loaded: through one loader at the root, through the other below a prefix."""
    load_fast, path_prefix = request.param
    with serve(log_dir, load_fast=load_fast, path_prefix=path_prefix) as running:
        running.wait_for_records("long", RECORDS)
        for name in ("sick", "healthy", HOSTILE_RUN):
            running.wait_for_records(name, Plan().steps)
        running.wait_for_runs(RUNS)
        yield running
