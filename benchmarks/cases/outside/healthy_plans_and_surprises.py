"""Healthy programs that act: models that disagree, planning in the network, and a memory of surprises."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy

MEMBERS = 5


def of_members(truth: Any, answers: Any) -> Any:
    """The likelihood of what happened for those members whose sample has it, from `[rows, members, 4]`."""
    happened, counts = truth[:, None, :2], truth[:, 2:]
    mean, spread = ops.split(answers, 2, axis=-1)
    spread = 1.0 - ops.softplus(1.0 - spread)
    spread = -8.0 + ops.softplus(spread + 8.0)
    errors = ops.sum(ops.square(happened - mean) * ops.exp(-spread) + spread, axis=-1)
    return ops.mean(counts * errors, axis=-1)


@outside_healthy("reinforcement_learning")
def reinforcement_models_that_disagree() -> Training:
    """PETS: five models of how a boat moves, each of its own sample of the moves, with mean and spread; below zero."""
    random = np.random.default_rng(724)
    x = random.uniform(-1, 1, (1500, 4)).astype("float32")
    moved = np.stack([np.sin(3 * x[:, 0]) * x[:, 2], x[:, 1] * x[:, 3] - 0.5 * x[:, 2]], 1)
    moved += random.normal(0, 1, moved.shape) * (0.02 + 0.1 * np.abs(x[:, :1]))
    counts = np.stack([np.bincount(random.integers(0, 1500, 1500), minlength=1500) for _ in range(MEMBERS)], 1)
    y = np.concatenate([moved / moved.std(0), counts], 1).astype("float32")
    inputs = keras.Input((4,))
    members = []
    for member in range(MEMBERS):
        body = inputs
        for depth in range(3):
            body = layers.Dense(64, activation="swish", name=f"member_{member}_hidden_{depth}")(body)
        members.append(layers.Dense(4, name=f"member_{member}")(body))
    model = keras.Model(inputs, layers.Lambda(lambda parts: ops.stack(parts, axis=1))(members))
    compiled(model, keras.optimizers.AdamW(1e-3, weight_decay=1e-4), of_members)
    return Training(model, x, y, epochs=16)


def planned_moves(random: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
    """Maps `[count, 8, 8, 2]` of walls and a goal, a place `[count, 8, 8]`, and one of four shortest moves."""
    maps: list[Array] = []
    places, moves = [], []
    while len(maps) < count:
        walls = random.random((8, 8)) < 0.25
        goal = tuple(random.integers(0, 8, 2))
        walls[goal] = False
        away = np.full((10, 10), 99)
        away[goal[0] + 1, goal[1] + 1] = 0
        for _ in range(20):
            nearest = np.minimum.reduce([away[:-2, 1:-1], away[2:, 1:-1], away[1:-1, :-2], away[1:-1, 2:]]) + 1
            away[1:-1, 1:-1] = np.where(walls, 99, np.minimum(away[1:-1, 1:-1], nearest))
        free = np.argwhere((away[1:-1, 1:-1] < 12) & (away[1:-1, 1:-1] > 0))
        for row, column in free[random.permutation(len(free))[:6]]:
            around = away[[row, row + 2, row + 1, row + 1], [column + 1, column + 1, column, column + 2]]
            place = np.zeros((8, 8))
            place[row, column] = 1
            target = np.zeros((8, 8))
            target[goal] = 1
            maps.append(np.stack([walls, target], -1))
            places.append(place)
            moves.append(around.argmin())
    return np.stack(maps).astype("float32"), np.stack(places).astype("float32"), np.array(moves, "int32")


@outside_healthy("reinforcement_learning")
def reinforcement_plans_by_convolutions() -> Training:
    """A value iteration network: twelve times the same convolution and a maximum, then the move where one stands."""
    maps, places, moves = planned_moves(np.random.default_rng(725), 1100)
    seen, place = keras.Input((8, 8, 2)), keras.Input((8, 8))
    body = layers.Conv2D(64, 3, padding="same", activation="relu", name="reading")(seen)
    reward = layers.Conv2D(1, 1, use_bias=False, name="reward")(body)
    values = layers.Conv2D(12, 3, padding="same", use_bias=False, name="values")
    best = layers.Lambda(lambda found: ops.max(found, axis=-1, keepdims=True), name="best")
    both = layers.Lambda(lambda given: ops.concatenate([given, 0 * given], axis=-1), name="first")(reward)
    found = values(both)
    for _ in range(11):
        found = values(layers.Concatenate()([reward, best(found)]))
    here = layers.Lambda(lambda both: ops.sum(both[0] * both[1][..., None], axis=(1, 2)))([found, place])
    model = keras.Model([seen, place], layers.Dense(4, name="move")(here))
    compiled(model, keras.optimizers.RMSprop(2e-3))
    return Training(model, [maps, places], moves, 14, goal=accuracy(model, [maps, places], moves, 0.6))


class SurprisedLearner(keras.Model):
    """Double Q-learning from a memory in which surprising moves are drawn more often."""

    def __init__(self, online: keras.Model, slow: keras.Model, memory: dict[str, Array]) -> None:
        super().__init__()
        self.online, self.slow = online, slow
        slow.set_weights(online.get_weights())
        slow.trainable = False
        self.memory = {name: tf.constant(column) for name, column in memory.items()}
        count = len(memory["action"])
        self.surprise = self.add_weight((count,), initializer="ones", trainable=False, name="surprise")

    def call(self, states: Any) -> Any:
        return self.online(states)

    def surprises(self, memory: Any, values: Any) -> Any:
        best = ops.one_hot(ops.argmax(self.online(memory["next_state"]), axis=1), 2)
        ahead = ops.sum(self.slow(memory["next_state"]) * best, axis=1)
        wish = ops.stop_gradient(memory["reward"] + 0.95 * (1 - memory["done"]) * ahead)
        return wish - ops.sum(values * ops.one_hot(memory["action"], 2), axis=1)

    def train_step(self, rows: Any) -> dict[str, Any]:
        chances = self.surprise**0.6 / ops.sum(self.surprise**0.6)
        drawn = tf.random.categorical(ops.log(chances)[None], 64)[0]
        part = {name: tf.gather(column, drawn) for name, column in self.memory.items()}
        weights = (tf.gather(chances, drawn) * self.surprise.shape[0]) ** -0.5
        with tf.GradientTape() as tape:
            surprises = self.surprises(part, self.online(part["state"], training=True))
            loss = ops.mean(weights / ops.max(weights) * keras.losses.huber(surprises[:, None], 0 * surprises[:, None]))
        variables = self.online.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.surprise.assign(ops.scatter_update(self.surprise, drawn[:, None], ops.abs(surprises) + 0.01))
        for slow, fast in zip(self.slow.weights, self.online.weights, strict=True):
            slow.assign(slow + 0.05 * (fast - slow))
        return {"loss": loss}


@outside_healthy("reinforcement_learning")
def reinforcement_memory_of_surprises() -> Training:
    """Prioritized replay on a ridge of ten cells: one wrong step ends it all, and only the end of the ridge pays."""
    random = np.random.default_rng(726)
    codes = random.normal(0, 1, (11, 16))
    right = random.integers(0, 2, 10)
    cell, action = random.integers(0, 10, 2400), random.integers(0, 2, 2400)
    continues = action == right[cell]
    after = np.where(continues, cell + 1, cell)
    reward = continues & (cell == 9)
    memory = {
        "state": (codes[cell] + random.normal(0, 0.1, (2400, 16))).astype("float32"),
        "action": action.astype("int32"),
        "reward": reward.astype("float32"),
        "next_state": (codes[after] + random.normal(0, 0.1, (2400, 16))).astype("float32"),
        "done": (reward | ~continues).astype("float32"),
    }

    def network() -> keras.Model:
        hidden = [layers.Dense(width, activation="relu") for width in (128, 64)]
        return keras.Sequential([keras.Input((16,)), *hidden, layers.Dense(2)])

    model = SurprisedLearner(network(), network(), memory)
    model(memory["state"][:2])
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)

    def known() -> float:
        return float((np.asarray(model(codes[:10].astype("float32"))).argmax(1) == right).mean())

    def error(values: Any) -> Any:
        return ops.mean(ops.square(model.surprises(model.memory, values)))

    view = View(model.online, memory["state"], loss=error, prefix="online/")
    goal = Goal("share of cells with the right move", known, at_least=0.9)
    return Training(model, np.arange(2400), None, epochs=20, batch_size=64, views=(view,), goal=goal)
