"""Custom training loops for the models of `tests.training.models`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.training.models import KINDS, small

BATCH = 32
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
Step = Callable[[Any, Any], Any]
Compiler = Callable[[Step], Step]


def batches(x: Any, y: Any, epochs: int = 1) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    for _ in range(epochs):
        for start in range(0, len(x), BATCH):
            yield tf.constant(x[start : start + BATCH]), tf.constant(y[start : start + BATCH])


def build(kind: str = "", seed: int = 0) -> tuple[keras.Model, Any, Any]:
    """One of `KINDS`, or the small model."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    model, x, y = (KINDS[kind] if kind else small)()
    model(x[:1])
    return model, x, y


def train_step(model: keras.Model, optimizer: Any) -> Step:
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = LOSS(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


def run_loop(compiler: Compiler, model: keras.Model, x: Any, y: Any, epochs: int = 1) -> list[np.ndarray]:
    step = compiler(train_step(model, keras.optimizers.SGD()))
    for batch in batches(x, y, epochs):
        step(*batch)
    weights: list[np.ndarray] = model.get_weights()
    return weights


def assert_same(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)
