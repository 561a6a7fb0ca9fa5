"""Measures the monitoring overhead by how often a training is observed.

python -m benchmarks --markdown docs/benchmarks.md
python -m benchmarks --quick
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# What else runs on a shared machine disturbs less.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from rich.console import Console
from rich.table import Table

from benchmarks.measure import FEWEST, INTERVALS, MOST, OF_INTERVALS, SEEN_ONCE, TURN_SECONDS, TURNS, Measured, measure
from benchmarks.models import WORKLOADS
from benchmarks.page import machine, replace_section, table, today, with_others

QUICK = ("CNN", "transformer")
"""One network whose outputs are large and one with many layers, without XLA: what a change is most likely to slow."""


COLUMNS = (
    "model",
    "XLA",
    "plain step",
    *(f"every {interval}" for interval in INTERVALS),
    "not observed",
    "tracing",
    "bytes a record",
    "on",
)
TITLE = "## How often to observe"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help=f"only {' and '.join(QUICK)}, without XLA")
    parser.add_argument("--only", nargs="*", choices=WORKLOADS, help="these networks; default: all")
    parser.add_argument("--markdown", type=Path, help="also write the section into this file")
    arguments = parser.parse_args()
    names = QUICK if arguments.quick else arguments.only or WORKLOADS
    console = Console(width=max(150, Console().width))
    rows = []
    for name in names:
        for jit_compile in (False,) if arguments.quick else (False, True):
            with console.status(f"{name}, XLA {'on' if jit_compile else 'off'}"):
                rows.append(_row(name, measure(WORKLOADS[name], jit_compile), "on" if jit_compile else "off"))
            if not console.is_terminal:
                console.print(*rows[-1], sep=" | ")
    shown = Table(*COLUMNS)
    for row in rows:
        shown.add_row(*row)
    console.print(shown)
    if arguments.markdown is not None:
        replace_section(arguments.markdown, _section(with_others(rows, arguments.markdown, TITLE)))


def _row(name: str, result: Measured, xla: str) -> list[str]:
    return [
        name,
        xla,
        f"{1000 * result.plain_step:.1f} ms",
        *(str(result.factors[interval]) for interval in INTERVALS),
        str(result.unobserved),
        f"{result.plain_tracing:.1f} s plain, {result.observed_tracing:.1f} s observed",
        f"{result.record_bytes:,.0f}",
        today(),
    ]


def _section(rows: Sequence[Sequence[str]]) -> str:
    return f"""{TITLE}

{machine("tensorflow", "keras")}.

Time of observed over plain training: median (lowest-highest) of {TURNS} turns where every step is observed, else of
{OF_INTERVALS}; of {FEWEST} to {MOST} steps, about {TURN_SECONDS} seconds each, everything on, random data, one thread,
by the interval between observed steps (`update_freq`). "Not observed" has the callback, but no observed step. Every
{SEEN_ONCE} steps and more was seen once. The last column has the date of a row.

{table(COLUMNS, rows)}"""


main()
