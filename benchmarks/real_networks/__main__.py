"""Compares training with and without observing, in processes of their own, in turns.

python -m benchmarks.real_networks --markdown docs/benchmarks.md
python -m benchmarks.real_networks --only ResNet50 --turns 1 --xla off
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.page import machine, measured_now, replace_section, table, with_others
from benchmarks.real_networks.networks import BATCH, NETWORKS, SIDE

ONE_CORE = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""What else runs on a shared machine disturbs less."""


TITLE = "## Deep networks"
COLUMNS = (
    "network",
    "XLA",
    "first step",
    "observed",
    "later step",
    "observed",
    "peak memory",
    "bytes a record",
    "turns",
    "on",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_networks")
    parser.add_argument("--only", nargs="*", choices=NETWORKS, help="these networks; default: all")
    parser.add_argument("--turns", type=int, default=3, help="trainings of each kind; default: 3")
    parser.add_argument("--xla", nargs="*", choices=("off", "on"), default=("off", "on"))
    parser.add_argument("--markdown", type=Path, help="also write the section into this file")
    arguments = parser.parse_args()
    rows = []
    for network in arguments.only or NETWORKS:
        for xla in arguments.xla:
            turns = [
                [_took(network, xla=xla == "on", observed=observed) for observed in (False, True)]
                for _ in range(arguments.turns)
            ]
            rows.append(_row(network, xla, turns))
            print(" | ".join(rows[-1]), flush=True)
    print(_section(rows))
    if arguments.markdown is not None:
        replace_section(arguments.markdown, _section(with_others(rows, arguments.markdown, TITLE)))


def _section(rows: Sequence[Sequence[str]]) -> str:
    return f"""{TITLE}

{machine("tensorflow", "keras")}.

Each network trains on scikit-learn's digits with batches of {BATCH}, pictures of {SIDE} x {SIDE}, Adam, and accuracy as
a metric, on one thread; observed at every step (`update_freq=1`), everything on. The "observed" columns are factors
over the plain training of the same turn: median of the turns (lowest-highest). The first step includes tracing and
compiling, an observed step judging and writing. With `update_freq="auto"`, the default, observed steps are so rare that
all of them together take 2 % of the training time. The size of a record is that of most records of a long run, without
histograms and the full table of units that some have.

{table(COLUMNS, rows)}"""


def _took(network: str, *, xla: bool, observed: bool) -> dict[str, float]:
    options = [name for name, is_on in (("--xla", xla), ("--observed", observed)) if is_on]
    command = [sys.executable, "-m", "benchmarks.real_networks.worker", network, *options]
    environment = {**os.environ, **ONE_CORE, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    took: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return took


def _row(network: str, xla: str, turns: Sequence[Sequence[dict[str, float]]]) -> list[str]:
    def plain(name: str) -> str:
        return f"{statistics.median(turn[0][name] for turn in turns):.2f} s"

    def factor(name: str) -> str:
        ratios = [turn[1][name] / turn[0][name] for turn in turns]
        return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"

    record = statistics.median(turn[1]["record_bytes"] for turn in turns)
    sizes = [factor("megabytes"), f"{record / 1000:.1f} kB", str(len(turns)), measured_now()]
    return [network, xla, plain("first"), factor("first"), plain("later"), factor("later"), *sizes]


if __name__ == "__main__":
    main()
