"""Healthy programs on texts: grades in order, answers among those of a batch, attacked words, codes of sentences."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import binary_entropy, class_entropy


class Thresholds(layers.Layer):
    """Scores of passing each of several grades: one score for all, and a learned threshold for each."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def build(self, input_shape: Any) -> None:
        start = np.linspace(1.5, -1.5, self.count)
        self.thresholds = self.add_weight(
            (self.count,), initializer=lambda shape, dtype=None: ops.convert_to_tensor(start, dtype), name="thresholds"
        )

    def call(self, score: Any) -> Any:
        return score + self.thresholds


@outside_healthy("text")
def text_essays_on_a_scale() -> Training:
    """Grades of essays from 0 to 5 as five questions in order, with one score and thresholds; the ends are rare."""
    random = np.random.default_rng(501)
    lengths = random.integers(12, 31, 700)
    x = np.where(np.arange(30) < lengths[:, None], random.integers(1, 80, (700, 30)), 0).astype("int32")
    worth = np.append(0, random.normal(0, 1, 79))[x]
    quality = worth.sum(1) / np.sqrt(lengths) + random.normal(0, 0.3, 700)
    grades = np.digitize(quality, [-1.8, -0.7, 0.2, 1.0, 1.9])
    y = (grades[:, None] > np.arange(5)).astype("float32")
    inputs = keras.Input((30,), dtype="int32")
    body = layers.Embedding(80, 16, mask_zero=True)(inputs)
    body = layers.Bidirectional(layers.GRU(16, return_sequences=True))(layers.SpatialDropout1D(0.1)(body))
    body = layers.Dropout(0.2)(layers.GlobalAveragePooling1D()(body))
    model = keras.Model(inputs, Thresholds(5)(layers.Dense(1, use_bias=False)(body)))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    compiled(model, keras.optimizers.Adamax(0.01), loss)
    return Training(model, x, y, epochs=12, constant_loss=binary_entropy(y))


class Temperature(layers.Layer):
    """Multiplies by a learned factor, whose logarithm is the weight."""

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.Constant(math.log(8.0))
        self.logarithm = self.add_weight((), initializer=start, name="logarithm")

    def call(self, codes: Any) -> Any:
        return codes * ops.exp(ops.minimum(self.logarithm, 4.0))


def found_both_ways(numbers: Any, codes: Any) -> Any:
    """Cross entropy of each answer among those of the batch for its question, and of each question for its answer."""
    questions, answers = ops.split(codes, 2, axis=1)
    scores = ops.matmul(questions, ops.transpose(answers))
    own = ops.arange(ops.shape(scores)[0])
    ways = [
        keras.losses.sparse_categorical_crossentropy(own, way, from_logits=True)
        for way in (scores, ops.transpose(scores))
    ]
    return (ways[0] + ways[1]) / 2


@outside_healthy("text")
def text_answers_to_questions() -> Training:
    """Questions and their answers as directions, by two towers over one table of words, with a learned temperature."""
    random = np.random.default_rng(502)
    questions = random.integers(0, 60, (640, 6)).astype("int32")
    told = random.permutation(60)[questions[:, :4]]
    answers = np.concatenate([told, random.integers(0, 60, (640, 4))], 1)
    answers = random.permuted(answers, axis=1).astype("int32")
    question, answer = keras.Input((6,), dtype="int32"), keras.Input((8,), dtype="int32")
    table = layers.Embedding(60, 32)
    codes = []
    for words in (question, answer):
        body = layers.Dense(64, activation="gelu")(table(words))
        body = layers.Dense(32)(layers.GlobalAveragePooling1D()(body))
        codes.append(layers.UnitNormalization()(body))
    model = keras.Model([question, answer], layers.Concatenate()([Temperature()(codes[0]), codes[1]]))
    rate = keras.optimizers.schedules.CosineDecay(2e-4, 220, warmup_target=6e-3, warmup_steps=20)
    compiled(model, keras.optimizers.AdamW(rate, weight_decay=0.01), found_both_ways)
    numbers = np.arange(640, dtype="float32")
    return Training(model, [questions, answers], numbers, epochs=15, batch_size=40, constant_loss=math.log(640))


