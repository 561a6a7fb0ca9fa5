"""Sends tens of thousands of hostile requests and thousands of hostile event files to a real TensorBoard.

`python -m benchmarks.fuzz [REQUESTS FILES]`; exits with 1 if anything broke.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from tests.http import fuzzing, mutants
from tests.live_server import ROOT, Server, serve
from tests.synthetic import write_run

T = TypeVar("T")

MIB = 2**20
HEADING = """| sent | requests | statuses | largest answer | MiB first / warm / last | time | |
|---|---|---|---|---|---|---|"""
TOGETHER = 8
MEASURED_EVERY = 20
"""Batches of requests."""
WHILE_WRITTEN = 0.4
"""Share of the requests sent while another process appends to the requested run."""
FILES_A_SERVER = 500
PASSES = 3
"""Rounds over all routes of all files of a server; the first is the warm-up."""
ALLOWED_GROWTH = 32.0
"""Allowed growth of a server's memory after its warm-up, in MiB."""


@dataclasses.dataclass
class Tally:
    """What one server received and the result.

    Attributes:
        title: what it received.
        memory: MiB at evenly spaced times.
        warm: index of the first of `memory` after the warm-up.
    """

    title: str
    statuses: collections.Counter[int] = dataclasses.field(default_factory=collections.Counter)
    complaints: list[str] = dataclasses.field(default_factory=list)
    memory: list[float] = dataclasses.field(default_factory=list)
    warm: int = 0
    largest: int = 0
    began: float = dataclasses.field(default_factory=time.monotonic)
    seconds: float = 0.0
    note: str = ""

    def take(self, answers: Sequence[fuzzing.Asked]) -> None:
        self.statuses.update(answer.status for answer in answers)
        self.largest = max(self.largest, *(answer.length for answer in answers))
        self.complaints += [text for answer in answers if (text := fuzzing.complaint(answer))]

    def end(self, server: Server) -> None:
        """Checks the server a last time."""
        self.memory.append(memory_of(server))
        log = server.log.read_text()
        if server.process.poll() is not None:
            self.complaints.append(f"tensorboard ended with {server.process.returncode}")
        if "Traceback" in log:
            self.complaints.append(f"a traceback: {log[-2000:]}")
        if self.grown() > ALLOWED_GROWTH:
            self.complaints.append(f"memory grew by {self.grown():.0f} MiB")
        self.seconds = time.monotonic() - self.began

    def grown(self) -> float:
        return max(self.memory[self.warm + 1 :]) - self.memory[self.warm]

    def row(self) -> str:
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        memory = f"{self.memory[0]:.0f} / {self.memory[self.warm]:.0f} / {self.memory[-1]:.0f}"
        largest = f"{self.largest / 1024:.0f} KiB"
        columns = [
            self.title,
            str(self.statuses.total()),
            statuses,
            largest,
            memory,
            f"{self.seconds:.0f} s",
            self.note,
        ]
        return "| " + " | ".join(columns) + " |"


def main() -> None:
    requests, files = map(int, sys.argv[1:] or (20_000, 2_000))
    print(HEADING, flush=True)
    tallies = []
    for tally in _all(requests // 2, files // 2):
        print(tally.row(), flush=True)
        tallies.append(tally)
    complaints = [f"{tally.title}: {complaint}" for tally in tallies for complaint in tally.complaints]
    for complaint in complaints[:20]:
        print("BROKEN", complaint)
    asked, seconds = sum(tally.statuses.total() for tally in tallies), sum(tally.seconds for tally in tallies)
    print(f"{asked} requests, {files} files, {len(complaints)} complaints, {seconds:.0f} s")
    sys.exit(bool(complaints))


def _all(requests: int, files: int) -> Iterator[Tally]:
    """Sends this many of each with each of the loaders, one after another."""
    written = round(requests * WHILE_WRITTEN)
    for load_fast in (True, False):
        yield _requests(load_fast, requests - written)
        yield _requests_while_written(load_fast, written)
        for start in range(0, files, FILES_A_SERVER):
            yield _files(load_fast, min(FILES_A_SERVER, files - start), start)


def _requests(load_fast: bool, count: int) -> Tally:
    tally = Tally(f"{_loader(load_fast)}, runs at rest")
    with tempfile.TemporaryDirectory() as folder:
        names = fuzzing.write_targets(Path(folder))
        with serve(folder, load_fast=load_fast) as server:
            server.wait_for_runs(2)
            _send(server, tally, fuzzing.requests(names), count, 1)
    return tally


def _requests_while_written(load_fast: bool, count: int) -> Tally:
    tally = Tally(f"{_loader(load_fast)}, a run being written")
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder, "logs")
        names = [*fuzzing.write_targets(logs), "live"]
        with _writer(logs / "run", logs / "live"), serve(logs, load_fast=load_fast) as server:
            before = server.wait_for_records("live", 5)["records"]
            _send(server, tally, fuzzing.requests(names, run="live"), count, 2)
            after = server.wait_for_records("live", before)["records"]
    tally.note = f"{after - before} records were appended meanwhile"
    if after <= before:
        tally.complaints.append("nothing was written meanwhile")
    return tally


def _send(server: Server, tally: Tally, wanted: st.SearchStrategy[fuzzing.Wanted], count: int, number: int) -> None:
    batches = count // TOGETHER
    tally.warm = batches // MEASURED_EVERY * 2 // 5
    examples = list(_examples(st.lists(wanted, min_size=TOGETHER, max_size=TOGETHER), batches, number))
    with ThreadPoolExecutor(TOGETHER) as pool:
        for index, batch in enumerate(examples):
            tally.take(fuzzing.ask_together(server, pool, batch))
            if index % MEASURED_EVERY == 0:
                tally.memory.append(memory_of(server))
    tally.end(server)


def _files(load_fast: bool, count: int, number: int) -> Tally:
    tally = Tally(f"{_loader(load_fast)}, {count} mutated files", warm=1)
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder, "logs")
        mutations = fuzzing.mutated_files(Path(folder, "good"), are_events=not load_fast)
        names: list[str] = []
        kinds: collections.Counter[str] = collections.Counter()
        for kind, mutation in _examples(mutations, count, 100 + number):
            kinds[kind] += 1
            names.append(f"mutant-{len(names)}")
            mutants.write_mutant(logs, names[-1], mutation)
        write_run(logs, name="sound", steps=3)
        with serve(logs, load_fast=load_fast) as server, ThreadPoolExecutor(TOGETHER) as pool:
            server.wait_for_records("sound", 3)
            tally.memory.append(memory_of(server))
            for _ in range(PASSES):
                for name in [*names, "sound"]:
                    tally.take(fuzzing.ask_together(server, pool, fuzzing.every_route(name)))
                tally.take([fuzzing.ask(server, fuzzing.Wanted("GET", "/runs"))])
                tally.memory.append(memory_of(server))
            entries = server.get("runs").json["runs"]
            tally.end(server)
    readable = sum(entry["readable"] for entry in entries)
    tally.note = f"{dict(kinds)}; {len(entries) - 1} still runs, {readable - 1} readable"
    return tally


@contextlib.contextmanager
def _writer(source: Path, folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.fuzz_writer", str(source), str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _loader(load_fast: bool) -> str:
    return f"{'Rust' if load_fast else 'Python'} loader"


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


def memory_of(server: Server) -> float:
    """Memory of the server and its data server in MiB."""
    return sum(map(_resident, [server.process.pid, *_children(server.process.pid)]))


def _children(pid: int) -> Sequence[int]:
    listed = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=False)
    return [int(child) for child in listed.stdout.split()]


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


if __name__ == "__main__":
    main()
