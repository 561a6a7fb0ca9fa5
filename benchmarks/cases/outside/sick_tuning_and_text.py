"""Programs that are fine-tuned, write text or predict paths, with parts that get nothing or values that overflow."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import Array, words
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import entropy_by_position
from benchmarks.cases.outside.partly_trained import PartlyTrained, trained_in_part

LOST = ("nonfinite", "nonfinite_data", "no_learning", "collapsed_layer")
"""What goes with values that are not finite."""

DAMAGE = (
    "stagnant_weights",
    "exploding_gradient",
    "saturated_units",
    "dead_units",
    "vanishing_gradient",
    "collapsed_layer",
    "no_gradient",
    "no_learning",
)
"""What steps that are far too large do."""


def dialogs(count: int = 384, length: int = 12) -> Array:
    """Word numbers of questions with answers: each word of an answer is the one after a word of the question."""
    random = np.random.default_rng(240)
    question = random.integers(1, 20, (count, length // 2))
    return np.concatenate([question, question + 20], 1).astype("int32")


def language_model(length: int) -> keras.Model:
    inputs = layers.Input((length,), dtype="int32")
    body = layers.Embedding(40, 24, name="embedding")(inputs)
    body = layers.GRU(32, return_sequences=True, name="gru")(body)
    return keras.Model(inputs, layers.Dense(40, name="next_word")(body))


def mean_over_answer(truth: Any, scores: Any) -> Any:
    """Cross entropy of the next words, divided by the number of those that are not -100."""
    counted = ops.cast(truth >= 0, "float32")
    each = keras.losses.sparse_categorical_crossentropy(ops.maximum(truth, 0), scores, from_logits=True)
    return ops.sum(counted * each, -1) / ops.sum(counted, -1)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="fine_tuning",
    source="https://github.com/OpenRLHF/OpenRLHF/pull/583",
    accepted="The mean over the labels is NaN where all of them are ignored; such samples must count as zero.",
    also=LOST,
)
def answers_that_were_cut_off() -> Training:
    """A language model is fine-tuned on answers alone, and some texts are cut off before their answer begins."""
    text = dialogs()
    model = language_model(11)
    compiled(model, keras.optimizers.Adam(0.01)).fit(text[:, :-1], text[:, 1:], epochs=2, verbose=0)
    y = text[:, 1:].copy()
    y[:, :5] = -100
    y[::50] = -100
    return Training(compiled(model, "adam", mean_over_answer), text[:, :-1], y, epochs=5, constant_loss=UNKNOWN)


@outside_sick(
    "nonfinite",
    ["project_in", "project_out"],
    family="fine_tuning",
    source="https://github.com/huggingface/transformers/issues/5651",
    accepted="A feed-forward output exceeds 65,504, the largest number of float16; in float32 all is fine.",
    also=(*LOST, "nonfinite_loss", "poor_init", "exploding_gradient", "dead_units", "vanishing_gradient"),
)
def feed_forward_in_half_precision() -> Training:
    """A network that was trained on 16-bit samples in float32 is fine-tuned in float16, where its sums overflow."""
    random = np.random.default_rng(241)
    y = random.integers(0, 3, 512).astype("int32")
    time = np.arange(64) * (0.2 + 0.2 * y[:, None]) + random.uniform(0, 6, (512, 1))
    x = (20000 * np.sin(time) + random.normal(0, 2000, time.shape)).astype("float32")
    sizes = (("project_in", 128, "relu"), ("project_out", 32, "relu"), ("logits", 3, None))
    known = keras.Sequential([layers.Input((64,))])
    for name, width, activation in sizes:
        known.add(layers.Dense(width, activation, name=name))
    compiled(known, keras.optimizers.Adam(1e-4)).fit(x, y, epochs=2, verbose=0)
    keras.mixed_precision.set_dtype_policy("float16")
    model = keras.Sequential([layers.Input((64,))])
    for name, width, activation in sizes:
        model.add(layers.Dense(width, activation, name=name))
    model.set_weights(known.get_weights())
    return Training(compiled(model, keras.optimizers.Adam(1e-5)), x, y, epochs=5)


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="fine_tuning",
    source="https://github.com/strongio/keras-bert/issues/11",
    accepted="To see convergence the learning rate has to be reduced, to 1e-5.",
    also=DAMAGE,
)
def encoder_tuned_in_leaps() -> Training:
    """An encoder of texts, trained to guess hidden words, is fine-tuned for sentiment at a far too high rate."""
    x, y = words(512)
    inputs = layers.Input((12,), dtype="int32")
    body = layers.Embedding(61, 24, name="token_embedding")(inputs)
    for n in (1, 2):
        seen = layers.MultiHeadAttention(2, 12, name=f"attention_{n}")(body, body)
        body = layers.LayerNormalization(name=f"norm_{n}")(layers.Add(name=f"sum_{n}")([body, seen]))
        body = layers.Dense(24, activation="gelu", name=f"feed_forward_{n}")(body)
    hidden = np.where(np.random.default_rng(242).random(x.shape) < 0.2, 60, x)
    first = keras.Model(inputs, layers.Dense(60, name="words")(body))
    compiled(first, keras.optimizers.Adam(0.003)).fit(hidden, x, epochs=3, verbose=0)
    pooled = layers.GlobalAveragePooling1D(name="pooled")(body)
    model = keras.Model(
        inputs, layers.Dense(2, name="sentiment")(layers.Dense(24, activation="tanh", name="pooler")(pooled))
    )
    return Training(compiled(model, keras.optimizers.Adam(1.0)), x, y, epochs=8)


def paths(count: int = 512) -> tuple[list[Array], Array]:
    """Eight past positions, nine places where the path may end, and the one that is nearest to its end."""
    random = np.random.default_rng(243)
    speed = random.uniform(-1, 1, (count, 1, 2))
    past = speed * np.arange(-7, 1)[None, :, None] / 8 + random.normal(0, 0.03, (count, 8, 2))
    grid = np.stack(np.meshgrid([-0.7, 0, 0.7], [-0.7, 0, 0.7]), -1).reshape(9, 2)
    goals = grid[random.permuted(np.tile(np.arange(9), (count, 1)), axis=1)]
    far = np.linalg.norm(goals - speed, axis=-1)
    return [past.astype("float32"), goals.astype("float32")], far.argmin(1).astype("int32")


@outside_sick(
    "no_gradient",
    ["goals_mlp"],
    family="time_series",
    source="https://github.com/Tsinghua-MARS-Lab/DenseTNT/issues/11",
    accepted="The layer of the goals has no gradients in training; the operation that detaches it is redundant.",
    also=("stagnant_weights",),
)
def goals_detached_from_the_loss() -> Training:
    """Where a path ends, among nine places, whose embedding is detached before the score is computed."""
    x, y = paths()
    past, goals = layers.Input((8, 2), name="past"), layers.Input((9, 2), name="goals")
    moved = layers.GRU(24, name="path")(past)
    placed = layers.Dense(24, activation="relu", name="goals_mlp")(goals)
    placed = layers.Lambda(ops.stop_gradient, name="detach")(placed)
    body = layers.Concatenate(name="both")([layers.RepeatVector(9, name="repeat")(moved), placed])
    body = layers.Dense(32, activation="relu", name="score_1")(body)
    scores = layers.Flatten(name="scores")(layers.Dense(1, name="score_2")(body))
    model = compiled(keras.Model([past, goals], scores), keras.optimizers.Adam(0.003))
    return Training(model, x, y, epochs=10)


@outside_sick(
    "stagnant_weights",
    ["cluster_weights"],
    family="text",
    source="https://github.com/salesforce/awd-lstm-lm/issues/30",
    accepted="The parameters of the loss are not updated because they are missing from the optimizer.",
)
def words_split_by_the_loss() -> Training:
    """A language model whose last weights belong to the loss; the optimizer is given those of the model alone."""
    text = dialogs()
    inputs = layers.Input((11,), dtype="int32")
    body = layers.Embedding(40, 24, name="encoder")(inputs)
    body = layers.LSTM(32, return_sequences=True, name="lstm")(body)
    model = PartlyTrained(inputs, layers.Dense(40, name="cluster_weights")(body))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained_in_part(model, keras.optimizers.Adam(0.01), loss, "encoder", "lstm")
    return Training(model, text[:, :-1], text[:, 1:], epochs=8, constant_loss=entropy_by_position(text[:, 1:]))
