"""The gradients that a `Recorder` counts: updates by hand, losses of several models, inner gradients of penalties."""

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
from tests.training.loops import BATCH, LOSS, Step, assert_same, batches, build
from tests.training.models import digits

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")


@pytest.fixture
def log_dir(tmp_path: Path) -> str:
    return str(tmp_path / "run")


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
    keras.utils.clear_session(free_memory=False)
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
            recognized = entropy(tf.zeros_like(judged), judged) + entropy(tf.ones_like(judged), discriminator(real))
        for tape, loss, model, optimizer in (
            (judging, recognized, discriminator, optimizers[1]),
            (generating, deceived, generator, optimizers[0]),
        ):
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
        return deceived, recognized

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
    np.testing.assert_allclose(run.step_stat("first_learning_rate"), 1e-2, rtol=1e-6)
    np.testing.assert_allclose(run.step_stat("learning_rate"), 1e-3, rtol=1e-6)


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
    """As in WGAN-GP: the loss contains the gradient with respect to the inputs."""
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


def test_a_scaled_loss_is_recorded_as_it_is(log_dir: str) -> None:
    model, x, y = build()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=1024.0)
    batch = next(batches(x, y))
    head = model.get_layer("head")

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = LOSS(y, model(x))
            scaled = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    with tf.GradientTape() as tape:
        unscaled = LOSS(batch[1], model(batch[0]))
    gradient = tape.gradient(unscaled, head.kernel)
    with Recorder(log_dir, model, update_freq=1) as recorder:
        loss = recorder.function(step)(*batch)
    run = load(log_dir)
    assert run.step_stat("loss_scale")[0] == 1024
    assert run.step_stat("loss")[0] == pytest.approx(float(loss), rel=1e-6)
    place = run.weights.index("head/kernel")
    assert run.weight_stat("gradient_norm")[0, place] == pytest.approx(float(tf.norm(gradient)), rel=1e-4)
