"""Programs in which no gradient arrives, or in which a layer says the same of every sample."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, outside_sick
from benchmarks.cases.data import Array, digits, table, words
from benchmarks.cases.networks import compiled

UNTRAINED = ("stagnant_weights",)
"""A layer without gradient does not change."""


@outside_sick(
    "no_gradient",
    ["encoder_embedding", "encoder_lstm", "encoder_dense"],
    family="text",
    source="https://github.com/keras-team/keras/issues/11157",
    accepted="The argmax between the two halves of the network has no gradient.",
    also=UNTRAINED,
)
def words_chosen_by_argmax() -> Training:
    """A summarizer chooses words by argmax and feeds their numbers to a second network."""
    x, y = words(384)
    inputs = layers.Input((12,), dtype="int32")
    body = layers.Embedding(60, 16, name="encoder_embedding")(inputs)
    body = layers.LSTM(16, return_sequences=True, name="encoder_lstm")(body)
    chances = layers.Dense(30, activation="softmax", name="encoder_dense")(body)
    chosen = layers.Lambda(lambda value: ops.argmax(value, -1), name="argmax")(chances)
    body = layers.Embedding(30, 16, name="decoder_embedding")(chosen)
    body = layers.LSTM(16, name="decoder_lstm")(body)
    model = keras.Model(inputs, layers.Dense(2, name="logits")(body))
    return Training(compiled(model), x, y, epochs=5)


@outside_sick(
    "no_gradient",
    ["listen_1", "listen_2"],
    family="audio",
    source="https://github.com/keras-team/keras/issues/5521",
    accepted="Rounding has no gradient: whatever comes before it is not trained.",
    also=(*UNTRAINED, "collapsed_layer"),
)
def keys_pressed_by_rounding() -> Training:
    """Piano keys are decided by rounding probabilities before a layer predicts the next chord from them."""
    random = np.random.default_rng(30)
    chords = (random.random((6, 12)) < 0.3).astype("float32")
    y = random.integers(0, 6, 512)
    x = (chords[y] + random.normal(0, 0.3, (512, 12))).astype("float32")
    inputs = layers.Input((12,), name="spectrum")
    body = layers.Dense(32, activation="relu", name="listen_1")(inputs)
    pressed = layers.Dense(12, activation="sigmoid", name="listen_2")(body)
    keys = layers.Lambda(ops.round, name="keys")(pressed)
    body = layers.Dense(24, activation="relu", name="continue_1")(keys)
    model = keras.Model(inputs, layers.Dense(6, name="next_chord")(body))
    return Training(compiled(model), x, y.astype("int32"), epochs=6)


@outside_sick(
    "no_gradient",
    ["pooler"],
    family="fine_tuning",
    source="https://github.com/huggingface/transformers/issues/2256",
    accepted="Only the output per word is used, so the pooling layer has no part in the loss.",
    also=UNTRAINED,
)
def pooler_of_a_tagger() -> Training:
    """A body with two outputs is fine-tuned to tag words; the pooled output has no loss."""
    x, _ = words(384)
    inputs = layers.Input((12,), dtype="int32")
    body = layers.Embedding(60, 16, name="word_embedding")(inputs)
    seen = layers.MultiHeadAttention(2, 8, name="attention")(body, body)
    body = layers.LayerNormalization(name="norm")(layers.Add(name="sum")([body, seen]))
    first = layers.Lambda(lambda value: value[:, 0], name="first_word")(body)
    pooled = layers.Dense(16, activation="tanh", name="pooler")(first)
    tags = layers.Dense(3, name="tags")(body)
    model = keras.Model(inputs, {"tags": tags, "pooled": pooled})
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    compiled(model, "adam", {"tags": loss, "pooled": None})
    return Training(model, x, {"tags": x % 3}, epochs=5, constant_loss=float(np.log(3)))


class Divergence(layers.Layer):
    """Passes mean and log variance through and adds their divergence to the loss."""

    def call(self, inputs: Any) -> Any:
        mean, log_variance = inputs
        terms = 1 + log_variance - ops.square(mean) - ops.exp(log_variance)
        self.add_loss(-0.5 * ops.mean(ops.sum(terms, axis=-1)))
        return mean


@outside_sick(
    "no_gradient",
    ["decoder_1", "decoder_2"],
    family="generative",
    source="https://github.com/keras-team/keras/issues/10819",
    accepted="With the divergence alone as the loss, the decoder has no part in it.",
    also=(*UNTRAINED, "collapsed_layer"),
)
def divergence_without_reconstruction() -> Training:
    """A variational autoencoder is trained on the divergence alone, which does not depend on the decoder."""
    x = digits(512)[0].reshape(512, -1)
    inputs = layers.Input((64,))
    body = layers.Dense(32, activation="tanh", name="encoder")(inputs)
    mean, log_variance = layers.Dense(4, name="mean")(body), layers.Dense(4, name="log_variance")(body)
    code = Divergence(name="divergence")([mean, log_variance])
    body = layers.Dense(32, activation="tanh", name="decoder_1")(code)
    model = keras.Model(inputs, layers.Dense(64, name="decoder_2")(body))
    return Training(compiled(model, "rmsprop", None), x, None, epochs=6, constant_loss=UNKNOWN)


@outside_sick(
    "no_gradient",
    ["hash_1", "hash_2"],
    family="tabular",
    source="https://github.com/keras-team/keras/issues/7246",
    accepted="Integers have no gradient, so that nothing before the conversion can be trained.",
    also=UNTRAINED,
)
def bits_by_conversion_to_integers() -> Training:
    """A layer converts its inputs to integers and back, as for operations on bits."""
    x, y = table("wine")

    def as_integers(value: Any) -> Any:
        return tf.cast(tf.cast(4 * value, tf.int32), tf.float32)

    model = keras.Sequential(
        [
            layers.Input((13,)),
            layers.Dense(24, activation="relu", name="hash_1"),
            layers.Dense(12, activation="tanh", name="hash_2"),
            layers.Lambda(as_integers, name="integers"),
            layers.Dense(24, activation="relu", name="dense"),
            layers.Dense(3, name="logits"),
        ]
    )
    return Training(compiled(model), x, y, epochs=15, batch_size=16)


@outside_sick(
    "no_gradient",
    ["policy_1", "policy_2"],
    family="reinforcement_learning",
    source="https://github.com/tensorflow/tensorflow/issues/2177",
    accepted="Argmax has no gradient, so nothing can be learned through it, with or without stop_gradient.",
    also=UNTRAINED,
)
def actor_behind_an_argmax() -> Training:
    """An actor's action is taken by argmax before a critic judges it, so the critic never teaches the actor."""
    random = np.random.default_rng(31)
    states = random.normal(size=(512, 6)).astype("float32")
    returns = (states[:, 0] - np.abs(states[:, 1]))[:, None]
    inputs = layers.Input((6,), name="state")
    body = layers.Dense(32, activation="relu", name="policy_1")(inputs)
    scores = layers.Dense(4, name="policy_2")(body)
    action = layers.Lambda(lambda value: ops.one_hot(ops.argmax(value, -1), 4), name="action")(scores)
    body = layers.Concatenate(name="joined")([inputs, action])
    body = layers.Dense(32, activation="relu", name="critic_1")(body)
    model = keras.Model(inputs, layers.Dense(1, name="critic_2")(body))
    return Training(compiled(model, "adam", "mse"), states, returns, epochs=6)


