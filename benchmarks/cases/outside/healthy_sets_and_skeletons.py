"""Healthy programs on graphs and sets: sessions, facts, skeletons, matched nodes, and sets of digits."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import Array, flat_digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_clicks_and_baskets import ITEMS, chains_of_items
from benchmarks.cases.outside.healthy_goals import class_entropy, squared_error
from benchmarks.cases.outside.healthy_pools_and_hindsight import random_graphs, with_self


def as_graphs(rows: Array) -> list[Array]:
    """The different items of each row, links to and from the next one as shares, and where each click is among them."""
    count, length = rows.shape
    items, places = np.zeros((count, length), "int32"), np.zeros((count, length), "int32")
    links = np.zeros((count, length, length), "float32")
    for number, row in enumerate(rows):
        known, places[number] = np.unique(row, return_inverse=True)
        items[number, : len(known)] = known
        for first, second in zip(places[number, :-1], places[number, 1:], strict=True):
            links[number, first, second] += 1
    out, back = links, links.transpose(0, 2, 1)
    shares = [part / np.maximum(part.sum(2, keepdims=True), 1) for part in (out, back)]
    return [items, *shares, places]


@outside_healthy("graphs")
def graph_sessions_as_small_graphs() -> Training:
    """The next click: each session is a small graph of its items, updated by a gated cell: SR-GNN."""
    random = np.random.default_rng(1231)
    rows = chains_of_items(random, 1200, 8)
    x, y = as_graphs(rows[:, :-1]), rows[:, -1].astype("int32")
    start = keras.initializers.RandomUniform(-0.125, 0.125)
    inputs = [
        layers.Input((7,), dtype="int32"),
        layers.Input((7, 7)),
        layers.Input((7, 7)),
        layers.Input((7,), dtype="int32"),
    ]
    table = layers.Embedding(ITEMS + 1, 64, embeddings_initializer=start)
    states = table(inputs[0])
    news = [layers.Dot(axes=(2, 1))([links, layers.Dense(64)(states)]) for links in inputs[1:3]]
    cell = layers.GRUCell(64)

    class Updated(layers.Layer):
        """One step of a gated cell for every node."""

        def build(self, shapes: Any) -> None:
            self.cell = cell
            cell.build((None, shapes[0][-1]))

        def call(self, both: Any) -> Any:
            news, before = both
            given, _ = self.cell(ops.reshape(news, (-1, news.shape[-1])), [ops.reshape(before, (-1, 64))])
            return ops.reshape(given, ops.shape(before))

    states = Updated()([layers.Concatenate()(news), states])
    clicks = layers.Lambda(lambda both: ops.take_along_axis(both[0], both[1][..., None], axis=1))([states, inputs[3]])
    last = layers.Lambda(lambda values: values[:, -1:])(clicks)
    mixed = layers.Activation("sigmoid")(layers.Add()([layers.Dense(64)(last), layers.Dense(64)(clicks)]))
    whole = layers.Dot(axes=1)([layers.Dense(1, use_bias=False)(mixed), clicks])
    both = layers.Concatenate()([layers.Flatten()(last), layers.Flatten()(whole)])
    read = layers.Dense(64, use_bias=False)(layers.Dropout(0.1)(both))
    model = keras.Model(inputs, layers.Dense(ITEMS + 1)(read))
    rate = keras.optimizers.schedules.ExponentialDecay(0.005, 80, 0.7, staircase=True)
    compiled(model, keras.optimizers.AdamW(rate, weight_decay=1e-4))
    return Training(model, x, y, epochs=10, batch_size=50, constant_loss=class_entropy(y))


class Complex(layers.Layer):
    """The real part of the product of head, relation and every tail as complex vectors."""

    def call(self, parts: Any) -> Any:
        (head_real, head), (relation_real, relation) = (ops.split(part, 2, axis=-1) for part in parts[:2])
        real, imaginary = ops.split(parts[2], 2, axis=-1)
        first = ops.matmul(head_real * relation_real - head * relation, ops.transpose(real))
        return first + ops.matmul(head_real * relation + head * relation_real, ops.transpose(imaginary))


class Everything(layers.Layer):
    """A table of vectors: those of given numbers, and all of them."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.count, self.width = count, width

    def build(self, _: Any) -> None:
        start = keras.initializers.RandomNormal(stddev=0.03)
        self.table = self.add_weight((self.count, self.width), initializer=start, name="table")

    def call(self, numbers: Any) -> Any:
        return ops.take(self.table, numbers, axis=0)


