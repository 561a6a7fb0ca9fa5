"""Trainings of every kind run with the callback as without it, and are recorded."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations import LayerHealth, load
from tb_activations.taps.step.dispatch import Dispatcher
from tests.thorough import mostly
from tests.training.alone import Callbacks, assert_whole, data, observed

BATCH = 32


def network() -> keras.Model:
    model = keras.Sequential([layers.Input((8,)), layers.Dense(8, "relu", name="hidden"), layers.Dense(1, name="head")])
    model.compile("sgd", "mse", jit_compile=False)
    return model


def steps_of(model: keras.Model) -> None:
    x, y = data()
    for start in range(0, len(x), BATCH):
        model.train_on_batch(x[start : start + BATCH], y[start : start + BATCH])


def by_hand(callbacks: Callbacks) -> keras.Model:
    model = network()
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    for epoch in range(2):
        for callback in callbacks:
            callback.on_epoch_begin(epoch)
        steps_of(model)
        for callback in callbacks:
            callback.on_epoch_end(epoch, {"loss": 0.0})
    for callback in callbacks:
        callback.on_train_end()
    return model


def only_epochs(callbacks: Callbacks) -> keras.Model:
    """A loop that never calls `on_train_begin`."""
    model = network()
    for callback in callbacks:
        callback.set_model(model)
    for epoch in range(2):
        for callback in callbacks:
            callback.on_epoch_begin(epoch)
        steps_of(model)
        for callback in callbacks:
            callback.on_epoch_end(epoch)
    return model


def in_a_list(callbacks: Callbacks) -> keras.Model:
    model = network()
    every = keras.callbacks.CallbackList(list(callbacks), model=model, add_history=True, epochs=2, steps=3)
    every.on_train_begin()
    for epoch in range(2):
        every.on_epoch_begin(epoch)
        steps_of(model)
        every.on_epoch_end(epoch, {})
    every.on_train_end()
    return model


def fitted(make: Callable[[], keras.Model], **arguments: Any) -> Callable[[Callbacks], keras.Model]:
    def train(callbacks: Callbacks) -> keras.Model:
        model, (x, y) = make(), data()
        model.fit(x, y, batch_size=BATCH, epochs=2, verbose=0, callbacks=list(callbacks), **arguments)
        return model

    return train


class OwnOptimizer(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = layers.Dense(8, "relu", name="hidden"), layers.Dense(1, name="head")
        self.own = keras.optimizers.SGD(0.01)

    def call(self, x: Any) -> Any:
        return self.head(self.hidden(x))

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
        variables = self.trainable_variables
        self.own.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return self.logs(loss)

    def logs(self, loss: Any) -> Any:
        return {"loss": loss}


class ByHand(OwnOptimizer):
    """Updates its weights without an optimizer."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
        for variable, gradient in zip(
            self.trainable_variables, tape.gradient(loss, self.trainable_variables), strict=True
        ):
            variable.assign_sub(0.01 * gradient)
        return {"loss": loss}


class OtherLogs(OwnOptimizer):
    """Returns no scalar named "loss"."""

    def logs(self, loss: Any) -> Any:
        return {"loss": tf.stack([loss, loss]), "objective": {"first": loss}}


class OwnFunction(keras.Model):
    train_function: Any

    def make_train_function(self, force: bool = False) -> Any:
        if self.train_function is None or force:
            self.train_function = tf.function(lambda iterator: self.train_step(next(iterator)))
        return self.train_function


class Decorated(OwnOptimizer):
    """Compiles its own `train_step`, although Keras compiles it anyway."""

    train_step = tf.function(OwnOptimizer.train_step)


def without_optimizer(kind: type[keras.Model]) -> Callable[[], keras.Model]:
    def make() -> keras.Model:
        model = kind()
        model.compile(optimizer=None, jit_compile=False)
        return model

    return make


def own_function() -> keras.Model:
    inputs = layers.Input((8,))
    hidden = layers.Dense(8, "relu", name="hidden")(inputs)
    model = OwnFunction(inputs, layers.Dense(1, name="head")(hidden))
    model.compile("sgd", "mse", jit_compile=False)
    return model


