"""Healthy programs on tables: competing causes, a ball of usual rows, lists by gains, baskets, tasks, rare kinds."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn.datasets import make_classification
from sklearn.metrics import roc_auc_score

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, class_entropy


def cause_and_time(truth: Any, chances: Any) -> Any:
    """The likelihood of what happened when: rows are a mask of the cells in which it may have happened."""
    return -ops.log(ops.sum(truth * chances, axis=-1) + 1e-7)


@outside_healthy("tabular")
def tabular_causes_that_compete() -> Training:
    """DeepHit: when customers leave and for which of two reasons; a third have not left yet, of whom less is known."""
    random = np.random.default_rng(711)
    x = random.normal(0, 1, (1600, 12)).astype("float32")
    scales = np.exp(np.stack([x[:, 0] - x[:, 1] * x[:, 2], np.abs(x[:, 3]) + x[:, 4] - 0.5], 1) * 0.8)
    times = random.exponential(scales)
    cause, when, left = times.argmin(1), times.min(1), random.exponential(1.5, 1600)
    cell = np.minimum((np.minimum(when, left) * 8).astype(int), 11)
    cells = np.arange(12)
    happened = (cells == cell[:, None])[:, None] & (np.arange(2) == cause[:, None])[..., None]
    later = np.repeat((cells >= cell[:, None])[:, None], 2, 1)
    y = np.where((when < left)[:, None, None], happened, later).reshape(1600, 24).astype("float32")
    inputs = keras.Input((12,))
    shared = layers.Dense(128, activation="relu")(inputs)
    shared = layers.Dropout(0.2)(layers.BatchNormalization(momentum=0.9)(shared))
    both = layers.Concatenate()([inputs, shared])
    heads = []
    for name in ("price", "service"):
        body = layers.Dense(64, activation="relu", name=f"{name}_hidden")(both)
        heads.append(layers.Dense(12, name=name)(body))
    model = keras.Model(inputs, layers.Softmax(name="chances")(layers.Concatenate()(heads)))
    compiled(model, keras.optimizers.Adam(1e-3, weight_decay=1e-4), cause_and_time)
    shares = y.mean(0) / y.mean(0).sum()
    constant = float(-np.log((y * shares).sum(1)).mean())
    return Training(model, x, y, epochs=12, batch_size=50, constant_loss=constant)


@outside_healthy("tabular")
def tabular_ball_of_usual_rows() -> Training:
    """Deep SVDD: usual payments are drawn to a fixed center by layers without bias; strange ones stay outside."""
    random = np.random.default_rng(712)
    mixing = random.normal(0, 1, (4, 20))
    usual = np.tanh(random.normal(0, 1, (1600, 4)) @ mixing) + random.normal(0, 0.15, (1600, 20))
    strange = np.tanh(random.normal(0, 1, (200, 4)) @ random.normal(0, 1, (4, 20))) + random.normal(0, 0.15, (200, 20))
    usual, strange = usual.astype("float32"), strange.astype("float32")
    model = keras.Sequential([keras.Input((20,))])
    for width in (128, 64, 32):
        model.add(layers.Dense(width, use_bias=False, kernel_regularizer=keras.regularizers.L2(1e-4)))
        if width > 32:
            model.add(layers.LeakyReLU(0.1))
    center = np.asarray(model(usual)).mean(0)
    center = np.where(np.abs(center) < 0.1, np.where(center < 0, -0.1, 0.1), center).astype("float32")

    def from_center(_: Any, codes: Any) -> Any:
        return ops.sum(ops.square(codes - center), axis=-1)

    def told_apart() -> float:
        distances = np.asarray(from_center(None, model(np.concatenate([usual, strange]))))
        return float(roc_auc_score(np.repeat([0, 1], [1600, 200]), distances))

    rate = keras.optimizers.schedules.PiecewiseConstantDecay([400], [1e-3, 1e-4])
    compiled(model, keras.optimizers.Adam(rate), from_center)
    goal = Goal("area under the curve of strange rows", told_apart, at_least=0.85)
    return Training(model, usual, np.zeros((1600, 1), "float32"), epochs=12, goal=goal)


def lambda_loss(grades: Any, scores: Any) -> Any:
    """Pairs of a list in the wrong order, weighted by what exchanging them would change in the gain."""
    gains = 2.0**grades - 1
    place = 1.0 + ops.cast(ops.argsort(ops.argsort(-scores, axis=1), axis=1), "float32")
    discount = 1 / ops.log2(1 + place)
    best = ops.sum(-ops.sort(-gains, axis=1) / np.log2(np.arange(2, 18)).astype("float32"), axis=1) + 1e-6
    changed = ops.abs((gains[:, :, None] - gains[:, None]) * (discount[:, :, None] - discount[:, None]))
    weights = ops.stop_gradient(changed / best[:, None, None])
    is_better = ops.cast(grades[:, :, None] > grades[:, None], "float32")
    wrong = ops.softplus(scores[:, None] - scores[:, :, None])
    return ops.sum(is_better * weights * wrong, axis=(1, 2))


@outside_healthy("tabular")
def tabular_lists_by_lambdas() -> Training:
    """LambdaRank: sixteen documents of a search by grades of 0 to 4; pairs count as much as they would change."""
    random = np.random.default_rng(713)
    x = random.normal(0, 1, (400, 16, 24)).astype("float32")
    worth = np.tanh(x[..., :6] @ random.normal(0, 0.6, 6)) + x[..., 6] * x[..., 7] + random.normal(0, 0.4, (400, 16))
    y = np.digitize(worth, [0.2, 0.9, 1.6, 2.3]).astype("float32")
    inputs = keras.Input((16, 24))
    body = inputs
    for width in (128, 64):
        body = layers.LayerNormalization()(layers.Dense(width, activation="relu")(body))
    scores = layers.Flatten(name="scores")(layers.Dense(1)(layers.Dropout(0.1)(body)))
    model = keras.Model(inputs, scores)
    compiled(model, keras.optimizers.Adagrad(0.03), lambda_loss)

    def gain() -> float:
        order = np.argsort(-np.asarray(model(x)), 1)
        gains, weights = 2**y - 1, 1 / np.log2(np.arange(2, 18))
        reached = (np.take_along_axis(gains, order, 1) * weights).sum(1)
        best = (-np.sort(-gains, 1) * weights).sum(1)
        return float((reached[best > 0] / best[best > 0]).mean())

    goal = Goal("discounted gain of what is possible", gain, at_least=0.85)
    return Training(model, x, y, epochs=25, batch_size=16, goal=goal)


class SampledCode(layers.Layer):
    """Draws a code, and adds its divergence with a weight that grows."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seeds = keras.random.SeedGenerator(714)
        self.weight = self.add_weight((), initializer="zeros", trainable=False, name="weight")

    def call(self, moments: Any, training: bool = False) -> Any:
        mean, spread = ops.split(moments, 2, axis=-1)
        terms = ops.square(mean) + ops.exp(spread) - 1 - spread
        self.add_loss(self.weight * ops.mean(ops.sum(terms, axis=-1)) / 2)
        if not training:
            return mean
        return mean + ops.exp(spread / 2) * keras.random.normal(ops.shape(mean), seed=self.seeds)


