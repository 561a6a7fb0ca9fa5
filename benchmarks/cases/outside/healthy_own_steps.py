"""Healthy programs with steps of their own: several passes, rates, optimizers or copies of the weights for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array, digits, flat_digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy


@outside_healthy("vision")
def vision_four_batches_per_step() -> Training:
    """Gradients of four batches of eight for each step; group normalization, ReLU6, and gates for the channels."""
    x, y = digits(640)
    inputs = keras.Input((8, 8, 1))
    body = inputs
    for width, strides in ((24, 1), (32, 2)):
        body = layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False)(body)
        body = layers.ReLU(6.0)(layers.GroupNormalization(4)(body))
        gate = layers.GlobalAveragePooling2D(keepdims=True)(body)
        gate = layers.Conv2D(width // 3, 1, activation="silu")(gate)
        gate = layers.Conv2D(width, 1, activation="sigmoid", name=f"gate_{width}")(gate)
        body = layers.Multiply()([body, gate])
    body = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(body))
    model = keras.Model(inputs, layers.Dense(10)(body))
    compiled(model, keras.optimizers.Adam(0.008, gradient_accumulation_steps=4))
    return Training(model, x[..., None], y, epochs=8, batch_size=8, gates=("gate_24", "gate_32"))


class SharpnessAware(keras.Model):
    """Steps along the gradient at the worst point nearby."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        weights = self.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, weights)
        size = tf.linalg.global_norm(gradients) + 1e-12
        moves = [0.05 * gradient / size for gradient in gradients]
        for weight, move in zip(weights, moves, strict=True):
            weight.assign_add(move)
        with tf.GradientTape() as tape:
            nearby = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(nearby, weights)
        for weight, move in zip(weights, moves, strict=True):
            weight.assign_sub(move)
        self.optimizer.apply(gradients, weights)
        return {"loss": loss}


@outside_healthy("vision")
def vision_sharpness_aware() -> Training:
    """Residual convolutions by sharpness-aware minimization: each step takes two passes and moves the weights away."""
    x, y = digits(640)
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    for width, strides in ((16, 1), (32, 2)):
        branch = layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False)(body)
        branch = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(branch))
        branch = layers.Conv2D(width, 3, padding="same", use_bias=False)(branch)
        branch = layers.BatchNormalization(momentum=0.9)(branch)
        body = layers.Conv2D(width, 1, strides=strides)(body)
        body = layers.Activation("relu")(layers.Add()([body, branch]))
    model = SharpnessAware(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(body)))
    compiled(model, keras.optimizers.SGD(0.05, momentum=0.9, weight_decay=5e-4))
    return Training(model, x[..., None], y, epochs=6)


class MeanTeacher(keras.Model):
    """A student that agrees with the slow mean of its own weights, and with the few labels that there are."""

    def __init__(self, student: keras.Model, teacher: keras.Model) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        teacher.set_weights(student.get_weights())
        teacher.trainable = False

    def call(self, x: Any) -> Any:
        return self.teacher(x)

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with tf.GradientTape() as tape:
            answers = self.student(x + keras.random.normal(ops.shape(x), stddev=0.15), training=True)
            wish = ops.stop_gradient(ops.softmax(self.teacher(x, training=True)))
            apart = ops.mean(ops.square(ops.softmax(answers) - wish))
            loss = error_of_labeled(y, answers) + 10.0 * apart
        weights = self.student.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        for slow, fast in zip(self.teacher.weights, self.student.weights, strict=True):
            slow.assign(slow + 0.03 * (fast - slow))
        return {"loss": loss}


def error_of_labeled(y: Any, answers: Any) -> Any:
    """Mean cross entropy of the samples whose label is not -1."""
    is_labeled = ops.cast(ops.greater_equal(y, 0), "float32")
    losses = keras.losses.sparse_categorical_crossentropy(ops.maximum(y, 0), answers, from_logits=True)
    return ops.sum(is_labeled * losses) / ops.maximum(ops.sum(is_labeled), 1.0)


