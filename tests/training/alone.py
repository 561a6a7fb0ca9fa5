"""Runs a training with and without the callback, from the same seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tb_activations import LayerHealth, load
from tb_activations.events.run import Run

Callbacks = Sequence[keras.callbacks.Callback]
Train = Callable[[Callbacks], keras.Model]
"""Creates and trains a model with these callbacks."""


def data(rows: int = 96) -> tuple[Any, Any]:
    """Eight features, and a target that is a sum of two of them."""
    x = np.random.default_rng(0).normal(size=(rows, 8)).astype("float32")
    return x, x[:, :1] + x[:, 1:2]


def observed(train: Train, log_dir: Path, **arguments: Any) -> Run:
    """The recorded run of a training; asserts that its weights are bit-identical to those without the callback."""
    alone, watched = _weights(train, []), _weights(train, [LayerHealth(log_dir, **arguments)])
    assert len(alone) == len(watched) > 0
    for one, other in zip(alone, watched, strict=True):
        np.testing.assert_array_equal(one, other)
    return load(log_dir)


def assert_whole(run: Run, first_step: int = 0) -> None:
    """Asserts that the run begins with the first step and has the weights of every layer with weights."""
    assert run.steps[0] == first_step
    weighted = [row for row, layer in enumerate(run.spec.layers) if layer.parameters and not layer.call_site]
    assert weighted
    assert np.isfinite(run.stat("weight_norm")[0, weighted]).all(), [layer.name for layer in run.spec.layers]


def _weights(train: Train, callbacks: Callbacks) -> list[np.ndarray[Any, Any]]:
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(3)
    weights: list[np.ndarray[Any, Any]] = train(callbacks).get_weights()
    return weights
