"""Which function runs at which step; nothing is left on the model afterwards."""

from __future__ import annotations

import logging
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.taps.step.measuring import Measuring
from tb_activations.taps.step.packing import Packing
from tb_activations.taps.step.seen import SeenCall
from tests.training.models import Trainable, small, train
from tests.training.observe import Observe

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")


class CountPlain(keras.callbacks.Callback):
    """Wraps Keras' train function before any other callback does, to count its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self.made = made = self.model.train_function

        def counted(iterator: Any) -> Any:
            self.calls += 1
            return made(iterator)

        self.counted = counted
        self.model.train_function = counted


def test_an_unobserved_step_calls_the_same_function_that_keras_made() -> None:
    count, observe = CountPlain(), Observe(update_freq=4)
    train(small, [count, observe], epochs=2)
    assert observe.dispatcher.plain is count.counted
    assert [step for step, _ in observe.seen] == [0, 4, 8, 12]
    assert count.calls == 16 - 4


def test_nothing_is_left_on_model_layers_and_optimizer() -> None:
    before: dict[str, set[str]] = {}

    class Remember(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.function = self.model.train_function
            for name, owner in owners(self.model).items():
                before[name] = set(vars(owner))

    def owners(model: keras.Model) -> dict[str, Any]:
        return {"model": model, "optimizer": model.optimizer} | {layer.name: layer for layer in model.layers}

    remember = Remember()
    model = train(small, [remember, Observe()], epochs=1)
    assert model.train_function is remember.function
    for name, owner in owners(model).items():
        assert not {"call", "apply", "compute_loss", "train_step"} & set(vars(owner)), name
        assert "layer_health" not in repr(vars(owner))
    assert before["hidden"] <= set(vars(model.get_layer("hidden")))


def test_taps_are_off_between_steps_and_after_a_step_that_raises() -> None:
    seen: list[bool] = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append("call" in vars(self.model.layers[0]))
            if batch == 3:
                raise RuntimeError("stop here")

    observe = Observe()
    with pytest.raises(RuntimeError, match="stop here"):
        train(small, [observe, Look()])
    assert seen == [False] * 4
    assert len(observe.seen) == 4


def test_a_fit_after_an_interrupted_one_is_not_observed() -> None:
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise KeyboardInterrupt

    keras.utils.clear_session(free_memory=False)
    model, x, y = small()
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    observe = Observe()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, verbose=0, callbacks=[observe, Interrupt()])
    observed = len(observe.seen)
    assert model.train_function is observe.dispatcher
    model.fit(x, y, verbose=0)
    assert len(observe.seen) == observed
    assert model.train_function is observe.dispatcher.plain


def test_a_failing_observed_step_turns_observing_off_and_training_continues(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: Any) -> None:
        raise ValueError("no room")

    alone = train(small, [], epochs=1).get_weights()
    monkeypatch.setattr(Packing, "vectors", fail)
    observe = Observe()
    with caplog.at_level(logging.WARNING, "tb_activations"):
        model = train(small, [observe], epochs=1)
    assert observe.seen == []
    assert [record.message for record in caplog.records] == [
        "Layer health: observing is off, the observed step failed (ValueError: no room). Training continues."
    ]
    for one, other in zip(alone, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_the_layer_whose_statistics_fail_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    measure = Measuring.measure

    def fail_in_hidden(self: Measuring, call: SeenCall, *functions: Any, **options: Any) -> Any:
        if call.entry.name == "hidden":
            raise ValueError("not this one")
        return measure(self, call, *functions, **options)

    alone = train(small, [], epochs=1).get_weights()
    monkeypatch.setattr(Measuring, "measure", fail_in_hidden)
    observe = Observe()
    model = train(small, [observe], epochs=1)
    rows = {row.call.name: row.not_observed for row in observe.seen[-1][1].rows}
    assert "not this one" in rows["hidden"]
    assert not any(reason for name, reason in rows.items() if name != "hidden")
    for one, other in zip(alone, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_custom_train_step_with_two_optimizers_is_observed() -> None:
    class Two(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.flatten = layers.Flatten()
            self.hidden = layers.Dense(8, "relu", name="hidden")
            self.head = layers.Dense(10, name="head")
            self.second = keras.optimizers.SGD(0.01)

        def call(self, x: Any) -> Any:
            return self.head(self.hidden(self.flatten(x)))

        def train_step(self, data: Any) -> dict[str, Any]:
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, self(x), from_logits=True))
            groups = [self.hidden.trainable_variables, self.head.trainable_variables]
            gradients = tape.gradient(loss, groups)
            self.optimizer.apply_gradients(zip(gradients[0], groups[0], strict=True))
            self.second.apply_gradients(zip(gradients[1], groups[1], strict=True))
            return {"loss": loss}

    def make() -> Trainable:
        _, x, y = small()
        model = Two()
        model(x[:1])
        return model, x, y

    observe = Observe()
    alone = train(make, [], epochs=1).get_weights()
    watched = train(make, [observe], epochs=1).get_weights()
    last = observe.seen[-1][1]
    assert [weight.layer for weight in last.weights] == ["hidden", "hidden", "head", "head"]
    assert all(last.weight_columns["update_ratio"] > 0)
    for one, other in zip(alone, watched, strict=True):
        np.testing.assert_array_equal(one, other)


def test_of_two_callbacks_one_yields_and_logs_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inner, outer = Observe(update_freq=2), Observe(update_freq=3)
    with caplog.at_level(logging.WARNING, "tb_activations"):
        model = train(small, [inner, outer], epochs=2)
    assert [step for step, _ in outer.seen] == [0, 3, 6, 9, 12, 15]
    # It wants every second step and gets the next one that the other leaves free.
    assert [step for step, _ in inner.seen] == [1, 4, 7, 10, 13]
    assert [record.message.split(".")[0] for record in caplog.records] == [
        "Layer health: two callbacks observe this training"
    ]
    assert model.train_function is inner.dispatcher.plain
