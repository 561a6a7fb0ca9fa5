"""Trainings whose steps differ in layers, lengths or weights still have one history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tb_activations import LayerHealth, Recorder, load
from tb_activations.events.reader import run_names
from tb_activations.records.finding import Outcome
from tests.health.trainings import replay
from tests.training.models import digits

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
STEPS = 12


def sentences() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of pixels as tokens, in batches of different lengths."""
    images, labels = digits(STEPS * 8)
    rows = (images.reshape(STEPS, 8, 64) * 16).astype("int32")
    for step in range(STEPS):
        yield rows[step, :, 20 : 24 + 2 * (step % 3)], labels[8 * step : 8 * step + 8]


def reader() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input((None,), dtype="int32"),
            layers.Embedding(17, 6, name="embedding"),
            layers.LSTM(6, return_sequences=True, name="rnn"),
            layers.Dense(8, "relu", name="hidden", bias_initializer=keras.initializers.Constant(-100.0)),
            layers.GlobalAveragePooling1D(name="mean"),
            layers.Dense(10, name="head"),
        ]
    )
    return model


def fit_eagerly(log_dir: Path) -> None:
    model = reader()
    model.compile("sgd", LOSS, run_eagerly=True)
    kind = (tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None,), tf.int64))
    data = tf.data.Dataset.from_generator(sentences, output_signature=kind)
    model.fit(data, steps_per_epoch=STEPS, verbose=0, shuffle=False, callbacks=[LayerHealth(log_dir, update_freq=1)])


