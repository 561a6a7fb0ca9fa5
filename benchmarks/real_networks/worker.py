"""Trains one network for a few steps in this process and prints, as JSON, what it took.

python -m benchmarks.real_networks.worker NETWORK [--observed] [--xla] [--steps N]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import keras

from benchmarks.real_networks.networks import BATCH, NETWORKS
from tb_activations import LayerHealth
from tb_activations.events import schema
from tb_activations.events.files import event_files, own_events


@dataclasses.dataclass(frozen=True)
class Took:
    """Seconds of the first step, median seconds of the steps after the second, peak memory, bytes a record."""

    first: float
    later: float
    megabytes: float
    record_bytes: float


class Times(keras.callbacks.Callback):
    """The seconds of each step, until its results are here."""

    async_safe = False

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._began = 0.0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self._began)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_networks.worker")
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--observed", action="store_true")
    parser.add_argument("--xla", action="store_true")
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)
    model, x, y = NETWORKS[arguments.network]()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=arguments.xla)
    rows = BATCH * arguments.steps
    with tempfile.TemporaryDirectory() as folder:
        times = Times()
        callbacks = [times, *([LayerHealth(folder, update_freq=1)] if arguments.observed else [])]
        model.fit(x[:rows], y[:rows], batch_size=BATCH, shuffle=False, verbose=0, callbacks=callbacks)
        record_bytes = _record_bytes(Path(folder)) if arguments.observed else 0.0
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            dataclasses.asdict(Took(times.seconds[0], statistics.median(times.seconds[2:]), memory, record_bytes))
        )
    )


def _record_bytes(folder: Path) -> float:
    """Size of the smallest record: without histograms and a full table of its units, as most of a long run are."""
    sizes = [
        event.summary.ByteSize()
        for file in event_files(folder)
        for event in own_events(file)
        if any(value.tag == schema.LAYERS for value in event.summary.value)
    ]
    return float(min(sizes))


if __name__ == "__main__":
    main()
