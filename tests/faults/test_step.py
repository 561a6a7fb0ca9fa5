"""The observed step fails on the device, because of the observation or because of the training itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import pytest
import tensorflow as tf
from keras import layers

from tb_activations import load
from tb_activations.taps.numbers import together
from tb_activations.taps.step.packing import Packing
from tests.faults.conftest import Told
from tests.faults.observe import EPOCH_STEPS, SAME, check_row, every_step, fit, network, outcome

FAILS_AT = 5


class OutOfMemory:
    """Makes the device run out of memory for statistics from a certain step on."""

    def __init__(self) -> None:
        self.steps = 0

    def __call__(self) -> float:
        self.steps += 1
        if self.steps > FAILS_AT:
            raise MemoryError("out of memory")
        return 0.0


def failing_before_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    measure, memory = together.activations, OutOfMemory()

    def activations(given: Sequence[Any]) -> Any:
        zero = tf.numpy_function(memory, [], tf.float64, stateful=True)
        with tf.control_dependencies([zero]):
            return measure([(tf.identity(tensor), *more) for tensor, *more in given])

    monkeypatch.setattr(together, "activations", activations)


def failing_after_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, memory = Packing.vectors, OutOfMemory()

    def failing(self: Packing) -> dict[str, tf.Tensor]:
        # Stateful operations run in the order in which they were created, so this one runs after the optimizer.
        zero = tf.cast(tf.numpy_function(memory, [], tf.float64, stateful=True), tf.float32)
        return {name: vector + zero for name, vector in vectors(self).items()}

    monkeypatch.setattr(Packing, "vectors", failing)


@pytest.mark.parametrize("break_down", [failing_before_the_update, failing_after_the_update])
@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_statistics_that_the_device_cannot_compute(
    monkeypatch: pytest.MonkeyPatch, log_dir: str, told: Told, break_down: Any, steps_per_execution: int
) -> None:
    alone = fit(steps_per_execution=steps_per_execution).get_weights()
    break_down(monkeypatch)
    model = fit(every_step(log_dir), steps_per_execution=steps_per_execution)
    assert load(log_dir).steps[-1] == FAILS_AT // steps_per_execution * steps_per_execution - 1
    assert int(model.optimizer.iterations.numpy()) == 4 * EPOCH_STEPS
    check_row("The device is out of memory", outcome(model, alone), "all later records", told())


@keras.saving.register_keras_serializable("tests")
class Picky(layers.Layer):
    """Fails on the batch of the training data that holds the marked sample."""

    def call(self, inputs: Any) -> Any:
        with tf.control_dependencies([tf.debugging.assert_less(tf.reduce_max(inputs), 50.0, "a sample out of range")]):
            return tf.identity(inputs)


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_an_error_of_the_training_itself_ends_it_as_without_us(log_dir: str, run_eagerly: bool) -> None:
    def marked() -> keras.Sequential:
        return keras.Sequential([layers.Input((64,)), Picky(), *network().layers])

    def run(*callbacks: Any) -> keras.Model:
        model = marked()
        with pytest.raises(tf.errors.InvalidArgumentError, match="a sample out of range"):
            fit(*callbacks, model=model, bad_sample=32 * FAILS_AT, run_eagerly=run_eagerly)
        return model

    alone, watched = run(), run(every_step(log_dir))
    # In a graph, the rest of the step may run before the check fails, with and without the callback.
    for model in (alone, watched):
        assert FAILS_AT <= int(model.optimizer.iterations.numpy()) < EPOCH_STEPS
    if run_eagerly:
        assert outcome(watched, alone.get_weights()) == SAME
