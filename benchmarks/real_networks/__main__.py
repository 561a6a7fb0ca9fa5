"""Compares training with and without observing, in processes of their own, in turns.

python -m benchmarks.real_networks                        # all networks, XLA off and on
python -m benchmarks.real_networks --only ResNet50 --turns 1 --xla off
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.real_networks.networks import NETWORKS

ONE_CORE = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""What else runs on a shared machine disturbs less."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_networks")
    parser.add_argument("--only", nargs="*", choices=NETWORKS, help="these networks; default: all")
    parser.add_argument("--turns", type=int, default=3, help="trainings of each kind; default: 3")
    parser.add_argument("--xla", nargs="*", choices=("off", "on"), default=("off", "on"))
    arguments = parser.parse_args()
    table = Table(
        "network", "XLA", "first step", "observed first step", "later step", "observed step", "memory", "a record"
    )
    console = Console(width=max(140, Console().width))
    for network in arguments.only or NETWORKS:
        for xla in arguments.xla:
            turns = [
                [_took(network, xla=xla == "on", observed=observed) for observed in (False, True)]
                for _ in range(arguments.turns)
            ]
            row = _row(network, xla, turns)
            table.add_row(*row)
            if not console.is_terminal:
                console.print(*row, sep=" | ")
    console.print(table)
    console.print(f"{platform.machine()}, one of {os.cpu_count()} cores, everything on, {arguments.turns} turns.")
    console.print("Factors are medians over turns (lowest-highest), observed over plain training side by side.")


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
    sizes: list[Any] = [factor("megabytes"), f"{record / 1000:.1f} kB"]
    return [network, xla, plain("first"), factor("first"), plain("later"), factor("later"), *sizes]


if __name__ == "__main__":
    main()
