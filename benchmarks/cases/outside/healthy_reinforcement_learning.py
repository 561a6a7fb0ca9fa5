"""Healthy programs that learn from rewards in small simulators, or from what others did there."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array

STEPS = 16

STEPS_OF_MOVES = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])


def pole(state: Any, push: Any) -> Any:
    """The next angle and speed of a pole that falls unless it is pushed; works on arrays and tensors."""
    angle, speed = state[:, 0], state[:, 1]
    speed = speed + 0.12 * angle + 0.06 * push
    parts = [angle + 0.3 * speed, speed]
    return np.stack(parts, 1) if isinstance(state, np.ndarray) else tf.stack(parts, 1)


def starts(count: int) -> Array:
    random = np.random.default_rng(37)
    return (random.uniform(-1, 1, (count, 2)) * [0.25, 0.2]).astype("float32")


class ActorCritic(keras.Model):
    """Plays the pole from the states of the batch and learns from what it sees."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network
        self.dice = keras.random.SeedGenerator(38)

    def call(self, states: Any) -> Any:
        return self.network(states)

    def train_step(self, states: Any) -> dict[str, Any]:
        alive = tf.ones_like(states[:, 0])
        chances, values, rewards, lives = [], [], [], []
        with tf.GradientTape() as tape:
            for _ in range(STEPS):
                scores, value = self.network(states)
                action = keras.random.categorical(scores, 1, seed=self.dice)[:, 0]
                chances.append(-tf.nn.sparse_softmax_cross_entropy_with_logits(action, scores))
                values.append(value[:, 0])
                lives.append(alive)
                states = tf.clip_by_value(pole(states, 2.0 * tf.cast(action, "float32") - 1.0), -1.0, 1.0)
                alive = alive * tf.cast(tf.abs(states[:, 0]) < 0.4, "float32")
                rewards.append(alive)
            total, losses = tf.zeros_like(alive), []
            for chance, value, reward, life in zip(
                *(each[::-1] for each in (chances, values, rewards, lives)), strict=True
            ):
                total = reward + 0.9 * total
                surprise = total - value
                actor_loss = -chance * tf.stop_gradient(surprise)
                losses.append(life * (actor_loss + 0.5 * tf.square(surprise)))
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss, "reward": tf.reduce_sum(rewards) / tf.cast(tf.shape(alive)[0], "float32")}


@outside_healthy("reinforcement_learning")
def reinforcement_actor_critic() -> Training:
    """Actor and critic balance a pole; as play gets better, so do the returns, and the critic's loss rises first."""
    inputs = keras.Input(shape=(2,))
    common = layers.Dense(32, activation="relu")(inputs)
    network = keras.Model(inputs, [layers.Dense(2)(common), layers.Dense(1)(common)])
    model = ActorCritic(network)
    x = starts(512)
    model(x[:2])
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.01), jit_compile=False)

    def lasted() -> float:
        random = np.random.default_rng(56)
        state, alive, total = x, np.ones(len(x)), np.zeros(len(x))
        for _ in range(STEPS):
            scores = np.asarray(network(state)[0])
            is_right = random.random(len(x)) < 1 / (1 + np.exp(scores[:, 0] - scores[:, 1]))
            state = pole(state, 2.0 * is_right.astype("float32") - 1.0)
            alive = alive * (np.abs(state[:, 0]) < 0.4)
            total += alive
        return float(total.mean())

    return Training(model, x, None, epochs=6, goal=Goal("steps in balance of 16", lasted, at_least=13.0))


def moves() -> dict[str, Array]:
    """Random moves in a field of 5 by 5 whose corner is the goal: state, action, reward, next state, end."""
    random = np.random.default_rng(39)
    place, action = random.integers(0, 5, (1500, 2)), random.integers(0, 4, 1500)
    place = place[place.sum(1) < 8]
    action = action[: len(place)]
    moved = np.clip(place + STEPS_OF_MOVES[action], 0, 4)
    done = (moved.sum(1) == 8).astype("float32")
    one_hot = np.eye(25, dtype="float32")
    return {
        "state": one_hot[place @ [5, 1]],
        "action": action.astype("int32"),
        "reward": done,
        "next_state": one_hot[moved @ [5, 1]],
        "done": done,
    }


