"""Healthy programs: nodes that pass messages, actions between states, sounds to come, and networks used again."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, outside_healthy
from benchmarks.cases.data import Array, digits, flat_digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy


def neighborhoods(count: int = 160) -> tuple[Array, Array, Array]:
    """Features of nodes, edges with loops divided by the roots of both degrees, and three kinds of nodes."""
    random = np.random.default_rng(290)
    y = random.integers(0, 3, count)
    edges = np.triu(random.random((count, count)) < np.where(y[:, None] == y, 0.08, 0.01), 1).astype("float32")
    edges = edges + edges.T + np.eye(count, dtype="float32")
    degree = edges.sum(1)
    x = random.normal(0, 1, (count, 12)) + 1.2 * np.eye(3, 12)[y]
    return x.astype("float32"), (edges / np.sqrt(degree[:, None] * degree)).astype("float32"), y.astype("int32")


@outside_healthy("graphs")
def graph_gated_updates() -> Training:
    """Three rounds of messages, after each of which the same gated recurrent cell updates the state of every node."""
    x, edges, y = neighborhoods()
    inputs = layers.Input((12,))
    message, cell = layers.Dense(24), layers.GRUCell(24)
    state = layers.Dense(24, activation="tanh")(inputs)
    for _ in range(3):
        received = layers.Lambda(lambda value: ops.matmul(edges, value))(message(state))
        state, _states = cell(received, [state])
    model = compiled(keras.Model(inputs, layers.Dense(3)(state)), keras.optimizers.Adam(0.01))
    return Training(model, x, y, epochs=40, batch_size=len(y), fit={"shuffle": False})


@outside_healthy("graphs")
def graph_scores_walk_back() -> Training:
    """Scores of each node alone, spread over ten steps that always return a little to their start, a third labeled."""
    x, edges, y = neighborhoods()
    weight = (np.random.default_rng(291).random(len(y)) < 0.35).astype("float32")
    inputs = layers.Input((12,))
    body = layers.Dropout(0.3)(inputs)
    body = layers.Dense(32, activation="relu", kernel_regularizer="l2")(body)
    alone = layers.Dense(3)(layers.Dropout(0.3)(body))

    def spread(scores: Any) -> Any:
        walked = scores
        for _ in range(10):
            walked = 0.85 * ops.matmul(edges, walked) + 0.15 * scores
        return walked

    model = compiled(keras.Model(inputs, layers.Lambda(spread)(alone)), keras.optimizers.Adam(0.01))
    fit = {"shuffle": False, "sample_weight": weight}
    goal = accuracy(model, x, y, 0.75)
    return Training(model, x, y, epochs=60, batch_size=len(y), fit=fit, goal=goal)


@outside_healthy("reinforcement_learning")
def reinforcement_action_in_between() -> Training:
    """Curiosity's two models on one encoder: which action leads from a state to the next, and where an action leads."""
    random = np.random.default_rng(292)
    state, action = random.uniform(-1, 1, (900, 4)), random.integers(0, 4, 900)
    following = state + 0.4 * np.eye(4)[action] - 0.1 * state + random.normal(0, 0.05, state.shape)
    now, then, moved = layers.Input((4,)), layers.Input((4,)), layers.Input((4,))
    encoder = keras.Sequential([layers.Input((4,)), layers.Dense(32, activation="elu"), layers.Dense(16)])
    first, second = encoder(now), encoder(then)
    inverse = layers.Dense(32, activation="elu")(layers.Concatenate()([first, second]))
    forward = layers.Dense(32, activation="elu")(layers.Concatenate()([first, moved]))
    outputs = {"action": layers.Dense(4, name="action")(inverse), "next": layers.Dense(4, name="next")(forward)}
    model = keras.Model([now, then, moved], outputs)
    losses = {"action": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "next": "mse"}
    compiled(model, keras.optimizers.Adam(0.003), losses, loss_weights={"action": 1.0, "next": 5.0})
    x = [part.astype("float32") for part in (state, following, np.eye(4)[action])]
    y = {"action": action.astype("int32"), "next": following.astype("float32")}
    goal = accuracy(lambda data, training: model(data, training=training)["action"], x, action, 0.8)
    return Training(model, x, y, epochs=12, goal=goal, constant_loss=UNKNOWN)


