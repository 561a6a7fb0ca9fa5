"""Programs whose steps grow without bound: rectified recurrence, sums instead of means, and scores in thousands."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, outside_sick
from benchmarks.cases.data import Array, digits, photo_patches
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import entropy_by_position

RUIN = (
    "learning_rate",
    "stagnant_weights",
    "nonfinite",
    "nonfinite_loss",
    "dead_units",
    "saturated_units",
    "collapsed_layer",
    "vanishing_gradient",
    "no_gradient",
    "no_learning",
    "poor_init",
)
"""What values that grow without bound do."""


def counted_words(count: int = 320, length: int = 51) -> Array:
    """Word numbers of texts in which each word follows one of two words, `[count, length]`."""
    random = np.random.default_rng(320)
    following = random.integers(0, 30, (30, 2))
    texts = np.zeros((count, length), "int32")
    texts[:, 0] = random.integers(0, 30, count)
    for step in range(1, length):
        texts[:, step] = following[texts[:, step - 1], random.integers(0, 2, count)]
    return texts


@outside_sick(
    "exploding_gradient",
    ["embedding", "rnn", "next_word"],
    family="text",
    source="https://github.com/chenxie95/deeplearning_course_sjtu/issues/31",
    accepted="Training with a recurrent ReLU layer makes the loss explode; try a sigmoid or another learning rate.",
    also=RUIN,
)
def language_model_of_rectified_recurrence() -> Training:
    """A language model of one plain recurrent layer with ReLU, with plain SGD at a rate of 1.5."""
    texts = counted_words()
    inputs = layers.Input((50,), dtype="int32")
    body = layers.Embedding(30, 32, name="embedding")(inputs)
    body = layers.SimpleRNN(64, activation="relu", return_sequences=True, name="rnn")(body)
    model = keras.Model(inputs, layers.Dense(30, name="next_word")(body))
    compiled(model, keras.optimizers.SGD(1.5))
    constant = entropy_by_position(texts[:, 1:])
    return Training(model, texts[:, :-1], texts[:, 1:], epochs=8, constant_loss=constant)


def summed_error(truth: Any, scores: Any) -> Any:
    """Cross entropy of a whole batch, as a sum and not as a mean."""
    return ops.sum(keras.losses.sparse_categorical_crossentropy(truth, scores, from_logits=True))


@outside_sick(
    "exploding_gradient",
    ["dense_1", "dense_2", "logits"],
    family="vision",
    source="https://github.com/jax-ml/jax/pull/3113",
    accepted="The loss was a sum that did not account for the number of samples: gradients explode for larger batches.",
    also=RUIN,
)
def sum_over_a_larger_batch() -> Training:
    """A loss that is summed over the batch and worked for 32 pictures is used with 512 of them."""
    x, y = digits(1536)
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.Flatten(name="flatten"),
            layers.Dense(128, activation="relu", name="dense_1"),
            layers.Dense(128, activation="relu", name="dense_2"),
            layers.Dense(10, name="logits"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.01, momentum=0.9), summed_error)
    return Training(model, x, y, epochs=15, batch_size=512, constant_loss=2.3 * len(x))


@outside_sick(
    "exploding_gradient",
    ["dense"],
    family="tabular",
    source="https://github.com/keras-team/keras/issues/3040",
    accepted="The learning rate is too high for inputs that count up to 199.",
    also=RUIN,
)
def twice_a_number() -> Training:
    """One unit learns to double the numbers from 0 to 199, one at a time, by SGD with a rate of 0.001."""
    x = np.arange(200, dtype="float32")[:, None]
    model = keras.Sequential([layers.Input((1,)), layers.Dense(1, name="dense")])
    optimizer = keras.optimizers.SGD(0.001)
    return Training(compiled(model, optimizer, "mean_squared_error"), x, 2 * x, epochs=4, batch_size=1, update_freq=1)


def solitaire(count: int = 640) -> tuple[Array, Array]:
    """Cards on the table and after a move, as numbers; the move, and the points for it, up to 3,500."""
    random = np.random.default_rng(321)
    cards = random.integers(0, 13, (count, 20)) / 13
    move = random.integers(0, 4, count)
    points = 3500 * cards[np.arange(count), 5 * move] * (random.random(count) < 0.5)
    after = np.where(random.random(cards.shape) < 0.2, random.integers(0, 13, cards.shape) / 13, cards)
    return cards.astype("float32"), np.concatenate([move[:, None], points[:, None], after], 1).astype("float32")


@outside_sick(
    "exploding_gradient",
    ["row_1", "row_2", "dense", "values"],
    family="reinforcement_learning",
    source="https://github.com/google-deepmind/open_spiel/issues/742",
    accepted="The rewards are far higher than those of other games; map them to [0, 1] or lower the learning rate.",
    also=RUIN,
)
def points_of_solitaire() -> Training:
    """Deep Q-learning by convolutions over rows of cards, with the points of the game as they are and SGD."""
    x, y = solitaire()
    model = keras.Sequential(
        [
            layers.Input((20,)),
            layers.Reshape((20, 1), name="row"),
            layers.Conv1D(16, 5, strides=5, activation="relu", name="row_1"),
            layers.Conv1D(16, 2, activation="relu", name="row_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="relu", name="dense"),
            layers.Dense(4, name="values"),
        ]
    )

    def difference(truth: Any, values: Any) -> Any:
        made = ops.sum(ops.one_hot(ops.cast(truth[:, 0], "int32"), 4) * values, -1)
        best = ops.stop_gradient(ops.max(model(truth[:, 2:]), -1))
        return ops.square(truth[:, 1] + 0.9 * best - made)

    compiled(model, keras.optimizers.SGD(0.01), difference)
    return Training(model, x, y, epochs=8, constant_loss=UNKNOWN)


def summed_pixels(truth: Any, guess: Any) -> Any:
    """Squared error, summed over the pixels."""
    return ops.sum(ops.square(truth - guess), axis=(1, 2, 3))


@outside_sick(
    "exploding_gradient",
    ["shrink", "inner", "grow"],
    family="generative",
    source="https://github.com/apache/singa/pull/333",
    accepted="Gradients have to be averaged over the size of the matrix, otherwise the loss overflows.",
    also=RUIN,
)
def pixels_summed_by_an_autoencoder() -> Training:
    """Patches of photographs are rebuilt under an error that is summed over all pixels, with momentum."""
    x = 255 * photo_patches(512)
    model = keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=4, name="shrink"),
            layers.Conv2D(8, 1, activation="elu", name="inner"),
            layers.Conv2DTranspose(3, 3, strides=2, padding="same", name="grow"),
        ]
    )
    compiled(model, keras.optimizers.SGD(1e-5, momentum=0.9), summed_pixels)
    return Training(model, x, x, epochs=6, constant_loss=float(192 * x.var(0).mean()))
