"""Programs that run away: skewed ratings, residual blocks and sums without a norm, rates that rise or are too high."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import BLOWN, UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import Array, digits, photo_patches, table, waves
from benchmarks.cases.networks import compiled

LOST = (*BLOWN, "nonfinite", "nonfinite_loss", "no_learning", "vanishing_gradient", "no_gradient", "dormant_units")
"""What goes with values that run away."""


def plays(count: int = 1500, users: int = 60, items: int = 40) -> tuple[dict[str, Array], Array]:
    """How often users played items: mostly once, and at times hundreds of times."""
    random = np.random.default_rng(640)
    user, item = random.integers(0, users, (count, 1)), random.integers(0, items, (count, 1))
    taste = random.normal(size=(users, 2))[user] * random.normal(size=(items, 2))[item]
    y = np.clip(np.floor(np.exp(2.5 * taste.sum(-1) - 1)), 1, 660)
    return {"user": user.astype("int32"), "item": item.astype("int32")}, y.astype("float32")


@outside_sick(
    "exploding_gradient",
    ["user_factors", "item_factors"],
    family="tabular",
    source="https://github.com/NicolasHug/Surprise/issues/296",
    accepted="Ratings are skewed with some in the hundreds; a tenth of the learning rate or a limit solves it.",
    also=LOST,
)
def plays_as_ratings() -> Training:
    """A factorization of how often items are played, by SGD with one rating at a time."""
    x, y = plays()
    user, item = layers.Input((1,), dtype="int32", name="user"), layers.Input((1,), dtype="int32", name="item")
    start = keras.initializers.RandomNormal(0.0, 0.1)
    factors = [
        layers.Embedding(60, 20, embeddings_initializer=start, name="user_factors")(user),
        layers.Embedding(40, 20, embeddings_initializer=start, name="item_factors")(item),
    ]
    flat = [layers.Flatten(name=f"flat_{n}")(part) for n, part in enumerate(factors)]
    model = keras.Model({"user": user, "item": item}, layers.Dot(-1, name="rating")(flat))
    return Training(compiled(model, keras.optimizers.SGD(0.005), "mse"), x, y, epochs=2, batch_size=1)


@outside_sick(
    "exploding_gradient",
    ["stem", *(f"block_{n}_{part}" for n in range(1, 13) for part in "ab"), "logits"],
    family="vision",
    source="https://github.com/huangleiBuaa/ONI/issues/1",
    accepted="A residual network without batch normalization needs initial weights of a smaller scale.",
    also=LOST,
)
def residual_blocks_without_normalization() -> Training:
    """Twelve residual blocks from He's weights classify digits with Nesterov momentum, and nothing is normalized."""
    x, y = digits(640)
    inputs = layers.Input((8, 8, 1))
    options = {"padding": "same", "kernel_initializer": "he_normal"}
    body = layers.Conv2D(16, 3, activation="relu", name="stem", **options)(inputs)
    for n in range(1, 13):
        branch = layers.Conv2D(16, 3, activation="relu", name=f"block_{n}_a", **options)(body)
        branch = layers.Conv2D(16, 3, name=f"block_{n}_b", **options)(branch)
        body = layers.ReLU(name=f"relu_{n}")(layers.Add(name=f"sum_{n}")([body, branch]))
    body = layers.GlobalAveragePooling2D(name="pool")(body)
    model = keras.Model(inputs, layers.Dense(10, name="logits")(body))
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    return Training(compiled(model, optimizer), x[..., None], y, epochs=3, batch_size=64)


def correlations(features: Any) -> Any:
    """Gram matrices: the products of all pairs of channels, summed over all places."""
    flat = ops.reshape(features, (-1, features.shape[1] * features.shape[2], features.shape[3]))
    return ops.matmul(ops.transpose(flat, (0, 2, 1)), flat)


