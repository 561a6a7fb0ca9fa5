"""Prints the monitoring overhead.

python -m benchmarks
python -m benchmarks --quick
"""

from __future__ import annotations

import argparse
import os
import platform

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from rich.console import Console
from rich.table import Table

from benchmarks.measure import STEPS, TURNS, measure
from benchmarks.models import WORKLOADS

QUICK = ("CNN", "transformer")
"""One network whose outputs are large and one with many layers, without XLA: what a change is most likely to slow."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help=f"only {' and '.join(QUICK)}, without XLA")
    is_quick = parser.parse_args().quick
    columns = [
        "model",
        "XLA",
        "plain step",
        *(f"every {n}" for n in STEPS),
        "not observed",
        "tracing",
        "bytes a record",
    ]
    table = Table(*columns)
    console = Console(width=max(150, Console().width))
    for name, make in ((name, WORKLOADS[name]) for name in (QUICK if is_quick else WORKLOADS)):
        for jit_compile in (False,) if is_quick else (False, True):
            with console.status(f"{name}, XLA {'on' if jit_compile else 'off'}"):
                result = measure(make, jit_compile)
            row = [
                name,
                "on" if jit_compile else "off",
                f"{1000 * result.plain_step:.1f} ms",
                *(str(result.factors[interval]) for interval in STEPS),
                str(result.unobserved),
                f"{result.plain_tracing:.1f} s plain, {result.observed_tracing:.1f} s observed",
                f"{result.record_bytes:,.0f}",
            ]
            table.add_row(*row)
            if not console.is_terminal:
                console.print(*row, sep=" | ")
    console.print(f"{os.cpu_count()} cores, {platform.machine()}, TensorFlow {tf.__version__}, no GPU in use")
    console.print(f"Time of observed over plain training: median (lowest-highest) of {TURNS} turns, all statistics on.")
    console.print(table)


main()
