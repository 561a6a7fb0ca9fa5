"""Follows the advice for each sick case by script and trains again.

python -m benchmarks.advice                        # all cases; those with a stored result are not tried again
python -m benchmarks.advice --case NAME ...        # only these, again
python -m benchmarks.advice --stored               # no training: reports the stored results
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console

from benchmarks.advice import page
from benchmarks.advice.job import Job, follow
from benchmarks.advice.result import load
from benchmarks.cases import CASES


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if the advice mends the share of the cases that is promised."""
    chosen, console = _parser().parse_args(arguments), Console(width=160)
    names: list[str] = chosen.case or [name for name, case in CASES.items() if case.rule]
    # Shuffled, so that the results of a run that was interrupted are a fair sample.
    names = sorted(names, key=lambda name: zlib.crc32(name.encode()))
    jobs: list[Job] = [(name, chosen.sick / name, chosen.keep / name) for name in names]
    left = jobs if chosen.case else [job for job in jobs if load(job[2]) is None]
    left = [] if chosen.stored else left
    began = time.monotonic()
    # TensorFlow keeps the graphs of every model, so a process is replaced after a while.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=25) as pool:
        for done, line in enumerate(pool.imap(follow, left), 1):
            console.print(f"{done}/{len(left)} {time.monotonic() - began:.0f} s {line}", markup=False, soft_wrap=True)
    every = [(case, load(chosen.keep / name)) for name, case in CASES.items() if case.rule]
    results = [(case, result) for case, result in every if result is not None]
    console.print(page.summary(results), markup=False)
    if chosen.markdown:
        chosen.markdown.write_text(page.markdown(results, len(every)), "utf-8")
    return 0 if page.is_goal_met(results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.advice", description="Whether the advice helps.")
    parser.add_argument("--case", nargs="+", choices=CASES, metavar="NAME", help="only these cases, again")
    parser.add_argument("--sick", type=Path, default=Path("logs/accuracy"), help="folder of the sick trainings")
    parser.add_argument("--keep", type=Path, default=Path("logs/advice"), help="folder of the changed trainings")
    parser.add_argument("--stored", action="store_true", help="train nothing: report the stored results")
    parser.add_argument("--markdown", type=Path, help="also write the page of the documentation to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
