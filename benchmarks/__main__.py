"""Measures the monitoring overhead by how often a training is observed.

python -m benchmarks --markdown docs/benchmarks.md
python -m benchmarks --quick
"""

from __future__ import annotations

import argparse
import functools
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

from benchmarks.measure import EVERY, FEWEST_STEPS, INTERVALS, LONGEST, SOME, TURN_SECONDS, Measured, measure
from benchmarks.models import WORKLOADS
from benchmarks.page import machine, measured_now, replace_section, table, with_others

QUICK = ("CNN", "transformer")
"""One network whose outputs are large and one with many layers, without XLA: what a change is most likely to slow."""


COLUMNS = (
    "model",
    "XLA",
    "plain step",
    *(f"every {interval}" for interval in INTERVALS),
    "not observed",
    "end of the epoch",
    "first step",
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
    rows, measured = [], functools.partial(measure, is_quick=arguments.quick)
    for name in names:
        for jit_compile in (False,) if arguments.quick else (False, True):
            with console.status(f"{name}, XLA {'on' if jit_compile else 'off'}"):
                rows.append(_row(name, measured(WORKLOADS[name], jit_compile), "on" if jit_compile else "off"))
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
        *(str(result.factors.get(interval) or "-") for interval in INTERVALS),
        str(result.unobserved),
        f"{1000 * result.end:.0f} ms more",
        f"{result.plain_first:.1f} s plain, {result.observed_first:.1f} s observed",
        f"{result.record_bytes:,.0f}",
        measured_now(),
    ]


def _section(rows: Sequence[Sequence[str]]) -> str:
    return f"""{TITLE}

{machine("tensorflow", "keras")}.

Time of observed over plain training by the interval between observed steps (`update_freq`): median (10th-90th
percentile) of up to {EVERY[1]} turns where every step is observed, else of up to {SOME[1]}, fewer if they are long. Two
trainings take turns in one process, about {TURN_SECONDS} second each, at least {FEWEST_STEPS} steps and one observed
step; a turn ends when its last record is judged. Everything on, random data, one thread. "Not observed" has the
callback, but no observed step. "End of the epoch" is what pictures, histograms and the rest take there, with every step
observed. A turn longer than {LONGEST // 60} minutes was not measured. The last column has date and version of a row.

{table(COLUMNS, rows)}"""


main()
