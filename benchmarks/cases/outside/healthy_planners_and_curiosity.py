"""Healthy programs that act: entropy, quantiles, sequences of returns, curiosity, board games, preferences."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, class_entropy
from benchmarks.cases.outside.healthy_reinforcement_models import glide


class SoftActorCritic(keras.Model):
    """An actor that draws actions, two critics and their slow copies; being hard to predict is rewarded as well."""

    def __init__(self) -> None:
        super().__init__()
        body = [layers.Dense(32, activation="relu"), layers.Dense(32, activation="relu")]
        self.actor = keras.Sequential([layers.Input((2,)), *body, layers.Dense(2)])
        self.critics = [self.new_critic() for _ in range(2)]
        self.slow = [self.new_critic() for _ in range(2)]
        for slow, critic in zip(self.slow, self.critics, strict=True):
            slow.set_weights(critic.get_weights())
        self.seeds = keras.random.SeedGenerator(461)
        self.critic_optimizer = keras.optimizers.Adam(0.003)
        self.critic_optimizer.build([weight for critic in self.critics for weight in critic.trainable_variables])

    @staticmethod
    def new_critic() -> keras.Model:
        body = [layers.Dense(32, activation="relu"), layers.Dense(32, activation="relu")]
        return keras.Sequential([layers.Input((3,)), *body, layers.Dense(1)])

    def call(self, states: Any) -> Any:
        return ops.tanh(self.actor(states)[:, :1])

    def drawn(self, states: Any) -> tuple[Any, Any]:
        """Actions between -1 and 1, and the logarithms of their densities."""
        mean, log_deviation = ops.split(self.actor(states), 2, axis=-1)
        log_deviation = ops.clip(log_deviation, -4, 1)
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        raw = mean + ops.exp(log_deviation) * noise
        density = -ops.square(noise) / 2 - log_deviation - 0.919
        return ops.tanh(raw), density - 2 * (0.693 - raw - ops.softplus(-2 * raw))

    def train_step(self, memory: Any) -> dict[str, Any]:
        state, following = memory["state"], memory["next_state"]
        action, density = self.drawn(following)
        pair = ops.concatenate([following, action], axis=-1)
        value = ops.minimum(self.slow[0](pair), self.slow[1](pair)) - 0.05 * density
        wish = ops.stop_gradient(memory["reward"][:, None] + 0.85 * value)
        weights = [weight for critic in self.critics for weight in critic.trainable_variables]
        with tf.GradientTape() as tape:
            pair = ops.concatenate([state, memory["action"]], axis=-1)
            critic_loss = sum(ops.mean(ops.square(wish - critic(pair))) for critic in self.critics)
        self.critic_optimizer.apply(tape.gradient(critic_loss, weights), weights)
        with tf.GradientTape() as tape:
            action, density = self.drawn(state)
            pair = ops.concatenate([state, action], axis=-1)
            values = ops.minimum(self.critics[0](pair), self.critics[1](pair))
            loss = ops.mean(0.05 * density - values)
        weights = self.actor.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        for slow, critic in zip(self.slow, self.critics, strict=True):
            for target, source in zip(slow.weights, critic.weights, strict=True):
                target.assign(0.95 * target + 0.05 * source)
        return {"loss": loss, "critic_loss": critic_loss}


@outside_healthy("reinforcement_learning")
def reinforcement_soft_actor_critic() -> Training:
    """Soft actor-critic on stored moves of a sled: two critics, drawn actions, and a reward for many choices."""
    random = np.random.default_rng(461)
    states = random.uniform(-1.5, 1.5, (1280, 2)).astype("float32")
    force = random.uniform(-1, 1, (1280, 1)).astype("float32")
    following, reward = glide(states, force)
    memory = {"state": states, "action": force, "reward": reward.astype("float32"), "next_state": following}
    model = SoftActorCritic()
    model(states[:2])
    compiled(model, keras.optimizers.Adam(0.003), None)

    def cost() -> float:
        state, total = states[:200], 0.0
        for _ in range(10):
            state, reward = glide(state, np.asarray(model(state)))
            total -= float(reward.mean())
        return total

    return Training(model, memory, None, epochs=15, batch_size=64, goal=Goal("cost of ten moves", cost, at_most=4.5))


QUANTILES = 15


def lottery(count: int) -> tuple[Array, Array, Array]:
    """States, which of three lots was drawn, and what it paid: one is safe, one varies, one depends on the state."""
    random = np.random.default_rng(462)
    states, lot = random.uniform(-1, 1, (count, 3)), random.integers(0, 3, count)
    varied = 2 * (random.random(count) < 0.5) + states[:, 1]
    paid = np.stack([0.8 + 0 * varied, varied, 1 + 2 * states[:, 0] * states[:, 2]], 1)[np.arange(count), lot]
    return states.astype("float32"), lot, (paid + random.normal(0, 0.1, count)).astype("float32")


def quantile_huber(truth: Any, given: Any) -> Any:
    """The Huber loss of quantiles of the lot that was drawn: errors above weigh more for the high ones."""
    lot, paid = ops.cast(truth[:, 0], "int32"), truth[:, 1:]
    values = ops.sum(ops.reshape(given, (-1, 3, QUANTILES)) * ops.one_hot(lot, 3)[..., None], axis=1)
    gap = paid - values
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    weight = ops.abs(levels.astype("float32") - ops.cast(gap < 0, "float32"))
    size = ops.abs(gap)
    return ops.mean(weight * ops.where(size < 0.3, ops.square(size) / 0.6, size - 0.15), axis=-1)


@outside_healthy("reinforcement_learning")
def reinforcement_quantiles_of_returns() -> Training:
    """Fifteen quantiles of what each of three lots pays; no network knows what chance will bring."""
    states, lot, paid = lottery(1200)
    truth = np.stack([lot, paid], 1).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(3 * QUANTILES),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.002, epsilon=0.01 / 32), quantile_huber)
    mean = np.stack([0.8 + 0 * states[:, 0], 1 + states[:, 1], 1 + 2 * states[:, 0] * states[:, 2]], 1)

    def regret() -> float:
        best = np.asarray(model(states)).reshape(-1, 3, QUANTILES).mean(-1).argmax(1)
        return float((mean.max(1) - mean[np.arange(len(best)), best]).mean())

    goal = Goal("lost by choosing another lot than the best", regret, at_most=0.1)
    return Training(model, states, truth, epochs=15, goal=goal)


def walks(count: int, length: int = 10) -> tuple[list[Array], Array]:
    """Random walks to a goal on a line: what will still be earned, positions, the moves before, and the moves."""
    random = np.random.default_rng(463)
    place = random.integers(-4, 5, count)
    skill = random.uniform(0, 1, count)
    places, moves, rewards = [], [], []
    for _ in range(length):
        towards = np.where(place > 0, 0, np.where(place < 0, 2, 1))
        move = np.where(random.random(count) < skill, towards, random.integers(0, 3, count))
        places.append(place)
        moves.append(move)
        place = (place + move - 1).clip(-4, 4)
        rewards.append(place == 0)
    to_come = np.cumsum(np.stack(rewards, 1)[:, ::-1], 1)[:, ::-1] / length
    move = np.stack(moves, 1)
    before = np.concatenate([np.full((count, 1), 3), move[:, :-1]], 1)
    x = [to_come[..., None].astype("float32"), np.stack(places, 1)[..., None].astype("float32"), before.astype("int32")]
    return x, move.astype("int32")


class Places(layers.Layer):
    """Adds a learned vector for each moment."""

    def build(self, input_shape: Any) -> None:
        self.vectors = self.add_weight(input_shape[1:], initializer="uniform", name="vectors")

    def call(self, inputs: Any) -> Any:
        return inputs + self.vectors


@outside_healthy("reinforcement_learning")
def reinforcement_return_conditioned_transformer() -> Training:
    """A decision transformer: which move follows from the return that is wished for, the place and earlier moves."""
    x, y = walks(700)
    wish, place, before = layers.Input((10, 1)), layers.Input((10, 1)), layers.Input((10,), dtype="int32")
    body = layers.Add()([layers.Dense(32)(wish), layers.Dense(32)(place), layers.Embedding(4, 32)(before)])
    body = layers.LayerNormalization()(Places()(body))
    for _ in range(2):
        normal = layers.LayerNormalization()(body)
        attended = layers.MultiHeadAttention(2, 16)(normal, normal, use_causal_mask=True)
        body = layers.Add()([body, layers.Dropout(0.1)(attended)])
        wide = layers.Dense(64, activation="gelu")(layers.LayerNormalization()(body))
        body = layers.Add()([body, layers.Dropout(0.1)(layers.Dense(32)(wide))])
    model = keras.Model([wish, place, before], layers.Dense(3)(layers.LayerNormalization()(body)))
    rate = keras.optimizers.schedules.CosineDecay(1e-4, 200, warmup_target=3e-3, warmup_steps=40)
    compiled(model, keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=0.25))
    return Training(model, x, y, epochs=10, constant_loss=class_entropy(y))


@outside_healthy("reinforcement_learning")
def reinforcement_surprise_of_states() -> Training:
    """Random network distillation: a network learns what a frozen random one says of states; errors are curiosity."""
    random = np.random.default_rng(464)
    room = random.choice(4, 1200, p=[0.6, 0.3, 0.08, 0.02])
    x = (random.normal(0, 0.5, (1200, 6)) + 2 * np.eye(4, 6)[room]).clip(-5, 5).astype("float32")
    inputs = layers.Input((6,))
    target: Any = inputs
    for layer in (layers.Dense(64, activation="relu"), layers.Dense(16)):
        layer.trainable = False
        target = layer(target)
    body = layers.Dense(64, activation="relu")(inputs)
    body = layers.Dense(16)(layers.Dense(64, activation="relu")(body))
    surprise = layers.Lambda(lambda both: ops.mean(ops.square(both[0] - both[1]), -1, True))([body, target])
    model = keras.Model(inputs, surprise)
    compiled(model, keras.optimizers.Adam(1e-3), lambda truth, given: given)

    def error() -> float:
        known, wish = (np.asarray(keras.Model(inputs, part)(x)) for part in (body, target))
        return float(np.square(known - wish).mean() / wish.var(0).mean())

    goal = Goal("error as a share of the variance of the target", error, at_most=0.3)
    return Training(model, x, np.zeros((1200, 1), "float32"), epochs=15, goal=goal)


LINES = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]])


@functools.cache
def outcome(board: tuple[int, ...]) -> int:
    """What the player of 1, whose turn it is, reaches at best: 1, 0 or -1."""
    if (np.array(board)[LINES].sum(1) == -3).any():
        return -1
    return max((-outcome(after(board, free)) for free in range(9) if not board[free]), default=0)


def after(board: tuple[int, ...], place: int) -> tuple[int, ...]:
    """The board after a move, as the other player sees it."""
    return tuple(-1 if number == place else -piece for number, piece in enumerate(board))


@functools.cache
def positions(count: int) -> tuple[Array, Array, Array]:
    """Boards of noughts and crosses as planes, shares of the best moves, and the outcome."""
    random = np.random.default_rng(465)
    boards = []
    for pieces in itertools.product((-1, 0, 1), repeat=9):
        is_over = (np.abs(np.array(pieces)[LINES].sum(1)) == 3).any() or 0 not in pieces
        if sum(pieces) in (0, -1) and not is_over:
            boards.append(pieces)
    boards = [boards[number] for number in random.permutation(len(boards))[:count]]
    best = np.zeros((count, 9))
    for row, board in zip(best, boards, strict=True):
        for place in range(9):
            row[place] = not board[place] and -outcome(after(board, place)) == outcome(board)
    planes = np.stack([np.array(boards) == piece for piece in (1, -1)], -1).reshape(count, 3, 3, 2)
    value = np.array([outcome(board) for board in boards])[:, None]
    return planes.astype("float32"), (best / best.sum(1, keepdims=True)).astype("float32"), value.astype("float32")


@outside_healthy("reinforcement_learning")
def reinforcement_moves_and_outcome() -> Training:
    """Noughts and crosses as AlphaZero plays: residual convolutions, shares of moves, and a tanh for the outcome."""
    x, moves, value = positions(900)
    inputs = layers.Input((3, 3, 2))
    body = layers.Conv2D(32, 3, padding="same", use_bias=False)(inputs)
    body = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(body))
    for _ in range(2):
        branch = layers.Conv2D(32, 3, padding="same", use_bias=False)(body)
        branch = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(branch))
        branch = layers.Conv2D(32, 3, padding="same", use_bias=False)(branch)
        branch = layers.BatchNormalization(momentum=0.9)(branch)
        body = layers.ReLU()(layers.Add()([body, branch]))
    policy = layers.Flatten()(layers.Conv2D(4, 1, activation="relu")(body))
    policy = layers.Dense(9, activation="softmax", name="moves")(policy)
    result = layers.Flatten()(layers.Conv2D(4, 1, activation="relu")(body))
    result = layers.Dense(1, activation="tanh", name="value")(layers.Dense(32, activation="relu")(result))
    model = keras.Model(inputs, {"moves": policy, "value": result})
    losses = {"moves": "categorical_crossentropy", "value": "mse"}
    compiled(model, keras.optimizers.SGD(0.03, momentum=0.9, weight_decay=1e-4), losses)
    usual = moves.mean(0)
    constant = float(-(usual * np.log(usual)).sum() + value.var())
    return Training(model, x, {"moves": moves, "value": value}, epochs=12, constant_loss=constant)


@outside_healthy("reinforcement_learning")
def reinforcement_rewards_from_preferences() -> Training:
    """What people want, from which of two short films they liked better: the same recurrent network rates both."""
    random = np.random.default_rng(466)
    films = random.normal(size=(2, 900, 8, 4)).cumsum(2) / 2
    reward = (films[..., 0] - 0.5 * np.abs(films[..., 1])).sum(-1)
    y = (random.random(900) < 1 / (1 + np.exp(reward[0] - reward[1]))).astype("int32")
    pair = [layers.Input((8, 4)), layers.Input((8, 4))]
    each = [layers.Dense(32, activation="leaky_relu"), layers.Dense(32, activation="leaky_relu"), layers.Dense(1)]
    totals = []
    for film in pair:
        body: Any = film
        for layer in each:
            body = layer(body)
        totals.append(layers.Flatten()(layers.GlobalAveragePooling1D()(body)))
    model = keras.Model(pair, layers.Concatenate()(totals))
    compiled(model, keras.optimizers.Adam(0.003, weight_decay=1e-3))
    x = [film.astype("float32") for film in films]
    return Training(model, x, y, epochs=10, views=(View(model, x, y),), goal=accuracy(model, x, y, 0.85))
