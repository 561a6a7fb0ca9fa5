"""Healthy programs that learn pictures from two views, from few labels, under attack, or around centers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy
from benchmarks.cases.outside.healthy_queues_and_fields import shaken


def two_views(count: int, seed: int) -> tuple[Array, Array]:
    """`[count, 2, 8, 8, 1]` views of digits, and the labels."""
    pictures, labels = digits(count)
    return np.stack([shaken(pictures, seed), shaken(pictures, seed + 1)], 1), labels


def normalized(body: Any, units: int, activation: str | None = "relu") -> Any:
    """A dense layer with batch normalization."""
    body = layers.BatchNormalization(momentum=0.9)(layers.Dense(units, use_bias=False)(body))
    return layers.Activation(activation)(body) if activation else body


def nearest_label(codes: Any, labels: Array) -> float:
    """The share of samples whose nearest other sample by direction has the same label."""
    codes = np.asarray(codes, "float64")
    codes = codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-9)
    alike = codes @ codes.T - 2 * np.eye(len(codes))
    return float((labels[alike.argmax(1)] == labels).mean())


class TwoViews(keras.Model):
    """A network that is given two views of each sample; the loss is a function of what it makes of both."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network

    def call(self, pictures: Any) -> Any:
        return self.network(pictures)

    def error(self, first: Any, second: Any) -> Any:
        raise NotImplementedError

    def train_step(self, views: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self.error(*(self.network(views[:, n], training=True) for n in range(2)))
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}

    def training(self, views: Array, goal: Goal, epochs: int, batch_size: int) -> Training:
        """The training, which is measured on both views of all samples."""

        def error(answers: Any) -> Any:
            halves = [keras.tree.map_structure(lambda one, n=n: one[n::2], answers) for n in range(2)]
            return self.error(*halves)

        view = View(self.network, views.reshape(-1, 8, 8, 1), loss=error, prefix="network/")
        return Training(self, views, None, epochs, batch_size, views=(view,), goal=goal)


class Agreement(TwoViews):
    """What one view predicts of the other, whose code is held still: minus their cosine."""

    def error(self, first: Any, second: Any) -> Any:
        total = 0.0
        for (_, guess), (code, _) in ((first, second), (second, first)):
            still = ops.stop_gradient(ops.normalize(code, axis=1))
            total -= 0.5 * ops.mean(ops.sum(ops.normalize(guess, axis=1) * still, axis=1))
        return total


@outside_healthy("vision")
def vision_halves_that_agree() -> Training:
    """SimSiam: one view predicts the other, whose gradient is stopped; the loss runs from zero towards minus one."""
    views, labels = two_views(640, 1710)
    inputs = keras.Input((8, 8, 1))
    body = inputs
    for filters in (48, 96):
        body = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(body)
        body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
    code = normalized(normalized(layers.Flatten()(body), 128), 128, None)
    model = Agreement(keras.Model(inputs, [code, layers.Dense(128)(normalized(code, 64))]))
    model(views[:2, 0])
    rate = keras.optimizers.schedules.CosineDecay(0.003, 400)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), jit_compile=False)

    def told() -> float:
        return nearest_label(model.network(views[:, 0], training=True)[0], labels)

    goal = Goal("share of digits whose nearest code is of the same class", told, at_least=0.65)
    return model.training(views, goal, 20, 32)


class SpreadOut(TwoViews):
    """Distance of both codes, a hinge on the deviation of each column, and products of different columns."""

    def error(self, first: Any, second: Any) -> Any:
        total = 10 * ops.mean(ops.square(first - second))
        for codes in (first, second):
            centered = codes - ops.mean(codes, axis=0)
            deviation = ops.sqrt(ops.mean(ops.square(centered), axis=0) + 1e-4)
            joint = ops.matmul(ops.transpose(centered), centered) / ops.cast(ops.shape(codes)[0] - 1, "float32")
            apart = ops.sum(ops.square(joint)) - ops.sum(ops.square(ops.diagonal(joint)))
            total += 10 * ops.mean(ops.relu(1 - deviation)) + apart / codes.shape[-1]
        return total


@outside_healthy("vision")
def vision_columns_kept_apart() -> Training:
    """VICReg: two views agree, every column has to vary and no two may say the same; LayerNorm, Adam with decay."""
    views, labels = two_views(640, 1712)
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(48, 3, strides=2, padding="same", activation="gelu")(inputs)
    body = layers.Conv2D(96, 3, padding="same", activation="gelu")(layers.LayerNormalization()(body))
    body = layers.GlobalAveragePooling2D()(layers.LayerNormalization()(body))
    model = SpreadOut(keras.Model(inputs, layers.Dense(64)(layers.Dense(128, activation="gelu")(body))))
    model(views[:2, 0])
    model.compile(keras.optimizers.AdamW(0.002, weight_decay=1e-3), jit_compile=False)
    features = keras.Model(inputs, body)

    def told() -> float:
        return nearest_label(features(views[:, 0]), labels)

    goal = Goal("share of digits whose nearest code is of the same class", told, at_least=0.7)
    return model.training(views, goal, 12, 64)


