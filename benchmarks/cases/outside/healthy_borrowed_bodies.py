"""Healthy programs that tune known networks: size and direction, one new name, a pull to the start, rare classes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy


class SizeAndDirection(layers.Layer):
    """A frozen kernel plus a product of low rank; each column is set to a learned length."""

    def __init__(self, known: keras.layers.Dense, rank: int) -> None:
        super().__init__()
        self.known, self.rank = known, rank
        self.activation = known.activation

    def build(self, input_shape: Any) -> None:
        size, units = self.known.kernel.shape
        self.down = self.add_weight(shape=(size, self.rank), initializer="he_uniform", name="down")
        self.up = self.add_weight(shape=(self.rank, units), initializer="zeros", name="up")
        self.lengths = self.add_weight(shape=(units,), name="lengths")
        self.lengths.assign(ops.norm(self.known.kernel, axis=0))

    def call(self, values: Any) -> Any:
        kernel = self.known.kernel + ops.matmul(self.down, self.up)
        kernel = self.lengths * kernel / ops.stop_gradient(ops.norm(kernel, axis=0))
        return self.activation(ops.matmul(values, kernel) + self.known.bias)


@outside_healthy("fine_tuning")
def tuning_size_and_direction() -> Training:
    """DoRA: a frozen network learns noisy negatives of digits, by lengths of columns and directions of low rank."""
    pictures, y = digits(1024)
    hidden = [layers.Dense(128, activation="gelu") for _ in range(3)]
    known = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10)])
    compiled(known, keras.optimizers.Adam(0.002)).fit(pictures.reshape(-1, 64), y, epochs=6, verbose=0)
    known.trainable = False
    noise = np.random.default_rng(1730).normal(0, 0.1, (1024, 64))
    x = (1 - pictures.reshape(-1, 64) + noise).astype("float32")
    inputs = keras.Input((64,))
    body = inputs
    for layer in known.layers:
        body = SizeAndDirection(layer, 8)(body)
    model = keras.Model(inputs, body)
    rate = keras.optimizers.schedules.CosineDecay(5e-4, 320, warmup_target=5e-3, warmup_steps=20)
    compiled(model, keras.optimizers.AdamW(rate, weight_decay=0.01))
    return Training(model, x, y, epochs=10)


class WithNewRow(layers.Layer):
    """A frozen table of vectors and one more row, which is learned; it starts as a copy of the first one."""

    def __init__(self, known: Array) -> None:
        super().__init__()
        self.known = known

    def build(self, input_shape: Any) -> None:
        self.row = self.add_weight(shape=(1, self.known.shape[1]), name="row")
        self.row.assign(self.known[:1])

    def call(self, names: Any) -> Any:
        return ops.take(ops.concatenate([ops.convert_to_tensor(self.known), self.row], axis=0), names, axis=0)


@outside_healthy("fine_tuning")
def tuning_one_new_name() -> Training:
    """Textual inversion: a frozen denoiser that draws digits by name gets one vector for a digit it has never seen."""
    pictures, labels = digits(1200)
    flat = pictures.reshape(-1, 64)
    names = np.where(labels == 6, 9, labels - (labels > 6)).astype("int32")
    random = np.random.default_rng(1731)
    given, name = keras.Input((64,)), keras.Input((), dtype="int32")
    body = layers.Dense(160, activation="silu")(given)
    join = layers.Dense(160)
    after = [layers.Dense(160, activation="silu"), layers.Dense(160, activation="silu"), layers.Dense(64)]

    def drawn(vectors: Any) -> Any:
        values = layers.Add()([body, join(vectors)])
        for layer in after:
            values = layer(values)
        return values

    table = layers.Embedding(9, 24)
    first = compiled(keras.Model([given, name], drawn(table(name))), keras.optimizers.Adam(0.002), "mse")
    known, new = np.flatnonzero(names < 9), np.flatnonzero(names == 9)
    chosen = random.choice(known, 1600)
    first.fit([flat[chosen] + random.normal(0, 1, (1600, 64)), names[chosen]], flat[chosen], epochs=8, verbose=0)
    first.trainable = False
    model = keras.Model([given, name], drawn(WithNewRow(table.embeddings.numpy())(name)))
    compiled(model, keras.optimizers.Adam(0.02), "mse")
    chosen = np.concatenate([random.choice(new, 320), random.choice(known, 160)])
    noisy, target = (flat[chosen] + random.normal(0, 1, (480, 64))).astype("float32"), flat[chosen]

    def error() -> float:
        answers = np.asarray(model([noisy[:320], names[chosen][:320]]))
        return float(np.square(answers - target[:320]).mean())

    goal = Goal("error on the new digit", error, at_most=0.9 * error())
    return Training(model, [noisy, names[chosen]], target, epochs=10, batch_size=16, goal=goal)


class NearStart(keras.regularizers.Regularizer):
    """Squared distance to the weights of before."""

    def __init__(self, start: Array, weight: float) -> None:
        self.start, self.weight = start, weight

    def __call__(self, values: Any) -> Any:
        return self.weight * ops.sum(ops.square(values - self.start))


@outside_healthy("fine_tuning")
def tuning_pulled_to_the_start() -> Training:
    """L2-SP: a network of all digits learns mirrored, faint ones from few samples, with a pull to its old weights."""
    pictures, labels = digits(1200)
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(48, 3, padding="same", activation="relu")(inputs)
    body = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(body)
    body = layers.Dense(96, activation="relu")(layers.Flatten()(body))
    known = compiled(keras.Model(inputs, layers.Dense(10)(body)), keras.optimizers.Adam(0.002))
    known.fit(pictures[:, ..., None], labels, epochs=5, verbose=0)
    random = np.random.default_rng(1732)
    for layer in known.layers:
        if layer.weights:
            layer.kernel.regularizer = NearStart(layer.kernel.numpy(), 0.01)
    x = np.clip(pictures[:240] * random.uniform(0.2, 0.5, (240, 1, 1)) + random.uniform(0, 0.5, (240, 1, 1)), 0, 1)
    x = (x + random.normal(0, 0.08, x.shape))[:, :, ::-1, None].astype("float32")
    compiled(known, keras.optimizers.SGD(0.02, momentum=0.9))
    return Training(known, x, labels[:240], epochs=14, batch_size=16)


def own_entropy(_: Any, scores: Any) -> Any:
    """How unsure the answers are, and minus how different they are within the batch."""
    shares = ops.softmax(scores)
    unsure = -ops.mean(ops.sum(shares * ops.log_softmax(scores), axis=-1))
    mean = ops.mean(shares, axis=0)
    return unsure + ops.sum(mean * ops.log(mean + 1e-6))


@outside_healthy("fine_tuning")
def tuning_to_be_sure_again() -> Training:
    """Adaptation without labels: digits with a bright fog, to which only scales and offsets adapt by the entropy."""
    pictures, labels = digits(1400)
    inputs = keras.Input((8, 8, 1))
    body = inputs
    for filters, strides in ((32, 1), (64, 2), (64, 1)):
        body = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(body)
        body = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(body))
    model = keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(body)))
    compiled(model, keras.optimizers.Adam(0.003)).fit(pictures[:800, ..., None], labels[:800], epochs=6, verbose=0)
    random = np.random.default_rng(1733)
    fog = 0.55 * pictures[800:, ..., None] + 0.4 + random.normal(0, 0.08, (600, 8, 8, 1))
    for layer in model.layers:
        layer.trainable = isinstance(layer, layers.BatchNormalization)
    compiled(model, keras.optimizers.Adam(0.003), own_entropy)

    def right() -> float:
        return float((np.asarray(model(fog, training=False)).argmax(1) == labels[800:]).mean())

    goal = Goal("accuracy on foggy digits", right, at_least=0.8)
    x = fog.astype("float32")
    return Training(model, x, labels[800:], epochs=8, batch_size=50, goal=goal)


def distances(codes: Any) -> Any:
    """Distances of all pairs of a batch, divided by their mean."""
    squares = ops.sum(ops.square(codes[:, None] - codes[None]), axis=-1)
    far = ops.sqrt(ops.maximum(squares, 1e-9))
    return far / (ops.mean(far) + 1e-9)


def same_distances(truth: Any, codes: Any) -> Any:
    """Huber loss between the distances of a teacher's codes and those of a student's."""
    gap = distances(codes) - distances(truth)
    return ops.mean(ops.where(ops.abs(gap) < 1, 0.5 * ops.square(gap), ops.abs(gap) - 0.5))


@outside_healthy("fine_tuning")
def tuning_distances_of_a_teacher() -> Training:
    """Relational distillation: a small student only learns how far apart a teacher's codes of a batch are."""
    pictures, labels = digits(900)
    x = pictures[..., None]
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(64, 3, padding="same", activation="relu")(inputs)
    body = layers.Conv2D(96, 3, strides=2, padding="same", activation="relu")(body)
    body = layers.Dense(96, activation="relu")(layers.Flatten()(body))
    teacher = compiled(keras.Model(inputs, layers.Dense(10)(body)), keras.optimizers.Adam(0.002))
    teacher.fit(x, labels, epochs=5, verbose=0)
    codes = np.asarray(keras.Model(inputs, body)(x))
    small = keras.Input((8, 8, 1))
    body = layers.Conv2D(16, 3, strides=2, padding="same")(small)
    body = layers.LeakyReLU(0.1)(layers.GroupNormalization(4)(body))
    body = layers.Dense(48)(layers.Flatten()(body))
    student = keras.Model(small, layers.Dense(32)(layers.LeakyReLU(0.1)(body)))
    compiled(student, keras.optimizers.Adam(0.002), same_distances)
    return Training(student, x, codes, epochs=10, batch_size=36)


