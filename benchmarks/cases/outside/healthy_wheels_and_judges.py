"""Healthy programs that act: through known physics, with delayed actors, judges, ensembles, planning, surprises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.outside.healthy_reinforcement_models import glide


class Controller(keras.Model):
    """Moves a pendulum with a weak motor; the gradient of the cost passes all moves."""

    def cost(self, states: Any) -> Any:
        states, total = tf.convert_to_tensor(states), 0.0
        for _ in range(25):
            force = self(states, training=True)
            angle, speed = states[:, :1], states[:, 1:]
            speed = speed + 0.1 * (ops.sin(angle) - 0.1 * speed + 2 * force)
            states = ops.concatenate([angle + 0.1 * speed, speed], axis=1)
            total += ops.mean(ops.square(states[:, 0]) + 0.1 * ops.square(states[:, 1])) / 25
            total += 0.01 * ops.mean(ops.square(force)) / 25
        return total

    def train_step(self, states: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            cost = self.cost(states)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(cost, weights), weights)
        return {"loss": cost}


@outside_healthy("reinforcement_learning")
def reinforcement_through_known_physics() -> Training:
    """A pendulum kept upright by a network whose gradient passes twenty-five moves of the known physics."""
    x = np.random.default_rng(721).uniform(-1.2, 1.2, (1000, 2)).astype("float32")
    inputs = keras.Input((2,))
    body = inputs
    for _ in range(2):
        body = layers.Dense(64, activation="tanh")(body)
    model = Controller(inputs, layers.Dense(1, activation="tanh", name="force")(body))
    model.compile(keras.optimizers.Adam(1e-3, clipnorm=1.0), jit_compile=False)
    view = View(model, x, loss=lambda _: model.cost(x))
    return Training(model, x, None, epochs=12, batch_size=50, views=(view,))


def tower(inputs: int, width: int, outputs: int, activation: str | None = None) -> keras.Sequential:
    """Two ReLU layers and an output layer."""
    hidden = [layers.Dense(width, activation="relu") for _ in range(2)]
    return keras.Sequential([keras.Input((inputs,)), *hidden, layers.Dense(outputs, activation=activation)])


def follow(slow: Sequence[keras.Model], fast: Sequence[keras.Model], share: float) -> None:
    """Moves slow copies toward the networks."""
    for target, source in zip(slow, fast, strict=True):
        for kept, new in zip(target.weights, source.weights, strict=True):
            kept.assign(kept + share * (new - kept))


class TwinDelayed(keras.Model):
    """Two critics that learn from smoothed actions, and an actor that steps half as often."""

    def __init__(self) -> None:
        super().__init__()
        self.actor, self.critics = tower(2, 64, 1, "tanh"), [tower(3, 64, 1) for _ in range(2)]
        self.slow_actor, self.slow_critics = tower(2, 64, 1, "tanh"), [tower(3, 64, 1) for _ in range(2)]
        follow([self.slow_actor, *self.slow_critics], [self.actor, *self.critics], 1.0)
        self.seeds = keras.random.SeedGenerator(722)
        self.critic_optimizer = keras.optimizers.Adam(2e-3)
        self.critic_optimizer.build([weight for critic in self.critics for weight in critic.trainable_variables])

    def call(self, states: Any) -> Any:
        return self.actor(states)

    def wish(self, reward: Any, following: Any) -> Any:
        noise = ops.clip(0.2 * keras.random.normal(ops.shape(reward), seed=self.seeds), -0.5, 0.5)
        action = ops.clip(self.slow_actor(following) + noise, -1, 1)
        pair = ops.concatenate([following, action], axis=1)
        return reward + 0.85 * ops.minimum(*(critic(pair) for critic in self.slow_critics))

    def error(self, critic: Any, memory: Any, wish: Any) -> Any:
        pair = ops.concatenate([memory["state"], memory["action"]], axis=1)
        return ops.mean(ops.square(wish - critic(pair)))

    def regret(self, states: Any, actions: Any) -> Any:
        return -ops.mean(self.critics[0](ops.concatenate([states, actions], axis=1)))

    def train_step(self, memory: Any) -> dict[str, Any]:
        weights = [weight for critic in self.critics for weight in critic.trainable_variables]
        error = 0.0
        for half in range(2):
            part = {name: column[half::2] for name, column in memory.items()}
            wish = ops.stop_gradient(self.wish(part["reward"], part["next_state"]))
            with tf.GradientTape() as tape:
                error = sum(self.error(critic, part, wish) for critic in self.critics)
            self.critic_optimizer.apply(tape.gradient(error, weights), weights)
        with tf.GradientTape() as tape:
            loss = self.regret(memory["state"], self.actor(memory["state"]))
        weights = self.actor.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        follow([self.slow_actor, *self.slow_critics], [self.actor, *self.critics], 0.02)
        return {"loss": loss, "critic_loss": error}


@outside_healthy("reinforcement_learning")
def reinforcement_twins_and_a_delayed_actor() -> Training:
    """TD3 from stored moves of a sled: two critics, noise on the next action, an actor that steps half as often."""
    random = np.random.default_rng(722)
    states = random.uniform(-1.5, 1.5, (2000, 2)).astype("float32")
    force = random.uniform(-1, 1, (2000, 1)).astype("float32")
    following, reward = glide(states, force)
    memory = {
        "state": states,
        "action": force,
        "reward": reward.reshape(-1, 1).astype("float32"),
        "next_state": following.astype("float32"),
    }
    model = TwinDelayed()
    model(states[:2])
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)

    def cost() -> float:
        state, total = states[:200], 0.0
        for _ in range(10):
            state, earned = glide(state, np.asarray(model(state)))
            total -= float(earned.mean())
        return total

    actor = View(model.actor, states, loss=lambda actions: model.regret(states, actions), prefix="actor/")
    goal = Goal("cost of ten moves", cost, at_most=4.5)
    return Training(model, memory, None, epochs=16, batch_size=80, views=(actor,), goal=goal)


class Imitator(keras.Model):
    """A policy that a judge of moves shall not tell from an expert."""

    def __init__(self) -> None:
        super().__init__()
        self.policy, self.judge = tower(3, 64, 2), tower(5, 64, 1)
        self.seeds = keras.random.SeedGenerator(723)
        self.judge_optimizer = keras.optimizers.Adam(1e-3, beta_1=0.5)
        self.judge_optimizer.build(self.judge.trainable_variables)

    def call(self, states: Any) -> Any:
        return self.policy(states)

    def told_apart(self, states: Any, moves: Any, made: Any) -> Any:
        real, false = (self.judge(ops.concatenate([states, given], axis=1)) for given in (moves, made))
        return ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(false))

    def suspicion(self, states: Any, made: Any) -> Any:
        return ops.mean(ops.softplus(-self.judge(ops.concatenate([states, made], axis=1))))

    def train_step(self, data: Any) -> dict[str, Any]:
        states, moves = data
        noise = 0.1 * keras.random.normal(ops.shape(moves), seed=self.seeds)
        made = self.policy(states) + noise
        weights = self.judge.trainable_variables
        with tf.GradientTape() as tape:
            judged = self.told_apart(states, moves, made)
        self.judge_optimizer.apply(tape.gradient(judged, weights), weights)
        weights = self.policy.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.suspicion(states, self.policy(states) + noise)
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss, "judge_loss": judged}


@outside_healthy("reinforcement_learning")
def reinforcement_judge_of_experts() -> Training:
    """Adversarial imitation: a judge tells the moves of an expert from those of a policy; neither loss falls."""
    random = np.random.default_rng(723)
    x = random.normal(0, 1, (1600, 3)).astype("float32")
    right = np.stack([np.tanh(x[:, 0] - x[:, 1]), 0.7 * x[:, 2]], 1)
    moves = (right + random.normal(0, 0.1, right.shape)).astype("float32")
    model = Imitator()
    model(x[:2])
    model.compile(keras.optimizers.Adam(5e-4, beta_1=0.5), jit_compile=False)
    views = (
        View(model.policy, x, loss=lambda made: model.suspicion(x, made), prefix="policy/"),
        View(
            model.judge,
            np.concatenate([x, moves], 1),
            loss=lambda scores: ops.mean(ops.softplus(-scores)),
            prefix="judge/",
        ),
    )
    goal = Goal(
        "mean difference from the expert", lambda: float(np.abs(np.asarray(model(x)) - right).mean()), None, 0.2
    )
    return Training(model, x, moves, epochs=25, batch_size=64, views=views, goal=goal)
