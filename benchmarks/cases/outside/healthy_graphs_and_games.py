"""Healthy programs for graphs, sets and games: sums over neighbors, values, policies, bounded actions."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, class_entropy
from benchmarks.cases.outside.healthy_graphs import COMMUNITIES, NODES, citations, molecules, normalized


class Propagate(layers.Layer):
    """Multiplies by a fixed matrix over nodes."""

    def __init__(self, matrix: Array) -> None:
        super().__init__()
        self.matrix = ops.convert_to_tensor(matrix)

    def call(self, states: Any) -> Any:
        return ops.matmul(self.matrix, states)


@outside_healthy("graphs")
def graph_topics_of_papers() -> Training:
    """Two graph convolutions with strong dropout and L2; a tenth of the nodes have a label that counts."""
    features, adjacency, community = citations()
    features = features / np.maximum(features.sum(1, keepdims=True), 1)
    weights = (np.random.default_rng(101).random(NODES) < 0.2).astype("float32")
    inputs = keras.Input((24,), batch_size=NODES)
    body = layers.Dropout(0.5)(inputs)
    body = layers.Dense(16, use_bias=False, kernel_regularizer=keras.regularizers.l2(5e-4))(body)
    body = layers.Activation("relu")(Propagate(normalized(adjacency))(body))
    body = layers.Dense(COMMUNITIES, use_bias=False)(layers.Dropout(0.5)(body))
    body = layers.Activation("softmax")(Propagate(normalized(adjacency))(body))
    model = keras.Model(inputs, body)
    compiled(model, keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", weighted_metrics=["acc"])
    goal = accuracy(model, features.astype("float32"), community, 0.7)
    options = {"shuffle": False, "sample_weight": weights}
    return Training(model, features.astype("float32"), community, 150, NODES, fit=options, goal=goal)


@outside_healthy("graphs")
def graph_isomorphism_sums() -> Training:
    """Sums over bonds and dense layers with batch normalization; the graph's answer is a sum over all layers."""
    x, y = molecules()
    atoms, bonds = keras.Input((8, 4)), keras.Input((8, 8))
    states, sums = atoms, []
    for _ in range(3):
        gathered = layers.Add()([layers.Dot(axes=(2, 1))([bonds, states]), states])
        gathered = layers.Dense(24)(gathered)
        gathered = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(gathered))
        states = layers.Dense(24, activation="relu")(gathered)
        sums.append(layers.Lambda(lambda value: ops.sum(value, axis=1))(states))
    body = layers.Dropout(0.3)(layers.Dense(32, activation="relu")(layers.Concatenate()(sums)))
    model = keras.Model([atoms, bonds], layers.Dense(1)(body))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    compiled(model, keras.optimizers.Adam(0.002), loss)
    return Training(model, x, y, epochs=15, constant_loss=class_entropy(y))


@outside_healthy("graphs")
def graph_sums_of_points() -> Training:
    """Sets of points, in any order: the same layers for each, a sum, and how many of them lie in a circle."""
    random = np.random.default_rng(102)
    x = random.uniform(-1, 1, (700, 12, 2)).astype("float32")
    y = (np.square(x).sum(-1) < 0.6).sum(1).astype("float32")[:, None]
    inputs = keras.Input((12, 2))
    body = layers.Dense(32, activation="gelu")(inputs)
    body = layers.Dense(32, activation="gelu")(body)
    body = layers.Lambda(lambda value: ops.sum(value, axis=1))(body)
    model = keras.Model(inputs, layers.Dense(1)(layers.Dense(32, activation="gelu")(body)))
    compiled(model, keras.optimizers.Adam(0.002), "mse")
    return Training(model, x, y, epochs=12)


def corridor(count: int, seed: int) -> tuple[Array, Array, Array, Array]:
    """Steps on a line of nine cells with a goal at its right end: cell, action, reward, next cell."""
    random = np.random.default_rng(seed)
    cell, action = random.integers(0, 8, count), random.integers(0, 2, count)
    after = np.clip(cell + 2 * action - 1, 0, 8)
    return cell, action, (after == 8).astype("float32"), after


