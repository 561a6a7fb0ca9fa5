"""Healthy programs that generate from noise: adversaries, diffusion; and reconstruction of hidden patches."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array, digits


class GAN(keras.Model):
    """A generator and a discriminator with a step and an optimizer each."""

    def __init__(self, discriminator: keras.Model, generator: keras.Model, latent_dim: int) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.generator = generator
        self.latent_dim = latent_dim
        self.seed_generator = keras.random.SeedGenerator(1337)

    def compile(self, d_optimizer: Any, g_optimizer: Any, loss_fn: Any) -> None:
        super().compile(jit_compile=False)
        self.d_optimizer = d_optimizer
        self.g_optimizer = g_optimizer
        self.loss_fn = loss_fn
        self.d_loss_metric = keras.metrics.Mean(name="d_loss")
        self.g_loss_metric = keras.metrics.Mean(name="g_loss")

    @property
    def metrics(self) -> list[Any]:
        return [self.d_loss_metric, self.g_loss_metric]

    def call(self, noise: Any) -> Any:
        return self.generator(noise)

    def train_step(self, real_images: Any) -> dict[str, Any]:
        batch_size = ops.shape(real_images)[0]
        noise = keras.random.normal((batch_size, self.latent_dim), seed=self.seed_generator)
        combined = ops.concatenate([self.generator(noise), real_images], axis=0)
        labels = ops.concatenate([ops.ones((batch_size, 1)), ops.zeros((batch_size, 1))], axis=0)
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(labels * 0.9, self.discriminator(combined))
        grads = tape.gradient(d_loss, self.discriminator.trainable_weights)
        self.d_optimizer.apply_gradients(zip(grads, self.discriminator.trainable_weights, strict=True))
        noise = keras.random.normal((batch_size, self.latent_dim), seed=self.seed_generator)
        with tf.GradientTape() as tape:
            predictions = self.discriminator(self.generator(noise))
            g_loss = self.loss_fn(ops.zeros((batch_size, 1)), predictions)
        grads = tape.gradient(g_loss, self.generator.trainable_weights)
        self.g_optimizer.apply_gradients(zip(grads, self.generator.trainable_weights, strict=True))
        self.d_loss_metric.update_state(d_loss)
        self.g_loss_metric.update_state(g_loss)
        return {"d_loss": self.d_loss_metric.result(), "g_loss": self.g_loss_metric.result()}


def distance_of_moments(made: Array, real: Array) -> float:
    """Distance of mean and deviation of every pixel, as a share of the size of the real ones."""
    both = [np.concatenate([values.mean(0).ravel(), values.std(0).ravel()]) for values in (made, real)]
    return float(np.linalg.norm(both[0] - both[1]) / np.linalg.norm(both[1]))


@outside_healthy("generative")
def generative_adversarial_convolutions() -> Training:
    """A convolutional GAN in turns; the loss of the discriminator does not fall when all goes well."""
    x = digits(512)[0][..., None]
    discriminator = keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            layers.Conv2D(16, kernel_size=3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(32, kernel_size=3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="discriminator",
    )
    generator = keras.Sequential(
        [
            keras.Input(shape=(16,)),
            layers.Dense(2 * 2 * 32),
            layers.Reshape((2, 2, 32)),
            layers.Conv2DTranspose(32, kernel_size=4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2DTranspose(16, kernel_size=4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(1, kernel_size=3, padding="same", activation="sigmoid"),
        ],
        name="generator",
    )
    gan = GAN(discriminator, generator, 16)
    noise = np.random.default_rng(20).normal(size=(512, 16)).astype("float32")
    loss = keras.losses.BinaryCrossentropy()
    gan.compile(
        d_optimizer=keras.optimizers.Adam(0.002, beta_1=0.5),
        g_optimizer=keras.optimizers.Adam(0.002, beta_1=0.5),
        loss_fn=loss,
    )
    gan(noise[:2])

    def distance() -> float:
        return distance_of_moments(np.asarray(generator(noise)), x)

    goal = Goal("distance of moments", distance, at_most=0.45)
    joined, is_made = np.concatenate([x, np.asarray(generator(noise))]), np.repeat([0.0, 0.9], 512)[:, None]
    views = (
        View(discriminator, joined, loss=lambda scores: loss(is_made, scores), prefix="discriminator/"),
        View(
            generator,
            noise,
            loss=lambda made: loss(np.zeros((512, 1)), discriminator(made, training=True)),
            prefix="generator/",
        ),
    )
    return Training(gan, x, None, epochs=15, batch_size=16, views=views, goal=goal)


class WassersteinGAN(keras.Model):
    """A critic with a gradient penalty and a generator that is trained at every third step of it."""

    def __init__(self, critic: keras.Model, generator: keras.Model) -> None:
        super().__init__()
        self.critic, self.generator = critic, generator
        self.noise = keras.random.SeedGenerator(21)

    def call(self, noise: Any) -> Any:
        return self.generator(noise)

    def gradient_penalty(self, real: Any, fake: Any) -> Any:
        alpha = keras.random.uniform((ops.shape(real)[0], 1), seed=self.noise)
        between = real + alpha * (fake - real)
        with tf.GradientTape() as tape:
            tape.watch(between)
            score = self.critic(between, training=True)
        slopes = tape.gradient(score, between)
        return ops.mean((ops.sqrt(ops.sum(ops.square(slopes), axis=1) + 1e-12) - 1.0) ** 2)

    def train_step(self, real: Any) -> dict[str, Any]:
        shape = (ops.shape(real)[0], 4)
        for _ in range(3):
            fake = self.generator(keras.random.normal(shape, seed=self.noise), training=True)
            with tf.GradientTape() as tape:
                cost = ops.mean(self.critic(fake, training=True)) - ops.mean(self.critic(real, training=True))
                cost += 10.0 * self.gradient_penalty(real, fake)
            weights = self.critic.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(cost, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            fake = self.generator(keras.random.normal(shape, seed=self.noise), training=True)
            lost = -ops.mean(self.critic(fake, training=True))
        weights = self.generator.trainable_variables
        self.g_optimizer.apply_gradients(zip(tape.gradient(lost, weights), weights, strict=True))
        return {"d_loss": cost, "g_loss": lost}


@outside_healthy("generative")
def generative_wasserstein() -> Training:
    """A Wasserstein GAN with gradient penalty for points of two kinds; both losses change sign and do not settle."""
    random = np.random.default_rng(22)
    centers = np.where(random.random((640, 1)) < 0.5, [[2.0, 0.5]], [[0.5, -1.5]])
    x = (centers + random.normal(0, 0.3, (640, 2))).astype("float32")
    critic = keras.Sequential(
        [keras.Input((2,)), layers.Dense(32, "swish"), layers.Dense(32, "swish"), layers.Dense(1)], name="critic"
    )
    generator = keras.Sequential(
        [keras.Input((4,)), layers.Dense(32, "relu"), layers.Dense(32, "relu"), layers.Dense(2)], name="generator"
    )
    model = WassersteinGAN(critic, generator)
    noise = random.normal(size=(640, 4)).astype("float32")
    model(noise[:2])
    model.g_optimizer = keras.optimizers.Adam(0.0005, beta_1=0.5, beta_2=0.9)
    model.g_optimizer.build(generator.trainable_variables)
    model.compile(optimizer=keras.optimizers.Adam(0.005, beta_1=0.5, beta_2=0.9), jit_compile=False)

    goal = Goal("distance of moments", lambda: distance_of_moments(np.asarray(generator(noise)), x), at_most=0.45)
    return Training(model, x, None, epochs=18, batch_size=20, goal=goal)


class DiffusionModel(keras.Model):
    """Predicts the noise in noisy data; a moving average of its weights is the result."""

    def __init__(self, network: keras.Model, average: keras.Model) -> None:
        super().__init__()
        self.network = network
        self.ema_network = average
        self.ema_network.set_weights(network.get_weights())
        self.noise_loss_tracker = keras.metrics.Mean(name="n_loss")
        self.seed_generator = keras.random.SeedGenerator(23)

    @property
    def metrics(self) -> list[Any]:
        return [self.noise_loss_tracker]

    def call(self, inputs: Any) -> Any:
        return self.ema_network(inputs)

    def train_step(self, images: Any) -> dict[str, Any]:
        noises = keras.random.normal(ops.shape(images), seed=self.seed_generator)
        times = keras.random.uniform((ops.shape(images)[0], 1), seed=self.seed_generator)
        angles = 0.3 + times * (math.pi / 2 - 0.32)
        noisy = ops.cos(angles) * images + ops.sin(angles) * noises
        with tf.GradientTape() as tape:
            predicted = self.network([noisy, ops.sin(angles) ** 2], training=True)
            noise_loss = self.loss(noises, predicted)
        gradients = tape.gradient(noise_loss, self.network.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.network.trainable_weights, strict=True))
        self.noise_loss_tracker.update_state(noise_loss)
        for weight, ema_weight in zip(self.network.weights, self.ema_network.weights, strict=True):
            ema_weight.assign(0.95 * ema_weight + 0.05 * weight)
        return {metric.name: metric.result() for metric in self.metrics}


def denoiser() -> keras.Model:
    """Dense residual blocks over flat digits, with an embedding of the share of noise."""
    noisy, share = keras.Input((64,)), keras.Input((1,))
    waves = layers.Lambda(lambda value: ops.concatenate([ops.sin(value * 2.0**n) for n in range(1, 7)], -1))(share)
    body = layers.Dense(96)(layers.concatenate([noisy, waves]))
    for _ in range(2):
        inner = layers.Dense(96, activation="swish")(layers.LayerNormalization(center=False, scale=False)(body))
        body = layers.add([body, layers.Dense(96)(inner)])
    return keras.Model([noisy, share], layers.Dense(64, kernel_initializer="zeros")(body))


@outside_healthy("generative")
def generative_diffusion() -> Training:
    """A denoising diffusion model whose head starts at zero, trained on noise that no model can fully predict."""
    x = digits(768)[0].reshape(768, -1)
    x = (x - x.mean()) / x.std()
    model = DiffusionModel(denoiser(), denoiser())
    model([x[:2], x[:2, :1]])
    model.compile(
        optimizer=keras.optimizers.AdamW(learning_rate=0.003, weight_decay=1e-4),
        loss=keras.losses.mean_absolute_error,
        jit_compile=False,
    )
    random = np.random.default_rng(24)
    noise, angles = random.normal(size=x.shape), random.uniform(0.3, 1.55, (len(x), 1))
    given = [(np.cos(angles) * x + np.sin(angles) * noise).astype("float32"), np.square(np.sin(angles))]

    def error() -> float:
        return float(np.abs(np.asarray(model(given)) - noise).mean() / np.abs(noise).mean())

    goal = Goal("error of the noise as a share of its size", error, at_most=0.7)
    return Training(model, x, None, epochs=14, goal=goal)


class PatchMask(layers.Layer):
    """Hides three patches in four during training by a learned token."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.seed_generator = keras.random.SeedGenerator(25)

    def build(self, input_shape: Any) -> None:
        self.token = self.add_weight(shape=(1, 1, input_shape[-1]), initializer="random_normal", name="token")

    def call(self, patches: Any) -> Any:
        is_hidden = keras.random.uniform(ops.shape(patches)[:2], seed=self.seed_generator) < self.share
        return ops.where(is_hidden[..., None], self.token, patches)


