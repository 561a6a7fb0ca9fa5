"""Problems caused at a known step in known units and layers: the findings name exactly those."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from tb_activations import LayerHealth, load
from tb_activations.events.run import Run
from tb_activations.records.finding import Finding, Severity
from tests.training.models import digits

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

BORN_DEAD = (2, 5, 11, 17)
DIE = (1, 8, 13)
DEATH = 24


class Kill(keras.callbacks.Callback):
    """Pushes units of the layer "hidden" below zero before step `DEATH`."""

    def __init__(self) -> None:
        super().__init__()
        self._step = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._step == DEATH:
            bias = self.model.get_layer("hidden").bias
            bias.assign(np.where(np.isin(np.arange(20), DIE), -100, bias.numpy()))
        self._step += 1


def train(model: keras.Model, folder: Path, callbacks: list[Any], **options: Any) -> Run:
    x, y = digits(512)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01), loss, jit_compile=False)
    model.fit(x, y, batch_size=32, epochs=3, verbose=0, callbacks=[*callbacks, LayerHealth(folder, **options)])
    return load(folder)


@pytest.mark.parametrize("every", [1, 7])
def test_histories_name_the_units_that_are_born_dead_or_die_and_when(every: int, tmp_path: Path) -> None:
    keras.utils.set_random_seed(5)
    bias = np.where(np.isin(np.arange(20), BORN_DEAD), -100.0, 1.0)
    hidden = layers.Dense(
        20, "relu", name="hidden", bias_initializer=lambda shape, dtype=None: ops.cast(bias.reshape(shape), dtype)
    )
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), hidden, layers.Dense(10)])
    run = train(model, tmp_path, [Kill()], update_freq=every)
    lives = run.lives("hidden")
    assert tuple(life.unit for life in lives if life.state == "born_dead") == BORN_DEAD
    died = {life.unit: life.since_step for life in lives if life.state == "died"}
    assert tuple(died) == DIE
    assert all(DEATH <= step < DEATH + every for step in died.values())
    assert {life.since_step for life in lives if life.state == "born_dead"} == {0}
    # 32 samples per observed step.
    assert {life.samples for life in lives if life.state == "born_dead"} == {32 * len(run.steps)}
    assert {life.activity_below for life in lives if life.state == "born_dead"} == {3 / (32 * len(run.steps))}
    assert all(life.state == "alive" for life in lives if life.unit not in (*BORN_DEAD, *DIE))


class Root(keras.layers.Layer):
    """Appends the square root of the first feature."""

    def call(self, inputs: Any) -> Any:
        return ops.concatenate([inputs, ops.sqrt(inputs[:, :1])], -1)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_nan_is_told_to_the_first_layer_in_call_order_and_its_step(jit_compile: bool, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    x, y = digits(512)
    x = x.reshape(512, 64)
    x[:, 0], x[9 * 32 + 3, 0] = 1, -1
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Activation("linear", name="entry"),
            Root(name="root"),
            layers.Dense(16, "tanh", name="hidden"),
            layers.Dense(10, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=jit_compile)
    callback = LayerHealth(tmp_path, update_freq=1)
    model.fit(x, y, batch_size=32, epochs=1, shuffle=False, verbose=0, callbacks=[callback])
    assert [(finding.layer, finding.since_step) for finding in roots(callback.findings)] == [("root", 9)]


def roots(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.rule == "nonfinite" and finding.root is None]


def test_overflow_under_loss_scaling_is_told_from_a_loss_of_values(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    x, y = digits(256)
    policy = keras.mixed_precision.DTypePolicy("mixed_float16")
    hidden = layers.Dense(16, "tanh", dtype=policy, name="hidden")
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), hidden, layers.Dense(10, name="head")])
    # A scale that is far too large: gradients overflow, and each skipped step halves it until they fit.
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=2.0**24)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    callback = LayerHealth(tmp_path, update_freq=1)
    model.fit(x, y, batch_size=32, epochs=3, verbose=0, callbacks=[callback])
    found = [finding for finding in callback.findings if finding.rule == "nonfinite"]
    assert found
    assert {finding.severity for finding in found} == {Severity.NOTE}
    assert {finding.closed_step is None for finding in found} == {False}
