"""Tens of thousands of hostile requests and thousands of hostile event files against a real TensorBoard.

`python -m benchmarks.fuzz [REQUESTS FILES]`; the exit status is 1 if anything broke.
"""

from __future__ import annotations

import collections
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from tests.http import fuzzing
from tests.live_server import Server, serve
from tests.synthetic import write_run

T = TypeVar("T")

TOGETHER = 8
MEASURED_EVERY = 20
"""Batches of requests."""
FILES_A_SERVER = 250
ALLOWED_GROWTH = 32.0
"""MiB by which the memory of a server may differ between the second and the last fifth of the requests."""
MIB = 2**20


def main() -> None:
    requests, files = map(int, sys.argv[1:] or (20_000, 2_000))
    complaints: list[str] = []
    for load_fast in (True, False):
        complaints += _requests(load_fast, requests // 2)
    for index, start in enumerate(range(0, files, FILES_A_SERVER)):
        complaints += _files(index % 2 == 0, min(FILES_A_SERVER, files - start), index)
    for complaint in complaints[:20]:
        print("BROKEN", complaint)
    print(f"{len(complaints)} complaints")
    sys.exit(bool(complaints))


def _requests(load_fast: bool, count: int) -> list[str]:
    statuses: collections.Counter[int] = collections.Counter()
    complaints: list[str] = []
    memory: list[float] = []
    largest = 0
    with tempfile.TemporaryDirectory() as folder:
        names = fuzzing.write_targets(Path(folder))
        with serve(folder, load_fast=load_fast) as server, ThreadPoolExecutor(TOGETHER) as pool:
            server.wait_for_runs(2)
            wanted = st.lists(fuzzing.requests(names), min_size=TOGETHER, max_size=TOGETHER)
            for index, batch in enumerate(_examples(wanted, count // TOGETHER, 1)):
                answers = fuzzing.ask_together(server, pool, batch)
                statuses.update(answer.status for answer in answers)
                largest = max(largest, *(answer.length for answer in answers))
                complaints += [text for answer in answers if (text := fuzzing.complaint(answer))]
                if index % MEASURED_EVERY == 0:
                    memory.append(resident(server))
            complaints += _of_server(server)
    early, late = max(memory[len(memory) // 5 : len(memory) * 2 // 5]), max(memory[len(memory) * 4 // 5 :])
    if late - early > ALLOWED_GROWTH:
        complaints.append(f"memory grew from {early:.0f} to {late:.0f} MiB")
    print(
        f"{'Rust' if load_fast else 'Python'} loader: {statuses.total()} requests, {TOGETHER} at a time, "
        f"statuses {dict(sorted(statuses.items()))}, largest answer {largest} bytes, resident memory "
        f"{memory[0]:.0f} MiB at first, {early:.0f} after a warm-up, {late:.0f} at the end",
        flush=True,
    )
    return complaints


def _files(load_fast: bool, count: int, number: int) -> list[str]:
    statuses: collections.Counter[int] = collections.Counter()
    complaints: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder, "logs")
        content = fuzzing.write_pictured(Path(folder, "good"))
        names: list[str] = []
        for mutation in _examples(fuzzing.mutations(content, are_events=not load_fast), count, 100 + number):
            names.append(f"mutant-{len(names)}")
            fuzzing.write_mutant(logs, names[-1], mutation)
        write_run(logs, name="sound", steps=3)
        with serve(logs, load_fast=load_fast) as server, ThreadPoolExecutor(TOGETHER) as pool:
            server.wait_for_records("sound", 3)
            for name in [*names, "sound"]:
                answers = fuzzing.ask_together(server, pool, fuzzing.every_route(name))
                statuses.update(answer.status for answer in answers)
                complaints += [text for answer in answers if (text := fuzzing.complaint(answer))]
            entries = server.get("runs").json["runs"]
            complaints += _of_server(server)
    readable = sum(entry["readable"] for entry in entries)
    print(
        f"{'Rust' if load_fast else 'Python'} loader: {count} mutated files, {len(entries) - 1} still have a run, "
        f"{readable - 1} readable; {statuses.total()} requests, statuses {dict(sorted(statuses.items()))}",
        flush=True,
    )
    return complaints


def _examples(strategy: st.SearchStrategy[T], count: int, number: int) -> Iterator[T]:
    found: list[T] = []

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: T) -> None:
        found.append(example)

    collect()
    # A strategy with few examples runs out of new ones.
    order = random.Random(number)
    found += [order.choice(found) for _ in range(count - len(found))]
    yield from found


def _of_server(server: Server) -> list[str]:
    log = server.log.read_text()
    complaints = [] if server.process.poll() is None else [f"tensorboard ended with {server.process.returncode}"]
    return complaints + ([f"a traceback: {log[-2000:]}"] if "Traceback" in log else [])


def resident(server: Server) -> float:
    """MiB of the server and of the data server that it started."""
    pids = [server.process.pid, *_children(server.process.pid)]
    return sum(_resident(pid) for pid in pids)


def _children(pid: int) -> Sequence[int]:
    listed = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=False)
    return [int(child) for child in listed.stdout.split()]


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / MIB


if __name__ == "__main__":
    main()
