"""Healthy programs that adapt a trained network: bypasses, adapters, students, slow rates, prompts."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array, digits, flat_digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, class_entropy


def trained_body() -> keras.Sequential:
    """Dense layers that know the digits below 5."""
    x, y = flat_digits()
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(64, activation="relu", name="body_1"),
            layers.Dense(48, activation="relu", name="body_2"),
            layers.Dense(5, name="old_head"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003)).fit(x[y < 5], y[y < 5], epochs=5, verbose=0)
    return model


@outside_healthy("fine_tuning")
def tuning_lora_dense() -> Training:
    """Bypasses of low rank around two frozen layers; the second half of each is zero at first."""
    x, y = flat_digits(768)
    body = trained_body()
    inputs = keras.Input((64,))
    hidden = inputs
    for name in ("body_1", "body_2"):
        frozen = body.get_layer(name)
        frozen.trainable = False
        frozen.activation = keras.activations.linear
        down = layers.Dense(4, use_bias=False, kernel_initializer="he_uniform", name=f"{name}_down")(hidden)
        up = layers.Dense(frozen.units, use_bias=False, kernel_initializer="zeros", name=f"{name}_up")(down)
        hidden = layers.Activation("relu")(layers.Add()([frozen(hidden), layers.Rescaling(2.0)(up)]))
    model = keras.Model(inputs, layers.Dense(10, name="head")(hidden))
    return Training(compiled(model, keras.optimizers.AdamW(0.003)), x, y, epochs=8)


@outside_healthy("fine_tuning")
def tuning_adapter_blocks() -> Training:
    """Adapters with a bottleneck between frozen layers: the second kernel of each is zero at first."""
    x, y = flat_digits(768)
    body = trained_body()
    inputs = keras.Input((64,))
    hidden = inputs
    for name in ("body_1", "body_2"):
        frozen = body.get_layer(name)
        frozen.trainable = False
        hidden = frozen(hidden)
        inner = layers.Dense(8, activation="gelu", name=f"{name}_in")(hidden)
        inner = layers.Dense(frozen.units, kernel_initializer="zeros", name=f"{name}_out")(inner)
        hidden = layers.LayerNormalization()(layers.Add()([hidden, inner]))
    model = keras.Model(inputs, layers.Dense(10, name="head")(hidden))
    return Training(compiled(model, keras.optimizers.Adam(0.003)), x, y, epochs=10)


class Student(keras.Model):
    """Learns from the softened answers of a teacher as well as from labels."""

    def __init__(self, student: keras.Model, teacher: keras.Model) -> None:
        super().__init__()
        self.student = student
        self.teacher = teacher
        self.teacher.trainable = False

    def call(self, x: Any) -> Any:
        return self.student(x)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        hard = keras.losses.sparse_categorical_crossentropy(y, y_pred, from_logits=True)
        soft = keras.losses.kl_divergence(ops.softmax(self.teacher(x) / 10.0), ops.softmax(y_pred / 10.0))
        return ops.mean(0.1 * hard) + 0.9 * ops.mean(soft)


@outside_healthy("fine_tuning")
def tuning_smaller_student() -> Training:
    """A small student and a teacher with strided convolutions; the divergence at temperature 10 is tiny."""
    x, y = digits(768)
    x = x[..., None]

    def network(filters: int, name: str) -> keras.Sequential:
        return keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(filters, 3, strides=2, padding="same"),
                layers.LeakyReLU(negative_slope=0.2),
                layers.MaxPooling2D(pool_size=2, strides=1, padding="same"),
                layers.Conv2D(2 * filters, 3, strides=2, padding="same"),
                layers.Flatten(),
                layers.Dense(10),
            ],
            name=name,
        )

    teacher = compiled(network(24, "teacher"), keras.optimizers.Adam(0.005))
    teacher.fit(x, y, epochs=5, verbose=0)
    student = network(8, "student")
    model = Student(student, teacher)
    model(x[:1])
    compiled(model, keras.optimizers.Adam(0.005), None)
    return Training(model, x, y, epochs=8, goal=accuracy(model, x, y, 0.85))


@outside_healthy("fine_tuning")
def tuning_unfrozen_slowly() -> Training:
    """The whole network is trained on at a rate of 1e-5 after its head was: nothing moves far, and nothing has to."""
    x, y = digits(768)
    x = x[..., None]
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    body = layers.Conv2D(24, 3, padding="same", activation="relu")(layers.MaxPooling2D()(body))
    body = layers.GlobalAveragePooling2D()(body)
    model = keras.Model(inputs, layers.Dense(10)(layers.Dropout(0.2)(body)))
    compiled(model, keras.optimizers.Adam(0.01)).fit(x[:384], y[:384], epochs=8, verbose=0)
    compiled(model, keras.optimizers.Adam(1e-5), metrics=["accuracy"])
    return Training(model, x, y, epochs=6, goal=accuracy(model, x, y, 0.7))


class Prompt(layers.Layer):
    """Puts learned vectors before those of the words."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def build(self, input_shape: Any) -> None:
        self.vectors = self.add_weight(shape=(self.count, input_shape[-1]), initializer="uniform", name="vectors")

    def call(self, words: Any) -> Any:
        first = ops.broadcast_to(self.vectors[None], (ops.shape(words)[0], self.count, words.shape[-1]))
        return ops.concatenate([first, words], axis=1)


def sentences(count: int, low: int, high: int) -> tuple[Array, Array]:
    """Twelve words each, and whether the word `low` comes more often than the word `high`."""
    random = np.random.default_rng(111)
    x = random.integers(4, 40, (count, 12))
    y = random.integers(0, 2, count)
    places = random.random((count, 12)).argsort(1)[:, :4]
    liked = np.where(y[:, None] == 1, low, high)
    np.put_along_axis(x, places, np.where(random.random((count, 4)) < 0.8, liked, low + high - liked), axis=1)
    return x.astype("int32"), y.astype("int32")


@outside_healthy("fine_tuning")
def tuning_soft_prompt() -> Training:
    """A frozen transformer, eight prompt vectors that are learned, and a new head."""
    embed = layers.Embedding(40, 24, name="words")
    attend = layers.MultiHeadAttention(2, 12, name="attention")
    widen = layers.Dense(48, activation="gelu", name="wide")
    narrow = layers.Dense(24, name="narrow")

    def block(states: Any) -> Any:
        states = layers.LayerNormalization(trainable=False)(layers.add([states, attend(states, states)]))
        return layers.GlobalAveragePooling1D()(layers.add([states, narrow(widen(states))]))

    x, y = sentences(512, 2, 3)
    inputs = keras.Input((12,), dtype="int32")
    first = keras.Model(inputs, layers.Dense(2)(block(embed(inputs))))
    compiled(first, keras.optimizers.Adam(0.005)).fit(x, y, epochs=4, verbose=0)
    for layer in (embed, attend, widen, narrow):
        layer.trainable = False
    x, y = sentences(640, 3, 2)
    inputs = keras.Input((12,), dtype="int32")
    model = keras.Model(inputs, layers.Dense(2, name="head")(block(Prompt(8)(embed(inputs)))))
    compiled(model, keras.optimizers.Adam(0.01))
    return Training(model, x, y, epochs=6, views=(View(model, x, y),), constant_loss=class_entropy(y))
