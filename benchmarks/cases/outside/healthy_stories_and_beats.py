"""Healthy programs on words and sounds: replaced words, memories, counts, hidden frames, beats."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfTransformer

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, binary_entropy, class_entropy, squared_error


class Places(layers.Layer):
    """Adds a learned vector for each place."""

    def build(self, input_shape: Any) -> None:
        self.table = self.add_weight(input_shape[1:], initializer=keras.initializers.RandomNormal(0, 0.02))

    def call(self, values: Any) -> Any:
        return values + self.table


def chain_of_words(random: np.random.Generator, count: int, length: int, vocabulary: int) -> Array:
    """`[count, length]` words, each of which is followed by one of four."""
    after = random.integers(0, vocabulary, (vocabulary, 4))
    x = np.zeros((count, length), "int32")
    x[:, 0] = random.integers(0, vocabulary, count)
    for place in range(1, length):
        x[:, place] = after[x[:, place - 1], random.integers(0, 4, count)]
    return x


@outside_healthy("text")
def text_replaced_words() -> Training:
    """Which words of a sentence have been replaced, one in seven, by gated convolutions without the originals."""
    random = np.random.default_rng(310)
    x = chain_of_words(random, 900, 16, 40)
    drawn = random.integers(0, 40, x.shape)
    is_replaced = (random.random(x.shape) < 0.15) & (drawn != x)
    x = np.where(is_replaced, drawn, x).astype("int32")
    inputs = keras.Input((16,), dtype="int32")
    body = layers.SpatialDropout1D(0.1)(layers.Embedding(40, 32)(inputs))
    for number in range(2):
        value = layers.Conv1D(48, 3, padding="same")(body)
        gate = layers.Conv1D(48, 3, padding="same", activation="sigmoid", name=f"gate_{number}")(body)
        body = layers.LayerNormalization()(layers.Multiply()([value, gate]))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(body))
    y = is_replaced.astype("float32")[..., None]
    compiled(model, keras.optimizers.Adam(0.004, global_clipnorm=1.0), "binary_crossentropy")
    entropy = binary_entropy(y)
    return Training(model, x, y, epochs=12, constant_loss=entropy, gates=("gate_0", "gate_1"))


class Recall(layers.Layer):
    """What the sentences of a story answer to a question: a mean of them by how well they fit it."""

    def build(self, input_shape: Any) -> None:
        _, sentences, width = input_shape[0]
        start = keras.initializers.RandomNormal(0, 0.1)
        self.ages = self.add_weight((sentences, width), initializer=start)
        self.answers = self.add_weight((sentences, width), initializer=start)

    def call(self, given: Any) -> Any:
        keys, values, question = given
        fit = ops.softmax(ops.einsum("bsw,bw->bs", keys + self.ages, question))
        return ops.einsum("bs,bsw->bw", fit, values + self.answers)


@outside_healthy("text")
def text_memory_of_stories() -> Training:
    """Where is Mary? Stories of five sentences, read twice through a memory whose tables of words start small."""
    random = np.random.default_rng(311)
    people, places = random.integers(0, 4, (1200, 5)), random.integers(0, 6, (1200, 5))
    asked = people[np.arange(1200), random.integers(0, 5, 1200)]
    last = 4 - (people == asked[:, None])[:, ::-1].argmax(1)
    y = places[np.arange(1200), last].astype("int32")
    stories = np.stack([people, 4 + places], -1).astype("int32")
    story, question = keras.Input((5, 2), dtype="int32"), keras.Input((), dtype="int32")
    start = keras.initializers.RandomNormal(0, 0.1)
    total = layers.Lambda(lambda vectors: ops.sum(vectors, axis=2))
    keys = total(layers.Embedding(10, 24, embeddings_initializer=start)(story))
    values = total(layers.Embedding(10, 24, embeddings_initializer=start)(story))
    state = layers.Embedding(4, 24, embeddings_initializer=start)(question)
    for _ in range(2):
        state = layers.Add()([layers.Dense(24)(state), Recall()([keys, values, state])])
    model = keras.Model([story, question], layers.Dense(6, activation="softmax")(state))
    compiled(model, keras.optimizers.Adam(0.01, clipnorm=5.0), "sparse_categorical_crossentropy")
    x = [stories, asked.astype("int32")]
    return Training(model, x, y, epochs=15, goal=accuracy(model, x, y, 0.75))


@outside_healthy("text")
def text_sparse_counts() -> Training:
    """Topics from weighted counts of 500 words, given as a sparse matrix; a wide layer, of whose outputs 60 % drop."""
    random = np.random.default_rng(312)
    y = random.integers(0, 6, 800).astype("int32")
    rates = random.gamma(0.12, 1.0, (6, 500))
    rates = 25 * (0.5 * rates / rates.sum(1, keepdims=True) + 0.5 * rates.mean(0) / rates.mean(0).sum())
    sparse = TfidfTransformer(sublinear_tf=True).fit_transform(random.poisson(rates[y])).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((500,), sparse=True),
            layers.Dense(128, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-5)),
            layers.Dropout(0.6),
            layers.Dense(6, activation="softmax"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    view = View(model, sparse.toarray(), y)
    return Training(model, sparse, y, epochs=12, views=(view,), constant_loss=class_entropy(y))


def spoken(random: np.random.Generator, count: int, frames: int, sounds: Array) -> Array:
    """Spectra `[count, frames, bands]` of sounds that last some frames and follow each other in a few ways."""
    follows = random.integers(0, len(sounds), (len(sounds), 2))
    kinds = np.zeros((count, frames), int)
    kinds[:, 0] = random.integers(0, len(sounds), count)
    for frame in range(1, frames):
        stays = random.random(count) < 0.6
        after = follows[kinds[:, frame - 1], random.integers(0, 2, count)]
        kinds[:, frame] = np.where(stays, kinds[:, frame - 1], after)
    spectra = sounds[kinds] + random.normal(0, 0.25, (count, frames, sounds.shape[1]))
    return np.asarray(spectra, "float32")


def hidden_frames(y: Any, answers: Any) -> Any:
    """Mean negative logarithm of the chance of the right cluster, of the frames whose number is not -1."""
    counts = ops.cast(ops.greater_equal(y, 0), "float32")
    losses = keras.losses.sparse_categorical_crossentropy(ops.maximum(y, 0), answers, from_logits=True)
    return ops.sum(counts * losses) / ops.maximum(ops.sum(counts), 1.0)


@outside_healthy("audio")
def audio_hidden_frames_by_cluster() -> Training:
    """Speech without labels: to which cluster of k-means hidden frames belong, by a transformer, as in HuBERT."""
    random = np.random.default_rng(313)
    x = spoken(random, 500, 24, random.normal(0, 1, (10, 16)))
    clusters = KMeans(12, n_init=2, random_state=0).fit_predict(x.reshape(-1, 16)).reshape(500, 24)
    begins = random.random((500, 24)) < 0.1
    hidden = begins | np.roll(begins, 1, 1) | np.roll(begins, 2, 1)
    y = np.where(hidden, clusters, -1).astype("int32")
    given = np.concatenate([x * ~hidden[..., None], hidden[..., None]], -1).astype("float32")
    inputs = keras.Input((24, 17))
    body = Places()(layers.Dense(32)(inputs))
    body = layers.Add()([body, layers.Conv1D(32, 5, padding="same", activation="gelu")(body)])
    for _ in range(2):
        normal = layers.LayerNormalization()(body)
        body = layers.Add()([body, layers.MultiHeadAttention(4, 8)(normal, normal)])
        wide = layers.Dense(64, activation="gelu")(layers.LayerNormalization()(body))
        body = layers.Add()([body, layers.Dense(32)(wide)])
    model = keras.Model(inputs, layers.Dense(12)(layers.LayerNormalization()(body)))
    compiled(model, keras.optimizers.Adam(0.002, global_clipnorm=1.0), hidden_frames)
    return Training(model, given, y, epochs=10, constant_loss=class_entropy(clusters[hidden]))


@outside_healthy("audio")
def audio_beats_by_dilation() -> Training:
    """The beats of music, one frame in eight, by dilated convolutions with ELU; whole channels are dropped."""
    random = np.random.default_rng(314)
    period, phase = random.uniform(6, 10, (400, 1)), random.uniform(0, 10, (400, 1))
    place = np.mod(np.arange(64)[None] + phase, period)
    beats = (place < 1).astype("float32")
    strength = np.exp(-place / 1.5)[..., None] * random.uniform(0.4, 1.2, (400, 1, 8))
    offbeat = np.exp(-np.mod(place + period / 2, period) / 1.5)[..., None] * random.uniform(0, 0.6, (400, 1, 8))
    x = (strength + offbeat + random.gamma(2, 0.12, (400, 64, 8))).astype("float32")
    inputs = keras.Input((64, 8))
    body = layers.Conv1D(20, 3, padding="same", activation="elu")(inputs)
    for dilation in (1, 2, 4, 8):
        branch = layers.Conv1D(20, 5, padding="same", dilation_rate=dilation, activation="elu")(body)
        branch = layers.Conv1D(20, 1)(layers.SpatialDropout1D(0.15)(branch))
        body = layers.Add()([body, branch])
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Activation("elu")(body)))
    y = beats[..., None]
    compiled(model, keras.optimizers.Adam(0.004, clipnorm=0.5), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, x, y, epochs=10, constant_loss=binary_entropy(y))


@outside_healthy("audio")
def audio_direction_of_sound() -> Training:
    """From where a sound comes, as a point on the circle, by differences of phase between three microphones."""
    random = np.random.default_rng(315)
    angle = random.uniform(0, 2 * np.pi, 700)
    microphones = np.array([0, 2, 4]) * np.pi / 3
    delays = 0.4 * np.cos(angle[:, None] - microphones)
    bands = np.arange(1, 9) * 0.6
    apart = (delays - np.roll(delays, 1, 1))[:, None, None, :] * bands[:, None]
    apart = apart + random.normal(0, 0.5, (700, 10, 8, 3))
    x = np.concatenate([np.cos(apart), np.sin(apart)], -1).astype("float32")
    y = np.stack([np.cos(angle), np.sin(angle)], 1).astype("float32")
    inputs = keras.Input((10, 8, 6))
    body = inputs
    for width in (16, 24):
        body = layers.Conv2D(width, 3, padding="same", use_bias=False)(body)
        body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
        body = layers.MaxPooling2D((1, 2))(body)
    body = layers.Reshape((10, 48))(body)
    body = layers.Bidirectional(layers.GRU(16), merge_mode="mul")(body)
    model = keras.Model(inputs, layers.UnitNormalization()(layers.Dense(2)(body)))
    compiled(model, keras.optimizers.Nadam(0.002), keras.losses.CosineSimilarity())
    return Training(model, x, y, epochs=8, goal=squared_error(model, x, y, 0.3))
