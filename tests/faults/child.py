"""Trains in a separate process: `python -m tests.faults.child LOG_DIR EPOCHS [STEP]`, a line for every flush.

It begins with what `LOG_DIR.backup` holds. Before `STEP` it prints `WAITING` and waits for a line of input.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from tb_activations.recording.folder.writer import RunWriter
from tests.faults.observe import at_step, every_step, fit
from tests.unoptimized import unoptimized

WAITING = "waiting"


def wait() -> None:
    print(WAITING, flush=True)
    sys.stdin.readline()


def main(log_dir: str, epochs: int, *waiting_at: int) -> None:
    last = -1
    write, flush = RunWriter.write, RunWriter.flush

    def remembering(self: RunWriter, summary: object, step: int) -> None:
        nonlocal last
        write(self, summary, step)
        last = step

    def talking(self: RunWriter) -> None:
        before = last
        flush(self)
        print(before, flush=True)

    RunWriter.write, RunWriter.flush = remembering, talking  # type: ignore[method-assign]
    waiting = [at_step(step, wait) for step in waiting_at]
    # As in the process that compares the weights.
    with unoptimized():
        fit(every_step(log_dir), keras.callbacks.BackupAndRestore(f"{log_dir}.backup"), *waiting, epochs=epochs)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
