"""Healthy programs that generate: adversaries, critics, denoisers, flows, sparse codes and fields of pictures."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn import datasets

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import Array, digits, photo_patches
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import binary_entropy

NOISE = 8


def moons(count: int = 768) -> Array:
    """Two half moons, standardized."""
    x, _ = datasets.make_moons(count, noise=0.05, random_state=72)
    return np.asarray((x - x.mean(0)) / x.std(0), "float32")


def closeness(generate: Any, real: Array, at_most: float) -> Goal:
    """How far samples lie from the nearest real ones and these from them, as a share of that of normal noise."""

    def distance(made: Array) -> float:
        gaps = np.sqrt(np.square(made[:, None] - real[None, :256]).sum(-1))
        return float(gaps.min(0).mean() + gaps.min(1).mean())

    def measure() -> float:
        noise = np.random.default_rng(73).normal(size=(256, *real.shape[1:])) * real.std(0) + real.mean(0)
        return distance(np.asarray(generate(), "float64")) / distance(noise)

    return Goal("distance from real samples as a share of that of noise", measure, at_most=at_most)


class GAN(keras.Model):
    """A generator and a discriminator with an optimizer each, one step of both for every batch."""

    def __init__(self, discriminator: keras.Model, generator: keras.Model) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.generator = generator
        self.seed_generator = keras.random.SeedGenerator(1337)

    def compile(self, d_optimizer: Any, g_optimizer: Any, loss_fn: Any) -> None:
        super().compile(optimizer=g_optimizer, jit_compile=False)
        self.d_optimizer = d_optimizer
        self.loss_fn = loss_fn

    def call(self, noise: Any) -> Any:
        return self.generator(noise)

    def train_step(self, real: Any) -> dict[str, Any]:
        count = ops.shape(real)[0]
        noise = keras.random.normal((count, NOISE), seed=self.seed_generator)
        labels = ops.concatenate([ops.ones((count, 1)), ops.zeros((count, 1))], axis=0)
        labels = labels + 0.05 * keras.random.uniform((2 * count, 1), seed=self.seed_generator)
        with tf.GradientTape() as tape:
            both = ops.concatenate([self.generator(noise, training=True), real], axis=0)
            d_loss = self.loss_fn(labels, self.discriminator(both, training=True))
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
        noise = keras.random.normal((count, NOISE), seed=self.seed_generator)
        with tf.GradientTape() as tape:
            g_loss = self.loss_fn(ops.zeros((count, 1)), self.discriminator(self.generator(noise, training=True)))
        weights = self.generator.trainable_weights
        self.optimizer.apply(tape.gradient(g_loss, weights), weights)
        return {"loss": g_loss, "d_loss": d_loss}


@outside_healthy("generative")
def generative_dcgan_digits() -> Training:
    """Transposed convolutions make digits, leaky ones judge them; neither loss falls, and the pictures get better."""
    x = digits(768)[0][..., None]
    discriminator = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, kernel_size=4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(32, kernel_size=4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    generator = keras.Sequential(
        [
            keras.Input((NOISE,)),
            layers.Dense(2 * 2 * 32),
            layers.Reshape((2, 2, 32)),
            layers.Conv2DTranspose(32, kernel_size=4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2DTranspose(32, kernel_size=4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(1, kernel_size=3, padding="same", activation="sigmoid"),
        ],
        name="generator",
    )
    gan = GAN(discriminator, generator)
    gan(np.zeros((1, NOISE), "float32"))
    gan.compile(
        keras.optimizers.Adam(1e-3, beta_1=0.5),
        keras.optimizers.Adam(2e-3, beta_1=0.5),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    noise = np.random.default_rng(74).normal(size=(256, NOISE)).astype("float32")
    goal = closeness(lambda: generator(noise).numpy().reshape(256, -1), x.reshape(len(x), -1), 0.97)
    return Training(gan, x, None, epochs=24, goal=goal)


class WGAN(keras.Model):
    """A critic that is held to slopes of one by a penalty and takes three steps for one of the generator."""

    def __init__(self, critic: keras.Model, generator: keras.Model) -> None:
        super().__init__()
        self.critic = critic
        self.generator = generator
        self.seed_generator = keras.random.SeedGenerator(7)
        self.critic_optimizer = keras.optimizers.Adam(2e-3, beta_1=0.5, beta_2=0.9)

    def call(self, noise: Any) -> Any:
        return self.generator(noise)

    def train_step(self, real: Any) -> dict[str, Any]:
        count = ops.shape(real)[0]
        for _ in range(3):
            noise = keras.random.normal((count, NOISE), seed=self.seed_generator)
            share = keras.random.uniform((count, 1), seed=self.seed_generator)
            with tf.GradientTape() as tape:
                fake = self.generator(noise, training=True)
                with tf.GradientTape() as inner:
                    between = share * real + (1 - share) * fake
                    inner.watch(between)
                    answers = self.critic(between, training=True)
                slopes = ops.sqrt(ops.sum(ops.square(inner.gradient(answers, between)), axis=1) + 1e-12)
                penalty = 10.0 * ops.mean(ops.square(slopes - 1.0))
                c_loss = ops.mean(self.critic(fake)) - ops.mean(self.critic(real)) + penalty
            weights = self.critic.trainable_weights
            self.critic_optimizer.apply(tape.gradient(c_loss, weights), weights)
        noise = keras.random.normal((count, NOISE), seed=self.seed_generator)
        with tf.GradientTape() as tape:
            g_loss = -ops.mean(self.critic(self.generator(noise, training=True)))
        weights = self.generator.trainable_weights
        self.optimizer.apply(tape.gradient(g_loss, weights), weights)
        return {"loss": g_loss, "c_loss": c_loss}


@outside_healthy("generative")
def generative_wasserstein_moons() -> Training:
    """A Wasserstein critic with a gradient penalty, whose loss passes through zero, and a generator of points."""
    x = moons()
    critic = keras.Sequential([keras.Input((2,))], name="critic")
    for _ in range(2):
        critic.add(layers.Dense(48))
        critic.add(layers.LeakyReLU(0.2))
    critic.add(layers.Dense(1))
    generator = keras.Sequential([keras.Input((NOISE,))], name="generator")
    for _ in range(2):
        generator.add(layers.Dense(48, use_bias=False))
        generator.add(layers.BatchNormalization(momentum=0.9))
        generator.add(layers.LeakyReLU(0.2))
    generator.add(layers.Dense(2))
    model = WGAN(critic, generator)
    model(np.zeros((1, NOISE), "float32"))
    model.critic_optimizer.build(critic.trainable_weights)
    model.compile(keras.optimizers.Adam(2e-3, beta_1=0.5, beta_2=0.9), jit_compile=False)
    noise = np.random.default_rng(75).normal(size=(256, NOISE)).astype("float32")
    return Training(model, x, None, epochs=40, batch_size=64, goal=closeness(lambda: generator(noise), x, 1.1))


@outside_healthy("generative")
def generative_denoiser_of_points() -> Training:
    """A denoiser that gets the strength of the noise as sines; its loss has a floor far above zero."""
    x = moons(1024)
    random = np.random.default_rng(76)
    x = np.tile(x, (3, 1))
    angle = random.uniform(0.05, 1.5, (len(x), 1)).astype("float32")
    noise = random.normal(size=x.shape).astype("float32")
    noisy = np.cos(angle) * x + np.sin(angle) * noise
    frequencies = np.exp(np.linspace(0.0, math.log(30.0), 8)).astype("float32")
    points, strength = keras.Input((2,)), keras.Input((1,))
    strengths = layers.Lambda(
        lambda value: ops.concatenate([ops.sin(value * frequencies), ops.cos(value * frequencies)], -1)
    )(strength)
    body = layers.Dense(64, activation="swish")(layers.Concatenate()([points, strengths]))
    for _ in range(2):
        inner = layers.Dense(64, activation="swish")(layers.Concatenate()([body, strengths]))
        body = layers.Add()([body, layers.Dense(64)(inner)])
    model = keras.Model([points, strength], layers.Dense(2, kernel_initializer="zeros")(body))
    compiled(model, keras.optimizers.AdamW(3e-3, weight_decay=1e-4), "mean_absolute_error")
    return Training(model, [noisy.astype("float32"), angle], noise, epochs=5, batch_size=64, constant_loss=0.798)


class Flow(keras.Model):
    """Affine couplings whose last layers are zero at first, so that the flow starts as the identity."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.nets = [
            keras.Sequential(
                [
                    keras.Input((1,)),
                    layers.Dense(32, activation="relu"),
                    layers.Dense(32, activation="relu"),
                    layers.Dense(2, kernel_initializer="zeros"),
                ],
                name=f"net_{number}",
            )
            for number in range(count)
        ]

    def call(self, x: Any) -> Any:
        total = ops.zeros_like(x[:, 0])
        for net in self.nets:
            kept, changed = x[:, :1], x[:, 1:]
            scale, shift = ops.split(net(kept), 2, axis=-1)
            scale = ops.tanh(scale)
            changed = changed * ops.exp(scale) + shift
            x = ops.concatenate([changed, kept], axis=-1)
            total = total + scale[:, 0]
        return ops.concatenate([x, total[:, None]], axis=-1)


