"""Programs whose rectifiers never fire: in a scene, an encoder without labels, a dictionary, a deep net and a game."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, View, outside_sick
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled

SILENCE = (
    "vanishing_gradient",
    "stagnant_weights",
    "no_gradient",
    "collapsed_layer",
    "poor_init",
    "exploding_gradient",
    "dormant_units",
)
"""What goes with units that give nothing."""


def rays(count: int = 640, steps: int = 16) -> tuple[Array, Array]:
    """Encoded places along rays through a small colored ball before white, and the color that each ray sees."""
    random = np.random.default_rng(400)
    start = np.concatenate([random.uniform(-1, 1, (count, 2)), np.full((count, 1), -1.0)], 1)
    places = start[:, None] + np.linspace(0, 2, steps)[None, :, None] * np.array([0.0, 0.0, 1.0])
    waves = [places, *(wave(factor * np.pi * places) for factor in (1, 2) for wave in (np.sin, np.cos))]
    hits = np.linalg.norm(start[:, :2], axis=1) < 0.5
    seen = np.where(hits[:, None], 0.5 + 0.4 * np.concatenate([start[:, :2], -start[:, :1]], 1), 1.0)
    return np.concatenate(waves, -1).astype("float32"), seen.astype("float32")


def render(parts: Any) -> Any:
    """Colors of rays before a white background."""
    density, color = parts
    opacity = 1 - ops.exp(-density[..., 0] * 0.125)
    passed = ops.cumprod(1 - opacity + 1e-10, axis=1) / (1 - opacity + 1e-10)
    weight = opacity * passed
    return ops.sum(weight[..., None] * color, 1) + 1 - ops.sum(weight, 1, keepdims=True)


@outside_sick(
    "dead_units",
    ["sigma"],
    family="generative",
    source="https://github.com/munshisanowarraihan/nerf-meta/issues/3",
    accepted="With an unlucky start ReLU gives nothing but zeros for the density and training fails; use softplus.",
    also=SILENCE,
)
def density_of_an_empty_scene() -> Training:
    """Colors and rectified densities along rays are learned from a picture; the first densities are zero everywhere."""
    x, y = rays()
    inputs = layers.Input((16, 15))
    body = inputs
    for n in (1, 2, 3):
        start = keras.initializers.GlorotUniform(seed=40 + n)
        body = layers.Dense(48, activation="relu", kernel_initializer=start, name=f"mlp_{n}")(body)
    unlucky = keras.initializers.GlorotUniform(seed=26)
    sigma = layers.Dense(1, activation="relu", kernel_initializer=unlucky, name="sigma")(body)
    color = layers.Dense(24, activation="relu", name="color_1")(body)
    color = layers.Dense(3, activation="sigmoid", name="color_2")(color)
    model = keras.Model(inputs, layers.Lambda(render, name="render")([sigma, color]))
    return Training(compiled(model, keras.optimizers.Adam(5e-4), "mse"), x, y, epochs=8)


class OwnLatent(keras.Model):
    """Predicts what a slow copy of the encoder makes of another view of the same picture."""

    def __init__(self, online: keras.Model, target: keras.Model, pace: float = 0.99) -> None:
        super().__init__()
        self.online = online
        self.target = target
        self.pace = pace

    def call(self, pictures: Any) -> Any:
        return self.online(pictures)[0]

    def distance(self, predicted: Any, other: Any) -> Any:
        wanted = tf.stop_gradient(self.target(other, training=True)[1])
        return ops.mean(2 - 2 * ops.sum(ops.normalize(predicted, axis=-1) * ops.normalize(wanted, axis=-1), -1))

    def train_step(self, data: Any) -> dict[str, Any]:
        views = data[0] if isinstance(data, tuple) else data
        one, two = views[:, 0], views[:, 1]
        with tf.GradientTape() as tape:
            loss = self.distance(self.online(one, training=True)[0], two)
            loss += self.distance(self.online(two, training=True)[0], one)
        weights = self.online.trainable_weights
        self.optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        for slow, fast in zip(self.target.weights, self.online.weights, strict=True):
            slow.assign(self.pace * slow + (1 - self.pace) * fast)
        return {"loss": loss}


def two_views(count: int = 512) -> Array:
    """Each digit twice, shifted and with noise; `[count, 2, 8, 8, 1]`."""
    random = np.random.default_rng(401)
    x = digits(count)[0]
    views = np.stack([[np.roll(one, random.integers(-1, 2, 2), (0, 1)) for one in x] for _ in range(2)], 1)
    return (views + random.normal(0, 0.05, views.shape)).astype("float32")[..., None]


def encoder(name: str) -> keras.Model:
    """Gives the prediction and the projection."""
    inputs = layers.Input((8, 8, 1))
    body = layers.Conv2D(16, 3, activation="relu", name="conv_1")(inputs)
    body = layers.Conv2D(32, 3, strides=2, activation="relu", name="conv_2")(body)
    body = layers.Flatten(name="flatten")(body)
    body = layers.Dense(48, activation="relu", name="representation")(body)
    body = layers.Dense(64, name="project_1")(body)
    body = layers.ReLU(name="project_relu")(layers.BatchNormalization(name="project_norm")(body))
    projected = layers.Dense(24, name="project_2")(body)
    body = layers.Dense(64, name="predict_1")(projected)
    body = layers.ReLU(name="predict_relu")(layers.BatchNormalization(name="predict_norm")(body))
    return keras.Model(inputs, [layers.Dense(24, name="predict_2")(body), projected], name=name)


@outside_sick(
    "dead_units",
    ["online/conv_1", "online/conv_2", "online/representation"],
    family="vision",
    source="https://github.com/lucidrains/byol-pytorch/issues/44",
    accepted="The learning rate of 0.2 is that of LARS; with Adam it has to be far smaller, 0.0003.",
    also=SILENCE,
)
def rate_of_lars_given_to_adam() -> Training:
    """An encoder learns without labels from two views of a picture, by Adam with the rate of another optimizer."""
    x = two_views()
    online, target = encoder("online"), encoder("target")
    target.set_weights(online.get_weights())
    model = OwnLatent(online, target)
    model(x[:2, 0])
    model.compile(keras.optimizers.Adam(0.2), jit_compile=False)
    model.optimizer.build(online.trainable_weights)
    view = View(online, x[:, 0], loss=lambda made: model.distance(made[0], x[:, 1]), prefix="online/")
    return Training(model, x, None, epochs=6, batch_size=64, views=(view,), constant_loss=UNKNOWN)


def activations(count: int = 768, width: int = 32) -> Array:
    """Activations of a model: sparse sums of directions, and four columns with a mean far above their spread."""
    random = np.random.default_rng(402)
    parts = random.exponential(1, (count, 64)) * (random.random((count, 64)) < 0.06)
    found = parts @ random.normal(size=(64, width)) / np.sqrt(width)
    found[:, [3, 11, 20, 28]] += np.array([60, -45, 80, 50])
    return np.asarray(found, "float32")


@outside_sick(
    "dead_units",
    ["features"],
    family="text",
    source="https://github.com/AkihikoWatanabe/paper_notes/issues/5822",
    accepted="Columns of a large mean keep the features that point away from it below zero; subtract the mean.",
    also=(*SILENCE, "saturated_units"),
)
def dictionary_of_activations_with_a_large_mean() -> Training:
    """A sparse autoencoder finds features in activations of a language model, a few columns of which are outliers."""
    x = activations()
    inputs = layers.Input((32,))
    penalty = keras.regularizers.L1(1e-3)
    features = layers.Dense(160, activation="relu", activity_regularizer=penalty, name="features")(inputs)
    model = keras.Model(inputs, layers.Dense(32, name="rebuilt")(features))
    return Training(compiled(model, keras.optimizers.Adam(0.001), "mse"), x, x, epochs=10, batch_size=64)


@outside_sick(
    "dead_units",
    [f"hidden_{n}" for n in range(1, 15)],
    family="tabular",
    source="https://ar5iv.arxiv.org/html/1808.04947",
    accepted="A deep and narrow ReLU network most likely starts dead, and then gives the mean of what it is to learn.",
    also=SILENCE,
)
def absolute_value_by_two_units_per_layer() -> Training:
    """The absolute value of a number by fourteen rectified layers of two units each, as wide as theory asks for."""
    x = np.random.default_rng(403).uniform(-np.sqrt(3), np.sqrt(3), (768, 1)).astype("float32")
    model = keras.Sequential([layers.Input((1,))])
    for n in range(1, 15):
        model.add(layers.Dense(2, activation="relu", kernel_initializer="he_normal", name=f"hidden_{n}"))
    model.add(layers.Dense(1, name="absolute"))
    return Training(compiled(model, keras.optimizers.Adam(0.001), "mse"), x, np.abs(x), epochs=10, batch_size=64)


def positions(count: int = 768, features: int = 80) -> tuple[list[Array], Array]:
    """Which pieces stand where as each side sees it, and the share of points that the side to move will get."""
    random = np.random.default_rng(404)
    mine = random.random((count, features)) < 0.15
    theirs = random.random((count, features)) < 0.15
    worth = random.uniform(0, 1, features)
    share = 1 / (1 + np.exp(-(mine @ worth - theirs @ worth)))
    return [mine.astype("float32"), theirs.astype("float32")], share.astype("float32")[:, None]


@outside_sick(
    "dead_units",
    ["accumulator", "clip", "clip_1", "clip_2"],
    family="reinforcement_learning",
    source="https://github.com/official-stockfish/Stockfish/issues/3274",
    accepted="Rectifiers were only seen to die with a very high learning rate, after the first batches.",
    also=SILENCE,
)
def positions_judged_at_a_very_high_rate() -> Training:
    """One accumulator sees a position from both sides, its outputs are clipped to [0, 1], and SGD is far too fast."""
    x, y = positions()
    mine, theirs = layers.Input((80,), name="mine"), layers.Input((80,), name="theirs")
    accumulator, clip = layers.Dense(32, name="accumulator"), layers.ReLU(1.0, name="clip")
    body = layers.Concatenate(name="both")([clip(accumulator(mine)), clip(accumulator(theirs))])
    body = layers.ReLU(1.0, name="clip_1")(layers.Dense(16, name="layer_1")(body))
    body = layers.ReLU(1.0, name="clip_2")(layers.Dense(16, name="layer_2")(body))
    model = keras.Model([mine, theirs], layers.Dense(1, activation="sigmoid", name="points")(body))
    compiled(model, keras.optimizers.SGD(20.0, momentum=0.9), "mean_squared_error")
    return Training(model, x, y, epochs=8)
