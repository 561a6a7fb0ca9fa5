"""Healthy programs on graphs and points: traffic, sampled neighbors, relations, moving edges, energies, summaries."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy
from benchmarks.cases.outside.healthy_graphs import COMMUNITIES, NODES, GraphConvolution, citations, normalized

ROADS = 10


@functools.cache
def traffic(hours: int = 700, past: int = 8) -> tuple[Array, Array, Array]:
    """Standardized speeds on roads in windows of hours, those of the next hour, and which roads meet."""
    random = np.random.default_rng(451)
    meets = np.triu(random.random((ROADS, ROADS)) < 0.3, 1)
    meets = meets | meets.T | np.eye(ROADS, dtype=bool)
    mixing = meets / meets.sum(1, keepdims=True)
    speed, path = np.zeros(ROADS), []
    rush = random.uniform(0.3, 1.2, ROADS)
    for hour in range(hours + past):
        jam = rush * np.sin(2 * np.pi * hour / 24)
        speed = 0.75 * mixing @ speed - 0.5 * jam + random.normal(0, 0.15, ROADS)
        path.append(speed)
    speeds = np.stack(path)
    speeds = (speeds - speeds.mean(0)) / speeds.std(0)
    x = np.stack([speeds[start : start + past] for start in range(hours)])
    return x.astype("float32"), speeds[past : past + hours].astype("float32"), mixing.astype("float32")


@outside_healthy("graphs")
def graph_traffic_by_lstm() -> Training:
    """Speeds on roads in an hour: a graph convolution over the roads at each hour, then one LSTM for all roads."""
    x, y, mixing = traffic()
    inputs = layers.Input((8, ROADS))
    body = layers.Reshape((8, ROADS, 1))(inputs)
    near = layers.Lambda(lambda value: ops.einsum("rs,btsc->btrc", mixing, value))(layers.Dense(8)(body))
    body = layers.Activation("relu")(layers.Concatenate()([layers.Dense(8)(body), near]))
    body = layers.Lambda(lambda value: ops.reshape(ops.transpose(value, (0, 2, 1, 3)), (-1, 8, 16)))(body)
    body = layers.Dense(1)(layers.LSTM(24, activation="relu")(body))
    outputs = layers.Lambda(lambda value: ops.reshape(value, (-1, ROADS)))(body)
    model = keras.Model(inputs, layers.Identity()(outputs))
    compiled(model, keras.optimizers.RMSprop(0.002), "mse")
    return Training(model, x, y, epochs=10)


@outside_healthy("graphs")
def graph_sampled_neighbors() -> Training:
    """GraphSAGE: topics of papers from their own words and the largest answers of five neighbors, in small batches."""
    features, adjacency, community = citations()
    random = np.random.default_rng(452)
    chance = (adjacency + 1e-6) / (adjacency + 1e-6).sum(1, keepdims=True)
    rounds = [np.stack([random.choice(NODES, 5, p=row) for row in chance]) for _ in range(3)]
    own = np.concatenate([features] * 3)
    near = np.concatenate([features[neighbors] for neighbors in rounds])
    y = np.concatenate([community] * 3).astype("int32")
    alone, around = layers.Input((24,)), layers.Input((5, 24))
    pooled = layers.GlobalMaxPooling1D()(layers.Dense(32, activation="relu")(around))
    body = layers.Concatenate()([layers.Dense(24)(alone), layers.Dense(24)(pooled)])
    body = layers.UnitNormalization()(layers.Activation("relu")(body))
    model = keras.Model([alone, around], layers.Dense(COMMUNITIES)(layers.Dropout(0.3)(body)))
    compiled(model, keras.optimizers.Adam(0.005))
    return Training(model, [own, near], y, epochs=15, batch_size=16)


class Relations(layers.Layer):
    """Sums over the neighbors of each relation, whose kernels are mixtures of two, and the node itself."""

    def __init__(self, units: int, edges: Array) -> None:
        super().__init__()
        self.units = units
        degree = np.maximum(edges.sum(-1, keepdims=True), 1)
        self.edges = ops.convert_to_tensor((edges / degree).astype("float32"))

    def build(self, input_shape: Any) -> None:
        shape = (2, input_shape[-1], self.units)
        start = keras.initializers.VarianceScaling(0.5, "fan_avg", "uniform")
        self.bases = self.add_weight(shape, initializer=start, name="bases")
        self.shares = self.add_weight((len(self.edges), 2), initializer="glorot_uniform", name="shares")
        self.own = self.add_weight(shape[1:], initializer="glorot_uniform", name="own")

    def call(self, states: Any) -> Any:
        kernels = ops.einsum("rk,kio->rio", self.shares, self.bases)
        return ops.matmul(states, self.own) + ops.einsum("rnm,mi,rio->no", self.edges, states, kernels)


@outside_healthy("graphs")
def graph_kinds_of_relations() -> Training:
    """Who leads a team, from four kinds of relations between people of whom nothing else is known, by two layers."""
    random = np.random.default_rng(453)
    people, kinds = 150, 3
    y = random.integers(0, kinds, people)
    chance = random.dirichlet(np.full(4, 0.3), (kinds, kinds))[y[:, None], y[None]]
    kind = (chance.cumsum(-1) < random.random((people, people, 1))).sum(-1).clip(max=3)
    is_edge = random.random((people, people)) < 0.06
    edges = np.stack([is_edge & (kind == number) for number in range(4)]).astype("float32")
    is_known = (random.random(people) < 0.6).astype("float32")
    inputs = layers.Input((1,), batch_size=people)
    degrees = layers.Lambda(lambda one: ops.concatenate([one, ops.transpose(edges.sum(2) / 3)], -1))(inputs)
    body = layers.Activation("relu")(Relations(16, edges)(layers.Dense(16, activation="relu")(degrees)))
    body = layers.Activation("relu")(Relations(16, edges.transpose(0, 2, 1))(body))
    model = keras.Model(inputs, layers.Dense(kinds, kernel_regularizer=keras.regularizers.l2(5e-4))(body))
    compiled(model, keras.optimizers.Adam(0.01))
    x = random.normal(size=(people, 1)).astype("float32")
    fit = {"shuffle": False, "sample_weight": is_known}
    return Training(model, x, y.astype("int32"), epochs=80, batch_size=people, fit=fit)


class NearestEdges(layers.Layer):
    """For each point the differences to its nearest points in the current features, next to the point itself."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def call(self, points: Any) -> Any:
        square = ops.sum(ops.square(points), axis=-1)
        far = square[:, :, None] + square[:, None] - 2 * ops.matmul(points, ops.transpose(points, (0, 2, 1)))
        _, nearest = ops.top_k(-far, self.count)
        chosen = ops.one_hot(nearest, points.shape[1])
        neighbors = ops.einsum("bnkm,bmc->bnkc", chosen, points)
        itself = ops.broadcast_to(points[:, :, None], ops.shape(neighbors))
        return ops.concatenate([itself, neighbors - itself], axis=-1)


