"""Healthy programs for tables: experts, counts, crosses, rare classes, equations and first networks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import Array, diabetes, raw_table, table
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, binary_entropy, class_entropy, squared_error


@outside_healthy("tabular")
def tabular_columns_of_categories() -> Training:
    """Sales by embeddings of categories, some of them rare, next to numbers; the logarithm of sales as the target."""
    random = np.random.default_rng(91)
    sizes = (60, 7, 12)
    columns = [np.minimum(random.geometric(3 / size, 1200) - 1, size - 1).astype("int32") for size in sizes]
    numbers = random.normal(size=(1200, 3)).astype("float32")
    effects = [random.normal(0, 0.5, size)[column] for size, column in zip(sizes, columns, strict=True)]
    y = (8 + sum(effects) + 0.4 * numbers[:, 0] + random.normal(0, 0.2, 1200)).astype("float32")[:, None]
    inputs = [*(keras.Input((1,), dtype="int32") for _ in sizes), keras.Input((3,))]
    parts = [layers.Flatten()(layers.Embedding(n, min(10, n // 2))(i)) for n, i in zip(sizes, inputs, strict=False)]
    body = layers.Concatenate()([*parts, inputs[-1]])
    body = layers.Dense(64, activation="relu", kernel_initializer="uniform")(body)
    body = layers.Dense(32, activation="relu", kernel_initializer="uniform")(body)
    model = keras.Model(inputs, layers.Dense(1)(body))
    compiled(model, keras.optimizers.Adam(0.003), "mean_absolute_error")
    constant = float(np.abs(y - np.median(y)).mean())
    return Training(model, [*(c[:, None] for c in columns), numbers], y, epochs=15, constant_loss=constant)


class Experts(layers.Layer):
    """Dense experts whose answers are added up by the shares of a softmax gate."""

    def __init__(self, count: int, units: int) -> None:
        super().__init__()
        self.experts = [layers.Dense(units, activation="relu") for _ in range(count)]
        self.gate = layers.Dense(count, activation="softmax")

    def build(self, input_shape: Any) -> None:
        for layer in (*self.experts, self.gate):
            layer.build(input_shape)

    def call(self, x: Any) -> Any:
        answers = ops.stack([expert(x) for expert in self.experts], axis=1)
        return ops.sum(ops.expand_dims(self.gate(x), -1) * answers, axis=1)


@outside_healthy("tabular")
def tabular_mixture_of_experts() -> Training:
    """Four experts and a softmax gate, which learns to send each half of the data to its own."""
    random = np.random.default_rng(92)
    x = random.normal(size=(1200, 8)).astype("float32")
    y = np.where(x[:, 0] > 0, np.abs(x[:, 1]) - x[:, 2], x[:, 3] * x[:, 4]).astype("float32")[:, None]
    model = keras.Sequential([keras.Input((8,)), Experts(4, 24), layers.Dense(16, activation="relu"), layers.Dense(1)])
    compiled(model, keras.optimizers.Adam(0.005), "mse")
    return Training(model, x, y, epochs=12)


@outside_healthy("tabular")
def tabular_poisson_counts() -> Training:
    """Numbers of claims by an exponential head and the Poisson loss, weighted by the time insured."""
    random = np.random.default_rng(93)
    x = random.normal(size=(1200, 6)).astype("float32")
    rate = np.exp(0.3 + 0.6 * x[:, 0] - 0.5 * x[:, 1] + 0.3 * x[:, 2] * x[:, 3])
    y = random.poisson(rate).astype("float32")[:, None]
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(32, activation="tanh"),
            layers.Dense(16, activation="tanh"),
            layers.Dense(1, activation="exponential"),
        ]
    )
    compiled(model, keras.optimizers.Nadam(0.003), "poisson")

    def deviance() -> float:
        found = np.asarray(model(x), "float64")
        excess = (found - y * np.log(found)).mean() - (rate[:, None] - y * np.log(rate[:, None])).mean()
        flat = (y.mean() - y * np.log(y.mean())).mean() - (rate[:, None] - y * np.log(rate[:, None])).mean()
        return float(excess / flat)

    goal = Goal("excess loss as a share of that of the mean", deviance, at_most=0.4)
    return Training(model, x, y, epochs=10, goal=goal)


@outside_healthy("tabular")
def tabular_deep_and_cross() -> Training:
    """Crosses of columns next to a deep part, batch normalization and dropout, on real measurements of tumors."""
    x, y = table("breast_cancer")
    inputs = keras.Input((x.shape[1],))
    cross = inputs
    for _ in range(2):
        cross = layers.Add()([layers.Multiply()([inputs, layers.Dense(x.shape[1])(cross)]), cross])
    cross = layers.BatchNormalization(momentum=0.9)(cross)
    deep = inputs
    for units in (32, 32):
        deep = layers.BatchNormalization(momentum=0.9)(layers.Dense(units)(deep))
        deep = layers.Dropout(0.1)(layers.ReLU()(deep))
    outputs = layers.Dense(2, activation="softmax")(layers.concatenate([cross, deep]))
    model = keras.Model(inputs, outputs)
    compiled(model, keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Training(model, x, y, epochs=15, constant_loss=class_entropy(y))


@outside_healthy("tabular")
def tabular_fraud_weights() -> Training:
    """Fraud in three of a hundred rows, weighted by class; a wide network with strong dropout and a sigmoid."""
    random = np.random.default_rng(94)
    y = (random.random(2500) < 0.03).astype("float32")
    x = (random.normal(size=(2500, 16)) + 1.5 * y[:, None] * (np.arange(16) < 5)).astype("float32")
    model = keras.Sequential([keras.Input((16,))])
    for rate in (0.0, 0.3, 0.3):
        model.add(layers.Dropout(rate))
        model.add(layers.Dense(128, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    compiled(model, keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=[keras.metrics.Recall()])
    counts = np.bincount(y.astype(int))
    fit = {"class_weight": {0: 1.0 / counts[0] * 1250, 1: 1.0 / counts[1] * 1250}}
    return Training(model, x, y[:, None], epochs=8, batch_size=128, fit=fit, goal=detected(model, x, y))


def detected(model: keras.Model, x: Array, y: Array) -> Goal:
    """How often a row of the rare class gets a higher answer than another one."""

    def measure() -> float:
        answers = np.asarray(model(x)).ravel()
        return float((answers[y == 1][:, None] > answers[y == 0][None]).mean())

    return Goal("area under the curve", measure, at_least=0.9)


@outside_healthy("tabular")
def tabular_selu_dropout() -> Training:
    """Deep self-normalizing layers with alpha dropout and L2 on wine, 178 rows."""
    x, y = table("wine")
    model = keras.Sequential([keras.Input((13,))])
    options = {"kernel_initializer": "lecun_normal", "kernel_regularizer": keras.regularizers.l2(1e-4)}
    for _ in range(5):
        model.add(layers.Dense(32, activation="selu", **options))
        model.add(layers.AlphaDropout(0.05))
    model.add(layers.Dense(3, activation="softmax"))
    compiled(model, keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=15, batch_size=16)


@outside_healthy("tabular")
def tabular_xor_gate() -> Training:
    """The exclusive or of two bits: four samples, tanh, a sigmoid and a squared error, for many epochs."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    y = np.array([[0], [1], [1], [0]], "float32")
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(16, activation="tanh"), layers.Dense(1, activation="sigmoid")]
    )
    compiled(model, keras.optimizers.Adam(0.05), "mean_squared_error", metrics=["binary_accuracy"])
    return Training(model, x, y, epochs=120, batch_size=4)


