"""Healthy programs on words: a stateful language model, tags in chains, word vectors, mixing, topics, experts."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, class_entropy


def one_long_text(length: int, vocabulary: int = 30) -> Array:
    """A text in which each word depends on the one before it and, in between, on a topic that rarely changes."""
    random = np.random.default_rng(411)
    chances = random.dirichlet(np.full(vocabulary, 0.1), (2, vocabulary)).cumsum(-1)
    text, topic = np.zeros(length, int), 0
    for place in range(1, length):
        topic = 1 - topic if random.random() < 0.03 else topic
        text[place] = min((chances[topic, text[place - 1]] < random.random()).sum(), vocabulary - 1)
    return text.astype("int32")


class TiedScores(layers.Layer):
    """Scores of all words as products with their embeddings, and a bias for each."""

    def __init__(self, table: layers.Embedding) -> None:
        super().__init__()
        self.table = table

    def build(self, input_shape: Any) -> None:
        self.bias = self.add_weight((self.table.input_dim,), initializer="zeros", name="bias")

    def call(self, states: Any) -> Any:
        return ops.matmul(states, ops.transpose(self.table.embeddings)) + self.bias


@outside_healthy("text")
def text_stateful_language_model() -> Training:
    """A language model whose LSTM keeps its state between pieces of one text; input and output share the table."""
    pieces, streams, length = 24, 16, 20
    text = one_long_text(streams * pieces * length + 1)
    x, y = (
        part.reshape(streams, pieces, length).transpose(1, 0, 2).reshape(-1, length) for part in (text[:-1], text[1:])
    )
    inputs = layers.Input((length,), batch_size=streams, dtype="int32")
    table = layers.Embedding(30, 48)
    body = layers.Dropout(0.1)(table(inputs))
    body = layers.LSTM(48, return_sequences=True, stateful=True)(body)
    model = keras.Model(inputs, TiedScores(table)(layers.Dropout(0.1)(body)))
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([12 * pieces, 16 * pieces], [4.0, 2.0, 1.0])
    compiled(model, keras.optimizers.SGD(rate, global_clipnorm=0.25))
    view = View(model, x[:streams], y[:streams])
    return Training(model, x, y, 20, streams, views=(view,), fit={"shuffle": False}, constant_loss=class_entropy(y))


def tagged(count: int, length: int = 12) -> tuple[Array, Array]:
    """Words that often fit two tags, and tags in chains: after a beginning, its inside is more likely."""
    random = np.random.default_rng(412)
    chances = np.array([[0.7, 0.2, 0.1, 0, 0], [0.2, 0, 0, 0.8, 0], [0.2, 0, 0, 0, 0.8]] * 2)[:5].cumsum(-1)
    y = np.zeros((count, length), int)
    for place in range(1, length):
        y[:, place] = (chances[y[:, place - 1]] < random.random((count, 1))).sum(-1).clip(max=4)
    typical = random.integers(0, 10, (count, length)) + 10 * y
    x = np.where(random.random((count, length)) < 0.65, typical, random.integers(0, 50, (count, length)))
    return x.astype("int32"), y.astype("int32")


class Chain(layers.Layer):
    """Adds learned scores of neighboring tags to the loss: the negative logarithm of the chance of the whole chain."""

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.tags = tags

    def build(self, input_shape: Any) -> None:
        self.between = self.add_weight((self.tags, self.tags), initializer="glorot_uniform", name="between")

    def call(self, inputs: Any) -> Any:
        scores, truth = inputs
        chosen = ops.one_hot(truth, self.tags)
        steps = ops.einsum("bti,ij,btj->b", chosen[:, :-1], self.between, chosen[:, 1:])
        path = ops.sum(scores * chosen, axis=(1, 2)) + steps
        total = scores[:, 0]
        for place in range(1, scores.shape[1]):
            total = ops.logsumexp(total[:, :, None] + self.between[None], axis=1) + scores[:, place]
        self.add_loss(ops.mean(ops.logsumexp(total, axis=1) - path))
        return scores


@outside_healthy("text")
def text_tags_in_chains() -> Training:
    """Tags of words by a bidirectional LSTM and a conditional random field, whose likelihood is the whole loss."""
    x, y = tagged(700)
    word, truth = layers.Input((12,), dtype="int32"), layers.Input((12,), dtype="int32")
    body = layers.Embedding(50, 20)(word)
    body = layers.Bidirectional(layers.LSTM(20, return_sequences=True))(layers.SpatialDropout1D(0.1)(body))
    model = keras.Model([word, truth], Chain(5)([layers.Dense(5)(body), truth]))
    compiled(model, keras.optimizers.Nadam(0.004), None)
    goal = accuracy(model, [x, y], y, 0.75)
    return Training(model, [x, y], None, epochs=12, goal=goal)


@outside_healthy("text")
def text_vectors_from_counts() -> Training:
    """Word vectors that explain logarithms of counts of pairs; rare pairs weigh less in the squared error. Adagrad."""
    random = np.random.default_rng(413)
    meaning = random.normal(0, 0.8, (60, 4))
    frequency = 1 / np.arange(1, 61) ** 0.9
    counts = random.poisson(1500 * np.outer(frequency, frequency) * np.exp(meaning @ meaning.T / 2))
    first, second = counts.nonzero()
    seen = counts[first, second]
    weights = np.minimum((seen / 50) ** 0.75, 1).astype("float32")
    y = np.log(seen).astype("float32")[:, None]
    inputs = [layers.Input((), dtype="int32"), layers.Input((), dtype="int32")]
    vectors = [layers.Embedding(60, 12)(word) for word in inputs]
    biases = [layers.Embedding(60, 1, embeddings_initializer="zeros")(word) for word in inputs]
    model = keras.Model(inputs, layers.Add()([layers.Dot(1)(vectors), *biases]))
    compiled(model, keras.optimizers.Adagrad(0.2), "mse")
    x = [first.astype("int32"), second.astype("int32")]
    return Training(model, x, y, epochs=12, batch_size=64, fit={"sample_weight": weights})


def mixed_by_frequency(words: Any) -> Any:
    """Real part of the Fourier transform over words and over channels, as two products with cosines and sines."""

    def waves(count: int) -> tuple[Any, Any]:
        angle = 2 * math.pi * np.outer(np.arange(count), np.arange(count)) / count
        return np.cos(angle).astype("float32"), np.sin(angle).astype("float32")

    (row_cosine, row_sine), (cosine, sine) = waves(words.shape[1]), waves(words.shape[2])
    even = ops.einsum("st,btc,cd->bsd", row_cosine, words, cosine)
    return even - ops.einsum("st,btc,cd->bsd", row_sine, words, sine)


@outside_healthy("text")
def text_mixed_by_fourier() -> Training:
    """Which of three phrases a text holds somewhere: encoder blocks that mix words by a Fourier transform."""
    random = np.random.default_rng(414)
    x = random.integers(6, 40, (900, 16))
    y = random.integers(0, 3, 900)
    place = random.integers(0, 15, 900)
    x[np.arange(900), place], x[np.arange(900), place + 1] = 2 * y, 2 * y + 1
    inputs = layers.Input((16,), dtype="int32")
    body = layers.Embedding(40, 32)(inputs)
    for _ in range(2):
        body = layers.LayerNormalization()(layers.Add()([body, layers.Lambda(mixed_by_frequency)(body)]))
        wide = layers.Dense(32)(layers.Dense(64, activation="gelu")(body))
        body = layers.LayerNormalization()(layers.Add()([body, wide]))
    body = layers.Dropout(0.2)(layers.GlobalAveragePooling1D()(body))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(body))
    compiled(model, keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Training(model, x.astype("int32"), y.astype("int32"), epochs=10)


class DrawnTopics(layers.Layer):
    """Draws shares of topics from their mean and log variance; their divergence from the usual ones joins the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(415)

    def call(self, inputs: Any, training: bool = False) -> Any:
        mean, log_variance = inputs
        terms = ops.exp(log_variance) + ops.square(mean) - 1 - log_variance
        self.add_loss(ops.mean(ops.sum(terms, axis=-1)) / 2)
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        return ops.softmax(mean + ops.exp(log_variance / 2) * noise if training else mean)


