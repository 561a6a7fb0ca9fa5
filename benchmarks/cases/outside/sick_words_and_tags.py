"""Programs on words: a head of unit variance, a chain that is not trained, fed back words, losses that are added up."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, outside_sick
from benchmarks.cases.networks import LOGITS, compiled, normal
from benchmarks.cases.outside.healthy_goals import entropy_by_position
from benchmarks.cases.outside.healthy_stories_and_beats import chain_of_words
from benchmarks.cases.outside.partly_trained import PartlyTrained, trained_in_part

HURT = (
    "exploding_gradient",
    "learning_rate",
    "no_learning",
    "stagnant_weights",
    "saturated_units",
    "collapsed_layer",
    "vanishing_gradient",
    "dead_units",
    "dormant_units",
)
"""What a bad start or far too large steps may do to any layer."""


@outside_sick(
    "poor_init",
    ["next_word"],
    family="text",
    source="https://github.com/huggingface/transformers/pull/26441",
    accepted="The head starts with variance 1, so that the logits have that of the width, and the first loss is ~110.",
    also=HURT,
)
def head_of_unit_variance() -> Training:
    """A language model of the kind of T5 is trained from scratch, and the weights of its head have variance 1."""
    text = chain_of_words(np.random.default_rng(601), 640, 13, 48)
    x, y = text[:, :-1], text[:, 1:]
    inputs = layers.Input((12,), dtype="int32")
    body = layers.Embedding(48, 96, embeddings_initializer=normal(1.0), name="embedding")(inputs)
    plain = layers.RMSNormalization(name="norm_1")(body)
    seen = layers.MultiHeadAttention(4, 24, use_bias=False, name="attention")(plain, plain, use_causal_mask=True)
    body = layers.Add(name="add_1")([body, seen])
    wide = layers.Dense(128, activation="relu", use_bias=False, name="widen")(
        layers.RMSNormalization(name="norm_2")(body)
    )
    body = layers.Add(name="add_2")([body, layers.Dense(96, use_bias=False, name="narrow")(wide)])
    body = layers.RMSNormalization(name="norm_3")(body)
    head = layers.Dense(48, use_bias=False, kernel_initializer=normal(1.0), name="next_word")
    model = keras.Model(inputs, head(body))
    compiled(model, keras.optimizers.Adam(0.001))
    return Training(model, x, y, epochs=6, constant_loss=entropy_by_position(y))


class Chain(layers.Layer):
    """Puts the scores of neighboring tags below those of the words."""

    def build(self, input_shape: Any) -> None:
        self.between = self.add_weight((input_shape[-1],) * 2, initializer="random_normal", name="between")

    def call(self, scores: Any) -> Any:
        between = ops.broadcast_to(self.between, (ops.shape(scores)[0], *self.between.shape))
        return ops.concatenate([scores, between], axis=1)


def surprise_of_path(tags: Any, given: Any) -> Any:
    """Minus the logarithm of the chance of the right tags among all sequences of tags."""
    count, length = given.shape[-1], given.shape[1] - given.shape[-1]
    scores, between = given[:, :length], given[:, length:]
    chosen = ops.one_hot(ops.cast(tags, "int32"), count)
    steps = ops.einsum("bti,bij,btj->b", chosen[:, :-1], between, chosen[:, 1:])
    total = scores[:, 0]
    for place in range(1, length):
        total = ops.logsumexp(total[:, :, None] + between, axis=1) + scores[:, place]
    return ops.logsumexp(total, axis=1) - ops.sum(scores * chosen, axis=(1, 2)) - steps


@outside_sick(
    "stagnant_weights",
    ["chain"],
    family="text",
    source="https://github.com/apache/mxnet/issues/11352",
    accepted="The matrix of transitions is not among the parameters given to the trainer, so it is never updated.",
)
def chain_of_tags_that_stays_random() -> Training:
    """Tags by a bidirectional LSTM and a conditional random field, whose scores of neighbors are never updated."""
    random = np.random.default_rng(602)
    follows = np.array([[0.6, 0.3, 0.1, 0], [0.2, 0.1, 0.7, 0], [0.3, 0, 0.3, 0.4], [0.7, 0.2, 0, 0.1]]).cumsum(1)
    tags = np.zeros((600, 10), int)
    for place in range(1, 10):
        tags[:, place] = (follows[tags[:, place - 1]] < random.random((600, 1))).sum(1).clip(max=3)
    typical = 10 * tags + random.integers(0, 10, tags.shape)
    x = np.where(random.random(tags.shape) < 0.7, typical, random.integers(0, 40, tags.shape)).astype("int32")
    inputs = layers.Input((10,), dtype="int32")
    body = layers.Embedding(40, 16, name="embedding")(inputs)
    body = layers.Bidirectional(layers.LSTM(16, return_sequences=True), name="lstm")(body)
    scores = layers.Dense(4, name="scores")(body)
    model = PartlyTrained(inputs, Chain(name="chain")(scores))
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    trained_in_part(model, optimizer, surprise_of_path, "embedding", "lstm", "scores")
    return Training(model, x, tags.astype("int32"), epochs=10, constant_loss=UNKNOWN)


class Best(layers.Layer):
    """The number of the best word."""

    def call(self, scores: Any) -> Any:
        return ops.argmax(scores, axis=-1)


@outside_sick(
    "no_gradient",
    ["decoder_embedding"],
    family="text",
    source="https://github.com/tensorflow/tensorflow/pull/882",
    accepted="The loop that feeds words back stops the gradient, so the decoder's embedding keeps its first values.",
    also=("stagnant_weights", "vanishing_gradient", "no_learning"),
)
def words_fed_back_behind_a_stop() -> Training:
    """A reply is written word by word, each from the embedding of the best word before, behind a stopped gradient."""
    random = np.random.default_rng(603)
    x = random.integers(0, 20, (800, 5)).astype("int32")
    y = x[:, ::-1][:, :4].astype("int32")
    inputs = layers.Input((5,), dtype="int32")
    state = layers.GRU(48, name="encoder")(layers.Embedding(20, 24, name="encoder_embedding")(inputs))
    table = layers.Embedding(20, 24, name="decoder_embedding")
    decoder, scores = layers.Dense(48, activation="tanh", name="decoder"), layers.Dense(20, name="scores")
    given = layers.Lambda(lambda value: value[:, :24], name="start")(state)
    best = Best(name="best")
    stop = layers.Lambda(ops.stop_gradient, name="stop")
    row, written = layers.Reshape((1, 20), name="row"), []
    for _ in range(4):
        state = decoder(layers.Concatenate()([given, state]))
        word = scores(state)
        written.append(row(word))
        given = stop(table(best(word)))
    model = keras.Model(inputs, layers.Concatenate(axis=1, name="reply")(written))
    compiled(model, keras.optimizers.Adam(0.005), LOGITS)
    return Training(model, x, y, epochs=8, constant_loss=entropy_by_position(y))


def added_over_letters(truth: Any, scores: Any) -> Any:
    """The cross entropy of all letters of a text, added up."""
    return ops.sum(keras.losses.sparse_categorical_crossentropy(truth, scores, from_logits=True), axis=-1)


@outside_sick(
    "exploding_gradient",
    ["rnn_1", "rnn_2", "next_letter"],
    family="text",
    source="https://github.com/karpathy/char-rnn/issues/70",
    accepted="The gradient grows with the length of the texts, as the loss is not divided by it: a bug.",
    also=("poor_init", *HURT),
)
def losses_added_over_letters() -> Training:
    """The next letter by two recurrent layers and SGD; the losses of a hundred letters are added, not averaged."""
    text = chain_of_words(np.random.default_rng(604), 256, 101, 24)
    x, y = np.eye(24, dtype="float32")[text[:, :-1]], text[:, 1:]
    model = keras.Sequential(
        [
            layers.Input((100, 24)),
            layers.SimpleRNN(48, return_sequences=True, name="rnn_1"),
            layers.SimpleRNN(48, return_sequences=True, name="rnn_2"),
            layers.Dense(24, name="next_letter"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.5), added_over_letters)
    return Training(model, x, y, epochs=8, batch_size=32, constant_loss=100 * entropy_by_position(y))
