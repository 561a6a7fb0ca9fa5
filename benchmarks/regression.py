"""Regression tests in numbers: repeats an unchanged training, with one and two threads, and changes it in nine ways.

`python -m benchmarks.regression` trains in fresh processes, because TensorFlow reads its number of threads at start.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tb_activations.events.reader import load
from tb_activations.events.run import Run
from tb_activations.testing import Comparison, Tolerances, compare, suggest_tolerances

REPEATS = 20
THREADS = (1, 2)
SUGGESTED_FROM = 2
"""Repetitions with each number of threads from which tolerances are suggested; the others are compared with them."""
DEFAULT = Tolerances.of(1e-3, 1e-6)
"""What `layer_health_golden` applies."""


def main() -> None:
    """Trains, compares and prints; exit status 1 if a change was missed or an unchanged training was not equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", metavar="DIR", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        _train(arguments.train, arguments.names)
        return
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(_measure(Path(folder)))


def _train(folder: Path, names: Sequence[str]) -> None:
    """Records one training for each name, "kind:change:number", into this folder."""
    from tb_activations import LayerHealth
    from tests.golden.changes import train

    for name in names:
        kind, change, _ = name.split(":")
        callback = LayerHealth(folder / name, update_freq=1, image_freq=0, histogram_freq=0, stock_summaries=False)
        if kind == "dense":
            train(change, callback)
        else:
            _train_convolutions(callback)


def _train_convolutions(callback: Any) -> None:
    """Four steps of a network that is large enough for its operations to be split over threads."""
    import keras

    from benchmarks.models import cnn

    keras.utils.set_random_seed(0)
    model, *_ = cnn()
    random = np.random.default_rng(0)
    x, y = random.normal(size=(256, 32, 32, 3)).astype("float32"), random.integers(0, 10, 256)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss, jit_compile=False)
    model.fit(x, y, batch_size=64, shuffle=False, verbose=0, callbacks=[callback])


def _measure(folder: Path) -> int:
    from tests.golden.changes import CHANGES

    console = Console(width=max(140, Console().width))
    missed = 0
    for kind in ("dense", "convolutional"):
        for threads in THREADS:
            count = REPEATS + 1 if threads == 1 else 2 * SUGGESTED_FROM
            names = [f"{kind}::{number}" for number in range(count)]
            names += [f"{kind}:{change}:0" for change in CHANGES] if kind == "dense" and threads == 1 else []
            with console.status(f"{kind}, {threads} threads: {len(names)} trainings"):
                _in_process(folder / str(threads), threads, names)
        missed += _repeats(console, folder, kind)
    missed += _changes(console, folder, list(CHANGES))
    return int(missed > 0)


def _in_process(folder: Path, threads: int, names: Sequence[str]) -> None:
    variables = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **dict.fromkeys(variables, str(threads))}
    command = [sys.executable, "-m", "benchmarks.regression", "--train", str(folder), *names]
    subprocess.run(command, env=environment, check=True)


def _unchanged(folder: Path, threads: int, kind: str) -> list[Run]:
    """The repetitions in the order in which they were recorded."""
    paths = sorted((folder / str(threads)).glob(f"{kind}::*"), key=lambda path: int(path.name.rpartition(":")[2]))
    return [load(path) for path in paths]


def _repeats(console: Console, folder: Path, kind: str) -> int:
    """Prints how many repetitions are equal; the number of those that should be and are not."""
    one, two = (_unchanged(folder, threads, kind) for threads in THREADS)
    exact = [compare(one[0], run, Tolerances.of(0, 0)).is_equal for run in one[1:]]
    across = compare(one[0], two[0], Tolerances.of(0, 0))
    largest = across.largest(1)
    tolerances = suggest_tolerances([*one[:SUGGESTED_FROM], *two[:SUGGESTED_FROM]])
    within = [compare(one[0], run, tolerances) for run in (*one[SUGGESTED_FROM:], *two[SUGGESTED_FROM:])]
    console.print(
        f"{kind}: {sum(exact)} of {len(exact)} repetitions with one thread are exactly equal. "
        f"Two threads differ from one in {len(across.differences)} statistics"
        + (f", the largest by {largest[0].size:.1e} of its value. " if largest else ". ")
        + f"{sum(found.is_equal for found in within)} of {len(within)} others are equal within suggested tolerances."
    )
    return exact.count(False) + sum(not found.is_equal for found in within)


def _changes(console: Console, folder: Path, changes: Sequence[str]) -> int:
    """Prints what each change of the dense network is reported as; the number of changes that were missed."""
    expected = load(folder / "1", "dense::0")
    table = Table("change", "first step", "first layer", "statistic", "recorded cause", "lines")
    missed = 0
    for change in changes:
        found: Comparison = compare(expected, load(folder / "1", f"dense:{change}:0"), DEFAULT)
        first = found.first_in_a_layer
        missed += first is None
        causes = [one.what for cause, group in found.grouped.items() if cause != "statistic" for one in group]
        place = (str(first.step), str(first.layer), first.what) if first else ("missed", "", "")
        table.add_row(change, *place, ", ".join(dict.fromkeys(causes)), str(len(found.text().splitlines())))
    console.print(table)
    return missed


if __name__ == "__main__":
    main()