def words_given_topics(counts: Any, scores: Any) -> Any:
    """Negative logarithm of the likelihood of all words of a document, in any order."""
    return -ops.sum(counts * ops.log_softmax(scores, axis=-1), axis=-1)


@outside_healthy("text")
def text_topics_by_variation() -> Training:
    """A topic model: counts of words to shares of five topics and back, with a loss of a hundred for each document."""
    random = np.random.default_rng(415)
    topics = random.dirichlet(np.full(80, 0.05), 5)
    counts = np.stack([random.multinomial(40, share @ topics) for share in random.dirichlet(np.full(5, 0.3), 700)])
    x = counts.astype("float32")
    inputs = layers.Input((80,))
    body = layers.Dense(48, activation="softplus")(layers.Lambda(ops.log1p)(inputs))
    body = layers.Dropout(0.2)(layers.Dense(48, activation="softplus")(body))
    parts = [layers.BatchNormalization(center=False, momentum=0.9)(layers.Dense(5)(body)) for _ in range(2)]
    body = layers.Dropout(0.1)(DrawnTopics()(parts))
    model = keras.Model(inputs, layers.Dense(80, use_bias=False)(body))
    compiled(model, keras.optimizers.Adam(0.01, beta_1=0.95), words_given_topics)
    usual = x.sum(0) / x.sum()
    constant = float(-(x * np.log(np.maximum(usual, 1e-9))).sum(1).mean())

    def perplexity() -> float:
        chance = np.asarray(ops.log_softmax(model(x, training=False)))
        return float(np.exp(-(x * chance).sum() / x.sum()) / np.exp(constant / 40))

    goal = Goal("perplexity as a share of that of the usual words", perplexity, at_most=0.8)
    return Training(model, x, x, epochs=20, goal=goal, constant_loss=constant)


