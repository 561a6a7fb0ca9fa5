"""Healthy programs that build on what a network knows: guesses, side networks, prototypes, preferences."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import flat_digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy
from benchmarks.cases.outside.healthy_own_steps import known_digits
from benchmarks.cases.outside.healthy_stories_and_beats import chain_of_words


@outside_healthy("fine_tuning")
def tuning_own_guesses() -> Training:
    """A noisy student: 100 labels teach a first network, whose guesses, where it is sure, teach a larger one."""
    x, labels = flat_digits(1000)
    first = keras.Sequential([keras.Input((64,)), layers.Dense(48, "relu"), layers.Dense(10, "softmax")])
    compiled(first, keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    first.fit(x[:100], labels[:100], epochs=25, batch_size=16, verbose=0)
    guesses = np.array(first(x))
    guesses[:100] = np.eye(10)[labels[:100]]
    is_sure = (guesses.max(1) > 0.6).astype("float32")
    y = np.where(guesses == guesses.max(1, keepdims=True), 0.91, 0.01).astype("float32")
    body = inputs = keras.Input((64,))
    body = layers.GaussianNoise(0.3)(body)
    for _ in range(2):
        body = layers.Dropout(0.5)(layers.Dense(160, activation="relu")(body))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(body))
    compiled(model, keras.optimizers.Adam(0.001), "categorical_crossentropy")
    goal = accuracy(model, x, labels, 0.8)
    return Training(model, x, y, epochs=12, fit={"sample_weight": is_sure}, goal=goal)


class Blend(layers.Layer):
    """A mean of two inputs with a learned weight."""

    def build(self, input_shape: Any) -> None:
        self.weight = self.add_weight((1,), initializer="zeros")

    def call(self, both: Any) -> Any:
        share = ops.sigmoid(self.weight)
        return share * both[0] + (1 - share) * both[1]


@outside_healthy("fine_tuning")
def tuning_ladder_at_the_side() -> Training:
    """A narrow network next to a frozen one, from whose layers it gets a share, so that no gradient passes those."""
    body = known_digits("relu", np.arange(6))
    body.trainable = False
    x, labels = flat_digits()
    y = (labels >= 5).astype("float32")[:, None]
    side = layers.Dense(16, activation="gelu")(body.inputs[0])
    for name in ("first", "second", "third"):
        known = layers.Dense(16)(layers.LayerNormalization()(body.get_layer(name).output))
        side = layers.Dense(16, activation="gelu")(Blend()([known, side]))
    model = keras.Model(body.inputs, layers.Dense(1, activation="sigmoid")(side))
    compiled(model, keras.optimizers.Adam(0.004), "binary_crossentropy")
    return Training(model, x, y, epochs=8)


@outside_healthy("fine_tuning")
def tuning_prototypes_of_few() -> Training:
    """Few-shot learning: in each episode, queries of five digits by their distance to means of three pictures each."""
    body = known_digits("swish", np.arange(4))
    x, y = flat_digits()
    random = np.random.default_rng(350)
    places = {digit: np.flatnonzero(y == digit) for digit in range(10)}
    drawn = [
        [random.choice(places[digit], 6, replace=False) for digit in random.permutation(10)[:5]] for _ in range(400)
    ]
    episodes = x[np.array(drawn)]
    inputs = keras.Input((5, 6, 64))
    codes = inputs
    for name in ("first", "second", "third"):
        codes = body.get_layer(name)(codes)
    codes = layers.Dense(24, name="codes")(codes)

    def nearness(codes: Any) -> Any:
        means = ops.mean(codes[:, :, :3], axis=2)
        queries = ops.reshape(codes[:, :, 3:], (-1, 15, 1, 24))
        return -0.1 * ops.sum(ops.square(queries - means[:, None]), axis=-1)

    model = keras.Model(inputs, layers.Lambda(nearness)(codes))
    compiled(model, keras.optimizers.Adam(0.0005))
    wish = np.tile(np.repeat(np.arange(5), 3), (400, 1)).astype("int32")
    goal = accuracy(model, episodes, wish, 0.9)
    return Training(model, episodes, wish, epochs=4, batch_size=4, constant_loss=float(np.log(5)), goal=goal)


class Preferred(keras.Model):
    """A language model that learns which of two sentences people like better, and should stay near its start."""

    def __init__(self, policy: keras.Model, start: keras.Model) -> None:
        super().__init__()
        self.policy, self.start = policy, start
        start.trainable = False

    def call(self, sentences: Any) -> Any:
        return self.policy(sentences)

    def gains(self, pairs: Any, answers: Any) -> Any:
        """By how much more likely the better sentence has become, for `[pairs, 2, words]`."""
        flat = ops.reshape(pairs, (-1, pairs.shape[-1]))
        change = log_chance(flat, answers) - log_chance(flat, self.start(flat[:, :-1]))
        better, worse = ops.split(ops.reshape(change, (-1, 2)), 2, axis=1)
        return better - worse

    def error(self, pairs: Any, answers: Any) -> Any:
        return -ops.mean(ops.log_sigmoid(0.5 * self.gains(pairs, answers)))

    def train_step(self, data: Any) -> dict[str, Any]:
        pairs = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            flat = ops.reshape(pairs, (-1, pairs.shape[-1]))
            loss = self.error(pairs, self.policy(flat[:, :-1], training=True))
        weights = self.policy.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


def log_chance(sentences: Any, answers: Any) -> Any:
    """Logarithm of the chance of all words but the first."""
    return -ops.sum(keras.losses.sparse_categorical_crossentropy(sentences[:, 1:], answers, from_logits=True), axis=1)


def small_language_model() -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input((9,), dtype="int32"),
            layers.Embedding(40, 24),
            layers.GRU(48, return_sequences=True),
            layers.Dense(40),
        ]
    )


@outside_healthy("fine_tuning")
def tuning_by_preferences() -> Training:
    """A language model learns to write what people prefer, here even words, by direct preference optimization."""
    random = np.random.default_rng(351)
    sentences = chain_of_words(random, 1600, 10, 40)
    policy, start = small_language_model(), small_language_model()
    compiled(policy, keras.optimizers.Adam(0.005)).fit(sentences[:, :-1], sentences[:, 1:], epochs=4, verbose=0)
    start.set_weights(policy.get_weights())
    even = (sentences % 2 == 0).sum(1) + random.normal(0, 0.5, 1600)
    pairs = sentences.reshape(800, 2, 10)
    is_turned = even[1::2] > even[::2]
    pairs = np.where(is_turned[:, None, None], pairs[:, ::-1], pairs)
    model = Preferred(policy, start)
    model(pairs[:2, 0, :-1])
    model.compile(keras.optimizers.Adam(5e-4), jit_compile=False)
    flat = pairs.reshape(-1, 10)

    def right() -> float:
        return float((np.asarray(model.gains(pairs, policy(flat[:, :-1]))) > 0).mean())

    view = View(policy, flat[:, :-1], loss=lambda answers: model.error(pairs, answers), prefix="policy/")
    goal = Goal("share of pairs whose better one has gained", right, at_least=0.75)
    return Training(model, pairs, None, epochs=6, batch_size=32, views=(view,), goal=goal)
