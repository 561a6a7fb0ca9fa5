"""Runs the requested cells, stores the results in `build/compatibility`, and writes `docs/compatibility.md` from them.

python -m benchmarks.compatibility                  # everything
python -m benchmarks.compatibility --mode "XLA on"  # one column
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.compatibility.table import MODE_NAMES, write

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "compatibility"
PAGE = ROOT / "docs" / "compatibility.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compatibility")
    parser.add_argument("--mode", choices=MODE_NAMES, help="only this mode, in this process")
    parser.add_argument("--kind", help="with --mode: only this kind of model")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--architecture", help="only this architecture, in this process")
    parser.add_argument("--only", choices=["modes", "architectures", "workers", "page"], help="only this part")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="parallel processes")
    arguments = parser.parse_args()
    results: Path = arguments.results
    results.mkdir(parents=True, exist_ok=True)
    if arguments.mode:
        run_mode(arguments.mode, arguments.kind, results)
    elif arguments.architecture:
        run_architecture(arguments.architecture, results)
    else:
        parts: list[tuple[str, str]] = []
        if arguments.only in (None, "modes"):
            parts += [("--mode", mode) for mode in MODE_NAMES]
        if arguments.only in (None, "architectures"):
            from benchmarks.compatibility.architectures import ARCHITECTURES

            parts += [("--architecture", name) for name in ARCHITECTURES]
        with ThreadPoolExecutor(arguments.jobs) as pool:
            ended = list(pool.map(lambda part: _in_a_process(results, *part), parts))
        if arguments.only in (None, "workers"):
            run_workers(results)
        write(results, PAGE)
        sys.exit(not all(ended))


def run_mode(name: str, only: str | None, results: Path) -> None:
    """Trains every kind, or only one, in one mode; each result is stored at once."""
    from benchmarks.compatibility.cell import try_cell
    from benchmarks.compatibility.kinds import KINDS
    from benchmarks.compatibility.modes import MODES

    mode = MODES[name]
    mode.prepare()
    for kind, make in KINDS.items():
        if only not in (None, kind):
            continue
        outcome = try_cell(make, mode)
        print(f"{name} | {kind} | {outcome}", flush=True)
        _keep(results, f"mode {name} {kind}", dataclasses.asdict(outcome) | {"mode": name, "kind": kind})


def run_architecture(name: str, results: Path) -> None:
    """One observed step of one architecture."""
    from benchmarks.compatibility.architectures import ARCHITECTURES, observe_one_step

    observed = observe_one_step(ARCHITECTURES[name])
    print(f"{name} | {observed}", flush=True)
    _keep(results, f"architecture {name}", dataclasses.asdict(observed) | {"architecture": name})


def run_workers(results: Path) -> None:
    """Compares two processes with one."""
    from benchmarks.compatibility.workers import compare

    compared = compare(results / "workers")
    print(compared, flush=True)
    _keep(results, "workers", dataclasses.asdict(compared))


def _in_a_process(results: Path, *arguments: str) -> bool:
    # One process per column: logical devices and determinism are set once per process, and memory is released.
    command = [sys.executable, "-m", "benchmarks.compatibility", "--results", str(results), *arguments]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        print(f"{arguments}: ended with {done.returncode}", flush=True)
    return not done.returncode


def _keep(results: Path, name: str, result: dict[str, object]) -> None:
    safe = "".join(character if character.isalnum() else "_" for character in name)
    (results / f"{safe}.json").write_text(json.dumps(result, indent=1), "utf-8")


main()