def loop_retraced(log_dir: Path) -> None:
    model, optimizer = reader(), keras.optimizers.SGD()
    with Recorder(log_dir, model, update_freq=1) as recorder:

        @recorder.function
        def step(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = LOSS(y, model(x, training=True))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
            return loss

        for x, y in sentences():
            step(tf.constant(x), tf.constant(y))


@pytest.mark.parametrize("train", [fit_eagerly, loop_retraced])
def test_sequences_of_any_length_are_judged_together(tmp_path: Path, train: Any) -> None:
    train(tmp_path)
    run = load(tmp_path)
    assert (run.steps.tolist(), run.dropped) == (list(range(STEPS)), 0)
    assert run.spec.layers[run.layers.index("rnn")].output_shape == (None, None, 6)
    dead = [finding for finding in run.findings if finding.rule == "dead_units"]
    assert [(finding.layer, finding.since_step, finding.checks) for finding in dead] == [("hidden", 0, STEPS)]
    np.testing.assert_array_equal(replay(run.spec, run.records()).outcomes, run.last_outcomes)


class Sometimes(keras.Model):
    """Skips its middle layer in every other call, as stochastic depth does."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.head = (
            layers.Dense(16, "relu", name="first"),
            layers.Dense(16, "relu", name="middle"),
            layers.Dense(10, name="head"),
        )
        self.calls = 0

    def build(self, shape: Any) -> None:
        self.first.build(shape)
        self.middle.build((None, 16))
        self.head.build((None, 16))

    def call(self, x: Any, training: bool = False) -> Any:
        h = self.first(x)
        self.calls += bool(training)
        if not training or self.calls % 2:
            h = h + self.middle(h)
        return self.head(h)


def sometimes() -> tuple[Sometimes, Any, Any]:
    """The compiled model with pictures as vectors, and their classes."""
    keras.utils.set_random_seed(0)
    x, y = digits(STEPS * 8)
    model = Sometimes()
    model.compile("sgd", LOSS, run_eagerly=True)
    model.build((None, 64))
    return model, x.reshape(len(x), 64), y


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables")
def test_a_layer_that_is_left_out_now_and_then_keeps_its_row(tmp_path: Path) -> None:
    model, x, y = sometimes()
    callback = LayerHealth(tmp_path, update_freq=1)
    model.fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=[callback])
    run = load(tmp_path)
    assert run.layers == ("first", "middle", "head")
    assert run.steps.tolist() == list(range(STEPS))
    measured = np.isfinite(run.stat("mean"))
    assert measured[:, [0, 2]].all()
    assert measured[:, 1].tolist() == [step % 2 == int(measured[1, 1]) for step in range(STEPS)]
    np.testing.assert_array_equal(np.isfinite(run.units("middle")).all(axis=1), measured[:, 1])
    assert callback.findings == run.findings


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables")
def test_histograms_keep_their_layers_when_the_last_step_has_others(tmp_path: Path) -> None:
    model, x, y = sometimes()
    # Every third step is observed and calls other layers than the one before; ends of epochs are not observed.
    callback = LayerHealth(tmp_path, update_freq=3, histogram_freq=1)
    model.fit(x[:64], y[:64], batch_size=8, epochs=6, shuffle=False, verbose=0, callbacks=[callback])
    tags = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    shown = {name: {event.step for event in tags.Tensors(f"activation/{name}")} for name in ("first", "middle", "head")}
    assert shown["first"] == shown["head"] > shown["middle"]


def test_a_layer_added_between_two_trainings_is_recorded(tmp_path: Path) -> None:
    x, y = digits(64)
    model = keras.Sequential([layers.Input((64,)), layers.Dense(8, "relu", name="a"), layers.Dense(10, name="b")])
    callback = LayerHealth(tmp_path / "run", update_freq=3, histogram_freq=1)
    for batch_size in (8, 32):
        model.compile("sgd", LOSS, jit_compile=False)
        model.fit(x.reshape(64, 64), y, batch_size=batch_size, epochs=2, verbose=0, callbacks=[callback])
        model.add(layers.Dense(10, name=f"after_{batch_size}"))
    assert load(tmp_path, "run").steps.tolist() == [0, 3, 6, 9, 12, 15]
    added = load(tmp_path, "run-2")
    assert (added.layers, added.steps.tolist()) == (("a", "b", "after_8"), [0, 3])


def network() -> tuple[keras.Model, keras.Model]:
    keras.utils.set_random_seed(0)
    base = keras.Sequential(
        [layers.Input((64,)), layers.Dense(32, "relu", name="a"), layers.Dense(32, "relu", name="b")], name="base"
    )
    return keras.Sequential([layers.Input((64,)), base, layers.Dense(10, name="head")]), base


def test_a_frozen_part_that_is_set_free_keeps_its_history(tmp_path: Path) -> None:
    model, base = network()
    x, y = digits()
    x = x.reshape(len(x), 64)
    callback = LayerHealth(tmp_path, update_freq=2)
    for is_free in (False, True, False):
        base.trainable = is_free
        model.compile("sgd", LOSS, jit_compile=False)
        model.fit(x, y, verbose=0, callbacks=[callback])
        assert {layer.name: layer.trainable for layer in load(tmp_path).spec.layers}["base/a"] is is_free
    run = load(tmp_path)
    assert (run.steps.tolist(), run.dropped) == (list(range(0, 24, 2)), 0)
    assert np.isfinite(run.stat("mean")[:, run.layers.index("base/a")]).all()
    moves = np.isfinite(run.weight_stat("update_ratio")[:, run.weights.index("base/a/kernel")])
    assert moves.tolist() == [False] * 4 + [True] * 4 + [False] * 4
    assert np.isfinite(run.weight_stat("update_ratio")[:, run.weights.index("head/kernel")]).all()
    # Layers frozen on purpose are not stuck.
    stagnant = run.outcomes[-1, run.layers.index("base/a"), run.rules.index("stagnant_weights")]
    assert stagnant == Outcome.NOT_APPLICABLE
    assert run_names(tmp_path) == ["."]


def test_a_restart_finds_its_run_again_though_another_part_is_frozen(tmp_path: Path) -> None:
    x, y = digits()
    weights = network()[0].get_weights()
    for is_free in (False, True):
        model, base = network()
        model.set_weights(weights)
        base.trainable = is_free
        model.compile("sgd", LOSS, jit_compile=False)
        model.fit(x.reshape(len(x), 64), y, verbose=0, callbacks=[LayerHealth(tmp_path, update_freq=1)])
        weights = model.get_weights()
    run = load(tmp_path)
    assert (run_names(tmp_path), run.steps.tolist()) == (["."], list(range(16)))
    np.testing.assert_array_equal(replay(run.spec, run.records()).outcomes, run.last_outcomes)


def test_another_model_with_the_same_callback_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    x, y = digits()
    x = x.reshape(len(x), 64)
    callback = LayerHealth(tmp_path / "run", update_freq=1)
    for name in ("one", "other"):
        model = keras.Sequential([layers.Input((64,)), layers.Dense(10, name=name)])
        model.compile("sgd", LOSS, jit_compile=False)
        model.fit(x, y, verbose=0, callbacks=[callback])
    assert run_names(tmp_path) == ["run", "run-2"]
    assert load(tmp_path, "run").layers == ("one",)
    assert load(tmp_path, "run-2").layers == ("other",)
    assert load(tmp_path, "run-2").steps.tolist() == list(range(8))
