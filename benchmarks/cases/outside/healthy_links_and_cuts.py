"""Healthy programs on graphs: recommendations, jumps between layers, kept nodes, cuts, turned relations, groups."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, class_entropy
from benchmarks.cases.outside.healthy_graphs import COMMUNITIES, NODES, citations, normalized


class SpreadEmbeddings(layers.Layer):
    """Embeddings of all nodes, spread over the links three times; the means of all stages for the given nodes."""

    def __init__(self, links: Array, width: int) -> None:
        super().__init__()
        self.links, self.width = tf.constant(links), width

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.RandomNormal(stddev=0.1)
        self.table = self.add_weight((self.links.shape[0], self.width), initializer=start)

    def call(self, nodes: Any) -> Any:
        spread = total = ops.convert_to_tensor(self.table)
        for _ in range(3):
            spread = ops.matmul(self.links, spread)
            total = total + spread
        return ops.take(total / 4, nodes, axis=0)


def purchases() -> tuple[Array, Array]:
    """Links between 80 people and 60 things, and triples: a person, a thing that was bought, and another one."""
    random = np.random.default_rng(520)
    people, things = random.integers(0, 4, 80), random.integers(0, 4, 60)
    chance = np.where(people[:, None] == things, 0.35, 0.04)
    bought = random.random((80, 60)) < chance
    links = np.zeros((140, 140), "float32")
    links[:80, 80:] = bought
    links += links.T
    person, thing = np.nonzero(bought)
    triples = []
    for _ in range(3):
        other = random.integers(0, 60, len(person))
        triples.append(np.stack([person, thing + 80, other + 80], 1)[~bought[person, other]])
    degrees = np.sqrt(np.maximum(links.sum(1), 1))
    return links / degrees[:, None] / degrees, np.concatenate(triples).astype("int32")


def preference(truth: Any, gap: Any) -> Any:
    """How surely the thing that was bought is preferred."""
    return ops.softplus(-gap[:, 0])


@outside_healthy("graphs")
def graph_embeddings_and_nothing_else() -> Training:
    """What people buy, by embeddings that are averaged over links and have no other weights, ranked in pairs."""
    links, triples = purchases()
    inputs = keras.Input((3,), dtype="int32")
    known = SpreadEmbeddings(links.astype("float32"), 16)(inputs)
    gap = layers.Lambda(lambda v: ops.sum(v[:, 0] * (v[:, 1] - v[:, 2]), axis=-1, keepdims=True))(known)
    model = compiled(keras.Model(inputs, gap), keras.optimizers.Adam(0.005), preference)
    y = np.zeros((len(triples), 1), "float32")
    return Training(model, triples, y, epochs=15, batch_size=64, constant_loss=math.log(2))


class DroppedLinks(layers.Layer):
    """Sums over neighbors, without some of the links while training."""

    def __init__(self, links: Array, share: float) -> None:
        super().__init__()
        self.links, self.share = tf.constant(links), share
        self.seed = keras.random.SeedGenerator(521)

    def call(self, values: Any, training: bool = False) -> Any:
        links = self.links
        if training:
            links = links * ops.cast(keras.random.uniform(tuple(links.shape), seed=self.seed) > self.share, "float32")
        return ops.matmul(links, values)


@outside_healthy("graphs")
def graph_jumps_to_the_end() -> Training:
    """Four graph convolutions, all of whose outputs are seen at the end; a fifth of all links is dropped each time."""
    features, adjacency, community = citations()
    links = normalized(adjacency)
    inputs = keras.Input((24,), batch_size=NODES)
    body = layers.Dense(32, activation="relu")(inputs)
    stages = []
    for _ in range(4):
        body = layers.Dense(32, activation="relu")(DroppedLinks(links, 0.2)(body))
        stages.append(body)
    body = layers.Dropout(0.3)(layers.Maximum()(stages))
    model = keras.Model(inputs, layers.Dense(COMMUNITIES, activation="softmax")(body))
    optimizer = keras.optimizers.Nadam(0.005, weight_decay=5e-4)
    compiled(model, optimizer, "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    weights = (np.random.default_rng(522).random(NODES) < 0.3).astype("float32")
    options = {"sample_weight": weights, "shuffle": False}
    goal = accuracy(model, features, community, 0.75)
    return Training(model, features, community, 60, NODES, fit=options, goal=goal)


class BestNodes(layers.Layer):
    """Keeps the nodes that point most into a learned direction, each times the tanh of its score."""

    def __init__(self, kept: int) -> None:
        super().__init__()
        self.kept = kept

    def build(self, input_shape: Any) -> None:
        self.direction = self.add_weight((input_shape[0][-1], 1), initializer="glorot_uniform")

    def call(self, parts: Any) -> Any:
        nodes, links = parts
        scores = ops.matmul(nodes, self.direction / ops.norm(self.direction))[..., 0]
        best, chosen = ops.top_k(scores, self.kept)
        links = tf.gather(tf.gather(links, chosen, batch_dims=1), chosen, axis=2, batch_dims=1)
        return tf.gather(nodes, chosen, batch_dims=1) * ops.tanh(best)[..., None], links


def planted_groups(count: int) -> tuple[list[Array], Array]:
    """Nodes and links of graphs with 14 nodes, and whether six of them are all well linked to each other."""
    random = np.random.default_rng(523)
    y = random.integers(0, 2, count)
    group = np.zeros((count, 14), bool)
    group[:, :6] = y[:, None] == 1
    group = random.permuted(group, axis=1)
    chance = np.where(group[:, :, None] & group[:, None], 0.9, 0.25)
    upper = np.triu(random.random(chance.shape) < chance, 1)
    links = (upper | upper.transpose(0, 2, 1)).astype("float32")
    degrees = links.sum(-1)
    triangles = np.einsum("gij,gjk,gki->gi", links, links, links) / 2
    noise = random.normal(0, 1, (count, 14, 2))
    nodes = np.concatenate([np.stack([degrees / 5, triangles / 6], -1), noise], -1)
    linked = links + np.eye(14, dtype="float32")
    return [nodes.astype("float32"), linked / linked.sum(-1, keepdims=True)], y.astype("float32")[:, None]


@outside_healthy("graphs")
def graph_nodes_kept_by_score() -> Training:
    """Whether a graph hides a dense group: half of the nodes are kept, by a score that also scales them."""
    x, y = planted_groups(600)
    nodes, links = keras.Input((14, 4)), keras.Input((14, 14))
    body = layers.Dense(32, activation="relu")(layers.Dot(axes=(2, 1))([links, nodes]))
    kept, between = BestNodes(7)([body, links])
    body = layers.Dense(32, activation="relu")(layers.Dot(axes=(2, 1))([between, kept]))
    both = layers.Concatenate()([layers.GlobalMaxPooling1D()(body), layers.GlobalAveragePooling1D()(body)])
    body = layers.Dropout(0.2)(layers.Dense(24, activation="relu")(both))
    model = keras.Model([nodes, links], layers.Dense(1, activation="sigmoid")(body))
    compiled(model, keras.optimizers.Adam(0.003), "binary_crossentropy")
    return Training(model, x, y, epochs=15, constant_loss=class_entropy(y))


def agreement_of_neighbors(links: Any, sides: Any) -> Any:
    """From 1 for links between nodes of the same side to -1 for links across; one value for the whole graph."""
    signs = 2 * sides - 1
    return ops.sum(links * ops.matmul(signs, ops.transpose(signs))) / ops.sum(links)


@outside_healthy("graphs")
def graph_largest_cut() -> Training:
    """Nodes on two sides such that most links cross: no labels, a loss that becomes negative, and sides of 0 or 1."""
    random = np.random.default_rng(524)
    side = random.integers(0, 2, 120)
    upper = np.triu(random.random((120, 120)) < np.where(side[:, None] == side, 0.01, 0.1), 1)
    links = (upper | upper.T).astype("float32")
    spread = links / np.maximum(links.sum(1, keepdims=True), 1)
    x = random.normal(0, 1, (120, 24)).astype("float32")
    inputs = keras.Input((24,), batch_size=120)
    body: Any = inputs
    for _ in range(3):
        around = DroppedLinks(spread, 0.0)(body)
        body = layers.Dense(32, activation="elu")(layers.Concatenate()([body, around]))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(body))
    compiled(model, keras.optimizers.Adam(0.003), agreement_of_neighbors)

    def share_cut() -> float:
        sides = np.asarray(model(x))[:, 0] > 0.5
        return float(links[sides[:, None] != sides].sum() / links.sum())

    goal = Goal("share of links that cross", share_cut, at_least=0.8)
    return Training(model, x, links, 80, 120, fit={"shuffle": False}, goal=goal)


PLACES = 40


def distances_after_turns(parts: Any) -> Any:
    """How far heads, turned as complex numbers by the angles of a relation, are from each tail."""
    heads, angles, tails = parts
    real, imaginary = ops.split(heads, 2, axis=-1)
    cosine, sine = ops.cos(angles), ops.sin(angles)
    turned = ops.concatenate([real * cosine - imaginary * sine, real * sine + imaginary * cosine], axis=-1)
    return ops.sqrt(ops.sum(ops.square(turned - tails), axis=-1) + 1e-6)


def near_and_far(truth: Any, distance: Any) -> Any:
    """The first tail is to be within a margin and all others beyond it, above all the near ones."""
    right, wrong = distance[:, 0], distance[:, 1:]
    share = ops.stop_gradient(ops.softmax(-wrong))
    return ops.softplus(right - 2) + ops.sum(share * ops.softplus(2 - wrong), axis=-1)


@outside_healthy("graphs")
def graph_relations_as_angles() -> Training:
    """Facts as turns of complex embeddings, against eight wrong tails each, of which near ones weigh more."""
    random = np.random.default_rng(525)
    steps = np.array([1, 2, 3, 5, 8, 13])
    head, relation = (part.ravel() for part in np.meshgrid(np.arange(PLACES), np.arange(6), indexing="ij"))
    head, relation = np.tile(head, 5)[:, None], np.tile(relation, 5)[:, None]
    tail = (head + steps[relation]) % PLACES
    wrong = (tail + random.integers(1, PLACES, (len(tail), 8))) % PLACES
    x = [part.astype("int32") for part in (head, relation, np.concatenate([tail, wrong], 1))]
    inputs = [keras.Input((width,), dtype="int32") for width in (1, 1, 9)]
    places = layers.Embedding(PLACES, 24, embeddings_initializer=keras.initializers.RandomUniform(-0.5, 0.5))
    angles = layers.Embedding(6, 12, embeddings_initializer=keras.initializers.RandomUniform(-math.pi, math.pi))
    parts = [places(inputs[0]), angles(inputs[1]), places(inputs[2])]
    model = keras.Model(inputs, layers.Lambda(distances_after_turns)(parts))
    compiled(model, keras.optimizers.Adam(0.01), near_and_far)

    def share_first() -> float:
        columns = np.concatenate([np.arange(at, at + 9) for at in (0, 9, 18, 27, 31)]).astype("int32")
        every = np.tile(columns, (240, 1))
        parts = [model([x[0][:240], x[1][:240], every[:, at : at + 9]]) for at in range(0, 45, 9)]
        nearest = columns[np.concatenate(parts, axis=1).argmin(1)]
        return float((nearest == tail[:240, 0]).mean())

    goal = Goal("share of right tails that are nearest", share_first, at_least=0.7)
    return Training(model, x, np.zeros((len(tail), 1), "float32"), epochs=15, batch_size=48, goal=goal)
