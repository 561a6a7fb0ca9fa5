"""Kills a training in one folder repeatedly: what was flushed must be readable, and the next training continues it.

`python -m benchmarks.kills [TIMES SEED]`; exits with 1 if anything that was flushed is lost.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

from tb_activations import load
from tb_activations.events.reader import run_names

ROOT = Path(__file__).parent.parent
TIMES, SEED = 20, 0
LONGEST_WAIT = 1.5
"""Seconds between the first flush and the kill; before it nothing is guaranteed."""
EPOCHS = 1_000_000


def main() -> None:
    times, seed = map(int, sys.argv[1:] or (TIMES, SEED))
    order = random.Random(seed)
    complaints: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        folder = str(Path(place, "run"))
        known = np.zeros((0, 1, 1), np.float32)
        for time in range(times):
            flushed = _kill_after(folder, order.uniform(0, LONGEST_WAIT))
            run = load(folder)
            steps = run.steps.tolist()
            if steps != list(range(len(steps))):
                complaints.append(f"kill {time}: steps are missing or out of order: {steps[:5]} ... {steps[-5:]}")
            if len(steps) <= flushed:
                complaints.append(f"kill {time}: flushed up to step {flushed}, the file ends at {steps[-1]}")
            # Steps after the checkpoint are repeated.
            common = min(len(run.layer_table), len(known))
            if common and not np.array_equal(run.layer_table[:common], known[:common], equal_nan=True):
                complaints.append(f"kill {time}: earlier records have changed")
            print(f"kill {time}: {flushed + 1} steps flushed, {len(steps)} readable", flush=True)
            known = run.layer_table
        if run_names(place) != ["run"]:
            complaints.append(f"the history is in several folders: {run_names(place)}")
    for complaint in complaints:
        print("BROKEN", complaint)
    print(f"{times} kills, {len(known)} steps in one history, {len(complaints)} complaints")
    sys.exit(bool(complaints))


def _kill_after(folder: str, seconds: float) -> int:
    """Continues the training in the folder, kills it this long after its first flush; returns the last flushed step."""
    command = [sys.executable, "-m", "tests.faults.child", folder, str(EPOCHS)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        timer = threading.Timer(seconds, process.send_signal, [signal.SIGKILL])
        timer.start()
        # An incomplete last line belongs to a flush that had not finished.
        log = [first, *process.stdout.readlines()]
        timer.join()
    return max(int(line) for line in log if line.endswith("\n"))


if __name__ == "__main__":
    main()
