"""Healthy programs that make pictures: a growing automaton, noise for a wished class."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, outside_healthy
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
    return Training(model, seeds, y, epochs=8, batch_size=16, goal=squared_error(model, seeds, y, 0.6))


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
