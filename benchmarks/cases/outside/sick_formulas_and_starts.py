"""Programs with roots, logarithms and quotients of nothing, with starts that are far off, and with hasty steps."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import WHOLE, Training, outside_sick
from benchmarks.cases.data import digits, flat_digits, raw_table, table, words
from benchmarks.cases.networks import compiled

LOST = ("nonfinite_loss", "nonfinite_data", "no_learning", "collapsed_layer")
"""What goes with values that are not finite."""

HURT = (
    "stagnant_weights",
    "vanishing_gradient",
    "exploding_gradient",
    "dead_units",
    "no_gradient",
    "collapsed_layer",
    "poor_init",
    "learning_rate",
    "no_learning",
)
"""What a start or a step that is far off may do to single layers."""


def focal_loss(truth: Any, guess: Any) -> Any:
    """Logarithms of the chances, weighted by how wrong they are, without a bound of their arguments."""
    right = ops.where(truth == 1, guess, 1 - guess)
    return -ops.mean(0.25 * ops.square(1 - right) * ops.log(right), axis=-1)


@outside_sick(
    "nonfinite",
    ["dense_1", "dense_2", "output"],
    family="tabular",
    source="https://github.com/mkocabas/focal-loss-keras/issues/17",
    accepted="The focal loss takes the logarithm of 0; adding epsilon to its argument fixed NaN.",
    also=(*LOST, "poor_init", "exploding_gradient", "saturated_units", "dead_units"),
)
def focal_loss_of_sure_answers() -> Training:
    """A focal loss without epsilon on raw columns, for which the first answers are sure and often wrong."""
    x, y = raw_table("breast_cancer")
    model = keras.Sequential(
        [
            layers.Input((30,)),
            layers.Dense(16, activation="relu", name="dense_1"),
            layers.Dense(8, activation="relu", name="dense_2"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )
    return Training(compiled(model, "adam", focal_loss), x, y[:, None].astype("float32"), epochs=5)


def relative_error(truth: Any, guess: Any) -> Any:
    """The norm of the difference divided by that of the truth."""
    return ops.sqrt(ops.sum(ops.square(guess - truth), -1)) / (1e-3 + ops.sqrt(ops.sum(ops.square(truth), -1)))


@outside_sick(
    "nonfinite",
    ["body", "field"],
    family="tabular",
    source="https://github.com/tensorflow/tensorflow/issues/42889",
    accepted="The gradient of the square root is not finite where the difference is zero.",
    also=LOST,
)
def norm_of_no_difference() -> Training:
    """A relative error by norms, an output layer that starts at zero, and points at which the field is zero."""
    random = np.random.default_rng(170)
    x = random.uniform(-1, 1, (512, 3)).astype("float32")
    y = np.stack([np.maximum(x[:, 0], 0) * x[:, 1], np.maximum(x[:, 0], 0) * x[:, 2]], 1).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(32, activation="tanh", name="body"),
            layers.Dense(2, kernel_initializer="zeros", name="field"),
        ]
    )
    return Training(compiled(model, "adam", relative_error), x, y, epochs=5)


@outside_sick(
    "nonfinite",
    ["scaled"],
    family="vision",
    source="https://qiita.com/oozzZZZZ/items/c3559e5dd40ab4e7ac9e",
    accepted="Dividing by the largest value is a division by zero for an empty picture; add an epsilon.",
    also=LOST,
)
def pictures_divided_by_their_largest() -> Training:
    """Each picture is divided by its brightest pixel inside the model, and a few pictures are black."""
    x, y = digits(640)
    x = x.copy()
    x[[37, 250, 251, 602]] = 0
    inputs = layers.Input((8, 8))
    body = layers.Lambda(lambda value: value / ops.max(value, axis=(1, 2), keepdims=True), name="scaled")(inputs)
    body = layers.Flatten(name="flatten")(body)
    body = layers.Dense(32, activation="relu", name="dense")(body)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="classes")(body))
    return Training(compiled(model, "adam", "sparse_categorical_crossentropy"), x, y, epochs=5)


@outside_sick(
    "no_learning",
    [WHOLE],
    family="tabular",
    source="https://grindskills.com/why-cant-a-single-relu-learn-a-relu/",
    accepted="A rectifier that starts upside down is driven to zero, where it has no way to the other side.",
    also=(*HURT, "dormant_units"),
)
def one_rectifier_upside_down() -> Training:
    """A single ReLU without bias, whose weight starts at -10, is to learn a single ReLU."""
    x = np.random.default_rng(171).normal(size=(1000, 1)).astype("float32")
    start = keras.initializers.Constant(-10.0)
    model = keras.Sequential(
        [
            layers.Input((1,)),
            layers.Dense(1, use_bias=False, kernel_initializer=start, name="dense"),
            layers.ReLU(name="relu"),
        ]
    )
    return Training(compiled(model, "sgd", "mean_squared_error"), x, np.maximum(x, 0), epochs=10)


@outside_sick(
    "poor_init",
    ["dense_1", "dense_2", "output"],
    family="tabular",
    source="https://community.deeplearning.ai/t/random-initialization/86952",
    accepted="With large random weights the last sigmoid is close to 0 or 1, so that wrong answers cost very much.",
    also=(*HURT, "saturated_units"),
)
def weights_times_ten() -> Training:
    """Normal weights times ten in two ReLU layers and a sigmoid, as in the exercise on initialization."""
    x, y = table("breast_cancer")
    start = keras.initializers.RandomNormal(stddev=10.0)
    model = keras.Sequential([layers.Input((30,))])
    for n, width in ((1, 10), (2, 5)):
        model.add(layers.Dense(width, activation="relu", kernel_initializer=start, name=f"dense_{n}"))
    model.add(layers.Dense(1, activation="sigmoid", kernel_initializer=start, name="output"))
    compiled(model, keras.optimizers.SGD(0.01), "binary_crossentropy")
    return Training(model, x, y[:, None].astype("float32"), epochs=10)


@outside_sick(
    "dead_units",
    ["infer_1", "infer_2"],
    family="text",
    source="https://github.com/dangitstam/topic-rnn/pull/9",
    accepted="A smaller learning rate keeps the ReLU units from dying.",
    also=(*HURT, "dormant_units"),
)
def topics_by_dying_rectifiers() -> Training:
    """Two ReLU layers infer the kind of a text from the counts of its words, at a rate that kills their units."""
    x, y = words(768)
    counts = np.stack([np.bincount(text, minlength=60) for text in x]).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((60,)),
            layers.Dense(64, activation="relu", name="infer_1"),
            layers.Dense(32, activation="relu", name="infer_2"),
            layers.Dense(2, name="topic"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.2)), counts, y, epochs=8)


@outside_sick(
    "dead_units",
    ["conv_1", "conv_2", "dense"],
    family="vision",
    source="https://github.com/keras-team/keras/issues/2711",
    accepted="A lower learning rate and normalized inputs: with 0.1 nothing changes any more after the first epoch.",
    also=(*HURT, "dormant_units"),
)
def nothing_changes_after_one_epoch() -> Training:
    """A convolutional network on pixels up to 255 with a rate of 0.1 and momentum."""
    x, y = digits(512)
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(12, 3, activation="relu", name="conv_1"),
            layers.Conv2D(12, 3, activation="relu", name="conv_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="relu", name="dense"),
            layers.Dense(10, activation="softmax", name="classes"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    compiled(model, optimizer, "sparse_categorical_crossentropy")
    return Training(model, 255 * x[..., None], y, epochs=6)


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="vision",
    source="https://machinecurve.com/index.php/2019/11/11/problems-with-fixed-and-decaying-learning-rates",
    accepted="A fixed learning rate that is far too small makes no progress.",
    also=("stagnant_weights",),
)
def fixed_rate_that_is_too_small() -> Training:
    """Dense layers classify digits with plain SGD and a fixed rate of a millionth."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(48, activation="relu", name="dense_1"),
            layers.Dense(24, activation="relu", name="dense_2"),
            layers.Dense(10, activation="softmax", name="classes"),
        ]
    )
    compiled(model, keras.optimizers.SGD(1e-6), "sparse_categorical_crossentropy")
    return Training(model, *flat_digits(), epochs=6)
