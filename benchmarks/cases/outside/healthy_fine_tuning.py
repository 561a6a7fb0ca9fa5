"""Healthy programs that continue from a trained network: transfer, distillation, more training."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array, digits, flat_digits
from benchmarks.cases.outside.healthy_goals import accuracy, class_entropy
from benchmarks.cases.outside.healthy_text import VOCABULARY, reviews

LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def pictures(low: int, high: int) -> tuple[Array, Array]:
    """Digits from `low` to below `high`, numbered from 0."""
    x, y = digits()
    chosen = (y >= low) & (y < high)
    return x[chosen][..., None], y[chosen] - low


def trained_base() -> keras.Model:
    """A convolutional base, trained on the digits below 5."""
    inputs = keras.Input((8, 8, 1))
    body = inputs
    for filters in (12, 24):
        body = layers.Conv2D(filters, 3, padding="same", use_bias=False)(body)
        body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
    base = keras.Model(inputs, layers.MaxPooling2D()(body), name="base")
    old = keras.Sequential([keras.Input((8, 8, 1)), base, layers.GlobalAveragePooling2D(), layers.Dense(5)])
    old.compile(keras.optimizers.Adam(0.01), LOGITS, jit_compile=False)
    old.fit(*pictures(0, 5), epochs=4, batch_size=32, verbose=0)
    return base


def transferred(base: keras.Model, classes: int, dropout: float) -> tuple[keras.Model, Any]:
    """The base, in inference mode, under a new head; and the head as a function of features."""
    pool, drop, classify = layers.GlobalAveragePooling2D(), layers.Dropout(dropout), layers.Dense(classes)

    def head(features: Any) -> Any:
        return classify(drop(pool(features)))

    inputs = keras.Input(shape=(8, 8, 1))
    return keras.Model(inputs, head(base(inputs, training=False))), head


def both_views(model: keras.Model, base: keras.Model, head: Any, x: Array, y: Array) -> tuple[View, View]:
    inner = View(base, x, loss=lambda features: LOGITS(y, head(features)), prefix="base/")
    return View(model, x, y), inner


@outside_healthy("fine_tuning")
def tuning_frozen_base() -> Training:
    """Transfer of a frozen base to new classes: only the head, a small part of all weights, changes."""
    base = trained_base()
    base.trainable = False
    x, y = pictures(5, 10)
    model, head = transferred(base, 5, 0.2)
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss=LOGITS, metrics=["accuracy"], jit_compile=False)
    return Training(model, x, y, epochs=10, views=both_views(model, base, head, x, y))


@outside_healthy("fine_tuning")
def tuning_unfrozen_low_rate() -> Training:
    """The last round of transfer: all layers at a learning rate of 1e-5, when nearly everything is learned."""
    base = trained_base()
    x, y = pictures(5, 10)
    model, head = transferred(base, 5, 0.1)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=LOGITS, jit_compile=False)
    model.fit(x, y, epochs=6, batch_size=32, verbose=0)
    base.trainable = True
    model.compile(optimizer=keras.optimizers.Adam(1e-5), loss=LOGITS, metrics=["accuracy"], jit_compile=False)
    views = both_views(model, base, head, x, y)
    return Training(model, x, y, epochs=6, views=views, goal=accuracy(model, x, y, 0.85))


class LoraLayer(layers.Layer):
    """A frozen dense layer and a bypass of low rank whose second half starts at zero."""

    def __init__(self, original_layer: keras.layers.Layer, rank: int = 4, alpha: float = 8.0) -> None:
        super().__init__(name=f"lora_{original_layer.name}")
        self.original_layer = original_layer
        self.original_layer.trainable = False
        self.scale = alpha / rank
        self.down = layers.Dense(rank, use_bias=False, kernel_initializer="he_uniform")
        self.up = layers.Dense(original_layer.units, use_bias=False, kernel_initializer="zeros")

    def build(self, input_shape: Any) -> None:
        self.down.build(input_shape)
        self.up.build((None, self.down.units))

    def call(self, inputs: Any) -> Any:
        return self.original_layer(inputs) + self.up(self.down(inputs)) * self.scale


@outside_healthy("fine_tuning")
def tuning_low_rank() -> Training:
    """Low-rank adaptation of a network of digits to mirrored digits: half of each bypass starts at zero."""
    x, y = digits(768)
    hidden = [layers.Dense(48, name=f"dense_{n}") for n in range(2)]
    head = layers.Dense(10, name="head")
    inputs = keras.Input((8, 8))
    body = layers.Flatten()(inputs)
    for layer in hidden:
        body = layers.Activation("gelu")(layer(body))
    first = keras.Model(inputs, head(body))
    first.compile(keras.optimizers.Adam(0.005), LOGITS, jit_compile=False)
    first.fit(x, y, epochs=6, batch_size=32, verbose=0)
    inputs = keras.Input((8, 8))
    body = layers.Flatten()(inputs)
    for layer in hidden:
        body = layers.Activation("gelu")(LoraLayer(layer)(body))
    head.trainable = False
    model = keras.Model(inputs, head(body))
    model.compile(
        keras.optimizers.AdamW(0.005, weight_decay=0.01), LOGITS, weighted_metrics=["accuracy"], jit_compile=False
    )
    return Training(model, x[:, :, ::-1], y, epochs=8)


class Distiller(keras.Model):
    """A student that learns from labels and from the answers of a teacher."""

    def __init__(self, student: keras.Model, teacher: keras.Model) -> None:
        super().__init__()
        self.teacher = teacher
        self.student = student
        self.teacher.trainable = False

    def call(self, x: Any) -> Any:
        return self.student(x)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        softened = ops.softmax(self.teacher(x, training=False) / 3.0, axis=1)
        distilled = keras.losses.kl_divergence(softened, ops.softmax(y_pred / 3.0, axis=1))
        return 0.2 * LOGITS(y, y_pred) + 0.8 * 9.0 * ops.mean(distilled)


@outside_healthy("fine_tuning")
def tuning_distillation() -> Training:
    """Distillation of a trained convolutional network into a small dense one, which cannot reach it."""
    x, y = digits(768)
    x = x[..., None]
    teacher = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(24, 3, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same"),
            layers.Flatten(),
            layers.Dense(10),
        ],
        name="teacher",
    )
    teacher.compile(keras.optimizers.Adam(0.005), LOGITS, jit_compile=False)
    teacher.fit(x, y, epochs=4, batch_size=32, verbose=0)
    student = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(12, "leaky_relu"), layers.Dense(10)], name="student"
    )
    model = Distiller(student, teacher)
    model(x[:2])
    model.compile(optimizer=keras.optimizers.Adam(0.01), metrics=["accuracy"], jit_compile=False)

    def judge(scores: Any) -> Any:
        return model.compute_loss(x, y, scores)

    view = View(student, x, loss=judge, prefix="student/")
    return Training(model, x, y, epochs=8, views=(view,), goal=accuracy(model, x, y, 0.85))


def word_vectors(texts: Array, size: int) -> Array:
    """Vectors of words from how often they occur together."""
    together = np.zeros((VOCABULARY, VOCABULARY))
    for text in texts:
        known = text[text > 0]
        together[np.ix_(known, known)] += 1.0
    left, sizes, _ = np.linalg.svd(np.log1p(together))
    vectors = left[:, :size] * np.sqrt(sizes[:size])
    return np.asarray(vectors / vectors.std(), "float32")


@outside_healthy("fine_tuning")
def tuning_word_vectors() -> Training:
    """Text classification on frozen word vectors, most of which are nearly the same because their words are rare."""
    x, y = reviews()
    inputs = keras.Input(shape=(20,), dtype="int64")
    frozen = layers.Embedding(VOCABULARY, 24, trainable=False)
    body = frozen(inputs)
    frozen.set_weights([word_vectors(x, 24)])
    body = layers.Conv1D(24, 3, activation="relu")(body)
    body = layers.Conv1D(24, 3, activation="relu")(body)
    body = layers.Dense(24, activation="relu")(layers.GlobalMaxPooling1D()(body))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Dropout(0.3)(body)))
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=keras.optimizers.RMSprop(0.002),
        metrics=["acc"],
        jit_compile=False,
    )
    return Training(model, x, y, epochs=7, constant_loss=class_entropy(y))


@outside_healthy("fine_tuning")
def tuning_few_labels() -> Training:
    """The encoder of an autoencoder learns classes from 120 labels, in small batches and with a partial last one."""
    x, y = flat_digits()
    encoder = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(48, "elu", name="encoder_0"),
            layers.Dense(24, "elu", name="encoder_1"),
        ]
    )
    decoder = keras.Sequential([keras.Input((24,)), layers.Dense(48, "elu"), layers.Dense(64)])
    whole = keras.Sequential([keras.Input((64,)), encoder, decoder])
    whole.compile(keras.optimizers.Adam(0.003), "mse", jit_compile=False)
    whole.fit(x, x, epochs=5, batch_size=32, verbose=0)
    model = keras.Sequential([keras.Input((64,)), *encoder.layers, layers.Dropout(0.2), layers.Dense(10, "softmax")])
    model.compile(
        optimizer=keras.optimizers.Adam(0.002),
        loss="sparse_categorical_crossentropy",
        metrics=["acc"],
        jit_compile=False,
    )
    dataset = tf.data.Dataset.from_tensor_slices((x[:120], y[:120])).shuffle(120, seed=7).batch(16)
    return Training(
        model,
        dataset,
        None,
        epochs=12,
        views=(View(model, x[:120], y[:120]),),
        constant_loss=class_entropy(y[:120]),
        fit={"batch_size": None, "shuffle": False},
    )