@outside_sick(
    "collapsed_layer",
    ["weights"],
    family="text",
    source="https://github.com/DEEP-PolyU/KEQA_WSDM19/issues/2",
    accepted="The softmax runs over an axis of size 1, so that all attention weights are 1.",
    also=("no_gradient", "vanishing_gradient", "stagnant_weights"),
)
def attention_over_one_score() -> Training:
    """The softmax of attention runs over the single score of each word and not over the words."""
    x, y = words(512)
    inputs = layers.Input((12,), dtype="int32")
    seen = layers.Embedding(60, 16, name="embedding")(inputs)
    seen = layers.GRU(16, return_sequences=True, name="gru")(seen)
    scores = layers.Dense(1, name="scores")(seen)
    weights = layers.Softmax(axis=-1, name="weights")(scores)
    context = layers.Lambda(lambda pair: ops.sum(pair[0] * pair[1], axis=1), name="context")([weights, seen])
    model = keras.Model(inputs, layers.Dense(2, name="logits")(context))
    return Training(compiled(model), x, y, epochs=4)


def communities(count: int = 96) -> tuple[Array, Array, Array]:
    """Features of the nodes of one graph of two communities, averages over neighbors, and the communities."""
    random = np.random.default_rng(32)
    y = np.arange(count) % 2
    chance = np.where(y[:, None] == y[None], 0.3, 0.15)
    edges: Array = np.triu(random.random((count, count)) < chance, 1)
    edges = edges + edges.T + np.eye(count)
    features = random.normal(size=(count, 8)) + 0.5 * y[:, None]
    return features.astype("float32"), (edges / edges.sum(1, keepdims=True)).astype("float32"), y.astype("int32")