class GrowingWeight(keras.callbacks.Callback):
    """Lets the weight of the divergence grow to a fifth of that of an item."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.get_layer("code").weight.assign(min(0.02, 0.002 * epoch))


@outside_healthy("tabular")
def tabular_baskets_by_variation() -> Training:
    """Mult-VAE: what else people buy, from baskets of which a part is dropped; all items share one softmax."""
    random = np.random.default_rng(714)
    tastes = random.dirichlet(np.full(6, 0.15), 900)
    kinds = random.dirichlet(np.full(150, 0.08), 6)
    x = np.stack([random.multinomial(25, row) > 0 for row in tastes @ kinds]).astype("float32")
    inputs = keras.Input((150,))
    body = layers.Dropout(0.3)(layers.UnitNormalization()(inputs))
    body = layers.Dense(128, activation="tanh")(body)
    code = SampledCode(name="code")(layers.Dense(64)(body))
    scores = layers.Dense(150, name="items")(layers.Dense(128, activation="tanh")(code))
    model = keras.Model(inputs, scores)

    def multinomial(bought: Any, scores: Any) -> Any:
        return -ops.sum(bought * ops.log_softmax(scores), axis=-1) / 10

    compiled(model, keras.optimizers.Adam(5e-3), multinomial)
    shares = x.sum(0) / x.sum()
    constant = float(-(x * np.log(shares + 1e-9)).sum(1).mean() / 10)
    options = {"callbacks": [GrowingWeight()]}
    return Training(model, x, x, 25, constant_loss=constant, fit=options)


class Surgery(keras.Model):
    """Gradients of two tasks; where they point against each other, each loses what goes against the other."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, truth = data
        weights = self.trainable_variables
        with tf.GradientTape(persistent=True) as tape:
            answers = self(x, training=True)
            losses = [ops.mean(keras.losses.binary_crossentropy(truth[:, n : n + 1], answers[n])) for n in range(2)]
        parts = []
        for loss in losses:
            found = tape.gradient(loss, weights)
            parts.append([ops.zeros_like(w) if g is None else g for w, g in zip(weights, found, strict=True)])
        product = sum(ops.sum(one * other) for one, other in zip(*parts, strict=True))
        sizes = [sum(ops.sum(ops.square(part)) for part in task) + 1e-12 for task in parts]
        against = ops.minimum(product, 0.0)
        shares = [1 - against / sizes[0], 1 - against / sizes[1]]
        self.optimizer.apply([shares[0] * one + shares[1] * other for one, other in zip(*parts, strict=True)], weights)
        return {"loss": losses[0] + losses[1]}