def which_comes_next(_: Any, given: Any) -> Any:
    """Cross entropy of the right piece of sound among all of the batch."""
    guess, truth = given[:, :16], given[:, 16:]
    scores = ops.matmul(guess, ops.transpose(truth))
    return -ops.sum(ops.eye(ops.shape(scores)[0]) * ops.log_softmax(scores, -1), -1)


@outside_healthy("audio")
def audio_what_comes_next() -> Training:
    """Sounds without labels: a context predicts the code of the next piece, to be found among those of the batch."""
    random = np.random.default_rng(293)
    pitch, phase = random.uniform(0.1, 1.2, (512, 1)), random.uniform(0, 6, (512, 1))
    waves = np.sin(pitch * np.arange(80) + phase) + random.normal(0, 0.1, (512, 80))
    x = waves.reshape(512, 5, 16, 1).astype("float32")
    inputs = layers.Input((5, 16, 1))
    piece = keras.Sequential(
        [
            layers.Input((16, 1)),
            layers.Conv1D(24, 5, strides=2, activation="relu"),
            layers.Conv1D(24, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(16),
        ]
    )
    codes = layers.TimeDistributed(piece)(inputs)
    context = layers.GRU(32)(layers.Cropping1D((0, 1))(codes))
    last = layers.Flatten()(layers.Cropping1D((4, 0))(codes))
    model = keras.Model(inputs, layers.Concatenate()([layers.Dense(16)(context), last]))
    compiled(model, keras.optimizers.Adam(0.003), which_comes_next)
    return Training(model, x, np.zeros((512, 1), "float32"), epochs=12, constant_loss=float(np.log(512)))


@outside_healthy("fine_tuning")
def tuning_biases_only() -> Training:
    """A network of digits learns negatives of them by its biases alone, next to a new head; kernels stay frozen."""
    pictures, y = digits(900)
    x = pictures.reshape(900, -1)
    body = [layers.Dense(96, activation="gelu"), layers.Dense(96, activation="gelu")]
    first = compiled(keras.Sequential([layers.Input((64,)), *body, layers.Dense(10)]), keras.optimizers.Adam(0.003))
    first.fit(x[:600], y[:600], epochs=6, verbose=0)
    for layer in body:
        layer.kernel.trainable = False
    model = keras.Sequential([layers.Input((64,)), *body, layers.Dense(10)])
    return Training(compiled(model, keras.optimizers.Adam(0.01)), 0.8 - 0.8 * x, y, epochs=10)


class Mixture(layers.Layer):
    """A weighted mean of several inputs, with one learned weight for each and a common scale."""

    def build(self, input_shape: Any) -> None:
        self.shares = self.add_weight((len(input_shape),), initializer="zeros", name="shares")
        self.scale = self.add_weight((1,), initializer="ones", name="scale")

    def call(self, inputs: Any) -> Any:
        return self.scale * ops.tensordot(ops.softmax(self.shares), ops.stack(inputs), 1)


@outside_healthy("fine_tuning")
def tuning_mixture_of_layers() -> Training:
    """A frozen network of digits gives three layers; a new task, even or odd, learns how much of each it uses."""
    x, kinds = flat_digits(900)
    y = (kinds % 2).astype("float32")[:, None]
    inputs = layers.Input((64,))
    known = [layers.Dense(48, activation="tanh")(inputs)]
    for _ in range(2):
        known.append(layers.Dense(48, activation="tanh")(known[-1]))
    first = keras.Model(inputs, layers.Dense(10)(known[-1]))
    compiled(first, keras.optimizers.Adam(0.003)).fit(x[:450], kinds[:450], epochs=4, verbose=0)
    first.trainable = False
    body = layers.Dense(24, activation="relu")(layers.Dropout(0.1)(Mixture()(known)))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(body))
    return Training(compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy"), x, y, epochs=10)
