"""Programs pushed to the bounds of their activations, or whose weights start with what nobody meant."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, View, outside_sick
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled

STUCK = ("vanishing_gradient", "stagnant_weights", "no_gradient", "collapsed_layer", "poor_init", "exploding_gradient")
"""What goes with outputs at their bounds."""

EFFECTS = (
    "vanishing_gradient",
    "exploding_gradient",
    "stagnant_weights",
    "no_gradient",
    "collapsed_layer",
    "dead_units",
    "dormant_units",
    "saturated_units",
    "nonfinite",
)
"""What a start with wrong weights may lead to."""


def signs(value: Any) -> Any:
    """-1 or 1, with a gradient of 1 between these and of 0 beyond."""
    return ops.where(value >= 0, 1.0, -1.0), lambda up: ops.where(ops.abs(value) <= 1, up, 0.0)


sign = tf.custom_gradient(signs)


class BinaryConv2D(layers.Conv2D):
    """A convolution by -1 and 1, and of -1 and 1 unless its inputs are pixels."""

    def __init__(self, filters: int, is_first: bool = False, **options: Any) -> None:
        super().__init__(filters, 3, use_bias=False, **options)
        self.is_first = is_first

    def call(self, inputs: Any) -> Any:
        given = inputs if self.is_first else sign(inputs)
        weights = sign(1.0 * self.kernel)
        summed = ops.conv(given, weights, strides=list(self.strides), padding=self.padding)
        return self.activation(summed)


@outside_sick(
    "saturated_units",
    ["binary_1", "binary_2", "binary_3"],
    family="vision",
    source="https://github.com/larq/larq/issues/698",
    accepted="Binarized convolutions give whole numbers far from 0; without batch normalization nothing is learned.",
    also=STUCK,
)
def binary_convolutions_without_normalization() -> Training:
    """Digits by three convolutions with binary weights and clipped outputs, and no batch normalization between them."""
    x, y = digits(640)
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            BinaryConv2D(24, is_first=True, activation="hard_tanh", name="binary_1"),
            BinaryConv2D(32, activation="hard_tanh", name="binary_2"),
            BinaryConv2D(32, activation="hard_tanh", name="binary_3"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, activation="softmax", name="digits"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    return Training(model, 2 * x[..., None] - 1, y, epochs=6)


def laps(count: int = 640) -> tuple[Array, Array, Array]:
    """Sensors of a car, steering and throttle of cautious drivers, and the reward, which grows with the throttle."""
    random = np.random.default_rng(440)
    sensors = random.normal(size=(count, 8))
    moves = np.clip(random.normal([0, 0.1], 0.15, (count, 2)), -0.5, 0.5)
    reward = 1.5 * moves[:, 1] + 0.8 * moves[:, 0] + 0.2 * sensors[:, 0] - 0.1 * np.abs(sensors[:, 1])
    return sensors.astype("float32"), moves.astype("float32"), reward.astype("float32")[:, None]


def minus_value(truth: Any, value: Any) -> Any:
    return -value


@outside_sick(
    "saturated_units",
    ["actions"],
    family="reinforcement_learning",
    source="https://github.com/floodsung/DDPG/issues/6",
    accepted="What reaches the activation grows too large, so that it works where it is saturated and always gives 1.",
    also=(*STUCK, "dead_units", "learning_rate"),
)
def actions_that_go_to_one_and_stay() -> Training:
    """An actor with a tanh output follows the slope of a critic that knows the moves of cautious drivers only."""
    sensors, moves, reward = laps()
    seen, done = layers.Input((8,), name="sensors"), layers.Input((2,), name="moves")
    body = layers.Concatenate(name="seen_and_done")([seen, done])
    body = layers.Dense(48, activation="relu", name="critic_1")(body)
    body = layers.Dense(32, activation="relu", name="critic_2")(body)
    critic = keras.Model([seen, done], layers.Dense(1, name="value")(body))
    compiled(critic, keras.optimizers.Adam(0.005), "mse").fit([sensors, moves], reward, epochs=10, verbose=0)
    body = layers.Dense(48, activation="relu", name="actor_1")(seen)
    body = layers.Dense(32, activation="relu", name="actor_2")(body)
    body = layers.Concatenate(name="joined")([seen, layers.Dense(2, activation="tanh", name="actions")(body)])
    for layer in critic.layers[-3:]:
        layer.trainable = False
        body = layer(body)
    model = compiled(keras.Model(seen, body), keras.optimizers.Adam(0.003), minus_value)
    return Training(model, sensors, reward, epochs=10, constant_loss=UNKNOWN)


class Orbit(keras.Model):
    """Fits observed positions over time and the equation of an oscillation by the second derivative."""

    def __init__(self, network: keras.Model, pace: float) -> None:
        super().__init__()
        self.network = network
        self.pace = pace

    def call(self, times: Any) -> Any:
        return self.network(times)

    def train_step(self, data: Any) -> dict[str, Any]:
        times, places = data
        with tf.GradientTape() as tape:
            with tf.GradientTape() as second:
                second.watch(times)
                with tf.GradientTape() as first:
                    first.watch(times)
                    along = self.network(times)[:, :1]
                speed = first.gradient(along, times)
            force = second.gradient(speed, times)
            off = ops.mean(ops.square(force / self.pace**2 + along))
            loss = ops.mean(ops.square(self.network(times) - places)) + 0.1 * off
        weights = self.network.trainable_weights
        self.optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        return {"loss": loss}


@outside_sick(
    "saturated_units",
    ["orbit/hidden_1", "orbit/hidden_2"],
    family="time_series",
    source="https://github.com/NeuroDiffGym/neurodiffeq/issues/143",
    accepted="Inputs of a large scale do not fit the default weights; make the system dimensionless first.",
    also=STUCK,
)
def orbit_over_seven_hundred_days() -> Training:
    """The two coordinates of a planet from the day, up to 687, by tanh layers and the equation of its motion."""
    pace = 2 * np.pi / 687
    days = np.random.default_rng(441).uniform(0, 687, (512, 1)).astype("float32")
    places = np.concatenate([np.cos(pace * days), np.sin(pace * days)], 1).astype("float32")
    inputs = layers.Input((1,))
    body = layers.Dense(32, activation="tanh", name="hidden_1")(inputs)
    body = layers.Dense(32, activation="tanh", name="hidden_2")(body)
    network = keras.Model(inputs, layers.Dense(2, name="place")(body), name="orbit")
    model = Orbit(network, pace)
    model(days[:1])
    model.compile(keras.optimizers.Adam(0.001), jit_compile=False)
    model.optimizer.build(network.trainable_weights)
    view = View(network, days, loss=lambda made: ops.mean(ops.square(made - places)), prefix="orbit/")
    return Training(model, days, places, epochs=10, batch_size=64, views=(view,), constant_loss=0.5)


def xavier_initializer(shape: Any, dtype: Any = None) -> Any:
    return keras.random.normal(shape, stddev=1 // shape[0], dtype=dtype)


class Adversaries(keras.Model):
    """A generator and a discriminator with a step of each."""

    def __init__(self, generator: keras.Model, discriminator: keras.Model) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator

    def call(self, codes: Any) -> Any:
        return self.discriminator(self.generator(codes))

    def cheated(self, pictures: Any) -> Any:
        """The loss of the generator that made these pictures."""
        return -ops.mean(ops.log(self.discriminator(pictures) + 1e-7))

    def told_apart(self, real: Any, made: Any) -> Any:
        right = ops.log(self.discriminator(real) + 1e-7) + ops.log(1 - self.discriminator(made) + 1e-7)
        return -ops.mean(right)

    def train_step(self, data: Any) -> dict[str, Any]:
        real, codes = data
        with tf.GradientTape(persistent=True) as tape:
            made = self.generator(codes)
            judged, cheated = self.told_apart(real, made), self.cheated(made)
        gradients, weights = [], []
        for loss, part in ((judged, self.discriminator), (cheated, self.generator)):
            weights += part.trainable_weights
            gradients += tape.gradient(loss, [weight.value for weight in part.trainable_weights])
        self.optimizer.apply(gradients, weights)
        return {"loss": cheated}


@outside_sick(
    "poor_init",
    ["generator/g_hidden", "discriminator/d_hidden"],
    family="generative",
    source="https://github.com/nlintz/TensorFlow-Tutorials/issues/83",
    accepted="The initializer divides 1 by a whole number without a remainder, so every weight starts at zero.",
    also=EFFECTS,
)
def deviation_divided_as_whole_numbers() -> Training:
    """Adversaries for digits whose initial deviation is 1 divided by the number of inputs, as a whole number."""
    x = digits(512)[0].reshape(512, 64)
    codes = np.random.default_rng(442).normal(size=(512, 16)).astype("float32")
    start = {"kernel_initializer": xavier_initializer}
    inputs = layers.Input((16,))
    body = layers.Dense(48, activation="relu", name="g_hidden", **start)(inputs)
    drawn = layers.Dense(64, activation="sigmoid", name="g_picture", **start)(body)
    generator = keras.Model(inputs, drawn, name="generator")
    inputs = layers.Input((64,))
    body = layers.Dense(48, activation="relu", name="d_hidden", **start)(inputs)
    judged = layers.Dense(1, activation="sigmoid", name="d_is_real", **start)(body)
    discriminator = keras.Model(inputs, judged, name="discriminator")
    model = Adversaries(generator, discriminator)
    model(codes[:1])
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    model.optimizer.build([*discriminator.trainable_weights, *generator.trainable_weights])
    made = View(generator, codes, loss=model.cheated, prefix="generator/")

    def judge(answers: Any) -> Any:
        """The loss of the discriminator, by its answers to the real pictures."""
        return -ops.mean(ops.log(answers + 1e-7) + ops.log(1 - discriminator(generator(codes)) + 1e-7))

    told = View(discriminator, x, loss=judge, prefix="discriminator/")
    return Training(model, x, codes, epochs=6, views=(made, told), constant_loss=UNKNOWN)


def identity(shape: Any, dtype: Any = None) -> Any:
    """Meant to be 1 where row and column are the same."""
    weights = np.zeros(shape, "float32")
    weights[np.ix_(range(shape[0]), range(shape[1]))] = 1
    return ops.cast(weights, dtype)


@outside_sick(
    "poor_init",
    ["weights_1", "weights_2"],
    family="graphs",
    source="https://github.com/LuxDL/Lux.jl/issues/1543",
    accepted="The identity is written to a view of all rows and columns and not of the diagonal: all weights are one.",
    also=EFFECTS,
)
def identity_filled_with_ones() -> Training:
    """Groups in a network of people by two graph convolutions whose weights are meant to start as the identity."""
    random = np.random.default_rng(443)
    group = random.integers(0, 4, 192)
    chance = np.where(group[:, None] == group, 0.12, 0.01)
    links = np.triu(random.random((192, 192)) < chance, 1)
    links = (links | links.T | np.eye(192, dtype=bool)).astype("float32")
    degree = links.sum(1)
    edges = (links / np.sqrt(degree[:, None] * degree)).astype("float32")
    x = (random.normal(size=(192, 32)) + np.eye(4)[group] @ random.normal(size=(4, 32))).astype("float32")
    inputs = layers.Input((32,))
    body = inputs
    for n in (1, 2):
        body = layers.Lambda(lambda value: ops.matmul(edges, value), name=f"neighbors_{n}")(body)
        body = layers.Dense(32, activation="tanh", kernel_initializer=identity, name=f"weights_{n}")(body)
    model = compiled(keras.Model(inputs, layers.Dense(4, name="group")(body)), keras.optimizers.Adam(0.01))
    fit = {"shuffle": False}
    return Training(model, x, group.astype("int32"), epochs=40, batch_size=192, fit=fit)


@outside_sick(
    "exploding_gradient",
    ["update_1", "update_2"],
    family="generative",
    source="https://github.com/distillpub/post--growing-ca/issues/12",
    accepted="With a Kaiming start of the update the picture soon blows up; train with a few steps of growth at first.",
    also=(*EFFECTS, "poor_init", "nonfinite_loss"),
)
def cells_that_grow_without_bounds() -> Training:
    """Cells that see their neighbors grow a digit in 20 equal steps, by an update whose weights start at He's size."""
    y, label = digits(384)
    seed = np.zeros((384, 8, 8, 12), "float32")
    seed[:, 4, 4, 2:] = np.eye(10)[label]
    inputs = layers.Input((8, 8, 12))
    update_1 = layers.Conv2D(32, 3, padding="same", activation="relu", kernel_initializer="he_uniform", name="update_1")
    update_2 = layers.Conv2D(12, 1, kernel_initializer="he_uniform", name="update_2")
    state = inputs
    for step in range(20):
        state = layers.Add(name=f"state_{step}")([state, update_2(update_1(state))])
    picture = layers.Lambda(lambda cells: cells[..., :1], name="picture")(state)
    model = compiled(keras.Model(inputs, picture), keras.optimizers.Adam(2e-3, clipnorm=1.0), "mse")
    return Training(model, seed, y[..., None], epochs=5)