def small_convolutions(outputs: int = 10) -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(24, 3, padding="same", activation="leaky_relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(48, 3, padding="same", activation="leaky_relu"),
            layers.Dropout(0.3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(outputs),
        ]
    )


@outside_healthy("vision")
def vision_average_as_teacher() -> Training:
    """One label in eight: the rest is learned by agreeing with a teacher, the mean of the student's own past."""
    x, labels = digits(800)
    x = x[..., None]
    y = np.where(np.arange(800) % 8 == 0, labels, -1).astype("int32")
    model = MeanTeacher(small_convolutions(), small_convolutions())
    model(x[:2])
    model.compile(keras.optimizers.Adam(0.004), jit_compile=False)
    view = View(model.student, x, loss=lambda answers: error_of_labeled(y, answers), prefix="student/")
    goal = accuracy(model.teacher, x, labels, 0.75)
    return Training(model, x, y, epochs=30, views=(view,), goal=goal)


class TwoOptimizers(keras.Model):
    """A linear part with an optimizer of its own."""

    def compile(self, linear_optimizer: Any, **options: Any) -> None:
        super().compile(**options)
        self.linear_optimizer = linear_optimizer

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        linear = self.get_layer("linear").trainable_variables
        deep = [weight for weight in self.trainable_variables if all(weight is not other for other in linear)]
        gradients = tape.gradient(loss, [*linear, *deep])
        self.linear_optimizer.apply(gradients[: len(linear)], linear)
        self.optimizer.apply(gradients[len(linear) :], deep)
        return {"loss": loss}


@outside_healthy("tabular")
def tabular_linear_and_deep_optimizers() -> Training:
    """Clicks by a linear layer on crossed categories, which starts at zero, by Ftrl, and a deep part by Adagrad."""
    random = np.random.default_rng(301)
    rank = 1 / np.arange(1, 61)
    user, page = random.choice(60, 1500, p=rank / rank.sum()), random.integers(0, 10, 1500)
    hour = random.uniform(0, 24, (1500, 1)).astype("float32")
    taste = random.normal(0, 1.3, (60, 10))
    score = taste[user, page] + 1.2 * np.sin(hour[:, 0] * np.pi / 12) - 0.5
    y = (random.random(1500) < 1 / (1 + np.exp(-score))).astype("float32")[:, None]
    crossed = np.eye(120, dtype="float32")[(user * 10 + page) * 7919 % 120]
    x = [crossed, user.astype("int32"), page.astype("int32"), hour / 12 - 1]
    inputs = [keras.Input((120,)), keras.Input((), dtype="int32"), keras.Input((), dtype="int32"), keras.Input((1,))]
    linear = layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="linear")(inputs[0])
    deep = [layers.Embedding(60, 8)(inputs[1]), layers.Embedding(10, 4)(inputs[2]), inputs[3]]
    deep = layers.Dense(48, activation="relu")(layers.Concatenate()(deep))
    deep = layers.Dense(1)(layers.Dense(24, activation="relu")(deep))
    model = TwoOptimizers(inputs, layers.Activation("sigmoid")(layers.Add()([linear, deep])))
    model.compile(
        keras.optimizers.Ftrl(0.1, l1_regularization_strength=1e-3),
        optimizer=keras.optimizers.Adagrad(0.05),
        loss="binary_crossentropy",
        jit_compile=False,
    )
    return Training(model, x, y, epochs=12)


@outside_healthy("vision")
def vision_half_precision_scaled_loss() -> Training:
    """Residual layers in half precision: the loss is scaled up, and steps whose gradients overflow are left out."""
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    x, y = flat_digits(768)
    inputs = keras.Input((64,))
    body = layers.Dense(64)(inputs)
    for _ in range(3):
        branch = layers.Dense(96, activation="gelu")(layers.LayerNormalization()(body))
        body = layers.Add()([body, layers.Dropout(0.1)(layers.Dense(64)(branch))])
    logits = layers.Dense(10, dtype="float32")(layers.LayerNormalization()(body))
    model = keras.Model(inputs, logits)
    inner = keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, 240), weight_decay=0.02)
    compiled(model, keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0**24, dynamic_growth_steps=50))
    return Training(model, x, y, epochs=10)


