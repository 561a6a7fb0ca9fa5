"""Optimizers that do not count every step: gradients are accumulated, or loss scaling skips updates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations import LayerHealth, load

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
STEPS = 16
"""Steps per epoch."""


def accumulating() -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(0.01, gradient_accumulation_steps=4)


def skipping() -> keras.optimizers.Optimizer:
    """The first updates are skipped, because the scaled gradients are infinite."""
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=1e38)


class ByHand(keras.Sequential):
    """Accumulates the gradients of four steps in its own train step."""

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.sums = [tf.Variable(tf.zeros(one.shape), trainable=False) for one in self.trainable_variables]
        self.count = tf.Variable(0)

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        for total, gradient in zip(self.sums, tape.gradient(loss, self.trainable_variables), strict=True):
            total.assign_add(gradient)
        self.count.assign_add(1)
        tf.cond(self.count % 4 == 0, self.applied, lambda: 0)
        return {"loss": loss}

    def applied(self) -> int:
        self.optimizer.apply([total / 4 for total in self.sums], self.trainable_variables)
        for total in self.sums:
            total.assign(tf.zeros_like(total))
        return 0


def network(optimizer: keras.optimizers.Optimizer, **compiled: Any) -> keras.Model:
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((4,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    model.compile(optimizer, "mse", **{"jit_compile": False, **compiled})
    return model


def train(model: keras.Model, callback: LayerHealth, epochs: int = 1) -> None:
    model.fit(100 * X, X[:, :1], batch_size=4, epochs=epochs, shuffle=False, verbose=0, callbacks=[callback])


@pytest.mark.parametrize("optimizer", [accumulating, skipping])
@pytest.mark.parametrize("has_new_callback", [False, True])
def test_a_second_fit_keeps_the_steps_of_the_first(
    optimizer: Callable[[], keras.optimizers.Optimizer], has_new_callback: bool, tmp_path: Path
) -> None:
    model, callback = network(optimizer()), LayerHealth(tmp_path, update_freq=1)
    train(model, callback)
    assert int(model.optimizer.iterations) < STEPS
    train(model, LayerHealth(tmp_path, update_freq=1) if has_new_callback else callback)
    run = load(tmp_path)
    assert run.steps.tolist() == list(range(2 * STEPS))
    assert [epoch.step for epoch in run.epoch_metrics] == [STEPS - 1, 2 * STEPS - 1]


def test_an_interrupted_fit_keeps_its_steps_too(tmp_path: Path) -> None:
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 10:
                raise KeyboardInterrupt

    model, callback = network(accumulating()), LayerHealth(tmp_path, update_freq=1)
    train(model, callback)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, X[:, :1], batch_size=4, verbose=0, callbacks=[callback, Interrupt()])
    train(model, callback)
    assert load(tmp_path).steps.tolist() == list(range(STEPS + 11 + STEPS))


def test_executions_of_several_steps_are_numbered_by_their_batches(tmp_path: Path) -> None:
    train(network(accumulating(), steps_per_execution=4), LayerHealth(tmp_path, update_freq=8), epochs=2)
    run = load(tmp_path)
    # The very first step, then the last one of every execution that is observed.
    assert run.steps.tolist() == [0, 3, 11, 19, 27]
    assert [epoch.step for epoch in run.epoch_metrics] == [STEPS - 1, 2 * STEPS - 1]


@pytest.mark.parametrize("compiled", [{}, {"run_eagerly": True}, {"jit_compile": True}], ids=str)
@pytest.mark.parametrize("is_scaled", [False, True])
def test_a_step_that_only_accumulates_has_no_update(compiled: dict[str, Any], is_scaled: bool, tmp_path: Path) -> None:
    optimizer = accumulating()
    train(
        network(keras.optimizers.LossScaleOptimizer(optimizer, 1.0) if is_scaled else optimizer, **compiled),
        LayerHealth(tmp_path, update_freq=1),
    )
    run = load(tmp_path)
    is_known = np.isfinite(run.stat("update_ratio"))
    assert is_known.all(axis=1).tolist() == is_known.any(axis=1).tolist() == [False, False, False, True] * (STEPS // 4)
    assert np.isfinite(run.stat("weight_gradient_norm")).all()


def test_a_step_that_does_not_take_the_branch_of_the_optimizer_has_no_update(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = ByHand([layers.Input((4,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    optimizer = keras.optimizers.SGD(0.01)
    # Variables cannot be created in a branch.
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, "mse", jit_compile=False)
    train(model, LayerHealth(tmp_path, update_freq=1))
    run = load(tmp_path)
    is_known = np.isfinite(run.stat("update_ratio"))
    assert is_known.all(axis=1).tolist() == is_known.any(axis=1).tolist() == [False, False, False, True] * (STEPS // 4)
    assert np.isfinite(run.stat("weight_gradient_norm")).all()


def test_a_long_accumulation_is_not_a_training_that_stands_still(tmp_path: Path) -> None:
    model = network(keras.optimizers.Adam(0.001, gradient_accumulation_steps=STEPS))
    train(model, LayerHealth(tmp_path, update_freq=1))
    # Nothing moves before the last step.
    assert [
        finding for finding in load(tmp_path).findings if finding.rule in ("learning_rate", "stagnant_weights")
    ] == []
