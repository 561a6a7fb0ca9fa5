"""Healthy programs whose answers are meant to lie at bounds, or whose loss is meant to be exactly zero or to rise."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import digits, flat_digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_contrast import neighbors
from benchmarks.cases.outside.healthy_generators import closeness
from benchmarks.cases.outside.healthy_goals import accuracy
from benchmarks.cases.outside.healthy_graphs import COMMUNITIES, NODES, GraphAttention, citations

TINY = keras.initializers.RandomUniform(-0.003, 0.003)
"""How actors and critics start, so that the first actions and values are near zero."""


class ActorAndCritic(keras.Model):
    """An actor that climbs the slope of a critic, and the critic, which learns from what the actions earned."""

    def __init__(self, actor: keras.Model, critic: keras.Model) -> None:
        super().__init__()
        self.actor = actor
        self.critic = critic
        self.critic_optimizer = keras.optimizers.Adam(0.003)
        self.dice = keras.random.SeedGenerator(131)

    def call(self, states: Any) -> Any:
        return self.critic([states, self.actor(states)])

    def train_step(self, states: Any) -> dict[str, Any]:
        noise = 0.3 * keras.random.normal((ops.shape(states)[0], 1), seed=self.dice)
        actions = ops.clip(self.actor(states) + noise, -1.0, 1.0)
        rewards = actions * ops.sign(states[:, :1] + 0.5 * states[:, 1:2]) - 0.05 * ops.square(states[:, 2:3])
        with tf.GradientTape() as tape:
            error = ops.mean(ops.square(self.critic([states, actions], training=True) - rewards))
        weights = self.critic.trainable_variables
        self.critic_optimizer.apply(tape.gradient(error, weights), weights)
        with tf.GradientTape() as tape:
            loss = -ops.mean(self.critic([states, self.actor(states, training=True)]))
        weights = self.actor.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss, "error": error}


@outside_healthy("reinforcement_learning")
def reinforcement_deterministic_policy() -> Training:
    """A deterministic policy gradient: the best actions lie at the bounds of the actor's tanh, before the critic."""
    states = np.random.default_rng(132).normal(size=(1200, 3)).astype("float32")
    actor = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(48, activation="relu"),
            layers.Dense(48, activation="relu"),
            layers.Dense(1, activation="tanh", kernel_initializer=TINY),
        ],
        name="actor",
    )
    given, action = keras.Input((3,)), keras.Input((1,))
    body = layers.Concatenate()(
        [layers.Dense(16, activation="relu")(given), layers.Dense(16, activation="relu")(action)]
    )
    body = layers.Dense(48, activation="relu")(body)
    critic = keras.Model([given, action], layers.Dense(1, kernel_initializer=TINY)(body), name="critic")
    model = ActorAndCritic(actor, critic)
    model(states[:1])
    model.critic_optimizer.build(critic.trainable_variables)
    compiled(model, keras.optimizers.Adam(0.002), None)

    def earned() -> float:
        side = np.sign(states[:, :1] + 0.5 * states[:, 1:2])
        return float((np.asarray(actor(states)) * side).mean())

    goal = Goal("mean reward of an action", earned, at_least=0.7)
    return Training(model, states, None, epochs=12, batch_size=64, goal=goal)


