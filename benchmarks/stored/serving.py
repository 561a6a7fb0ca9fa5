"""What a TensorBoard process with its data server needs for stored runs."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from tests.live_server import Server, serve

ASKED = 40
"""Requests of each route."""
MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Served:
    """MiB of the tab's process and of its data server; seconds until all runs were there, of the first list of runs and
    of a later one.
    """

    tab: float
    data_server: float
    loading: float
    first_list: float
    later_list: float


def served(folder: Path, runs: int, records: int, *, load_fast: bool) -> tuple[Served, dict[str, float]]:
    """Serves the runs in the folder; also the 95th percentile of each route's milliseconds, once it has been asked."""
    began = time.perf_counter()
    with serve(folder, load_fast=load_fast) as server:
        if runs:
            server.wait_for_runs(runs)
            for number in range(runs):
                server.wait_for_records(f"run-{number}", records)
        loading = time.perf_counter() - began
        lists = [_seconds(server, "runs", {}) for _ in range(5)]
        routes = dict(_routes(server)) if runs else {}
        tab, data_server = _megabytes(server.process.pid)
    return Served(tab, data_server, loading, lists[0], statistics.median(lists[1:])), routes


def _routes(server: Server) -> Iterator[tuple[str, float]]:
    run = {"run": "run-0"}
    layer = {**run, "layer": "conv2_block1_1_conv"}
    asked: dict[str, dict[str, str]] = {
        "runs": {},
        "run": run,
        "findings": run,
        "matrix": {**run, "stat": "mean"},
        "series": {**layer, "stats": "mean"},
        "units": layer,
        "histograms": {**layer, "kind": "activation"},
        "epochs": run,
        "pictures": run,
    }
    for route, query in asked.items():
        _seconds(server, route, query)
        took = [1000 * _seconds(server, route, query) for _ in range(ASKED)]
        yield route, statistics.quantiles(took, n=20)[-1]


def _seconds(server: Server, route: str, query: dict[str, str]) -> float:
    began = time.perf_counter()
    answer = server.get(route, **query)
    took = time.perf_counter() - began
    if answer.status != 200:
        raise RuntimeError(f"{route} answered {answer.status}: {answer.text[:300]}")
    return took


def _megabytes(process: int) -> tuple[float, float]:
    """Resident MiB of a process, and of the processes that it started."""
    below = [
        int(child) for path in Path(f"/proc/{process}/task").glob("*/children") for child in path.read_text().split()
    ]
    return _resident(process), sum(map(_resident, below))


def _resident(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024 / MIB
