"""A Wasserstein GAN with gradient penalty: several critic updates per step, nested tapes, no `call`."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from tb_activations import LayerHealth
from tests.training.programs.data import pictures

LATENT = 6


class WGAN(keras.Model):
    def __init__(self, discriminator: keras.Model, generator: keras.Model, extra_steps: int = 2) -> None:
        super().__init__()
        self.discriminator, self.generator, self.d_steps = discriminator, generator, extra_steps
        self.gp_weight = 10.0

    def compile(self, d_optimizer: Any, g_optimizer: Any) -> None:
        super().compile(jit_compile=False)
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer

    def gradient_penalty(self, batch_size: Any, real_images: Any, fake_images: Any) -> Any:
        alpha = keras.random.uniform((batch_size, 1, 1, 1))
        interpolated = real_images + alpha * (fake_images - real_images)
        with tf.GradientTape() as gp_tape:
            gp_tape.watch(interpolated)
            pred = self.discriminator(interpolated, training=True)
        grads = gp_tape.gradient(pred, [interpolated])[0]
        norm = tf.sqrt(tf.reduce_sum(tf.square(grads), axis=[1, 2, 3]) + 1e-12)
        return tf.reduce_mean((norm - 1.0) ** 2)

    def train_step(self, real_images: Any) -> Any:
        batch_size = tf.shape(real_images)[0]
        for _ in range(self.d_steps):
            with tf.GradientTape() as tape:
                fake_images = self.generator(keras.random.normal((batch_size, LATENT)), training=True)
                fake_logits = self.discriminator(fake_images, training=True)
                real_logits = self.discriminator(real_images, training=True)
                d_cost = tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)
                d_loss = d_cost + self.gradient_penalty(batch_size, real_images, fake_images) * self.gp_weight
            d_gradient = tape.gradient(d_loss, self.discriminator.trainable_variables)
            self.d_optimizer.apply_gradients(zip(d_gradient, self.discriminator.trainable_variables, strict=True))
        with tf.GradientTape() as tape:
            generated = self.generator(keras.random.normal((batch_size, LATENT)), training=True)
            g_loss = -tf.reduce_mean(self.discriminator(generated, training=True))
        gen_gradient = tape.gradient(g_loss, self.generator.trainable_variables)
        self.g_optimizer.apply_gradients(zip(gen_gradient, self.generator.trainable_variables, strict=True))
        return {"d_loss": d_loss, "g_loss": g_loss}


def make_discriminator() -> keras.Model:
    inputs = layers.Input((8, 8, 1))
    x = layers.LeakyReLU(0.2)(layers.Conv2D(6, 3, strides=2, padding="same")(inputs))
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(layers.Dropout(0.3)(x))), name="discriminator")


def make_generator() -> keras.Model:
    noise = layers.Input((LATENT,))
    x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(layers.Dense(4 * 4 * 6, use_bias=False)(noise)))
    x = layers.UpSampling2D(2)(layers.Reshape((4, 4, 6))(x))
    x = layers.Conv2D(1, 3, padding="same", use_bias=False)(x)
    return keras.Model(noise, layers.Activation("tanh")(ops.multiply(x, 2.0)), name="generator")


def train(log_dir: str | None) -> dict[str, keras.Model]:
    wgan, callbacks = WGAN(make_discriminator(), make_generator()), [LayerHealth(log_dir)] if log_dir else []
    wgan.compile(keras.optimizers.SGD(1e-3), keras.optimizers.Adam(2e-4, beta_1=0.5))
    wgan.fit(pictures() * 2 - 1, batch_size=32, epochs=2, shuffle=False, verbose=0, callbacks=callbacks)
    return {"wgan": wgan}