class DeepQ(keras.Model):
    """Learns the value of actions from a memory of moves, with a slowly following copy for the targets."""

    def __init__(self, online: keras.Model, target: keras.Model) -> None:
        super().__init__()
        self.online, self.target = online, target
        self.target.set_weights(online.get_weights())
        self.target.trainable = False

    def call(self, inputs: Any) -> Any:
        return self.online(inputs["state"])

    def error(self, memory: Any, values: Any) -> Any:
        future = ops.max(self.target(memory["next_state"]), axis=1)
        expected = memory["reward"] + 0.85 * (1 - memory["done"]) * future
        chosen = ops.sum(values * ops.one_hot(memory["action"], 4), axis=1)
        return ops.mean(keras.losses.huber(ops.stop_gradient(expected)[:, None], chosen[:, None]))

    def train_step(self, memory: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self.error(memory, self.online(memory["state"], training=True))
        weights = self.online.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        for slow, fast in zip(self.target.weights, self.online.weights, strict=True):
            slow.assign(slow + 0.1 * (fast - slow))
        return {"loss": loss}


def q_network() -> keras.Model:
    return keras.Sequential([keras.Input((25,)), layers.Dense(48, "relu"), layers.Dense(48, "relu"), layers.Dense(4)])


@outside_healthy("reinforcement_learning")
def reinforcement_deep_q() -> Training:
    """Deep Q-learning from a memory of random moves: rewards are rare, and the loss rises when values spread."""
    memory = moves()
    online = q_network()
    model = DeepQ(online, q_network())
    model({"state": memory["state"][:2]})
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.003, clipnorm=1.0), jit_compile=False)

    def arrived() -> float:
        best = np.asarray(online(np.eye(25, dtype="float32"))).argmax(1)
        place = np.stack(np.divmod(np.arange(25), 5), 1)
        fewest = 8 - place.sum(1)
        has_arrived = fewest == 0
        for moves_made in range(1, 9):
            place = np.clip(place + STEPS_OF_MOVES[best[place @ [5, 1]]], 0, 4)
            has_arrived |= (place.sum(1) == 8) & (moves_made == fewest)
        return float(has_arrived.mean())

    view = View(online, memory["state"], loss=lambda values: model.error(memory, values), prefix="online/")
    goal = Goal("share of states from which it arrives in the fewest moves", arrived, at_least=0.9)
    return Training(model, memory, None, epochs=12, batch_size=64, views=(view,), goal=goal)


class ProximalPolicy(keras.Model):
    """Draws actions, and takes several careful steps on the same rewards."""

    def __init__(self) -> None:
        super().__init__()
        self.actor = keras.Sequential(
            [keras.Input((3,)), layers.Dense(32, "tanh"), layers.Dense(32, "tanh"), layers.Dense(1)]
        )
        self.critic = keras.Sequential(
            [keras.Input((3,)), layers.Dense(32, "tanh"), layers.Dense(32, "tanh"), layers.Dense(1)]
        )
        self.log_std = self.add_weight(shape=(1,), initializer=keras.initializers.Constant(-0.5), name="log_std")
        self.dice = keras.random.SeedGenerator(40)

    def call(self, states: Any) -> Any:
        return self.actor(states)

    def log_chance(self, states: Any, actions: Any) -> Any:
        distance = (actions - self.actor(states)) / ops.exp(self.log_std)
        return (-0.5 * ops.square(distance) - self.log_std - 0.5 * math.log(2 * math.pi))[:, 0]

    def train_step(self, states: Any) -> dict[str, Any]:
        noise = keras.random.normal((ops.shape(states)[0], 1), seed=self.dice)
        actions = self.actor(states) + ops.exp(self.log_std) * noise
        rewards = reward_of(states, actions)
        before = self.log_chance(states, actions)
        advantage = rewards - self.critic(states)[:, 0]
        advantage = (advantage - ops.mean(advantage)) / (ops.std(advantage) + 1e-6)
        for _ in range(3):
            with tf.GradientTape() as tape:
                ratio = ops.exp(self.log_chance(states, actions) - before)
                bounded = ops.clip(ratio, 0.8, 1.2) * advantage
                policy_loss = -ops.mean(ops.minimum(ratio * advantage, bounded))
                loss = policy_loss + 0.5 * ops.mean(ops.square(rewards - self.critic(states)[:, 0]))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss, "reward": ops.mean(rewards)}


