"""Programs whose layers get NaN or infinity: from the data, a division, a root, a logarithm or an exponential."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import BLOWN, UNKNOWN, Training, outside_sick
from benchmarks.cases.data import Array, digits, photo_patches, raw_table, waves, words
from benchmarks.cases.networks import compiled


@outside_sick(
    "nonfinite",
    ["dense_1"],
    family="tabular",
    source="https://github.com/keras-team/keras/issues/2134",
    accepted="Standardizing divides by a deviation of 0 and puts NaN into the inputs; add a small value to it.",
)
def standardized_constant_column() -> Training:
    """Some pixels never change, and their mean is subtracted and the rest divided by a deviation of 0."""
    x, y = digits(512)
    x = x.reshape(len(x), -1)
    with np.errstate(invalid="ignore"):
        x = (x - x.mean(0)) / x.std(0)
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, activation="tanh", name="dense_1"),
            layers.Dense(16, activation="tanh", name="dense_2"),
            layers.Dense(1, name="value"),
        ]
    )
    return Training(compiled(model, "rmsprop", "mse"), x.astype("float32"), y.astype("float32")[:, None])


def distance(pair: Any) -> Any:
    first, second = pair
    return ops.sqrt(ops.sum(ops.square(first - second), axis=1, keepdims=True))


@outside_sick(
    "nonfinite",
    ["embed_1", "embed_2", "distance"],
    family="vision",
    source="https://github.com/keras-team/keras/issues/9097",
    accepted="The root in the distance has no finite gradient where both inputs are the same picture.",
)
def siamese_pair_of_the_same_picture() -> Training:
    """A siamese network compares pictures by a Euclidean distance, and one pair is a picture with itself."""
    x, y = digits(512)
    flat = x.reshape(len(x), -1)
    other = np.random.default_rng(12).permutation(len(x))
    other[100] = 100
    same = (y == y[other]).astype("float32")[:, None]
    inputs = layers.Input((64,), name="left"), layers.Input((64,), name="right")
    first, second = layers.Dense(32, activation="relu", name="embed_1"), layers.Dense(16, name="embed_2")
    apart = layers.Lambda(distance, name="distance")([second(first(one)) for one in inputs])
    model = keras.Model(list(inputs), layers.Dense(1, activation="sigmoid", name="same")(apart))
    return Training(compiled(model, "rmsprop", "binary_crossentropy"), [flat, flat[other]], same)


@outside_sick(
    "nonfinite",
    ["middle", "error_point"],
    family="tabular",
    source="https://github.com/keras-team/keras/issues/13203",
    accepted="The root after ReLU is taken of exact zeros, where its gradient is infinite.",
)
def root_after_relu() -> Training:
    """The square root of the outputs of a ReLU layer, many of which are exactly 0."""
    random = np.random.default_rng(13)
    x = random.normal(size=(384, 6, 6)).astype("float32")
    y = np.abs(x).mean((1, 2))[:, None]
    inputs = layers.Input((6, 6), name="raw_image_left")
    body = layers.Dense(16, activation="relu", name="middle")(inputs)
    body = layers.Flatten(name="flatten")(body)
    body = layers.Lambda(ops.sqrt, name="error_point")(body)
    model = keras.Model(inputs, layers.Dense(1, name="output")(body))
    return Training(compiled(model, keras.optimizers.Adam(0.001), "mse"), x, y)


def first_crossentropy(truth: Any, guess: Any) -> Any:
    """Binary cross entropy by the formula, without bounds."""
    return -ops.mean(truth * ops.log(guess) + (1 - truth) * ops.log(1 - guess))


@outside_sick(
    "nonfinite",
    ["dense_1", "dense_2", "output"],
    family="tabular",
    source="https://www.it1352.com/1526058.html",
    accepted="A plain cross entropy takes the logarithm of 0 once the sigmoid gives exactly 0 or 1.",
    also=BLOWN,
)
def own_crossentropy_of_sure_sigmoid() -> Training:
    """Cross entropy written by the formula, for a sigmoid that the unscaled columns drive to exactly 0 and 1."""
    x, y = raw_table("breast_cancer")
    model = keras.Sequential(
        [
            layers.Input((30,)),
            layers.Dense(24, activation="relu", name="dense_1"),
            layers.Dense(12, activation="relu", name="dense_2"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )
    labels = y.astype("float32")[:, None]
    return Training(compiled(model, "adam", first_crossentropy), x, labels, constant_loss=UNKNOWN)


@outside_sick(
    "nonfinite",
    ["conv_1", "conv_2", "conv_3"],
    family="generative",
    source="https://github.com/keras-team/keras/issues/11832",
    accepted="The epsilon of 1e-7 is too small for float16; with 1e-4 the loss stays finite.",
    also=BLOWN,
)
def adam_epsilon_in_half_precision() -> Training:
    """A super-resolution network in float16: Adam divides by the root of a square that underflows, plus 1e-7."""
    keras.mixed_precision.set_dtype_policy("float16")
    x = photo_patches(384)
    model = keras.Sequential(
        [
            layers.Input((4, 4, 3)),
            layers.Conv2D(12, 3, padding="same", activation="relu", name="conv_1"),
            layers.UpSampling2D(name="enlarge"),
            layers.Conv2D(12, 3, padding="same", activation="relu", name="conv_2"),
            layers.Conv2D(3, 3, padding="same", name="conv_3"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.001, epsilon=1e-8), "mean_absolute_error")
    return Training(model, x[:, ::2, ::2], x, epochs=6, constant_loss=UNKNOWN)


class Sampling(layers.Layer):
    """Draws from a normal distribution of the given mean and log variance, and adds its divergence to the loss."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, inputs: Any) -> Any:
        mean, log_variance = inputs
        divergence = -0.5 * ops.sum(1 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=-1)
        self.add_loss(ops.mean(divergence))
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        return mean + ops.exp(0.5 * log_variance) * noise