def bodies(count: int, points: int = 24) -> tuple[Array, Array]:
    """Clouds of points on spheres, cubes and rings, turned and stretched, and which they are."""
    random = np.random.default_rng(454)
    y = random.integers(0, 3, count)
    x = random.normal(size=(count, points, 3))
    x[y == 0] /= np.linalg.norm(x[y == 0], axis=-1, keepdims=True)
    x[y == 1] /= np.abs(x[y == 1]).max(-1, keepdims=True)
    x[y == 2, :, 2] *= 0.1
    x[y == 2] /= np.linalg.norm(x[y == 2], axis=-1, keepdims=True)
    turns, _ = np.linalg.qr(random.normal(size=(count, 3, 3)))
    x = np.einsum("bnc,bcd->bnd", x * random.uniform(0.8, 1.2, (count, 1, 1)), turns)
    return (x + random.normal(0, 0.03, x.shape)).astype("float32"), y.astype("int32")


@outside_healthy("graphs")
def graph_edges_that_move() -> Training:
    """Shapes of point clouds by convolutions over edges, which are drawn again between the points of each layer."""
    x, y = bodies(400)
    inputs = layers.Input((24, 3))
    body: Any = inputs
    seen = []
    for width in (16, 24):
        edges = layers.Dense(width, use_bias=False)(NearestEdges(6)(body))
        edges = layers.LeakyReLU(negative_slope=0.2)(layers.BatchNormalization(momentum=0.9)(edges))
        body = layers.Lambda(lambda value: ops.max(value, axis=2))(edges)
        seen.append(body)
    body = layers.Dense(48)(layers.Concatenate()(seen))
    body = layers.GlobalMaxPooling1D()(layers.LeakyReLU(negative_slope=0.2)(body))
    body = layers.Dense(32, activation="leaky_relu")(layers.Dropout(0.5)(body))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(body))
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    rate = keras.optimizers.schedules.CosineDecay(0.05, 10 * 25, alpha=0.01)
    compiled(model, keras.optimizers.SGD(rate, momentum=0.9, weight_decay=1e-4), loss)
    return Training(model, x, np.eye(3, dtype="float32")[y], epochs=10, batch_size=16)


