"""Contrastive pretraining (SimCLR) with a linear probe: two augmented views, NT-Xent, two optimizers, no `call`."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from tb_activations import LayerHealth
from tests.training.programs.data import labels, pictures

WIDTH = 12


def get_augmenter() -> keras.Model:
    inner = [layers.RandomFlip("horizontal"), layers.RandomTranslation(0.2, 0.2)]
    return keras.Sequential([keras.Input((8, 8, 1)), *inner])


def get_encoder() -> keras.Model:
    inner = [layers.Conv2D(WIDTH, 3, strides=2, activation="relu"), layers.Flatten(), layers.Dense(WIDTH, "relu")]
    return keras.Sequential([keras.Input((8, 8, 1)), *inner], name="encoder")


class ContrastiveModel(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.temperature = 0.1
        self.contrastive_augmenter, self.classification_augmenter = get_augmenter(), get_augmenter()
        head = [keras.Input((WIDTH,)), layers.Dense(WIDTH, activation="relu"), layers.Dense(WIDTH)]
        self.encoder, self.projection_head = get_encoder(), keras.Sequential(head, name="projection_head")
        self.linear_probe = keras.Sequential([layers.Input((WIDTH,)), layers.Dense(10)], name="linear_probe")

    def compile(self, contrastive_optimizer: Any, probe_optimizer: Any, **kwargs: Any) -> None:
        super().compile(**kwargs)
        self.contrastive_optimizer, self.probe_optimizer = contrastive_optimizer, probe_optimizer
        self.probe_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.trackers = [keras.metrics.Mean(name="c_loss"), keras.metrics.Mean(name="p_loss")]

    @property
    def metrics(self) -> list[Any]:
        return self.trackers

    def contrastive_loss(self, one: Any, other: Any) -> Any:
        one, other = ops.normalize(one, axis=1), ops.normalize(other, axis=1)
        similarities = ops.matmul(one, ops.transpose(other)) / self.temperature
        pairs = ops.arange(ops.shape(one)[0])
        loss = keras.losses.sparse_categorical_crossentropy
        there = loss(pairs, similarities, from_logits=True)
        return ops.mean(there + loss(pairs, ops.transpose(similarities), from_logits=True)) / 2

    def train_step(self, data: Any) -> Any:
        images, digits = data
        view_1 = self.contrastive_augmenter(images, training=True)
        view_2 = self.contrastive_augmenter(images, training=True)
        with tf.GradientTape() as tape:
            projection_1 = self.projection_head(self.encoder(view_1, training=True), training=True)
            projection_2 = self.projection_head(self.encoder(view_2, training=True), training=True)
            contrastive_loss = self.contrastive_loss(projection_1, projection_2)
        weights = self.encoder.trainable_weights + self.projection_head.trainable_weights
        grads = tape.gradient(contrastive_loss, weights)
        self.contrastive_optimizer.apply_gradients(zip(grads, weights, strict=True))
        self.trackers[0].update_state(contrastive_loss)
        features = self.encoder(self.classification_augmenter(images, training=True), training=False)
        with tf.GradientTape() as tape:
            probe_loss = self.probe_loss(digits, self.linear_probe(features, training=True))
        grads = tape.gradient(probe_loss, self.linear_probe.trainable_weights)
        self.probe_optimizer.apply_gradients(zip(grads, self.linear_probe.trainable_weights, strict=True))
        self.trackers[1].update_state(probe_loss)
        return {metric.name: metric.result() for metric in self.metrics}


def train(log_dir: str | None) -> dict[str, keras.Model]:
    model = ContrastiveModel()
    model.compile(keras.optimizers.SGD(), keras.optimizers.Adam(), jit_compile=False)
    callbacks = [LayerHealth(log_dir)] if log_dir else []
    model.fit(pictures(), labels(), epochs=2, batch_size=32, shuffle=False, verbose=0, callbacks=callbacks)
    return {"model": model}
