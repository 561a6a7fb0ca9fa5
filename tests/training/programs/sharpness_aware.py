"""Sharpness-aware minimization: two tapes in `train_step`; the weights move uphill and back between them."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tb_activations import LayerHealth
from tests.training.programs.data import labels, pictures


class SAMModel(keras.Model):
    def __init__(self, rho: float = 0.05) -> None:
        super().__init__()
        self.rho = rho
        self.conv = layers.Conv2D(8, 3)
        self.norm = layers.BatchNormalization()
        self.flatten = layers.Flatten()
        self.hidden = layers.Dense(16)
        self.head = layers.Dense(10)

    def call(self, x: Any, training: bool = False) -> Any:
        x = tf.nn.relu(self.norm(self.conv(x), training=training))
        x = tf.nn.relu(self.hidden(self.flatten(x)))
        return self.head(x)

    def train_step(self, data: Any) -> Any:
        images, digits = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(images, digits, self(images, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        scale = self.rho / (tf.linalg.global_norm(gradients) + 1e-12)
        moves = [gradient * scale for gradient in gradients]
        for variable, move in zip(self.trainable_variables, moves, strict=True):
            variable.assign_add(move)
        with tf.GradientTape() as tape:
            predictions = self(images, training=True)
            sharp_loss = self.compute_loss(images, digits, predictions)
        gradients = tape.gradient(sharp_loss, self.trainable_variables)
        for variable, move in zip(self.trainable_variables, moves, strict=True):
            variable.assign_sub(move)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(digits, predictions)
        return {metric.name: metric.result() for metric in self.metrics}


def train(log_dir: str | None) -> dict[str, keras.Model]:
    model = SAMModel()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"], jit_compile=False)
    callbacks = [LayerHealth(log_dir)] if log_dir else []
    model.fit(pictures(), labels(), epochs=2, batch_size=32, shuffle=False, verbose=0, callbacks=callbacks)
    return {"model": model}
