"""Compares minutes of a training with the default callback to the same training without it.

`python -m benchmarks.ten_minutes [--minutes 10] [--markdown docs/benchmarks.md]`

Two trainings of ResNet50 take turns in one process, a step of one and then a step of the other, so that whatever else
runs on the machine slows both alike. Judging and writing, usually on threads of their own, happen on the training's
thread here: all that they take is counted.
"""

from __future__ import annotations

import argparse
import functools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.in_turns import InTurn, Turns, run
from benchmarks.page import machine, replace_section, table
from benchmarks.real_networks.networks import BATCH, NETWORKS, SIDE
from tb_activations import LayerHealth, load
from tb_activations.recording.settings import Clocks

NETWORK = "ResNet50"
MINUTE = 60.0
FIRST = 12
"""Steps that do not count: they trace, compile, and are observed one and all."""


class Took(NamedTuple):
    """Seconds of every turn of the plain training and of the observed one, and the number of steps of an epoch."""

    plain: NDArray[np.float64]
    observed: NDArray[np.float64]
    epoch: int


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
        took = _trained(60 * arguments.minutes, folder)
        steps = load(folder).steps
        size = sum(path.stat().st_size for path in Path(folder).glob("*tfevents*"))
    text = _section(list(_rows(took, steps)), steps, took, size)
    print(text)
    if arguments.markdown is not None:
        replace_section(arguments.markdown, text)


def _trained(seconds: float, folder: str) -> Took:
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
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
        # One iterator for all epochs, as in `benchmarks.remote`.
        data = tf.data.Dataset.from_tensor_slices((x, y)).repeat().batch(BATCH).prefetch(2)
        model.fit(data, steps_per_epoch=len(x) // BATCH, epochs=10**6, verbose=0, callbacks=callbacks[number])

    run([functools.partial(train, number) for number in range(2)], in_turn)
    plain, observed = (np.array(one.seconds[:-1]) for one in in_turn)
    return Took(plain, observed, len(trainings[0][1]) // BATCH)


def _rows(took: Took, steps: NDArray[np.int64]) -> Iterator[list[str]]:
    plain, observed, epoch = took
    place = np.arange(len(plain))
    is_later = np.cumsum(plain) > MINUTE
    # The turn after the last step of an epoch also does what ends an epoch.
    is_end = (place > 0) & (place % epoch == 0)
    parts = {
        f"the first {FIRST} steps": place < FIRST,
        "the rest of the first minute": (place >= FIRST) & ~is_later,
        "all later steps": is_later,
        "of these, ends of epochs": is_later & is_end,
        "of these, observed steps": is_later & ~is_end & np.isin(place, steps),
        "of these, all others": is_later & ~is_end & ~np.isin(place, steps),
        "the first end of an epoch": place == epoch,
        "the whole training": place >= 0,
    }
    for name, chosen in parts.items():
        if chosen.any():
            without, with_it = plain[chosen].sum(), observed[chosen].sum()
            factor = f"{with_it / without:.3f}"
            yield [name, f"{np.count_nonzero(chosen)}", f"{without:.1f} s", f"{with_it:.1f} s", factor]


def _section(rows: list[list[str]], steps: NDArray[np.int64], took: Took, size: int) -> str:
    began = np.cumsum(took.observed)[np.minimum(steps, len(took.observed) - 1)]
    return f"""## A training of ten minutes

{machine("tensorflow", "keras")}.

{NETWORK} on scikit-learn's digits, batches of {BATCH}, {SIDE} x {SIDE} pixels, Adam, one thread, XLA off, once. The
callback has its defaults, pictures included. The two trainings take turns in one process, step by step; judging and
writing are counted. {len(steps)} records, {size / 1e6:.1f} MB; at most {np.diff(began).max():.0f} seconds of training
lie between two of them.

{table(["part", "steps", "plain", "observed", "factor"], rows)}"""


if __name__ == "__main__":
    main()
