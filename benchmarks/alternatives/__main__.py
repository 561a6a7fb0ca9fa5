"""Times every way, in processes of their own, in turns, and writes its section of docs/benchmarks.md.

python -m benchmarks.alternatives --markdown docs/benchmarks.md
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from benchmarks.page import machine, replace_section, table

ONE_CORE = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
PLACES = {
    "in_keras": (
        "LayerHealth, default",
        "LayerHealth, every step",
        "TensorBoard(histogram_freq=1)",
        "web recipe, every epoch",
        "web recipe, every step",
    ),
    "in_torch": ("wandb.watch(log='all'), every step", "a hook on each layer, every step"),
}
WATCHED = {
    "LayerHealth, default": "outputs, gradients and weights of all layers, judged; as often as 2 % allow",
    "LayerHealth, every step": "the same",
    "TensorBoard(histogram_freq=1)": "weights, once an epoch of 28 steps",
    "web recipe, every epoch": "outputs and gradients of one batch",
    "web recipe, every step": "the same",
    "wandb.watch(log='all'), every step": "histograms of weights and gradients; no outputs",
    "a hook on each layer, every step": "three statistics of each output, norms of gradients; nothing is written",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alternatives")
    parser.add_argument("--turns", type=int, default=3, help="trainings of each kind; default: 3")
    parser.add_argument("--markdown", type=Path, help="also write the section into this file")
    parser.add_argument("--one", nargs=2, metavar=("PLACE", "WAY"), help="time one training in this process")
    arguments = parser.parse_args()
    if arguments.one:
        place, way = arguments.one
        with tempfile.TemporaryDirectory() as folder:
            print(importlib.import_module(f"benchmarks.alternatives.{place}").seconds(way, Path(folder)))
        return
    rows = [row for place, ways in PLACES.items() for row in _rows(place, ways, arguments.turns)]
    text = _section(rows, arguments.turns)
    print(text)
    if arguments.markdown is not None:
        replace_section(arguments.markdown, text)


def _rows(place: str, ways: Sequence[str], turns: int) -> list[list[str]]:
    took = [{way: _took(place, way) for way in ("plain", *ways)} for _ in range(turns)]
    framework = "Keras" if place == "in_keras" else "PyTorch"
    rows = []
    for way in ways:
        ratios = [turn[way] / turn["plain"] for turn in took]
        factor = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        plain = f"{1000 * statistics.median(turn['plain'] for turn in took):.0f} ms"
        rows.append([way, WATCHED[way], framework, plain, factor])
        print(" | ".join(rows[-1]), flush=True)
    return rows


def _took(place: str, way: str) -> float:
    command = [sys.executable, "-m", "benchmarks.alternatives", "--one", place, way]
    environment = {**os.environ, **ONE_CORE, "TF_CPP_MIN_LOG_LEVEL": "3", "WANDB_SILENT": "true"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def _section(rows: Sequence[Sequence[str]], turns: int) -> str:
    versions = machine("tensorflow", "keras")
    others = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "wandb"))
    columns = ("way", "what it watches", "framework", "plain step", "observed")
    return f"""## Other ways to watch a training

{versions}, {others}.

Four convolutions with batch normalization and ReLU on scikit-learn's digits, 32 x 32 pixels, batches of 64, one thread,
XLA off. "Observed" is the time of a step over that of the plain training in the same framework and turn, averaged over
three epochs after the first: median of {turns} turns (lowest-highest). By default, so short a training (7 seconds) is
still observed densely.

{table(columns, rows)}"""


if __name__ == "__main__":
    main()