@outside_sick(
    "nonfinite",
    ["encoder", "log_variance", "z"],
    family="generative",
    source="https://github.com/AppliedDataSciencePartners/WorldModels/issues/9",
    accepted="The divergence explodes and turns into NaN, since the exponential of the log variance overflows.",
    also=BLOWN,
)
def variance_overflows_the_exponential() -> Training:
    """A variational autoencoder of pixels from 0 to 255: the exponential of the first log variances overflows."""
    x = 255 * digits(512)[0].reshape(512, -1)
    inputs = layers.Input((64,))
    body = layers.Dense(32, activation="relu", name="encoder")(inputs)
    mean = layers.Dense(4, name="mean")(body)
    log_variance = layers.Dense(4, name="log_variance")(body)
    code = Sampling(name="z")([mean, log_variance])
    body = layers.Dense(32, activation="relu", name="decoder")(code)
    model = keras.Model(inputs, layers.Dense(64, name="rebuilt")(body))
    return Training(compiled(model, "rmsprop", "mse"), x, x, epochs=6)


def masked_error(truth: Any, guess: Any) -> Any:
    """Mean squared error over the steps whose target is known, 0 for sequences without any."""
    known = tf.cast(truth > -9, tf.float32)
    count = tf.reduce_sum(known, axis=1)
    total = tf.reduce_sum(known * tf.square(truth - guess), axis=1)
    return tf.reduce_mean(tf.where(count > 0, total / count, tf.zeros_like(count)))


@outside_sick(
    "nonfinite",
    ["conv_1", "conv_2", "forecast"],
    family="time_series",
    source="https://github.com/tensorflow/tensorflow/issues/20091",
    accepted="The branch that tf.where does not choose still divides by zero, and its gradient is NaN.",
)
def division_in_the_branch_not_taken() -> Training:
    """A masked loss guards a division by tf.where, and some sequences have no known step."""
    x, _ = waves(384, 13)
    inputs, targets = x[:, :-1], x[:, 1:].copy()
    targets[::40] = -10
    model = keras.Sequential(
        [
            layers.Input((12, 1)),
            layers.Conv1D(12, 3, padding="causal", activation="tanh", name="conv_1"),
            layers.Conv1D(12, 3, padding="causal", activation="tanh", name="conv_2"),
            layers.Conv1D(1, 1, name="forecast"),
        ]
    )
    return Training(compiled(model, "adam", masked_error), inputs, targets, constant_loss=UNKNOWN)


@outside_sick(
    "nonfinite",
    ["rnn", "output"],
    family="time_series",
    source="https://github.com/keras-team/keras/issues/15912",
    accepted="An exponential of an exponential of an exponential overflows after a few steps of the sequence.",
    also=BLOWN,
)
def exponential_recurrent_units() -> Training:
    """A simple recurrent layer with the exponential as its activation, over six steps."""
    random = np.random.default_rng(14)
    x = random.random((384, 6, 3)).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((6, 3)),
            layers.SimpleRNN(20, activation="exponential", name="rnn"),
            layers.Dense(1, name="output"),
        ]
    )
    return Training(compiled(model, "adam", "mse"), x, x.mean((1, 2))[:, None], epochs=5)


def percentage_error(truth: Any, guess: Any) -> Any:
    return 100 * ops.mean(ops.abs((truth - guess) / truth), axis=-1)


@outside_sick(
    "nonfinite",
    ["dense_1", "dense_2", "load"],
    family="time_series",
    source="https://github.com/keras-team/keras/pull/333",
    accepted="A target of 0 divides by zero in the percentage error and triggers NaN.",
)
def percentage_of_a_zero_load() -> Training:
    """Loads are forecast under an own percentage error, and some loads are 0."""
    random = np.random.default_rng(15)
    x = random.random((384, 8)).astype("float32")
    y = np.maximum(x.sum(1) - 3, 0).astype("float32")[:, None]
    model = keras.Sequential(
        [
            layers.Input((8,)),
            layers.Dense(24, activation="tanh", name="dense_1"),
            layers.Dense(12, activation="tanh", name="dense_2"),
            layers.Dense(1, name="load"),
        ]
    )
    return Training(compiled(model, "adam", percentage_error), x, y, constant_loss=UNKNOWN)


