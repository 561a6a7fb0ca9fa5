"""Healthy programs for small generated graphs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.outside.healthy_goals import accuracy, class_entropy

NODES, COMMUNITIES = 240, 4


def citations() -> tuple[Array, Array, Array]:
    """Features `[nodes, 24]`, a symmetric adjacency matrix and the community of each node."""
    random = np.random.default_rng(31)
    community = random.integers(0, COMMUNITIES, NODES)
    is_same = community[:, None] == community[None]
    upper = np.triu(random.random((NODES, NODES)) < np.where(is_same, 0.06, 0.006), 1)
    typical = random.random((COMMUNITIES, 24)) < 0.25
    features = random.random((NODES, 24)) < np.where(typical[community], 0.35, 0.12)
    return features.astype("float32"), (upper | upper.T).astype("float32"), community


def normalized(adjacency: Array) -> Array:
    """With loops, divided by the roots of both degrees."""
    looped = adjacency + np.eye(len(adjacency), dtype="float32")
    root = np.sqrt(looped.sum(1))
    return np.asarray(looped / root[:, None] / root[None], "float32")


class GraphConvolution(layers.Layer):
    """Averages neighbors, then a dense layer."""

    def __init__(self, units: int, adjacency: Array, activation: str | None = None) -> None:
        super().__init__()
        self.adjacency = ops.convert_to_tensor(adjacency)
        self.dense = layers.Dense(units, use_bias=False)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Any) -> None:
        self.dense.build(input_shape)

    def call(self, features: Any) -> Any:
        return self.activation(ops.matmul(self.adjacency, self.dense(features)))


@outside_healthy("graphs")
def graph_convolutions() -> Training:
    """Topics of papers with graph convolutions: the whole graph is one batch, and a third of the nodes have labels."""
    features, adjacency, community = citations()
    adjacency = normalized(adjacency)
    is_labeled = (np.random.default_rng(32).random(NODES) < 0.35).astype("float32")
    inputs = keras.Input((24,), batch_size=NODES)
    body = GraphConvolution(16, adjacency, "relu")(layers.Dropout(0.3)(inputs))
    outputs = GraphConvolution(COMMUNITIES, adjacency)(layers.Dropout(0.3)(body))
    model = keras.Model(inputs, outputs)
    model.compile(
        optimizer=keras.optimizers.Adam(0.02),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=["accuracy"],
        jit_compile=False,
    )
    options = {"sample_weight": is_labeled, "shuffle": False}
    return Training(model, features, community, epochs=60, batch_size=NODES, fit=options)


class GraphAttention(layers.Layer):
    """Attention of each node over its neighbors, several heads side by side."""

    def __init__(self, units: int, heads: int, adjacency: Array) -> None:
        super().__init__()
        self.units, self.heads = units, heads
        looped = adjacency + np.eye(len(adjacency), dtype="float32")
        self.hidden_pairs = ops.convert_to_tensor((1e9 * (looped - 1)).astype("float32"))

    def build(self, input_shape: Any) -> None:
        shape = (input_shape[-1], self.heads, self.units)
        self.kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="kernel")
        self.sender = self.add_weight(shape=(self.heads, self.units), initializer="glorot_uniform", name="sender")
        self.receiver = self.add_weight(shape=(self.heads, self.units), initializer="glorot_uniform", name="receiver")

    def call(self, features: Any) -> Any:
        states = ops.einsum("nf,fhu->nhu", features, self.kernel)
        sent = ops.sum(states * self.sender, -1)
        received = ops.sum(states * self.receiver, -1)
        scores = ops.leaky_relu(received[:, None] + sent[None], negative_slope=0.2)
        shares = ops.softmax(scores + self.hidden_pairs[..., None], axis=1)
        return ops.reshape(ops.einsum("nmh,mhu->nhu", shares, states), (-1, self.heads * self.units))


@outside_healthy("graphs")
def graph_attention() -> Training:
    """Graph attention with skip connections; attention to all but a few nodes is exactly zero."""
    features, adjacency, community = citations()
    inputs = keras.Input((24,), batch_size=NODES)
    body = layers.Dense(24, activation="relu")(inputs)
    for _ in range(2):
        body = layers.Add()([body, layers.Activation("elu")(GraphAttention(8, 3, adjacency)(body))])
    model = keras.Model(inputs, layers.Dense(COMMUNITIES)(body))
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=keras.optimizers.SGD(0.2, momentum=0.9, clipnorm=1.0),
        metrics=["acc"],
        jit_compile=False,
    )
    return Training(model, features, community, epochs=50, batch_size=NODES, fit={"shuffle": False})


def molecules(count: int = 400, atoms: int = 8) -> tuple[list[Array], Array]:
    """Padded graphs: kinds of atoms `[count, atoms, 4]` and bonds; whether bonds of unequal atoms prevail."""
    random = np.random.default_rng(33)
    sizes = random.integers(5, atoms + 1, (count, 1))
    is_atom = np.arange(atoms) < sizes
    kinds = np.where(is_atom, random.integers(1, 4, (count, atoms)), 0)
    same = kinds[:, :, None] == kinds[:, None]
    lean = random.uniform(0, 1, (count, 1, 1))
    chance = np.where(same, 0.55 * lean, 0.4 * (1 - lean))
    upper = np.triu(random.random((count, atoms, atoms)) < chance, 1) & is_atom[:, :, None] & is_atom[:, None]
    bonds = upper | upper.transpose(0, 2, 1)
    y = (bonds & ~same).sum((1, 2)) > (bonds & same).sum((1, 2))
    one_hot = np.eye(4, dtype="float32")[kinds] * is_atom[..., None]
    return [one_hot, bonds.astype("float32")], y.astype("float32")[:, None]


class MessagePassing(layers.Layer):
    """Sends messages along bonds and updates atoms with a gated recurrent unit, with the same weights each time."""

    def __init__(self, units: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.message = layers.Dense(units)
        self.update_step = layers.GRUCell(units)

    def build(self, shapes: Any) -> None:
        self.message.build(shapes[0])
        self.update_step.build((None, shapes[0][-1]))

    def call(self, inputs: Any) -> Any:
        states, bonds = inputs
        width = states.shape[-1]
        for _ in range(self.steps):
            messages = ops.reshape(ops.matmul(bonds, self.message(states)), (-1, width))
            updated, _ = self.update_step(messages, [ops.reshape(states, (-1, width))])
            states = ops.reshape(updated, ops.shape(states))
        return states


@outside_healthy("graphs")
def graph_message_passing() -> Training:
    """A property of molecules with message passing on padded graphs; padding atoms carry nothing."""
    x, y = molecules()
    atoms, bonds = keras.Input((8, 4)), keras.Input((8, 8))
    states = layers.Dense(24, activation="tanh")(atoms)
    states = MessagePassing(24, 3)([states, bonds])
    pooled = layers.GlobalAveragePooling1D()(states)
    pooled = layers.Dense(32, activation="relu")(pooled)
    model = keras.Model([atoms, bonds], layers.Dense(1, activation="sigmoid")(pooled))
    model.compile(
        loss=keras.losses.BinaryCrossentropy(),
        optimizer=keras.optimizers.Adam(learning_rate=5e-3),
        metrics=[keras.metrics.AUC(name="AUC")],
        jit_compile=False,
    )
    return Training(model, x, y, epochs=10, fit={"class_weight": {0: 1.0, 1: 1.2}})


def create_ffn(hidden_units: list[int], dropout_rate: float) -> keras.Sequential:
    """Dense GELU layers, each after batch normalization and dropout."""
    fnn_layers = []
    for units in hidden_units:
        fnn_layers += [layers.BatchNormalization(momentum=0.9), layers.Dropout(dropout_rate)]
        fnn_layers.append(layers.Dense(units, activation=tf.nn.gelu))
    return keras.Sequential(fnn_layers)


class GNNNodeClassifier(keras.Model):
    """Classifies nodes by their number: the graph is part of the model."""

    def __init__(self, features: Array, edges: Array, num_classes: int, units: int) -> None:
        super().__init__()
        self.node_features = tf.constant(features)
        self.edges = tf.constant(edges, "int32")
        self.preprocess = create_ffn([units, units], 0.2)
        self.prepare = create_ffn([units], 0.2)
        self.update_nodes = create_ffn([units], 0.2)
        self.compute_logits = layers.Dense(units=num_classes, name="logits")

    def call(self, node_numbers: Any, training: bool = False) -> Any:
        x = self.preprocess(self.node_features, training=training)
        messages = self.prepare(tf.gather(x, self.edges[1]), training=training)
        gathered = tf.math.unsorted_segment_mean(messages, self.edges[0], num_segments=len(self.node_features))
        x = x + self.update_nodes(tf.concat([x, gathered], axis=1), training=training)
        return self.compute_logits(tf.gather(x, node_numbers))


@outside_healthy("graphs")
def graph_nodes_by_number() -> Training:
    """Nodes by number with gather and segment sums in a subclassed model: every batch runs through the whole graph."""
    features, adjacency, community = citations()
    model = GNNNodeClassifier(features, np.stack(np.nonzero(adjacency)), COMMUNITIES, 24)
    model.compile(
        optimizer=keras.optimizers.Adam(0.005),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
        jit_compile=False,
    )
    numbers = np.arange(NODES, dtype="int32")
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=20, restore_best_weights=True)
    goal = accuracy(model, numbers, community, 0.75)
    return Training(model, numbers, community, epochs=8, batch_size=40, fit={"callbacks": [stop]}, goal=goal)


@outside_healthy("graphs")
def graph_node_embeddings() -> Training:
    """Embeddings of nodes from random walks and negative pairs; rows of nodes with few neighbors change rarely."""
    _, adjacency, _ = citations()
    random = np.random.default_rng(34)
    chance = (adjacency + 1e-9) / (adjacency + 1e-9).sum(1, keepdims=True)
    walk = np.zeros((NODES, 6), int)
    walk[:, 0] = np.arange(NODES)
    for at in range(1, 6):
        walk[:, at] = (random.random((NODES, 1)) < chance[walk[:, at - 1]].cumsum(1)).argmax(1)
    near = np.concatenate([walk[:, [at, at + gap]] for gap in (1, 2) for at in range(6 - gap)])
    far = np.stack([near[:, 0], random.integers(0, NODES, len(near))], 1)
    pairs, y = np.concatenate([near, far]), np.repeat([1.0, 0.0], len(near)).astype("float32")
    inputs = {
        "target": keras.Input((), name="target", dtype="int32"),
        "context": keras.Input((), name="context", dtype="int32"),
    }
    embed = layers.Embedding(
        NODES, 16, embeddings_initializer="he_normal", embeddings_regularizer=keras.regularizers.l2(1e-6), name="nodes"
    )
    logits = layers.Dot(axes=1, normalize=False)([embed(inputs["target"]), embed(inputs["context"])])
    model = keras.Model(inputs=inputs, outputs=logits)
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    x = {"target": pairs[:, 0].astype("int32"), "context": pairs[:, 1].astype("int32")}
    return Training(model, x, y[:, None], epochs=6, batch_size=128)


class LinkPredictor(keras.Model):
    """Encodes all nodes and scores pairs by the product of their codes."""

    def __init__(self, features: Array, adjacency: Array) -> None:
        super().__init__()
        self.features = ops.convert_to_tensor(features)
        self.first = GraphConvolution(32, adjacency, "relu")
        self.second = GraphConvolution(16, adjacency)

    def call(self, pairs: Any) -> Any:
        codes = self.second(self.first(self.features))
        return ops.sum(ops.take(codes, pairs[:, 0], axis=0) * ops.take(codes, pairs[:, 1], axis=0), axis=1)

    def train_step(self, pairs: Any) -> dict[str, Any]:
        count = ops.shape(pairs)[0]
        strangers = ops.roll(pairs[:, 1], 1, axis=0)
        both = ops.concatenate([pairs, ops.stack([pairs[:, 0], strangers], 1)], 0)
        labels = ops.concatenate([ops.ones((count,)), ops.zeros((count,))], 0)
        with tf.GradientTape() as tape:
            loss = ops.mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, self(both, training=True)))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@outside_healthy("graphs")
def graph_link_prediction() -> Training:
    """Missing links with a graph autoencoder; pairs of strangers are drawn within each batch, some of them wrongly."""
    features, adjacency, _ = citations()
    pairs = np.argwhere(np.triu(adjacency) > 0).astype("int32")
    model = LinkPredictor(features, normalized(adjacency))
    model(pairs[:2])
    model.compile(optimizer=keras.optimizers.Adam(0.005), jit_compile=False)
    random = np.random.default_rng(35)
    strangers = random.integers(0, NODES, pairs.shape).astype("int32")

    def ranked() -> float:
        linked, unlinked = np.asarray(model(pairs)), np.asarray(model(strangers))
        return float((linked[:, None] > unlinked[None]).mean())

    return Training(model, pairs, None, epochs=10, goal=Goal("area under the curve", ranked, at_least=0.8))


class IsomorphismLayer(layers.Layer):
    """Adds up neighbors and the node itself, which counts more or less, and applies two dense layers."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.inner = layers.Dense(units, activation="relu")
        self.outer = layers.Dense(units, activation="relu")

    def build(self, shapes: Any) -> None:
        self.epsilon = self.add_weight(shape=(), initializer="zeros", name="epsilon")
        self.inner.build(shapes[0])
        self.outer.build((*shapes[0][:-1], self.inner.units))

    def call(self, inputs: Any) -> Any:
        states, bonds = inputs
        return self.outer(self.inner((1 + self.epsilon) * states + ops.matmul(bonds, states)))