class Recompiles(keras.callbacks.Callback):
    """Compiles again during the training, as learning rate finders do."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            self.model.compile("sgd", "mse", jit_compile=False)
            self.model.make_train_function()


def recompiled(callbacks: Callbacks) -> keras.Model:
    return fitted(network)([*callbacks, Recompiles()])


def unknown_length(callbacks: Callbacks) -> keras.Model:
    model, (x, y) = network(), data()

    # After a filter, the number of batches is unknown.
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH).filter(lambda x, y: True)
    with pytest.warns(UserWarning, match="ran out of data"):
        model.fit(batches, verbose=0, shuffle=False, callbacks=list(callbacks))
    return model


WAYS: dict[str, Callable[[Callbacks], keras.Model]] = {
    "set_model and train_on_batch": by_hand,
    "only epochs": only_epochs,
    "CallbackList": in_a_list,
    "no optimizer of the model": fitted(without_optimizer(OwnOptimizer)),
    "no optimizer at all": fitted(without_optimizer(ByHand)),
    "other logs": fitted(without_optimizer(OtherLogs)),
    "a custom train function": fitted(own_function),
    "a decorated train_step": fitted(without_optimizer(Decorated)),
    "compiled again": recompiled,
    "an unknown number of batches": unknown_length,
    "sample weights and validation": fitted(network, sample_weight=np.ones(96), validation_data=data(32)),
}


QUICK = (
    *("a decorated train_step", "no optimizer of the model", "set_model and train_on_batch", "CallbackList"),
    *("an unknown number of batches", "a custom train function"),
)


@pytest.mark.parametrize("way", mostly(WAYS, QUICK))
def test_a_training_runs_as_without_the_callback(way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tb_activations"):
        run = observed(WAYS[way], tmp_path)
    assert_whole(run)
    assert {weight.layer for weight in run.spec.weights} == {"hidden", "head"}
    assert [record.message for record in caplog.records if "observing is off" in record.message] == []


def test_evaluate_and_predict_take_the_callback(tmp_path: Path) -> None:
    model, (x, y) = network(), data()
    health = LayerHealth(tmp_path)
    model.evaluate(x, y, verbose=0, callbacks=[health])
    model.predict(x, verbose=0, callbacks=[health])
    model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=[health])
    assert load(tmp_path).steps[0] == 0


def test_a_copied_callback_observes(tmp_path: Path) -> None:
    """Tuners copy their callbacks for every trial."""
    fitted(network)([copy.deepcopy(LayerHealth(tmp_path, probe_data=data(4)[0]))])
    assert_whole(load(tmp_path))


def test_what_fails_in_a_hook_ends_observing_and_not_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alone = fitted(network)
    keras.utils.set_random_seed(3)
    expected = alone([]).get_weights()

    def fail(*_args: Any) -> None:
        raise OSError("no such thing")

    monkeypatch.setattr(Dispatcher, "begin_epoch", fail)
    keras.utils.set_random_seed(3)
    with caplog.at_level(logging.WARNING, "tb_activations"):
        model = alone([LayerHealth(tmp_path)])
    assert [record.message for record in caplog.records] == [
        "Layer health: observing is off (OSError: no such thing). Training continues."
    ]
    for one, other in zip(expected, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("update_freq", "train", "reason"),
    [
        ("epoch", unknown_length, "none of the 3 steps was observed with update_freq='epoch'"),
        ("auto", lambda callbacks: fitted(network, initial_epoch=2)(callbacks), "no step of the training ran"),
    ],
)
def test_a_training_without_a_record_says_why(
    update_freq: str, train: Callable[[Callbacks], keras.Model], reason: str, tmp_path: Path, caplog: Any
) -> None:
    with caplog.at_level(logging.WARNING, "tb_activations"):
        train([LayerHealth(tmp_path, update_freq=update_freq)])
    (message,) = [record.message for record in caplog.records]
    assert message.startswith(f"Layer health: nothing was recorded in {str(tmp_path)!r}: {reason}")


def test_a_loop_that_calls_no_train_function_is_told_of_the_recorder(tmp_path: Path, caplog: Any) -> None:
    model, (x, y) = network(), data()
    every = keras.callbacks.CallbackList([LayerHealth(tmp_path)], model=model)
    with caplog.at_level(logging.WARNING, "tb_activations"):
        every.on_train_begin()
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        every.on_train_end()
    (message,) = [record.message for record in caplog.records]
    assert "tb_activations.Recorder" in message


def test_a_choice_that_no_layer_of_a_late_model_fits_is_told(tmp_path: Path, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING, "tb_activations"):
        fitted(without_optimizer(OwnOptimizer))([LayerHealth(tmp_path, layers=["hiden"])])
    assert [record.message for record in caplog.records] == [
        "Layer health: Invalid value for argument `layers`: the model has no layer 'hiden'. Allowed: 'hidden', 'head'.",
        "Layer health: the model has no layers with weights or outputs, so nothing can be judged.",
    ]


def test_layers_whose_outputs_stay_inside_a_function_are_told(tmp_path: Path, caplog: Any) -> None:
    class Inner(OwnOptimizer):
        def __init__(self) -> None:
            super().__init__()
            self.hidden.build((None, 8))
            self.head.build((None, 8))

        call = tf.function(OwnOptimizer.call, jit_compile=True)

    with caplog.at_level(logging.WARNING, "tb_activations"):
        run = observed(fitted(without_optimizer(Inner)), tmp_path)
    assert np.isfinite(run.stat("weight_norm")).all()
    (message,) = [record.message for record in caplog.records]
    assert message.startswith(
        "Layer health: no layer's outputs can be observed (hidden: it is called inside a function,"
    )
