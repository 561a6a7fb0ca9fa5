"""Models that are built in their first step, or never marked as built, are observed from step 0 with all weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations import Recorder, load
from tests.training.alone import Callbacks, assert_whole, data, observed

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

Make = Callable[[], keras.Model]


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = layers.Dense(6, "tanh", name="first"), layers.Dense(1, name="second")

    def call(self, x: Any) -> Any:
        return self.second(self.first(x))


class MadeInBuild(keras.Model):
    def build(self, shape: Any) -> None:
        self.first, self.second = layers.Dense(6, "tanh", name="first"), layers.Dense(1, name="second")
        self.first.build(shape)
        self.second.build((None, 6))
        self.built = True

    def call(self, x: Any) -> Any:
        return self.second(self.first(x))


class OnlyWeights(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="only")
        self.kernel = self.add_weight(shape=(8, 1), name="kernel")

    def call(self, x: Any) -> Any:
        return x @ self.kernel


class WeightsAndLayers(keras.Model):
    """Adds its own token before its layers, as a vision transformer does."""

    def __init__(self) -> None:
        super().__init__(name="whole")
        self.first, self.second = layers.Dense(6, "relu", name="first"), layers.Dense(1, name="second")

    def build(self, shape: Any) -> None:
        self.token = self.add_weight(shape=(1, 8), name="token")
        self.built = True

    def call(self, x: Any) -> Any:
        return self.second(self.first(x + self.token))


class Block(layers.Layer):
    """Has no `build`: Keras calls it once without values, to build the layers inside."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.inside = layers.Dense(6, "relu", name="inside")

    def call(self, x: Any) -> Any:
        return self.inside(x)


class WithoutCall(keras.Model):
    """Trained through its parts, as in a variational autoencoder."""

    def __init__(self, first: layers.Layer | None = None) -> None:
        super().__init__()
        first = layers.Dense(6, "relu", name="in") if first is None else first
        self.encoder = keras.Sequential([first, layers.Dense(2, name="code")], name="enc")
        self.decoder = keras.Sequential([layers.Dense(6, "relu", name="up"), layers.Dense(8, name="out")], name="dec")

    def train_step(self, data: Any) -> Any:
        x, _ = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.decoder(self.encoder(x, training=True), training=True) - x) ** 2)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"loss": loss}


def built_by_shape() -> keras.Model:
    model = Subclassed()
    with pytest.warns(UserWarning, match="despite not being actually built"):
        model.build((None, 8))
    return model


def marked_as_built() -> keras.Model:
    model = Subclassed()
    model.built = True
    return model


def sequential_without_input() -> keras.Model:
    return keras.Sequential([layers.Dense(6, "tanh", name="first"), layers.Dense(1, name="second")])


def nested_unbuilt() -> keras.Model:
    return keras.Sequential([sequential_without_input(), layers.Dense(1, name="third")])


