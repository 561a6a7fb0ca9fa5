"""Small real trainings whose runs are easily misread: partial batches, a vanishing gradient, infinity, two models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tb_activations import LayerHealth, Recorder
from tests.unoptimized import unoptimized

UNITS = 8
BATCH, REST, EPOCHS = 32, 10, 14
"""Rows of a whole batch, and of the last one of each epoch of "partial"."""
GENERATOR_RATE, DISCRIMINATOR_RATE = 0.002, 0.03
LSTM_STEPS = 12


def write_all(folder: Path) -> None:
    """All runs, in folders below `folder`."""
    with unoptimized():
        for write in (write_partial, write_vanishing, write_overflow, write_gan, write_recurrent):
            write(folder)


def write_partial(folder: Path) -> None:
    """A short training as a user starts it: the default cadence, and epochs that end with a smaller batch."""
    x, y = _data(2 * BATCH + REST, 6)
    model = keras.Sequential(
        [layers.Input((6,)), layers.Dense(UNITS, "relu", name="hidden"), layers.Dense(3, name="head")]
    )
    _fit(model, x, y, [LayerHealth(folder / "partial", image_freq=0)], epochs=EPOCHS)


def write_vanishing(folder: Path) -> None:
    """Sigmoids with small weights, one after the other: hardly any gradient arrives at the first ones."""
    x, y = _data(64, 6)
    small = keras.initializers.RandomNormal(0, 0.6)
    hidden = [
        layers.Dense(UNITS, "sigmoid", kernel_initializer=small, name=f"hidden_{index + 1}") for index in range(6)
    ]
    model = keras.Sequential([layers.Input((6,)), *hidden, layers.Dense(3, name="head")])
    health = LayerHealth(folder / "vanishing", update_freq=1, image_freq=0, rules=["vanishing_gradient"])
    _fit(model, x, y, [health], epochs=15)


def write_overflow(folder: Path) -> None:
    """The exponential of what the layer "log_variance" gives overflows, so its gradient is not finite either."""
    x, y = _data(64, 6)
    inputs = layers.Input((6,))
    large = keras.initializers.Constant(400.0)
    log_variance = layers.Dense(UNITS, bias_initializer=large, name="log_variance")(inputs)
    spread = keras.ops.exp(0.5 * log_variance)
    model = keras.Model(inputs, layers.Dense(3, name="decoder")(spread))
    health = LayerHealth(folder / "overflow", update_freq=1, image_freq=0, rules=["nonfinite"])
    _fit(model, x, y, [health], epochs=4)


def write_gan(folder: Path) -> None:
    """Two models, each with an optimizer of its own."""
    keras.utils.set_random_seed(1)
    generator = keras.Sequential([layers.Input((4,)), layers.Dense(6, "tanh", name="image")])
    discriminator = keras.Sequential([layers.Input((6,)), layers.Dense(1, name="score")])
    models = {"generator": generator, "discriminator": discriminator}
    with Recorder(folder / "gan", models, update_freq=1, image_freq=0, rules=["nonfinite"]) as recorder:
        step = recorder.function(_adversarial_step(generator, discriminator))
        random = np.random.default_rng(1)
        for _ in range(12):
            real, noise = random.normal(size=(BATCH, 6)), random.normal(size=(BATCH, 4))
            step(tf.constant(real, tf.float32), tf.constant(noise, tf.float32))


def write_recurrent(folder: Path) -> None:
    """An LSTM, whose cell runs inside a loop, and a layer that runs inside a loop of its own."""
    x, y = _data(64, LSTM_STEPS)
    inputs = layers.Input((LSTM_STEPS, 1))
    outputs = layers.LSTM(4, name="lstm")(inputs)
    model = keras.Model(inputs, layers.Dense(3, name="head")(Looped(name="looped")(outputs)))
    health = LayerHealth(folder / "recurrent", update_freq=1, image_freq=0)
    _fit(model, x[..., None], y, [health], epochs=8)


class Looped(layers.Layer):
    """Calls its inner layer in a loop of the graph, where no value can be taken out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.inner = layers.Dense(4, "tanh", name="inner")

    def build(self, shape: Any) -> None:
        self.inner.build(shape)
        self.built = True

    def call(self, x: Any) -> Any:
        return tf.while_loop(lambda index, _: index < 2, lambda index, value: (index + 1, self.inner(value)), (0, x))[1]


def _data(samples: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    return random.normal(size=(samples, width)).astype("float32"), random.integers(0, 3, samples)


def _fit(model: keras.Model, x: np.ndarray, y: np.ndarray, callbacks: list[Any], epochs: int) -> None:
    keras.utils.set_random_seed(1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01), loss, jit_compile=False)
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=callbacks)


def _adversarial_step(generator: keras.Model, discriminator: keras.Model) -> Callable[[Any, Any], Any]:
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    optimizers = keras.optimizers.SGD(GENERATOR_RATE), keras.optimizers.SGD(DISCRIMINATOR_RATE)

    def step(real: Any, noise: Any) -> Any:
        with tf.GradientTape() as generating, tf.GradientTape() as judging:
            judged = discriminator(generator(noise))
            deceived = entropy(tf.ones_like(judged), judged)
            recognized = entropy(tf.zeros_like(judged), judged) + entropy(tf.ones_like(judged), discriminator(real))
        for tape, loss, model, optimizer in (
            (judging, recognized, discriminator, optimizers[1]),
            (generating, deceived, generator, optimizers[0]),
        ):
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return deceived

    return step
