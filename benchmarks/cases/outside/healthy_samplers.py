"""Healthy programs that generate: bounded critics, codes drawn from a few, outlines filled in, strokes of a pen."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, View, outside_healthy
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_generators import closeness, moons
from benchmarks.cases.outside.healthy_goals import binary_entropy, squared_error

CODE = 8


class HingeGAN(keras.Model):
    """A critic that wants real scores above 1 and made ones below -1, and a generator that raises its own."""

    def __init__(self, critic: keras.Model, generator: keras.Model) -> None:
        super().__init__()
        self.critic, self.generator = critic, generator
        self.seeds = keras.random.SeedGenerator(431)
        self.critic_optimizer = keras.optimizers.Adam(2e-3, beta_1=0.0, beta_2=0.9)
        self.critic_optimizer.build(critic.trainable_variables)

    def call(self, noise: Any) -> Any:
        return self.generator(noise)

    def train_step(self, real: Any) -> dict[str, Any]:
        shape = (ops.shape(real)[0], CODE)
        made = self.generator(keras.random.normal(shape, seed=self.seeds), training=True)
        with tf.GradientTape() as tape:
            scores = self.critic(real, training=True), self.critic(made, training=True)
            critic_loss = ops.mean(ops.relu(1 - scores[0])) + ops.mean(ops.relu(1 + scores[1]))
        weights = self.critic.trainable_variables
        self.critic_optimizer.apply(tape.gradient(critic_loss, weights), weights)
        with tf.GradientTape() as tape:
            made = self.generator(keras.random.normal(shape, seed=self.seeds), training=True)
            loss = -ops.mean(self.critic(made, training=True))
        weights = self.generator.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss, "critic_loss": critic_loss}


@outside_healthy("generative")
def generative_spectral_norms() -> Training:
    """A critic whose kernels are divided by their largest singular value, under a hinge loss, and a generator."""
    x = moons(1024)
    bounded = [layers.SpectralNormalization(layers.Dense(64, activation="leaky_relu")) for _ in range(2)]
    critic = keras.Sequential([layers.Input((2,)), *bounded, layers.SpectralNormalization(layers.Dense(1))])
    generator = keras.Sequential(
        [
            layers.Input((CODE,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(2),
        ]
    )
    model = HingeGAN(critic, generator)
    model(np.zeros((1, CODE), "float32"))
    compiled(model, keras.optimizers.Adam(1e-3, beta_1=0.0, beta_2=0.9), None)
    noise = np.random.default_rng(431).normal(size=(256, CODE)).astype("float32")
    goal = closeness(lambda: generator(noise).numpy(), x, 0.7)
    return Training(model, x, None, epochs=100, batch_size=64, goal=goal)


class AdversarialAutoencoder(keras.Model):
    """An autoencoder whose codes a discriminator compares with normal noise."""

    def __init__(self, encoder: keras.Model, decoder: keras.Model, discriminator: keras.Model) -> None:
        super().__init__()
        self.encoder, self.decoder, self.discriminator = encoder, decoder, discriminator
        self.seeds = keras.random.SeedGenerator(432)
        self.judge_optimizer = keras.optimizers.Adam(1e-3)
        self.judge_optimizer.build(discriminator.trainable_variables)

    def call(self, pictures: Any) -> Any:
        return self.decoder(self.encoder(pictures))

    def train_step(self, pictures: Any) -> dict[str, Any]:
        codes = self.encoder(pictures, training=True)
        noise = keras.random.normal(ops.shape(codes), seed=self.seeds)
        with tf.GradientTape() as tape:
            scores = self.discriminator(ops.concatenate([codes, noise], axis=0))
            made, real = ops.split(scores, 2, axis=0)
            judge_loss = ops.mean(ops.softplus(made)) + ops.mean(ops.softplus(-real))
        weights = self.discriminator.trainable_variables
        self.judge_optimizer.apply(tape.gradient(judge_loss, weights), weights)
        with tf.GradientTape() as tape:
            codes = self.encoder(pictures, training=True)
            error = ops.mean(keras.losses.binary_crossentropy(pictures, self.decoder(codes)))
            loss = error + 0.01 * ops.mean(ops.softplus(-self.discriminator(codes)))
        weights = self.encoder.trainable_variables + self.decoder.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss, "judge_loss": judge_loss}


@outside_healthy("generative")
def generative_codes_before_a_judge() -> Training:
    """An adversarial autoencoder: digits to codes and back, and a judge that makes the codes look like noise."""
    x = digits(1024)[0].reshape(-1, 64)
    wide = {"activation": "relu", "kernel_initializer": "he_uniform"}
    encoder = keras.Sequential([layers.Input((64,)), layers.Dense(96, **wide), layers.Dense(CODE)])
    decoder = keras.Sequential(
        [layers.Input((CODE,)), layers.Dense(96, **wide), layers.Dense(64, activation="sigmoid")]
    )
    judge = keras.Sequential([layers.Input((CODE,)), layers.Dense(48, **wide), layers.Dense(1)])
    model = AdversarialAutoencoder(encoder, decoder, judge)
    model(x[:1])
    judge(np.zeros((1, CODE), "float32"))
    compiled(model, keras.optimizers.Adam(2e-3), None)
    view = View(encoder, x, loss=lambda codes: ops.mean(ops.square(x - decoder(codes))), prefix="encoder/")
    return Training(model, x, None, epochs=15, views=(view,), goal=squared_error(model, x, x, 0.6))


class Outlined(keras.Model):
    """A network that fills outlines in, by the absolute error and a judge of small parts of pairs."""

    def __init__(self, painter: keras.Model, judge: keras.Model) -> None:
        super().__init__()
        self.painter, self.judge = painter, judge
        self.judge_optimizer = keras.optimizers.Adam(1e-3, beta_1=0.5)
        self.judge_optimizer.build(judge.trainable_variables)

    def call(self, outlines: Any) -> Any:
        return self.painter(outlines)

    def train_step(self, data: Any) -> dict[str, Any]:
        outlines, pictures = data
        with tf.GradientTape(persistent=True) as tape:
            made = self.painter(outlines, training=True)
            real_score = self.judge([outlines, pictures], training=True)
            made_score = self.judge([outlines, made], training=True)
            judge_loss = (ops.mean(ops.softplus(-real_score)) + ops.mean(ops.softplus(made_score))) / 2
            error = ops.mean(ops.abs(pictures - made))
            loss = ops.mean(ops.softplus(-made_score)) + 50 * error
        painter, judge = self.painter.trainable_variables, self.judge.trainable_variables
        self.optimizer.apply(tape.gradient(loss, painter), painter)
        self.judge_optimizer.apply(tape.gradient(judge_loss, judge), judge)
        return {"loss": loss, "judge_loss": judge_loss, "error": error}


def downsampled(inputs: Any, filters: int) -> Any:
    body = layers.Conv2D(filters, 4, strides=2, padding="same", use_bias=False)(inputs)
    return layers.LeakyReLU(negative_slope=0.2)(layers.BatchNormalization(momentum=0.9)(body))


@outside_healthy("generative")
def generative_digits_from_outlines() -> Training:
    """Pictures from their outlines by a U-Net with dropout and tanh, next to a judge of parts of the picture."""
    x = digits(512)[0][..., None] * 2 - 1
    padded = np.pad(x > 0, ((0, 0), (1, 1), (1, 1), (0, 0)))
    inner = padded[:, 2:, 1:-1] & padded[:, :-2, 1:-1] & padded[:, 1:-1, 2:] & padded[:, 1:-1, :-2]
    outlines = ((x > 0) & ~inner).astype("float32") * 2 - 1
    inputs = layers.Input((8, 8, 1))
    first = downsampled(inputs, 24)
    body = downsampled(first, 32)
    body = layers.Conv2DTranspose(24, 4, strides=2, padding="same", use_bias=False)(body)
    body = layers.Dropout(0.3)(layers.BatchNormalization(momentum=0.9)(body))
    body = layers.Concatenate()([layers.ReLU()(body), first])
    body = layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh")(body)
    painter = keras.Model(inputs, body)
    pair = [layers.Input((8, 8, 1)), layers.Input((8, 8, 1))]
    judge = keras.Model(pair, layers.Conv2D(1, 3, padding="same")(downsampled(layers.Concatenate()(pair), 16)))
    model = Outlined(painter, judge)
    model(outlines[:1])
    compiled(model, keras.optimizers.Adam(2e-3, beta_1=0.5), None)
    view = View(painter, outlines, loss=lambda made: ops.mean(ops.abs(x - made)), prefix="painter/")
    goal = squared_error(model, outlines, x, 0.5)
    return Training(model, outlines, x, epochs=12, batch_size=16, views=(view,), goal=goal)


class FewCodes(layers.Layer):
    """Draws one of several codes for each place by noise on the scores; a lower temperature makes it more certain."""

    def __init__(self, codes: int) -> None:
        super().__init__()
        self.codes = codes
        self.seeds = keras.random.SeedGenerator(434)
        self.temperature = self.add_weight((), initializer="ones", trainable=False, name="temperature")

    def call(self, scores: Any, training: bool = False) -> Any:
        chances = ops.log_softmax(scores)
        divergence = ops.sum(ops.exp(chances) * (chances + math.log(self.codes)), axis=(1, 2))
        self.add_loss(0.002 * ops.mean(divergence))
        if not training:
            return ops.one_hot(ops.argmax(scores, axis=-1), self.codes)
        noise = keras.random.uniform(ops.shape(scores), 1e-6, 1 - 1e-6, seed=self.seeds)
        return ops.softmax((scores - ops.log(-ops.log(noise))) / self.temperature)


@outside_healthy("generative")
def generative_discrete_codes() -> Training:
    """Digits as eight codes of six values each, drawn with noise; the temperature falls from epoch to epoch."""
    x = digits(1024)[0].reshape(-1, 64)
    few = FewCodes(6)
    inputs = layers.Input((64,))
    body = layers.Dense(48)(layers.Dense(128, activation="relu")(inputs))
    body = layers.Flatten()(few(layers.Reshape((8, 6))(body)))
    body = layers.Dense(128, activation="relu")(body)
    model = keras.Model(inputs, layers.Dense(64, activation="sigmoid")(body))
    compiled(model, keras.optimizers.Adam(0.003), "binary_crossentropy")
    cooler = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: few.temperature.assign(max(0.5, math.exp(-0.05 * epoch)))
    )
    fit = {"callbacks": [cooler]}
    goal = squared_error(model, x, x, 0.7)
    return Training(model, x, x, epochs=15, fit=fit, goal=goal, constant_loss=binary_entropy(x))


def handwriting(count: int, length: int = 24) -> Array:
    """Loops of a pen: how far it moves in each step to the side and upward, and whether it is lifted."""
    random = np.random.default_rng(435)
    time = np.arange(length + 1) * random.uniform(0.5, 0.8, (count, 1)) + random.uniform(0, 6, (count, 1))
    size = random.uniform(0.6, 1.2, (count, 1))
    path = np.stack([0.35 * time + 0.5 * size * np.cos(time), size * np.sin(time)], -1)
    moves = np.diff(path, axis=1) + random.normal(0, 0.03, (count, length, 2))
    lifted = np.diff(np.floor(time / (4 * np.pi)), axis=1)
    return np.concatenate([moves * 3, lifted[..., None]], -1).astype("float32")


def stroke_likelihood(truth: Any, given: Any) -> Any:
    """Negative logarithm of the density of the next move, a mixture of five, and of the chance that the pen lifts."""
    shares, means, logs = given[..., :5], given[..., 5:15], given[..., 15:25]
    means = ops.reshape(means, (-1, truth.shape[1], 5, 2))
    logs = ops.clip(ops.reshape(logs, (-1, truth.shape[1], 5, 2)), -4, 4)
    gap = (truth[..., None, :2] - means) * ops.exp(-logs)
    density = -ops.sum(ops.square(gap) / 2 + logs + 0.919, axis=-1)
    move = ops.logsumexp(ops.log_softmax(shares) + density, axis=-1)
    lift = truth[..., 2] * ops.softplus(-given[..., 25]) + (1 - truth[..., 2]) * ops.softplus(given[..., 25])
    return ops.mean(lift - move, axis=-1)


@outside_healthy("generative")
def generative_strokes_of_a_pen() -> Training:
    """The next stroke of a pen as a mixture of five normal ones, by an LSTM; the loss falls through zero."""
    strokes = handwriting(500)
    x, y = strokes[:, :-1], strokes[:, 1:]
    inputs = layers.Input((23, 3))
    body = layers.LSTM(48, return_sequences=True)(inputs)
    model = keras.Model(inputs, layers.Dense(26)(layers.Concatenate()([body, inputs])))
    optimizer = keras.optimizers.RMSprop(0.003, rho=0.95, momentum=0.5, clipvalue=1.0)
    return Training(compiled(model, optimizer, stroke_likelihood), x, y, epochs=14, constant_loss=UNKNOWN)


def discrepancy(real: Any, made: Any) -> Any:
    """How differently two sets of points are spread, by Gaussian kernels of four widths."""

    def alike(first: Any, second: Any) -> Any:
        square = ops.sum(ops.square(first[:, None] - second[None]), axis=-1)
        return sum(ops.mean(ops.exp(-square / width)) for width in (0.02, 0.1, 0.5, 2.0))

    return alike(real, real) + alike(made, made) - 2 * alike(real, made)


@outside_healthy("generative")
def generative_matched_moments() -> Training:
    """A generator without an adversary: noise to points whose mean similarities are those of the data, batch-wise."""
    y = moons(1536)
    random = np.random.default_rng(436)
    x = random.uniform(-1, 1, (1536, CODE)).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((CODE,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(2),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.004), discrepancy)
    goal = closeness(lambda: model(x[:256]).numpy(), y, 0.7)
    return Training(model, x, y, epochs=25, batch_size=128, goal=goal, constant_loss=UNKNOWN)
