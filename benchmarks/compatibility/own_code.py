"""Custom models, layers and steps."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from benchmarks.compatibility.workload import LOSS, SAMPLES, Workload, labels, pictures


class Subclassed(keras.Model):
    """Layers in a list, called in a Python loop."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = layers.Flatten()
        self.blocks = [layers.Dense(12, "relu") for _ in range(2)]
        self.head = layers.Dense(10)

    def call(self, x: Any) -> Any:
        h = self.flatten(x)
        for block in self.blocks:
            h = block(h)
        return self.head(h)


def subclassed() -> Workload:
    return Workload(Subclassed(), pictures(), labels())


class Pair(keras.Model):
    """Takes a tuple and returns a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = layers.Dense(8, "relu"), layers.Dense(8, "relu")
        self.digit, self.ink = layers.Dense(10), layers.Dense(1)

    def call(self, pair: Any) -> Any:
        h = self.one(pair[0]) + self.other(pair[1])
        return self.digit(h), self.ink(h)


def tuples() -> Workload:
    x = pictures().reshape(SAMPLES, 64)
    return Workload(Pair(), (x[:, :32], x[:, 32:]), (labels(), x.mean(axis=1, keepdims=True)), [LOSS, "mse"])


class Split(layers.Layer):
    """Returns a tuple and a dict of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = layers.Dense(6, "relu"), layers.Dense(6, "tanh")

    def build(self, shape: Any) -> None:
        self.one.build(shape)
        self.other.build(shape)

    def call(self, x: Any) -> Any:
        return self.one(x), {"other": self.other(x)}


class SeveralOutputs(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.flatten, self.split, self.head = layers.Flatten(), Split(), layers.Dense(10)

    def call(self, x: Any) -> Any:
        one, rest = self.split(self.flatten(x))
        return self.head(one * rest["other"])


def several_outputs() -> Workload:
    return Workload(SeveralOutputs(), pictures(), labels())


class Sometimes(layers.Layer):
    """Calls a layer under `tf.cond`."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = layers.Dense(12)

    def build(self, shape: Any) -> None:
        self.inner.build(shape)

    def call(self, x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0, lambda: self.inner(x), lambda: tf.zeros([tf.shape(x)[0], 12], x.dtype))

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], 12)


def under_a_condition() -> Workload:
    model = keras.Sequential([layers.Input((64,)), layers.Dense(12, "relu"), Sometimes(), layers.Dense(10)])
    return Workload(model, pictures().reshape(SAMPLES, 64), labels())


class OwnStep(keras.Model):
    """Trains with a custom step and a custom loss."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten, self.hidden, self.head = layers.Flatten(), layers.Dense(12, "relu"), layers.Dense(10)

    def call(self, x: Any) -> Any:
        return self.head(self.hidden(self.flatten(x)))

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = LOSS(y, self(x, training=True))
            scaled = self.optimizer.scale_loss(loss)
        self.optimizer.apply(tape.gradient(scaled, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


def own_step() -> Workload:
    return Workload(OwnStep(), pictures(), labels())


class Sparse(layers.Layer):
    """Adds a loss."""

    def call(self, x: Any) -> Any:
        self.add_loss(1e-3 * keras.ops.mean(keras.ops.abs(x)))
        return x


def losses_of_layers() -> Workload:
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(12, "relu", kernel_regularizer="l2", activity_regularizer="l1"),
            Sparse(),
            layers.Dense(10),
        ]
    )
    return Workload(model, pictures(), labels())


class Noise(layers.Layer):
    """Draws random numbers whose state TensorFlow keeps in the compiled step."""

    def call(self, x: Any, training: bool = False) -> Any:
        return x + tf.random.normal(tf.shape(x), stddev=0.1, dtype=x.dtype) if training else x


def draws_of_the_step() -> Workload:
    hidden = [layers.Dense(12, "relu"), Noise()]
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), *hidden, layers.Dense(10)])
    return Workload(model, pictures(), labels())
