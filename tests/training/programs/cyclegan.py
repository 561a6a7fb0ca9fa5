"""A CycleGAN: four networks, four optimizers, one persistent tape, no `call`."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from tb_activations import LayerHealth
from tests.training.programs.data import pictures

WIDTH = 4


class ReflectionPadding2D(layers.Layer):
    def call(self, input_tensor: Any) -> Any:
        return ops.pad(input_tensor, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect")


def get_generator(name: str) -> keras.Model:
    inputs = layers.Input((8, 8, 1))
    x = layers.Conv2D(WIDTH, 3, use_bias=False)(ReflectionPadding2D()(inputs))
    x = layers.Activation("relu")(layers.GroupNormalization(groups=-1)(x))
    outputs = layers.Activation("tanh")(layers.Conv2D(1, 3, padding="same")(x))
    return keras.Model(inputs, outputs, name=name)


def get_discriminator(name: str) -> keras.Model:
    inputs = layers.Input((8, 8, 1))
    x = layers.LeakyReLU(negative_slope=0.2)(layers.Conv2D(WIDTH, 3, strides=2, padding="same")(inputs))
    return keras.Model(inputs, layers.Conv2D(1, 3, padding="same")(x), name=name)


class CycleGan(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.gen_G, self.gen_F = get_generator("generator_G"), get_generator("generator_F")
        self.disc_X, self.disc_Y = get_discriminator("discriminator_X"), get_discriminator("discriminator_Y")
        self.mse, self.mae = keras.losses.MeanSquaredError(), keras.losses.MeanAbsoluteError()

    def compile(self, **optimizers: Any) -> None:
        super().compile(jit_compile=False)
        self.optimizers = optimizers

    def train_step(self, batch_data: Any) -> Any:
        real_x, real_y = batch_data
        with tf.GradientTape(persistent=True) as tape:
            fake_y, fake_x = self.gen_G(real_x, training=True), self.gen_F(real_y, training=True)
            cycled_x, cycled_y = self.gen_F(fake_y, training=True), self.gen_G(fake_x, training=True)
            same_x, same_y = self.gen_F(real_x, training=True), self.gen_G(real_y, training=True)
            disc_real_x, disc_fake_x = self.disc_X(real_x, training=True), self.disc_X(fake_x, training=True)
            disc_real_y, disc_fake_y = self.disc_Y(real_y, training=True), self.disc_Y(fake_y, training=True)
            cycle_g, cycle_f = self.mae(real_y, cycled_y) * 10, self.mae(real_x, cycled_x) * 10
            identity_g, identity_f = self.mae(real_y, same_y) * 5, self.mae(real_x, same_x) * 5
            losses = {
                "gen_G": self.mse(ops.ones_like(disc_fake_y), disc_fake_y) + cycle_g + identity_g,
                "gen_F": self.mse(ops.ones_like(disc_fake_x), disc_fake_x) + cycle_f + identity_f,
                "disc_X": self.mse(ops.ones_like(disc_real_x), disc_real_x) + self.mse(disc_fake_x * 0, disc_fake_x),
                "disc_Y": self.mse(ops.ones_like(disc_real_y), disc_real_y) + self.mse(disc_fake_y * 0, disc_fake_y),
            }
        grads = {name: tape.gradient(loss, getattr(self, name).trainable_variables) for name, loss in losses.items()}
        for name, optimizer in self.optimizers.items():
            optimizer.apply_gradients(zip(grads[name], getattr(self, name).trainable_variables, strict=True))
        return losses


def train(log_dir: str | None) -> dict[str, keras.Model]:
    model, x = CycleGan(), pictures(64) * 2 - 1
    model.compile(**{name: keras.optimizers.SGD(2e-3) for name in ("gen_G", "gen_F", "disc_X", "disc_Y")})
    dataset = tf.data.Dataset.zip(*(tf.data.Dataset.from_tensor_slices(y).batch(16) for y in (x, -x)))
    model.fit(dataset, epochs=2, shuffle=False, verbose=0, callbacks=[LayerHealth(log_dir)] if log_dir else [])
    return {"model": model}
