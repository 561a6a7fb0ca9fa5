"""Programs of survival, physics, one class and Bayes: nobody who dies, powers, biases, priors that are too strong."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import WHOLE, Training, View, outside_sick
from benchmarks.cases.data import table, waves
from benchmarks.cases.networks import compiled

LOST = ("nonfinite", "nonfinite_loss", "nonfinite_data", "no_learning", "collapsed_layer", "exploding_gradient")
"""What goes with values that are not finite."""

HURT = (
    "stagnant_weights",
    "vanishing_gradient",
    "exploding_gradient",
    "dead_units",
    "dormant_units",
    "saturated_units",
    "no_gradient",
    "collapsed_layer",
    "poor_init",
    "learning_rate",
    "no_learning",
)
"""What may also happen to single layers."""


def mean_over_deaths(truth: Any, risk: Any) -> Any:
    """The partial likelihood of a batch, whose rows are time and whether the patient has died, for each death."""
    order = ops.argsort(-truth[:, 0])
    died, risk = ops.take(truth[:, 1], order), ops.take(risk[:, 0], order)
    at_risk = ops.log(ops.cumsum(ops.exp(risk)))
    return -ops.sum(died * (risk - at_risk)) / ops.sum(died)


@outside_sick(
    "nonfinite",
    ["hidden_1", "hidden_2", "risk"],
    family="tabular",
    source="https://github.com/havakv/pycox/issues/124",
    accepted="Small batches may have no event, and the loss is divided by their number; a small number is added to it.",
    also=LOST,
)
def batch_in_which_nobody_dies() -> Training:
    """Risks of patients by the mean over all deaths in a batch; few die, and some batches of 16 have no death."""
    random = np.random.default_rng(731)
    x = random.normal(0, 1, (640, 14)).astype("float32")
    time = random.exponential(np.exp(-x[:, 0] + 0.5 * x[:, 1]))
    y = np.stack([np.minimum(time, 0.12), time < 0.12], 1).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((14,)),
            layers.Dense(64, activation="relu", name="hidden_1"),
            layers.BatchNormalization(name="normal"),
            layers.Dropout(0.1, name="dropout"),
            layers.Dense(32, activation="relu", name="hidden_2"),
            layers.Dense(1, use_bias=False, name="risk"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(1e-3), mean_over_deaths), x, y, epochs=5, batch_size=16)


class Concentration(keras.Model):
    """A concentration in place and time that spreads faster where there is more of it."""

    def error(self, places: Any, known: Any) -> Any:
        places = tf.convert_to_tensor(places)
        with tf.GradientTape() as outer:
            outer.watch(places)
            with tf.GradientTape() as inner:
                inner.watch(places)
                amount = self(places, training=True)
            slope = inner.gradient(amount, places)
            flow = amount**1.2 * slope[:, :1]
        residual = slope[:, 1:] - outer.gradient(flow, places)[:, :1]
        is_start = ops.cast(places[:, 1:] == 0, "float32")
        return ops.mean(ops.square(residual)) + ops.mean(is_start * ops.square(amount - known))

    def train_step(self, data: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self.error(*data)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="tabular",
    source="https://github.com/prateekbhustali/Physics-Informed-Neural-Networks/issues/1",
    accepted="The network may give negative values, and their power with an exponent of 1.2 is not a number.",
    also=LOST,
)
def power_of_a_negative_concentration() -> Training:
    """Diffusion by a physics-informed network; how fast it is depends on a broken power of the network's output."""
    random = np.random.default_rng(732)
    x = random.uniform(0, 1, (768, 2)).astype("float32")
    x[:256, 1] = 0
    y = np.exp(-30 * np.square(x[:, :1] - 0.5)).astype("float32")
    inputs = keras.Input((2,))
    body = inputs
    for depth in range(4):
        body = layers.Dense(40, activation="tanh", name=f"hidden_{depth}")(body)
    model = Concentration(inputs, layers.Dense(1, name="amount")(body))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    view = View(model, x, loss=lambda _: model.error(x, y))
    return Training(model, x, y, epochs=4, batch_size=64, views=(view,))


@outside_sick(
    "collapsed_layer",
    ["hidden_1", "hidden_2", "codes"],
    family="tabular",
    source="https://github.com/yzhao062/pyod/issues/385",
    accepted="Layers with biases can learn any constant, so that all rows are at the center; they must have none.",
    also=HURT,
)
def ball_of_rows_with_biases() -> Training:
    """Deep SVDD for usual rows: layers with biases and weight decay learn to give the center whatever the row."""
    x, _ = table("breast_cancer")
    model = keras.Sequential([layers.Input((30,))])
    for name, width in (("hidden_1", 64), ("hidden_2", 32)):
        model.add(layers.Dense(width, activation="relu", kernel_regularizer=keras.regularizers.L2(0.1), name=name))
    model.add(layers.Dense(16, kernel_regularizer=keras.regularizers.L2(0.1), name="codes"))
    center = np.asarray(model(x)).mean(0)
    center = np.where(np.abs(center) < 0.1, 0.1, center).astype("float32")

    def from_center(_: Any, codes: Any) -> Any:
        return ops.sum(ops.square(codes - center), axis=-1)

    compiled(model, keras.optimizers.Adam(5e-3), from_center)
    return Training(model, x, np.zeros((len(x), 1), "float32"), epochs=40)


