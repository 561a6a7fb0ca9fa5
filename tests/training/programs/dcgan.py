"""A DCGAN in a compiled custom training loop: two networks, two tapes, two optimizers."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tb_activations import Recorder
from tests.training.programs.data import pictures

NOISE, BATCH, EPOCHS = 8, 32, 2

cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)


def make_generator_model() -> keras.Model:
    model = keras.Sequential()
    model.add(layers.Input((NOISE,)))
    model.add(layers.Dense(2 * 2 * 16, use_bias=False))
    model.add(layers.BatchNormalization())
    model.add(layers.LeakyReLU())
    model.add(layers.Reshape((2, 2, 16)))
    model.add(layers.Conv2DTranspose(8, 5, strides=2, padding="same", use_bias=False))
    model.add(layers.BatchNormalization())
    model.add(layers.LeakyReLU())
    model.add(layers.Conv2DTranspose(1, 5, strides=2, padding="same", use_bias=False, activation="tanh"))
    return model


def make_discriminator_model() -> keras.Model:
    model = keras.Sequential()
    model.add(layers.Input((8, 8, 1)))
    model.add(layers.Conv2D(8, 5, strides=2, padding="same"))
    model.add(layers.LeakyReLU())
    model.add(layers.Dropout(0.3))
    model.add(layers.Flatten())
    model.add(layers.Dense(1))
    return model


def discriminator_loss(real_output: Any, fake_output: Any) -> Any:
    real_loss = cross_entropy(tf.ones_like(real_output), real_output)
    return real_loss + cross_entropy(tf.zeros_like(fake_output), fake_output)


def train(log_dir: str | None) -> dict[str, keras.Model]:
    generator, discriminator = make_generator_model(), make_discriminator_model()
    generator_optimizer, discriminator_optimizer = keras.optimizers.Adam(1e-4), keras.optimizers.SGD(1e-3)
    models = {"generator": generator, "discriminator": discriminator}
    recorder = Recorder(log_dir, models) if log_dir else None

    def train_step(images: Any) -> None:
        noise = keras.random.normal([BATCH, NOISE])
        with tf.GradientTape() as gen_tape, tf.GradientTape() as disc_tape:
            generated_images = generator(noise, training=True)
            real_output = discriminator(images, training=True)
            fake_output = discriminator(generated_images, training=True)
            gen_loss = cross_entropy(tf.ones_like(fake_output), fake_output)
            disc_loss = discriminator_loss(real_output, fake_output)
        gen_grads = gen_tape.gradient(gen_loss, generator.trainable_variables)
        disc_grads = disc_tape.gradient(disc_loss, discriminator.trainable_variables)
        generator_optimizer.apply_gradients(zip(gen_grads, generator.trainable_variables, strict=True))
        discriminator_optimizer.apply_gradients(zip(disc_grads, discriminator.trainable_variables, strict=True))

    compiled_step = recorder.function(train_step) if recorder else tf.function(train_step)
    dataset = tf.data.Dataset.from_tensor_slices(pictures() * 2 - 1).shuffle(96, seed=1).batch(BATCH)
    for _ in range(EPOCHS):
        for image_batch in dataset:
            compiled_step(image_batch)
    if recorder:
        recorder.close()
    return models
