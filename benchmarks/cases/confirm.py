"""Trains cases without the callback and prints whether the measurements confirm what they claim.

python -m benchmarks.cases.confirm               # every case from outside
python -m benchmarks.cases.confirm NAME ...      # these cases
python -m benchmarks.cases.confirm --stored      # what is already measured, without training
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.cases import CASES
from benchmarks.cases.base import FAMILIES
from benchmarks.cases.scoring import unconfirmed_claims
from benchmarks.cases.training import MEASURED, load_measurements, measure
from benchmarks.cases.truth import facts


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if every chosen case is confirmed, else 1."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - CASES.keys():
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    names = chosen.names or [case.name for case in CASES.values() if case.is_outside]
    names = [name for name in names if chosen.family in (None, CASES[name].family)]
    if chosen.stored:
        names = [name for name in names if (chosen.keep / name / MEASURED).exists()]
    began = time.process_time()
    confirmed = [_confirm(name, chosen) for name in names]
    print(f"{sum(confirmed)} of {len(names)} confirmed, {time.process_time() - began:.0f} s of CPU time")
    return 0 if all(confirmed) else 1


def _confirm(name: str, chosen: argparse.Namespace) -> bool:
    """Measures one case and prints a line about it, and one for each claim that is not confirmed."""
    case, folder, began = CASES[name], chosen.keep / name, time.process_time()
    if not chosen.stored:
        try:
            measure(case, folder, chosen.seed)
        except Exception as error:
            print(f"FAILED {name}", *traceback.format_exception(error), sep="\n", flush=True)
            return False
    seconds = time.process_time() - began
    measured = load_measurements(folder)
    unconfirmed = unconfirmed_claims(case, measured)
    claim = case.rule or "healthy"
    outcome = "UNCONFIRMED" if unconfirmed else "confirmed"
    print(f"{outcome} {name} ({claim}), {seconds:.1f} s: {measured.progress}", flush=True)
    for line in [*unconfirmed, *(map(str, facts(measured)) if chosen.verbose else ())]:
        print(f"    {line}", flush=True)
    return not unconfirmed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.cases.confirm", description="Is the truth as claimed?")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all from outside")
    parser.add_argument("--family", choices=FAMILIES, help="only the cases of this family")
    parser.add_argument("--seed", type=int, default=0, help="train with this seed")
    parser.add_argument("--keep", type=Path, default=Path("logs/confirm"), help="folder for the measurements")
    parser.add_argument("--stored", action="store_true", help="do not train; judge the measurements in the folder")
    parser.add_argument("--verbose", action="store_true", help="print every fact, also the arguable ones")
    return parser


if __name__ == "__main__":
    sys.exit(main())
