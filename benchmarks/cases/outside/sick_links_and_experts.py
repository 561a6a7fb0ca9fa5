"""Programs on graphs and with experts whose parts are cut off, rectified away, mixed up, or all the same."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled, constant
from benchmarks.cases.outside.healthy_goals import class_entropy
from benchmarks.cases.outside.healthy_graphs import COMMUNITIES, NODES, citations, normalized

DAMAGE = (
    "stagnant_weights",
    "vanishing_gradient",
    "dead_units",
    "dormant_units",
    "no_gradient",
    "collapsed_layer",
    "poor_init",
    "learning_rate",
    "no_learning",
)
"""What goes with parts that learn nothing."""


def neighbors(links: Array, name: str) -> layers.Layer:
    return layers.Lambda(lambda values: ops.matmul(links, values), name=name)


@outside_sick(
    "dead_units",
    ["encoder_2"],
    family="graphs",
    source="https://github.com/fani-lab/OpeNTF/issues/349",
    accepted="ReLU after the last graph convolution makes nearly all embeddings zero; it belongs between layers only.",
    also=DAMAGE,
)
def teams_of_rectified_embeddings() -> Training:
    """Who belongs to which team, by products of embeddings that end in ReLU, so that most of them become zero."""
    random = np.random.default_rng(540)
    field = np.concatenate([random.integers(0, 5, 60), random.integers(0, 5, 90)])
    chance = np.where(field[:60, None] == field[60:], 0.3, 0.02)
    links = np.zeros((150, 150), "float32")
    links[:60, 60:] = random.random((60, 90)) < chance
    links += links.T
    spread = normalized(links)
    x = random.normal(0, 1, (150, 24)).astype("float32")
    inputs = layers.Input((24,), batch_size=150)
    body: Any = inputs
    for n, width in ((1, 32), (2, 16)):
        body = neighbors(spread, f"around_{n}")(body)
        body = layers.Dense(width, activation="relu", name=f"encoder_{n}")(body)
    pairs = layers.Lambda(lambda values: ops.matmul(values, ops.transpose(values)), name="pairs")(body)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model = compiled(keras.Model(inputs, pairs), keras.optimizers.Adam(0.01), loss)
    return Training(model, x, links, 80, 150, fit={"shuffle": False}, constant_loss=UNKNOWN)


class Attention(layers.Layer):
    """Shares of attention to neighbors, which are rows of links, and the sum of what these know."""

    def __init__(self, units: int, name: str) -> None:
        super().__init__(name=name)
        self.units = units

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[0][-1], self.units), initializer="glorot_uniform")
        self.scores = self.add_weight((self.units, 2), initializer="glorot_uniform")

    def call(self, parts: Any) -> Any:
        nodes, links = parts
        states = ops.matmul(nodes, self.kernel)
        own, other = ops.split(ops.matmul(states, self.scores), 2, axis=-1)
        scores = ops.leaky_relu(own + ops.transpose(other), negative_slope=0.2)
        return ops.matmul(ops.softmax(ops.where(links > 0, scores, -1e9)), states)


@outside_sick(
    "no_learning",
    [WHOLE],
    family="graphs",
    source="https://github.com/danielegrattarola/keras-gat/pull/3",
    accepted="The whole graph is one batch, whose rows fit shuffles but not the columns of the links; shuffle=False.",
    also=(*DAMAGE, "saturated_units", "exploding_gradient"),
)
def nodes_shuffled_against_their_links() -> Training:
    """Topics of papers by two layers of attention; in each epoch papers and rows of links are shuffled, not columns."""
    features, adjacency, community = citations()
    links = adjacency + np.eye(NODES, dtype="float32")
    nodes = layers.Input((24,), batch_size=NODES, name="nodes")
    given = layers.Input((NODES,), batch_size=NODES, name="links")
    body = layers.Activation("elu", name="elu")(Attention(16, "attention_1")([nodes, given]))
    body = Attention(COMMUNITIES, "attention_2")([body, given])
    model = compiled(keras.Model([nodes, given], body), keras.optimizers.Adam(0.005))
    return Training(model, [features, links], community, 60, NODES, constant_loss=class_entropy(community))


@outside_sick(
    "nonfinite",
    ["gravity"],
    family="graphs",
    source="https://github.com/deezer/gravity_graph_autoencoders/issues/4",
    accepted="The logarithm of the distance of two identical embeddings; a small number was added to its argument.",
    also=("nonfinite_loss", "nonfinite_data", "no_learning", "collapsed_layer"),
)
def pages_at_the_same_place() -> Training:
    """Links of pages as gravity, with the logarithm of the distance of two pages, of which three are empty."""
    features, adjacency, _ = citations()
    links = np.triu(adjacency)[:150, :150]
    features = features[:150].copy()
    empty = [20, 81, 140]
    features[empty] = links[empty] = links[:, empty] = 0
    spread = (links + links.T) / np.maximum((links + links.T).sum(1, keepdims=True), 1)
    inputs = layers.Input((24,), batch_size=150)
    body = layers.Dense(32, activation="relu", name="encoder_1")(neighbors(spread, "around_1")(inputs))
    body = layers.Dense(9, name="encoder_2")(neighbors(spread, "around_2")(body))

    def pull(places: Any) -> Any:
        apart = ops.sum(ops.square(places[:, None, 1:] - places[None, :, 1:]), axis=-1)
        return places[None, :, 0] - ops.log(apart + np.eye(150, dtype="float32"))

    model = keras.Model(inputs, layers.Lambda(pull, name="gravity")(body))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    compiled(model, keras.optimizers.Adam(0.01), loss)
    return Training(model, features, links, 40, 150, fit={"shuffle": False}, constant_loss=UNKNOWN)


class ChosenEdges(layers.Layer):
    """A mixture of the kinds of edges, by learned shares."""

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], 1), initializer=constant(0.1))

    def call(self, edges: Any) -> Any:
        return ops.matmul(edges, ops.softmax(self.kernel, axis=0))[..., 0]


class SparseProduct(layers.Layer):
    """The product of two matrices by a routine that knows no gradient."""

    def call(self, parts: Any) -> Any:
        product = tf.numpy_function(np.matmul, list(parts), tf.float32)
        product.set_shape(parts[0].shape)
        return product


@outside_sick(
    "no_gradient",
    ["edges_1", "edges_2"],
    family="graphs",
    source="https://github.com/seongjunyun/Graph_Transformer_Networks/issues/10",
    accepted="The sparse product of two adjacency matrices has no gradient in newer versions, so shares stay the same.",
    also=DAMAGE,
)
def kinds_of_edges_never_chosen() -> Training:
    """Paths of two edges out of four kinds, whose shares are to be learned, by a product without a gradient."""
    features, adjacency, community = citations()
    random = np.random.default_rng(541)
    kinds = [normalized(adjacency)]
    for _ in range(3):
        upper = np.triu(random.random((NODES, NODES)) < 0.02, 1)
        kinds.append(normalized((upper | upper.T).astype("float32")))
    nodes = layers.Input((24,), batch_size=NODES, name="nodes")
    edges = layers.Input((NODES, 4), batch_size=NODES, name="edges")
    chosen = [ChosenEdges(name=f"edges_{n}")(edges) for n in (1, 2)]
    paths = SparseProduct(name="paths")(chosen)
    body = layers.Dense(24, activation="relu", name="dense")(nodes)
    body = layers.Lambda(lambda both: ops.matmul(both[0], both[1]), name="around")([paths, body])
    model = keras.Model([nodes, edges], layers.Dense(COMMUNITIES, name="topic")(body))
    data = [features, np.stack(kinds, -1)]
    compiled(model, keras.optimizers.Adam(0.01))
    return Training(model, data, community.astype("int32"), 40, NODES, fit={"shuffle": False})


def mixed_rows(count: int = 1000) -> tuple[Array, Array]:
    """Eight columns, and a number that depends on them in one of two ways."""
    random = np.random.default_rng(542)
    x = random.normal(size=(count, 8)).astype("float32")
    y = np.where(x[:, 0] > 0, np.abs(x[:, 1]) - x[:, 2], x[:, 3] * x[:, 4]) + random.normal(0, 0.1, count)
    return x, y.astype("float32")[:, None]


@outside_sick(
    "collapsed_layer",
    ["share"],
    family="tabular",
    source="https://github.com/davidmrau/mixture-of-experts/issues/27",
    accepted="With one expert per row, softmax after the choice is over a single value, so the gate has no gradient.",
    also=DAMAGE,
)
def share_of_the_only_expert() -> Training:
    """The best of four experts is chosen for each row, and its share is the softmax over the scores that are left."""
    x, y = mixed_rows()
    inputs = layers.Input((8,))
    scores = layers.Dense(4, name="gate")(inputs)
    best = layers.Lambda(lambda value: ops.max(value, axis=-1, keepdims=True), name="best")(scores)
    share = layers.Softmax(name="share")(best)
    chosen = layers.Lambda(lambda value: ops.one_hot(ops.argmax(value, axis=-1), 4), name="chosen")(scores)
    answers = [layers.Dense(1, name=f"answer_{n}")(expert(inputs, n)) for n in range(4)]
    answer = layers.Dot(axes=-1, name="answer")([layers.Concatenate(name="answers")(answers), chosen])
    model = keras.Model(inputs, layers.Multiply(name="scaled")([answer, share]))
    return Training(compiled(model, keras.optimizers.Adam(0.003), "mse"), x, y, epochs=10)


def expert(inputs: Any, number: int) -> Any:
    return layers.Dense(16, activation="relu", name=f"expert_{number}")(inputs)


@outside_sick(
    "poor_init",
    ["expert_0", "expert_1", "expert_2", "tower_a", "tower_b", "gate_a", "gate_b"],
    family="tabular",
    source="https://github.com/PaddlePaddle/PaddleRec/issues/721",
    accepted="All weights start at the same constant, so all experts stay the same; the initializers were changed.",
    also=DAMAGE,
)
def experts_from_one_constant() -> Training:
    """Two questions about incomes by three experts, two gates and two towers, all of whose weights start at 0.1."""
    random = np.random.default_rng(543)
    x = random.normal(size=(1000, 12)).astype("float32")
    rich = (x[:, 0] + x[:, 1] * x[:, 2] > 0.3).astype("float32")[:, None]
    married = (x[:, 3] - np.abs(x[:, 4]) > -0.6).astype("float32")[:, None]
    start = {"kernel_initializer": constant(0.1), "bias_initializer": constant(0.1)}
    inputs = layers.Input((12,))
    experts = [layers.Dense(16, activation="relu", name=f"expert_{n}", **start)(inputs) for n in range(3)]
    together = layers.Lambda(lambda parts: ops.stack(parts, axis=1), name="experts")(experts)
    outputs = {}
    for task in ("a", "b"):
        gate = layers.Dense(3, activation="softmax", name=f"gate_{task}", **start)(inputs)
        mixed = layers.Dot(axes=1, name=f"mixed_{task}")([gate, together])
        tower = layers.Dense(8, activation="relu", name=f"tower_{task}", **start)(mixed)
        outputs[f"answer_{task}"] = layers.Dense(1, "sigmoid", name=f"answer_{task}", **start)(tower)
    model = keras.Model(inputs, outputs)
    compiled(model, "adam", dict.fromkeys(outputs, "binary_crossentropy"))
    gates = ("gate_a", "gate_b")
    return Training(model, x, {"answer_a": rich, "answer_b": married}, epochs=8, gates=gates, constant_loss=UNKNOWN)
