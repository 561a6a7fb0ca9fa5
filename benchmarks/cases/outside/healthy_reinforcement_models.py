"""Healthy programs for control: continuous actions, models of the world, values of states, play from pixels."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.outside.healthy_goals import binary_entropy
from benchmarks.cases.outside.healthy_reinforcement_learning import pole


def glide(states: Array, force: Array) -> tuple[Array, Array]:
    """The next position and speed of a sled, and the reward for being slow and near zero."""
    speed = 0.8 * states[:, 1] + 0.5 * force[:, 0]
    following = np.stack([states[:, 0] + 0.5 * speed, speed], 1).clip(-2, 2)
    return following.astype("float32"), -np.square(following[:, 0]) - 0.1 * np.square(speed)


class DeterministicPolicy(keras.Model):
    """An actor and the critic that it climbs, each with a slow copy."""

    def __init__(self) -> None:
        super().__init__()
        self.actor, self.slow_actor = self.new_actor(), self.new_actor()
        self.critic, self.slow_critic = self.new_critic(), self.new_critic()
        self.slow_actor.set_weights(self.actor.get_weights())
        self.slow_critic.set_weights(self.critic.get_weights())

    @staticmethod
    def new_actor() -> keras.Model:
        last = layers.Dense(1, "tanh", kernel_initializer=keras.initializers.RandomUniform(-0.03, 0.03))
        return keras.Sequential([keras.Input((2,)), layers.Dense(32, "relu"), layers.Dense(32, "relu"), last])

    @staticmethod
    def new_critic() -> keras.Model:
        state, action = keras.Input((2,)), keras.Input((1,))
        body = layers.Concatenate()([layers.Dense(16, "relu")(state), layers.Dense(16, "relu")(action)])
        return keras.Model([state, action], layers.Dense(1)(layers.Dense(48, "relu")(body)))

    def call(self, memory: Any) -> Any:
        return self.actor(memory["state"])

    def train_step(self, memory: Any) -> dict[str, Any]:
        state, following = memory["state"], memory["next_state"]
        with tf.GradientTape() as tape:
            expected = memory["reward"][:, None] + 0.85 * self.slow_critic([following, self.slow_actor(following)])
            critic_loss = ops.mean(ops.square(expected - self.critic([state, memory["action"]])))
        weights = self.critic.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(critic_loss, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            actor_loss = -ops.mean(self.critic([state, self.actor(state)]))
        weights = self.actor.trainable_variables
        self.actor_optimizer.apply_gradients(zip(tape.gradient(actor_loss, weights), weights, strict=True))
        for slow, fast in ((self.slow_actor, self.actor), (self.slow_critic, self.critic)):
            for target, source in zip(slow.weights, fast.weights, strict=True):
                target.assign(0.9 * target + 0.1 * source)
        return {"critic_loss": critic_loss, "actor_loss": actor_loss}


@outside_healthy("reinforcement_learning")
def reinforcement_continuous_actions() -> Training:
    """Deterministic policy gradients with slow copies: four networks, two of which the optimizers never touch."""
    random = np.random.default_rng(44)
    states = random.uniform(-1.5, 1.5, (1200, 2)).astype("float32")
    force = random.uniform(-1, 1, (1200, 1)).astype("float32")
    following, reward = glide(states, force)
    memory = {"state": states, "action": force, "reward": reward.astype("float32"), "next_state": following}
    model = DeterministicPolicy()
    model({"state": states[:2]})
    model.actor_optimizer = keras.optimizers.Adam(0.002)
    model.actor_optimizer.build(model.actor.trainable_variables)
    model.compile(optimizer=keras.optimizers.Adam(0.005), jit_compile=False)

    def cost() -> float:
        state, total = states[:200], 0.0
        for _ in range(10):
            state, reward = glide(state, np.asarray(model.actor(state)))
            total -= float(reward.mean())
        return total

    return Training(model, memory, None, epochs=12, batch_size=64, goal=Goal("cost of ten moves", cost, at_most=4.5))


@outside_healthy("reinforcement_learning")
def reinforcement_world_model() -> Training:
    """A model of the world with three heads: small changes of state, rewards, and rare ends."""
    random = np.random.default_rng(45)
    states = (random.uniform(-1, 1, (1000, 2)) * [0.45, 0.4]).astype("float32")
    push = random.integers(0, 2, (1000, 1)).astype("float32") * 2 - 1
    following = pole(states, push[:, 0])
    done = (np.abs(following[:, :1]) > 0.42).astype("float32")
    change = (following - states).astype("float32")
    reward = (1 - np.abs(following[:, :1]) * 2).astype("float32")
    state_in, action_in = keras.Input((2,), name="state"), keras.Input((1,), name="action")
    body = layers.Concatenate()([state_in, action_in])
    for _ in range(2):
        body = layers.LayerNormalization()(layers.Dense(48, activation="swish")(body))
    outputs = {
        "change": layers.Dense(2, name="change")(body),
        "reward": layers.Dense(1, name="reward")(body),
        "done": layers.Dense(1, activation="sigmoid", name="done")(body),
    }
    model = keras.Model({"state": state_in, "action": action_in}, outputs)
    model.compile(
        optimizer=keras.optimizers.Adam(0.003),
        loss={"change": "mse", "reward": "mae", "done": "binary_crossentropy"},
        loss_weights={"change": 20.0, "reward": 1.0, "done": 1.0},
        jit_compile=False,
    )
    constant = 20 * change.var(0).mean() + np.abs(reward - np.median(reward)).mean() + binary_entropy(done)
    targets = {"change": change, "reward": reward, "done": done}
    return Training(model, {"state": states, "action": push}, targets, epochs=8, constant_loss=float(constant))


@outside_healthy("reinforcement_learning")
def reinforcement_values_of_states() -> Training:
    """Values of states from unscaled returns of play: the loss starts in the hundreds, and some of it is chance."""
    random = np.random.default_rng(46)
    states = random.uniform(-1, 1, (900, 3)).astype("float32")
    chance = 1 / (1 + np.exp(-2 * states[:, 0] - states[:, 1] * states[:, 2]))
    returns = random.binomial(40, chance).astype("float32")[:, None]
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(64, activation="relu", kernel_initializer="he_normal"),
            layers.Dense(64, activation="relu", kernel_initializer="he_normal"),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer=keras.optimizers.RMSprop(0.003), loss="mse", jit_compile=False)
    return Training(model, states, returns, epochs=12)


def catches(count: int) -> tuple[Array, Array]:
    """Pictures of a falling ball and a paddle, and whether to move left, stay or move right."""
    random = np.random.default_rng(47)
    ball, row, paddle = random.integers(0, 8, count), random.integers(0, 6, count), random.integers(1, 7, count)
    pictures = np.zeros((count, 8, 8, 1), "float32")
    pictures[np.arange(count), row, ball] = 1.0
    for offset in (-1, 0, 1):
        pictures[np.arange(count), 7, paddle + offset] = 1.0
    return pictures, np.sign(ball - paddle) + 1


class Reinforce(keras.Model):
    """Draws moves and makes the rewarded ones more likely."""

    def __init__(self, policy: keras.Model) -> None:
        super().__init__()
        self.policy = policy
        self.dice = keras.random.SeedGenerator(48)

    def call(self, pictures: Any) -> Any:
        return self.policy(pictures)

    def train_step(self, data: Any) -> dict[str, Any]:
        pictures, right = data
        with tf.GradientTape() as tape:
            scores = self.policy(pictures, training=True)
            moves = keras.random.categorical(scores, 1, seed=self.dice)[:, 0]
            reward = ops.cast(ops.equal(ops.cast(moves, "int32"), ops.cast(right, "int32")), "float32")
            chance = -keras.losses.sparse_categorical_crossentropy(moves, scores, from_logits=True)
            entropy = -ops.mean(ops.sum(ops.softmax(scores) * ops.log_softmax(scores), axis=1))
            loss = -ops.mean(chance * (reward - ops.mean(reward))) - 0.01 * entropy
        gradients = tape.gradient(loss, self.policy.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.policy.trainable_variables, strict=True))
        return {"loss": loss, "reward": ops.mean(reward)}


@outside_healthy("reinforcement_learning")
def reinforcement_from_pixels() -> Training:
    """Policy gradients from pictures that are nearly black: the loss stays around zero while rewards rise."""
    x, y = catches(900)
    policy = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(12, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(48, activation="relu"),
            layers.Dense(3),
        ]
    )
    model = Reinforce(policy)
    model(x[:2])
    model.compile(optimizer=keras.optimizers.Adam(0.005), jit_compile=False)

    def reward() -> float:
        return float((np.asarray(policy(x)).argmax(1) == y).mean())

    def chance_to_miss(scores: Any) -> Any:
        return 1.0 - ops.mean(ops.sum(ops.softmax(scores) * ops.one_hot(y, 3), axis=1))

    return Training(
        model,
        x,
        y,
        epochs=10,
        views=(View(policy, x, loss=chance_to_miss, prefix="policy/"),),
        goal=Goal("mean reward", reward, at_least=0.8),
    )