class AgainstAll(Complex):
    """Scores of all tails from the table of heads, with a penalty on third powers."""

    def __init__(self, table: Everything, share: float) -> None:
        super().__init__()
        self.known, self.share = table, share

    def call(self, parts: Any) -> Any:
        third = sum(ops.mean(ops.sum(ops.abs(part) ** 3, axis=-1)) for part in parts)
        self.add_loss(self.share * third)
        return super().call([*parts, self.known.table])


@outside_healthy("graphs")
def graph_facts_against_all_tails() -> Training:
    """Facts by complex vectors that start tiny, scored against all tails, by Adagrad with a penalty on third powers."""
    random = np.random.default_rng(1232)
    places = random.integers(0, 12, (100, 2))
    moves = np.array([[0, 1], [0, 11], [1, 0], [3, 3], [6, 0]])
    facts = []
    for relation, move in enumerate(moves):
        wished = (places + move) % 12
        far = np.abs(wished[:, None] - places[None])
        distance = np.minimum(far, 12 - far).sum(-1)
        for head in range(100):
            facts += [(head, relation, tail) for tail in np.argsort(distance[head])[:3] if tail != head]
    head, relation, tail = np.array(facts, "int32").T
    inputs = [layers.Input((), dtype="int32"), layers.Input((), dtype="int32")]
    table = Everything(100, 96)
    kinds = Everything(5, 96)
    model = keras.Model(inputs, AgainstAll(table, 0.005)([table(inputs[0]), kinds(inputs[1])]))
    compiled(model, keras.optimizers.Adagrad(0.1, initial_accumulator_value=1e-8, epsilon=1e-10))
    return Training(model, [head, relation], tail, epochs=15, batch_size=50, constant_loss=class_entropy(tail))


class AlongBones(layers.Layer):
    """A convolution over joints: each kind of neighbor has its own kernel and learned weights of its links."""

    def __init__(self, filters: int, links: Array) -> None:
        super().__init__()
        self.filters, self.links = filters, links

    def build(self, input_shape: Any) -> None:
        shape = (len(self.links), input_shape[-1], self.filters)
        start = keras.initializers.VarianceScaling(2.0, "fan_in")
        self.kernel = self.add_weight(shape, initializer=start, name="kernel")
        self.weights_of_links = self.add_weight(self.links.shape, initializer="ones", name="weights_of_links")

    def call(self, values: Any) -> Any:
        links = ops.convert_to_tensor(self.links) * self.weights_of_links
        return ops.einsum("btjc,kij,kcf->btif", values, links, self.kernel)


@outside_healthy("graphs")
def graph_skeletons_that_move() -> Training:
    """Motions of a skeleton of twelve joints: convolutions along bones, then over time, with SGD and a step decay."""
    random = np.random.default_rng(1233)
    bones = [(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (1, 6), (6, 7), (7, 8), (6, 9), (9, 10), (0, 11)]
    near = np.zeros((12, 12))
    for first, second in bones:
        near[first, second] = near[second, first] = 1
    links = np.stack([np.eye(12), near / near.sum(1, keepdims=True)]).astype("float32")
    y = random.integers(0, 5, 300).astype("int32")
    moving = np.array([[2, 3], [4, 5], [7, 8], [9, 10], [3, 5]])[y]
    time = np.arange(16)[None] * random.uniform(0.4, 0.8, (300, 1)) + random.uniform(0, 6, (300, 1))
    x = random.normal(0, 0.5, (300, 1, 1, 3)) + random.normal(0, 1, (12, 3)) + random.normal(0, 0.3, (300, 16, 12, 3))
    for part in range(2):
        x[np.arange(300), :, moving[:, part], part] += np.sin(time)
    body = inputs = layers.Input((16, 12, 3))
    body = layers.BatchNormalization(momentum=0.9)(body)
    for filters, stride in ((32, 1), (32, 1), (64, 2)):
        short = body if filters == body.shape[-1] and stride == 1 else layers.Conv2D(filters, 1, (stride, 1))(body)
        part = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(AlongBones(filters, links)(body)))
        part = layers.Conv2D(filters, (5, 1), (stride, 1), padding="same")(part)
        part = layers.Dropout(0.2)(layers.BatchNormalization(momentum=0.9)(part))
        body = layers.ReLU()(layers.Add()([part, short]))
    model = keras.Model(inputs, layers.Dense(5)(layers.GlobalAveragePooling2D()(body)))
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([105], [0.05, 0.005])
    compiled(model, keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=1e-4))
    return Training(model, x.astype("float32"), y, epochs=10, batch_size=20, constant_loss=class_entropy(y))


