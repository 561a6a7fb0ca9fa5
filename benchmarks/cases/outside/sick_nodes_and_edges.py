"""Programs on graphs: lonely nodes, scores without bounds, layers that are left out of the training."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.partly_trained import PartlyTrained, trained_in_part

LOST = ("nonfinite_loss", "nonfinite_data", "no_learning", "collapsed_layer")
"""What goes with values that are not finite."""


def citations(count: int = 150, lonely: int = 4) -> tuple[Array, Array, Array]:
    """Words of papers, citations between papers of the same topic, and the topic; the last papers cite nothing."""
    random = np.random.default_rng(230)
    y = random.integers(0, 3, count)
    chance = np.where(y[:, None] == y, 0.1, 0.01)
    edges = np.triu(random.random((count, count)) < chance, 1)
    edges = (edges | edges.T).astype("float32")
    edges[count - lonely :] = edges[:, count - lonely :] = 0
    words = random.random((count, 24)) < 0.08 + 0.3 * (np.arange(24) % 3 == y[:, None])
    return words.astype("float32"), edges, y.astype("int32")


@outside_sick(
    "nonfinite",
    ["neighbors_1"],
    family="graphs",
    source="https://github.com/BorealisAI/SLAPS-GNN/issues/3",
    accepted="Some nodes have no connections, so that dividing by their degrees gave NaN; a small number fixed it.",
    also=LOST,
)
def edges_divided_by_degrees() -> Training:
    """Edges are divided by the roots of both degrees before training, and four papers have no edge."""
    x, edges, y = citations()
    degree = edges.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = edges / np.sqrt(degree[:, None] * degree)
    inputs, given = layers.Input((24,), name="words"), layers.Input((len(y),), name="edges")
    body: Any = inputs
    for n in (1, 2):
        body = layers.Dense(16, activation="relu", name=f"dense_{n}")(body)
        body = layers.Lambda(lambda both: ops.matmul(both[1], both[0]), name=f"neighbors_{n}")([body, given])
    model = keras.Model([inputs, given], layers.Dense(3, name="topic")(body))
    data = [x, scaled.astype("float32")]
    model = compiled(model, keras.optimizers.Adam(0.02))
    return Training(model, data, y, epochs=20, batch_size=len(y), fit={"shuffle": False})


@outside_sick(
    "nonfinite",
    ["unit_length"],
    family="graphs",
    source="https://github.com/neo4j/graph-data-science/issues/94",
    accepted="Dividing embeddings by their length is a division by zero where an embedding is all zeros.",
    also=LOST,
)
def embeddings_without_length() -> Training:
    """Embeddings of nodes are divided by their length; a node without features and neighbors has none."""
    x, edges, y = citations()
    x = x.copy()
    x[-2:] = 0
    inputs = layers.Input((24,))
    around = layers.Lambda(lambda value: ops.matmul(edges, value), name="neighbors")(inputs)
    body = layers.Concatenate(name="both")([inputs, around])
    body = layers.Dense(16, activation="relu", name="aggregate")(body)
    body = layers.Lambda(lambda value: value / ops.norm(value, axis=-1, keepdims=True), name="unit_length")(body)
    model = keras.Model(inputs, layers.Dense(3, name="topic")(body))
    return Training(compiled(model), x, y, epochs=6, batch_size=len(y), fit={"shuffle": False})


def purchases(count: int = 640) -> tuple[list[Array], Array]:
    """Counts of what users and buyers of items looked at, how popular the item is, and whether it was bought."""
    random = np.random.default_rng(231)
    users, items = random.poisson(3, (2, count, 24)).astype("float32")
    popular = random.random((count, 1)).astype("float32")
    score = ((users[:, :6] - 3) * (items[:, :6] - 3)).sum(1, keepdims=True) + 12 * (popular - 0.5)
    return [users, items, popular], (score > 0).astype("float32")


@outside_sick(
    "saturated_units",
    ["personal"],
    family="graphs",
    source="https://github.com/Stevenn9981/PPAC/issues/2",
    accepted="The product of embeddings without bounds pushes the sigmoid where its gradient is zero; normalize them.",
    also=("vanishing_gradient", "stagnant_weights", "collapsed_layer", "no_gradient"),
)
def products_into_a_sigmoid() -> Training:
    """Links of users and items: the product of their embeddings, squashed by a sigmoid, and the popularity."""
    x, y = purchases()
    users, items, popular = (layers.Input((width,), name=name) for name, width in (("u", 24), ("i", 24), ("p", 1)))
    embedded = []
    for name, given in (("user", users), ("item", items)):
        body = layers.Dense(64, activation="relu", name=f"{name}_1")(given)
        embedded.append(layers.Dense(64, activation="relu", name=f"{name}_2")(body))
    product = layers.Dot(axes=-1, name="product")(embedded)
    personal = layers.Activation("sigmoid", name="personal")(product)
    body = layers.Concatenate(name="scores")([personal, popular])
    model = keras.Model([users, items, popular], layers.Dense(1, activation="sigmoid", name="bought")(body))
    return Training(compiled(model, keras.optimizers.SGD(0.1), "binary_crossentropy"), x, y, epochs=10)


@outside_sick(
    "stagnant_weights",
    ["inner_1", "inner_2"],
    family="graphs",
    source="https://github.com/keiserlab/keras-neural-graph-fingerprint/issues/2",
    accepted="The inner layers' weights are not stored among the trainable weights, so these layers do not learn.",
    also=("dormant_units", "saturated_units"),
)
def fingerprints_without_inner_layers() -> Training:
    """Topics by sums over neighbors; the training only knows the weights of the layers that write the fingerprint."""
    x, edges, y = citations(lonely=0)
    inputs = layers.Input((24,))
    body: Any = inputs
    written = []
    for n in (1, 2):
        body = layers.Lambda(lambda value: value + ops.matmul(edges, value), name=f"sum_{n}")(body)
        body = layers.Dense(24, activation="tanh", name=f"inner_{n}")(body)
        written.append(layers.Dense(6, activation="softmax", name=f"write_{n}")(body))
    fingerprint = layers.Add(name="fingerprint")(written)
    model = PartlyTrained(inputs, layers.Dense(3, name="topic")(fingerprint))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained_in_part(model, keras.optimizers.Adam(0.02), loss, "write_1", "write_2", "topic")
    return Training(model, x, y, epochs=30, batch_size=len(y), fit={"shuffle": False})


def squared_distance(truth: Any, guess: Any) -> Any:
    """Squared distance of two rows of a matrix."""
    return ops.sum(ops.square(truth - guess), -1)


@outside_sick(
    "exploding_gradient",
    ["left", "right"],
    family="graphs",
    source="https://github.com/benedekrozemberczki/AttentionWalk/pull/10",
    accepted="Without normalizing the adjacency matrix its powers make the loss extremely big; normalizing helps.",
    also=("nonfinite", "stagnant_weights", "collapsed_layer", "poor_init", "vanishing_gradient", "no_gradient"),
)
def powers_of_raw_edges() -> Training:
    """Embeddings of nodes from the sum of the first four powers of the edges, which are as large as walks are many."""
    _, edges, _ = citations(lonely=0)
    powers = [np.linalg.matrix_power(edges.astype("float64"), n) for n in range(1, 5)]
    y = np.sum(powers, axis=0).astype("float32")
    constant = float(y.var(0).sum())
    nodes = np.arange(len(y), dtype="int32")[:, None]
    inputs = layers.Input((1,), dtype="int32")
    body = layers.Embedding(len(y), 16, name="left")(inputs)
    body = layers.Flatten(name="flatten")(body)
    model = keras.Model(inputs, layers.Dense(len(y), use_bias=False, name="right")(body))
    return Training(
        compiled(model, keras.optimizers.SGD(0.03), squared_distance), nodes, y, epochs=20, constant_loss=constant
    )
