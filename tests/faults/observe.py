"""A small training with a fault, and the row of `docs/faults.md` that describes the outcome."""

from __future__ import annotations

import functools
import itertools
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from tb_activations import LayerHealth
from tests.training.models import digits

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"
EPOCHS, EPOCH_STEPS = 4, 8
STEPS = list(range(EPOCHS * EPOCH_STEPS))
SAME = "continues, same weights"

Weights = list[np.ndarray[Any, Any]]


def network() -> keras.Sequential:
    return keras.Sequential(
        [layers.Input((64,)), layers.Dense(16, "relu", name="hidden"), layers.Dense(10, name="head")]
    )


def fit(
    *callbacks: keras.callbacks.Callback,
    make: Callable[[], keras.Model] = network,
    model: keras.Model | None = None,
    epochs: int = EPOCHS,
    bad_sample: int | None = None,
    **compiled: Any,
) -> keras.Model:
    """Trains the result of `make` from a fixed seed, or this model again, for `EPOCHS` of `EPOCH_STEPS`.

    `bad_sample` is the index of a sample to fill with values out of range; `compiled` are arguments of `compile`.
    """
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    model = model or make()
    x, y = digits()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    x = x.reshape(len(x), 64)
    if bad_sample is not None:
        x[bad_sample] = 100.0
    # Its momentum is a state that a checkpoint has to bring back.
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    model.compile(optimizer, loss, jit_compile=False, **compiled)
    model.fit(x, y, batch_size=32, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks))
    return model


@functools.cache
def plain_weights() -> tuple[np.ndarray[Any, Any], ...]:
    """The weights after `fit` without observing."""
    return tuple(fit().get_weights())


def outcome(model: keras.Model, alone: Sequence[np.ndarray[Any, Any]] | None = None) -> str:
    """The outcome of the training, in the words of the table; NaN equals NaN."""
    pairs = zip(plain_weights() if alone is None else alone, model.get_weights(), strict=True)
    is_same = all(np.array_equal(one, other, equal_nan=True) for one, other in pairs)
    return SAME if is_same else "other weights"


def at_epoch(epoch: int, action: Any) -> keras.callbacks.Callback:
    """Calls `action` when an epoch (counted from 0) begins."""
    return keras.callbacks.LambdaCallback(on_epoch_begin=lambda now, logs: action() if now == epoch else None)


def at_step(step: int, action: Callable[[], object]) -> keras.callbacks.Callback:
    """Calls `action` before the step (counted from 0) of a model that has not been trained before."""
    steps = itertools.count()
    return keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: action() if next(steps) == step else None
    )


def every_step(log_dir: str | os.PathLike[str], **arguments: Any) -> LayerHealth:
    return LayerHealth(log_dir, update_freq=1, **arguments)


def check_row(fault: str, training: str, lost: str, told: Sequence[str]) -> None:
    """Compares the row of `fault` in the table with the result of a test.

    In the last cell each message is in backquotes, with "…" for text that differs from case to case.
    """
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.read_text("utf-8").splitlines()]
    found = [row for row in rows if row[0] == fault]
    assert len(found) == 1, f"docs/faults.md has {len(found)} rows of {fault!r}"
    assert found[0][1:3] == [training, lost]
    patterns = [".*".join(map(re.escape, text.split("…"))) for text in re.findall(r"`([^`]*)`", found[0][3])]
    assert len(patterns) == len(told), f"told: {list(told)}"
    for pattern, message in zip(patterns, told, strict=True):
        assert re.fullmatch(pattern, message), f"{message!r} is not what the table says: {pattern}"
