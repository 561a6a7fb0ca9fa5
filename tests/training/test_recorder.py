"""`Recorder` in training loops of one's own: the records of `fit`, and the same weights as without it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations import LayerHealth, Recorder, load
from tb_activations.announce import LayerHealthError
from tests.training.models import KINDS, digits, train

BATCH = 32
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
Step = Callable[[Any, Any], Any]
Compiler = Callable[[Step], Step]


@pytest.fixture
def log_dir(tmp_path: Path) -> str:
    return str(tmp_path / "run")


def batches(x: Any, y: Any, epochs: int = 1) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    for _ in range(epochs):
        for start in range(0, len(x), BATCH):
            yield tf.constant(x[start : start + BATCH]), tf.constant(y[start : start + BATCH])


def build(kind: str = "sequential", seed: int = 0) -> tuple[keras.Model, Any, Any]:
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model, x, y = KINDS[kind]()
    model(x[:1])
    return model, x, y


def train_step(model: keras.Model, optimizer: Any) -> Step:
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = LOSS(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


def run_loop(compiler: Compiler, model: keras.Model, x: Any, y: Any, epochs: int = 1) -> list[np.ndarray]:
    step = compiler(train_step(model, keras.optimizers.Adam()))
    for batch in batches(x, y, epochs):
        step(*batch)
    weights: list[np.ndarray] = model.get_weights()
    return weights


def assert_same(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("kind", ["sequential", "subclassed", "lstm"])
def test_a_compiled_loop_records_what_fit_records(kind: str, tmp_path: Path) -> None:
    fitted = train(kind, [LayerHealth(tmp_path / "fit", update_freq=3)], epochs=1)
    model, x, y = build(kind)
    with Recorder(tmp_path / "loop", model, update_freq=3) as recorder:
        weights = run_loop(recorder.function, model, x, y)
    assert_same(weights, fitted.get_weights())
    fit, loop = load(tmp_path / "fit"), load(tmp_path / "loop")
    assert fit.layers == loop.layers
    # `fit` builds a subclassed model with its first step only.
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


def test_an_eager_loop_is_recorded(log_dir: str) -> None:
    model, x, y = build()
    alone = run_loop(lambda step: step, model, x, y)
    model, x, y = build()
    step = train_step(model, keras.optimizers.Adam())
    with Recorder(log_dir, model, update_freq=2) as recorder:
        for batch in batches(x, y):
            with recorder.step():
                step(*batch)
    assert_same(alone, model.get_weights())
    run = load(log_dir)
    assert run.steps.tolist() == [0, 2, 4, 6]
    assert set(run.step_stat("samples")) == {BATCH}
    assert np.isfinite(run.stat("weight_gradient_norm")[:, run.layers.index("conv")]).all()


def test_weights_that_the_step_changes_by_hand_are_seen(log_dir: str) -> None:
    def by_hand(model: keras.Model) -> Step:
        def step(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = LOSS(y, model(x, training=True))
            gradients = tape.gradient(loss, model.trainable_variables)
            for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
                weight.assign(weight - 0.1 * gradient)
            return loss

        return step

    model, x, y = build()
    batch = next(batches(x, y))
    with tf.GradientTape() as tape:
        loss = LOSS(batch[1], model(batch[0], training=True))
    head = model.get_layer("head").kernel
    gradient, weight = tape.gradient(loss, [head])[0].numpy(), head.numpy()
    model, x, y = build()
    with Recorder(log_dir, model, update_freq=1) as recorder:
        recorder.function(by_hand(model))(*batch)
    run = load(log_dir)
    names = [spec.name for spec in run.spec.weights]
    place = names.index("head/kernel")
    assert run.weight_stat("gradient_norm")[0, place] == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
    expected = 0.1 * np.linalg.norm(gradient) / np.linalg.norm(weight)
    assert run.weight_stat("update_ratio")[0, place] == pytest.approx(expected, rel=1e-4)
    assert len(names) == len(model.trainable_variables)


def gan() -> tuple[keras.Model, keras.Model]:
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    generator = keras.Sequential(
        [layers.Input((4,)), layers.Dense(16, "relu", name="hidden"), layers.Dense(64, "sigmoid", name="image")]
    )
    discriminator = keras.Sequential(
        [layers.Input((64,)), layers.Dense(16, "leaky_relu", name="hidden"), layers.Dense(1, name="score")]
    )
    return generator, discriminator


def gan_step(generator: keras.Model, discriminator: keras.Model, seeds: Any) -> Callable[[Any], Any]:
    optimizers = keras.optimizers.Adam(1e-3), keras.optimizers.SGD(1e-2)
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    def step(real: Any) -> Any:
        noise = seeds.normal([tf.shape(real)[0], 4])
        with tf.GradientTape() as generating, tf.GradientTape() as judging:
            fake = generator(noise)
            judged = discriminator(fake)
            deceived = entropy(tf.ones_like(judged), judged)
            recognised = entropy(tf.zeros_like(judged), judged) + entropy(tf.ones_like(judged), discriminator(real))
        for tape, loss, model, optimizer in (
            (judging, recognised, discriminator, optimizers[1]),
            (generating, deceived, generator, optimizers[0]),
        ):
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
        return deceived, recognised

    return step


def test_both_models_of_a_gan_are_recorded(log_dir: str) -> None:
    x = digits(128)[0].reshape(128, 64)

    def play(compiler: Any, generator: keras.Model, discriminator: keras.Model) -> list[np.ndarray]:
        step = compiler(gan_step(generator, discriminator, tf.random.Generator.from_seed(3)))
        for start in range(0, 128, BATCH):
            losses.append(step(tf.constant(x[start : start + BATCH])))
        return [*generator.get_weights(), *discriminator.get_weights()]

    losses: list[Any] = []
    alone = play(tf.function, *gan())
    losses.clear()
    models = gan()
    with Recorder(log_dir, {"generator": models[0], "discriminator": models[1]}, update_freq=1) as recorder:
        watched = play(recorder.function, *models)
    assert_same(alone, watched)
    run = load(log_dir)
    whole = [layer.name for layer in run.spec.layers if not layer.call_site]
    assert whole == ["generator/hidden", "generator/image", "discriminator/hidden", "discriminator/score"]
    assert {"discriminator/score@1", "discriminator/score@2"} <= set(run.layers)
    for name in whole:
        assert (run.stat("weight_gradient_norm")[:, run.layers.index(name)] > 0).all(), name
        assert (run.stat("gradient_norm")[:, run.layers.index(name)] > 0).all(), name
    np.testing.assert_allclose(run.step_stat("loss"), [float(a + b) for a, b in losses], rtol=1e-5)


def test_gradients_of_another_models_loss_do_not_count(log_dir: str) -> None:
    models = gan()
    real = tf.constant(digits(BATCH)[0].reshape(BATCH, 64))
    noise = tf.random.Generator.from_seed(3).normal([BATCH, 4])
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    with tf.GradientTape() as tape:
        judged = models[1](models[0](noise))
        tape.watch(judged)
        loss = entropy(tf.zeros_like(judged), judged)
    expected = np.linalg.norm(tape.gradient(loss, judged))
    with Recorder(log_dir, {"generator": models[0], "discriminator": models[1]}, update_freq=1) as recorder:
        recorder.function(gan_step(*models, tf.random.Generator.from_seed(3)))(real)
    run = load(log_dir)
    at_fake = run.layers.index("discriminator/score@1")
    assert run.stat("gradient_norm")[0, at_fake] == pytest.approx(expected, rel=1e-4)


def test_the_inner_gradient_of_a_penalty_does_not_count(log_dir: str) -> None:
    """As in WGAN-GP: the gradient by the inputs is taken within the loss."""
    _, critic = gan()
    x = tf.constant(digits(BATCH)[0].reshape(BATCH, 64))

    def step(x: Any) -> Any:
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                score = critic(x)
            slope = inner.gradient(score, x)
            loss = tf.reduce_mean(score) + tf.reduce_mean(tf.square(tf.norm(slope, axis=1) - 1))
        return loss, outer.gradient(loss, critic.trainable_variables)

    loss, gradients = tf.function(step)(x)
    with Recorder(log_dir, critic, update_freq=1) as recorder:
        watched = recorder.function(step)(x)
    run = load(log_dir)
    assert run.step_stat("loss")[0] == pytest.approx(float(loss), rel=1e-6)
    for one, other in zip(gradients, watched[1], strict=True):
        if one is not None:
            np.testing.assert_array_equal(one, other)
    kernel = [spec.name for spec in run.spec.weights].index("hidden/kernel")
    assert run.weight_stat("gradient_norm")[0, kernel] == pytest.approx(np.linalg.norm(gradients[0]), rel=1e-4)


def test_a_step_is_converted_by_autograph_as_without_the_recorder(log_dir: str) -> None:
    model, x, y = build()
    plain = train_step(model, keras.optimizers.Adam())

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
        step = recorder.function(train_step(model, keras.optimizers.Adam()))
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
    plain = train_step(model, keras.optimizers.Adam())
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
        step = recorder.function(train_step(model, keras.optimizers.Adam()))
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
    assert "function of its own" in reasons["head"]
    assert not any(reason for name, reason in reasons.items() if name != "head")
    assert len(run.steps) == 8
    assert np.isfinite(run.stat("weight_gradient_norm")[:, run.layers.index("head")]).all()


def test_epochs_end_by_themselves_or_when_said(log_dir: str) -> None:
    model, x, y = build()
    with Recorder(log_dir, model, update_freq="epoch", steps_per_epoch=8) as recorder:
        run_loop(recorder.function, model, x, y, epochs=3)
    run = load(log_dir)
    assert run.steps.tolist() == [7, 15, 23]
    assert run.step_stat("epoch").tolist() == [0, 1, 2]


def test_a_loop_that_is_started_again_goes_on_in_its_folder(log_dir: str) -> None:
    for _ in range(2):
        model, x, y = build()
        with Recorder(log_dir, model, update_freq=4) as recorder:
            run_loop(recorder.function, model, x, y)
    assert load(log_dir).steps.tolist() == [0, 4, 5, 9]


def dying() -> keras.Model:
    keras.utils.clear_session()
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
        step = recorder.function(train_step(model, keras.optimizers.Adam()))

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
        with pytest.raises(ValueError, match="a recorder and a folder of its own"):
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
