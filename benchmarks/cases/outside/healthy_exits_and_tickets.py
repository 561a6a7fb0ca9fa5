"""Healthy programs on pictures of digits: early exits, a rewound ticket, two students, layers that learn alone."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array, digits, flat_digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, class_entropy


class TeachesItself(keras.Model):
    """A network with exits, of which the earlier ones also learn what the last one says."""

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        last = ops.stop_gradient(ops.softmax(y_pred[-1] / 3))
        total = 0.0
        for scores in y_pred:
            total += ops.mean(keras.losses.sparse_categorical_crossentropy(y, scores, from_logits=True))
        for scores in y_pred[:-1]:
            total += 3 * ops.mean(keras.losses.categorical_crossentropy(last, scores / 3, from_logits=True))
        return total


@outside_healthy("vision")
def vision_exits_along_the_way() -> Training:
    """Convolutions with three exits: easy digits leave early, and the last exit teaches the others; Nadam."""
    x, y = digits()
    inputs = keras.Input((8, 8, 1))
    body, exits = inputs, []
    for stage, filters in enumerate((32, 64, 96)):
        body = layers.Conv2D(filters, 3, strides=1 + stage % 2, padding="same", use_bias=False)(body)
        body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
        exits.append(layers.Dense(10, name=f"exit_{stage}")(layers.GlobalAveragePooling2D()(body)))
    model = TeachesItself(inputs, exits)
    compiled(model, keras.optimizers.Nadam(1e-3), None)
    view = View(model, x[..., None], y)
    return Training(model, x[..., None], y, epochs=6, views=(view,))


class Kept(keras.constraints.Constraint):
    """Lets only the chosen weights be other than zero."""

    def __init__(self, mask: Array) -> None:
        self.mask = mask.astype("float32")

    def __call__(self, kernel: Any) -> Any:
        return kernel * self.mask


@outside_healthy("vision")
def vision_ticket_rewound() -> Training:
    """A lottery ticket: four in five weights are cut for good, and the others start again where they were early."""
    x, y = flat_digits()

    def network(masks: list[Array]) -> keras.Model:
        parts: list[layers.Layer] = [keras.Input((64,))]
        for width, mask in zip((256, 128, 10), masks, strict=True):
            parts.append(layers.Dense(width, kernel_initializer="he_normal", kernel_constraint=Kept(mask)))
            parts += [layers.ReLU()] if width > 10 else []
        return compiled(keras.Sequential(parts), keras.optimizers.SGD(0.05, momentum=0.9))

    whole = network([np.ones((1, 1))] * 3)
    whole.fit(x, y, epochs=1, verbose=0)
    early = whole.get_weights()
    whole.fit(x, y, epochs=5, verbose=0)
    sizes = [np.abs(kernel) for kernel in whole.get_weights()[::2]]
    masks = [size >= np.quantile(size, share) for size, share in zip(sizes, (0.8, 0.8, 0.5), strict=True)]
    model = network(masks)
    model.set_weights([value * masks[n // 2] if n % 2 == 0 else value for n, value in enumerate(early)])
    return Training(model, x, y, epochs=8, constant_loss=class_entropy(y))


class Peers(keras.Model):
    """Two students, each of which learns labels and what the other says."""

    def __init__(self, first: keras.Model, second: keras.Model) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.second_optimizer = keras.optimizers.Adam(2e-3)
        self.second_optimizer.build(second.trainable_variables)

    def call(self, images: Any) -> Any:
        return self.first(images)

    def error(self, labels: Any, scores: Any, others: Any) -> Any:
        wrong = keras.losses.sparse_categorical_crossentropy(labels, scores, from_logits=True)
        others = ops.stop_gradient(ops.softmax(others))
        apart = keras.losses.kl_divergence(others, ops.softmax(scores))
        return ops.mean(wrong + apart)

    def train_step(self, data: Any) -> dict[str, Any]:
        images, labels = data
        with tf.GradientTape(persistent=True) as tape:
            scores = self.first(images, training=True), self.second(images, training=True)
            loss = self.error(labels, *scores)
            second_loss = self.error(labels, *scores[::-1])
        weights = self.first.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        weights = self.second.trainable_variables
        self.second_optimizer.apply(tape.gradient(second_loss, weights), weights)
        return {"loss": loss, "second_loss": second_loss}


@outside_healthy("vision")
def vision_students_of_each_other() -> Training:
    """Deep mutual learning on 300 labels: a convolutional and a dense student with much dropout teach each other."""
    images, y = digits(300)
    x = images[..., None]
    convolutional = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(10),
        ]
    )
    dense = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )
    model = Peers(convolutional, dense)
    model(x[:2])
    model.compile(keras.optimizers.Adam(2e-3), jit_compile=False)
    views = (
        View(convolutional, x, loss=lambda scores: model.error(y, scores, dense(x)), prefix="first/"),
        View(dense, x, loss=lambda scores: model.error(y, scores, convolutional(x)), prefix="second/"),
    )
    return Training(model, x, y, epochs=20, batch_size=16, views=views, constant_loss=class_entropy(y))


@outside_healthy("vision")
def vision_layers_that_learn_alone() -> Training:
    """The forward-forward algorithm: each layer learns alone to be lively for a digit with its own label only."""
    images, labels = digits()
    random = np.random.default_rng(753)
    wrong = (labels + random.integers(1, 10, len(labels))) % 10
    flat = images.reshape(-1, 64)
    x = np.concatenate([np.concatenate([flat, np.eye(10)[given]], 1) for given in (labels, wrong)]).astype("float32")
    y = np.repeat([1, -1], len(labels)).astype("float32")[:, None]

    def alone(truth: Any, liveliness: Any) -> Any:
        return ops.mean(ops.softplus(-truth * (liveliness - 1.5)), axis=-1)

    inputs = body = keras.Input((74,))
    answers = []
    for depth in range(3):
        body = layers.UnitNormalization(name=f"direction_{depth}")(body)
        body = layers.Lambda(lambda values: 8 * ops.stop_gradient(values), name=f"input_{depth}")(body)
        body = layers.Dense(256, activation="relu", name=f"hidden_{depth}")(body)
        mean = layers.Lambda(lambda values: ops.mean(ops.square(values), axis=-1, keepdims=True), name=f"alive_{depth}")
        answers.append(mean(body))
    model = keras.Model(inputs, answers)
    compiled(model, keras.optimizers.Adam(1e-3), [alone] * 3)
    return Training(model, x, [y, y, y], epochs=16)


class PrivateSteps(keras.Model):
    """Gradients of single samples are clipped, summed and get noise."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        weights = self.trainable_variables
        with tf.GradientTape() as tape:
            scores = self(x, training=True)
            losses = keras.losses.sparse_categorical_crossentropy(y, scores, from_logits=True)
        single = tape.jacobian(losses, weights)
        sizes = sum(tf.reduce_sum(tf.square(tf.reshape(part, (tf.shape(part)[0], -1))), axis=1) for part in single)
        scale = 1 / tf.maximum(1.0, tf.sqrt(sizes))
        count = tf.cast(tf.shape(x)[0], "float32")
        steps = []
        for part in single:
            total = tf.einsum("b,b...->...", scale, part)
            steps.append((total + 0.6 * tf.random.normal(total.shape)) / count)
        self.optimizer.apply(steps, weights)
        return {"loss": tf.reduce_mean(losses)}


@outside_healthy("vision")
def vision_private_steps() -> Training:
    """Differential privacy: each digit's gradient is clipped to a length of 1, and their sum gets noise; tanh."""
    x, y = digits()
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(16, 3, strides=2, padding="same", activation="tanh")(inputs)
    body = layers.Conv2D(32, 3, padding="same", activation="tanh")(body)
    body = layers.Dense(32, activation="tanh")(layers.Flatten()(layers.AveragePooling2D(2)(body)))
    model = PrivateSteps(inputs, layers.Dense(10)(body))
    compiled(model, keras.optimizers.SGD(0.5, momentum=0.5))
    return Training(model, x[..., None], y, 12, 64, goal=accuracy(model, x[..., None], y, 0.75))
