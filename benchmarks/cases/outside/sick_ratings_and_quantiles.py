"""Programs on sequences and graphs: ratings too faint to learn, quantiles in leaps, products of chances, zero nodes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled, normal
from benchmarks.cases.outside.healthy_goals import class_entropy
from benchmarks.cases.outside.healthy_pools_and_hindsight import random_graphs
from benchmarks.cases.outside.sick_priors_and_patients import HURT


class ByRating(layers.Layer):
    """For each person of a pair the mean over what that person has rated, with a kernel for each rating."""

    def __init__(self, units: int, links: Array, name: str) -> None:
        super().__init__(name=name)
        self.units, self.links = units, links

    def build(self, _: Any) -> None:
        shape = (self.links.shape[0], self.links.shape[2], self.units)
        self.kernel = self.add_weight(shape, initializer=normal(0.01), name="kernel")

    def call(self, numbers: Any) -> Any:
        links = ops.take(ops.convert_to_tensor(self.links), numbers, axis=1)
        return ops.relu(ops.einsum("rbn,rnu->bu", links, self.kernel))


class Ratings(layers.Layer):
    """Scores of five ratings, each by its own matrix between both vectors."""

    def build(self, shapes: Any) -> None:
        shape = (5, shapes[0][-1], shapes[1][-1])
        self.matrices = self.add_weight(shape, initializer=normal(0.02), name="matrices")

    def call(self, both: Any) -> Any:
        return ops.einsum("bi,rij,bj->br", both[0], self.matrices, both[1])


@outside_sick(
    "vanishing_gradient",
    ["user_graph", "item_graph", "user_dense", "item_dense", "ratings"],
    family="graphs",
    source="https://github.com/tanimutomo/gcmc/issues/12",
    accepted="The gradient is tiny from the start; batch normalization in graph and dense layers made it learn.",
    also=HURT,
)
def ratings_too_faint_to_learn() -> Training:
    """Ratings by graph convolutions over users and films, dense layers and one matrix for each rating, with SGD."""
    random = np.random.default_rng(1251)
    taste, kind = random.normal(0, 1, (100, 3)), random.normal(0, 1, (80, 3))
    rating = np.clip(np.round(2 + taste @ kind.T * 0.8), 0, 4).astype(int)
    is_known = random.random((100, 80)) < 0.3
    links = np.stack([(rating == value) & is_known for value in range(5)]).astype("float32")
    degrees = np.sqrt(is_known.sum(1)[:, None] * is_known.sum(0)[None])
    links /= degrees
    user, item = (part.astype("int32") for part in is_known.nonzero())
    inputs = [layers.Input((), dtype="int32"), layers.Input((), dtype="int32")]
    graphs = (ByRating(64, links, name="user_graph"), ByRating(64, links.transpose(0, 2, 1), name="item_graph"))
    vectors = [
        layers.Dense(48, activation="relu", kernel_initializer=normal(0.05), use_bias=False, name=f"{who}_dense")(
            layers.Dropout(0.7, name=f"{who}_dropout")(graph(numbers))
        )
        for who, graph, numbers in zip(("user", "item"), graphs, inputs, strict=True)
    ]
    model = keras.Model(inputs, Ratings(name="ratings")(vectors))
    compiled(model, keras.optimizers.SGD(0.05))
    y = rating[user, item].astype("int32")
    return Training(model, [user, item], y, epochs=6, batch_size=64, constant_loss=class_entropy(y))


def pinball(truth: Any, quantiles: Any) -> Any:
    """The loss of three quantiles of each of six hours."""
    shares = ops.convert_to_tensor([0.1, 0.5, 0.9])
    missing = truth[..., None] - ops.reshape(quantiles, (-1, 6, 3))
    return ops.mean(ops.maximum(shares * missing, (shares - 1) * missing), axis=(1, 2))


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="time_series",
    source="https://github.com/sktime/pytorch-forecasting/issues/344",
    accepted="A straight line as a forecast: the rate from the finder, 1.23, is so high that it overshoots.",
    also=HURT,
)
def quantiles_in_leaps() -> Training:
    """Quantiles of demand by an LSTM, gated residuals and attention; Adam has the rate that a finder found, 1.23."""
    random = np.random.default_rng(1252)
    time = np.arange(30)[None] + random.integers(0, 24, (640, 1))
    demand = np.sin(time * np.pi / 12) * random.uniform(0.5, 1.5, (640, 1)) + random.normal(0, 0.2, time.shape)
    clock = np.stack([np.sin(time * np.pi / 12), np.cos(time * np.pi / 12)], -1)
    x = np.concatenate([demand[:, :24, None], clock[:, :24]], -1).astype("float32")
    y = demand[:, 24:].astype("float32")
    inputs = layers.Input((24, 3))
    body = layers.Dense(128, name="columns")(inputs)
    body = layers.LSTM(128, return_sequences=True, name="lstm")(body)
    inside = layers.Dense(128, activation="elu", name="inside")(body)
    gate = layers.Dense(128, activation="sigmoid", name="gate")(inside)
    given = layers.Multiply(name="gated")([layers.Dense(128, name="value")(inside), gate])
    body = layers.LayerNormalization(name="norm_1")(layers.Add(name="add_1")([body, given]))
    seen = layers.MultiHeadAttention(2, 64, name="attention")(body, body)
    body = layers.LayerNormalization(name="norm_2")(layers.Add(name="add_2")([body, seen]))
    body = layers.Lambda(lambda values: values[:, -1], name="last")(layers.Dropout(0.3, name="dropout")(body))
    model = keras.Model(inputs, layers.Dense(18, name="quantiles")(body))
    compiled(model, keras.optimizers.Adam(1.23, clipnorm=0.1), pinball)
    return Training(model, x, y, epochs=6, batch_size=64, gates=("gate",), constant_loss=UNKNOWN)


def product_of_chances(truth: Any, chances: Any) -> Any:
    """Minus the logarithm of the chance of a whole sequence."""
    each = truth * chances + (1 - truth) * (1 - chances)
    return -ops.log(ops.prod(each, axis=(1, 2)))


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="time_series",
    source="https://github.com/horenbergerb/BernoulliDiffusion/issues/15",
    accepted="The chances of long sequences approach zero, so that the loss is not finite unless they are clipped.",
    also=("nonfinite", "no_learning", "collapsed_layer", "dead_units", "stagnant_weights"),
)
def heartbeats_by_a_product_of_chances() -> Training:
    """Heartbeats, a one in every five places, from flipped bits; the chance of 200 places is the product of all."""
    random = np.random.default_rng(1253)
    y = (np.arange(200)[None] % 5 == random.integers(0, 5, (512, 1))).astype("float32")[..., None]
    x = np.abs(y - (random.random(y.shape) < 0.2)).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((200, 1)),
            layers.Conv1D(32, 11, padding="same", activation="relu", name="conv_1"),
            layers.Conv1D(32, 11, padding="same", activation="relu", name="conv_2"),
            layers.Conv1D(1, 1, activation="sigmoid", name="chances"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.001), product_of_chances)
    return Training(model, x, y, epochs=4, batch_size=32, constant_loss=UNKNOWN)


@outside_sick(
    "dead_units",
    ["mix_1", "mix_2", "mix_3"],
    family="graphs",
    source="https://github.com/mlelarge/graph_neural_net/pull/9",
    accepted="With ReLU at the end of a block all nodes may get a vector of zeros; a last layer without it is needed.",
    also=HURT,
)
def nodes_matched_by_zeros() -> Training:
    """Which node of a graph is which of its noisy copy, by blocks that multiply matrices and end in ReLU."""
    random = np.random.default_rng(1254)
    links = random_graphs(random, np.zeros((256, 14), int), 0.4, 0.0)
    noisy = np.where(np.triu(random.random(links.shape) < 0.1, 1), 1 - links, links)
    noisy = np.triu(noisy, 1)
    noisy = noisy + noisy.transpose(0, 2, 1)
    x = []
    for graph in (links, noisy):
        degrees = np.eye(14) * graph.sum(2)[:, None]
        x.append(np.stack([graph, degrees], -1).astype("float32"))
    inputs = [layers.Input((14, 14, 2)), layers.Input((14, 14, 2))]
    parts: list[Any] = list(inputs)
    for block in (1, 2, 3):
        first, second = (layers.Dense(32, activation="relu", name=f"side_{side}_{block}") for side in (1, 2))
        mix = layers.Dense(32, activation="relu", name=f"mix_{block}")
        product = layers.Lambda(lambda both: ops.einsum("bijc,bjkc->bikc", *both), name=f"product_{block}")
        join = layers.Concatenate(name=f"join_{block}")
        parts = [mix(join([part, product([first(part), second(part)])])) for part in parts]
    pool = layers.Lambda(lambda values: ops.max(values, axis=2), name="nodes")
    scores = layers.Lambda(lambda both: ops.einsum("bic,bjc->bij", *both), name="scores")(
        [pool(part) for part in parts]
    )
    model = keras.Model(inputs, scores)
    compiled(model, keras.optimizers.Adam(0.05))
    y = np.tile(np.arange(14), (256, 1)).astype("int32")
    return Training(model, x, y, epochs=6, constant_loss=float(np.log(14)))