@outside_healthy("fine_tuning")
def tuning_head_for_rare_classes() -> Training:
    """Long tails: features of very unequal classes stay, and a new head learns with each class equally often."""
    pictures, labels = digits(1700)
    random = np.random.default_rng(1734)
    kept = np.flatnonzero(random.random(1700) < 0.75**labels)
    inputs = keras.Input((8, 8, 1))
    body = inputs
    for filters in (48, 64):
        body = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(body)
        body = layers.ELU()(layers.BatchNormalization(momentum=0.9)(body))
    features = layers.Flatten()(body)
    first = compiled(keras.Model(inputs, layers.Dense(10)(features)), keras.optimizers.Adam(0.002))
    first.fit(pictures[kept][..., None], labels[kept], epochs=5, verbose=0)
    first.trainable = False
    head = layers.Dense(10, kernel_regularizer=keras.regularizers.L2(1e-4), name="new_head")
    model = keras.Model(inputs, head(layers.Dropout(0.3)(features)))
    shares = 1 / np.bincount(labels[kept])[labels[kept]]
    chosen = random.choice(kept, 800, p=shares / shares.sum())
    rate = keras.optimizers.schedules.CosineDecay(0.1, 250)
    compiled(model, keras.optimizers.SGD(rate, momentum=0.9))
    goal = accuracy(model, pictures[..., None], labels, 0.85)
    return Training(model, pictures[chosen][..., None], labels[chosen], epochs=10, goal=goal)
