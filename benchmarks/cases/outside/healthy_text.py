"""Healthy programs for text: classification of generated reviews."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.outside.healthy_goals import binary_entropy

VOCABULARY = 1000


def reviews(count: int = 512, length: int = 20) -> tuple[Array, Array]:
    """Word numbers, padded with 0, and whether words of praise (10 to 19) outnumber those of complaint (20 to 29)."""
    random = np.random.default_rng(7)
    rank = 1 / np.arange(1, VOCABULARY - 29)
    x = random.choice(np.arange(30, VOCABULARY), (count, length), p=rank / rank.sum())
    y = random.integers(0, 2, count)
    judging = random.random((count, length)) < 0.3
    praising = random.random((count, length)) < np.where(y == 1, 0.85, 0.15)[:, None]
    x = np.where(judging, np.where(praising, 10, 20) + random.integers(0, 10, (count, length)), x)
    ends = random.integers(length // 2, length + 1, (count, 1))
    return np.where(np.arange(length) < ends, x, 0).astype("int32"), y.astype("float32")[:, None]


@outside_healthy("text")
def text_bidirectional_lstm() -> Training:
    """Sentiment of reviews with two bidirectional LSTMs; most rows of the embedding belong to rare words."""
    x, y = reviews()
    inputs = keras.Input(shape=(None,), dtype="int32")
    x_in = layers.Embedding(VOCABULARY, 24)(inputs)
    x_in = layers.Bidirectional(layers.LSTM(16, return_sequences=True))(x_in)
    x_in = layers.Bidirectional(layers.LSTM(16))(x_in)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x_in))
    model.compile(keras.optimizers.Adam(0.006), "binary_crossentropy", metrics=["accuracy"], jit_compile=False)
    return Training(model, x, y, epochs=3)


@outside_healthy("text")
def text_convolution_from_scratch() -> Training:
    """Text classification with convolutions over a large embedding; global pooling passes few gradients back."""
    x, y = reviews()
    model = keras.Sequential(
        [
            keras.Input((20,), dtype="int64"),
            layers.Embedding(VOCABULARY, 32),
            layers.Dropout(0.5),
            layers.Conv1D(32, 5, padding="valid", activation="relu", strides=2),
            layers.Conv1D(32, 3, padding="valid", activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid", name="predictions"),
        ]
    )
    model.compile(
        loss="binary_crossentropy",
        optimizer=keras.optimizers.RMSprop(0.003),
        metrics=["accuracy"],
        jit_compile=False,
    )
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(512, seed=2).batch(48).cache()
    return Training(
        model,
        dataset,
        None,
        epochs=7,
        views=(View(model, x, y),),
        constant_loss=0.693,
        fit={"batch_size": None, "shuffle": False},
    )


class TransformerBlock(layers.Layer):
    """Attention and a feed-forward part, each with a skip connection and a normalization after it."""

    def __init__(self, embed_dim: int, num_heads: int, ff_dim: int, rate: float = 0.1) -> None:
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.ffn = keras.Sequential([layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)])
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout1 = layers.Dropout(rate)
        self.dropout2 = layers.Dropout(rate)

    def build(self, input_shape: Any) -> None:
        self.att.build(input_shape, input_shape)
        for layer in (self.ffn, self.layernorm1, self.layernorm2):
            layer.build(input_shape)

    def call(self, inputs: Any, training: bool = False) -> Any:
        attn_output = self.dropout1(self.att(inputs, inputs), training=training)
        out1 = self.layernorm1(inputs + attn_output)
        ffn_output = self.dropout2(self.ffn(out1), training=training)
        return self.layernorm2(out1 + ffn_output)


class TokenAndPositionEmbedding(layers.Layer):
    """The sum of an embedding of words and one of positions."""

    def __init__(self, maxlen: int, vocab_size: int, embed_dim: int) -> None:
        super().__init__()
        self.maxlen = maxlen
        self.token_emb = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim)
        self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=embed_dim)

    def call(self, x: Any) -> Any:
        return self.token_emb(x) + self.pos_emb(ops.arange(0, self.maxlen, 1))


@outside_healthy("text")
def text_transformer_classifier() -> Training:
    """Text classification with a transformer block of own layers and a softmax over two classes."""
    x, y = reviews()
    inputs = keras.Input(shape=(20,), dtype="int32")
    body = TokenAndPositionEmbedding(20, VOCABULARY, 24)(inputs)
    body = TransformerBlock(24, 2, 24)(body)
    body = layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(body))
    body = layers.Dropout(0.1)(layers.Dense(20, activation="relu")(body))
    model = keras.Model(inputs=inputs, outputs=layers.Dense(2, activation="softmax")(body))
    model.compile(
        keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False
    )
    return Training(model, x, y, epochs=6)


@outside_healthy("text")
def text_multi_label_topics() -> Training:
    """Several topics for each abstract from a bag of words: inputs and targets are mostly zero."""
    random = np.random.default_rng(8)
    topics = (random.random((512, 12)) < 0.15).astype("float32")
    affinity = random.random((12, 400)) < 0.04
    shown = random.random((512, 400)) < 0.01 + 0.35 * np.minimum(topics @ affinity, 1)
    model = keras.Sequential(
        [
            keras.Input((400,)),
            layers.Dense(96, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(48, activation="relu"),
            layers.Dense(12, activation="sigmoid"),
        ]
    )
    model.compile(
        loss="binary_crossentropy",
        optimizer=keras.optimizers.Adam(0.002),
        metrics=["binary_accuracy"],
        jit_compile=False,
    )
    return Training(
        model, shown.astype("float32"), topics, epochs=12, batch_size=64, constant_loss=binary_entropy(topics)
    )
