"""Healthy programs that learn to act: expectiles, heads that differ, teams, parabolas, futures, weighted imitation."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled

STEPS = np.array([[0.2, 0], [-0.2, 0], [0, 0.2], [0, -0.2]])
"""How each of four moves changes the place."""


def walks(count: int, seed: int) -> dict[str, Array]:
    """Moves on a square of which half lead nearer to its middle, with the distance as the cost."""
    random = np.random.default_rng(seed)
    place = random.uniform(-1, 1, (count, 2))
    nearer = np.where(np.abs(place[:, 0]) > np.abs(place[:, 1]), place[:, 0] > 0, 2 + (place[:, 1] > 0))
    action = np.where(random.random(count) < 0.5, nearer, random.integers(0, 4, count))
    moved = np.clip(place + STEPS[action] + random.normal(0, 0.03, place.shape), -1, 1)
    distance = np.abs(moved).max(1)
    return {
        "state": place.astype("float32"),
        "action": action.astype("int32"),
        "reward": (-distance).astype("float32"),
        "next_state": moved.astype("float32"),
        "done": (distance < 0.15).astype("float32"),
    }


def share_of_good_moves(chosen: Array, place: Array) -> float:
    """How many of the chosen moves lead nearer to the middle, of those that are not there yet."""
    far = np.abs(place).max(1) > 0.3
    nearer = np.square(place + STEPS[chosen]).sum(1) < np.square(place).sum(1)
    return float(nearer[far].mean())


class ImplicitValues(keras.Model):
    """Values of states as expectiles of those of moves, and a policy that imitates moves better than that."""

    def __init__(self) -> None:
        super().__init__()
        self.moves, self.slow, self.states, self.policy = (self.network(units) for units in (4, 4, 1, 4))
        self.slow.set_weights(self.moves.get_weights())
        self.slow.trainable = False

    @staticmethod
    def network(units: int) -> keras.Sequential:
        hidden = [layers.Dense(64, activation="relu") for _ in range(2)]
        return keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(units)])

    def call(self, inputs: Any) -> Any:
        return self.policy(inputs["state"])

    def error(self, memory: Any, values: Any) -> Any:
        """The squared error of the values of moves."""
        ahead = 0.9 * (1 - memory["done"]) * self.states(memory["next_state"])[:, 0]
        wish = ops.stop_gradient(memory["reward"] + ahead)
        return ops.mean(ops.square(wish - ops.sum(values * ops.one_hot(memory["action"], 4), axis=1)))

    def train_step(self, memory: Any) -> dict[str, Any]:
        made = ops.one_hot(memory["action"], 4)
        worth = ops.sum(self.slow(memory["state"]) * made, axis=1)
        with tf.GradientTape() as tape:
            gap = worth - self.states(memory["state"])[:, 0]
            expectile = ops.mean(ops.where(gap > 0, 0.8, 0.2) * ops.square(gap))
            weight = ops.stop_gradient(ops.minimum(ops.exp(5 * gap), 20.0))
            chance = ops.sum(ops.log_softmax(self.policy(memory["state"])) * made, axis=1)
            error = self.error(memory, self.moves(memory["state"]))
            loss = error + expectile - ops.mean(weight * chance)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        for slow, fast in zip(self.slow.weights, self.moves.weights, strict=True):
            slow.assign(slow + 0.05 * (fast - slow))
        return {"loss": loss, "error": error}


@outside_healthy("reinforcement_learning")
def reinforcement_implicit_values() -> Training:
    """Implicit Q-learning from stored moves: never asks for a move that nobody made; three losses, one optimizer."""
    memory = walks(2000, 530)
    model = ImplicitValues()
    model({"state": memory["state"][:2]})
    for part in (model.moves, model.slow, model.states):
        part(memory["state"][:2])
    compiled(model, keras.optimizers.Adam(0.002), None)
    view = View(model.moves, memory["state"], loss=lambda values: model.error(memory, values), prefix="moves/")

    def good_moves() -> float:
        return share_of_good_moves(np.asarray(model(memory)).argmax(1), memory["state"])

    goal = Goal("share of moves that lead nearer", good_moves, at_least=0.9)
    return Training(model, memory, None, epochs=12, batch_size=64, views=(view,), goal=goal)


HEADS = 6


def error_of_taught_heads(truth: Any, values: Any) -> Any:
    """Squared error of the offer that was taken, for those heads that are taught by this sample."""
    taken, reward, taught = truth[:, :4], truth[:, 4:5], truth[:, 5:]
    given = ops.sum(ops.reshape(values, (-1, HEADS, 4)) * taken[:, None], axis=-1)
    return ops.sum(taught * ops.square(given - reward), axis=-1) / HEADS


@outside_healthy("reinforcement_learning")
def reinforcement_heads_that_differ() -> Training:
    """Six heads on one body, each taught by half of the samples, on top of random networks that stay as they are."""
    random = np.random.default_rng(531)
    x = random.normal(0, 1, (1200, 6)).astype("float32")
    worth = np.tanh(x @ random.normal(0, 0.8, (6, 4))) + 0.5 * np.sin(2 * x[:, :4])
    taken = random.integers(0, 4, 1200)
    reward = worth[np.arange(1200), taken] + random.normal(0, 0.3, 1200)
    taught = random.random((1200, HEADS)) < 0.5
    y = np.concatenate([np.eye(4)[taken], reward[:, None], taught], 1).astype("float32")
    inputs = keras.Input((6,))
    body = layers.Dense(64, activation="relu")(layers.Dense(64, activation="relu")(inputs))
    heads = layers.Concatenate()([layers.Dense(4)(body) for _ in range(HEADS)])
    prior = inputs
    for units, activation in ((16, "relu"), (4 * HEADS, None)):
        prior = layers.Dense(units, activation=activation, trainable=False)(prior)
    model = keras.Model(inputs, layers.Add()([heads, layers.Rescaling(0.5)(prior)]))
    compiled(model, keras.optimizers.Adam(0.002), error_of_taught_heads)

    def share_of_best() -> float:
        best = np.asarray(model(x)).reshape(-1, HEADS, 4).mean(1).argmax(1)
        return float(worth[np.arange(1200), best].mean() / worth.max(1).mean())

    return Training(model, x, y, epochs=15, goal=Goal("share of what the best choices earn", share_of_best, 0.8))


@outside_healthy("reinforcement_learning")
def reinforcement_team_of_two() -> Training:
    """What two players earn together: values of each, mixed by weights that other layers make and that are positive."""
    random = np.random.default_rng(532)
    seen = random.normal(0, 1, (2, 1500, 5)).astype("float32")
    moves = random.integers(0, 3, (2, 1500))
    single = np.tanh(seen @ random.normal(0, 0.8, (5, 3)))
    own = np.take_along_axis(single, moves[..., None], 2)[..., 0]
    share = 1 / (1 + np.exp(-2 * seen[0, :, 0]))
    y = share * own[0] + (1 - share) * own[1] + np.minimum(*own) + random.normal(0, 0.1, 1500)
    views = [keras.Input((5,)), keras.Input((5,))]
    made = [keras.Input((3,)), keras.Input((3,))]
    player = [layers.Dense(48, activation="relu"), layers.Dense(48, activation="relu"), layers.Dense(3)]
    values = []
    for view, move in zip(views, made, strict=True):
        body = view
        for layer in player:
            body = layer(body)
        values.append(layers.Dot(axes=1)([body, move]))
    state = layers.Concatenate()(views)
    mix = layers.Reshape((2, 8))(layers.Lambda(ops.abs)(layers.Dense(16)(state)))
    joint = layers.Dot(axes=(1, 1))([layers.Concatenate()(values), mix])
    joint = layers.Activation("elu")(layers.Add()([joint, layers.Dense(8)(state)]))
    last = layers.Lambda(ops.abs)(layers.Dense(8)(state))
    offset = layers.Dense(1)(layers.Dense(16, activation="relu")(state))
    model = keras.Model([*views, *made], layers.Add()([layers.Dot(axes=1)([joint, last]), offset]))
    compiled(model, keras.optimizers.RMSprop(0.001, clipnorm=10.0), "mse")
    x = [*seen, *np.eye(3, dtype="float32")[moves]]
    return Training(model, x, y.astype("float32")[:, None], epochs=12)


@outside_healthy("reinforcement_learning")
def reinforcement_parabola_of_actions() -> Training:
    """Values of two torques as a parabola, whose top is a bounded layer that no target ever names."""
    random = np.random.default_rng(533)
    states = random.normal(0, 1, (1500, 3)).astype("float32")
    torques = random.uniform(-1, 1, (1500, 2)).astype("float32")
    best = 0.8 * np.tanh(states @ random.normal(0, 1, (3, 2)))
    reward = np.sin(states[:, 0]) - np.square(torques - best).sum(1) + random.normal(0, 0.1, 1500)
    inputs, given = keras.Input((3,)), keras.Input((2,))
    body = layers.Dense(64, activation="relu")(layers.Dense(64, activation="relu")(inputs))
    top = layers.Dense(2, activation="tanh")(body)
    steepness = layers.Dense(2, activation="softplus")(body)
    gap = layers.Lambda(lambda three: -ops.sum(three[2] * ops.square(three[0] - three[1]), axis=-1, keepdims=True))
    model = keras.Model([inputs, given], layers.Add()([layers.Dense(1)(body), gap([given, top, steepness])]))
    compiled(model, keras.optimizers.Adam(0.002), "mse")
    chosen = keras.Model(inputs, top)

    def distance() -> float:
        return float(np.abs(np.asarray(chosen(states)) - best).mean())

    goal = Goal("mean distance from the best torques", distance, at_most=0.15)
    return Training(model, [states, torques], reward.astype("float32")[:, None], epochs=15, goal=goal)


class Futures(keras.Model):
    """How often each place will be visited, learned from single steps and a slow copy of itself."""

    def __init__(self, network: keras.Model, slow: keras.Model) -> None:
        super().__init__()
        self.network, self.slow = network, slow
        slow.set_weights(network.get_weights())
        slow.trainable = False

    def call(self, places: Any) -> Any:
        return self.network(places)

    def error(self, places: Any, following: Any, visits: Any) -> Any:
        wish = ops.stop_gradient(places + 0.8 * self.slow(following))
        return ops.mean(ops.square(wish - visits))

    def train_step(self, data: Any) -> dict[str, Any]:
        places, following = data
        with tf.GradientTape() as tape:
            loss = self.error(places, following, self.network(places))
        weights = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        for slow, fast in zip(self.slow.weights, self.network.weights, strict=True):
            slow.assign(slow + 0.1 * (fast - slow))
        return {"loss": loss}


@outside_healthy("reinforcement_learning")
def reinforcement_visits_to_come() -> Training:
    """Successor features of twelve places on a ring; the loss rises before it falls, since the copy is slow."""
    random = np.random.default_rng(534)
    now = random.integers(0, 12, 1500)
    after = (now + random.choice([1, 1, 1, -1], 1500)) % 12
    eye = np.eye(12, dtype="float32")

    def network() -> keras.Sequential:
        return keras.Sequential([keras.Input((12,)), layers.Dense(48, activation="elu"), layers.Dense(12)])

    model = Futures(network(), network())
    model(eye)
    compiled(model, keras.optimizers.Adam(0.005), None)
    step = 0.75 * np.roll(np.eye(12), 1, axis=1) + 0.25 * np.roll(np.eye(12), -1, axis=1)
    right = np.linalg.inv(np.eye(12) - 0.8 * step)

    def error() -> float:
        return float(np.abs(np.asarray(model(eye)) - right).sum() / right.sum())

    view = View(
        model.network, eye[now], loss=lambda visits: model.error(eye[now], eye[after], visits), prefix="network/"
    )
    goal = Goal("error as a share of all visits", error, at_most=0.2)
    return Training(model, eye[now], eye[after], epochs=15, views=(view,), goal=goal)


def weighted_distance(truth: Any, torque: Any) -> Any:
    """The squared distance from what was done, weighted by how well it went."""
    return truth[:, 1] * ops.square(truth[:, 0] - torque[:, 0])


@outside_healthy("reinforcement_learning")
def reinforcement_imitation_of_luck() -> Training:
    """Advantage-weighted regression: tries at random, imitated by the exponential of how well they went, up to 20."""
    random = np.random.default_rng(535)
    states = random.normal(0, 1, (2000, 4)).astype("float32")
    best = np.tanh(states[:, 0] + np.abs(states[:, 1]) - 0.5)
    done = np.clip(random.uniform(-1.2, 1.2, 2000), -1, 1)
    reward = -np.abs(done - best) + random.normal(0, 0.1, 2000)
    weight = np.minimum(np.exp((reward - reward.mean()) / 0.2), 20)
    y = np.stack([done, weight], 1).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(64, activation="tanh"),
            layers.Dense(64, activation="tanh"),
            layers.Dense(1, activation="tanh"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.02, momentum=0.9, clipnorm=1.0), weighted_distance)

    def distance() -> float:
        return float(np.abs(np.asarray(model(states))[:, 0] - best).mean())

    return Training(model, states, y, epochs=15, goal=Goal("distance from the best", distance, at_most=0.2))