class BayesianRecurrence(layers.Layer):
    """A recurrent layer whose weights are drawn for each batch; their divergence from the prior is a loss."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.seeds = units, keras.random.SeedGenerator(734)

    def build(self, input_shape: Any) -> None:
        shape = (input_shape[-1] + self.units, self.units)
        self.mean = self.add_weight(shape, initializer="glorot_uniform", name="mean")
        self.spread = self.add_weight(shape, initializer=keras.initializers.Constant(-2.0), name="spread")
        self.bias = self.add_weight((self.units,), initializer="zeros", name="bias")

    def call(self, values: Any) -> Any:
        deviation = ops.softplus(self.spread)
        kernel = self.mean + deviation * keras.random.normal(self.mean.shape, seed=self.seeds)
        terms = ops.square(deviation) + ops.square(self.mean) - 1 - 2 * ops.log(deviation)
        self.add_loss(ops.sum(terms) / 2)
        state = ops.zeros((ops.shape(values)[0], self.units))
        for step in range(values.shape[1]):
            state = ops.tanh(ops.matmul(ops.concatenate([values[:, step], state], axis=1), kernel) + self.bias)
        return state


@outside_sick(
    "no_learning",
    [WHOLE],
    family="time_series",
    source="https://github.com/google/edward2/issues/474",
    accepted="The divergence has to be divided by the number of training samples; added as it is, nothing converges.",
    also=HURT,
)
def recurrent_weights_held_by_their_prior() -> Training:
    """The frequency of waves by a Bayesian recurrent layer, whose divergence is added to the mean loss undivided."""
    x, y = waves()
    inputs = keras.Input(x.shape[1:])
    body = BayesianRecurrence(32, name="recurrence")(inputs)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="frequency")(body))
    compiled(model, keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=15)


def cox_by_raw_risks(truth: Any, risk: Any) -> Any:
    """The partial likelihood of a batch for each patient, with the sum over those at risk taken in logarithms."""
    is_later = truth[None, :, 0] >= truth[:, None, 0]
    at_risk = ops.logsumexp(ops.where(is_later, risk[None, :, 0], -1e9), axis=1)
    return -ops.mean(truth[:, 1] * (risk[:, 0] - at_risk))


@outside_sick(
    "exploding_gradient",
    ["hidden_1", "hidden_2", "risk"],
    family="tabular",
    source="https://github.com/jaredleekatzman/DeepSurv/issues/14",
    accepted="The features are not normalized; scaled to between 0 and 1, the loss stays finite.",
    also=(*HURT, *LOST),
)
def survival_from_raw_columns() -> Training:
    """Survival by DeepSurv with Nesterov momentum from birth years, doses and counts of cells as they are."""
    random = np.random.default_rng(735)
    columns = [random.uniform(1920, 1990, 512), random.uniform(0, 400, 512), random.normal(6000, 2000, 512)]
    x = np.stack([*columns, *random.integers(0, 3, (4, 512))], 1).astype("float32")
    time = random.exponential(np.exp((x[:, 0] - 1955) / 20 - x[:, 3] / 2))
    y = np.stack([np.minimum(time, 2), time < 2], 1).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((7,)),
            layers.Dense(64, activation="selu", name="hidden_1"),
            layers.Dense(32, activation="selu", name="hidden_2"),
            layers.Dense(1, use_bias=False, name="risk"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.0005, momentum=0.9, nesterov=True), cox_by_raw_risks)
    return Training(model, x, y, epochs=6, batch_size=64)


@outside_sick(
    "saturated_units",
    ["bipolar_1", "bipolar_2"],
    family="tabular",
    source="https://github.com/accord-net/framework/issues/146",
    accepted="Inputs have to be scaled to between 0 and 1, and outputs to the interval of the activation.",
    also=(*HURT, "unfit_head"),
)
def columns_too_large_for_bipolar_sigmoids() -> Training:
    """Amounts of a harvest between -1 and 1 from rain, heat and days as they are, by two layers of bipolar sigmoids."""
    random = np.random.default_rng(736)
    columns = [random.uniform(200, 1200, 800), random.uniform(5, 40, 800), random.uniform(1, 365, 800)]
    x = np.stack(columns, 1)
    scaled = (x - x.mean(0)) / x.std(0)
    y = np.tanh(scaled[:, :1] * scaled[:, 1:2] + 0.5 * np.sin(2 * scaled[:, 2:]))
    model = keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(24, activation="tanh", name="bipolar_1"),
            layers.Dense(12, activation="tanh", name="bipolar_2"),
            layers.Dense(1, activation="tanh", name="harvest"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.1), "mean_squared_error")
    return Training(model, x.astype("float32"), y.astype("float32"), epochs=10)
