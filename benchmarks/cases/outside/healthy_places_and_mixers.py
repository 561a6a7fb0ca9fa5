"""Healthy programs on lists, series and graphs: clicks by place, crossed vectors, mixed series, hidden columns."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import binary_entropy
from benchmarks.cases.outside.healthy_pools_and_hindsight import Mean, random_graphs, with_self


@outside_healthy("tabular")
def recommend_by_relevance_and_place() -> Training:
    """Clicks in lists as the chance that a place is seen, times relevance: most are 0, and the loss stays high."""
    random = np.random.default_rng(1261)
    x = random.normal(0, 1, (4000, 16))
    relevance = np.tanh(x[:, 0] * x[:, 1]) + 0.8 * x[:, 2] - 0.5 * np.abs(x[:, 3]) + 0.6 * np.sin(2 * x[:, 4])
    place = random.integers(0, 10, 4000)
    seen = random.random(4000) < 1 / (1 + place) ** 0.7
    y = (seen & (random.random(4000) < 1 / (1 + np.exp(-2 * relevance)))).astype("float32")[:, None]
    inputs = [layers.Input((16,)), layers.Input((), dtype="int32")]
    body = layers.BatchNormalization(momentum=0.9)(inputs[0])
    for units in (128, 64, 32):
        body = layers.Dropout(0.1)(layers.Dense(units, activation="elu")(body))
    wanted = layers.Dense(1, activation="sigmoid", name="relevance")(body)
    start = keras.initializers.Zeros()
    view = layers.Activation("sigmoid", name="seen")(layers.Embedding(10, 1, embeddings_initializer=start)(inputs[1]))
    model = keras.Model(inputs, layers.Multiply()([wanted, view]))
    compiled(model, keras.optimizers.Adagrad(0.05), "binary_crossentropy")
    data = [x.astype("float32"), place.astype("int32")]
    alone = keras.Model(inputs[0], wanted)

    def agreement() -> float:
        return float(np.corrcoef(np.asarray(alone(data[0]))[:, 0], 1 / (1 + np.exp(-2 * relevance)))[0, 1])

    goal = Goal("correlation with the true relevance", agreement, at_least=0.7)
    return Training(model, data, y, 10, 50, goal=goal, constant_loss=binary_entropy(y))


@outside_healthy("tabular")
def recommend_by_products_of_all_vectors() -> Training:
    """Clicks by numbers through layers, a vector for each category, and products of all pairs; SGD at a rate of 0.3."""
    random = np.random.default_rng(1262)
    sizes = (200, 80, 40, 20, 6)
    kinds = np.stack([np.minimum(random.geometric(4 / size, 4000) - 1, size - 1) for size in sizes], 1)
    numbers = np.log1p(random.lognormal(1.0, 1.2, (4000, 6)))
    tastes = [random.normal(0, 0.8, (size, 3)) for size in sizes]
    vectors = [taste[column] for taste, column in zip(tastes, kinds.T, strict=True)]
    score = (vectors[0] * vectors[1]).sum(1) + (vectors[2] * vectors[3]).sum(1) + numbers[:, 0] - 2.5
    y = (random.random(4000) < 1 / (1 + np.exp(-1.5 * score))).astype("float32")[:, None]
    given = layers.Input((6,))
    body: Any = given
    for units in (64, 32, 16):
        body = layers.Dense(units, activation="relu")(body)
    inputs = [layers.Input((), dtype="int32") for _ in sizes]
    parts = [body]
    for size, x in zip(sizes, inputs, strict=True):
        start = keras.initializers.RandomUniform(-(size**-0.5), size**-0.5)
        parts.append(layers.Embedding(size, 16, embeddings_initializer=start)(x))
    stacked = layers.Lambda(lambda values: ops.stack(values, axis=1))(parts)
    products = layers.Dot(axes=2)([stacked, stacked])
    first, second = np.triu_indices(6, 1)
    pairs = layers.Lambda(lambda table: ops.take(ops.reshape(table, (-1, 36)), first * 6 + second, axis=1))(products)
    top = layers.Concatenate()([body, pairs])
    for units in (96, 48):
        top = layers.Dense(units, activation="relu")(top)
    model = keras.Model([given, *inputs], layers.Dense(1, activation="sigmoid")(top))
    rate = keras.optimizers.schedules.PolynomialDecay(0.3, 800, 0.02)
    compiled(model, keras.optimizers.SGD(rate), "binary_crossentropy")
    data = [numbers.astype("float32"), *kinds.T.astype("int32")]
    return Training(model, data, y, epochs=14, batch_size=64, constant_loss=binary_entropy(y))


class Normalized(layers.Layer):
    """Takes mean and size from each series, and gives them back at the end."""

    def call(self, values: Any, back: Any = None) -> Any:
        if back is None:
            mean = ops.mean(values, axis=1, keepdims=True)
            return (values - mean) / (ops.std(values, axis=1, keepdims=True) + 1e-5)
        return values * (ops.std(back, axis=1, keepdims=True) + 1e-5) + ops.mean(back, axis=1, keepdims=True)


def in_megawatts(random: np.random.Generator, count: int, length: int) -> Array:
    """Windows of seven series in megawatts, of different sizes, with a day, a week and a common disturbance."""
    time = random.integers(0, 1000, (count, 1)) + np.arange(length)[None]
    day, week = np.sin(time * np.pi / 12), np.sin(time * np.pi / 84)
    common = np.cumsum(random.normal(0, 0.1, time.shape), 1)
    shares = np.random.default_rng(1263).normal(0, 1, (3, 7))
    parts = np.stack([day, week, common], -1) @ shares + random.normal(0, 0.15, (count, length, 7))
    return np.asarray((parts + 4) * np.array([30, 80, 120, 15, 60, 200, 45]))


@outside_healthy("time_series")
def series_mixed_over_time_and_columns() -> Training:
    """Seven loads in megawatts, twelve hours ahead: layers over time and columns by turns, and normalized windows."""
    windows = in_megawatts(np.random.default_rng(1264), 800, 60).astype("float32")
    x, y = windows[:, :48], windows[:, 48:]
    inputs = layers.Input((48, 7))
    body = Normalized(name="normalized")(inputs)
    for _ in range(3):
        part = layers.BatchNormalization(momentum=0.9)(body)
        part = layers.Dense(48, activation="relu")(layers.Permute((2, 1))(part))
        body = layers.Add()([body, layers.Dropout(0.2)(layers.Permute((2, 1))(part))])
        part = layers.Dense(64, activation="relu")(layers.BatchNormalization(momentum=0.9)(body))
        body = layers.Add()([body, layers.Dropout(0.2)(layers.Dense(7)(layers.Dropout(0.2)(part)))])
    body = layers.Permute((2, 1))(layers.Dense(12)(layers.Permute((2, 1))(body)))
    model = keras.Model(inputs, Normalized(name="in_megawatts")(body, inputs))
    slower = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    compiled(model, keras.optimizers.Adam(0.002, clipnorm=10.0), "mean_squared_error")
    return Training(model, x, y, 12, fit={"callbacks": [slower]})


class Hidden(layers.Layer):
    """Replaces the columns of half of the nodes by a learned vector; gives also which ones, the same for both calls."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.seed = share, keras.random.SeedGenerator(1265)

    def build(self, input_shape: Any) -> None:
        self.token = self.add_weight((1, input_shape[-1]), initializer="glorot_uniform", name="token")

    def call(self, values: Any) -> Any:
        drawn = keras.random.uniform((ops.shape(values)[0], 1), seed=self.seed)
        hidden = ops.cast(drawn < self.share, "float32")
        return values * (1 - hidden) + hidden * self.token, hidden