@outside_healthy("tabular")
def tabular_tasks_that_conflict() -> Training:
    """Who buys and who returns it, which pull at the same trunk in opposite ways: projected gradients."""
    random = np.random.default_rng(715)
    x = random.normal(0, 1, (1800, 16)).astype("float32")
    wish = x[:, 0] + x[:, 1] * x[:, 2] - 0.5 * x[:, 3]
    regret = -x[:, 0] - x[:, 1] * x[:, 2] + np.abs(x[:, 4]) - 0.8
    y = (np.stack([wish, regret], 1) + random.normal(0, 0.5, (1800, 2)) > 0).astype("float32")
    inputs = keras.Input((16,))
    trunk = inputs
    for width in (128, 64):
        trunk = layers.Dense(width, activation="relu")(trunk)
    towers = []
    for name in ("buys", "returns"):
        body = layers.Dense(32, activation="relu", name=f"{name}_hidden")(trunk)
        towers.append(layers.Dense(1, activation="sigmoid", name=name)(body))
    model = Surgery(inputs, towers)
    model.compile(keras.optimizers.RMSprop(1e-3), jit_compile=False)

    def both(answers: Any) -> Any:
        return sum(ops.mean(keras.losses.binary_crossentropy(y[:, n : n + 1], answers[n])) for n in range(2))

    constant = class_entropy(y[:, 0]) + class_entropy(y[:, 1])
    return Training(model, x, y, epochs=12, views=(View(model, x, loss=both),), constant_loss=constant)


@outside_healthy("tabular")
def tabular_rare_kinds_with_adjusted_scores() -> Training:
    """Eight kinds of faults, the rarest with 20 rows: scores are shifted by how frequent a kind is; SGD, steps."""
    counts = np.array([700, 420, 260, 150, 90, 55, 32, 20])
    x, y = make_classification(9000, 24, n_informative=12, n_classes=8, class_sep=1.6, random_state=716)
    rows = np.concatenate([np.flatnonzero(y == kind)[:count] for kind, count in enumerate(counts)])
    rows = np.random.default_rng(716).permutation(rows)
    x, y = (x[rows] / x.std(0)).astype("float32"), y[rows].astype("int32")
    shift = np.log(counts / counts.sum()).astype("float32")

    def adjusted(truth: Any, scores: Any) -> Any:
        return keras.losses.sparse_categorical_crossentropy(truth, scores + shift, from_logits=True)

    inputs = keras.Input((24,))
    body = inputs
    for _ in range(2):
        body = layers.Dense(192, use_bias=False)(body)
        body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
    model = keras.Model(inputs, layers.Dense(8)(layers.Dropout(0.2)(body)))
    steps = keras.optimizers.schedules.PiecewiseConstantDecay([400, 600], [0.05, 0.005, 0.0005])
    compiled(model, keras.optimizers.SGD(steps, momentum=0.9, nesterov=True, weight_decay=5e-4), adjusted)
    return Training(model, x, y, epochs=12, batch_size=24, goal=accuracy(model, x, y, 0.7))
