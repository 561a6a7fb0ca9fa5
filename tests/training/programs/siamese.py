"""A siamese network with a triplet loss: one partly frozen embedding called three times, and `_compute_loss`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tb_activations import LayerHealth
from tests.training.programs.data import labels, pictures


class DistanceLayer(layers.Layer):
    """The distances of an anchor to the positive and to the negative image."""

    def call(self, anchor: Any, positive: Any, negative: Any) -> Any:
        return tf.reduce_sum(tf.square(anchor - positive), -1), tf.reduce_sum(tf.square(anchor - negative), -1)


def make_embedding() -> keras.Model:
    inputs = layers.Input((8, 8, 1))
    frozen = layers.Conv2D(6, 3, activation="relu", trainable=False)(inputs)
    x = layers.Flatten()(layers.Conv2D(6, 3, activation="relu")(frozen))
    x = layers.BatchNormalization()(layers.Dense(12, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(6)(x), name="embedding")


def make_network(embedding: keras.Model) -> keras.Model:
    anchor, positive, negative = (layers.Input((8, 8, 1), name=name) for name in ("anchor", "positive", "negative"))
    distances = DistanceLayer()(embedding(anchor), embedding(positive), embedding(negative))
    return keras.Model([anchor, positive, negative], distances)


class SiameseModel(keras.Model):
    def __init__(self, siamese_network: keras.Model, margin: float = 0.5) -> None:
        super().__init__()
        self.siamese_network, self.margin = siamese_network, margin
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def call(self, inputs: Any) -> Any:
        return self.siamese_network(inputs)

    def train_step(self, data: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = self._compute_loss(data)
        gradients = tape.gradient(loss, self.siamese_network.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.siamese_network.trainable_weights, strict=True))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}

    def _compute_loss(self, data: Any) -> Any:
        ap_distance, an_distance = self.siamese_network(data)
        return tf.maximum(ap_distance - an_distance + self.margin, 0.0)

    @property
    def metrics(self) -> list[Any]:
        return [self.loss_tracker]


def triplets() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, chance = pictures(), labels(), np.random.default_rng(1)
    same = [chance.choice(np.flatnonzero(y == digit)) for digit in y]
    other = [chance.choice(np.flatnonzero(y != digit)) for digit in y]
    return x, x[same], x[other]


def train(log_dir: str | None) -> dict[str, keras.Model]:
    model = SiameseModel(make_network(make_embedding()))
    model.compile(optimizer=keras.optimizers.Adam(1e-3), weighted_metrics=[], jit_compile=False)
    dataset = tf.data.Dataset.from_tensor_slices(triplets()).batch(32).prefetch(2)
    model.fit(dataset, epochs=2, shuffle=False, verbose=0, callbacks=[LayerHealth(log_dir)] if log_dir else [])
    return {"model": model}
