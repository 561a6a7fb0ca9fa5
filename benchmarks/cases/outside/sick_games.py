"""Programs that learn to act: values, policies and returns that cannot be learned as they are."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled

LOST = ("nonfinite", "nonfinite_data", "no_learning", "collapsed_layer")
"""What goes with a loss that is not finite."""


def rallies(count: int = 640) -> tuple[Array, Array]:
    """Ball and paddle of a ball game, and the return of each of three moves: 1 for a point won, -1 for one lost."""
    random = np.random.default_rng(220)
    state = random.uniform(-1, 1, (count, 4)).astype("float32")
    gap = (state[:, :1] + 0.5 * state[:, 1:2] - state[:, 2:3]) - np.array([[-0.5, 0.0, 0.5]])
    return state, np.where(np.abs(gap) < 0.5, 0.6, -0.8).astype("float32")


@outside_sick(
    "unfit_head",
    ["values"],
    family="reinforcement_learning",
    source="https://github.com/dennybritz/reinforcement-learning/pull/104",
    accepted="The last layer has a ReLU, which prevents negative values, and these are critical in games like Pong.",
    also=("dead_units", "vanishing_gradient", "stagnant_weights", "no_gradient", "collapsed_layer"),
)
def values_without_negative_ones() -> Training:
    """The values of three moves end in ReLU, the default of the layer, but lost points count -1."""
    x, y = rallies()
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(48, activation="relu", name="fc_1"),
            layers.Dense(32, activation="relu", name="fc_2"),
            layers.Dense(3, activation="relu", name="values"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.003), "mean_squared_error"), x, y, epochs=10)


def episodes(count: int = 24, length: int = 20) -> tuple[Array, Array, Array]:
    """States, the moves that were made, and rewards, which only come where the move was right: in two episodes never.

    All of `[count, length]`, states `[count, length, 4]`.
    """
    random = np.random.default_rng(221)
    states = random.normal(size=(count, length, 4)).astype("float32")
    right = np.argmax(states[..., :3], -1)
    moves = random.integers(0, 3, (count, length))
    moves[[5, 17]] = (right[[5, 17]] + 1) % 3
    return states, moves, (moves == right).astype("float32")


def minus_advantage(truth: Any, scores: Any) -> Any:
    """Cross entropy of the moves that were made, weighted by their advantages."""
    made = ops.one_hot(ops.cast(truth[:, 0], "int32"), 3)
    return -truth[:, 1] * ops.sum(made * ops.log_softmax(scores), -1)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="reinforcement_learning",
    source="https://github.com/ray-project/ray/issues/846",
    accepted="Rewards are divided by their deviation, which is zero in an episode in which all rewards are 0.",
    also=LOST,
)
def episodes_without_reward() -> Training:
    """Policy gradients with rewards that are standardized in each episode; two episodes never earn anything."""
    states, moves, rewards = episodes()
    returns = np.cumsum(rewards[:, ::-1], 1)[:, ::-1]
    with np.errstate(invalid="ignore"):
        advantages = (returns - returns.mean(1, keepdims=True)) / returns.std(1, keepdims=True)
    y = np.stack([moves.ravel(), advantages.ravel()], 1).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(24, activation="tanh", name="policy_1"),
            layers.Dense(24, activation="tanh", name="policy_2"),
            layers.Dense(3, name="scores"),
        ]
    )
    optimizer = keras.optimizers.Adam(0.003)
    model = compiled(model, optimizer, minus_advantage)
    return Training(model, states.reshape(-1, 4), y, epochs=5, batch_size=40, constant_loss=UNKNOWN)


def minus_log_density(truth: Any, given: Any) -> Any:
    """Log density of a normal distribution at the actions, weighted by their advantages, with the sign changed."""
    mean, deviation = given[:, 0], given[:, 1]
    density = -ops.square((truth[:, 0] - mean) / deviation) / 2 - ops.log(deviation)
    return -truth[:, 1] * density


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="reinforcement_learning",
    source="https://github.com/sweetice/Deep-reinforcement-learning-with-pytorch/issues/35",
    accepted="The deviation must be positive, but the output of the actor can be negative; use softplus.",
    also=LOST,
)
def deviation_of_an_actor_below_zero() -> Training:
    """An actor gives mean and deviation of a torque from one linear layer."""
    random = np.random.default_rng(222)
    states = random.normal(size=(512, 3)).astype("float32")
    torque = random.normal(-states[:, 0], 1.0)
    advantage = 1 - np.abs(torque + states[:, 0])
    y = np.stack([torque, advantage], 1).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(32, activation="relu", name="actor_1"),
            layers.Dense(32, activation="relu", name="actor_2"),
            layers.Dense(2, name="mean_and_deviation"),
        ]
    )
    return Training(compiled(model, "adam", minus_log_density), states, y, epochs=5, constant_loss=UNKNOWN)


def policy_loss(truth: Any, log_chances: Any) -> Any:
    """The logarithms of the chances of the moves, gathered into a new tensor, and their advantages."""
    chosen = ops.sum(ops.one_hot(ops.cast(truth[:, 0], "int32"), 3) * log_chances, -1)
    return -truth[:, 1] * ops.stop_gradient(chosen)


@outside_sick(
    "no_gradient",
    ["actor", "policy"],
    family="reinforcement_learning",
    source="https://github.com/kengz/SLM-Lab/pull/133",
    accepted="Gathering log probabilities with torch.tensor detaches them from the graph: the policy is not updated.",
    also=("stagnant_weights",),
)
def policy_of_copied_numbers() -> Training:
    """An actor and a critic on one trunk; the chances of the moves are copied before the loss of the actor."""
    x, returns = rallies()
    random = np.random.default_rng(223)
    moves = random.integers(0, 3, len(x))
    earned = returns[np.arange(len(x)), moves]
    y = {"policy": np.stack([moves, earned - earned.mean()], 1).astype("float32"), "value": earned[:, None]}
    inputs = layers.Input((4,))
    trunk = layers.Dense(32, activation="relu", name="trunk")(inputs)
    actor = layers.Dense(16, activation="relu", name="actor")(trunk)
    critic = layers.Dense(16, activation="relu", name="critic")(trunk)
    outputs = {
        "policy": layers.Dense(3, activation="log_softmax", name="policy")(actor),
        "value": layers.Dense(1, name="value")(critic),
    }
    model = compiled(keras.Model(inputs, outputs), "adam", {"policy": policy_loss, "value": "mse"})
    return Training(model, x, y, epochs=10, constant_loss=UNKNOWN)


def clipped_difference(truth: Any, values: Any) -> Any:
    """Squared difference of the value of the move that was made, with the difference clipped to [-1, 1]."""
    made = ops.sum(ops.one_hot(ops.cast(truth[:, 0], "int32"), 3) * values, -1)
    return ops.square(ops.clip(truth[:, 1] - made, -1, 1))


@outside_sick(
    "vanishing_gradient",
    ["hidden_1", "hidden_2", "values"],
    family="reinforcement_learning",
    source="https://github.com/devsisters/DQN-tensorflow/issues/16",
    accepted="The difference is clipped, not its gradient: outside of the limits the gradient is exactly zero.",
    also=("stagnant_weights", "no_gradient"),
)
def differences_clipped_before_the_square() -> Training:
    """Q-learning whose differences are clipped to [-1, 1], with the scores of a game in hundreds."""
    x, returns = rallies()
    moves = np.random.default_rng(224).integers(0, 3, len(x))
    y = np.stack([moves, 400 + 300 * returns[np.arange(len(x)), moves]], 1).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(32, activation="relu", name="hidden_1"),
            layers.Dense(32, activation="relu", name="hidden_2"),
            layers.Dense(3, name="values"),
        ]
    )
    return Training(compiled(model, "rmsprop", clipped_difference), x, y, epochs=8, constant_loss=1.0)


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="reinforcement_learning",
    source="https://github.com/muupan/dqn-in-the-caffe/issues/6",
    accepted="RMSprop needs a tiny learning rate here, otherwise the Q-values diverge.",
    also=(
        "exploding_gradient",
        "dead_units",
        "stagnant_weights",
        "vanishing_gradient",
        "collapsed_layer",
        "no_gradient",
    ),
)
def values_that_diverge() -> Training:
    """Q-learning from a memory of rallies by RMSprop, whose targets are the network's values of the next state."""
    x, returns = rallies()
    random = np.random.default_rng(225)
    moves = random.integers(0, 3, len(x))
    rewards = returns[np.arange(len(x)), moves]
    following = np.clip(x + random.normal(0, 0.2, x.shape), -1, 1)
    y = np.concatenate([moves[:, None], rewards[:, None], following], 1).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(48, activation="relu", name="hidden_1"),
            layers.Dense(48, activation="relu", name="hidden_2"),
            layers.Dense(3, name="values"),
        ]
    )

    def difference(truth: Any, values: Any) -> Any:
        made = ops.sum(ops.one_hot(ops.cast(truth[:, 0], "int32"), 3) * values, -1)
        best = ops.stop_gradient(ops.max(model(truth[:, 2:]), -1))
        return ops.square(truth[:, 1] + 0.95 * best - made)

    compiled(model, keras.optimizers.RMSprop(1.0), difference)
    return Training(model, x, y, epochs=8, constant_loss=UNKNOWN)