class Thawing(keras.Model):
    """A network on a known body, of which only as many blocks learn as are open, the last ones first."""

    def __init__(self, inputs: Any, outputs: Any, blocks: Sequence[Sequence[str]]) -> None:
        super().__init__(inputs, outputs)
        self.blocks = blocks
        self.open = tf.Variable(0, trainable=False)

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        weights = self.trainable_variables
        gradients = tape.gradient(loss, weights)
        depth = {
            id(weight): number
            for number, names in enumerate(self.blocks)
            for name in names
            for weight in self.get_layer(name).trainable_variables
        }
        shares = [tf.cast(self.open >= depth.get(id(weight), 0), "float32") for weight in weights]
        self.optimizer.apply([share * one for share, one in zip(shares, gradients, strict=True)], weights)
        return {"loss": loss}


def known_digits(activation: str, known: Array, names: Sequence[str] = ("first", "second", "third")) -> keras.Model:
    """Dense layers that can tell the digits apart whose numbers are in `known`."""
    x, y = flat_digits()
    chosen = np.isin(y, known)
    body = inputs = keras.Input((64,))
    for name, width in zip(names, (96, 64, 48), strict=True):
        body = layers.Dense(width, activation, name=name)(body)
    model = compiled(keras.Model(inputs, layers.Dense(10)(body)), keras.optimizers.Adam(0.002))
    model.fit(x[chosen], y[chosen], epochs=6, verbose=0)
    return keras.Model(inputs, body)


@outside_healthy("fine_tuning")
def tuning_thawed_block_by_block() -> Training:
    """A new head on a frozen network of other digits; every second epoch one more layer is thawed, from the last."""
    body = known_digits("gelu", np.arange(5))
    x, y = flat_digits()
    x, y = x[y >= 5], y[y >= 5] - 5
    blocks = (("head",), ("third",), ("second",), ("first",))
    model = Thawing(body.inputs, layers.Dense(5, name="head")(body.outputs[0]), blocks)
    compiled(model, keras.optimizers.Adam(0.001))

    class Thaw(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            model.open.assign(epoch // 2)

    return Training(model, x, y.astype("int32"), epochs=8, batch_size=16, fit={"callbacks": [Thaw()]})


class RatesByDepth(keras.Model):
    """Every layer has an optimizer of its own, and its rate is a third of that of the next layer."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        groups = [layer.trainable_variables for layer in self.layers if layer.trainable_variables]
        gradients = tape.gradient(loss, groups)
        for optimizer, weights, found in zip(self.own_optimizers, groups, gradients, strict=True):
            optimizer.apply(found, weights)
        return {"loss": loss}

    def use_rates(self, highest: float) -> None:
        count = sum(bool(layer.trainable_variables) for layer in self.layers)
        self.own_optimizers = [keras.optimizers.Adam(highest / 3.0 ** (count - 1 - at)) for at in range(count)]


@outside_healthy("fine_tuning")
def tuning_rates_by_depth() -> Training:
    """All layers of a known network learn turned digits, each at a third of the rate of the layer after it."""
    body = known_digits("relu", np.arange(10))
    pictures, y = digits()
    x = pictures.transpose(0, 2, 1).reshape(len(y), 64)
    x = ((x - x.mean(0)) / (x.std(0) + 1e-3)).astype("float32")
    head = layers.Dense(10, name="new_head")(layers.Dropout(0.2)(body.outputs[0]))
    model = RatesByDepth(body.inputs, head)
    model.use_rates(0.01)
    compiled(model, model.own_optimizers[-1])
    return Training(model, x, y, epochs=6, goal=accuracy(model, x, y, 0.8))
