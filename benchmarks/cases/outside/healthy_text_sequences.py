"""Healthy programs for text that answer with sequences: translation, tagging, language models."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.outside.healthy_goals import class_entropy, entropy_by_position

CHARACTERS = "0123456789+ "


def additions(count: int = 1000) -> tuple[Array, Array]:
    """Sums such as "23+8 " and answers such as "31" as one-hot characters."""
    random = np.random.default_rng(9)
    pairs = [random.integers(0, (50, 10)) for _ in range(count)]
    questions = [f"{first}+{second}".ljust(4) for first, second in pairs]
    answers = [str(first + second).ljust(2) for first, second in pairs]
    table = np.eye(len(CHARACTERS), dtype="float32")
    encode = [[[CHARACTERS.index(character) for character in text] for text in texts] for texts in (questions, answers)]
    return table[encode[0]], table[encode[1]]


@outside_healthy("text")
def text_addition_rnn() -> Training:
    """Learns to add numbers given as text; the encoder's state is repeated for every character of the answer."""
    x, y = additions()
    model = keras.Sequential(
        [
            keras.Input((4, len(CHARACTERS))),
            layers.LSTM(48),
            layers.RepeatVector(2),
            layers.LSTM(48, return_sequences=True),
            layers.TimeDistributed(layers.Dense(len(CHARACTERS), activation="softmax")),
        ]
    )
    model.compile(
        loss="categorical_crossentropy",
        optimizer=keras.optimizers.Adam(0.01),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return Training(model, x, y, epochs=8, constant_loss=entropy_by_position(y.argmax(-1)))


@outside_healthy("text")
def text_translation_teacher_forcing() -> Training:
    """Character-level translation with a decoder that is given the right previous character."""
    random = np.random.default_rng(10)
    source = random.integers(1, 9, (600, 5))
    target = 9 - source[:, ::-1]
    given = np.concatenate([np.zeros((600, 1), int), target[:, :-1]], 1)
    table = np.eye(9, dtype="float32")
    encoder_inputs = keras.Input(shape=(None, 9))
    _, state_h, state_c = layers.LSTM(40, return_state=True)(encoder_inputs)
    decoder_inputs = keras.Input(shape=(None, 9))
    decoder_lstm = layers.LSTM(40, return_sequences=True, return_state=True)
    decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=[state_h, state_c])
    decoder_outputs = layers.Dense(9, activation="softmax")(decoder_outputs)
    model = keras.Model([encoder_inputs, decoder_inputs], decoder_outputs)
    model.compile(
        optimizer=keras.optimizers.RMSprop(0.01),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    return Training(
        model,
        [table[source], table[given]],
        table[target],
        epochs=7,
        constant_loss=entropy_by_position(target),
    )


def chains(count: int, length: int, vocabulary: int = 24) -> Array:
    """Word numbers from 1 of a chain in which each word has three likely successors."""
    random = np.random.default_rng(12)
    successors = random.integers(1, vocabulary, (vocabulary, 3))
    texts = random.integers(1, vocabulary, (count, length))
    for at in range(1, length):
        next_word = successors[texts[:, at - 1], random.integers(0, 3, count)]
        texts[:, at] = np.where(random.random(count) < 0.9, next_word, texts[:, at])
    return texts.astype("int32")


class CausalBlock(layers.Layer):
    """A decoder block in which each word attends to those before it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = layers.MultiHeadAttention(heads, width // heads)
        self.inner = layers.Dense(2 * width, activation="gelu")
        self.outer = layers.Dense(width)
        self.first_norm = layers.LayerNormalization(epsilon=1e-6)
        self.second_norm = layers.LayerNormalization(epsilon=1e-6)

    def build(self, input_shape: Any) -> None:
        self.attention.build(input_shape, input_shape)
        self.first_norm.build(input_shape)
        self.second_norm.build(input_shape)
        self.inner.build(input_shape)
        self.outer.build((*input_shape[:-1], 2 * input_shape[-1]))

    def call(self, inputs: Any) -> Any:
        normal = self.first_norm(inputs)
        body = inputs + self.attention(normal, normal, use_causal_mask=True)
        return body + self.outer(self.inner(self.second_norm(body)))


class PositionalEmbedding(layers.Layer):
    """Embedded words plus embedded positions."""

    def __init__(self, length: int, vocabulary: int, width: int) -> None:
        super().__init__()
        self.tokens = layers.Embedding(vocabulary, width)
        self.positions = layers.Embedding(length, width)

    def call(self, words: Any) -> Any:
        return self.tokens(words) + self.positions(ops.arange(words.shape[-1]))


@outside_healthy("text")
def text_miniature_gpt() -> Training:
    """A small GPT that continues text; many next words cannot be known, so the loss stays high."""
    texts = chains(384, 13)
    inputs = keras.Input(shape=(12,), dtype="int32")
    body = PositionalEmbedding(12, 24, 32)(inputs)
    body = CausalBlock(32, 2)(body)
    outputs = layers.Dense(24)(layers.LayerNormalization(epsilon=1e-6)(body))
    model = keras.Model(inputs=inputs, outputs=outputs)
    model.compile(
        keras.optimizers.Adam(0.005, clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    constant = class_entropy(texts[:, 1:])
    return Training(model, texts[:, :-1], texts[:, 1:], epochs=8, constant_loss=constant)


class MaskedLanguageModel(keras.Model):
    """Trains on the words that are hidden from it, which the sample weights mark."""

    def train_step(self, inputs: Any) -> dict[str, Any]:
        features, labels, sample_weight = inputs
        return dict(super().train_step((features, labels, sample_weight)))


def masked_loss(labels: Any, weights: Any) -> Any:
    """Mean loss of the hidden words."""

    def loss(scores: Any) -> Any:
        each = keras.losses.sparse_categorical_crossentropy(labels, scores)
        return ops.sum(each * weights) / ops.sum(weights)

    return loss


@outside_healthy("text")
def text_masked_language_model() -> Training:
    """Pretraining on hidden words as in BERT; five words in six do not count in the loss."""
    texts = chains(512, 12)
    hidden = np.random.default_rng(13).random(texts.shape) < 0.17
    features, weights = np.where(hidden, 0, texts).astype("int32"), hidden.astype("float32")
    inputs = keras.Input((12,), dtype="int32")
    body = PositionalEmbedding(12, 24, 32)(inputs)
    attended = layers.MultiHeadAttention(num_heads=4, key_dim=8)(body, body)
    body = layers.LayerNormalization(epsilon=1e-6)(body + layers.Dropout(0.1)(attended))
    inner = keras.Sequential([layers.Dense(48, activation="relu"), layers.Dense(32)], name="ffn")
    body = layers.LayerNormalization(epsilon=1e-6)(body + inner(body))
    model = MaskedLanguageModel(inputs, layers.Dense(24, activation="softmax")(body))
    model.compile(
        keras.optimizers.Adam(0.005),
        loss=keras.losses.SparseCategoricalCrossentropy(reduction="sum_over_batch_size"),
        weighted_metrics=[],
        jit_compile=False,
    )
    return Training(
        model,
        features,
        texts,
        epochs=10,
        views=(View(model, features, texts, masked_loss(texts, weights)),),
        constant_loss=class_entropy(texts[hidden]),
        fit={"sample_weight": weights},
    )


@outside_healthy("text")
def text_named_entities() -> Training:
    """Tags of words with a bidirectional GRU over padded sentences; most words have the tag for nothing."""
    random = np.random.default_rng(14)
    words = random.integers(1, 120, (400, 14))
    tags = np.where(words < 12, 1, np.where(words < 22, 2, 0))
    after_name = np.concatenate([np.zeros((400, 1), int), tags[:, :-1]], 1)
    tags = np.where((words < 60) & (after_name == 1) & (tags == 0), 3, tags)
    is_end = np.arange(14) >= random.integers(7, 15, (400, 1))
    words[is_end], tags[is_end] = 0, 0
    model = keras.Sequential(
        [
            keras.Input((14,), dtype="int32"),
            layers.Embedding(120, 16, mask_zero=True),
            layers.SpatialDropout1D(0.1),
            layers.Bidirectional(layers.GRU(16, return_sequences=True, recurrent_dropout=0.1)),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
        jit_compile=False,
    )
    constant = class_entropy(tags[words > 0])
    return Training(model, words.astype("int32"), tags, epochs=3, constant_loss=constant)
