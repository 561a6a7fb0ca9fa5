"""`Recorder` in custom training loops: the same records as `fit`, and the same weights as without it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations import LayerHealth, Recorder, load
from tb_activations.recording.announce import LayerHealthError
from tb_activations.snapshots import watch
from tests.training.loops import BATCH, LOSS, assert_same, batches, build, run_loop, train_step
from tests.training.models import digits, train

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")


@pytest.fixture
def log_dir(tmp_path: Path) -> str:
    return str(tmp_path / "run")


@pytest.mark.parametrize("kind", ["sequential", "subclassed"])
def test_a_compiled_loop_records_what_fit_records(kind: str, tmp_path: Path) -> None:
    fitted = train(kind, [LayerHealth(tmp_path / "fit", update_freq=3)], epochs=1)
    model, x, y = build(kind)
    with Recorder(tmp_path / "loop", model, update_freq=3) as recorder:
        weights = run_loop(recorder.function, model, x, y)
    assert_same(weights, fitted.get_weights())
    fit, loop = load(tmp_path / "fit"), load(tmp_path / "loop")
    assert fit.layers == loop.layers
    # `fit` builds a subclassed model only in its first step.
    steps = [step for step in fit.steps.tolist() if step in loop.steps.tolist()]
    assert len(steps) >= 2 or kind == "subclassed"
    for name in ("mean", "std", "gradient_norm", "weight_gradient_norm", "update_ratio"):
        for step in steps:
            one = fit.stat(name)[fit.steps.tolist().index(step)]
            other = loop.stat(name)[loop.steps.tolist().index(step)]
            np.testing.assert_allclose(one, other, rtol=1e-5, err_msg=f"{name} at step {step}")
    loss = dict(zip(loop.steps.tolist(), loop.step_stat("loss").tolist(), strict=True))
    for step, value in zip(fit.steps.tolist(), fit.step_stat("loss").tolist(), strict=True):
        if step in steps:
            assert loss[step] == pytest.approx(value, rel=1e-5)
    assert set(loop.step_stat("samples")) == {BATCH}


@pytest.mark.parametrize(
    ("arguments", "tolerance"),
    [
        ({}, 0.0),
        ({"reduce_retracing": True}, 0.0),
        (
            {
                "input_signature": [
                    tf.TensorSpec([None, 8, 8, 1], tf.float32),
                    tf.TensorSpec([None], tf.int64),
                ]
            },
            0.0,
        ),
        ({"jit_compile": True}, 1e-3),
    ],
    ids=["bare", "reduce_retracing", "input_signature", "jit_compile"],
)
def test_weights_are_those_of_the_same_tf_function(arguments: Any, tolerance: float, log_dir: str) -> None:
    model, x, y = build()
    alone = run_loop(lambda step: tf.function(step, **arguments), model, x, y)
    model, x, y = build()
    with Recorder(log_dir, model, update_freq=2) as recorder:
        watched = run_loop(recorder.function(**arguments) if arguments else recorder.function, model, x, y)
    for one, other in zip(alone, watched, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance / 10)
    run = load(log_dir)
    assert run.steps.tolist() == [0, 2, 4, 6]
    assert np.isfinite(run.stat("mean")).all()


def test_an_eager_loop_is_recorded(log_dir: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tb_activations")
    model, x, y = build()
    alone = run_loop(lambda step: step, model, x, y)
    model, x, y = build()
    step = train_step(model, keras.optimizers.SGD())
    with Recorder(log_dir, model, update_freq=2) as recorder:
        for batch in batches(x, y):
            with recorder.step():
                step(*batch)
    assert_same(alone, model.get_weights())
    run = load(log_dir)
    assert run.steps.tolist() == [0, 2, 4, 6]
    assert set(run.step_stat("samples")) == {BATCH}
    assert np.isfinite(run.stat("weight_gradient_norm")[:, run.layers.index("hidden")]).all()
    (verdict,) = [message for message in caplog.messages if message.startswith("Layer health, verdict: ")]
    assert verdict.endswith(f"Open it with: tensorboard --logdir {log_dir}")


def test_a_step_is_converted_by_autograph_as_without_the_recorder(log_dir: str) -> None:
    model, x, y = build()
    plain = train_step(model, keras.optimizers.SGD())

    def step(x: Any, y: Any) -> Any:
        loss = plain(x, y)
        if loss > 1e6:
            loss = -loss
        return loss

    with Recorder(log_dir, model, update_freq=1) as recorder:
        losses = [
            float(recorder_step(*batch)) for recorder_step in [recorder.function(step)] for batch in batches(x, y)
        ]
    assert len(load(log_dir).steps) == len(losses)
    assert min(losses) > 0


def test_an_unobserved_step_runs_the_plain_function(log_dir: str) -> None:
    model, x, y = build()
    with Recorder(log_dir, model, update_freq=4) as recorder:
        step = recorder.function(train_step(model, keras.optimizers.SGD()))
        plain, calls = step.plain, []

        def counted(*args: Any) -> Any:
            calls.append(args)
            return plain(*args)

        step.plain = counted
        for batch in batches(x, y):
            step(*batch)
    assert len(calls) == 8 - 2
    assert plain.experimental_get_tracing_count() == 1


def test_nothing_is_left_behind(log_dir: str) -> None:
    apply, gradient = keras.optimizers.Adam.apply, tf.GradientTape.gradient
    model, x, y = build()
    optimizer = keras.optimizers.Adam()
    with Recorder(log_dir, model, update_freq=1) as recorder:
        recorder.function(train_step(model, optimizer))(*next(batches(x, y)))
    assert keras.optimizers.Adam.apply is apply
    assert tf.GradientTape.gradient is gradient
    assert not [layer.name for layer in model.layers if "call" in vars(layer)]
    assert "apply" not in vars(optimizer)


def test_an_error_of_the_step_is_the_loops_own(log_dir: str) -> None:
    model, x, y = build()
    plain = train_step(model, keras.optimizers.SGD())
    with Recorder(log_dir, model, update_freq=1) as recorder:
        with pytest.raises(RuntimeError, match="of my own"), recorder.step():
            raise RuntimeError("of my own")
        for batch in batches(x, y):
            with recorder.step():
                plain(*batch)
    assert not [layer.name for layer in model.layers if "call" in vars(layer)]
    assert load(log_dir).steps.tolist() == list(range(1, 9))


def test_a_step_that_cannot_be_observed_is_said_once_and_goes_on(
    log_dir: str, caplog: pytest.LogCaptureFixture
) -> None:
    model, x, y = build()
    with Recorder(log_dir, model, update_freq=1) as recorder, caplog.at_level(logging.WARNING, "tb_activations"):
        step = recorder.function(train_step(model, keras.optimizers.SGD()))
        outer = tf.function(lambda x, y: step(x, y))
        for batch in batches(x, y):
            outer(*batch)
    assert [record.message.count("another tf.function") for record in caplog.records] == [1]


def test_what_a_nested_function_calls_is_said_to_be_not_observed(log_dir: str) -> None:
    model, x, y = build()
    head = tf.function(model.get_layer("head").__call__)
    optimizer = keras.optimizers.Adam()

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            h = x
            for layer in model.layers[:-1]:
                h = layer(h)
            loss = LOSS(y, head(h))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    with Recorder(log_dir, model, update_freq=1) as recorder:
        for batch in batches(x, y):
            with recorder.step():
                step(*batch)
    run = load(log_dir)
    reasons = {layer.name: layer.not_observed for layer in run.spec.layers}
    assert "tf.function of an eager step" in reasons["head"]
    assert not any(reason for name, reason in reasons.items() if name != "head")
    assert len(run.steps) == 8
    assert np.isfinite(run.stat("weight_gradient_norm")[:, run.layers.index("head")]).all()


def test_epochs_end_by_themselves_or_when_said(log_dir: str) -> None:
    model, x, y = build()
    with Recorder(log_dir, model, update_freq="epoch", steps_per_epoch=8) as recorder:
        run_loop(recorder.function, model, x, y, epochs=3)
        recorder.end_epoch({"val_loss": 0.5})
    run = load(log_dir)
    assert [(one.step, one.epoch, dict(one.values)) for one in run.epoch_metrics] == [(23, 2, {"val_loss": 0.5})]
    assert run.steps.tolist() == [7, 15, 23]
    assert run.step_stat("epoch").tolist() == [0, 1, 2]


def test_a_loop_that_trains_the_model_on_continues_its_run_and_one_from_the_beginning_does_not(log_dir: str) -> None:
    for is_continued in (False, True, False):
        if not is_continued:
            model, x, y = build()
        with Recorder(log_dir, model, update_freq=4) as recorder:
            run_loop(recorder.function, model, x, y)
    assert load(log_dir).steps.tolist() == [0, 4, 8, 12]
    assert load(f"{log_dir}-2").steps.tolist() == [0, 4]


def dying() -> keras.Model:
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    minus = keras.initializers.Constant(-20)
    return keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(16, "relu", name="alive"),
            layers.Dense(16, "relu", bias_initializer=minus, name="dead"),
            layers.Dense(10, name="head"),
        ]
    )


def test_problems_stop_or_raise(tmp_path: Path) -> None:
    x, y = digits()
    for answer in ("stop", "raise"):
        model = dying()
        recorder = Recorder(tmp_path / answer, model, update_freq=1, on_problem=answer)
        step = recorder.function(train_step(model, keras.optimizers.SGD()))

        def loop(recorder: Recorder = recorder, step: Any = step) -> int:
            for count, batch in enumerate(batches(x, y, epochs=20)):
                step(*batch)
                if recorder.stop_training:
                    return count
            return -1

        if answer == "raise":
            with pytest.raises(LayerHealthError, match="16 of 16"):
                loop()
        else:
            assert 0 < loop() < 159
        recorder.close()
        assert "dead" in {finding.layer for finding in load(tmp_path / answer).findings}


class TestArguments:
    def test_two_functions_need_two_recorders(self, log_dir: str) -> None:
        model, _, _ = build()
        recorder = Recorder(log_dir, model)
        recorder.function(train_step(model, None))
        with pytest.raises(ValueError, match="a separate recorder and folder for each"):
            recorder.function(train_step(model, None))

    def test_an_epoch_of_unknown_length(self, log_dir: str) -> None:
        with pytest.raises(ValueError, match=r"`update_freq`.*steps_per_epoch"):
            Recorder(log_dir, build()[0], update_freq="epoch")

    @pytest.mark.parametrize("models", [None, {}, {"a": 3}, [1]])
    def test_models_that_are_none(self, log_dir: str, models: Any) -> None:
        with pytest.raises(TypeError, match=r"`models`.*mapping from names"):
            Recorder(log_dir, models)

    @pytest.mark.parametrize("value", [0, -1, 2.5, True])
    def test_epochs_that_are_no_number(self, log_dir: str, value: Any) -> None:
        with pytest.raises(ValueError, match="`steps_per_epoch`"):
            Recorder(log_dir, build()[0], steps_per_epoch=value)


def adversaries() -> tuple[dict[str, keras.Model], Any]:
    """A generator and a critic, and a step that trains both."""
    keras.utils.set_random_seed(0)
    # Called once a step: TensorFlow itself does not order two draws of one layer within a compiled step.
    generator = keras.Sequential([layers.Input((4,)), layers.Dropout(0.5, name="drop"), layers.Dense(4, name="made")])
    critic = keras.Sequential([layers.Input((4,)), layers.Dense(1, name="score")])
    optimizers = [keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01)]

    def step(z: Any) -> Any:
        with tf.GradientTape(persistent=True) as tape:
            fooled = -tf.reduce_mean(critic(generator(z, training=True), training=True))
            loss = tf.reduce_mean(critic(z, training=True)) + fooled
        for model, optimizer, target in zip((generator, critic), optimizers, (fooled, loss), strict=True):
            optimizer.apply(tape.gradient(target, model.trainable_variables), model.trainable_variables)
        return loss

    return {"generator": generator, "critic": critic}, step


def test_snapshots_of_several_models(log_dir: str) -> None:
    noise = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    alone, step = adversaries()
    plain = tf.function(step)
    for _ in range(4):
        plain(noise)
    models, step = adversaries()
    samples = {"generator": noise[:4]}
    with Recorder(
        log_dir, models, update_freq=1, steps_per_epoch=2, image_freq="epoch", probe_data=samples
    ) as recorder:
        watched = recorder.function(step)
        for _ in range(4):
            watched(noise)
    for name, model in models.items():
        assert_same(alone[name].get_weights(), model.get_weights())
    run = load(log_dir)
    measured = ~np.isnan(run.stat("mode_difference"))
    assert np.flatnonzero(measured.any(axis=1)).tolist() == [1, 3]
    assert {run.layers[row] for row in np.flatnonzero(measured.any(axis=0))} == {"generator/drop", "generator/made"}
    assert run.stat("mode_difference")[3, run.layers.index("generator/drop")] > 0


def test_a_first_snapshot_that_would_take_long_comes_at_the_end(log_dir: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LIKE_PREPARING", 1e9)
    noise = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    models, step = adversaries()
    samples = {"generator": noise[:4]}
    with Recorder(log_dir, models, update_freq=1, steps_per_epoch=2, probe_data=samples) as recorder:
        watched = recorder.function(step)
        for _ in range(4):
            watched(noise)
    measured = ~np.isnan(load(log_dir).stat("mode_difference"))
    assert np.flatnonzero(measured.any(axis=1)).tolist() == [3]


def test_probe_data_of_a_model_that_is_not_recorded(log_dir: str) -> None:
    model, x, _ = build()
    with pytest.raises(ValueError, match="`probe_data`: 'other'"):
        Recorder(log_dir, {"one": model}, probe_data={"other": x[:2]})
