"""Healthy programs that make pictures and points: a growing automaton, noise for a wished class, cycles."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import squared_error


@outside_healthy("generative")
def generative_growing_automaton() -> Training:
    """A cellular automaton grows four pictures from one cell in ten steps, by a rule that starts as doing nothing."""
    random = np.random.default_rng(339)
    pictures, labels = digits()
    wished = np.stack([pictures[labels == digit][0] for digit in (1, 3, 4, 7)])
    kinds = random.integers(0, 4, 320)
    seeds = np.zeros((320, 8, 8, 12), "float32")
    seeds[:, 4, 4, 1:8] = 1
    seeds[np.arange(320), 4, 4, 8 + kinds] = 3
    slopes = np.outer([1, 2, 1], [-1, 0, 1]) / 8
    kernels = np.stack([np.outer([0, 1, 0], [0, 1, 0]), slopes, slopes.T], -1)[:, :, None]
    fixed = keras.initializers.Constant(np.tile(kernels, (1, 1, 12, 1)))
    look = layers.DepthwiseConv2D(
        3, depth_multiplier=3, padding="same", use_bias=False, depthwise_initializer=fixed, trainable=False
    )
    think = layers.Conv2D(64, 1, activation="relu")
    change = layers.Conv2D(12, 1, kernel_initializer="zeros", use_bias=False)
    wake = layers.Dropout(0.3, noise_shape=(None, 8, 8, 1))
    inputs = body = keras.Input((8, 8, 12))
    for _ in range(10):
        body = layers.Add()([body, wake(change(think(look(body))))])
    model = keras.Model(inputs, layers.Lambda(lambda cells: cells[..., :1])(body))
    y = wished[kinds][..., None].astype("float32")
    compiled(model, keras.optimizers.Adam(0.003, global_clipnorm=1.0), "mse")
    return Training(model, seeds, y, epochs=15, batch_size=16, goal=squared_error(model, seeds, y, 0.6))


@outside_healthy("generative")
def generative_guided_noise() -> Training:
    """The noise in digits of a wished class, which is left out of one sample in six so that it can guide later."""
    random = np.random.default_rng(340)
    pictures, labels = (np.tile(part, (2,) + (1,) * (part.ndim - 1)) for part in digits(640))
    clean = 2 * pictures.reshape(-1, 64) - 1
    time = random.uniform(0.02, 0.98, (len(clean), 1))
    noise = random.normal(size=clean.shape)
    mixed = np.cos(time * np.pi / 2) * clean + np.sin(time * np.pi / 2) * noise
    wish = np.where(random.random(len(clean)) < 1 / 6, 10, labels).astype("int32")
    inputs = [keras.Input((64,)), keras.Input((1,)), keras.Input((), dtype="int32")]
    turns = layers.Lambda(lambda time: ops.concatenate([ops.sin(time * 2.0**n) for n in range(6)], -1))(inputs[1])
    told = layers.Concatenate()([layers.Embedding(11, 16)(inputs[2]), turns])
    told = layers.Dense(48, activation="swish")(told)
    body = layers.Dense(128)(inputs[0])
    for _ in range(3):
        branch = layers.LayerNormalization(center=False, scale=False)(body)
        scale = layers.Dense(128, kernel_initializer="zeros", bias_initializer="ones")(told)
        branch = layers.Add()([layers.Multiply()([branch, scale]), layers.Dense(128, kernel_initializer="zeros")(told)])
        branch = layers.Dense(128, activation="swish")(branch)
        body = layers.Add()([body, layers.Dense(128, kernel_initializer="zeros")(branch)])
    model = keras.Model(inputs, layers.Dense(64)(layers.LayerNormalization()(body)))
    optimizer = keras.optimizers.Adam(0.002, use_ema=True, ema_momentum=0.99)
    compiled(model, optimizer, "mse")
    x = [mixed.astype("float32"), time.astype("float32"), wish]
    return Training(model, x, noise.astype("float32"), epochs=12)


class Cycle(keras.Model):
    """Two translators between kinds of points and a judge for each kind; what goes there and back must be the same."""

    def __init__(self, forth: keras.Model, back: keras.Model, judges: tuple[keras.Model, keras.Model]) -> None:
        super().__init__()
        self.forth, self.back = forth, back
        self.first_judge, self.second_judge = judges
        self.judge_optimizer = keras.optimizers.Adam(0.001, beta_1=0.5)

    def call(self, points: Any) -> Any:
        return self.forth(points)

    def loss_of_translators(self, first: Any, second: Any, made: Any) -> Any:
        other = self.back(second)
        fooled = ops.mean(ops.square(self.second_judge(made) - 1)) + ops.mean(ops.square(self.first_judge(other) - 1))
        there_and_back = ops.mean(ops.abs(self.back(made) - first)) + ops.mean(ops.abs(self.forth(other) - second))
        return fooled + 5 * there_and_back

    def train_step(self, data: Any) -> dict[str, Any]:
        first, second = data
        translators = [*self.forth.trainable_variables, *self.back.trainable_variables]
        with tf.GradientTape() as tape:
            loss = self.loss_of_translators(first, second, self.forth(first))
        self.optimizer.apply(tape.gradient(loss, translators), translators)
        weights = [*self.first_judge.trainable_variables, *self.second_judge.trainable_variables]
        with tf.GradientTape() as tape:
            error = 0.0
            for judge, real, fake in (
                (self.first_judge, first, self.back(second)),
                (self.second_judge, second, self.forth(first)),
            ):
                error += ops.mean(ops.square(judge(real) - 1)) + ops.mean(ops.square(judge(fake)))
        self.judge_optimizer.apply(tape.gradient(error, weights), weights)
        return {"loss": loss}


def dense_leaky(inputs: int, outputs: int) -> keras.Sequential:
    hidden = [layers.Dense(48, "leaky_relu") for _ in range(2)]
    return keras.Sequential([keras.Input((inputs,)), *hidden, layers.Dense(outputs)])


@outside_healthy("generative")
def generative_cycles_between_rings() -> Training:
    """Points of one ring to points of another place and size and back, without pairs, with judges by least squares."""
    random = np.random.default_rng(341)
    angles = random.uniform(0, 2 * np.pi, (2, 1000))
    rings = np.stack([np.cos(angles), np.sin(angles)], -1) + random.normal(0, 0.06, (2, 1000, 2))
    first, second = rings[0].astype("float32"), (0.5 * rings[1] + [1.5, 0.5]).astype("float32")
    model = Cycle(dense_leaky(2, 2), dense_leaky(2, 2), (dense_leaky(2, 1), dense_leaky(2, 1)))
    model.compile(keras.optimizers.Adam(0.001, beta_1=0.5), jit_compile=False)
    model(first[:2])

    def apart() -> float:
        made = np.asarray(model.forth(first), "float64")
        return float(np.abs(np.linalg.norm(made - [1.5, 0.5], axis=1) - 0.5).mean())

    view = View(model.forth, first, loss=lambda made: model.loss_of_translators(first, second, made), prefix="forth/")
    goal = Goal("mean distance from the ring", apart, at_most=0.2)
    return Training(model, first, second, epochs=20, batch_size=50, views=(view,), goal=goal)
