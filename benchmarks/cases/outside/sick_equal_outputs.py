"""Programs in which layers give the same for everything, or most of their units give next to nothing."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import Array, digits, photo_patches, raw_table
from benchmarks.cases.networks import compiled

ALIKE = ("vanishing_gradient", "stagnant_weights", "no_gradient", "no_learning", "dead_units", "saturated_units")
"""What goes with outputs that do not depend on the inputs."""


def visitors() -> tuple[dict[str, Array], Array]:
    """Eight measured columns of tumors, one input each, a hospital, and whether a tumor is malignant."""
    x, y = raw_table("breast_cancer")
    hospital = (y + np.random.default_rng(360).integers(0, 4, len(y))) % 5
    known = {f"column_{n}": x[:, n : n + 1] for n in range(8)}
    return {**known, "hospital": hospital.astype("int32")[:, None]}, y.astype("float32")[:, None]


@outside_sick(
    "collapsed_layer",
    [f"norm_{n}" for n in range(8)],
    family="tabular",
    source="https://github.com/NVIDIA-Merlin/Transformers4Rec/pull/151",
    accepted="Continuous features have one value each, and the normalization of a single value gives 0.",
    also=ALIKE,
)
def columns_normalized_one_by_one() -> Training:
    """Each column passes a layer normalization of its own before all are joined with the embedding of a category."""
    x, y = visitors()
    inputs = {name: layers.Input((1,), name=name) for name in x if name != "hospital"}
    parts = [layers.LayerNormalization(name=f"norm_{n}")(column) for n, column in enumerate(inputs.values())]
    hospital = layers.Input((1,), dtype="int32", name="hospital")
    embedded = layers.Flatten(name="flatten")(layers.Embedding(5, 4, name="embedding")(hospital))
    body = layers.Concatenate(name="features")([*parts, embedded])
    body = layers.Dense(24, activation="relu", name="dense")(body)
    output = layers.Dense(1, activation="sigmoid", name="is_benign")(body)
    model = keras.Model({**inputs, "hospital": hospital}, output)
    return Training(compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy"), x, y, epochs=8)


@outside_sick(
    "collapsed_layer",
    ["norm_3"],
    family="generative",
    source="https://github.com/pytorch/pytorch/issues/45687",
    accepted="If the map has one pixel, its variance is 0 and instance normalization silently gives 0.",
    also=(*ALIKE, "dormant_units"),
)
def instance_normalization_of_one_pixel() -> Training:
    """Patches pass three strided convolutions with instance normalization, down to one pixel, and are drawn again."""
    x = photo_patches(512)
    model = keras.Sequential([layers.Input((8, 8, 3))])
    for n, width in enumerate((12, 24, 32), 1):
        model.add(layers.Conv2D(width, 3, strides=2, padding="same", name=f"down_{n}"))
        model.add(layers.GroupNormalization(groups=width, name=f"norm_{n}"))
        model.add(layers.LeakyReLU(0.2, name=f"leaky_{n}"))
    for n, width in enumerate((24, 12), 1):
        model.add(layers.Conv2DTranspose(width, 3, strides=2, padding="same", activation="relu", name=f"up_{n}"))
    model.add(layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="sigmoid", name="patch"))
    return Training(compiled(model, keras.optimizers.Adam(0.002), "mse"), x, x, epochs=6)


def acquaintances(count: int = 160) -> tuple[Array, Array]:
    """Features of people and the group of each."""
    random = np.random.default_rng(361)
    y = random.integers(0, 4, count)
    x = random.normal(size=(count, 12)) + 2 * np.eye(4)[y] @ random.normal(size=(4, 12))
    return x.astype("float32"), y.astype("int32")


@outside_sick(
    "collapsed_layer",
    ["mean_1", "mean_2"],
    family="graphs",
    source="https://github.com/pyg-team/pytorch_geometric/issues/305",
    accepted="The graph is complete, and the mean over all nodes is the same feature vector for each of them.",
    also=ALIKE,
)
def mean_over_a_complete_graph() -> Training:
    """Groups of people by means over all that they are linked to, and in this graph everyone is linked to everyone."""
    x, y = acquaintances()
    edges = np.ones((len(x), len(x)), "float32") / len(x)
    inputs = layers.Input((12,))
    body = inputs
    for n in (1, 2):
        body = layers.Dense(24, activation="relu", name=f"message_{n}")(body)
        body = layers.Lambda(lambda value: ops.matmul(edges, value), name=f"mean_{n}")(body)
    model = compiled(keras.Model(inputs, layers.Dense(4, name="group")(body)), keras.optimizers.Adam(0.01))
    return Training(model, x, y, epochs=15, batch_size=len(x), fit={"shuffle": False})


def questions(count: int = 640, length: int = 12) -> tuple[Array, Array]:
    """Word numbers of questions on six topics, which share half of their words, and the topic."""
    random = np.random.default_rng(362)
    y = random.integers(0, 6, count)
    own = 20 + 5 * y[:, None] + random.integers(0, 5, (count, length))
    x = np.where(random.random((count, length)) < 0.5, own, random.integers(0, 20, (count, length)))
    return x.astype("int32"), y.astype("int32")


def of_the_first(parts: Any) -> Any:
    """What the most likely expert gives, times its chance."""
    chances, *given = parts
    chosen = chances * ops.one_hot(ops.argmax(chances, -1), len(given))
    return ops.einsum("be,beu->bu", chosen, ops.stack(given, 1))


@outside_sick(
    "dormant_units",
    ["router"],
    family="text",
    source="https://github.com/pytorch/torchtitan/issues/1246",
    accepted="The router collapses to one expert, whatever the text; the load of the experts has to be balanced.",
    also=ALIKE,
)
def all_questions_to_one_expert() -> Training:
    """Each question is answered by the likeliest of eight experts, and nothing balances how many each of them gets."""
    x, y = questions()
    inputs = layers.Input((12,), dtype="int32")
    body = layers.Embedding(50, 24, name="embedding")(inputs)
    body = layers.GlobalAveragePooling1D(name="pool")(body)
    body = layers.Dense(32, activation="relu", name="shared")(body)
    router = layers.Dense(8, activation="softmax", name="router")(body)
    experts = [layers.Dense(16, activation="gelu", name=f"expert_{n}")(body) for n in range(8)]
    body = layers.Lambda(of_the_first, name="answer")([router, *experts])
    model = compiled(keras.Model(inputs, layers.Dense(6, name="topic")(body)), keras.optimizers.Adam(0.02))
    return Training(model, x, y, epochs=10)


class Residuals(layers.Layer):
    """Sums of the differences between local features and learned centers, weighted by how they are assigned."""

    def __init__(self, centers: Array, name: str) -> None:
        super().__init__(name=name)
        self.start = centers

    def build(self, input_shape: Any) -> None:
        start = self.start
        self.centers = self.add_weight(
            shape=start.shape, initializer=lambda shape, dtype=None: ops.cast(start, dtype), name="centers"
        )

    def call(self, inputs: Any) -> Any:
        features, shares = inputs
        seen = ops.einsum("brcf,brck->bkf", features, shares)
        return seen - ops.sum(shares, (1, 2))[..., None] * self.centers


@outside_sick(
    "dormant_units",
    ["assign"],
    family="vision",
    source="https://github.com/Nanne/pytorch-NetVlad/issues/72",
    accepted="The centers were not initialized by clusters of the features, which is a necessary step.",
    also=(*ALIKE, "poor_init", "exploding_gradient"),
)
def features_assigned_to_random_centers() -> Training:
    """Pictures by the differences of their local features to 48 centers, which were drawn and not found by clusters."""
    x, y = digits(768)
    centers = np.random.default_rng(363).uniform(0, 1, (48, 12)).astype("float32")
    inputs = layers.Input((8, 8, 1))
    body = layers.Conv2D(12, 3, activation="relu", name="conv")(inputs)
    body = layers.UnitNormalization(name="unit_length")(body)
    assign = layers.Conv2D(48, 1, activation="softmax", name="assign")
    shares = assign(body)
    assign.set_weights([100 * centers.T[None, None], -50 * np.square(centers).sum(1)])
    body = layers.Flatten(name="flatten")(Residuals(centers, name="residuals")([body, shares]))
    model = compiled(keras.Model(inputs, layers.Dense(10, name="digits")(body)), keras.optimizers.Adam(0.002))
    return Training(model, x[..., None], y, epochs=6)
