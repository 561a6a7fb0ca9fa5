"""Healthy programs on texts: hidden spans, negations that are understood late, and two passes that should agree."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, class_entropy, entropy_by_position
from benchmarks.cases.outside.healthy_stories_and_beats import chain_of_words


class AttentionByDistance(layers.Layer):
    """Attention of some heads without biases, whose scores have a learned part for each distance."""

    def __init__(self, heads: int, width: int, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.width, self.causal = heads, width, causal

    def build(self, input_shape: Any) -> None:
        _, length, size = input_shape
        inside = self.heads * self.width
        self.queries, self.keys, self.values = (
            self.add_weight((size, inside), initializer="glorot_uniform", name=name) for name in ("q", "k", "v")
        )
        self.joined = self.add_weight((inside, size), initializer="glorot_uniform", name="o")
        self.bias = self.add_weight((2 * length - 1, self.heads), initializer="zeros", name="distances")
        gap = np.arange(length)[None] - np.arange(length)[:, None]
        self.gap = gap + length - 1
        self.future = np.where((gap > 0) & self.causal, -1e9, 0.0).astype("float32")

    def split(self, value: Any) -> Any:
        return ops.reshape(value, (-1, value.shape[1], self.heads, self.width))

    def call(self, words: Any) -> Any:
        queries, keys, values = (
            self.split(ops.matmul(words, kernel)) for kernel in (self.queries, self.keys, self.values)
        )
        bias = ops.transpose(ops.take(self.bias, self.gap, axis=0), (2, 0, 1)) + self.future
        scores = ops.einsum("bqhw,bkhw->bhqk", queries, keys) / self.width**0.5 + bias
        seen = ops.einsum("bhqk,bkhw->bqhw", ops.softmax(scores), values)
        return ops.matmul(ops.reshape(seen, (-1, words.shape[1], self.heads * self.width)), self.joined)


def block(words: Any, causal: bool, memory: Any = None) -> Any:
    """Attention, then that to the memory if there is one, then a dense part, each added to what it was given."""
    words = layers.Add()([words, AttentionByDistance(4, 8, causal)(layers.RMSNormalization()(words))])
    if memory is not None:
        seen = layers.MultiHeadAttention(4, 8, use_bias=False)(layers.RMSNormalization()(words), memory)
        words = layers.Add()([words, seen])
    wide = layers.Dense(64, activation="relu", use_bias=False)(layers.RMSNormalization()(words))
    return layers.Add()([words, layers.Dense(32, use_bias=False)(layers.Dropout(0.1)(wide))])


@outside_healthy("text")
def text_spans_filled_in() -> Training:
    """Three words in a row are replaced by one mark, and a small encoder and decoder write them; Adafactor."""
    random = np.random.default_rng(511)
    step = random.integers(1, 4, (800, 1))
    text = (random.integers(0, 20, (800, 1)) + step * np.arange(12)) % 20
    text = np.where(random.random(text.shape) < 0.04, random.integers(0, 20, text.shape), text)
    starts = random.integers(1, 9, 800)
    y = np.stack([row[start : start + 3] for row, start in zip(text, starts, strict=True)])
    rows = zip(text, starts, strict=True)
    seen = np.stack([np.concatenate([row[:start], [20], row[start + 3 :]]) for row, start in rows])
    given = np.concatenate([np.full((800, 1), 21), y[:, :-1]], 1)
    damaged, before = keras.Input((10,), dtype="int32"), keras.Input((3,), dtype="int32")
    table = layers.Embedding(22, 32, embeddings_initializer=keras.initializers.RandomNormal(stddev=0.5))
    memory = table(damaged)
    for _ in range(2):
        memory = block(memory, causal=False)
    memory = layers.RMSNormalization()(memory)
    body = block(table(before), causal=True, memory=memory)
    model = keras.Model([damaged, before], layers.Dense(20, use_bias=False)(layers.RMSNormalization()(body)))
    compiled(model, keras.optimizers.Adafactor(0.02))
    x = [seen.astype("int32"), given.astype("int32")]
    y = y.astype("int32")
    return Training(model, x, y, epochs=14, constant_loss=entropy_by_position(y))


@outside_healthy("text")
def text_nots_that_cancel() -> Training:
    """Whether an even number of negations leaves a statement true: nothing is learned for long, then all of it."""
    random = np.random.default_rng(512)
    x = np.where(random.random((1024, 8)) < 0.3, 1, random.integers(2, 14, (1024, 8))).astype("int32")
    y = ((x == 1).sum(1) % 2).astype("float32")[:, None]
    model = keras.Sequential(
        [
            keras.Input((8,), dtype="int32"),
            layers.Embedding(14, 12),
            layers.LSTM(32),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, x, y, epochs=50, batch_size=64, constant_loss=0.693)


class Agreeing(keras.Model):
    """Two passes with different dropout per step, whose answers should agree."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with tf.GradientTape() as tape:
            first, second = self(x, training=True), self(x, training=True)
            loss = (self.compute_loss(x, y, first) + self.compute_loss(x, y, second)) / 2
            shares = [ops.softmax(scores) for scores in (first, second)]
            logs = [ops.log_softmax(scores) for scores in (first, second)]
            apart = ops.mean(ops.sum((shares[0] - shares[1]) * (logs[0] - logs[1]), axis=-1)) / 2
            total = loss + 2.0 * apart
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(total, weights), weights)
        return {"loss": loss, "apart": apart}