def negative_likelihood(_: Any, answers: Any) -> Any:
    normal = 0.5 * ops.sum(ops.square(answers[:, :2]), axis=-1) + math.log(2 * math.pi)
    return normal - answers[:, 2]


@outside_healthy("generative")
def generative_zero_start_flow() -> Training:
    """A flow from two moons to a normal distribution that starts as the identity and has a negative loss at the end."""
    x = moons(1024)
    model = Flow(6)
    model(x[:2])
    compiled(model, keras.optimizers.Adam(0.003), negative_likelihood)

    def likelihood() -> float:
        return float(ops.mean(negative_likelihood(None, model(x))))

    goal = Goal("negative log-likelihood", likelihood, at_most=2.3)
    return Training(model, x, np.zeros((len(x), 1), "float32"), epochs=10, goal=goal)


@outside_healthy("generative")
def generative_sparse_codes() -> Training:
    """A wide autoencoder with an L1 penalty on its codes: most of them are zero for most pictures."""
    x, _ = digits(768)
    x = x.reshape(len(x), -1)
    inputs = keras.Input((64,))
    codes = layers.Dense(96, activation="relu", activity_regularizer=keras.regularizers.l1(1e-5))(inputs)
    model = keras.Model(inputs, layers.Dense(64, activation="sigmoid")(codes))
    compiled(model, keras.optimizers.Adam(0.003), "binary_crossentropy")
    return Training(model, x, x, epochs=15, constant_loss=binary_entropy(x))


