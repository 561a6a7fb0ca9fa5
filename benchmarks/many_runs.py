"""Measures many runs in one log directory: `python -m benchmarks.many_runs [RUNS]`, 1,000 by default.

Times `runs`, `report` and `check`, and the tab's list of runs, first and repeated, compared with TensorBoard's own list
of scalars. Exits with 1 if a promise is broken.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tb_activations.events.reader import run_names
from tests.live_server import Server, serve, wait_for
from tests.synthetic import write_run

RUNS = 1000
LONGEST_COMMAND = 30.0
"""Seconds for 1,000 runs."""
START, EACH = 2.0, 0.03
"""Seconds of `check`: start-up, and per run."""
TIMES, MORE = 5, 1.0
"""The tab's first list compared with TensorBoard's own: factor, and additional seconds."""


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with tempfile.TemporaryDirectory() as folder:
        top = _written(Path(folder), count)
        print(f"{count} runs")
        print(f"runs()                       {_seconds(lambda: run_names(top)):.1f} s")
        check, report = (_seconds(partial(_command, name, top)) for name in ("check", "report"))
        longest = LONGEST_COMMAND * max(count / RUNS, 1)
        print(f"check                        {check:.1f} s (promised: at most {START + EACH * count:.0f})")
        print(f"report                       {report:.1f} s (promised: at most {longest:.0f})")
        with serve(top) as server:
            own, scalars = _lists(server, count)
    print(f"first list of runs in the tab {own:.1f} s (promised: at most {TIMES * scalars + MORE:.1f})")
    print(f"TensorBoard's list of scalars {scalars:.2f} s")
    sys.exit(check > START + EACH * count or report > longest or own > TIMES * scalars + MORE)


def _written(folder: Path, count: int) -> Path:
    source = write_run(folder / "one", layers=4, steps=36, units=16)
    top = folder / "logs"
    for index in range(count):
        shutil.copytree(source.parent, top / f"lr={index}")
    return top


def _command(name: str, top: Path) -> None:
    command = [sys.executable, "-m", "tb_activations", name, str(top)]
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode not in (0, 1):
        raise RuntimeError(f"{name} could not read the runs")


def _lists(server: Server, count: int) -> tuple[float, float]:
    """Seconds of the tab's first `runs`, and of the list of the Scalars tab."""
    scalars = server.url + "data/plugin/scalars/tags"
    wait_for(lambda: len(server.request(server.url + "data/runs").json) >= count or None, "all runs", 600.0)
    theirs = _seconds(lambda: server.request(scalars))
    return _seconds(lambda: server.get("runs")), theirs


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
