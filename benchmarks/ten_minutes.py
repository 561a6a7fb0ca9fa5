"""Compares minutes of a training with the default callback to the same training without it.

`python -m benchmarks.ten_minutes [--minutes 10] [--markdown docs/benchmarks.md]`

Two trainings of ResNet50 take turns in one process, a step of one and then a step of the other, so that whatever else
runs on the machine slows both alike. Judging and writing, usually on threads of their own, happen on the training's
thread here: all that they take is counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import keras

from benchmarks.page import machine, replace_section, table
from benchmarks.real_networks.networks import BATCH, NETWORKS, SIDE
from tb_activations import LayerHealth, load
from tb_activations.recording.settings import Clocks

NETWORK = "ResNet50"
FIRST = 12
"""Steps that do not count: they trace, compile, and are observed one and all."""


class Turns:
    """Lets one of several threads run at a time; each hands over to the next that has not ended."""

    def __init__(self, count: int) -> None:
        self._running = list(range(count))
        self._now = 0
        self._changed = threading.Condition()

    def wait(self, number: int) -> None:
        """Returns when it is this thread's turn."""
        with self._changed:
            self._changed.wait_for(lambda: self._now == number)

    def hand_over(self, number: int, *, for_good: bool = False) -> None:
        """Ends this thread's turn, perhaps its last."""
        with self._changed:
            later = [*range(number + 1, max(self._running) + 1), *range(number + 1)]
            if for_good:
                self._running.remove(number)
            self._now = next((one for one in later if one in self._running), -1)
            self._changed.notify_all()


class InTurn(keras.callbacks.Callback):
    """Hands over after every step, and counts the seconds of this training's own turns.

    Attributes:
        seconds: of each turn: one step, with what ends an epoch before it.
    """

    async_safe = False

    def __init__(self, turns: Turns, number: int) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._turns, self._number = turns, number
        self._before, self._began = 0.0, time.perf_counter()

    def clock(self) -> float:
        """Seconds of all own turns so far."""
        return self._before + time.perf_counter() - self._began

    def begin(self) -> None:
        self._turns.wait(self._number)
        self._began = time.perf_counter()

    def end(self, *, for_good: bool = False) -> None:
        took = time.perf_counter() - self._began
        self._before += took
        self.seconds.append(took)
        self._turns.hand_over(self._number, for_good=for_good)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.end()
        self.begin()


class Ending(keras.callbacks.Callback):
    """Ends both trainings with the epoch in which the plain one has trained for this long."""

    def __init__(self, of: InTurn, seconds: float, models: list[keras.Model]) -> None:
        super().__init__()
        self._of, self._seconds, self._models = of, seconds, models

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._of.clock() >= self._seconds:
            for model in self._models:
                model.stop_training = True


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ten_minutes")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the plain training; default: 10")
    parser.add_argument("--markdown", type=Path, help="also write the section into this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain, observed = _trained(60 * arguments.minutes, folder)
        run = load(folder)
        records, size = len(run.steps), sum(path.stat().st_size for path in Path(folder).glob("*tfevents*"))
    rows = list(_rows(plain, observed, records, size))
    text = _section(rows)
    print(text)
    if arguments.markdown is not None:
        replace_section(arguments.markdown, text)


def _trained(seconds: float, folder: str) -> tuple[list[float], list[float]]:
    """Seconds of every turn of the plain training and of the observed one."""
    turns = Turns(2)
    keras.utils.set_random_seed(0)
    trainings = [NETWORKS[NETWORK]() for _ in range(2)]
    in_turn = [InTurn(turns, number) for number in range(2)]
    health = LayerHealth(folder)
    health._use_clocks(Clocks(in_turn[1].clock))
    ending = Ending(in_turn[0], seconds, [model for model, *_ in trainings])
    callbacks = [[ending, in_turn[0]], [health, in_turn[1]]]

    def train(number: int) -> None:
        model, x, y = trainings[number]
        in_turn[number].begin()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
        model.fit(x, y, batch_size=BATCH, epochs=10**6, verbose=0, callbacks=callbacks[number])
        in_turn[number].end(for_good=True)

    threads = [threading.Thread(target=train, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return in_turn[0].seconds, in_turn[1].seconds


def _rows(plain: list[float], observed: list[float], records: int, size: int) -> Iterator[list[str]]:
    parts = {
        f"the first {FIRST} steps": slice(0, FIRST),
        "the rest of the first minute": slice(FIRST, _minute(plain)),
        "all later steps": slice(_minute(plain), None),
        "the whole training": slice(0, None),
    }
    for name, part in parts.items():
        without, with_it = sum(plain[part]), sum(observed[part])
        if plain[part]:
            factor = f"{with_it / without:.3f}"
            yield [name, f"{len(plain[part])}", f"{without:.1f} s", f"{with_it:.1f} s", factor]
    yield ["records", f"{records}", "", "", f"{size / 1e6:.1f} MB"]
    yield ["median step", "", f"{statistics.median(plain):.3f} s", f"{statistics.median(observed):.3f} s", ""]


def _minute(seconds: list[float]) -> int:
    """The number of turns that begin within the first minute."""
    passed = 0.0
    for place, one in enumerate(seconds):
        if passed >= 60:
            return place
        passed += one
    return len(seconds)


def _section(rows: list[list[str]]) -> str:
    return f"""## A training of ten minutes

{machine("tensorflow", "keras")}.

{NETWORK} on scikit-learn's digits, batches of {BATCH}, {SIDE} x {SIDE} pixels, Adam, one thread, XLA off, once. The
callback has its defaults. The two trainings take turns in one process, step by step; judging and writing are counted.

{table(["part", "steps", "plain", "observed", "factor"], rows)}"""


if __name__ == "__main__":
    main()