class SureGuesses(keras.Model):
    """Learns labels of some samples, and its own sure guesses of weak views as labels of strong views of the rest."""

    def train_step(self, data: Any) -> dict[str, Any]:
        (weak, strong), y = data
        has_label = ops.cast(y >= 0, "float32")
        guess = ops.softmax(self(weak, training=False))
        is_sure = ops.cast(ops.max(guess, axis=1) > 0.9, "float32") * (1 - has_label)
        with tf.GradientTape() as tape:
            known = each_error(ops.maximum(y, 0), self(weak, training=True))
            found = each_error(ops.argmax(guess, axis=1), self(strong, training=True))
            loss = ops.sum(known * has_label) / ops.maximum(ops.sum(has_label), 1.0) + ops.mean(found * is_sure)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss, "sure": ops.mean(is_sure)}


def each_error(labels: Any, scores: Any) -> Any:
    return keras.losses.sparse_categorical_crossentropy(labels, scores, from_logits=True)


@outside_healthy("vision")
def vision_sure_guesses_as_labels() -> Training:
    """FixMatch: three digits in ten have a label; sure guesses of weak views teach strong ones, at first few."""
    pictures, labels = digits(768)
    weak, strong = shaken(pictures, 1714), shaken(pictures, 1715)
    random = np.random.default_rng(1716)
    for picture in strong:
        top, left = random.integers(0, 6, 2)
        picture[top : top + 3, left : left + 3] = 0.5
    y = np.where(random.random(768) < 0.3, labels, -1).astype("int32")
    inputs = keras.Input((8, 8, 1))
    body = inputs
    for filters, strides in ((32, 1), (64, 2), (64, 2)):
        body = layers.Conv2D(filters, 3, strides=strides, padding="same")(body)
        body = layers.LeakyReLU(0.1)(layers.GroupNormalization(8)(body))
    model = SureGuesses(inputs, layers.Dense(10)(layers.Dropout(0.2)(layers.Flatten()(body))))
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    model.compile(optimizer, jit_compile=False)
    view = View(model, weak, loss=lambda scores: ops.mean(each_error(labels, scores)))
    goal = accuracy(model, weak, labels, 0.7)
    return Training(model, (weak, strong), y, epochs=16, views=(view,), goal=goal)


class Attacked(keras.Model):
    """Learns pictures that were moved three steps uphill in its own loss."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        moved = x
        for _ in range(3):
            with tf.GradientTape() as tape:
                tape.watch(moved)
                error = ops.sum(each_error(y, self(moved, training=True)))
            moved = x + ops.clip(moved + 0.06 * ops.sign(tape.gradient(error, moved)) - x, -0.12, 0.12)
            moved = ops.clip(moved, 0, 1)
        with tf.GradientTape() as tape:
            loss = ops.mean(each_error(y, self(moved, training=True)))
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


@outside_healthy("vision")
def vision_digits_under_attack() -> Training:
    """Adversarial training: each batch is first moved three steps against the network; SGD with a falling rate."""
    x, y = digits(640)
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(32, 3, padding="same", activation="relu")(inputs)
    body = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(body)
    body = layers.Dense(128, activation="relu")(layers.Flatten()(body))
    model = Attacked(inputs, layers.Dense(10)(body))
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([120, 200], [0.05, 0.01, 0.002])
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), jit_compile=False)
    view = View(model, x[..., None], loss=lambda scores: ops.mean(each_error(y, scores)))
    return Training(model, x[..., None], y, epochs=12, views=(view,))


class ClassCenters(layers.Layer):
    """Distance of features to the center of their class; centers are learned next to the network."""

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.RandomNormal(0.0, 0.1)
        self.centers = self.add_weight(shape=(10, input_shape[0][-1]), initializer=start, name="centers")

    def call(self, inputs: Any) -> Any:
        features, labels = inputs
        return ops.sum(ops.square(features - ops.take(self.centers, labels, axis=0)), axis=-1, keepdims=True)


@outside_healthy("vision")
def vision_features_near_their_centers() -> Training:
    """Center loss: PReLU features of eight dimensions for classes, and their distance to the learned class center."""
    x, y = digits(768)
    inputs, labels = keras.Input((8, 8, 1)), keras.Input((), dtype="int32")
    body = inputs
    for filters in (32, 64):
        body = layers.Conv2D(filters, 3, padding="same")(body)
        body = layers.MaxPooling2D()(layers.PReLU(shared_axes=[1, 2])(body))
    features = layers.Dense(8)(layers.PReLU()(layers.Dense(96)(layers.Flatten()(body))))
    classes = layers.Dense(10, name="classes")(layers.PReLU()(features))
    far = ClassCenters(name="far")([features, labels])
    model = keras.Model([inputs, labels], {"classes": classes, "far": far})
    losses = {"classes": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "far": "mean_absolute_error"}
    compiled(model, keras.optimizers.SGD(0.02, momentum=0.9), losses, loss_weights={"classes": 1.0, "far": 0.05})
    targets = {"classes": y, "far": np.zeros((768, 1), "float32")}
    return Training(model, [x[..., None], y], targets, epochs=12)