@outside_healthy("text")
def text_two_passes_that_agree() -> Training:
    """Intents of short commands, a tenth of them labeled wrongly: two passes with much dropout have to agree."""
    random = np.random.default_rng(513)
    y = random.integers(0, 6, 900)
    x = random.integers(0, 90, (900, 9))
    places = np.stack([random.permutation(9)[:3] for _ in range(900)])
    np.put_along_axis(x, places, 12 * y[:, None] + random.integers(0, 12, (900, 3)), 1)
    wrong = random.random(900) < 0.1
    labels = np.where(wrong, random.integers(0, 6, 900), y).astype("int32")
    inputs = keras.Input((9,), dtype="int32")
    body = layers.Dropout(0.3)(layers.Embedding(90, 32)(inputs))
    body = layers.Conv1D(48, 3, padding="same", activation="swish")(body)
    normal = layers.LayerNormalization()(body)
    body = layers.Add()([body, layers.MultiHeadAttention(4, 12, dropout=0.3)(normal, normal)])
    body = layers.Dropout(0.5)(layers.GlobalMaxPooling1D()(body))
    model = Agreeing(inputs, layers.Dense(6)(body))
    optimizer = keras.optimizers.AdamW(0.003, weight_decay=0.02)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    compiled(model, optimizer)
    x = x.astype("int32")
    return Training(model, x, labels, epochs=14, goal=accuracy(model, x, labels, 0.75))


@outside_healthy("text")
def text_table_in_two_factors() -> Training:
    """A language model with little memory: a table in two factors, one block used three times, shared keys."""
    random = np.random.default_rng(514)
    text = chain_of_words(random, 700, 15, 50)
    x, y = text[:, :-1], text[:, 1:]
    inputs = keras.Input((14,), dtype="int32")
    body = layers.Dense(48, use_bias=False)(layers.Embedding(50, 12)(inputs))
    parts = [layers.LayerNormalization(), layers.GroupQueryAttention(12, 4, 1), layers.LayerNormalization()]
    widen, narrow = layers.Dense(96, activation="gelu"), layers.Dense(48)
    for _ in range(3):
        normal = parts[0](body)
        body = layers.Add()([body, parts[1](normal, normal, use_causal_mask=True)])
        body = layers.Add()([body, narrow(widen(parts[2](body)))])
    model = keras.Model(inputs, layers.Dense(50)(layers.Dense(12)(layers.LayerNormalization()(body))))
    compiled(model, keras.optimizers.Nadam(0.003, global_clipnorm=1.0))
    return Training(model, x, y, epochs=14, constant_loss=class_entropy(y))
