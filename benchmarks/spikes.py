"""Measures how well a stale second moment of Adam predicts spikes of the loss: `python -m benchmarks.spikes`.

Wortsman et al. 2023 (arXiv:2304.13013) find that the root mean square of gradient / √velocity rises one to eight steps
before spikes of large vision and language models. Records have it as `surprise`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits

from tb_activations import LayerHealth, load

HISTORY, DEVIATIONS, LEAST = 128, 6.0, 1.5
"""A spike is this many standard deviations above the mean of so many losses, and that many times the mean."""
APART = 16
"""Spikes that are fewer steps apart are one."""
AHEAD = 8
"""Steps before a spike in which it counts as predicted, at least one."""
THRESHOLDS = (1.5, 2.0, 2.5, 3.0, 4.0, 6.0)

Losses = NDArray[np.float64]


class Course(NamedTuple):
    """Of a training: `[steps]` losses, and the largest surprise of any matrix of weights."""

    name: str
    losses: Losses
    surprise: Losses


class Prediction(NamedTuple):
    """Of a threshold: how many spikes it predicts, how often it is crossed, and how often a spike follows."""

    predicted: int
    crossings: int
    right: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spikes")
    parser.add_argument("--steps", type=int, default=2000, help="of each training; default: 2000")
    parser.add_argument("--batch", type=int, default=32, help="samples of a batch; default: 32")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each kind; default: 2")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        courses = list(_courses(Path(folder), arguments.steps, arguments.batch, arguments.seeds))
    found = sum(len(spikes(course.losses)) for course in courses)
    steps = sum(len(course.losses) for course in courses)
    table = Table(title=f"{len(courses)} trainings, {steps} steps, {found} spikes", title_justify="left")
    for column in ("surprise above", "spikes predicted", "crossings", "followed by a spike"):
        table.add_column(column, justify="right")
    for threshold in THRESHOLDS:
        one = predict(courses, threshold)
        table.add_row(
            f"{threshold:g}", _share(one.predicted, found), f"{one.crossings}", _share(one.right, one.crossings)
        )
    Console().print(table)


def spikes(losses: Losses) -> list[int]:
    """The steps at which a spike begins."""
    begun: list[int] = []
    latest = -APART - 1
    for step in range(HISTORY // 4, len(losses)):
        recent = losses[max(0, step - HISTORY) : step]
        mean = recent.mean()
        if losses[step] > max(mean + DEVIATIONS * recent.std(), LEAST * mean):
            begun += [step] if step - latest > APART else []
            latest = step
    return begun


def predict(courses: Sequence[Course], threshold: float) -> Prediction:
    """How well crossings of the threshold predict the spikes of these trainings."""
    total = Prediction(0, 0, 0)
    for _, losses, surprise in courses:
        begun = spikes(losses)
        is_above = np.nan_to_num(surprise) > threshold
        crossed = np.flatnonzero(is_above[1:] & ~is_above[:-1]) + 1
        crossed = crossed[crossed >= HISTORY // 4]
        predicted = sum(bool(is_above[max(0, step - AHEAD) : step].any()) for step in begun)
        right = sum(any(0 < spike - step <= AHEAD for spike in begun) for step in crossed.tolist())
        total = Prediction(total.predicted + predicted, total.crossings + len(crossed), total.right + right)
    return total


def _courses(folder: Path, steps: int, batch: int, seeds: int) -> Iterator[Course]:
    """Trainings of small networks with Adam at rates that are high, but work."""
    digits = load_digits()
    x, y = (digits.images / 16).astype("float32")[..., None], digits.target
    for seed in range(seeds):
        for name, (build, rates) in NETWORKS.items():
            for rate in rates:
                keras.utils.set_random_seed(seed)
                model, run = build(), folder / f"{name}-{rate:g}-{seed}"
                model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
                health = LayerHealth(run, update_freq=1, image_freq=0, histogram_freq=0, stock_summaries=False)
                epochs = -(-steps * batch // len(x))
                model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0, callbacks=[health])
                yield _course(run)


def _course(run: Path) -> Course:
    recorded = load(run)
    matrices = [place for place, weight in enumerate(recorded.spec.weights) if len(weight.shape) > 1]
    surprise = np.asarray(recorded.weight_stat("surprise"), float)[:, matrices]
    largest = np.where(np.isnan(surprise), -np.inf, surprise).max(axis=1)
    return Course(run.name, np.asarray(recorded.step_stat("loss"), float), largest)


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole} ({part / whole:.0%})" if whole else "–"


def _dense(activation: str) -> keras.Model:
    hidden = [layers.Dense(64, activation) for _ in range(2)]
    return keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), *hidden, layers.Dense(10, "softmax")])


def _convolutions() -> keras.Model:
    body = [layers.Conv2D(16, 3, activation="relu", padding="same"), layers.Conv2D(32, 3, 2, activation="relu")]
    return keras.Sequential([layers.Input((8, 8, 1)), *body, layers.Flatten(), layers.Dense(10, "softmax")])


def _recurrent() -> keras.Model:
    rows = layers.Reshape((8, 8))
    return keras.Sequential([layers.Input((8, 8, 1)), rows, layers.GRU(32), layers.Dense(10, "softmax")])


def _transformer() -> keras.Model:
    inputs = layers.Input((8, 8, 1))
    body = layers.Dense(32)(layers.Reshape((8, 8))(inputs))
    for _ in range(3):
        normal = layers.LayerNormalization()(body)
        body = layers.Add()([body, layers.MultiHeadAttention(2, 16)(normal, normal)])
        normal = layers.LayerNormalization()(body)
        body = layers.Add()([body, layers.Dense(32)(layers.Dense(64, "gelu")(normal))])
    return keras.Model(inputs, layers.Dense(10, "softmax")(layers.GlobalAveragePooling1D()(body)))


NETWORKS: dict[str, tuple[Callable[[], keras.Model], tuple[float, ...]]] = {
    "dense": (lambda: _dense("relu"), (0.003, 0.01)),
    "tanh": (lambda: _dense("tanh"), (0.01,)),
    "convolutions": (_convolutions, (0.003, 0.01)),
    "recurrent": (_recurrent, (0.01, 0.03)),
    "transformer": (_transformer, (0.003, 0.01)),
}
"""Builders, and learning rates of Adam."""


if __name__ == "__main__":
    main()
