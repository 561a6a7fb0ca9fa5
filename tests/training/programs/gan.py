"""A GAN trained by `fit`: `compile` takes two optimizers and a loss, `train_step` has two tapes, no `call`."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from tb_activations import LayerHealth
from tests.training.programs.data import pictures

LATENT = 8


def make_discriminator() -> keras.Model:
    inner = [
        keras.Input((8, 8, 1)),
        layers.Conv2D(8, 3, strides=2, padding="same"),
        layers.LeakyReLU(negative_slope=0.2),
        layers.GlobalMaxPooling2D(),
        layers.Dense(1),
    ]
    return keras.Sequential(inner, name="discriminator")


def make_generator() -> keras.Model:
    inner = [
        keras.Input((LATENT,)),
        layers.Dense(4 * 4 * 8),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Reshape((4, 4, 8)),
        layers.Conv2DTranspose(8, 4, strides=2, padding="same"),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ]
    return keras.Sequential(inner, name="generator")


class GAN(keras.Model):
    def __init__(self, discriminator: keras.Model, generator: keras.Model) -> None:
        super().__init__()
        self.discriminator, self.generator = discriminator, generator
        self.seed_generator = keras.random.SeedGenerator(1337)

    def compile(self, d_optimizer: Any, g_optimizer: Any, loss_fn: Any) -> None:
        super().compile(jit_compile=False)
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    def train_step(self, real_images: Any) -> Any:
        if isinstance(real_images, tuple):
            real_images = real_images[0]
        batch_size = ops.shape(real_images)[0]
        generated = self.generator(self._noise(batch_size))
        combined = ops.concatenate([generated, real_images], axis=0)
        labels = ops.concatenate([ops.ones((batch_size, 1)), ops.zeros((batch_size, 1))], axis=0)
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(combined))
        grads = tape.gradient(d_loss, self.discriminator.trainable_weights)
        self.d_optimizer.apply_gradients(zip(grads, self.discriminator.trainable_weights, strict=True))
        with tf.GradientTape() as tape:
            predictions = self.discriminator(self.generator(self._noise(batch_size)))
            g_loss = self.loss_fn(ops.zeros((batch_size, 1)), predictions)
        grads = tape.gradient(g_loss, self.generator.trainable_weights)
        self.g_optimizer.apply_gradients(zip(grads, self.generator.trainable_weights, strict=True))
        return {"d_loss": d_loss, "g_loss": g_loss}

    def _noise(self, batch_size: Any) -> Any:
        return keras.random.normal(shape=(batch_size, LATENT), seed=self.seed_generator)


def train(log_dir: str | None) -> dict[str, keras.Model]:
    gan = GAN(make_discriminator(), make_generator())
    loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)
    gan.compile(keras.optimizers.Adam(3e-4), keras.optimizers.Adam(3e-4), loss_fn)
    dataset = tf.data.Dataset.from_tensor_slices(pictures()).shuffle(96, seed=1).batch(32)
    gan.fit(dataset, epochs=2, shuffle=False, verbose=0, callbacks=[LayerHealth(log_dir)] if log_dir else [])
    return {"gan": gan}
