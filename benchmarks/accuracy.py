"""Trains the known cases and prints how often the rules are right.

python -m benchmarks.accuracy                       # train all, judge all
python -m benchmarks.accuracy --rejudge logs/accuracy   # judge stored trainings with the present rules
python -m benchmarks.accuracy --seeds 30            # false alarms over new seeds of healthy trainings
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console

from benchmarks.cases import CASES, RULES, SEED_CASES, tables
from benchmarks.cases.scoring import judge, score
from benchmarks.cases.training import train

FIRST_SEED = 1000
"""First seed of `--seeds`; the cases themselves use seed 0."""

Job = tuple[str, Path, int, bool]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if every target is met, else 1."""
    chosen = _parser().parse_args(arguments)
    console = Console(width=max(140, Console().width))
    folder = chosen.rejudge or chosen.keep
    if chosen.seeds:
        return _seeds(console, folder / "seeds", chosen)
    names = [name for name in CASES if _is_wanted(name, chosen.case, chosen.rule)]
    if chosen.rejudge:
        names = [name for name in names if (folder / name / "measured.json").exists()]
    failed = (
        set() if chosen.rejudge else _train(console, [(n, folder / n, chosen.seed, True) for n in names], chosen.jobs)
    )
    results = [score(CASES[name], folder / name) for name in names if name not in failed]
    tables.show(console, results, failed, chosen.verbose)
    if chosen.markdown:
        chosen.markdown.write_text(tables.markdown(results), "utf-8")
    return 0 if not failed and tables.are_targets_met(results) else 1


def _seeds(console: Console, folder: Path, chosen: argparse.Namespace) -> int:
    names = [name for name in SEED_CASES if _is_wanted(name, chosen.case, None)]
    jobs = [
        (name, folder / name / str(seed), seed, False)
        for seed in range(FIRST_SEED, FIRST_SEED + chosen.seeds)
        for name in names
    ]
    failed = set() if chosen.rejudge else _train(console, jobs, chosen.jobs)
    stored = {name: sorted((folder / name).glob("[0-9]*"), key=lambda path: int(path.name)) for name in names}
    alarms = {name: {path.name: judge(path / "run") for path in paths} for name, paths in stored.items()}
    return 0 if tables.show_seeds(console, alarms) and not failed else 1


def _train(console: Console, jobs: Sequence[Job], workers: int) -> set[str]:
    """Trains everything in `workers` processes; returns the names of the cases that could not be trained."""
    failed = set()
    began = time.monotonic()
    context = multiprocessing.get_context("spawn")
    # TensorFlow keeps the graphs of every model, so a process is replaced after a while.
    with context.Pool(workers, maxtasksperchild=30) as pool:
        for done, (name, seed, outcome, is_trained) in enumerate(pool.imap_unordered(_train_one, jobs), 1):
            if not is_trained:
                failed.add(name)
            console.print(f"{done}/{len(jobs)} {name} seed {seed}: {outcome}", markup=False)
    console.print(f"{len(jobs)} trainings in {time.monotonic() - began:.0f} s")
    return failed


def _train_one(job: Job) -> tuple[str, int, str, bool]:
    """Name, seed, seconds or error, and whether it succeeded."""
    name, folder, seed, with_truth = job
    logging.getLogger("tb_activations").setLevel(logging.ERROR)
    began = time.process_time()
    try:
        train(CASES[name], folder, seed, with_truth)
    except Exception as error:
        return name, seed, "".join(traceback.format_exception(error)), False
    return name, seed, f"{time.process_time() - began:.1f} s of CPU time", True


def _is_wanted(name: str, names: Iterable[str] | None, rule: str | None) -> bool:
    return (not names or name in names) and (rule is None or CASES[name].rule == rule)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.accuracy", description="How often the rules are right.")
    parser.add_argument("--rule", choices=RULES, help="only the cases with this sickness")
    parser.add_argument("--case", nargs="+", choices=CASES, metavar="NAME", help="only these cases")
    parser.add_argument("--jobs", type=int, default=2, help="parallel processes (default: 2)")
    parser.add_argument("--keep", type=Path, default=Path("logs/accuracy"), help="folder for trainings and truths")
    parser.add_argument(
        "--rejudge", type=Path, metavar="DIR", help="judge the trainings stored in this folder without training"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="train with another seed than the one used to set the thresholds"
    )
    parser.add_argument("--seeds", type=int, default=0, help="instead: this many new seeds of healthy cases")
    parser.add_argument("--verbose", action="store_true", help="print every finding of every case")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