class QLearner(keras.Model):
    """Values of actions, learned from stored steps with a second network for the targets, copied now and then."""

    def __init__(self, network: keras.Model, target: keras.Model) -> None:
        super().__init__()
        self.network = network
        self.target = target
        self.target.trainable = False
        self.target.set_weights(network.get_weights())

    def call(self, states: Any) -> Any:
        return self.network(states)

    def train_step(self, data: Any) -> dict[str, Any]:
        states, action, reward, after = data[0] if isinstance(data, tuple) else data
        wish = reward + 0.9 * (1 - reward) * ops.max(self.target(after), axis=1)
        with tf.GradientTape() as tape:
            value = ops.sum(self.network(states) * ops.one_hot(action, 2), axis=1)
            loss = ops.mean(keras.losses.huber(wish[:, None], value[:, None]))
        weights = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


class CopyTarget(keras.callbacks.Callback):
    """Copies the network to the target after every epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.target.set_weights(self.model.network.get_weights())


def values_network(name: str) -> keras.Sequential:
    hidden = [layers.Dense(24, activation="relu") for _ in range(2)]
    return keras.Sequential([keras.Input((9,)), *hidden, layers.Dense(2, activation="linear")], name=name)


@outside_healthy("reinforcement_learning")
def reinforcement_q_learning() -> Training:
    """Q-learning in a corridor where most steps earn nothing; the loss rises as the values come to be known."""
    cell, action, reward, after = corridor(1200, 103)
    model = QLearner(values_network("network"), values_network("target"))
    eye = np.eye(9, dtype="float32")
    model(eye)
    compiled(model, keras.optimizers.Adam(0.003, clipnorm=1.0), None)
    right = 0.9 ** np.arange(7, -1, -1)

    def error() -> float:
        return float(np.abs(np.asarray(model(eye))[:8, 1] - right).mean())

    goal = Goal("mean error of the values", error, at_most=0.15)
    x = (eye[cell], action, reward, eye[after])
    return Training(model, x, None, epochs=15, goal=goal, fit={"callbacks": [CopyTarget()]})


class Bandit(keras.Model):
    """A policy that draws actions for the batch's states and strengthens those that were better than usual."""

    def __init__(self, network: keras.Model, worth: Array) -> None:
        super().__init__()
        self.network = network
        self.worth = ops.convert_to_tensor(worth)
        self.dice = keras.random.SeedGenerator(104)

    def call(self, states: Any) -> Any:
        return self.network(states)

    def train_step(self, states: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            logits = self.network(states)
            action = keras.random.categorical(logits, 1, seed=self.dice)[:, 0]
            rewards = ops.sum(ops.matmul(states, self.worth) * ops.one_hot(action, 4), axis=1)
            advantage = ops.stop_gradient(rewards - ops.mean(rewards)) / (ops.std(rewards) + 1e-6)
            chances = ops.log_softmax(logits)
            chosen = ops.sum(chances * ops.one_hot(action, 4), axis=1)
            entropy = -ops.sum(ops.exp(chances) * chances, axis=1)
            loss = -ops.mean(chosen * advantage) - 0.01 * ops.mean(entropy)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@outside_healthy("reinforcement_learning")
def reinforcement_policy_gradient() -> Training:
    """REINFORCE with standardized rewards: the loss swings around zero while the policy gets better."""
    random = np.random.default_rng(105)
    states = random.normal(size=(1500, 6)).astype("float32")
    worth = random.normal(size=(6, 4)).astype("float32")
    network = keras.Sequential(
        [keras.Input((6,)), layers.Dense(32, "tanh"), layers.Dense(32, "tanh"), layers.Dense(4)], name="policy"
    )
    model = Bandit(network, worth)
    model(states[:1])
    compiled(model, keras.optimizers.Adam(0.005), None)

    def regret() -> float:
        value = states @ worth
        chosen = np.asarray(model(states)).argmax(1)
        best = value.max(1)
        return float((best - value[np.arange(len(value)), chosen]).mean() / (best - value.mean(1)).mean())

    goal = Goal("regret as a share of that of chance", regret, at_most=0.3)
    return Training(model, states, None, epochs=8, batch_size=64, goal=goal)


class Actor(keras.Model):
    """Climbs the slope of a known value with respect to its bounded action."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network

    def call(self, states: Any) -> Any:
        return self.network(states)

    def train_step(self, states: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            action = 2.0 * self.network(states, training=True)
            wish = 3.0 * ops.tanh(states[:, :1] + states[:, 1:2])
            loss = ops.mean(ops.square(action - ops.clip(wish, -2.0, 2.0)) + 0.001 * ops.square(action))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@outside_healthy("reinforcement_learning")
def reinforcement_bounded_actor() -> Training:
    """A deterministic actor: a tanh head with tiny initial weights, whose best actions mostly lie at the bounds."""
    random = np.random.default_rng(106)
    states = random.normal(0, 1.5, (1200, 3)).astype("float32")
    last = keras.initializers.RandomUniform(-0.003, 0.003)
    network = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(1, activation="tanh", kernel_initializer=last),
        ],
        name="actor",
    )
    model = Actor(network)
    model(states[:1])
    compiled(model, keras.optimizers.Adam(0.002), None)

    def error() -> float:
        wish = np.clip(3.0 * np.tanh(states[:, :1] + states[:, 1:2]), -2, 2)
        return float(np.square(2 * np.asarray(model(states)) - wish).mean() / wish.var())

    goal = Goal("squared error as a share of a constant's", error, at_most=0.2)
    return Training(model, states, None, epochs=10, batch_size=64, goal=goal)


class ClippedPolicy(keras.Model):
    """Strengthens stored choices by their advantage as long as their chance is near the one they were drawn with."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network

    def call(self, states: Any) -> Any:
        return self.network(states)

    def train_step(self, data: Any) -> dict[str, Any]:
        states, actions, before, advantage = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            chances = ops.log_softmax(self.network(states))
            ratio = ops.exp(ops.sum(chances * ops.one_hot(actions, 3), axis=1) - before)
            least = ops.minimum(ratio * advantage, ops.clip(ratio, 0.8, 1.2) * advantage)
            entropy = -ops.sum(ops.exp(chances) * chances, axis=1)
            loss = -ops.mean(least) - 0.01 * ops.mean(entropy)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@outside_healthy("reinforcement_learning")
def reinforcement_clipped_policy() -> Training:
    """Proximal policy optimization on stored choices: a tiny head at first, and clipped samples without a gradient."""
    random = np.random.default_rng(107)
    states = random.normal(size=(1200, 6)).astype("float32")
    worth = states @ random.normal(size=(6, 3))
    actions = random.integers(0, 3, 1200)
    rewards = worth[np.arange(1200), actions]
    advantage = ((rewards - rewards.mean()) / rewards.std()).astype("float32")
    network = keras.Sequential([keras.Input((6,))], name="policy")
    for _ in range(2):
        network.add(layers.Dense(64, activation="tanh", kernel_initializer=keras.initializers.Orthogonal(2**0.5)))
    network.add(layers.Dense(3, kernel_initializer=keras.initializers.Orthogonal(0.01)))
    model = ClippedPolicy(network)
    model(states[:1])
    compiled(model, keras.optimizers.Adam(3e-4, epsilon=1e-5, clipnorm=0.5), None)

    def regret() -> float:
        chosen = np.asarray(model(states)).argmax(1)
        best = worth.max(1)
        return float((best - worth[np.arange(1200), chosen]).mean() / (best - worth.mean(1)).mean())

    goal = Goal("regret as a share of that of chance", regret, at_most=0.4)
    x = (states, actions, np.full(1200, -np.log(3.0), "float32"), advantage)
    return Training(model, x, None, epochs=10, batch_size=64, goal=goal)


@outside_healthy("reinforcement_learning")
def reinforcement_value_of_cells() -> Training:
    """Values of cells of a grid from discounted returns, one-hot cells and plain SGD."""
    random = np.random.default_rng(108)
    cells = random.integers(0, 36, 1500)
    far = (5 - cells // 6) + (5 - cells % 6)
    y = (10 * 0.9**far + random.normal(0, 0.3, 1500)).astype("float32")[:, None]
    x = np.eye(36, dtype="float32")[cells]
    model = keras.Sequential([keras.Input((36,)), layers.Dense(48, "relu"), layers.Dense(24, "relu"), layers.Dense(1)])
    compiled(model, keras.optimizers.SGD(0.01), "mse")
    return Training(model, x, y, epochs=15)
