"""Observes 50,000 training steps of a small model: is memory constant, are the event files within their bound?

`python -m benchmarks.long_run [STEPS]`; exits with 1 if not. Runs with the default cadence and with every step.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from sklearn.datasets import load_digits

from tb_activations import LayerHealth, load
from tb_activations.recording.spacing import CLOSE_RECORDS, FINEST_SHARE

EPOCH_STEPS = 1000
FLAT = 1.02
"""Resident memory at the end divided by that after a fifth of the steps."""
MIB = 2**20


class Memory(keras.callbacks.Callback):
    """Resident memory in MiB at the end of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.resident: list[float] = []

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.resident.append(pages * os.sysconf("SC_PAGE_SIZE") / MIB)


def main() -> None:
    steps = int([*sys.argv[1:], "50000"][0])
    broken = [_run(update_freq, steps) for update_freq in ("auto", "batch")]
    sys.exit(any(broken))


def _run(update_freq: str, steps: int) -> bool:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    x, y = load_digits(return_X_y=True)
    data = tf.data.Dataset.from_tensor_slices((x.astype("float32") / 16, y)).repeat().batch(32).prefetch(2)
    model = keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Dense(32, "relu"),
            keras.layers.Dense(32, "relu"),
            keras.layers.Dense(10),
        ]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    memory = Memory()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        model.fit(
            data,
            epochs=steps // EPOCH_STEPS,
            steps_per_epoch=EPOCH_STEPS,
            verbose=0,
            callbacks=[LayerHealth(folder, update_freq=update_freq), memory],
        )
        seconds = time.perf_counter() - start
        size = sum(path.stat().st_size for path in Path(folder).glob("*tfevents*"))
        records = len(load(folder).steps)
    bound = steps if update_freq == "batch" else record_bound(steps)
    warm, end = max(memory.resident[len(memory.resident) // 10 : len(memory.resident) // 5]), memory.resident[-1]
    print(
        f"update_freq={update_freq!r}: {steps} steps in {seconds:.0f} s; resident memory {memory.resident[0]:.0f} MiB "
        f"after {EPOCH_STEPS}, {warm:.0f} after a fifth, {end:.0f} at the end; {records} records (bound {bound}) "
        f"in {size / MIB:.1f} MiB of event files, {size / max(records, 1):.0f} bytes a record",
        flush=True,
    )
    return end > warm * FLAT or records > bound


def record_bound(steps: int) -> int:
    """Maximum number of records of a run with this many steps and `update_freq="auto"`, see `docs/events.md`."""
    return CLOSE_RECORDS + math.ceil((1 + math.log(max(1.0, steps * FINEST_SHARE))) / FINEST_SHARE)


if __name__ == "__main__":
    main()
