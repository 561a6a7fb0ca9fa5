"""Callbacks that restore or replace something before the first step: the run counts the trained steps."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations import LayerHealth, load
from tests.training.alone import data

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

EPOCH_STEPS = 6


class Preempted(keras.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if int(self.model.optimizer.iterations) == 2 * EPOCH_STEPS + 3:
            raise InterruptedError


class Restores(keras.callbacks.Callback):
    """Restores a whole model when this hook is called for the first time."""

    def __init__(self, hook: str, stored: keras.Model) -> None:
        super().__init__()
        self._weights = stored.get_weights()
        self._optimizer = [variable.numpy() for variable in stored.optimizer.variables]
        self._is_done = False
        setattr(self, hook, self._restore)

    def _restore(self, *_args: Any, **_kwargs: Any) -> None:
        if not self._is_done:
            self._is_done = True
            self.model.set_weights(self._weights)
            self.model.optimizer.build(self.model.trainable_variables)
            for variable, value in zip(self.model.optimizer.variables, self._optimizer, strict=True):
                variable.assign(value)


def network() -> keras.Model:
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    model = keras.Sequential([layers.Input((8,)), layers.Dense(8, "relu", name="hidden"), layers.Dense(1, name="head")])
    model.compile("sgd", "mse", jit_compile=False)
    return model


def fit(model: keras.Model, *callbacks: keras.callbacks.Callback, epochs: int = 5) -> keras.Model:
    x, y = data(16 * EPOCH_STEPS)
    model.fit(x, y, batch_size=16, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model


# From Keras when it writes checkpoints with this version of NumPy.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
@pytest.mark.parametrize("is_first", [True, False])
def test_the_order_of_backup_and_restore_does_not_matter(is_first: bool, tmp_path: Path) -> None:
    def callbacks() -> list[keras.callbacks.Callback]:
        own, other = LayerHealth(tmp_path / "run", update_freq=1), keras.callbacks.BackupAndRestore(tmp_path / "kept")
        return [own, other] if is_first else [other, own]

    with pytest.raises(InterruptedError):
        fit(network(), *callbacks(), Preempted())
    model = fit(network(), *callbacks())
    assert load(tmp_path / "run").steps.tolist() == list(range(5 * EPOCH_STEPS))
    assert int(model.optimizer.iterations) == 5 * EPOCH_STEPS


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    """A model after two epochs, and the folder of its run, which nobody continues: tests copy it."""
    folder = tmp_path_factory.mktemp("stored")
    return fit(network(), LayerHealth(folder, update_freq=1), epochs=2), folder


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_begin", "on_train_batch_begin"])
def test_a_model_that_a_callback_restores(hook: str, stored: tuple[keras.Model, Path], tmp_path: Path) -> None:
    model, folder = stored
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    fit(network(), LayerHealth(tmp_path, update_freq=1), Restores(hook, model), epochs=1)
    assert load(tmp_path).steps.tolist() == list(range(3 * EPOCH_STEPS))


def test_an_optimizer_that_is_exchanged_when_training_begins(tmp_path: Path) -> None:
    class Exchanges(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.model.compile("sgd", "mse", jit_compile=False)
            self.model.make_train_function()

    model = fit(network(), LayerHealth(tmp_path, update_freq=1), epochs=1)
    fit(model, LayerHealth(tmp_path, update_freq=1), Exchanges(), epochs=1)
    steps = load(tmp_path).steps
    assert (np.diff(steps) == 1).all()
    assert len(steps) == 2 * EPOCH_STEPS


def test_a_second_fit_of_an_own_optimizer_counts_on(tmp_path: Path) -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.own = layers.Dense(1, name="head"), keras.optimizers.SGD(0.01)

        def call(self, x: Any) -> Any:
            return self.head(x)

        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
            self.own.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            return {"loss": loss}

    model = Own()
    model.compile(optimizer=None, jit_compile=False)
    health = LayerHealth(tmp_path, update_freq=1)
    fit(model, health, epochs=1)
    fit(model, health, epochs=1)
    assert load(tmp_path).steps.tolist() == list(range(2 * EPOCH_STEPS))