def reward_of(states: Any, actions: Any) -> Any:
    """How well a throw hits, given distance and wind."""
    wanted = states[:, 0] - 0.5 * states[:, 1] * states[:, 2]
    return ops.exp(-2.0 * ops.square(actions[:, 0] - wanted))


@outside_healthy("reinforcement_learning")
def reinforcement_proximal_policy() -> Training:
    """Proximal policy optimization of throws: clipping stops the gradient of many samples on purpose."""
    states = np.random.default_rng(41).normal(size=(768, 3)).astype("float32")
    model = ProximalPolicy()
    model(states[:2])
    model.compile(optimizer=keras.optimizers.Adam(0.005, global_clipnorm=0.5), jit_compile=False)
    goal = Goal("mean reward", lambda: float(ops.mean(reward_of(states, model(states)))), at_least=0.75)
    return Training(model, states, None, epochs=8, batch_size=64, goal=goal)


@outside_healthy("reinforcement_learning")
def reinforcement_logged_bandit() -> Training:
    """A bandit's policy from logged choices, weighted by rewards: half of all samples have a weight of zero."""
    random = np.random.default_rng(42)
    contexts = random.normal(size=(1500, 8)).astype("float32")
    worth = contexts @ random.normal(size=(8, 5))
    actions = random.integers(0, 5, 1500)
    rewards = (worth[np.arange(1500), actions] + random.normal(0, 0.5, 1500) > 0.8).astype("float32")
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(32, "elu"), layers.Dense(32, "elu"), layers.Dense(5, "softmax")]
    )
    model.compile(
        keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", weighted_metrics=[], jit_compile=False
    )

    def regret() -> float:
        chosen = np.asarray(model(contexts)).argmax(1)
        return float((worth.max(1) - worth[np.arange(1500), chosen]).mean() / (worth.max(1) - worth.mean(1)).mean())

    goal = Goal("regret as a share of that of chance", regret, at_most=0.35)
    return Training(model, contexts, actions, epochs=6, fit={"sample_weight": rewards}, goal=goal)


@outside_healthy("reinforcement_learning")
def reinforcement_imitation() -> Training:
    """Imitation of a controller that mostly does nothing and sometimes errs."""
    random = np.random.default_rng(43)
    states = (random.normal(size=(900, 4)) * [0.5, 1.0, 0.3, 1.0]).astype("float32")
    wish = states @ [0.6, 0.5, 2.0, 0.8]
    actions = np.select([wish < -1.0, wish > 1.0], [0, 2], 1)
    wrong = random.random(900) < 0.05
    actions = np.where(wrong, random.integers(0, 3, 900), actions)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(64, activation="tanh", kernel_initializer="orthogonal"),
            layers.Dense(64, activation="tanh", kernel_initializer="orthogonal"),
            layers.Dense(3, kernel_initializer=keras.initializers.Orthogonal(gain=0.1)),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(3e-3, epsilon=1e-5),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return Training(model, states, actions, epochs=8, fit={"class_weight": {0: 1.5, 1: 0.8, 2: 1.5}})
