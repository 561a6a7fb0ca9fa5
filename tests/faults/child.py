"""Trains in a separate process: `python -m tests.faults.child LOG_DIR EPOCHS`, a line for every flush.

It begins with what `LOG_DIR.backup` holds. After its first epoch it waits for a line of input, if `wait` is the third
argument.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from tb_activations.recording.folder.writer import RunWriter
from tests.faults.observe import at_epoch, every_step, fit


def main(log_dir: str, epochs: int, is_waiting: bool) -> None:
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
    waiting = [at_epoch(1, sys.stdin.readline)] if is_waiting else []
    fit(every_step(log_dir), keras.callbacks.BackupAndRestore(f"{log_dir}.backup"), *waiting, epochs=epochs)


main(sys.argv[1], int(sys.argv[2]), sys.argv[3:] == ["wait"])