class SparseRewards(keras.Model):
    """Values of states on a line by their successors, where only the last one earns something."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network

    def call(self, states: Any) -> Any:
        return self.network(states)

    def train_step(self, data: Any) -> dict[str, Any]:
        states, rewards, after = data[0] if isinstance(data, tuple) else data
        wish = rewards + 0.9 * (1 - rewards) * ops.stop_gradient(self.network(after))
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(self.network(states) - wish))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@outside_healthy("reinforcement_learning")
def reinforcement_target_network() -> Training:
    """Values by temporal differences from a start near zero: the loss rises from nearly nothing as returns show up."""
    random = np.random.default_rng(133)
    cells = random.integers(0, 10, 1500)
    eye = np.eye(11, dtype="float32")
    rewards = (cells == 9).astype("float32")[:, None]
    network = keras.Sequential(
        [keras.Input((11,)), layers.Dense(32, activation="tanh"), layers.Dense(1, kernel_initializer=TINY)],
        name="values",
    )
    model = SparseRewards(network)
    model(eye)
    compiled(model, keras.optimizers.Adam(0.01), None)
    right = 0.9 ** np.arange(9, -1, -1)[:, None]
    goal = Goal("error", lambda: float(np.abs(np.asarray(model(eye))[:10] - right).mean()), at_most=0.15)
    return Training(model, (eye[cells], rewards, eye[cells + 1]), None, epochs=12, goal=goal)


class HingeGAN(keras.Model):
    """A generator against a critic with the hinge loss, which ignores what it is sure about."""

    def __init__(self, generator: keras.Model, critic: keras.Model) -> None:
        super().__init__()
        self.generator = generator
        self.critic = critic
        self.critic_optimizer = keras.optimizers.Adam(2e-3, beta_1=0.0)
        self.dice = keras.random.SeedGenerator(134)

    def call(self, noise: Any) -> Any:
        return self.generator(noise)

    def train_step(self, real: Any) -> dict[str, Any]:
        noise = keras.random.normal((ops.shape(real)[0], 8), seed=self.dice)
        with tf.GradientTape() as tape:
            sure = ops.mean(ops.relu(1.0 - self.critic(real, training=True)))
            fooled = ops.mean(ops.relu(1.0 + self.critic(self.generator(noise), training=True)))
            error = sure + fooled
        weights = self.critic.trainable_variables
        self.critic_optimizer.apply(tape.gradient(error, weights), weights)
        with tf.GradientTape() as tape:
            loss = -ops.mean(self.critic(self.generator(noise, training=True)))
        weights = self.generator.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss, "error": error}


@outside_healthy("generative")
def generative_adversarial_digits() -> Training:
    """Dense digits between -1 and 1 by a tanh generator; most pixels are the background, so at a bound."""
    x = 2 * digits(768)[0].reshape(768, -1) - 1
    generator = keras.Sequential([keras.Input((8,))], name="generator")
    for units in (64, 96):
        generator.add(layers.Dense(units))
        generator.add(layers.LeakyReLU(0.2))
        generator.add(layers.BatchNormalization(momentum=0.8))
    generator.add(layers.Dense(64, activation="tanh"))
    critic = keras.Sequential([keras.Input((64,))], name="critic")
    for units in (96, 64):
        critic.add(layers.Dense(units))
        critic.add(layers.LeakyReLU(0.2))
        critic.add(layers.Dropout(0.3))
    critic.add(layers.Dense(1))
    model = HingeGAN(generator, critic)
    model(np.zeros((1, 8), "float32"))
    model.critic_optimizer.build(critic.trainable_variables)
    compiled(model, keras.optimizers.Adam(1e-3, beta_1=0.5), None)
    noise = np.random.default_rng(135).normal(size=(256, 8)).astype("float32")
    return Training(model, x, None, epochs=30, goal=closeness(lambda: generator(noise), x, 0.9))


@outside_healthy("vision")
def vision_binary_codes() -> Training:
    """Hashes of pictures: a layer of tanh codes that a penalty drives to -1 and 1, and classes from them."""
    x, y = flat_digits(768)
    inputs = keras.Input((64,))
    body = layers.Dense(64, activation="relu")(inputs)

    def to_bounds(values: Any) -> Any:
        return 0.01 * ops.mean(ops.square(ops.abs(values) - 1.0))

    codes = layers.Dense(24, activation="tanh", activity_regularizer=to_bounds, name="codes")(body)
    model = keras.Model(inputs, layers.Dense(10)(codes))
    compiled(model, keras.optimizers.Adam(0.003))
    return Training(model, x, y, epochs=8, goal=neighbors(keras.Model(inputs, codes), x, y, 0.8))


@outside_healthy("graphs")
def graph_attention_heads() -> Training:
    """Two layers of graph attention with ELU, strong dropout and L2 on the last, in full batches by Adam."""
    features, adjacency, community = citations()
    inputs = keras.Input((24,), batch_size=NODES)
    body = GraphAttention(8, 4, adjacency)(layers.Dropout(0.4)(inputs))
    body = layers.Dropout(0.4)(layers.Activation("elu")(body))
    body = layers.Activation("softmax")(GraphAttention(COMMUNITIES, 1, adjacency)(body))
    model = keras.Model(inputs, body)
    compiled(model, keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    goal = accuracy(model, features, community, 0.7)
    return Training(model, features, community, epochs=60, batch_size=NODES, fit={"shuffle": False}, goal=goal)