def unlike_where_hidden(truth: Any, given: Any) -> Any:
    """The square of one minus the cosine, over the nodes that were hidden."""
    rebuilt, hidden = given[:, :-1], given[:, -1]
    length = ops.norm(rebuilt, axis=1) * ops.norm(truth, axis=1) + 1e-8
    cosine = ops.sum(rebuilt * truth, axis=1) / length
    return ops.sum(ops.square(1 - cosine) * hidden) / (ops.sum(hidden) + 1e-8)


@outside_healthy("graphs")
def graph_columns_that_are_hidden() -> Training:
    """A masked autoencoder of papers: columns of half of the nodes are to be told from their neighbors, by cosine."""
    random = np.random.default_rng(1266)
    topic = random.integers(0, 6, 300)
    links = with_self(random_graphs(random, topic[None], 0.12, 0.004)[0])
    x = (random.random((300, 48)) < np.where(np.arange(48) % 6 == topic[:, None], 0.5, 0.06)).astype("float32")
    inputs = keras.Input((48,), batch_size=300)
    body, hidden = Hidden(0.5)(inputs)
    for units in (96, 64):
        body = layers.PReLU()(Mean(links)(layers.Dense(units)(layers.Dropout(0.2)(body))))
    body = layers.Dense(64, use_bias=False)(body)
    body = layers.Lambda(lambda both: both[0] * (1 - both[1]))([body, hidden])
    rebuilt = Mean(links)(layers.Dense(48)(body))
    model = keras.Model(inputs, layers.Concatenate()([rebuilt, hidden]))
    rate = keras.optimizers.schedules.CosineDecay(0.005, 120)
    compiled(model, keras.optimizers.AdamW(rate, weight_decay=2e-4), unlike_where_hidden)
    return Training(model, x, x, epochs=120, batch_size=300, fit={"shuffle": False})
