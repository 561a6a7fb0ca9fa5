"""Programs on graphs whose features or sums over neighbors are not scaled."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled

OVERLOADED = (
    "nonfinite",
    "exploding_gradient",
    "poor_init",
    "dead_units",
    "collapsed_layer",
    "stagnant_weights",
    "vanishing_gradient",
    "no_gradient",
)
"""What values that are far too large do."""


def hubs(count: int = 120) -> tuple[Array, Array, Array]:
    """Features of the nodes of a graph in which some nodes have a hundred neighbors, its edges, and classes."""
    random = np.random.default_rng(33)
    y = random.integers(0, 3, count)
    chance = np.outer(random.uniform(0.1, 1, count), random.uniform(0.1, 1, count))
    edges = np.triu(random.random((count, count)) < 2 * chance, 1)
    features = random.normal(size=(count, 10)) + np.eye(3)[y] @ random.normal(size=(3, 10))
    return features.astype("float32"), (edges + edges.T + np.eye(count)).astype("float32"), y.astype("int32")


@outside_sick(
    "exploding_gradient",
    ["update_1", "update_2", "update_3", "logits"],
    family="graphs",
    source="https://github.com/keras-team/keras-io/pull/2304",
    accepted="Sums over neighbors must be divided by their number, or features explode at nodes with many neighbors.",
    also=OVERLOADED,
)
def sums_over_many_neighbors() -> Training:
    """Three layers add up the messages of all neighbors, of which some nodes have a hundred."""
    features, edges, y = hubs()
    inputs = layers.Input((10,), name="papers")
    body = inputs
    for n in range(1, 4):
        body = layers.Dense(24, activation="elu", name=f"update_{n}")(body)
        body = layers.Lambda(lambda value: ops.matmul(edges, value), name=f"sum_{n}")(body)
    model = keras.Model(inputs, layers.Dense(3, name="logits")(body))
    fit = {"shuffle": False}
    return Training(compiled(model, keras.optimizers.SGD(0.01)), features, y, epochs=15, batch_size=len(y), fit=fit)


def neighbors(count: int = 400) -> tuple[Array, Array]:
    """Raw counts of the words of linked pages and of pages without a link."""
    random = np.random.default_rng(34)
    topics = random.random((5, 12)) ** 3
    first, far = random.integers(0, 5, count), random.integers(0, 5, count)
    size = random.lognormal(8, 1, (3, count, 1))
    pages = np.stack([topics[first], topics[first], topics[far]]) * size
    return np.round(pages).astype("float32"), np.zeros((count, 1), "float32")


def divergence(parts: Any) -> Any:
    """Divergence of two Gaussian embeddings, from means and deviations of both."""
    mean, deviation, other_mean, other_deviation = parts
    ratio = deviation / other_deviation
    gap = ops.square(other_mean - mean) / other_deviation
    return 0.5 * ops.sum(ratio + gap - 1 - ops.log(ratio), axis=-1, keepdims=True)


def energies(_: Any, values: Any) -> Any:
    """Small for linked pages and large for others."""
    return ops.mean(ops.square(values[:, 0]) + ops.exp(-values[:, 1]))


@outside_sick(
    "nonfinite",
    ["hidden", "mean", "deviation", "near", "far"],
    family="graphs",
    source="https://github.com/abojchevski/graph2gauss/issues/8",
    accepted="The features of the nodes were not normalized to [0, 1].",
    also=OVERLOADED,
)
def pages_embedded_as_gaussians() -> Training:
    """Pages with raw counts of words are embedded as Gaussians, whose deviations become 0."""
    (first, linked, other), nothing = neighbors()
    inputs = [layers.Input((12,), name=name) for name in ("page", "linked", "other")]
    hidden = layers.Dense(24, activation="relu", name="hidden")
    mean = layers.Dense(4, name="mean")
    deviation = layers.Dense(4, activation=lambda value: ops.elu(value) + 1 + 1e-14, name="deviation")
    embedded = [(mean(hidden(one)), deviation(hidden(one))) for one in inputs]
    near = layers.Lambda(divergence, name="near")([*embedded[0], *embedded[1]])
    far = layers.Lambda(divergence, name="far")([*embedded[0], *embedded[2]])
    model = keras.Model(inputs, layers.Concatenate(name="energies")([near, far]))
    training = compiled(model, keras.optimizers.Adam(0.001), energies)
    return Training(training, [first, linked, other], nothing, epochs=4, constant_loss=float("nan"))