@outside_healthy("graphs")
def graph_isomorphism_network() -> Training:
    """Classes of whole graphs from sums over nodes, so that outputs grow with every layer."""
    x, y = molecules()
    atoms, bonds = keras.Input((8, 4)), keras.Input((8, 8))
    states, pooled = atoms, []
    for _ in range(2):
        states = IsomorphismLayer(24)([states, bonds])
        pooled.append(layers.Lambda(lambda value: ops.sum(value, axis=1) / 8)(states))
    body = layers.Dropout(0.2)(layers.Dense(24, activation="relu")(layers.concatenate(pooled)))
    model = keras.Model([atoms, bonds], layers.Dense(2)(body))
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=keras.optimizers.Adamax(0.01),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return Training(model, x, y, epochs=10, constant_loss=class_entropy(y), views=(View(model, x, y),))


class TransformNet(layers.Layer):
    """Learns a matrix for each cloud and applies it; it starts as the identity."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.inner = layers.Dense(16, activation="relu")
        self.matrix = layers.Dense(
            size * size,
            kernel_initializer="zeros",
            bias_initializer=lambda shape, dtype=None: ops.reshape(ops.eye(size), shape),
        )

    def build(self, input_shape: Any) -> None:
        self.inner.build(input_shape)
        self.matrix.build((None, 16))

    def call(self, points: Any) -> Any:
        matrix = ops.reshape(self.matrix(ops.max(self.inner(points), axis=1)), (-1, self.size, self.size))
        return ops.matmul(points, matrix)


@outside_healthy("graphs")
def graph_point_clouds() -> Training:
    """Point clouds as in PointNet: the transform starts as the identity with weights of zero."""
    random = np.random.default_rng(36)
    y = random.integers(0, 3, 420)
    points = random.normal(size=(420, 24, 3))
    radius = np.linalg.norm(points, axis=-1, keepdims=True)
    ball, cube = points / radius, np.clip(2 * points, -0.8, 0.8)
    stick = points * np.array([1.2, 0.15, 0.15])
    x = np.select([y[:, None, None] == 0, y[:, None, None] == 1], [ball, cube], stick).astype("float32")
    inputs = keras.Input(shape=(24, 3))
    body = TransformNet(3)(inputs)
    for filters in (16, 32):
        body = layers.Conv1D(filters, kernel_size=1, padding="valid")(body)
        body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
    body = layers.Dense(24, activation="relu")(layers.GlobalMaxPooling1D()(body))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Dropout(0.3)(body)))
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=keras.optimizers.Adam(learning_rate=0.003),
        metrics=["sparse_categorical_accuracy"],
        jit_compile=False,
    )
    return Training(model, x, y, epochs=8)
