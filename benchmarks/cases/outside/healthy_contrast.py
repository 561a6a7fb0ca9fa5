"""Healthy programs that learn what is alike: contrastive losses, triplets, twins, margins, rankings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array, digits, flat_digits
from benchmarks.cases.networks import compiled


def neighbors(embed: Callable[..., Any], x: Array, y: Array, at_least: float) -> Goal:
    """The share of samples whose nearest other sample has the same class."""

    def measure() -> float:
        codes = np.asarray(embed(x), "float64")
        distances = np.square(codes[:, None] - codes[None]).sum(-1)
        np.fill_diagonal(distances, np.inf)
        return float((y[distances.argmin(1)] == y).mean())

    return Goal("nearest neighbor of the same class", measure, at_least=at_least)


def pairs_of(x: Array, y: Array, count: int, seed: int) -> tuple[Array, Array, Array]:
    """Pairs, half of them of one class, and 1 for those."""
    random = np.random.default_rng(seed)
    first = random.integers(0, len(x), count)
    is_same = random.random(count) < 0.5
    second = np.array(
        [random.choice(np.flatnonzero((y == y[at]) == same)) for at, same in zip(first, is_same, strict=True)]
    )
    return x[first], x[second], is_same.astype("float32")[:, None]


class EmbeddingModel(keras.Model):
    """Compares one anchor of each class with one positive of each class."""

    def train_step(self, data: Any) -> dict[str, Any]:
        pairs = data[0] if isinstance(data, tuple) else data
        anchors, positives = pairs[:, 0], pairs[:, 1]
        with tf.GradientTape() as tape:
            similarities = ops.einsum("ae,pe->ap", self(anchors, training=True), self(positives, training=True))
            labels = ops.arange(ops.shape(anchors)[0])
            loss = self.compute_loss(y=labels, y_pred=similarities / 0.2)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@outside_healthy("vision")
def vision_metric_pairs() -> Training:
    """Embeddings of unit length from pairs, one of each class in a batch of ten, by softmax over their products."""
    x, y = digits(640)
    random = np.random.default_rng(65)
    chosen = [[random.choice(np.flatnonzero(y == digit), 2, replace=False) for digit in range(10)] for _ in range(200)]
    batches = x[np.array(chosen).reshape(-1, 2)][..., None]
    inputs = layers.Input(shape=(8, 8, 1))
    body = inputs
    for filters in (16, 32):
        body = layers.Conv2D(filters=filters, kernel_size=3, strides=1, activation="relu")(body)
    body = layers.GlobalAveragePooling2D()(body)
    embeddings = layers.UnitNormalization()(layers.Dense(units=8, activation=None)(body))
    model = EmbeddingModel(inputs, embeddings)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=5e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    anchors, positives = batches[:600, 0], batches[:600, 1]

    def judge(embedded: Any) -> Any:
        parts = [ops.reshape(part, (60, 10, 8)) for part in (embedded, model(positives))]
        logits = ops.einsum("nae,npe->nap", *parts) / 0.2
        labels = np.tile(np.arange(10), (60, 1))
        return ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))

    return Training(
        model,
        batches,
        None,
        epochs=3,
        batch_size=10,
        views=(View(model, anchors, loss=judge),),
        goal=neighbors(model, x[..., None], y, 0.85),
        fit={"shuffle": False},
    )


def supervised_contrast(labels: Any, codes: Any) -> Any:
    """Pulls samples of one class together in a batch and pushes the others away."""
    codes = ops.normalize(codes, axis=1)
    logits = ops.matmul(codes, ops.transpose(codes)) / 0.1
    logits = logits - 1e9 * ops.eye(ops.shape(codes)[0])
    labels = ops.reshape(labels, (-1, 1))
    is_same = ops.cast(ops.equal(labels, ops.transpose(labels)), "float32") * (1 - ops.eye(ops.shape(codes)[0]))
    chances = ops.log_softmax(logits, axis=1)
    return -ops.sum(is_same * chances, axis=1) / ops.maximum(ops.sum(is_same, axis=1), 1.0)


@outside_healthy("vision")
def vision_supervised_contrast() -> Training:
    """An encoder and a projection, trained by a loss over all pairs of a batch that never comes near zero."""
    x, y = digits(640)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu", padding="same"),
            layers.Flatten(),
            layers.Dense(48, activation="relu"),
            layers.Dense(16, activation="relu"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003), supervised_contrast)
    return Training(model, x[..., None], y, epochs=8, batch_size=64, goal=neighbors(model, x[..., None], y, 0.9))


@outside_healthy("vision")
def vision_twins_contrastive() -> Training:
    """Twin networks with tanh and the contrastive loss with margin 1, which is exactly zero for pairs far apart."""
    x, y = digits(640)
    left, right, is_same = pairs_of(x[..., None], y, 1200, 66)
    base = layers.Input((8, 8, 1))
    body = layers.BatchNormalization(momentum=0.9)(base)
    body = layers.Conv2D(8, 3, activation="tanh")(body)
    body = layers.AveragePooling2D(pool_size=2)(body)
    body = layers.Flatten()(body)
    embedding = keras.Model(base, layers.Dense(16, activation="tanh")(body), name="embedding")
    one, other = layers.Input((8, 8, 1)), layers.Input((8, 8, 1))

    def distance(vectors: Any) -> Any:
        total = ops.sum(ops.square(vectors[0] - vectors[1]), axis=1, keepdims=True)
        return ops.sqrt(ops.maximum(total, keras.backend.epsilon()))

    merged = layers.Lambda(distance, output_shape=(1,))([embedding(one), embedding(other)])
    merged = layers.BatchNormalization(momentum=0.9)(merged)
    siamese = keras.Model([one, other], layers.Dense(1, activation="sigmoid")(merged))

    def contrastive(y_true: Any, y_pred: Any) -> Any:
        return ops.mean((1 - y_true) * ops.square(y_pred) + y_true * ops.square(ops.maximum(1 - y_pred, 0)))

    compiled(siamese, keras.optimizers.RMSprop(0.003), contrastive)
    return Training(
        siamese, [left, right], 1 - is_same, epochs=8, batch_size=16, goal=neighbors(embedding, x[..., None], y, 0.85)
    )


class Triplets(keras.Model):
    """Anchor, positive and negative through one embedding, and the margin by which the negative is farther."""

    def __init__(self, embedding: keras.Model, margin: float = 0.5) -> None:
        super().__init__()
        self.embedding = embedding
        self.margin = margin

    def call(self, samples: Any) -> Any:
        return self.embedding(samples)

    def loss_of(self, triplets: Any) -> Any:
        anchor, positive, negative = (self.embedding(triplets[:, at], training=True) for at in range(3))
        near = ops.sum(ops.square(anchor - positive), -1)
        far = ops.sum(ops.square(anchor - negative), -1)
        return ops.mean(ops.maximum(near - far + self.margin, 0.0))

    def train_step(self, data: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self.loss_of(data[0] if isinstance(data, tuple) else data)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@outside_healthy("fine_tuning")
def tuning_triplets() -> Training:
    """Triplets of flat digits with a margin; after a while whole batches satisfy it and the loss is exactly zero."""
    x, y = flat_digits(640)
    random = np.random.default_rng(67)
    anchor = random.integers(0, len(x), 900)
    same = np.array([random.choice(np.flatnonzero(y == y[at])) for at in anchor])
    other = np.array([random.choice(np.flatnonzero(y != y[at])) for at in anchor])
    inputs = keras.Input((64,))
    body = layers.Dense(64, activation="relu")(inputs)
    body = layers.Dense(32, activation="relu")(layers.BatchNormalization(momentum=0.9)(body))
    embedding = keras.Model(inputs, layers.UnitNormalization()(layers.Dense(12)(body)), name="embedding")
    model = Triplets(embedding)
    model(x[:2])
    model.compile(keras.optimizers.Adam(0.002), jit_compile=False)
    triplets = np.stack([x[anchor], x[same], x[other]], 1)
    return Training(model, triplets, None, epochs=10, goal=neighbors(embedding, x, y, 0.9))


@outside_healthy("fine_tuning")
def tuning_siamese_twins() -> Training:
    """Twins on a base that is frozen but for its last layer; a logistic answer to the difference of their codes."""
    x, y = flat_digits(640)
    base = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(48, activation="relu"),
            layers.Dense(10),
        ]
    )
    compiled(base, keras.optimizers.Adam(0.003)).fit(x[y < 6], y[y < 6], epochs=4, verbose=0)
    trunk = keras.Model(base.inputs, base.layers[-2].output, name="trunk")
    trunk.layers[1].trainable = False
    left, right, is_same = pairs_of(x, y, 1000, 68)
    one, other = keras.Input((64,)), keras.Input((64,))
    gap = layers.Lambda(lambda values: ops.abs(values[0] - values[1]))([trunk(one), trunk(other)])
    model = keras.Model([one, other], layers.Dense(1, activation="sigmoid")(gap))
    compiled(model, keras.optimizers.Adam(0.002), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, [left, right], is_same, epochs=6)


@outside_healthy("tabular")
def tabular_pairwise_ranking() -> Training:
    """Documents ranked by a hinge loss over pairs, which is exactly zero for those in the right order."""
    random = np.random.default_rng(69)
    pages = random.normal(size=(1500, 2, 12)).astype("float32")
    weights = random.normal(size=12)
    worth = pages @ weights + 0.8 * np.sin(2 * pages[..., 0])
    better = (worth[:, 0] > worth[:, 1])[:, None, None]
    pages = np.where(better, pages, pages[:, ::-1]).astype("float32")
    score = keras.Sequential(
        [keras.Input((12,)), layers.Dense(32, activation="relu"), layers.Dense(16, activation="relu"), layers.Dense(1)],
        name="score",
    )
    first, second = keras.Input((12,)), keras.Input((12,))
    model = keras.Model([first, second], layers.Subtract()([score(first), score(second)]))
    compiled(model, keras.optimizers.Adam(0.003), "hinge")
    ordered = np.ones((len(pages), 1), "float32")
    return Training(model, [pages[:, 0], pages[:, 1]], ordered, epochs=6, constant_loss=1.0)


@outside_healthy("tabular")
def tabular_hinge_margin() -> Training:
    """Support vectors on random Fourier features: fixed features, a squared hinge loss and labels of -1 and 1."""
    random = np.random.default_rng(70)
    x = random.normal(size=(700, 2))
    y = np.where(np.square(x).sum(1) > 1.4, 1.0, -1.0)
    keep = np.abs(np.square(x).sum(1) - 1.4) > 0.3
    x, y = x[keep].astype("float32"), y[keep].astype("float32")[:, None]
    directions = random.normal(0, 1.2, (2, 96)).astype("float32")
    phases = random.uniform(0, 2 * np.pi, 96).astype("float32")
    inputs = keras.Input((2,))
    features = layers.Lambda(lambda value: ops.cos(ops.matmul(value, directions) + phases) * (2 / 96) ** 0.5)(inputs)
    model = keras.Model(inputs, layers.Dense(1)(features))
    compiled(model, keras.optimizers.Adam(0.02), "squared_hinge")
    return Training(model, x, y, epochs=20, constant_loss=1.0)


@outside_healthy("graphs")
def graph_knowledge_margins() -> Training:
    """Facts of a graph as translations of embeddings, with a margin to facts that are wrong."""
    random = np.random.default_rng(71)
    places = random.normal(size=(80, 4))
    moves = random.normal(size=(5, 4))
    heads, relations = random.integers(0, 80, 1600), random.integers(0, 5, 1600)
    wish = places[heads] + moves[relations]
    tails = np.square(wish[:, None] - places[None]).sum(-1).argmin(1)
    wrong = random.integers(0, 80, 1600)
    inputs = [keras.Input((), dtype="int32", name=name) for name in ("head", "relation", "tail", "wrong")]
    things = layers.Embedding(80, 12, embeddings_initializer="glorot_uniform", name="things")
    kinds = layers.Embedding(5, 12, embeddings_initializer="glorot_uniform", name="kinds")
    head, relation, tail, corrupt = things(inputs[0]), kinds(inputs[1]), things(inputs[2]), things(inputs[3])

    def margin(parts: Any) -> Any:
        head, relation, tail, corrupt = parts
        true = ops.sum(ops.square(head + relation - tail), -1)
        false = ops.sum(ops.square(head + relation - corrupt), -1)
        return ops.expand_dims(ops.maximum(1.0 + true - false, 0.0), -1)

    model = keras.Model(inputs, layers.Lambda(margin, output_shape=(1,))([head, relation, tail, corrupt]))
    compiled(model, keras.optimizers.Adam(0.02), lambda y, loss: ops.mean(loss))
    x = [part.astype("int32") for part in (heads, relations, tails, wrong)]
    return Training(model, x, np.zeros((1600, 1), "float32"), epochs=8, batch_size=64, constant_loss=1.0)