@outside_sick(
    "collapsed_layer",
    [f"average_{n}" for n in range(6, 12)],
    family="graphs",
    source="https://github.com/kenziyuliu/MS-G3D/issues/53",
    accepted="Many graph convolutions on top of each other make the features of all nodes the same: over-smoothing.",
    also=("vanishing_gradient", "stagnant_weights", "poor_init"),
)
def twelve_graph_convolutions() -> Training:
    """Twelve graph convolutions average over neighbors until all nodes of the graph look the same."""
    features, averages, y = communities()
    inputs = layers.Input((8,))
    body = inputs
    for n in range(12):
        body = layers.Dense(12, activation="tanh", name=f"dense_{n}")(body)
        body = layers.Lambda(lambda value: ops.matmul(averages, value), name=f"average_{n}")(body)
    model = keras.Model(inputs, layers.Dense(2, name="logits")(body))
    fit = {"shuffle": False}
    return Training(compiled(model), features, y, epochs=10, batch_size=len(y), fit=fit)


def all_triplets(labels: Any, embedded: Any) -> Any:
    """The mean of all triplets of a batch with a margin of 0.5."""
    labels = tf.reshape(labels, [-1])
    apart = tf.reduce_sum(tf.square(embedded[:, None] - embedded[None]), -1)
    same = tf.equal(labels[:, None], labels[None])
    valid = tf.cast(same[:, :, None] & ~same[:, None, :], tf.float32)
    errors = valid * tf.nn.relu(apart[:, :, None] - apart[:, None, :] + 0.5)
    return tf.reduce_sum(errors) / (tf.reduce_sum(tf.cast(errors > 1e-16, tf.float32)) + 1e-16)


@outside_sick(
    "collapsed_layer",
    ["layer_1", "layer_2"],
    family="tabular",
    source="https://github.com/omoindrot/tensorflow-triplet-loss/issues/50",
    accepted="The loss stays at the margin because all embeddings collapsed into one point; lower the learning rate.",
    also=("dead_units", "no_gradient", "vanishing_gradient", "stagnant_weights", "exploding_gradient"),
)
def flowers_embedded_in_one_point() -> Training:
    """Triplets of iris flowers are embedded by two narrow ReLU layers with a learning rate that is too high."""
    x, y = table("iris")
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(5, activation="relu", name="layer_1"),
            layers.Dense(3, activation="relu", name="layer_2"),
        ]
    )
    compiled(model, keras.optimizers.Adam(3.0), all_triplets)
    return Training(model, x, y.astype("float32"), epochs=20, constant_loss=0.5)
