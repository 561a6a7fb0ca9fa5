"""Building blocks shared by many cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from benchmarks.cases.base import Training
from benchmarks.cases.data import Array, flat_digits

LOGITS = "logits"
"""Selects cross entropy of integer labels from logits in `compiled`."""


def compiled(model: keras.Model, optimizer: Any = "adam", loss: Any = LOGITS, **options: Any) -> keras.Model:
    """Compiles the model; XLA is off, so that a case is the same on every machine."""
    if loss == LOGITS:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False, **options)
    return model


def stack(
    activation: Any, widths: Sequence[int], outputs: int = 10, inputs: tuple[int, ...] = (64,), **options: Any
) -> keras.Sequential:
    """Dense layers `hidden_0`, `hidden_1`, ... and a linear `head`; `options` go to every hidden layer."""
    hidden = [layers.Dense(width, activation, name=f"hidden_{n}", **options) for n, width in enumerate(widths)]
    flat = [layers.Flatten(name="flatten")] if len(inputs) > 1 else []
    return keras.Sequential([layers.Input(inputs), *flat, *hidden, layers.Dense(outputs, name="head")])


def on_digits(
    model: keras.Model, optimizer: Any = "adam", data: tuple[Array, Array] | None = None, **options: Any
) -> Training:
    """The model, trained to classify standardized digits."""
    x, y = flat_digits() if data is None else data
    return Training(compiled(model, optimizer), x, y, **options)


def constant(value: float) -> keras.initializers.Initializer:
    return keras.initializers.Constant(value)


def normal(deviation: float) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, deviation)


def at_step(step: int, act: Any) -> keras.callbacks.Callback:
    """Calls `act(model)` before the step with this number, counted from 0."""
    count = iter(range(1 << 30))

    class AtStep(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if next(count) == step:
                act(self.model)

    return AtStep()


def learning_rate(value: float) -> Any:
    """For `at_step`: sets the learning rate."""

    def act(model: keras.Model) -> None:
        model.optimizer.learning_rate = value

    return act