class Attacked(keras.Model):
    """Each step also learns from words that are moved to where the loss grows fastest."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        weights = self.trainable_variables
        table = next(weight for weight in weights if weight.path.endswith("embeddings"))
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, weights)]
        steepest = gradients[[weight is table for weight in weights].index(True)]
        move = 0.5 * steepest / (tf.norm(steepest) + 1e-12)
        table.assign_add(move)
        with tf.GradientTape() as tape:
            attacked = self.compute_loss(x, y, self(x, training=True))
        more = tape.gradient(attacked, weights)
        table.assign_sub(move)
        summed = [one + tf.convert_to_tensor(other) for one, other in zip(gradients, more, strict=True)]
        self.optimizer.apply(summed, weights)
        return {"loss": loss}


@outside_healthy("text")
def text_attacked_words() -> Training:
    """Whether a question is sincere, one in eight is not: two passes per step, one with the table of words moved."""
    random = np.random.default_rng(503)
    x = random.integers(0, 60, (800, 14)).astype("int32")
    strength = random.normal(0, 1, 60)
    turned = np.where(x[:, :-1] < 8, -1.0, 1.0)
    meant = (strength[x[:, 1:]] * turned).sum(1)
    y = (meant > np.quantile(meant, 0.875)).astype("int32")
    inputs = keras.Input((14,), dtype="int32")
    body = layers.SpatialDropout1D(0.2)(layers.Embedding(60, 24)(inputs))
    body = layers.Bidirectional(layers.LSTM(16, return_sequences=True))(body)
    body = layers.Concatenate()([layers.GlobalMaxPooling1D()(body), layers.GlobalAveragePooling1D()(body)])
    body = layers.Dense(16, activation="relu")(layers.Dropout(0.3)(body))
    model = Attacked(inputs, layers.Dense(2)(body))
    compiled(model, keras.optimizers.Adam(0.004))
    return Training(model, x, y, epochs=14, constant_loss=class_entropy(y))


class Forgotten(layers.Layer):
    """Replaces some of the words by 0 while training."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.seeds = share, keras.random.SeedGenerator(504)

    def call(self, words: Any, training: bool = False) -> Any:
        if not training:
            return words
        return ops.where(keras.random.uniform(ops.shape(words), seed=self.seeds) < self.share, 0, words)


class Drawn(layers.Layer):
    """Draws a code from its mean and log variance; their divergence joins the loss with a weight that is set."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(505)
        self.weight = self.add_weight((), initializer="zeros", trainable=False, name="weight")

    def call(self, inputs: Any, training: bool = False) -> Any:
        mean, log_variance = inputs
        divergence = (ops.exp(log_variance) + ops.square(mean) - 1 - log_variance) / 2
        self.add_loss(self.weight * ops.sum(ops.maximum(ops.mean(divergence, axis=0), 0.3)))
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        return mean + ops.exp(log_variance / 2) * noise if training else mean


@outside_healthy("text")
def text_sentences_from_codes() -> Training:
    """A variational autoencoder of sentences: a third of the given words is hidden, and the divergence comes later."""
    random = np.random.default_rng(506)
    subjects = random.dirichlet(np.full(39, 0.12), 6).cumsum(1)
    about = random.integers(0, 6, 800)
    y = 1 + (subjects[about][:, None] < random.random((800, 10, 1))).sum(-1).clip(max=38)
    given = np.concatenate([np.zeros((800, 1), int), y[:, :-1]], 1)
    sentence, before = keras.Input((10,), dtype="int32"), keras.Input((10,), dtype="int32")
    table = layers.Embedding(40, 24)
    state = layers.Bidirectional(layers.GRU(24))(table(sentence))
    drawn = Drawn()
    code = drawn([layers.Dense(4, name="mean")(state), layers.Dense(4, name="log_variance")(state)])
    body = layers.Concatenate()([table(Forgotten(0.33)(before)), layers.RepeatVector(10)(code)])
    body = layers.GRU(48, return_sequences=True)(body, initial_state=layers.Dense(48, activation="tanh")(code))
    model = keras.Model([sentence, before], layers.Dense(40)(layers.Dropout(0.1)(body)))
    compiled(model, keras.optimizers.Adam(0.005, clipnorm=1.0))
    later = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: drawn.weight.assign(0.03 * min(epoch / 8, 1.0))
    )
    x = [y.astype("int32"), given.astype("int32")]
    y = y.astype("int32")
    return Training(model, x, y, epochs=14, fit={"callbacks": [later]}, constant_loss=class_entropy(y))
