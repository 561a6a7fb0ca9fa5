"""Compares two processes that train together with one that trains alone."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tb_activations import load
from tb_activations.events.run import Run
from tb_activations.records.columns import LAYER_COLUMNS, WEIGHT_COLUMNS

ROOT = Path(__file__).parents[2]
SECONDS = 240


@dataclasses.dataclass(frozen=True)
class Compared:
    """`difference` is the largest difference of a statistic, relative to its largest value in the run; `worst` names
    the statistic; `estimated` is the same for statistics that every replica estimates from its own sample.
    `writers` counts the processes that wrote event files.
    """

    steps: int
    difference: float
    worst: str
    estimated: float
    writers: int


ESTIMATED = frozenset({"sample_std", "unit_std", "saturated_fraction", "kurtosis"})


def compare(folder: Path) -> Compared:
    """Trains in one process and in two, in folders below `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    alone, together = folder / "alone", [folder / "together-0", folder / "together-1"]
    _run([_start(alone, None)])
    cluster = {"worker": [f"localhost:{port}" for port in _free_ports(2)]}
    configurations = [{"cluster": cluster, "task": {"type": "worker", "index": index}} for index in range(2)]
    _run([_start(path, configuration) for path, configuration in zip(together, configurations, strict=True)])
    writers = [path for path in together if list(path.rglob("*tfevents*"))]
    one, both = load(str(alone)), load(str(writers[0]))
    differences = dict(_differences(one, both))
    estimated = max(differences.pop(name) for name in ESTIMATED)
    worst = max(differences, key=differences.__getitem__)
    return Compared(len(both.steps), differences[worst], worst, estimated, len(writers))


def _start(folder: Path, configuration: object) -> subprocess.Popen[str]:
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    if configuration is not None:
        environment["TF_CONFIG"] = json.dumps(configuration)
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.compatibility.worker", str(folder)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _run(processes: list[subprocess.Popen[str]]) -> None:
    try:
        for process in processes:
            log, _ = process.communicate(timeout=SECONDS)
            if process.returncode:
                raise RuntimeError(f"a training process ended with {process.returncode}:\n{log[-3000:]}")
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.communicate()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for opened in sockets:
            opened.bind(("localhost", 0))
        return [opened.getsockname()[1] for opened in sockets]


def _differences(one: Run, other: Run) -> Iterator[tuple[str, float]]:
    assert one.steps.tolist() == other.steps.tolist()
    assert one.layers == other.layers
    assert one.weights == other.weights
    for name in LAYER_COLUMNS:
        yield name, _difference(one.stat(name), other.stat(name))
    for name in WEIGHT_COLUMNS:
        yield f"{name} of weights", _difference(one.weight_stat(name), other.weight_stat(name))
    for name in ("loss", "samples", "learning_rate"):
        yield name, _difference(one.step_stat(name)[:, None], other.step_stat(name)[:, None])


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference of `[steps, columns]`, relative to each column's largest value; NaN must match NaN."""
    if not np.array_equal(np.isnan(one), np.isnan(other)):
        return float("inf")
    scale = np.maximum(np.nanmax(np.abs(one), axis=0, initial=0.0), 1e-12)
    return float(np.nanmax(np.abs(one - other) / scale, initial=0.0))