def shifted_softplus(values: Any) -> Any:
    return ops.softplus(values) - 0.6931


def clusters(count: int, atoms: int = 6) -> tuple[list[Array], Array]:
    """Kinds of atoms, distances between them as 16 bumps without those of atoms to themselves, and energies in eV."""
    random = np.random.default_rng(455)
    kinds = random.integers(0, 3, (count, atoms))
    places = random.normal(0, 1.4, (count, atoms, 3))
    far = np.sqrt(np.square(places[:, :, None] - places[:, None]).sum(-1) + 0.2)
    apart = 1 - np.eye(atoms)
    charge = np.array([-1.0, 0.5, 1.0])[kinds]
    pairs = (charge[:, :, None] * charge[:, None] / far + 0.3 / far**3) * apart
    energy = np.array([-13.6, -10.0, -3.0])[kinds].sum(1) + 4 * pairs.sum((1, 2)).clip(-5, 12)
    bumps = np.exp(-4 * np.square(far[..., None] - np.linspace(0, 5, 16))) * apart[..., None]
    return [kinds.astype("int32"), bumps.astype("float32")], energy.astype("float32")[:, None]


@outside_healthy("graphs")
def graph_energies_of_atoms() -> Training:
    """Energies of small clusters by filters that depend on distance, as in SchNet; a bias starts at the usual one."""
    x, y = clusters(600)
    kinds, bumps = layers.Input((6,), dtype="int32"), layers.Input((6, 6, 16))
    states = layers.Embedding(3, 24, embeddings_initializer="normal")(kinds)
    for _ in range(2):
        filters = layers.Dense(24)(layers.Dense(24, activation=shifted_softplus)(bumps))
        sent = layers.Dense(24, use_bias=False)(states)
        joined = layers.Lambda(lambda both: ops.einsum("bmc,bnmc->bnc", *both))([sent, filters])
        change = layers.Dense(24)(layers.Dense(24, activation=shifted_softplus)(joined))
        states = layers.Add()([states, change])
    states = layers.Dense(16, activation=shifted_softplus)(states)
    usual = keras.initializers.Constant(float(y.mean()) / 6)
    parts = layers.Dense(1, bias_initializer=usual)(states)
    total = layers.Lambda(lambda value: ops.sum(value, axis=1))(parts)
    model = keras.Model([kinds, bumps], layers.Identity()(total))
    compiled(model, keras.optimizers.Adam(0.005, clipnorm=10.0), "mse")
    return Training(model, x, y, epochs=15)


class SharedWithWhole(layers.Layer):
    """Scores of nodes as products with a summary of the whole graph, for true and for shuffled features."""

    def build(self, input_shape: Any) -> None:
        size = input_shape[0][-1]
        self.kernel = self.add_weight((size, size), initializer="glorot_uniform", name="kernel")

    def call(self, inputs: Any) -> Any:
        true, shuffled = inputs
        whole = ops.sigmoid(ops.mean(true, axis=0))
        return ops.stack([ops.matmul(part, ops.matmul(self.kernel, whole)) for part in (true, shuffled)], axis=-1)


@outside_healthy("graphs")
def graph_summaries_of_the_whole() -> Training:
    """Deep graph infomax: without labels, nodes learn to differ from nodes of the same graph with shuffled words."""
    features, adjacency, _ = citations()
    order = np.random.default_rng(456).permutation(NODES)
    inputs = [layers.Input((24,), batch_size=NODES), layers.Input((24,), batch_size=NODES)]
    encoder = GraphConvolution(48, normalized(adjacency))
    rectifier = layers.PReLU(shared_axes=[1])
    states = [rectifier(encoder(part)) for part in inputs]
    model = keras.Model(inputs, SharedWithWhole()(states))
    compiled(model, keras.optimizers.Adam(0.005), keras.losses.BinaryCrossentropy(from_logits=True))
    y = np.tile(np.array([1.0, 0.0], "float32"), (NODES, 1))
    x = [features, features[order]]

    def sides(data: Any, training: bool) -> Any:
        scores = np.asarray(model(data, training=training))
        return np.stack([np.zeros_like(scores), scores], -1)

    goal = accuracy(sides, x, y.astype(int), 0.75)
    options: dict[str, Any] = {"fit": {"shuffle": False}, "goal": goal, "constant_loss": float(np.log(2))}
    return Training(model, x, y, epochs=80, batch_size=NODES, **options)