class Positions(layers.Layer):
    """Adds a learned embedding of the position."""

    def build(self, input_shape: Any) -> None:
        self.table = self.add_weight(shape=input_shape[1:], initializer="glorot_uniform", name="table")

    def call(self, inputs: Any) -> Any:
        return inputs + self.table


@outside_healthy("generative")
def generative_masked_autoencoder() -> Training:
    """A masked autoencoder: half of the patches are hidden, so the error cannot fall to zero."""
    x = digits(512)[0]
    patches = x.reshape(-1, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 16, 4)
    inputs = keras.Input((16, 4))
    body = Positions()(layers.Dense(32)(PatchMask(0.5)(inputs)))
    normal = layers.LayerNormalization(epsilon=1e-6)(body)
    body = body + layers.MultiHeadAttention(num_heads=4, key_dim=8)(normal, normal)
    inner = layers.Dense(64, activation="gelu")(layers.LayerNormalization(epsilon=1e-6)(body))
    body = body + layers.Dense(32)(inner)
    model = keras.Model(inputs, layers.Dense(4)(layers.LayerNormalization(epsilon=1e-6)(body)))
    model.compile(
        optimizer=keras.optimizers.AdamW(0.003, weight_decay=1e-4), loss="mse", metrics=["mae"], jit_compile=False
    )
    return Training(model, patches, patches, epochs=12)