@outside_healthy("tabular")
def tabular_iris_sigmoids() -> Training:
    """A first network: one small layer of sigmoids on iris in centimeters, with one-hot targets."""
    x, y = raw_table("iris")
    labels = np.eye(3, dtype="float32")[y]
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(10, activation="sigmoid"), layers.Dense(3, activation="softmax")]
    )
    compiled(model, keras.optimizers.Adam(0.04), "categorical_crossentropy", metrics=["accuracy"])
    return Training(model, x, labels, epochs=25, batch_size=15)


class Residual(keras.Model):
    """Solves y'' = -y with y(0) = 0 and y'(0) = 1 by a loss on derivatives of the network."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network

    def call(self, time: Any) -> Any:
        return self.network(time)

    def loss_of(self, time: Any) -> Any:
        start = tf.zeros((1, 1))
        with tf.GradientTape() as second:
            second.watch(time)
            with tf.GradientTape() as first:
                first.watch(time)
                value = self.network(time)
            slope = first.gradient(value, time)
        bend = second.gradient(slope, time)
        with tf.GradientTape() as tape:
            tape.watch(start)
            begin = self.network(start)
        pace = tape.gradient(begin, start)
        return ops.mean(ops.square(bend + value)) + ops.mean(ops.square(begin)) + ops.mean(ops.square(pace - 1.0))

    def train_step(self, time: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self.loss_of(time)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@outside_healthy("tabular")
def tabular_differential_equation() -> Training:
    """A differential equation, solved by a tanh network whose loss is made of its own derivatives."""
    time = np.linspace(0, 3, 96, dtype="float32")[:, None]
    network = keras.Sequential(
        [keras.Input((1,)), *(layers.Dense(24, activation="tanh") for _ in range(2))], name="solution"
    )
    network.add(layers.Dense(1))
    model = Residual(network)
    model(time[:1])
    compiled(model, keras.optimizers.Adam(0.01), None)

    def error() -> float:
        return float(np.abs(np.asarray(network(time)) - np.sin(time)).max())

    goal = Goal("largest distance from the solution", error, at_most=0.2)
    return Training(model, time, None, epochs=100, batch_size=32, goal=goal)


def gated(x: Any, units: int) -> Any:
    """A gated residual network: ELU, dropout and a gate that can leave the input as it is."""
    inner = layers.Dense(units, activation="elu")(x)
    inner = layers.Dropout(0.1)(layers.Dense(units)(inner))
    opened = layers.Multiply()([layers.Dense(units)(inner), layers.Dense(units, activation="sigmoid")(inner)])
    return layers.LayerNormalization()(layers.Add()([x if x.shape[-1] == units else layers.Dense(units)(x), opened]))


@outside_healthy("tabular")
def tabular_gated_residuals() -> Training:
    """Income by gated residual networks on standardized columns, half of which do not matter."""
    random = np.random.default_rng(95)
    x = random.normal(size=(900, 12)).astype("float32")
    chance = 1 / (1 + np.exp(-(2 * x[:, 0] + 1.5 * x[:, 1] * x[:, 2] - x[:, 3])))
    y = (random.random(900) < chance).astype("float32")[:, None]
    inputs = keras.Input((12,))
    body = gated(gated(inputs, 24), 24)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(body))
    compiled(model, keras.optimizers.Adam(0.002), "binary_crossentropy", metrics=["accuracy"])
    gates = tuple(
        layer.name for layer in model.layers if getattr(layer, "activation", None) is keras.activations.sigmoid
    )
    return Training(model, x, y, epochs=10, gates=gates[:-1], constant_loss=binary_entropy(y))


@outside_healthy("tabular")
def tabular_predicted_spread() -> Training:
    """A mean and a deviation for each row by the likelihood of a normal distribution, which can become negative."""
    random = np.random.default_rng(96)
    x = random.uniform(-2, 2, (1000, 1)).astype("float32")
    deviation = 0.05 + 0.15 * np.abs(x)
    y = (np.sin(2 * x) + deviation * random.normal(size=x.shape)).astype("float32")
    inputs = keras.Input((1,))
    body = layers.Dense(32, activation="softplus")(inputs)
    body = layers.Dense(32, activation="softplus")(body)
    outputs = layers.Concatenate()([layers.Dense(1)(body), layers.Dense(1, activation="softplus")(body)])

    def likelihood(y_true: Any, y_pred: Any) -> Any:
        spread = y_pred[:, 1:] + 1e-3
        return ops.mean(ops.log(spread) + 0.5 * ops.square((y_true - y_pred[:, :1]) / spread), axis=-1)

    model = keras.Model(inputs, outputs)
    compiled(model, keras.optimizers.Adam(0.01), likelihood)
    goal = squared_error(lambda data, training: model(data, training=training)[:, :1], x, y, 0.4)
    return Training(model, x, y, epochs=15, goal=goal)


@outside_healthy("tabular")
def tabular_disease_progression() -> Training:
    """Progression of diabetes in its own unit, 25 to 346, with LeakyReLU, early stopping and little data."""
    x, y = diabetes(standard_target=False)
    model = keras.Sequential([keras.Input((10,))])
    for _ in range(2):
        model.add(layers.Dense(32))
        model.add(layers.LeakyReLU())
    model.add(layers.Dense(1))
    compiled(model, keras.optimizers.RMSprop(0.005), "mse", metrics=["mae"])
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=10)
    return Training(model, x, y, epochs=40, fit={"callbacks": [stop], "validation_split": 0.2})


@outside_healthy("tabular")
def tabular_two_tasks() -> Training:
    """One trunk and two heads on wine: the class and, with a small weight, the alcohol in percent."""
    raw, y = raw_table("wine")
    x = ((raw - raw.mean(0)) / raw.std(0)).astype("float32")
    alcohol = raw[:, :1].astype("float32")
    inputs = keras.Input((12,))
    trunk = layers.Dense(32, activation="relu")(inputs)
    trunk = layers.Dense(32, activation="relu")(trunk)
    kind = layers.Dense(3, activation="softmax", name="kind")(trunk)
    strength = layers.Dense(1, name="strength")(layers.Dense(16, activation="swish")(trunk))
    model = keras.Model(inputs, {"kind": kind, "strength": strength})
    model.compile(
        keras.optimizers.Adam(0.005),
        loss={"kind": "sparse_categorical_crossentropy", "strength": "mse"},
        loss_weights={"kind": 1.0, "strength": 0.05},
        jit_compile=False,
    )
    goal = accuracy(lambda data, training: model(data, training=training)["kind"], x[:, 1:], y, 0.9)
    return Training(model, x[:, 1:], {"kind": y, "strength": alcohol}, epochs=20, goal=goal)