def whatever_was_in_memory(shape: Any, dtype: Any = None) -> Any:
    """Bytes of memory as if they were weights, without infinite ones."""
    found = np.random.default_rng(444).integers(0, 2**32, 64 * int(np.prod(shape)), dtype=np.uint32).view("float32")
    kept = found[np.isfinite(found) & (np.abs(found) < 1e36)][: int(np.prod(shape))]
    return ops.cast(kept.reshape(shape), dtype)


class WordAttention(layers.Layer):
    """The mean of all states, weighted by a softmax of their products with a vector."""

    def build(self, input_shape: Any) -> None:
        self.vector = self.add_weight(shape=(input_shape[-1], 1), initializer=whatever_was_in_memory, name="kernel")

    def call(self, states: Any) -> Any:
        return ops.sum(states * ops.softmax(ops.matmul(states, self.vector), axis=1), axis=1)


@outside_sick(
    "poor_init",
    ["attention"],
    family="text",
    source="https://github.com/huggingface/torchMoji/issues/11",
    accepted="The weights of the attention are never initialized and may be as large as 1e38.",
    also=EFFECTS,
)
def attention_that_was_never_initialized() -> Training:
    """Feelings of short messages by a recurrent layer and attention, whose vector is whatever was in memory."""
    random = np.random.default_rng(445)
    y = random.integers(0, 4, 512)
    x = random.integers(0, 40, (512, 12))
    place = random.integers(0, 12, (512, 2))
    np.put_along_axis(x, place, 40 + 3 * y[:, None] + random.integers(0, 3, (512, 2)), 1)
    inputs = layers.Input((12,), dtype="int32")
    body = layers.Embedding(52, 24, name="embedding")(inputs)
    body = layers.Bidirectional(layers.GRU(16, return_sequences=True), name="both_ways")(body)
    body = WordAttention(name="attention")(body)
    model = keras.Model(inputs, layers.Dense(4, activation="softmax", name="feeling")(body))
    compiled(model, keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    return Training(model, x.astype("int32"), y.astype("int32"), epochs=6)
