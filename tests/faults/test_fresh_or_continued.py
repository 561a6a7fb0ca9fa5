"""Consecutive trainings in one folder: some continue a run, others begin a new one."""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations import LayerHealth, load
from tb_activations.events.reader import run_names
from tests.faults.conftest import Told
from tests.faults.observe import every_step
from tests.thorough import mostly

pytestmark = [
    pytest.mark.usefixtures("unoptimized_graphs"),
    # From Keras when it saves a model.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 8)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")
STEPS = 4
"""Steps per epoch."""


def quick(log_dir: Path, **arguments: Any) -> LayerHealth:
    return every_step(log_dir, histogram_freq=0, image_freq=0, stock_summaries=False, **arguments)


def network(
    rate: float = 0.05, *, act: str = "relu", init: Any = "glorot_uniform", seed: int = 2, optimizer: Any = None
) -> keras.Sequential:
    """A model of always the same names, compiled."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    hidden = [layers.Dense(8, act, kernel_initializer=init, name=f"hidden_{place}") for place in range(2)]
    model = keras.Sequential([layers.Input((8,)), *hidden, layers.Dense(1, name="head")])
    return compiled(model, rate, optimizer)


# What is judged depends on how a training goes, and these go well or badly with Adam.
judged = functools.partial(network, optimizer=keras.optimizers.Adam)


def with_momentum(rate: float) -> keras.optimizers.Optimizer:
    """Has a state that a checkpoint must bring back, as Adam has, but is traced in half the time."""
    return keras.optimizers.SGD(rate, momentum=0.9)


def compiled(model: keras.Model, rate: float = 0.05, optimizer: Any = None) -> keras.Model:
    model.compile((optimizer or with_momentum)(rate), "mse", jit_compile=False)
    return model


def train(model: keras.Model, *callbacks: Any, epochs: int = 2, target: Any = Y, **arguments: Any) -> keras.Model:
    model.fit(X, target, batch_size=16, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks, **arguments)
    return model


def steps(folder: Path) -> dict[str, list[int]]:
    """The observed steps of each run."""
    return {name: load(folder, name).steps.tolist() for name in run_names(folder)}


def upto(count: int) -> list[int]:
    return list(range(count))


def found(log_dir: Path) -> list[tuple[str, str, int]]:
    return [(finding.rule, finding.layer, finding.opened_step) for finding in load(log_dir).findings]


RANDOM = keras.initializers.RandomNormal(stddev=3.0, seed=0)
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any], Any]] = {
    "other units of the target": ({}, {"rate": 1e-3}, 10 * (X[:, :1] + 3)),
    "a bad initializer": ({}, {"rate": 1e-6, "init": RANDOM}, Y),
    "units that are copies": ({"act": "tanh"}, {"act": "tanh", "init": keras.initializers.Constant(0.1)}, Y),
    "a rate that moves nothing": ({}, {"rate": 1e-12}, Y),
}


@pytest.mark.parametrize("pair", mostly(PAIRS, ("a bad initializer",)))
def test_a_second_training_is_judged_as_if_it_were_alone(tmp_path: Path, pair: str) -> None:
    first, second, target = PAIRS[pair]
    train(judged(**second), quick(tmp_path / "alone"), epochs=12, target=target)
    train(judged(**first), quick(tmp_path / "run"), epochs=6, target=Y * 0.01)
    train(judged(**second), quick(tmp_path / "run"), epochs=12, target=target)
    assert run_names(tmp_path) == ["alone", "run", "run-2"]
    assert found(tmp_path / "run-2") == found(tmp_path / "alone")
    np.testing.assert_array_equal(load(tmp_path, "run-2").outcomes, load(tmp_path, "alone").outcomes)


def test_a_problem_of_an_earlier_model_does_not_stop_a_healthy_training(tmp_path: Path) -> None:
    train(judged(), quick(tmp_path / "run"), epochs=12, target=Y * 0.01)
    model = judged(1e-3)
    train(model, quick(tmp_path / "run", on_problem="stop"), epochs=12, target=10 * (X[:, :1] + 3))
    assert int(model.optimizer.iterations) == 12 * STEPS


@pytest.mark.parametrize("has_new_callbacks", [False, True])
def test_folds_are_runs_of_their_own(tmp_path: Path, told: Told, has_new_callbacks: bool) -> None:
    callback = quick(tmp_path / "run")
    for fold in range(3):
        train(network(seed=fold), quick(tmp_path / "run") if has_new_callbacks else callback, epochs=1)
    assert steps(tmp_path) == {"run": upto(STEPS), "run-2": upto(STEPS), "run-3": upto(STEPS)}
    assert [name in text for name, text in zip(("run-2'", "run-3'"), told(), strict=True)] == [True, True]


def test_folds_without_a_new_session_do_not_nest(tmp_path: Path) -> None:
    callback = quick(tmp_path / "run")
    for _ in range(3):
        model = keras.Sequential([layers.Input((8,)), layers.Dense(4, "relu"), layers.Dense(1)])
        train(compiled(model), callback, epochs=1)
    assert steps(tmp_path) == {"run": upto(STEPS), "run-2": upto(STEPS), "run-3": upto(STEPS)}


def test_folds_of_one_model_that_is_set_back_are_runs_of_their_own(tmp_path: Path) -> None:
    model, callback = network(), quick(tmp_path / "run")
    initial = model.get_weights()
    for _ in range(3):
        model.set_weights(initial)
        train(model, callback, epochs=1)
    assert sorted(steps(tmp_path)) == ["run", "run-2", "run-3"]


def test_a_search_leaves_a_run_for_each_trial(tmp_path: Path) -> None:
    for trial in range(3):
        train(network(10.0 ** -(trial + 1), seed=trial), quick(tmp_path / "run"), epochs=1)
    assert sorted(steps(tmp_path)) == ["run", "run-2", "run-3"]


def test_a_notebook_cell_that_is_run_twice(tmp_path: Path, told: Told) -> None:
    for _ in range(2):
        train(network(), quick(tmp_path / "run"))
    one, other = load(tmp_path, "run"), load(tmp_path, "run-2")
    np.testing.assert_array_equal(one.layer_table, other.layer_table)
    assert len(told()) == 1
    assert "run-2" in told()[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """The run of a training that nothing interrupted, and its weights."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, train(network(), quick(folder), epochs=4).get_weights()


@pytest.mark.parametrize("is_first", [False, True])
def test_backup_and_restore_repeats_its_steps_wherever_it_stands(
    tmp_path: Path, is_first: bool, whole: tuple[Path, list[Any]]
) -> None:
    def callbacks() -> list[Any]:
        both = [quick(tmp_path / "run"), keras.callbacks.BackupAndRestore(tmp_path / "backup")]
        return both if is_first else both[::-1]

    def preempt(batch: int, logs: Any) -> None:
        if int(model.optimizer.iterations) == 2 * STEPS + 3:
            raise RuntimeError("preempted")

    model = network()
    with pytest.raises(RuntimeError, match="preempted"):
        train(model, *callbacks(), keras.callbacks.LambdaCallback(on_train_batch_end=preempt), epochs=4)
    model = network()
    train(model, *callbacks(), epochs=4)
    assert steps(tmp_path) == {"run": upto(4 * STEPS)}
    one, other = load(tmp_path, "run"), load(whole[0])
    assert other.steps.tolist() == upto(4 * STEPS)
    np.testing.assert_array_equal(one.layer_table, other.layer_table)
    np.testing.assert_array_equal(one.outcomes, other.outcomes)
    assert one.findings == other.findings
    for mine, theirs in zip(model.get_weights(), whole[1], strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("save_freq", ["epoch", 3])
def test_a_saved_model_continues_at_the_step_it_was_saved_at(tmp_path: Path, save_freq: Any) -> None:
    path = tmp_path / "model.keras"
    save = keras.callbacks.ModelCheckpoint(path, save_freq=save_freq)
    train(network(), save, quick(tmp_path / "run"), epochs=2)
    model = keras.saving.load_model(path)
    saved = int(model.optimizer.iterations)
    assert saved == (2 * STEPS if save_freq == "epoch" else 6)
    train(model, quick(tmp_path / "run"), epochs=1)
    assert steps(tmp_path) == {"run": upto(saved + STEPS)}


def test_saved_weights_continue_after_the_last_step(tmp_path: Path) -> None:
    train(network(), quick(tmp_path / "run")).save_weights(tmp_path / "model.weights.h5")
    model = keras.models.clone_model(network(seed=7))
    model.load_weights(tmp_path / "model.weights.h5")
    train(compiled(model), quick(tmp_path / "run"), epochs=1)
    assert steps(tmp_path) == {"run": upto(3 * STEPS)}


@pytest.mark.parametrize("has_new_callback", [False, True])
def test_fine_tuning_continues_the_run(tmp_path: Path, has_new_callback: bool) -> None:
    callback, model = quick(tmp_path / "run"), network()
    model.layers[0].trainable = False
    train(compiled(model), callback, epochs=1)
    model.layers[0].trainable = True
    train(compiled(model, 1e-3), quick(tmp_path / "run") if has_new_callback else callback, epochs=1)
    assert steps(tmp_path) == {"run": upto(2 * STEPS)}


def test_a_run_knows_whether_its_training_has_ended(tmp_path: Path) -> None:
    class Interrupted(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                raise KeyboardInterrupt

    model = train(network(), quick(tmp_path / "run"), epochs=1)
    assert load(tmp_path / "run").has_ended
    callback = quick(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train(model, callback, Interrupted())
    assert not load(tmp_path / "run").has_ended
    train(model, callback, epochs=1)
    assert load(tmp_path / "run").has_ended
    assert steps(tmp_path) == {"run": upto(3 * STEPS)}


class OfParts(keras.Model):
    """Has no `call`: each training step calls the parts, so the model itself is never built."""

    def __init__(self) -> None:
        super().__init__(name="of_parts")
        self.encoder = keras.Sequential([layers.Dense(8, activation="relu", name="hidden")], name="encoder")
        self.decoder = keras.Sequential([layers.Dense(1, name="head")], name="decoder")

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.decoder(self.encoder(x)) - y[:, None]) ** 2)
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss}


@pytest.mark.parametrize("is_restored", [True, False])
def test_a_training_of_parts_is_resumed(tmp_path: Path, is_restored: bool) -> None:
    def model(seed: int) -> keras.Model:
        keras.utils.set_random_seed(seed)
        return compiled(OfParts())

    first = train(model(0), quick(tmp_path / "run"))
    assert not first.built
    assert load(tmp_path / "run").has_ended
    second = train(model(1), quick(tmp_path / "other"), epochs=1)
    if is_restored:
        second.set_weights(first.get_weights())
        second.optimizer.iterations.assign(first.optimizer.iterations)
    train(second, quick(tmp_path / "run"), epochs=1)
    runs = steps(tmp_path)
    assert runs.pop("other") == upto(STEPS)
    if is_restored:
        assert runs == {"run": upto(3 * STEPS)}
    else:
        assert len(runs) == 2
        assert runs["run"] == upto(2 * STEPS)


def test_an_earlier_fold_is_found_again_among_the_others(tmp_path: Path) -> None:
    callback = quick(tmp_path / "run")
    models = []
    for fold in range(3):
        models.append(train(network(seed=fold), callback, epochs=1))
    for model in models:
        train(model, callback, epochs=1)
    assert steps(tmp_path) == {name: upto(2 * STEPS) for name in ("run", "run-2", "run-3")}


def test_a_run_of_an_earlier_version_is_continued_by_its_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as old:
        old.setattr("tb_activations.recording.run_output.RunOutput.remember", lambda self, state: None)
        model = train(network(), quick(tmp_path / "run"))
    assert load(tmp_path / "run").states == ()
    train(model, quick(tmp_path / "run"), epochs=1)
    train(network(), quick(tmp_path / "run"), epochs=1)
    assert steps(tmp_path) == {"run": upto(3 * STEPS), "run-2": upto(STEPS)}


def test_findings_of_the_next_run_are_told_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tb_activations")
    callback = quick(tmp_path / "run")
    told = []
    for _ in range(2):
        caplog.clear()
        train(network(init=RANDOM), callback, epochs=2)
        # The verdict names the folder.
        told.append([text for text in caplog.messages if "is left unchanged" not in text and "verdict" not in text])
    assert told[0] == told[1] != []
