"""Healthy programs that classify pictures: activations, optimizers and blocks that people try."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import digits, flat_digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy


@outside_healthy("vision")
def vision_parametric_rectifiers() -> Training:
    """Convolutions with learned slopes below zero, SGD with momentum and weight decay."""
    x, y = digits(768)
    model = keras.Sequential([keras.Input((8, 8, 1))])
    for filters in (16, 32):
        model.add(layers.Conv2D(filters, 3, padding="same", kernel_regularizer=keras.regularizers.l2(1e-4)))
        model.add(layers.PReLU(shared_axes=[1, 2]))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(64))
    model.add(layers.PReLU())
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)
    compiled(model, optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Training(model, x[..., None], y, epochs=10)


class ConvNextBlock(layers.Layer):
    """A branch of a depthwise convolution and two dense layers, and a scale of its channels that starts near zero."""

    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.depthwise = layers.DepthwiseConv2D(3, padding="same")
        self.normalize = layers.LayerNormalization(epsilon=1e-6)
        self.widen = layers.Dense(4 * width, activation="gelu")
        self.narrow = layers.Dense(width)

    def build(self, input_shape: Any) -> None:
        for layer in (self.depthwise, self.normalize, self.widen):
            layer.build(input_shape)
        self.narrow.build((*input_shape[:-1], self.widen.units))
        start = keras.initializers.Constant(self.scale)
        self.gamma = self.add_weight(shape=(input_shape[-1],), initializer=start, name="gamma")

    def call(self, x: Any) -> Any:
        return x + self.gamma * self.narrow(self.widen(self.normalize(self.depthwise(x))))


@outside_healthy("vision")
def vision_layer_scale() -> Training:
    """ConvNeXt blocks: their branches start at a millionth, so that the network starts as its skip connections."""
    x, y = digits(640)
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(24, 2, strides=2)(inputs)
    body = layers.LayerNormalization(epsilon=1e-6)(body)
    for _ in range(3):
        body = ConvNextBlock(24, 1e-6)(body)
    body = layers.LayerNormalization(epsilon=1e-6)(layers.GlobalAveragePooling2D()(body))
    model = keras.Model(inputs, layers.Dense(10)(body))
    return Training(compiled(model, keras.optimizers.AdamW(4e-3, weight_decay=0.05)), x[..., None], y, epochs=12)


@outside_healthy("vision")
def vision_elu_lion() -> Training:
    """ELU layers with batch normalization, L1 and L2, trained by Lion, which moves all weights equally far."""
    x, y = flat_digits()
    model = keras.Sequential([keras.Input((64,))])
    for _ in range(3):
        model.add(layers.Dense(64, activation="elu", kernel_regularizer=keras.regularizers.l1_l2(1e-5, 1e-4)))
        model.add(layers.BatchNormalization(momentum=0.9))
    model.add(layers.Dense(10))
    return Training(compiled(model, keras.optimizers.Lion(3e-4, weight_decay=0.01)), x, y, epochs=8)


@outside_healthy("vision")
def vision_mixed_digits() -> Training:
    """Pairs of pictures and of their labels are mixed, so that the loss cannot come near zero."""
    x, y = digits(768)
    random = np.random.default_rng(63)
    share = random.beta(0.2, 0.2, len(x)).astype("float32")
    other = random.permutation(len(x))
    labels = np.eye(10, dtype="float32")[y]
    mixed = x * share[:, None, None] + x[other] * (1 - share[:, None, None])
    targets = labels * share[:, None] + labels[other] * (1 - share[:, None])
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="swish"),
            layers.Conv2D(32, 3, activation="swish"),
            layers.Flatten(),
            layers.Dense(64, activation="swish"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, 240)
    compiled(model, keras.optimizers.Adam(schedule), "categorical_crossentropy", metrics=["accuracy"])
    return Training(model, mixed[..., None], targets, epochs=10, goal=accuracy(model, x[..., None], y, 0.8))


@outside_healthy("vision")
def vision_conv_mixer() -> Training:
    """Patches, then depthwise convolutions with skip connections and pointwise ones, each normalized after GELU."""
    x, y = digits(512)

    def activated(x: Any) -> Any:
        return layers.BatchNormalization(momentum=0.9)(layers.Activation("gelu")(x))

    inputs = keras.Input((8, 8, 1))
    body = layers.Rescaling(scale=1.0)(inputs)
    body = activated(layers.Conv2D(24, kernel_size=2, strides=2)(body))
    for _ in range(3):
        body = layers.Add()([activated(layers.DepthwiseConv2D(kernel_size=3, padding="same")(body)), body])
        body = activated(layers.Conv2D(24, kernel_size=1)(body))
    outputs = layers.Dense(10, activation="softmax")(layers.GlobalAvgPool2D()(body))
    model = keras.Model(inputs, outputs)
    optimizer = keras.optimizers.AdamW(learning_rate=0.003, weight_decay=0.0001)
    compiled(model, optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Training(model, x[..., None], y, epochs=8)


@outside_healthy("vision")
def vision_maxout() -> Training:
    """Layers that give the largest of several linear answers, SGD with clipped gradients and a step decay."""
    x, y = flat_digits(768)
    inputs = keras.Input((64,))
    body = layers.GaussianNoise(0.1)(inputs)
    for _ in range(2):
        parts = layers.Reshape((48, 3))(layers.Dense(48 * 3, kernel_constraint=keras.constraints.MaxNorm(3.0))(body))
        body = layers.Dropout(0.3)(layers.Lambda(lambda value: ops.max(value, axis=-1))(parts))
    model = keras.Model(inputs, layers.Dense(10)(body))

    def schedule(epoch: int, rate: float) -> float:
        return rate * 0.5 if epoch and epoch % 3 == 0 else rate

    fit = {"callbacks": [keras.callbacks.LearningRateScheduler(schedule)]}
    return Training(compiled(model, keras.optimizers.SGD(0.1, momentum=0.5, clipvalue=0.5)), x, y, epochs=9, fit=fit)


@outside_healthy("vision")
def vision_dense_connections() -> Training:
    """Every layer sees the outputs of all before it; bottlenecks, batch normalization and label smoothing."""
    x, y = digits(640)
    labels = np.eye(10, dtype="float32")[y]
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(12, 3, padding="same", use_bias=False)(inputs)
    for _ in range(2):
        for _ in range(3):
            new = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
            new = layers.Conv2D(16, 1, use_bias=False)(new)
            new = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(new))
            new = layers.Conv2D(8, 3, padding="same", use_bias=False)(new)
            body = layers.Concatenate()([body, new])
        body = layers.AveragePooling2D(2)(layers.Conv2D(body.shape[-1] // 2, 1, use_bias=False)(body))
    body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(body)))
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    compiled(model, keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True), loss, metrics=["accuracy"])
    return Training(model, x[..., None], labels, epochs=8)


@outside_healthy("vision")
def vision_counted_dots() -> Training:
    """How many dots a picture shows, by regression with a rectified output on a dataset that repeats."""
    random = np.random.default_rng(64)
    count = random.integers(0, 10, 480)
    places = random.random((480, 144)).argsort(1) < count[:, None]
    x = (places.reshape(-1, 12, 12, 1) + random.normal(0, 0.05, (480, 12, 12, 1))).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(8, 3, activation="relu", padding="same"),
            layers.Conv2D(8, 3, activation="relu", padding="same"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="relu", bias_initializer=keras.initializers.Constant(4.0)),
        ]
    )
    compiled(model, keras.optimizers.RMSprop(0.003), "mse", metrics=["mae"])
    y = count.astype("float32")[:, None]
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(480, seed=2).repeat().batch(32)
    return Training(
        model,
        dataset,
        None,
        epochs=10,
        views=(View(model, x, y),),
        constant_loss=float(y.var()),
        fit={"batch_size": None, "shuffle": False, "steps_per_epoch": 15},
    )