@outside_sick(
    "exploding_gradient",
    ["encode", "middle", "decode"],
    family="generative",
    source="https://github.com/nazianafis/Neural-Style-Transfer/issues/2",
    accepted="The loss values diverge; dividing the Gram matrices by the size of the features regulates them.",
    also=LOST,
)
def style_by_sums_over_places() -> Training:
    """A network paints patches of one photograph in the style of the other, by Gram matrices that are plain sums."""
    patches = photo_patches(256, 12)
    content, style = patches[0::2], patches[1:2]
    eyes = keras.Sequential([layers.Input((12, 12, 3)), layers.Conv2D(12, 3, activation="relu", name="see")])
    eyes.trainable = False
    wanted = correlations(eyes(255 * style))

    def loss(truth: Any, painted: Any) -> Any:
        seen = eyes(255 * painted)
        apart = ops.mean(ops.square(seen - eyes(255 * truth)), (1, 2, 3))
        return apart + 10 * ops.mean(ops.square(correlations(seen) - wanted), (1, 2))

    model = keras.Sequential(
        [
            layers.Input((12, 12, 3)),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="encode"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="middle"),
            layers.Conv2D(3, 3, padding="same", name="decode"),
        ]
    )
    compiled(model, keras.optimizers.SGD(1e-4, momentum=0.5), loss)
    return Training(model, content, content, epochs=3, batch_size=16, constant_loss=UNKNOWN)


def couple(parts: Any) -> Any:
    """One half of the columns, scaled by an exponential and shifted, before the other half: they change places."""
    kept, changed, log_scale, shift = parts
    return ops.concatenate([changed * ops.exp(log_scale) + shift, kept], -1)


def minus_flow_density(truth: Any, given: Any) -> Any:
    """Minus the logarithm of the density of the rows under the flow."""
    latent, log_determinant = given[:, :30], given[:, 30:]
    return ops.sum(ops.square(latent), -1) / 2 - ops.sum(log_determinant, -1)


@outside_sick(
    "nonfinite",
    [f"couple_{n}" for n in range(1, 7)],
    family="generative",
    source="https://github.com/ELIFE-ASU/INNLab/issues/7",
    accepted="With He's weights the exponential in RealNVP gives very large numbers; its argument must be bounded.",
    also=LOST,
)
def flow_of_unbounded_exponentials() -> Training:
    """A normalizing flow of six coupling layers over a table, whose scales are exponentials of plain dense layers."""
    x, _ = table("breast_cancer")
    inputs = layers.Input((30,))
    body, scales = inputs, []
    for n in range(1, 7):
        kept = layers.Lambda(lambda value: value[:, :15], name=f"kept_{n}")(body)
        changed = layers.Lambda(lambda value: value[:, 15:], name=f"changed_{n}")(body)
        hidden = layers.Dense(48, activation="relu", kernel_initializer="he_uniform", name=f"hidden_{n}")(kept)
        scales.append(layers.Dense(15, kernel_initializer="he_uniform", name=f"log_scale_{n}")(hidden))
        shift = layers.Dense(15, kernel_initializer="he_uniform", name=f"shift_{n}")(hidden)
        body = layers.Lambda(couple, name=f"couple_{n}")([kept, changed, scales[-1], shift])
    model = keras.Model(inputs, layers.Concatenate(name="latent")([body, *scales]))
    compiled(model, keras.optimizers.Adam(0.001), minus_flow_density)
    return Training(model, x, x, epochs=3, batch_size=64, constant_loss=UNKNOWN)


class RateSearch(keras.callbacks.Callback):
    """Raises the learning rate at every step by the same factor, from next to nothing to 1 in a hundred steps."""

    step = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.model.optimizer.learning_rate = 1e-8 ** (1 - self.step / 100)
        self.step += 1


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="time_series",
    source="https://github.com/Lightning-AI/pytorch-lightning/pull/14113",
    accepted="After the search for a rate its schedule stays in place, so that the training diverges at once.",
    also=("exploding_gradient", "saturated_units", *LOST),
)
def search_for_a_rate_goes_on() -> Training:
    """The frequency of waves by a recurrent layer; the schedule of a search for a learning rate is still there."""
    x, y = waves(640)
    model = keras.Sequential(
        [
            layers.Input((12, 1)),
            layers.GRU(24, name="gru"),
            layers.Dropout(0.1, name="dropout"),
            layers.Dense(16, activation="relu", name="dense"),
            layers.Dense(3, name="frequency"),
        ]
    )
    optimizer = keras.optimizers.AdamW(1e-8)
    return Training(compiled(model, optimizer), x, y, epochs=9, fit={"callbacks": [RateSearch()]})