def mined_triplets(labels: Any, embedded: Any) -> Any:
    """A triplet loss that is divided by the number of positive pairs of the batch."""
    labels = tf.reshape(labels, [-1, 1])
    apart = tf.reduce_sum(tf.square(embedded[:, None] - embedded[None]), -1)
    size = tf.shape(labels)[0]
    positive = tf.cast(tf.equal(labels, tf.transpose(labels)), tf.float32) - tf.eye(size)
    negative = 1 - positive - tf.eye(size)
    hardest = tf.reduce_min(apart + 1e3 * (1 - negative), 1, keepdims=True)
    return tf.reduce_sum(tf.maximum(positive * (apart - hardest + 1), 0)) / tf.reduce_sum(positive)


@outside_sick(
    "nonfinite",
    ["dense", "embedding"],
    family="vision",
    source="https://github.com/tensorflow/addons/issues/2447",
    accepted="A batch without two samples of one class has no positive pair, and the loss divides by their number.",
)
def batch_without_positive_pairs() -> Training:
    """A triplet loss with small batches: in some of them no two pictures show the same digit."""
    x, y = digits(256)
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(24, activation="tanh", name="dense"),
            layers.Dense(8, name="embedding"),
        ]
    )
    compiled(model, "adam", mined_triplets)
    flat, labels = x.reshape(len(x), -1), y.astype("float32")
    return Training(model, flat, labels, epochs=3, batch_size=4, constant_loss=UNKNOWN)


@outside_sick(
    "nonfinite",
    ["weights"],
    family="text",
    source="https://github.com/pytorch/pytorch/issues/24816",
    accepted="A sequence of padding only masks every position, and the softmax over them is NaN.",
)
def attention_over_padding_only() -> Training:
    """Attention masks padded words by minus infinity, and one text consists of padding alone."""
    x, y = words(512)
    x = x + 1
    x[:, 9:] = 0
    x[200] = 0
    inputs = layers.Input((12,), dtype="int32")
    seen = layers.Embedding(61, 16, name="embedding")(inputs)
    scores = layers.Dense(1, name="scores")(seen)
    masked = layers.Lambda(lambda pair: tf.where(pair[1][..., None] > 0, pair[0], -np.inf), name="mask")
    weights = layers.Softmax(axis=1, name="weights")(masked([scores, inputs]))
    body = layers.Lambda(lambda pair: ops.sum(pair[0] * pair[1], axis=1), name="context")([weights, seen])
    model = keras.Model(inputs, layers.Dense(2, name="logits")(body))
    return Training(compiled(model), x, y, epochs=5)


def signed_graphs(count: int = 256, nodes: int = 8) -> tuple[Array, Array, Array]:
    """Features and edges of small graphs, some edges negative, and whether the graph is dense."""
    random = np.random.default_rng(16)
    share = random.uniform(0.2, 0.7, (count, 1, 1))
    edges = np.triu(random.random((count, nodes, nodes)) < share, 1) * random.choice(
        [1, 1, 1, -1], (count, nodes, nodes)
    )
    edges = edges + edges.transpose(0, 2, 1) + np.eye(nodes)
    features = random.normal(size=(count, nodes, 4))
    return features.astype("float32"), edges.astype("float32"), (share.ravel() > 0.45).astype("int32")


def normalized(edges: Any) -> Any:
    """Edges divided by the roots of the degrees of both ends."""
    scale = 1 / ops.sqrt(ops.sum(edges, -1))
    return scale[:, :, None] * edges * scale[:, None]


@outside_sick(
    "nonfinite",
    ["normalized_edges"],
    family="graphs",
    source="https://github.com/tkipf/keras-gcn/issues/39",
    accepted="With negative entries in the adjacency matrix the constants of its normalization can become 0.",
)
def graph_with_negative_edges() -> Training:
    """A graph network divides edges by roots of degrees, which negative edges make zero or negative."""
    features, edges, y = signed_graphs()
    nodes, links = layers.Input((8, 4), name="nodes"), layers.Input((8, 8), name="links")
    spread = layers.Lambda(normalized, name="normalized_edges")(links)
    body = nodes
    for n in range(2):
        body = layers.Dense(12, name=f"gcn_{n}")(body)
        body = layers.Lambda(lambda pair: ops.tanh(ops.matmul(pair[0], pair[1])), name=f"sum_{n}")([spread, body])
    body = layers.GlobalAveragePooling1D(name="pool")(body)
    model = keras.Model([nodes, links], layers.Dense(2, name="logits")(body))
    return Training(compiled(model), [features, edges], y, epochs=5)
