"""Healthy programs on graphs and choices: deep residuals, soft pools, turned signs, stored moves, noisy weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, class_entropy


def random_graphs(random: np.random.Generator, groups: Array, inside: float, across: float) -> Array:
    """Symmetric links `[graphs, nodes, nodes]`, more of them within groups `[graphs, nodes]`."""
    is_same = groups[:, :, None] == groups[:, None]
    drawn = random.random(is_same.shape) < np.where(is_same, inside, across)
    upper = np.triu(drawn, 1)
    return np.asarray(upper | upper.transpose(0, 2, 1), "float32")


def with_self(links: Array) -> Array:
    """The links and those of nodes to themselves, divided by the roots of both degrees."""
    links = links + np.eye(links.shape[-1])
    scale = 1 / np.sqrt(links.sum(-1))
    return np.asarray(links * scale[..., None] * scale[..., None, :], "float32")


class Mean(layers.Layer):
    """Weighted sums over the neighbors in one large graph."""

    def __init__(self, weights: Array) -> None:
        super().__init__()
        self.links = tf.constant(weights)

    def call(self, values: Any) -> Any:
        return ops.matmul(self.links, values)


@outside_healthy("graphs")
def graph_deep_initial_residuals() -> Training:
    """Eight graph convolutions that keep a tenth of the first one's output and are mostly the identity: GCNII."""
    random = np.random.default_rng(330)
    y = random.integers(0, 4, 240)
    links = with_self(random_graphs(random, y[None], 0.06, 0.006)[0])
    x = (random.random((240, 30)) < np.where(np.arange(30) % 4 == y[:, None], 0.3, 0.15)).astype("float32")
    weights = (random.random(240) < 0.3).astype("float32")
    inputs = keras.Input((30,), batch_size=240)
    first = body = layers.Dense(32, activation="relu")(layers.Dropout(0.4)(inputs))
    for depth in range(1, 9):
        share = float(np.log(0.5 / depth + 1))
        spread = Mean(links)(layers.Dropout(0.4)(body))
        mixed = layers.Lambda(lambda both: 0.9 * both[0] + 0.1 * both[1])([spread, first])
        turned = layers.Dense(32, use_bias=False, kernel_regularizer=keras.regularizers.L2(1e-3))(mixed)
        body = layers.Lambda(lambda both, part=share: (1 - part) * both[0] + part * both[1])([mixed, turned])
        body = layers.Activation("relu")(body)
    model = keras.Model(inputs, layers.Dense(4, activation="softmax")(body))
    compiled(model, keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    options = {"shuffle": False, "sample_weight": weights}
    y = y.astype("int32")
    return Training(model, x, y, 100, 240, fit=options, goal=accuracy(model, x, y, 0.7))


@outside_healthy("graphs")
def graph_soft_clusters() -> Training:
    """How many groups a graph has: its nodes are pooled softly to four clusters, whose links are sums: DiffPool."""
    random = np.random.default_rng(331)
    y = random.integers(0, 3, 500).astype("int32")
    groups = random.integers(0, 1000, (500, 16)) % (y[:, None] + 1)
    links = random_graphs(random, groups, 0.8, 0.05)
    degrees = links.sum(-1, keepdims=True)
    triangles = np.einsum("gij,gjk,gki->gi", links, links, links)[..., None] / 2
    x = np.concatenate([degrees / 8, triangles / 30, random.normal(0, 1, (500, 16, 4))], -1).astype("float32")
    nodes, edges = keras.Input((16, 6)), keras.Input((16, 16))
    body = layers.Dense(24, activation="relu")(layers.Dot(axes=(2, 1))([edges, nodes]))
    body = layers.BatchNormalization(momentum=0.9)(body)
    body = layers.Dense(24, activation="relu")(layers.Dot(axes=(2, 1))([edges, body]))
    shares = layers.Dense(4, activation="softmax", name="shares")(layers.Dot(axes=(2, 1))([edges, body]))
    pooled = layers.Rescaling(0.25)(layers.Dot(axes=(1, 1))([shares, body]))
    between = layers.Rescaling(0.25)(layers.Dot(axes=(1, 1))([shares, layers.Dot(axes=(2, 1))([edges, shares])]))
    coarse = layers.Dense(24, activation="relu")(layers.Dot(axes=(2, 1))([between, pooled]))
    both = [layers.GlobalMaxPooling1D()(body), layers.GlobalAveragePooling1D()(coarse)]
    body = layers.Dropout(0.2)(layers.Concatenate()(both))
    model = keras.Model([nodes, edges], layers.Dense(3, activation="softmax")(body))
    compiled(model, keras.optimizers.Adam(0.003, clipnorm=2.0), "sparse_categorical_crossentropy")
    return Training(model, [x, with_self(links)], y, epochs=15)


class TurnedSigns(layers.Layer):
    """Turns the signs of eigenvectors at random, since none is the right one."""

    def __init__(self) -> None:
        super().__init__()
        self.seed = keras.random.SeedGenerator(332)

    def call(self, vectors: Any, training: bool = False) -> Any:
        if not training:
            return vectors
        drawn = keras.random.uniform((ops.shape(vectors)[0], 1, vectors.shape[-1]), seed=self.seed)
        return vectors * ops.where(drawn < 0.5, -1.0, 1.0)


@outside_healthy("graphs")
def graph_laplacian_positions() -> Training:
    """Two groups in each graph, of which one member each is known: a transformer on eigenvectors with turned signs."""
    random = np.random.default_rng(333)
    groups = random.integers(0, 2, (600, 14))
    groups[:, :2] = [0, 1]
    order = random.permuted(np.tile(np.arange(14), (600, 1)), axis=1)
    groups = np.take_along_axis(groups, order, 1)
    is_known = order < 2
    links = random_graphs(random, groups, 0.8, 0.12)
    vectors = np.linalg.eigh(np.eye(14) - with_self(links))[1][:, :, 1:4] * 14**0.5
    hints = np.stack([is_known & (groups == 0), is_known & (groups == 1)], -1)
    positions, known = keras.Input((14, 3)), keras.Input((14, 2))
    body = layers.Dense(32)(layers.Concatenate()([TurnedSigns()(positions), known]))
    for _ in range(2):
        normal = layers.LayerNormalization()(body)
        body = layers.Add()([body, layers.MultiHeadAttention(4, 8)(normal, normal)])
        wide = layers.Dense(64, activation="gelu")(layers.LayerNormalization()(body))
        body = layers.Add()([body, layers.Dense(32)(wide)])
    model = keras.Model([positions, known], layers.Dense(1, activation="sigmoid")(layers.LayerNormalization()(body)))
    rate = keras.optimizers.schedules.CosineDecay(1e-4, 226, warmup_target=4e-3, warmup_steps=40)
    compiled(model, keras.optimizers.AdamW(rate, weight_decay=0.01), "binary_crossentropy")
    x = [vectors.astype("float32"), hints.astype("float32")]
    y = groups.astype("float32")[..., None]
    return Training(model, x, y, epochs=14, constant_loss=class_entropy(groups))


class OfflineQ(keras.Model):
    """Values of stored moves, with a slow copy, and a penalty on actions that nobody has tried there."""

    def __init__(self, online: keras.Model, slow: keras.Model, caution: float, discount: float) -> None:
        super().__init__()
        self.online, self.slow, self.caution, self.discount = online, slow, caution, discount
        slow.set_weights(online.get_weights())
        slow.trainable = False

    def call(self, inputs: Any) -> Any:
        return self.online(inputs["state"])

    def error(self, memory: Any, values: Any) -> Any:
        best = ops.argmax(self.online(memory["next_state"]), axis=1)
        ahead = ops.sum(self.slow(memory["next_state"]) * ops.one_hot(best, values.shape[-1]), axis=1)
        wish = ops.stop_gradient(memory["reward"] + self.discount * (1 - memory["done"]) * ahead)
        chosen = ops.sum(values * ops.one_hot(memory["action"], values.shape[-1]), axis=1)
        return ops.mean(ops.square(wish - chosen)) + self.caution * ops.mean(ops.logsumexp(values, axis=1) - chosen)

    def train_step(self, memory: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self.error(memory, self.online(memory["state"], training=True))
        weights = self.online.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        for slow, fast in zip(self.slow.weights, self.online.weights, strict=True):
            slow.assign(slow + 0.05 * (fast - slow))
        return {"loss": loss}


def offline(make: Callable[[], keras.Model], memory: Any, rate: float, caution: float, discount: float) -> OfflineQ:
    model = OfflineQ(make(), make(), caution, discount)
    model({"state": memory["state"][:2]})
    model.compile(keras.optimizers.Adam(rate, clipnorm=10.0), jit_compile=False)
    return model


@outside_healthy("reinforcement_learning")
def reinforcement_conservative_values() -> Training:
    """Conservative Q-learning from moves of a clumsy driver; the penalty keeps the loss far from zero."""
    random = np.random.default_rng(334)
    place = random.uniform(-1, 1, (2500, 2))
    toward = np.where(np.abs(place[:, 0]) > np.abs(place[:, 1]), place[:, 0] > 0, 2 + (place[:, 1] > 0))
    action = np.where(random.random(2500) < 0.5, toward, random.integers(0, 4, 2500))
    steps = np.array([[0.2, 0], [-0.2, 0], [0, 0.2], [0, -0.2]])
    moved = np.clip(place + steps[action] + random.normal(0, 0.03, place.shape), -1, 1)
    distance = np.abs(moved).max(1)
    memory = {
        "state": place.astype("float32"),
        "action": action.astype("int32"),
        "reward": (-distance).astype("float32"),
        "next_state": moved.astype("float32"),
        "done": (distance < 0.15).astype("float32"),
    }

    def network() -> keras.Model:
        parts = [layers.Dense(64, "relu"), layers.LayerNormalization(), layers.Dense(64, "relu"), layers.Dense(4)]
        return keras.Sequential([keras.Input((2,)), *parts])

    model = offline(network, memory, 0.002, 0.3, 0.9)
    far = np.abs(place).max(1) > 0.3

    def sensible() -> float:
        chosen = np.asarray(model.online(memory["state"])).argmax(1)
        nearer = np.square(place + steps[chosen]).sum(1) < np.square(place).sum(1)
        return float(nearer[far].mean())

    view = View(model.online, memory["state"], loss=lambda values: model.error(memory, values), prefix="online/")
    goal = Goal("share of moves that lead nearer", sensible, at_least=0.9)
    return Training(model, memory, None, epochs=10, batch_size=64, views=(view,), goal=goal)


@outside_healthy("reinforcement_learning")
def reinforcement_goals_in_hindsight() -> Training:
    """Bits to be flipped to a goal: failed tries are stored again as if what they reached had been the goal."""
    random = np.random.default_rng(335)
    rows = []
    for _ in range(350):
        bits, wanted = random.integers(0, 2, 6), random.integers(0, 2, 6)
        seen, actions = [bits], random.integers(0, 6, 6)
        for action in actions:
            seen.append(np.where(np.arange(6) == action, 1 - seen[-1], seen[-1]))
        for at, action in enumerate(actions):
            for wish in (wanted, seen[random.integers(at + 1, 7)]):
                is_there = bool((seen[at + 1] == wish).all())
                both = np.concatenate([seen[at], wish]), np.concatenate([seen[at + 1], wish])
                rows.append((both[0], action, is_there - 1.0, both[1], float(is_there)))
    state, action, reward, after, done = (np.stack(column) for column in zip(*rows, strict=True))
    memory = {
        "state": state.astype("float32"),
        "action": action.astype("int32"),
        "reward": reward.astype("float32"),
        "next_state": after.astype("float32"),
        "done": done.astype("float32"),
    }

    def network() -> keras.Model:
        hidden = [layers.Dense(96, "relu") for _ in range(2)]
        return keras.Sequential([keras.Input((12,)), *hidden, layers.Dense(6)])

    model = offline(network, memory, 0.002, 0.0, 0.9)

    def reached() -> float:
        tries = np.random.default_rng(336).integers(0, 2, (200, 12)).astype("float32")
        for _ in range(6):
            chosen = np.asarray(model.online(tries)).argmax(1)
            is_there = (tries[:, :6] == tries[:, 6:]).all(1)
            flipped = np.eye(6)[chosen] * ~is_there[:, None]
            tries[:, :6] = np.abs(tries[:, :6] - flipped)
        return float((tries[:, :6] == tries[:, 6:]).all(1).mean())

    view = View(model.online, memory["state"], loss=lambda values: model.error(memory, values), prefix="online/")
    goal = Goal("share of goals reached in six flips", reached, at_least=0.7)
    return Training(model, memory, None, epochs=18, batch_size=64, views=(view,), goal=goal)


class NoisyDense(layers.Layer):
    """A dense layer whose weights have noise of learned size."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units, self.seed = units, keras.random.SeedGenerator(337)

    def build(self, input_shape: Any) -> None:
        size = input_shape[-1] ** -0.5
        start = keras.initializers.RandomUniform(-size, size)
        noise = keras.initializers.Constant(0.5 * size)
        self.kernel = self.add_weight((input_shape[-1], self.units), initializer=start)
        self.bias = self.add_weight((self.units,), initializer=start)
        self.kernel_noise = self.add_weight((input_shape[-1], self.units), initializer=noise)
        self.bias_noise = self.add_weight((self.units,), initializer=noise)

    def call(self, values: Any, training: bool = False) -> Any:
        if not training:
            return ops.matmul(values, self.kernel) + self.bias
        drawn = [keras.random.normal((size, 1), seed=self.seed) for size in (values.shape[-1], self.units)]
        given, made = (ops.sign(one) * ops.sqrt(ops.abs(one)) for one in drawn)
        kernel = self.kernel + self.kernel_noise * ops.matmul(given, ops.transpose(made))
        return ops.matmul(values, kernel) + self.bias + self.bias_noise * made[:, 0]


@outside_healthy("reinforcement_learning")
def reinforcement_noisy_weights() -> Training:
    """What each of five offers earns, by layers whose weights have learned noise so that it explores by itself."""
    random = np.random.default_rng(338)
    x = random.normal(0, 1, (1200, 6)).astype("float32")
    worth = np.tanh(x @ random.normal(0, 0.8, (6, 5))) + 0.5 * np.sin(2 * x[:, :5])
    chosen = random.integers(0, 5, 1200)
    earned = worth[np.arange(1200), chosen] + random.normal(0, 0.5, 1200)
    y = np.concatenate([np.eye(5)[chosen], earned[:, None]], 1).astype("float32")

    def error_of_chosen(given: Any, values: Any) -> Any:
        return ops.square(ops.sum(given[:, :5] * values, axis=1) - given[:, 5])

    inputs = keras.Input((6,))
    body = layers.Dense(64, activation="relu")(inputs)
    body = layers.Activation("relu")(NoisyDense(48)(body))
    model = keras.Model(inputs, NoisyDense(5)(body))
    compiled(model, keras.optimizers.RMSprop(0.001), error_of_chosen)

    def regret() -> float:
        best = np.asarray(model(x)).argmax(1)
        return float(worth[np.arange(1200), best].mean() / worth.max(1).mean())

    goal = Goal("share of what the best choices earn", regret, at_least=0.8)
    return Training(model, x, y, epochs=15, goal=goal)
