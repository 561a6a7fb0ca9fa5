"""Programs whose losses take logarithms of zero, fractional powers below zero, or the slope at a corner."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import Array, digits, photo_patches, words
from benchmarks.cases.networks import compiled

LOST = ("nonfinite", "nonfinite_data", "no_learning", "collapsed_layer", "poor_init")
"""What goes with a loss that is not finite."""


def demonstrations(count: int = 512) -> tuple[Array, Array]:
    """States of an arm and the actions of a person at a joystick, which is often pushed as far as it goes."""
    random = np.random.default_rng(630)
    state = random.normal(size=(count, 6)).astype("float32")
    push = state @ random.normal(0, 0.5, (6, 2)) + random.normal(0, 0.1, (count, 2))
    return state, np.clip(push, -1, 1).astype("float32")


def minus_squashed_density(action: Any, given: Any) -> Any:
    """Minus the logarithm of the density of a normal distribution that is squashed by tanh."""
    mean, log_deviation = given[:, :2], ops.clip(given[:, 2:], -5, 2)
    before = ops.arctanh(action)
    density = -ops.square((before - mean) * ops.exp(-log_deviation)) / 2 - log_deviation
    return -ops.sum(density - ops.log(1 - ops.square(action)), axis=-1)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="reinforcement_learning",
    source="https://github.com/rail-berkeley/hil-serl/issues/6",
    accepted="With a distribution squashed by tanh, actions at -1 and 1 are not stable numerically; clip them.",
    also=LOST,
)
def actions_at_their_bounds() -> Training:
    """An arm imitates a person by a normal distribution squashed by tanh, and some actions are exactly -1 or 1."""
    x, y = demonstrations()
    model = keras.Sequential([layers.Input((6,))])
    for n in (1, 2):
        model.add(layers.Dense(32, name=f"dense_{n}"))
        model.add(layers.LayerNormalization(name=f"norm_{n}"))
        model.add(layers.Activation("tanh", name=f"tanh_{n}"))
    model.add(layers.Dense(4, name="action"))
    compiled(model, keras.optimizers.Adam(3e-4), minus_squashed_density)
    return Training(model, x, y, epochs=5, batch_size=64, constant_loss=UNKNOWN)


def boards(count: int = 512) -> tuple[Array, Array]:
    """Boards of nine squares, and the move that was made, its advantage, and which of the moves are legal."""
    random = np.random.default_rng(631)
    board = random.choice([-1, 0, 0, 1], (count, 9))
    board[:, 4] = 0
    legal = board == 0
    move = np.argmax(random.random((count, 9)) * legal, 1)
    advantage = (move % 2 == 0) - 0.5
    y = np.concatenate([move[:, None], advantage[:, None], legal], 1)
    return board.astype("float32"), y.astype("float32")


def policy_with_entropy(truth: Any, scores: Any) -> Any:
    """Loss of a policy over legal moves, less a hundredth of its entropy."""
    legal = truth[:, 2:] > 0
    masked = ops.where(legal, scores, -np.inf)
    chances, logarithms = ops.softmax(masked), ops.log_softmax(masked)
    made = ops.take_along_axis(logarithms, ops.cast(truth[:, :1], "int32"), axis=1)[:, 0]
    entropy = -ops.sum(chances * logarithms, axis=-1)
    return -truth[:, 1] * made - 0.01 * entropy


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="reinforcement_learning",
    source="https://github.com/JuliaReinforcementLearning/ReinforcementLearning.jl/issues/917",
    accepted="The entropy multiplies a chance of 0 by its logarithm, minus infinity, wherever a move is masked.",
    also=LOST,
)
def entropy_of_illegal_moves() -> Training:
    """A policy for a board game, with scores of minus infinity for illegal moves and a bonus for entropy."""
    x, y = boards()
    inputs = layers.Input((9,))
    body = layers.Reshape((3, 3, 1), name="board")(inputs)
    body = layers.Conv2D(16, 2, padding="same", activation="relu", name="conv")(body)
    body = layers.Dense(32, activation="relu", name="dense")(layers.Flatten(name="flatten")(body))
    model = keras.Model(inputs, layers.Dense(9, name="scores")(body))
    compiled(model, keras.optimizers.Adam(0.001, global_clipnorm=0.5), policy_with_entropy)
    return Training(model, x, y, epochs=5, constant_loss=UNKNOWN)


def structure(truth: Any, guess: Any) -> Any:
    """Likeness in light and in contrast of two pictures, averaged over windows."""
    mean_truth, mean_guess = ops.average_pool(truth, 4, 1), ops.average_pool(guess, 4, 1)
    var_truth = ops.average_pool(ops.square(truth), 4, 1) - ops.square(mean_truth)
    var_guess = ops.average_pool(ops.square(guess), 4, 1) - ops.square(mean_guess)
    together = ops.average_pool(truth * guess, 4, 1) - mean_truth * mean_guess
    contrast = (2 * together + 9e-4) / (var_truth + var_guess + 9e-4)
    light = (2 * mean_truth * mean_guess + 1e-4) / (ops.square(mean_truth) + ops.square(mean_guess) + 1e-4)
    return ops.mean(contrast, (1, 2, 3)), ops.mean(light * contrast, (1, 2, 3))


def unlike_at_two_scales(truth: Any, guess: Any) -> Any:
    """One minus the likeness of contrast at full size and of everything at half size, to fractional powers."""
    fine, _ = structure(truth, guess)
    _, coarse = structure(ops.average_pool(truth, 2, 2), ops.average_pool(guess, 2, 2))
    return 1 - ops.power(fine, 0.3) * ops.power(coarse, 0.7)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="vision",
    source="https://github.com/jorge-pessoa/pytorch-msssim/issues/2",
    accepted="The likeness of structure may be negative, and its power with a fractional number is NaN.",
    also=LOST,
)
def likeness_of_unlike_pictures() -> Training:
    """Photographs from their negatives by a residual network, under a likeness of structure at two scales."""
    y = photo_patches(384, 16).mean(-1, keepdims=True)
    inputs = layers.Input((16, 16, 1))
    body = layers.Conv2D(16, 5, padding="same", activation="relu", name="patches")(inputs)
    body = layers.Conv2D(8, 1, activation="relu", name="mapping")(body)
    change = layers.Conv2D(1, 3, padding="same", kernel_initializer="zeros", name="change")(body)
    model = keras.Model(inputs, layers.Add(name="photograph")([inputs, change]))
    compiled(model, keras.optimizers.Adam(0.001), unlike_at_two_scales)
    return Training(model, 1 - y, y, epochs=4, batch_size=16, constant_loss=UNKNOWN)


def supervised_contrast(truth: Any, embedding: Any) -> Any:
    """Minus the logarithm of how much closer a sample is to those of its class than to all others."""
    label = ops.reshape(truth, (-1, 1))
    others = 1 - ops.eye(ops.shape(embedding)[0])
    same = ops.cast(ops.equal(label, ops.transpose(label)), "float32") * others
    scores = ops.matmul(embedding, ops.transpose(embedding)) / 0.07
    scores = scores - ops.stop_gradient(ops.max(scores, 1, keepdims=True))
    likelihood = scores - ops.log(ops.sum(ops.exp(scores) * others, 1, keepdims=True))
    return -ops.mean(ops.sum(same * likelihood, 1) / ops.sum(same, 1))


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="vision",
    source="https://github.com/HobbitLong/SupContrast/issues/100",
    accepted="The embeddings were not normalized to length 1 before the supervised contrastive loss.",
    also=LOST,
)
def contrast_of_long_embeddings() -> Training:
    """Digits are embedded under a supervised contrastive loss with a temperature of 0.07; no length is set to 1."""
    x, y = digits(640)
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Rescaling(16.0, name="levels"),
            layers.Conv2D(16, 3, activation="relu", name="conv_1"),
            layers.Conv2D(32, 3, strides=2, activation="relu", name="conv_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, name="embedding"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.05, momentum=0.9), supervised_contrast)
    return Training(model, x[..., None], y.astype("float32"), epochs=4, batch_size=128, constant_loss=UNKNOWN)


def schedules(count: int = 513) -> tuple[Array, Array]:
    """Loads of three machines, and to which of them a job went, with its advantage."""
    random = np.random.default_rng(635)
    loads = random.random((count, 3))
    chosen = random.integers(0, 3, count)
    y = np.stack([chosen, loads.mean(1) - loads[np.arange(count), chosen]], 1)
    return loads.astype("float32"), y.astype("float32")


def standardized_advantage_loss(truth: Any, scores: Any) -> Any:
    """Loss of a policy whose advantages are standardized in each batch, by the unbiased deviation."""
    count = ops.cast(ops.shape(truth)[0], "float32")
    centered = truth[:, 1] - ops.mean(truth[:, 1])
    deviation = ops.sqrt(ops.sum(ops.square(centered)) / (count - 1))
    made = ops.take_along_axis(ops.log_softmax(scores), ops.cast(truth[:, :1], "int32"), axis=1)[:, 0]
    return -ops.mean(centered / (deviation + 1e-8) * made)


@outside_sick(
    "nonfinite",
    ["policy_1", "policy_2", "machines"],
    family="reinforcement_learning",
    source="https://github.com/jolibrain/wheatley/pull/93",
    accepted="The last batch has one sample, whose standard deviation is NaN, so its advantages are not standardized.",
    also=("nonfinite_loss", "no_learning", "collapsed_layer"),
)
def last_batch_of_one() -> Training:
    """A policy for scheduling jobs; advantages are standardized in each batch, and the last one has a single job."""
    x, y = schedules()
    model = keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(24, activation="tanh", name="policy_1"),
            layers.Dense(24, activation="tanh", name="policy_2"),
            layers.Dense(3, name="machines"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.002), standardized_advantage_loss)
    return Training(model, x, y, epochs=4, batch_size=64, constant_loss=UNKNOWN)


def turned_clouds(count: int = 384, points: int = 12) -> tuple[Array, Array]:
    """Clouds of points before and after a turn about a random axis, `[count, points, 6]`, and its matrix.

    One in twenty is not turned.
    """
    random = np.random.default_rng(636)
    axis = random.normal(size=(count, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    angle = random.uniform(0, 2, count) * (np.arange(count) % 20 > 0)
    cross = np.cross(np.eye(3)[None], axis[:, None])
    turn = np.eye(3) + np.sin(angle)[:, None, None] * cross + (1 - np.cos(angle))[:, None, None] * cross @ cross
    before = random.normal(size=(count, points, 3))
    x = np.concatenate([before, before @ turn.transpose(0, 2, 1)], -1)
    return x.astype("float32"), turn.reshape(count, 9).astype("float32")


def angle_between(truth: Any, guess: Any) -> Any:
    """The angle between two turns, one of which is given by two columns that are not yet orthogonal."""
    first = guess[:, :3] / ops.norm(guess[:, :3], axis=1, keepdims=True)
    second = guess[:, 3:] - ops.sum(first * guess[:, 3:], 1, keepdims=True) * first
    second = second / ops.norm(second, axis=1, keepdims=True)
    turn = ops.stack([first, second, ops.cross(first, second)], -1)
    trace = ops.sum(turn * ops.reshape(truth, (-1, 3, 3)), (1, 2))
    return ops.arccos(ops.clip((trace - 1) / 2, -1, 1))


@outside_sick(
    "nonfinite",
    ["points_1", "points_2", "dense", "turn"],
    family="vision",
    source="https://github.com/papagina/RotationContinuity/issues/11",
    accepted="The loss is NaN unless the cosine is kept within 0.9999, since the arc cosine has no slope at 1.",
    also=("nonfinite_loss", "no_learning", "collapsed_layer"),
)
def angle_of_no_turn() -> Training:
    """The turn between two clouds of points under the angle of error; the network starts at no turn at all."""
    x, y = turned_clouds()
    start = keras.initializers.Constant([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    model = keras.Sequential(
        [
            layers.Input((12, 6)),
            layers.Conv1D(32, 1, name="points_1"),
            layers.LeakyReLU(0.1, name="leaky_1"),
            layers.Conv1D(48, 1, name="points_2"),
            layers.LeakyReLU(0.1, name="leaky_2"),
            layers.GlobalMaxPooling1D(name="pool"),
            layers.Dense(32, activation="relu", name="dense"),
            layers.Dense(6, kernel_initializer="zeros", bias_initializer=start, name="turn"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.001), angle_between)
    return Training(model, x, y, epochs=4, constant_loss=UNKNOWN)


class HalfNormalization(layers.Layer):
    """Layer normalization whose variance is found in float32, and its root in the precision of the layer."""

    def call(self, inputs: Any) -> Any:
        values = ops.cast(inputs, "float32")
        centered = values - ops.mean(values, -1, keepdims=True)
        variance = ops.cast(ops.mean(ops.square(centered), -1, keepdims=True) + 1e-12, self.compute_dtype)
        return ops.cast(centered, self.compute_dtype) * ops.rsqrt(variance)


@outside_sick(
    "nonfinite",
    ["norm"],
    family="text",
    source="https://github.com/deepspeedai/DeepSpeed/issues/581",
    accepted="The epsilon of 1e-12 is lost when the variance is converted to float16, and padding has no variance.",
    also=(*LOST, "stagnant_weights"),
)
def padding_normalized_in_half_precision() -> Training:
    """Texts filled with zero vectors pass a layer normalization of its own make, in mixed precision."""
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    x, y = words(512)
    length = np.random.default_rng(637).integers(6, 13, (512, 1))
    x = (x + 1) * (np.arange(12) < length)
    inputs = layers.Input((12,), dtype="int32")
    is_there = layers.Lambda(lambda text: ops.expand_dims(ops.cast(text > 0, "float32"), -1), name="is_there")(inputs)
    body = layers.Multiply(name="padded")([layers.Embedding(61, 16, name="embedding")(inputs), is_there])
    body = HalfNormalization(name="norm")(body)
    body = layers.Conv1D(16, 3, activation="gelu", name="conv")(body)
    body = layers.GlobalAveragePooling1D(name="pool")(body)
    model = keras.Model(inputs, layers.Dense(2, dtype="float32", name="logits")(body))
    return Training(compiled(model, keras.optimizers.Adam(0.001)), x, y, epochs=4)