KINDS: dict[str, tuple[Make, set[str]]] = {
    "subclassed": (Subclassed, {"first", "second"}),
    "built by its shape": (built_by_shape, {"first", "second"}),
    "marked as built": (marked_as_built, {"first", "second"}),
    "made in build": (MadeInBuild, {"first", "second"}),
    "only weights": (OnlyWeights, {"only"}),
    "weights and layers": (WeightsAndLayers, {"whole", "first", "second"}),
    "without call": (WithoutCall, {"enc/in", "enc/code", "dec/up", "dec/out"}),
    "sequential without input": (sequential_without_input, {"first", "second"}),
    "nested": (nested_unbuilt, {"sequential/first", "sequential/second", "third"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_step_is_seen_with_every_weight(kind: str, tmp_path: Path) -> None:
    make, names = KINDS[kind]

    def train(callbacks: Callbacks) -> keras.Model:
        model, (x, y) = make(), data()
        model.compile("sgd", "mse", jit_compile=False)
        model.fit(x, y, batch_size=32, epochs=2, verbose=0, callbacks=list(callbacks))
        return model

    run = observed(train, tmp_path)
    assert_whole(run)
    assert set(run.layers) == names
    assert {weight.layer for weight in run.spec.weights} == names


@pytest.mark.parametrize("compiled", [{"run_eagerly": True}, {"steps_per_execution": 5}])
def test_in_every_way_to_run_a_step(compiled: dict[str, Any], tmp_path: Path) -> None:
    def train(callbacks: Callbacks) -> keras.Model:
        model, (x, y) = Subclassed(), data(160)
        model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=False, **compiled)
        model.fit(x, y, batch_size=32, epochs=2, verbose=0, callbacks=list(callbacks))
        return model

    assert_whole(observed(train, tmp_path))


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_blocks_that_keras_calls_to_build_them(
    run_eagerly: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def train(callbacks: Callbacks) -> keras.Model:
        model, (x, y) = WithoutCall(Block(name="block")), data()
        model.compile("sgd", "mse", jit_compile=False, run_eagerly=run_eagerly)
        model.fit(x, y, batch_size=32, epochs=2, verbose=0, callbacks=list(callbacks))
        return model

    run = observed(train, tmp_path)
    assert run.steps[0] == 0
    rows = [row for row, layer in enumerate(run.spec.layers) if layer.not_observed == ""]
    names = {"enc/block", "enc/block/inside", "enc/code", "dec/up", "dec/out"}
    assert {run.spec.layers[row].name for row in rows} == names
    assert np.isfinite(run.stat("mean")[0, rows]).all()
    assert not [message for message in caplog.messages if "can be observed" in message]


def test_steps_of_an_execution_keep_their_numbers(tmp_path: Path) -> None:
    def train(callbacks: Callbacks) -> keras.Model:
        model, (x, y) = Subclassed(), data(8 * 32)
        model.compile("sgd", "mse", jit_compile=False, steps_per_execution=4)
        model.fit(x, y, batch_size=32, epochs=2, verbose=0, callbacks=list(callbacks))
        return model

    assert observed(train, tmp_path).steps.tolist() == [0, 3, 7, 11, 15]


@pytest.mark.parametrize("is_compiled", [True, False])
def test_a_loop_whose_model_has_no_call(is_compiled: bool, tmp_path: Path) -> None:
    x, _ = data()

    def train(recorder_for: Callable[[keras.Model], Recorder | None]) -> list[np.ndarray[Any, Any]]:
        keras.utils.set_random_seed(3)
        model, optimizer = WithoutCall(), keras.optimizers.Adam()
        recorder = recorder_for(model)

        def step(batch: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model.decoder(model.encoder(batch)) - batch) ** 2)
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
            return loss

        compiled = recorder.function(step) if recorder else tf.function(step)
        for start in range(0, 96, 32):
            if is_compiled:
                compiled(tf.constant(x[start : start + 32]))
            elif recorder:
                with recorder.step():
                    step(tf.constant(x[start : start + 32]))
            else:
                step(tf.constant(x[start : start + 32]))
        if recorder:
            recorder.close()
        weights: list[np.ndarray[Any, Any]] = model.get_weights()
        return weights

    alone, watched = train(lambda model: None), train(lambda model: Recorder(tmp_path, model))
    for one, other in zip(alone, watched, strict=True):
        np.testing.assert_array_equal(one, other)
    run = load(tmp_path)
    assert_whole(run)
    assert set(run.layers) == {"enc/in", "enc/code", "dec/up", "dec/out"}


def test_a_poor_start_is_found_in_a_model_that_its_first_step_builds(tmp_path: Path) -> None:
    def train(callbacks: Callbacks) -> keras.Model:
        model, (x, y) = Subclassed(), data()
        model.first.kernel_initializer = keras.initializers.RandomNormal(stddev=4.0, seed=1)
        model.compile(keras.optimizers.SGD(1e-3), "mse", jit_compile=False, steps_per_execution=2)
        model.fit(x, y, batch_size=16, epochs=3, verbose=0, callbacks=list(callbacks))
        return model

    run = observed(train, tmp_path)
    assert_whole(run)
    assert any(finding.rule == "poor_init" and finding.layer == "first" for finding in run.findings)
