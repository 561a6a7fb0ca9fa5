"""Tries random models and trainings in separate processes; exits with 1 if anything differs.

python -m benchmarks.odd_models                        # two hundred
python -m benchmarks.odd_models --first 17 --count 1   # one again, by its number
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.odd_models.description import describe
from benchmarks.odd_models.processes import outcomes
from benchmarks.odd_models.summary import table

COUNT, SECONDS = 200, 600
RESULTS = Path(__file__).parents[2] / "build" / "odd_models.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.odd_models")
    parser.add_argument("--first", type=int, default=0, help="number of the first description")
    parser.add_argument("--count", type=int, default=COUNT, help="how many descriptions")
    parser.add_argument("--only", type=int, nargs="*", help="these numbers instead")
    parser.add_argument("--jobs", type=int, default=2, help="processes at the same time")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="longest time for one description")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of the results")
    arguments = parser.parse_args()
    seeds = arguments.only or list(range(arguments.first, arguments.first + arguments.count))
    found = {}
    for outcome in outcomes(seeds, arguments.jobs, arguments.seconds):
        found[outcome["seed"]] = outcome
        is_off = outcome["complaints"] or outcome["notices"]
        print(f"{'OFF' if is_off else 'ok '} {outcome['seconds']:5.1f} s  {outcome['description']}", flush=True)
        for complaint in outcome["complaints"]:
            print(f"      COMPLAINT {complaint}", flush=True)
        if outcome["rounded"]:
            print(f"      ROUNDED {outcome['rounded']}", flush=True)
        for notice in outcome["notices"]:
            print(f"      LOG {notice[:400]}", flush=True)
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    arguments.results.write_text(json.dumps([found[seed] for seed in sorted(found)], indent=1), "utf-8")
    print(table({describe(seed): outcome for seed, outcome in sorted(found.items())}))
    sys.exit(any(outcome["complaints"] for outcome in found.values()))


if __name__ == "__main__":
    main()
