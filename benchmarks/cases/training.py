"""Trains a case and stores the callback's records together with the measurements, or the measurements alone."""

from __future__ import annotations

import itertools
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks.cases.base import Case, Training
from benchmarks.cases.heads import heads
from benchmarks.cases.measure import Measured, static
from benchmarks.cases.measurements import Measurements
from tb_activations.callback import LayerHealth
from tb_activations.recording.settings import Clocks

MEASURED = "measured.json"


def train(case: Case, folder: Path, seed: int = 0, with_truth: bool = True) -> None:
    """Trains `case` from `seed` with the callback as users have it, into `folder`, which is emptied first."""
    training = _begin(case, folder, seed)
    ticks = itertools.count()
    # Time does not decide what is observed: the clock hardly moves.
    health = LayerHealth(
        folder / "run", update_freq=training.update_freq, histogram_freq=0, image_freq=0, stock_summaries=False
    )
    health._use_clocks(Clocks(lambda: next(ticks) * 1e-6))
    measured = Measured(training) if with_truth else None
    _fit(training, [health, *([measured] if measured else [])])
    if measured is not None:
        _store(training, measured, folder)


def measure(case: Case, folder: Path, seed: int = 0) -> None:
    """Trains `case` without the callback and stores the measurements in `folder`, which is emptied first."""
    training = _begin(case, folder, seed)
    measured = Measured(training)
    _fit(training, [measured])
    folder.mkdir(parents=True)
    _store(training, measured, folder)


def load_measurements(folder: Path) -> Measurements:
    """Reads what `train` or `measure` stored in `folder`."""
    return Measurements(**json.loads((folder / MEASURED).read_text("utf-8")))


def data_nonfinite(training: Training) -> int:
    """Number of NaN and infinite values among the arrays that are trained on."""
    data = [training.x, training.y, training.fit.get("sample_weight")]
    arrays = [np.asarray(value) for value in keras.tree.flatten(data) if isinstance(value, np.ndarray)]
    return sum(int((~np.isfinite(array)).sum()) for array in arrays if array.dtype.kind == "f")


def constant_loss(training: Training) -> float:
    """Loss of the best constant predictor for the common losses, NaN for others."""
    if training.constant_loss is not None:
        return training.constant_loss
    loss, y = training.model.loss, training.y
    name = getattr(loss, "name", None) or (loss if isinstance(loss, str) else "")
    if not isinstance(y, np.ndarray):
        return math.nan
    if "crossentropy" in name:
        shares = _class_shares(y)
        return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
    if name in ("mse", "mean_squared_error"):
        return float(y.reshape(len(y), -1).astype("float64").var(0).mean())
    return math.nan


def _begin(case: Case, folder: Path, seed: int) -> Training:
    shutil.rmtree(folder, ignore_errors=True)
    keras.backend.clear_session()
    keras.mixed_precision.set_dtype_policy("float32")
    keras.utils.set_random_seed(seed)
    return case.build()


def _fit(training: Training, callbacks: Sequence[keras.callbacks.Callback]) -> None:
    options = {"batch_size": training.batch_size, "epochs": training.epochs, "verbose": 0, **training.fit}
    options["callbacks"] = [*training.fit.get("callbacks", ()), *callbacks]
    training.model.fit(training.x, training.y, **options)
    keras.mixed_precision.set_dtype_policy("float32")


def _store(training: Training, measured: Measured, folder: Path) -> None:
    stored = {
        "layers": static(training),
        "constant_loss": constant_loss(training),
        "broken_step": measured.broken_step,
        "moments": measured.moments,
        "steps": {name: [float(f"{size:.3g}") for size in sizes] for name, sizes in measured.steps.items()},
        "goal": measured.goal,
        "rates": measured.rates,
        "batch_losses": [float(f"{loss:.5g}") for loss in measured.losses],
        "broken_loss_step": measured.broken_loss_step,
        "heads": heads(training),
        "data_nonfinite": data_nonfinite(training),
    }
    (folder / MEASURED).write_text(json.dumps(stored), "utf-8")


def _class_shares(y: Any) -> Any:
    if y.ndim > 1 and y.shape[-1] > 1:
        return y.mean(tuple(range(y.ndim - 1)))
    return np.bincount(y.ravel().astype(int)) / y.size
