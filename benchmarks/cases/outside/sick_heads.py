"""Programs whose output layer does not fit what its loss compares it with."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import Array, diabetes, digits, photo_patches, table, waves
from benchmarks.cases.networks import compiled

UNKNOWN = float("nan")
"""The loss of a constant is unknown or has no bound."""

SILENCED = ("collapsed_layer", "no_gradient", "vanishing_gradient", "stagnant_weights")
"""What follows where the output is the same for every sample."""


@outside_sick(
    "unfit_head",
    ["output"],
    family="tabular",
    source="https://github.com/keras-team/keras/issues/18909",
    accepted="A softmax over one unit is always 1, a logical error that Keras was asked to report.",
    also=SILENCED,
)
def softmax_of_one_unit() -> Training:
    """A binary classifier of tumors that ends in one unit with softmax."""
    x, y = table("breast_cancer")
    model = keras.Sequential(
        [
            layers.Input((30,)),
            layers.Dense(24, activation="relu", name="hidden_1"),
            layers.Dense(12, activation="relu", name="hidden_2"),
            layers.Dense(1, activation="softmax", name="output"),
        ]
    )
    return Training(compiled(model, "adam", "binary_crossentropy"), x, y.astype("float32")[:, None], epochs=10)


@outside_sick(
    "unfit_head",
    ["activation"],
    family="tabular",
    source="https://stats.stackexchange.com/revisions/2bda6552-783b-4fb7-ba2b-a03d2266e69b/view-source",
    accepted="In this model softmax always predicts 1; with sigmoid it learns the majority.",
    also=SILENCED,
)
def majority_of_three_bits() -> Training:
    """The majority of three bits, learned with RMSprop, mean squared error and a softmax layer over one value."""
    x = np.random.default_rng(123).integers(0, 2, (300, 3)).astype("float32")
    y = (x.sum(1) > 1).astype("float32")[:, None]
    model = keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(10, activation="relu", name="hidden"),
            layers.Dense(1, name="score"),
            layers.Softmax(name="activation"),
        ]
    )
    return Training(compiled(model, "rmsprop", "mean_squared_error"), x, y, epochs=15, batch_size=20)


@outside_sick(
    "unfit_head",
    ["output"],
    family="vision",
    source="https://datascience.stackexchange.com/questions/38604/too-low-accuracy-on-mnist-dataset-using-a-neural-network",
    accepted="Ten classes need ten units and a categorical loss; one sigmoid and labels 0 to 9 give a negative loss.",
    also=("exploding_gradient", "collapsed_layer", "vanishing_gradient"),
)
def digits_into_one_sigmoid() -> Training:
    """The labels 0 to 9 of digits are given to one sigmoid unit with binary cross entropy."""
    x, y = digits()
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(64, activation="relu", name="hidden"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )
    compiled(model, "adam", "binary_crossentropy")
    return Training(model, x.reshape(len(x), -1), y.astype("float32")[:, None], constant_loss=UNKNOWN)


@outside_sick(
    "unfit_head",
    ["price"],
    family="tabular",
    source="https://openillumi.com/en/en-keras-tf-fix-huge-negative-loss-regression",
    accepted="Binary cross entropy was used for a price; a loss of regression is needed.",
    also=("exploding_gradient", "collapsed_layer", "vanishing_gradient"),
)
def price_under_binary_crossentropy() -> Training:
    """Regression copied from a classification tutorial: targets in the hundreds under binary cross entropy."""
    x, y = diabetes(standard_target=False)
    model = keras.Sequential(
        [
            layers.Input((10,)),
            layers.Dense(32, activation="relu", name="hidden_1"),
            layers.Dense(16, activation="relu", name="hidden_2"),
            layers.Dense(1, activation="sigmoid", name="price"),
        ]
    )
    compiled(model, "adam", "binary_crossentropy")
    return Training(model, x, y, epochs=12, constant_loss=UNKNOWN)


@outside_sick(
    "unfit_head",
    ["output"],
    family="tabular",
    source="https://github.com/keras-team/keras/issues/14046",
    accepted="Labels outside [0, 1] are not valid for binary cross entropy, which does not check them.",
    also=("exploding_gradient",),
)
def labels_of_minus_one_and_one() -> Training:
    """A classifier whose labels are -1 and 1 as for a support vector machine, under binary cross entropy."""
    x, y = table("breast_cancer")
    model = keras.Sequential(
        [
            layers.Input((30,)),
            layers.Dense(24, activation="relu", name="hidden"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )
    labels = (2 * y - 1).astype("float32")[:, None]
    return Training(compiled(model, "adam", "binary_crossentropy"), x, labels, epochs=10, constant_loss=UNKNOWN)


@outside_sick(
    "unfit_head",
    ["classes"],
    family="vision",
    source="https://github.com/tensorflow/tensorflow/issues/15962",
    accepted="Labels counted from 1 exceed the number of classes, which is easy to do and hard to find.",
)
def classes_counted_from_one() -> Training:
    """Labels run from 1 to 10, so the tenth class has no place in the one-hot targets of ten units."""
    x, y = digits()
    labels = y + 1
    targets = (labels[:, None] == np.arange(10)).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu", name="conv"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, activation="softmax", name="classes"),
        ]
    )
    return Training(compiled(model, "adam", "categorical_crossentropy"), x[..., None], targets)


@outside_sick(
    "unfit_head",
    ["output"],
    family="time_series",
    source="https://github.com/jsyoon0823/Time-series-prediction/issues/3",
    accepted="The output is a sigmoid, so targets must be scaled to [0, 1] first.",
    also=("saturated_units", "dead_units", *SILENCED),
)
def series_beyond_the_sigmoid() -> Training:
    """A recurrent forecaster with a sigmoid output is given values between 20 and 80."""
    x, _ = waves(512, 13)
    y = (50 + 25 * x[:, -1]).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((12, 1)),
            layers.GRU(16, name="gru"),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.003), "mse"), x[:, :-1], y, epochs=5)


@outside_sick(
    "unfit_head",
    ["picture"],
    family="generative",
    source="https://github.com/soumith/ganhacks/issues/75",
    accepted="With a tanh output the labels must be normalized to [-1, 1] for training and scaled back for prediction.",
    also=("saturated_units", *SILENCED),
)
def pictures_beyond_the_tanh() -> Training:
    """An image generator with a tanh output is trained on values up to 800."""
    x = photo_patches(512)
    model = keras.Sequential(
        [
            layers.Input((4, 4, 3)),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv_1"),
            layers.UpSampling2D(name="enlarge"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv_2"),
            layers.Conv2D(3, 3, padding="same", activation="tanh", name="picture"),
        ]
    )
    return Training(compiled(model, "adam", "mean_absolute_error"), x[:, ::2, ::2], 800 * x, constant_loss=UNKNOWN)


@outside_sick(
    "unfit_head",
    ["dense_3"],
    family="tabular",
    source="https://community.deeplearning.ai/t/loss-values-do-not-change/324182",
    accepted="The output layer has ReLU and cannot give the negative targets of the line; often it starts dead.",
    also=("dead_units", "collapsed_layer", "no_gradient", "vanishing_gradient", "stagnant_weights", "poor_init"),
)
def line_with_rectified_output() -> Training:
    """The line 2x - 1 is learned from seven points by three narrow ReLU layers, the last one included."""
    x = np.arange(-1, 6, dtype="float32")[:, None]
    inputs = layers.Input((1,))
    body = layers.Dense(4, activation="relu", name="dense_1")(inputs)
    body = layers.Dense(2, activation="relu", name="dense_2")(body)
    model = keras.Model(inputs, layers.Dense(1, activation="relu", name="dense_3")(body))
    compiled(model, keras.optimizers.Adam(0.001), keras.losses.MeanSquaredError())
    return Training(model, x, 2 * x - 1, epochs=40)


def routes(count: int = 384, length: int = 8) -> tuple[Array, Array]:
    """Places and temperatures along random walks, and where they end."""
    random = np.random.default_rng(6)
    steps = random.normal(0, 0.3, (count, length + 1, 3))
    walks = np.array([40.0, 40.0, 20.0]) + steps.cumsum(1)
    return walks[:, :-1].astype("float32"), walks[:, -1, :2].astype("float32")


@outside_sick(
    "unfit_head",
    ["softmax_2"],
    family="time_series",
    source="https://github.com/keras-team/keras/issues/1987",
    accepted="Softmax and cross entropy are for classes; coordinates need a linear output and a squared error.",
    also=(
        "dormant_units",
        "saturated_units",
        "poor_init",
        "exploding_gradient",
        "vanishing_gradient",
        "stagnant_weights",
        "collapsed_layer",
    ),
)
def coordinates_from_softmax() -> Training:
    """Coordinates of about 40 degrees are predicted by a recurrent network that ends in softmax and cross entropy."""
    x, y = routes()
    model = keras.Sequential(
        [
            layers.Input((8, 3)),
            layers.LSTM(8, name="lstm"),
            layers.Activation("softmax", name="softmax_1"),
            layers.Dense(2, name="dense"),
            layers.Activation("softmax", name="softmax_2"),
        ]
    )
    return Training(compiled(model, "rmsprop", "categorical_crossentropy"), x, y, constant_loss=UNKNOWN)


@outside_sick(
    "unfit_head",
    ["policy"],
    family="reinforcement_learning",
    source="https://github.com/maxpumperla/deep_learning_and_the_game_of_go/issues/90",
    accepted="Cross entropy with negative advantages as labels has no lower bound: the loss falls until it is NaN.",
    also=("exploding_gradient", "dead_units", "nonfinite"),
)
def negative_advantages_as_labels() -> Training:
    """A policy is trained with one-hot actions times their advantages, which are often negative, as labels."""
    random = np.random.default_rng(7)
    boards = random.integers(-1, 2, (512, 25)).astype("float32")
    actions, advantages = random.integers(0, 9, 512), random.normal(size=512)
    labels = (np.eye(9)[actions] * advantages[:, None]).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((25,)),
            layers.Dense(48, activation="relu", name="dense_1"),
            layers.Dense(48, activation="relu", name="dense_2"),
            layers.Dense(9, activation="softmax", name="policy"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.1, clipnorm=1.0), "categorical_crossentropy")
    return Training(model, boards, labels, constant_loss=UNKNOWN)


def pendulum_torques(count: int = 512) -> tuple[Array, Array]:
    """States of a pendulum and the torques up to 3 by which a controller holds it."""
    random = np.random.default_rng(9)
    angle, speed = random.uniform(-np.pi, np.pi, count), random.uniform(-2, 2, count)
    states = np.stack([np.cos(angle), np.sin(angle), speed], 1)
    torques: Any = np.clip(-2.5 * angle - 0.8 * speed, -3, 3)
    return states.astype("float32"), torques.astype("float32")[:, None]


@outside_sick(
    "unfit_head",
    ["action"],
    family="reinforcement_learning",
    source="https://github.com/stevenpjg/ddpg-aigym/issues/2",
    accepted="Tanh gives -1 to 1 while actions reach from -3 to 3, so the output must be multiplied by the bound.",
    also=("saturated_units",),
)
def actions_beyond_the_tanh() -> Training:
    """An actor with a tanh output imitates torques between -3 and 3 without being scaled to their bound."""
    x, y = pendulum_torques()
    inputs = layers.Input((3,))
    body = layers.Dense(32, activation="relu", name="actor_1")(inputs)
    body = layers.Dense(32, activation="relu", name="actor_2")(body)
    model = keras.Model(inputs, layers.Dense(1, activation="tanh", name="action")(body))
    return Training(compiled(model, keras.optimizers.Adam(0.002), "mse"), x, y)