class Switch(layers.Layer):
    """Sends each word to one of several dense blocks, and adds a loss that asks for equal loads."""

    def __init__(self, experts: int, width: int) -> None:
        super().__init__()
        self.experts = experts
        self.width = width
        self.router = layers.Dense(experts)

    def build(self, input_shape: Any) -> None:
        size = input_shape[-1]
        self.router.build(input_shape)
        start = keras.initializers.VarianceScaling(1.0, "fan_avg")
        kernels = [
            ops.stack([start(shape) for _ in range(self.experts)]) for shape in ((size, self.width), (self.width, size))
        ]
        self.widen, self.narrow = (
            self.add_weight(kernel.shape, initializer=lambda shape, dtype, kernel=kernel: kernel, name=name)
            for kernel, name in zip(kernels, ("widen", "narrow"), strict=True)
        )

    def call(self, words: Any) -> Any:
        shares = ops.softmax(self.router(words))
        chosen = ops.one_hot(ops.argmax(shares, -1), self.experts)
        load = ops.mean(chosen, (0, 1)) * ops.mean(shares, (0, 1))
        self.add_loss(0.01 * self.experts * ops.sum(load))
        gate = ops.max(shares, -1, keepdims=True)
        wide = ops.gelu(ops.einsum("btc,ecw->btew", words, self.widen))
        return gate * ops.einsum("btew,ewc,bte->btc", wide, self.narrow, chosen)


@outside_healthy("text")
def text_switched_experts() -> Training:
    """Sentiment by a transformer whose dense part is one of four experts for each word, chosen by the largest score."""
    random = np.random.default_rng(416)
    strength = random.normal(0, 1, 50)
    x = random.integers(0, 50, (800, 14)).astype("int32")
    flips = np.where(x[:, :-1] < 6, -1, 1)
    y = ((strength[x[:, 1:]] * flips).sum(1) > 0).astype("int32")
    inputs = layers.Input((14,), dtype="int32")
    body = layers.Embedding(50, 32)(inputs)
    body = layers.Concatenate()([body, layers.Lambda(lambda words: ops.roll(words, 1, axis=1))(body)])
    body = layers.Dense(32)(body)
    body = layers.LayerNormalization()(layers.Add()([body, layers.MultiHeadAttention(2, 16)(body, body)]))
    body = layers.LayerNormalization()(layers.Add()([body, Switch(4, 48)(body)]))
    body = layers.Dense(32, activation="relu")(layers.Dropout(0.25)(layers.GlobalAveragePooling1D()(body)))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Dropout(0.25)(body)))
    compiled(model, keras.optimizers.Adafactor(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Training(model, x, y, epochs=10, batch_size=50)
