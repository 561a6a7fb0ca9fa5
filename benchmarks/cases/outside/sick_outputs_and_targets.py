"""Programs whose outputs and targets do not fit, such as softmax for values and pixels without a class."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import WHOLE, Training, outside_sick
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled

STUCK = ("collapsed_layer", "stagnant_weights", "vanishing_gradient", "no_gradient", "dead_units", "saturated_units")
"""What goes with outputs that cannot be right."""


def carts(count: int = 640) -> tuple[Array, Array]:
    """Position and angle of a cart with a pole and their speeds, and the value of a push to either side or of none."""
    random = np.random.default_rng(610)
    state = random.normal(size=(count, 4)).astype("float32")
    lean = state[:, 2:3] + 0.5 * state[:, 3:4] + 0.2 * state[:, :1]
    return state, (-1 - np.abs(lean - np.array([[-1.0, 0.0, 1.0]]))).astype("float32")


@outside_sick(
    "unfit_head",
    ["chances"],
    family="reinforcement_learning",
    source="https://github.com/thu-ml/tianshou/issues/725",
    accepted="With a softmax in the last layer values lie between 0 and 1, so it must be off for deep Q-learning.",
    also=STUCK,
)
def values_that_sum_to_one() -> Training:
    """The values of three pushes, all of them costs, by a network whose option for a softmax is left at its default."""
    x, y = carts()
    state = layers.Input((4,), name="state")
    body = state
    for n in (1, 2):
        body = layers.Dense(40, activation="relu", name=f"fc_{n}")(body)
    body = layers.Dense(3, name="values")(body)
    model = keras.Model(state, layers.Activation("softmax", name="chances")(body))
    compiled(model, keras.optimizers.Adam(0.001, clipnorm=10.0), keras.losses.Huber())
    return Training(model, x, y, epochs=8, batch_size=64)


def streets(count: int = 240) -> tuple[Array, Array]:
    """Pictures of 12 by 12 with a bright, a striped and a dark patch on noise, and which of them a pixel belongs to.

    Most pixels belong to none and have no class.
    """
    random = np.random.default_rng(611)
    x = random.normal(0.5, 0.05, (count, 12, 12, 1))
    y = np.zeros((count, 12, 12, 3))
    stripes = np.where(np.arange(4) % 2, 0.9, 0.1)[None, :, None]
    looks = (np.ones((1, 1, 1)), stripes, np.zeros((1, 1, 1)))
    for picture in range(count):
        corners = random.permutation([(0, 0), (0, 7), (7, 0), (7, 7)])[:3]
        for kind, ((top, left), look) in enumerate(zip(corners, looks, strict=True)):
            x[picture, top : top + 4, left : left + 4] = look + random.normal(0, 0.05, (4, 4, 1))
            y[picture, top : top + 4, left : left + 4, kind] = 1
    return x.astype("float32"), y.astype("float32")


@outside_sick(
    "unfit_head",
    ["classes"],
    family="vision",
    source="https://github.com/qubvel-org/segmentation_models.pytorch/issues/157",
    accepted="Softmax has to give each pixel some class, so a class for the background is required.",
    also=("exploding_gradient", "collapsed_layer"),
)
def pixels_that_belong_to_nothing() -> Training:
    """Three kinds of things in a street by a small U-Net with softmax, and there is no class for the background."""
    x, y = streets()
    inputs = layers.Input((12, 12, 1))
    first = layers.Conv2D(8, 3, padding="same", activation="relu", name="down_1")(inputs)
    body = layers.MaxPooling2D(name="pool")(first)
    body = layers.Conv2D(16, 3, padding="same", activation="relu", name="down_2")(body)
    body = layers.UpSampling2D(name="up")(body)
    body = layers.Concatenate(name="skip")([body, first])
    body = layers.Conv2D(8, 3, padding="same", activation="relu", name="up_1")(body)
    model = keras.Model(inputs, layers.Conv2D(3, 1, activation="softmax", name="classes")(body))
    return Training(compiled(model, "adam", "categorical_crossentropy"), x, y, epochs=8, batch_size=16)


def parabola(count: int = 360, length: int = 6) -> tuple[Array, Array]:
    """Six values of 2 n² + 3 at steps of a tenth, and the next one; the inputs are standardized, the targets not."""
    random = np.random.default_rng(612)
    at = random.uniform(-3, 3, (count, 1)) + 0.1 * np.arange(length + 1)
    values = 2 * at**2 + 3
    x = (values[:, :-1] - values.mean()) / values.std()
    return x.astype("float32")[..., None], values[:, -1:].astype("float32")


@outside_sick(
    "unfit_head",
    ["lstm_out"],
    family="time_series",
    source="https://imathworks.com/cv/solved-lstm-cell-output-activation-for-series",
    accepted="The output of an LSTM is a tanh; add a dense layer after it to predict more than -1 to 1.",
    also=STUCK,
)
def recurrent_layer_as_the_output() -> Training:
    """The next value of a parabola is the state of the last LSTM layer itself, which has one unit."""
    x, y = parabola()
    model = keras.Sequential([layers.Input((6, 1))])
    model.add(layers.LSTM(24, return_sequences=True, name="lstm_in"))
    model.add(layers.Dropout(0.1, name="dropout"))
    model.add(layers.LSTM(1, name="lstm_out"))
    return Training(compiled(model, keras.optimizers.RMSprop(0.003), "mean_absolute_error"), x, y, epochs=8)


def populations(count: int = 640, size: int = 20) -> tuple[Array, Array]:
    """Sets of points from normal distributions of different widths, and the logarithms of the widths."""
    random = np.random.default_rng(613)
    y = random.uniform(-1, 1, count)
    x = random.normal(size=(count, size, 2)) * np.exp(y)[:, None, None]
    return x.astype("float32"), y.astype("float32")


def squared_difference(truth: Any, guess: Any) -> Any:
    """Squared error of statistics, which come as one number per set."""
    statistic = ops.reshape(truth, (-1,))
    return ops.mean(ops.square(statistic - guess))


@outside_sick(
    "no_learning",
    [WHOLE],
    family="tabular",
    source="https://github.com/manzilzaheer/DeepSets/pull/2",
    accepted="A vector minus a column is a matrix, so each guess is compared with all targets and learns their mean.",
    also=STUCK,
)
def sets_against_every_target() -> Training:
    """A statistic of a set by a sum over its points; targets are a vector and the guesses a column."""
    x, y = populations()
    model = keras.Sequential(
        [
            layers.Input((20, 2)),
            layers.Dense(24, activation="elu", name="phi_1"),
            layers.Dense(24, activation="elu", name="phi_2"),
            layers.GlobalAveragePooling1D(name="sum"),
            layers.Dense(24, activation="elu", name="rho_1"),
            layers.Dense(1, name="statistic"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.001), squared_difference)
    return Training(model, x, y, epochs=10, batch_size=128, constant_loss=float(y.var()))
