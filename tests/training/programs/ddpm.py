"""Denoising diffusion: a network for images and time steps, its moving average, and a `train_step` without `call`."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from tb_activations import LayerHealth
from tests.training.programs.data import pictures

WIDTH, TIMESTEPS = 8, 20


class TimeEmbedding(layers.Layer):
    def __init__(self, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        half = dim // 2
        self.frequencies = np.exp(np.arange(half, dtype=np.float32) * -(math.log(10000) / (half - 1)))

    def call(self, inputs: Any) -> Any:
        angles = ops.cast(inputs, "float32")[:, None] * self.frequencies[None, :]
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)


def residual_block(x: Any, temb: Any) -> Any:
    h = keras.activations.swish(layers.GroupNormalization(groups=4)(x))
    h = layers.Conv2D(WIDTH, 3, padding="same")(h) + layers.Dense(WIDTH)(temb)[:, None, None, :]
    h = layers.Conv2D(WIDTH, 3, padding="same", kernel_initializer="zeros")(keras.activations.swish(h))
    return layers.Add()([x, h])


def build_model(name: str) -> keras.Model:
    image_input = layers.Input((8, 8, 1), name="image_input")
    time_input = layers.Input((), dtype="int64", name="time_input")
    x = layers.Conv2D(WIDTH, 3, padding="same")(image_input)
    temb = layers.Dense(WIDTH, activation="swish")(TimeEmbedding(WIDTH)(time_input))
    skip = residual_block(x, temb)
    x = residual_block(layers.AveragePooling2D(2)(skip), temb)
    x = layers.Concatenate()([layers.UpSampling2D(2)(x), skip])
    x = layers.Conv2D(1, 3, padding="same")(keras.activations.swish(layers.GroupNormalization(groups=4)(x)))
    return keras.Model([image_input, time_input], x, name=name)


class DiffusionModel(keras.Model):
    def __init__(self, network: keras.Model, ema_network: keras.Model) -> None:
        super().__init__()
        self.network, self.ema_network, self.ema = network, ema_network, 0.9
        self.alpha_bar = tf.constant(np.cumprod(1 - np.linspace(1e-4, 0.02, TIMESTEPS)), tf.float32)

    def train_step(self, images: Any) -> Any:
        batch_size = tf.shape(images)[0]
        t = keras.random.randint((batch_size,), 0, TIMESTEPS, dtype="int64")
        with tf.GradientTape() as tape:
            noise = keras.random.normal(tf.shape(images))
            alpha = tf.reshape(tf.gather(self.alpha_bar, t), [-1, 1, 1, 1])
            images_t = tf.sqrt(alpha) * images + tf.sqrt(1 - alpha) * noise
            pred_noise = self.network([images_t, t], training=True)
            loss = self.loss(noise, pred_noise)
        gradients = tape.gradient(loss, self.network.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.network.trainable_weights, strict=True))
        for weight, ema_weight in zip(self.network.weights, self.ema_network.weights, strict=True):
            ema_weight.assign(self.ema * ema_weight + (1 - self.ema) * weight)
        return {"loss": loss}


def train(log_dir: str | None) -> dict[str, keras.Model]:
    network, ema_network = build_model("unet"), build_model("ema_unet")
    ema_network.set_weights(network.get_weights())
    model = DiffusionModel(network, ema_network)
    model.compile(loss=keras.losses.MeanSquaredError(), optimizer=keras.optimizers.SGD(1e-2), jit_compile=False)
    callbacks = [LayerHealth(log_dir)] if log_dir else []
    model.fit(pictures() * 2 - 1, epochs=2, batch_size=32, shuffle=False, verbose=0, callbacks=callbacks)
    return {"model": model}