class Matched(layers.Layer):
    """Logarithms of shares whose rows and columns sum to one, by turns of normalization."""

    def call(self, likeness: Any) -> Any:
        logs = 4.0 * likeness
        for _ in range(8):
            logs = logs - ops.logsumexp(logs, axis=2, keepdims=True)
            logs = logs - ops.logsumexp(logs, axis=1, keepdims=True)
        return logs


@outside_healthy("graphs")
def graph_nodes_matched_by_turns() -> Training:
    """Which node of a graph is which of its changed copy: shared layers, and shares made doubly stochastic."""
    random = np.random.default_rng(1234)
    groups = random.integers(0, 3, (600, 12))
    links = random_graphs(random, groups, 0.7, 0.15)
    x = random.normal(0, 1, (600, 12, 6))
    order = random.permuted(np.tile(np.arange(12), (600, 1)), axis=1)
    moved = np.take_along_axis(x, order[..., None], 1) + random.normal(0, 0.5, x.shape)
    kept = np.triu(random.random(links.shape) < 0.9, 1)
    copied = links * (kept + kept.transpose(0, 2, 1))
    copied = np.take_along_axis(np.take_along_axis(copied, order[..., None], 1), order[:, None], 2)
    inputs = [layers.Input((12, 6)), layers.Input((12, 12)), layers.Input((12, 6)), layers.Input((12, 12))]
    parts: list[Any] = [inputs[0], inputs[2]]
    for units, activation in ((64, "elu"), (64, "elu"), (48, None)):
        alone, around = layers.Dense(units), layers.Dense(units, use_bias=False)
        spread, join, active = layers.Dot(axes=(2, 1)), layers.Add(), layers.Activation(activation or "linear")
        normal = layers.LayerNormalization()
        parts = [
            active(normal(join([alone(part), spread([one, around(part)])])))
            for part, one in zip(parts, (inputs[1], inputs[3]), strict=True)
        ]
    likeness = layers.Lambda(lambda both: ops.einsum("bjc,bic->bji", *both) / 48)([parts[1], parts[0]])
    model = keras.Model(inputs, Matched()(likeness))
    compiled(model, keras.optimizers.Nadam(0.002, clipnorm=1.0))
    data = [part.astype("float32") for part in (x, with_self(links), moved, with_self(copied))]
    return Training(model, data, order.astype("int32"), epochs=12, constant_loss=float(np.log(12)))


@outside_healthy("graphs")
def set_of_digits_by_induced_points() -> Training:
    """How many different digits are in a set of six pictures, by attention through learned points: Poisson counts."""
    images, labels = flat_digits(1500)
    random = np.random.default_rng(1235)
    variety = random.integers(1, 7, 1000)
    allowed = np.stack([random.permutation(10) for _ in range(1000)])
    digits = np.take_along_axis(allowed, random.integers(0, variety[:, None], (1000, 6)), 1)
    by_digit = [np.flatnonzero(labels == digit) for digit in range(10)]
    x = np.array([[images[random.choice(by_digit[digit])] for digit in row] for row in digits])
    y = np.array([[len(set(row))] for row in digits], "float32")

    class Attended(layers.Layer):
        """Attention of learned points, or of the values themselves to such points."""

        def __init__(self, points: int, is_pool: bool) -> None:
            super().__init__()
            self.points, self.is_pool = points, is_pool
            self.look, self.back = layers.MultiHeadAttention(4, 16), layers.MultiHeadAttention(4, 16)

        def build(self, shape: Any) -> None:
            self.learned = self.add_weight((1, self.points, shape[-1]), initializer="glorot_uniform", name="learned")
            self.look.build((None, self.points, shape[-1]), shape)
            if not self.is_pool:
                self.back.build(shape, (None, self.points, shape[-1]))

        def call(self, values: Any) -> Any:
            points = ops.tile(self.learned, (ops.shape(values)[0], 1, 1))
            seen = self.look(points, values)
            return seen if self.is_pool else values + self.back(values, seen)

    inputs = layers.Input((6, 64))
    body = layers.Dense(64)(layers.Dense(96, activation="relu")(inputs))
    for _ in range(2):
        body = layers.LayerNormalization()(Attended(8, False)(body))
        body = layers.LayerNormalization()(layers.Add()([body, layers.Dense(64, activation="relu")(body)]))
    body = layers.Flatten()(Attended(1, True)(body))
    model = keras.Model(inputs, layers.Dense(1, activation="softplus")(layers.Dense(64, activation="relu")(body)))
    compiled(model, keras.optimizers.Adam(0.001), "poisson")
    x = x.astype("float32")
    return Training(model, x, y, epochs=11, goal=squared_error(model, x, y, 0.6))
