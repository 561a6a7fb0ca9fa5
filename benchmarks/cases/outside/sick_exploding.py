"""Programs whose gradients explode: huge targets, unscaled inputs, recurrence, bootstrapped targets."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, View, outside_sick
from benchmarks.cases.data import Array, diabetes, photo_patches, raw_table, waves
from benchmarks.cases.networks import compiled

AFTERMATH = (
    "nonfinite",
    "stagnant_weights",
    "dead_units",
    "collapsed_layer",
    "vanishing_gradient",
    "no_gradient",
    "saturated_units",
    "poor_init",
)
"""What an explosion leaves behind."""


@outside_sick(
    "exploding_gradient",
    ["dense_1", "dense_2", "price"],
    family="tabular",
    source="https://github.com/rstudio-conf-2020/dl-keras-tf/issues/9",
    accepted="Sale prices of up to 755,000 make the squared error explode.",
    also=AFTERMATH,
)
def sale_prices_under_squared_error() -> Training:
    """House prices in hundreds of thousands are learned with a squared error and plain SGD."""
    x, y = diabetes()
    model = keras.Sequential(
        [
            layers.Input((10,)),
            layers.Dense(32, activation="relu", name="dense_1"),
            layers.Dense(16, activation="relu", name="dense_2"),
            layers.Dense(1, name="price"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.1), "mean_squared_error")
    return Training(model, x, 180_000 + 80_000 * y, epochs=10, batch_size=16)


@outside_sick(
    "exploding_gradient",
    ["dense", "dense_1"],
    family="tabular",
    source="https://wiki.hoelee.com/content/stats.stackexchange.com_en_all_2022-05/questions/418955/why-is-deep-neural-net-with-linear-activation-diverges",
    accepted="The target is not scaled: it reaches 9,800, and two linear layers diverge at the default learning rate.",
    also=AFTERMATH,
)
def parabola_by_two_linear_layers() -> Training:
    """A parabola up to 9,800 is learned by two linear layers of one unit with the default SGD."""
    x = np.arange(100.0)[:, None]
    y = (x**2 + 3).astype("float32")
    x = ((x - x.mean()) / x.std()).astype("float32")
    model = keras.Sequential([layers.Input((1,)), layers.Dense(1, name="dense"), layers.Dense(1, name="dense_1")])
    return Training(compiled(model, "sgd", "mse"), x, y, epochs=15)


@outside_sick(
    "exploding_gradient",
    ["dense_1", "dense_2", "output"],
    family="tabular",
    source="https://github.com/keras-team/keras/issues/18919",
    accepted="SGD is not adaptive: with big input numbers the gradients explode unless they are clipped.",
    also=AFTERMATH,
)
def sgd_on_big_numbers() -> Training:
    """SGD on the unscaled columns of a table, which reach 4,000, while an adaptive optimizer would cope."""
    x, y = raw_table("breast_cancer")
    model = keras.Sequential(
        [
            layers.Input((30,)),
            layers.Dense(24, activation="elu", name="dense_1"),
            layers.Dense(12, activation="elu", name="dense_2"),
            layers.Dense(2, name="output"),
        ]
    )
    return Training(compiled(model, "sgd"), x, y, epochs=8)


@outside_sick(
    "exploding_gradient",
    ["lstm", "conv", "classes"],
    family="time_series",
    source="https://github.com/AlexanderVNikitin/tsgm/issues/59",
    accepted="The LSTM has ReLU where a saturating activation is expected, so its state grows without bound.",
    also=AFTERMATH,
)
def convolution_and_rectified_lstm() -> Training:
    """A convolution and an LSTM with ReLU classify long series: the state of the LSTM grows at every step."""
    x, y = waves(256, 60)
    model = keras.Sequential(
        [
            layers.Input((60, 1)),
            layers.Conv1D(16, 3, activation="relu", name="conv"),
            layers.LSTM(16, activation="relu", name="lstm"),
            layers.Dense(3, activation="softmax", name="classes"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy"), 5 * x, y, epochs=6)


class SameTarget(keras.Model):
    """Q-learning whose targets come from the network that is being trained."""

    def __init__(self, network: keras.Model, discount: float) -> None:
        super().__init__()
        self.network, self.discount = network, discount

    def call(self, states: Any) -> Any:
        return self.network(states)

    def errors(self, data: Any, values: Any) -> Any:
        """Squared errors of the `values` of the actions taken."""
        _, actions, rewards, following = data
        best = tf.reduce_max(self.network(following), axis=1)
        taken = tf.reduce_sum(values * tf.one_hot(actions, values.shape[-1]), axis=1)
        return tf.reduce_mean(tf.square(taken - rewards - self.discount * tf.stop_gradient(best)))

    def train_step(self, data: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self.errors(data[0], self.network(data[0][0], training=True))
        weights = self.network.trainable_weights
        self.optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        return {"loss": loss}


def walks(count: int = 512) -> tuple[Array, Array, Array, Array]:
    """States, actions, rewards and following states of a walk on a line."""
    random = np.random.default_rng(19)
    states = random.uniform(0.5, 2, (count, 4))
    actions = random.integers(0, 3, count)
    following = np.clip(states * 1.1 + 0.1 * (actions[:, None] - 1), 0.5, 3)
    rewards = states.sum(1) - 4
    return states.astype("float32"), actions.astype("int32"), rewards.astype("float32"), following.astype("float32")


@outside_sick(
    "exploding_gradient",
    ["values/dense_1", "values/dense_2", "values/actions"],
    family="reinforcement_learning",
    source="https://github.com/keras-team/keras-io/pull/98",
    accepted="The network and its target network shared their weights, so that the targets moved with every step.",
    also=AFTERMATH,
)
def target_network_with_the_same_weights() -> Training:
    """Deep Q-learning whose target network is the trained network itself: the values run away from themselves."""
    data = walks()
    inputs = layers.Input((4,))
    body = layers.Dense(32, activation="relu", name="dense_1")(inputs)
    body = layers.Dense(32, activation="relu", name="dense_2")(body)
    network = keras.Model(inputs, layers.Dense(3, name="actions")(body), name="values")
    model = SameTarget(network, 0.99)
    model(data[0][:1])
    model.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    model.optimizer.build(network.trainable_weights)
    view = View(network, data[0], loss=lambda values: model.errors(data, values), prefix="values/")
    return Training(model, data, None, epochs=25, views=(view,), constant_loss=UNKNOWN)


@outside_sick(
    "exploding_gradient",
    ["critic_1", "critic_2", "value"],
    family="reinforcement_learning",
    source="https://github.com/keras-rl/keras-rl/issues/28",
    accepted="The rewards of down to -100 blow up the critic: its loss reaches tens of millions and becomes NaN.",
    also=AFTERMATH,
)
def critic_of_unscaled_returns() -> Training:
    """A critic learns returns in the thousands, sums of unscaled rewards, with SGD and momentum."""
    random = np.random.default_rng(20)
    states = random.normal(size=(512, 8)).astype("float32")
    returns = (-5_000 + 2_000 * np.tanh(states[:, 0]) + random.choice([0, -10_000], 512, p=[0.9, 0.1]))[:, None]
    inputs = layers.Input((8,))
    body = layers.Dense(48, activation="relu", name="critic_1")(inputs)
    body = layers.Dense(48, activation="relu", name="critic_2")(body)
    model = keras.Model(inputs, layers.Dense(1, name="value")(body))
    compiled(model, keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    return Training(model, states, returns.astype("float32"), epochs=8)


@outside_sick(
    "exploding_gradient",
    ["conv_1", "conv_2", "mask"],
    family="audio",
    source="https://github.com/JusperLee/Dual-Path-RNN-Pytorch/issues/16",
    accepted="Audio read as integers of up to thousands made the loss NaN; divide it by 32,768.",
    also=AFTERMATH,
)
def integer_audio_into_a_separator() -> Training:
    """A source separator is given 16-bit samples as they are read, without dividing by 32,768."""
    random = np.random.default_rng(21)
    time = np.arange(64) / 8
    voices = [np.sin(time * random.uniform(1, 4, (256, 1)) + random.uniform(0, 6, (256, 1))) for _ in range(2)]
    mixed = (8_000 * (voices[0] + voices[1])).astype("int16")[..., None].astype("float32")
    first = (8_000 * voices[0]).astype("int16")[..., None].astype("float32")
    model = keras.Sequential(
        [
            layers.Input((64, 1)),
            layers.Conv1D(12, 5, padding="same", activation="relu", name="conv_1"),
            layers.Conv1D(12, 5, padding="same", activation="relu", name="conv_2"),
            layers.Conv1D(1, 1, name="mask"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(0.001), "mse"), mixed, first, epochs=6)


@outside_sick(
    "exploding_gradient",
    ["proposals"],
    family="vision",
    source="https://github.com/tensorflow/tensorflow/issues/38796",
    accepted="The learning rate of SGD is too high for these features; a lower one or another optimizer avoids it.",
    also=AFTERMATH,
)
def detector_on_unscaled_features() -> Training:
    """A convolution is trained by SGD to rebuild the unscaled features of a frozen network."""
    x = 255 * photo_patches(256)
    inputs = layers.Input((8, 8, 3))
    features = layers.Conv2D(16, 3, activation="relu", trainable=False, name="backbone_1")(inputs)
    features = layers.Conv2D(16, 3, activation="relu", trainable=False, name="backbone_2")(features)
    rebuilt = layers.Conv2D(16, 1, name="proposals")(features)
    backbone = keras.Model(inputs, features)
    target = ops.convert_to_numpy(backbone(x))
    model = keras.Model(inputs, rebuilt)
    return Training(compiled(model, keras.optimizers.SGD(0.001), "mse"), x, target, epochs=8, batch_size=16)