@outside_healthy("generative")
def generative_sine_layers() -> Training:
    """One picture as a function of its coordinates, with sines as activations and the uniform start made for them."""
    picture = photo_patches(1, 32)[0]
    places = np.stack(np.meshgrid(*[np.linspace(-1, 1, 32)] * 2, indexing="ij"), -1).reshape(-1, 2).astype("float32")

    def uniform(limit: float) -> keras.initializers.Initializer:
        return keras.initializers.RandomUniform(-limit, limit)

    inputs = keras.Input((2,))
    body = layers.Dense(48, kernel_initializer=uniform(1 / 2))(inputs)
    body = layers.Lambda(lambda value: ops.sin(20.0 * value))(body)
    for _ in range(2):
        body = layers.Dense(48, kernel_initializer=uniform(math.sqrt(6 / 48) / 20))(body)
        body = layers.Lambda(lambda value: ops.sin(20.0 * value))(body)
    model = keras.Model(inputs, layers.Dense(3, kernel_initializer=uniform(math.sqrt(6 / 48) / 20))(body))
    compiled(model, keras.optimizers.Adam(1e-3), "mse")
    pixels = (2 * picture.reshape(-1, 3) - 1).astype("float32")
    return Training(model, places, pixels, epochs=12, batch_size=64)


@outside_healthy("generative")
def generative_radiance_field() -> Training:
    """A picture as a function of Fourier features of its coordinates; ReLU layers, a skip and a sigmoid for colors."""
    patches = photo_patches(8, 32)
    picture = patches[patches.var((1, 2, 3)).argmax()]
    places = np.stack(np.meshgrid(*[np.linspace(-1, 1, 32)] * 2, indexing="ij"), -1).reshape(-1, 2).astype("float32")
    waves = [function(2.0**power * np.pi * places / 2) for power in range(5) for function in (np.sin, np.cos)]
    x = np.concatenate([places, *waves], 1).astype("float32")
    inputs = keras.Input((x.shape[1],))
    body = inputs
    for number in range(5):
        body = layers.Dense(48, activation="relu")(body)
        if number == 2:
            body = layers.concatenate([body, inputs])
    model = keras.Model(inputs, layers.Dense(3, activation="sigmoid")(body))
    compiled(model, keras.optimizers.Adam(2e-3), "mse")
    return Training(model, x, picture.reshape(-1, 3), epochs=12, batch_size=64)


class WithDivergence(layers.Layer):
    """Draws codes and adds their divergence from a normal distribution to the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(3)

    def call(self, inputs: Any) -> Any:
        mean, log_var = inputs
        self.add_loss(-0.5 * ops.mean(ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=-1)) / 64 * 0.3)
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seed_generator)


@outside_healthy("generative")
def generative_dense_variational() -> Training:
    """A dense variational autoencoder whose divergence switches off the codes that it does not need."""
    x, _ = digits(768)
    x = x.reshape(len(x), -1)
    inputs = keras.Input((64,))
    hidden = layers.Dense(64, activation="relu")(inputs)
    codes = WithDivergence()([layers.Dense(8, name="mean")(hidden), layers.Dense(8, name="log_var")(hidden)])
    hidden = layers.Dense(64, activation="relu")(codes)
    model = keras.Model(inputs, layers.Dense(64, activation="sigmoid")(hidden))
    compiled(model, "rmsprop", "binary_crossentropy")
    return Training(model, x, x, epochs=20, constant_loss=binary_entropy(x))
