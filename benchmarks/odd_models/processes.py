"""Runs trials in separate processes: one that hangs or dies is reported by its number, and the others continue."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.odd_models.description import describe

Result = dict[str, Any]
"""The fields of an `Outcome`."""

TRIALS_A_PROCESS = 25
"""Trials per process. TensorFlow keeps what it compiled, so a new process releases memory."""
_SPAWN = multiprocessing.get_context("spawn")


def outcomes(seeds: Sequence[int], jobs: int, seconds: float) -> Iterator[Result]:
    """Results as they arrive, from `jobs` parallel processes, with a time limit per trial in seconds."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[Result] = queue.SimpleQueue()
    for seed in seeds:
        waiting.put(seed)
    for _ in range(jobs):
        threading.Thread(target=_serve, args=(waiting, done, seconds), daemon=True).start()
    for _ in seeds:
        yield done.get()


def _serve(waiting: queue.SimpleQueue[int], done: queue.SimpleQueue[Result], seconds: float) -> None:
    """Processes numbers until none are left, one process after another."""
    worker: _Worker | None = None
    while not waiting.empty():
        try:
            seed = waiting.get_nowait()
        except queue.Empty:
            break
        if worker is None or worker.trials >= TRIALS_A_PROCESS:
            if worker is not None:
                worker.end()
            worker = _Worker()
        result, is_alive = worker.run(seed, seconds)
        done.put(result)
        if not is_alive:
            worker.end()
            worker = None
    if worker is not None:
        worker.end()


class _Worker:
    def __init__(self) -> None:
        self._here, there = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_work, args=(there,), daemon=True)
        self._process.start()
        there.close()
        self.trials = 0

    def run(self, seed: int, seconds: float) -> tuple[Result, bool]:
        """The result, and whether the process can be reused."""
        self.trials += 1
        try:
            self._here.send(seed)
            if self._here.poll(seconds):
                return self._here.recv(), True
            return _failed(seed, f"has not returned after {seconds:.0f} s"), False
        except (EOFError, OSError) as error:
            return _failed(seed, f"its process ended ({type(error).__name__})"), False

    def end(self) -> None:
        self._here.close()
        self._process.kill()
        self._process.join()


def _failed(seed: int, complaint: str) -> Result:
    return {
        "seed": seed,
        "description": str(describe(seed)),
        "complaints": [complaint],
        "notices": [],
        "rounded": "",
        "not_observed": [],
        "records": 0,
        "seconds": 0.0,
    }


def _work(connection: Connection) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # One process per core: more threads would only compete.
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(threads, "1")
    from benchmarks.odd_models.trial import run_trial

    while True:
        try:
            seed = connection.recv()
        except EOFError:
            return
        connection.send(dataclasses.asdict(run_trial(seed)))
