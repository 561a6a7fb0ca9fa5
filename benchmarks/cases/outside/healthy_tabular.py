"""Healthy programs for tables: embeddings of categories, wide and deep networks, ratings, forests."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array, diabetes, table
from benchmarks.cases.outside.healthy_goals import accuracy, class_entropy, squared_error


def customers(count: int = 700) -> tuple[dict[str, Array], Array]:
    """Age, hours, job and region of made-up customers, and whether they earn much."""
    random = np.random.default_rng(26)
    age, hours = random.uniform(18, 70, count), random.normal(40, 8, count)
    job, region = random.integers(0, 14, count), random.integers(0, 5, count)
    pay = random.normal(0, 1, 14)
    score = (
        0.05 * (age - 40) + 0.08 * (hours - 40) + 1.5 * pay[job] + 0.3 * (region == 2) + random.normal(0, 0.4, count)
    )
    columns = {"age": age, "hours": hours, "job": job, "region": region}
    x = {
        name: values.astype("float32" if values.dtype == float else "int32")[:, None]
        for name, values in columns.items()
    }
    return x, (score > 0.5).astype("float32")[:, None]


def encoded(inputs: dict[str, Any], x: dict[str, Array]) -> list[Any]:
    """Numbers normalized, categories as one-hot or embedded."""
    numbers = []
    for name in ("age", "hours"):
        normalizer = layers.Normalization()
        normalizer.adapt(x[name])
        numbers.append(normalizer(inputs[name]))
    job = layers.Flatten()(layers.Embedding(14, 4)(inputs["job"]))
    region = layers.CategoryEncoding(num_tokens=5, output_mode="one_hot")(inputs["region"])
    return [*numbers, job, region]


@outside_healthy("tabular")
def tabular_structured_data() -> Training:
    """Classification of structured data from scratch, with one input for each column and a partial last batch."""
    x, y = customers()
    inputs = {name: keras.Input((1,), name=name, dtype=values.dtype.name) for name, values in x.items()}
    body = layers.Dense(32, activation="relu")(layers.concatenate(encoded(inputs, x)))
    body = layers.Dropout(0.5)(body)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(body))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"], jit_compile=False)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(700, seed=4).batch(32)
    return Training(
        model,
        dataset,
        None,
        epochs=10,
        views=(View(model, x, y),),
        constant_loss=class_entropy(y),
        fit={"batch_size": None, "shuffle": False},
    )


@outside_healthy("tabular")
def tabular_wide_and_deep() -> Training:
    """A wide and deep network: crossed categories, most of them rare, go straight to the head."""
    x, y = customers()
    inputs = {name: keras.Input((1,), name=name, dtype=values.dtype.name) for name, values in x.items()}
    deep = layers.concatenate(encoded(inputs, x))
    for units in (32, 32):
        deep = layers.Dense(units)(deep)
        deep = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(deep))
        deep = layers.Dropout(0.1)(deep)
    wide = layers.HashedCrossing(num_bins=64, output_mode="one_hot")((inputs["job"], inputs["region"]))
    wide = layers.BatchNormalization(momentum=0.9)(wide)
    merged = layers.concatenate([wide, deep])
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid", kernel_regularizer="l2")(merged))
    model.compile(
        optimizer=keras.optimizers.Adam(0.003),
        loss=keras.losses.BinaryCrossentropy(),
        metrics=[keras.metrics.AUC(name="auc")],
        jit_compile=False,
    )
    return Training(model, x, y, epochs=8, batch_size=64)


class GatedLinearUnit(layers.Layer):
    """A linear layer times its sigmoid gate."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.linear = layers.Dense(units)
        self.sigmoid = layers.Dense(units, activation="sigmoid")

    def build(self, input_shape: Any) -> None:
        self.linear.build(input_shape)
        self.sigmoid.build(input_shape)

    def call(self, inputs: Any) -> Any:
        return self.linear(inputs) * self.sigmoid(inputs)


class GatedResidualNetwork(layers.Layer):
    """A small block that its gate can switch off."""

    def __init__(self, units: int, dropout_rate: float) -> None:
        super().__init__()
        self.elu_dense = layers.Dense(units, activation="elu")
        self.linear_dense = layers.Dense(units)
        self.dropout = layers.Dropout(dropout_rate)
        self.gated_linear_unit = GatedLinearUnit(units)
        self.layer_norm = layers.LayerNormalization()
        self.project = layers.Dense(units)

    def build(self, input_shape: Any) -> None:
        units = self.linear_dense.units
        self.elu_dense.build(input_shape)
        for layer in (self.linear_dense, self.gated_linear_unit, self.layer_norm):
            layer.build((None, units))
        if input_shape[-1] != units:
            self.project.build(input_shape)

    def call(self, inputs: Any) -> Any:
        x = self.dropout(self.linear_dense(self.elu_dense(inputs)))
        if inputs.shape[-1] != self.linear_dense.units:
            inputs = self.project(inputs)
        return self.layer_norm(inputs + self.gated_linear_unit(x))


class VariableSelection(layers.Layer):
    """Weights the columns by a softmax over all of them."""

    def __init__(self, num_features: int, units: int, dropout_rate: float) -> None:
        super().__init__()
        self.grns = [GatedResidualNetwork(units, dropout_rate) for _ in range(num_features)]
        self.softmax = layers.Dense(num_features, activation="softmax")

    def build(self, input_shape: Any) -> None:
        self.softmax.build(input_shape)
        for grn in self.grns:
            grn.build((None, 1))

    def call(self, inputs: Any) -> Any:
        chosen = ops.expand_dims(self.softmax(inputs), -1)
        columns = [grn(inputs[:, at : at + 1]) for at, grn in enumerate(self.grns)]
        return ops.sum(chosen * ops.stack(columns, axis=1), axis=1)


class SelectingModel(keras.Model):
    """A gated residual network on selected columns."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.select = VariableSelection(num_features, 12, 0.1)
        self.block = GatedResidualNetwork(12, 0.1)
        self.classify = layers.Dense(1, activation="sigmoid")

    def call(self, inputs: Any) -> Any:
        return self.classify(self.block(self.select(inputs)))


@outside_healthy("tabular")
def tabular_gated_residual() -> Training:
    """Gated residual networks with a selection of columns: gates and shares of columns may go to zero on purpose."""
    x, y = table("breast_cancer")
    x = x[:, [20, 21, 24, 27]]
    model = SelectingModel(4)
    model.compile(
        optimizer=keras.optimizers.Adam(0.005), loss="binary_crossentropy", metrics=["accuracy"], jit_compile=False
    )

    def both_classes(inputs: Any, training: bool) -> Any:
        chance = np.asarray(model(inputs, training=training))
        return np.concatenate([1 - chance, chance], -1)

    return Training(model, x, y[:, None], epochs=6, batch_size=64, goal=accuracy(both_classes, x, y, 0.9))


@outside_healthy("tabular")
def tabular_imbalanced_fraud() -> Training:
    """Fraud in four percent of all payments, weighted by class, in batches of hundreds."""
    random = np.random.default_rng(27)
    x = random.normal(size=(2000, 16)).astype("float32")
    risk = 1.6 * x[:, 0] - 1.4 * x[:, 1] * x[:, 2] + x[:, 3]
    y = (risk > np.quantile(risk, 0.96)).astype("uint8")[:, None]
    model = keras.Sequential(
        [
            keras.Input((16,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(1e-2),
        loss="binary_crossentropy",
        metrics=[keras.metrics.FalseNegatives(name="fn"), keras.metrics.Recall(name="recall")],
        jit_compile=False,
    )
    frequency = float(y.mean())
    weights = {0: 0.5 / (1 - frequency), 1: 0.5 / frequency}
    each = np.where(y[:, 0] == 1, weights[1], weights[0]).astype("float32")

    def weighted(scores: Any) -> Any:
        return ops.mean(each * keras.losses.binary_crossentropy(y, scores))

    return Training(
        model,
        x,
        y,
        epochs=15,
        batch_size=512,
        views=(View(model, x, y, weighted),),
        constant_loss=0.693,
        fit={"class_weight": weights},
    )


@outside_healthy("tabular")
def tabular_entity_embeddings() -> Training:
    """Sales in units as they are from embedded stores and weekdays; some stores have a handful of rows."""
    random = np.random.default_rng(28)
    share = 1 / np.arange(1, 81)
    store = random.choice(80, 900, p=share / share.sum())
    day, discount = random.integers(0, 7, 900), random.uniform(0, 1, 900)
    level = random.normal(60, 20, 80)
    sales = level[store] * (1 + 0.4 * (day >= 5)) + 30 * discount + random.normal(0, 4, 900)
    inputs = [keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32"), keras.Input((1,))]
    parts = [layers.Flatten()(layers.Embedding(80, 10)(inputs[0])), layers.Flatten()(layers.Embedding(7, 4)(inputs[1]))]
    body = layers.Concatenate()([*parts, layers.Dense(4)(inputs[2])])
    body = layers.Dense(64, activation="relu", kernel_initializer="he_uniform")(body)
    body = layers.Dense(32, activation="relu", kernel_initializer="he_uniform")(body)
    model = keras.Model(inputs, layers.Dense(1)(body))
    model.compile(optimizer=keras.optimizers.Adam(0.005), loss="mean_squared_error", metrics=["mae"], jit_compile=False)
    x = [store[:, None].astype("int32"), day[:, None].astype("int32"), discount[:, None].astype("float32")]
    return Training(model, x, sales.astype("float32")[:, None], epochs=15)


@outside_healthy("tabular")
def tabular_transformer_of_columns() -> Training:
    """A transformer over embedded columns; each column has a token of its own."""
    x, y = table("wine")
    inputs = keras.Input((13,))
    tokens = layers.EinsumDense("bf,fd->bfd", output_shape=(13, 16), bias_axes="fd")(inputs)
    attended = layers.MultiHeadAttention(num_heads=2, key_dim=8, dropout=0.1)(tokens, tokens)
    body = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([attended, tokens]))
    inner = layers.Dense(16)(layers.Dense(32, activation="gelu")(body))
    body = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([inner, body]))
    body = layers.Dense(32, activation="selu")(layers.Flatten()(body))
    model = keras.Model(inputs, layers.Dense(3)(layers.AlphaDropout(0.1)(body)))
    model.compile(
        optimizer=keras.optimizers.AdamW(learning_rate=0.002, weight_decay=0.0001),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return Training(model, x, y, epochs=12, batch_size=16)


class NeuralDecisionTree(keras.Model):
    """Routes each sample through soft decisions to the classes of the leaves."""

    def __init__(self, depth: int, columns: int, num_classes: int) -> None:
        super().__init__()
        self.depth, self.num_leaves, self.num_classes = depth, 2**depth, num_classes
        self.used = np.eye(13, dtype="float32")[np.random.default_rng(29).choice(13, columns, replace=False)]
        self.pi = self.add_weight(shape=(self.num_leaves, num_classes), initializer="random_normal", name="pi")
        self.decision_fn = layers.Dense(units=self.num_leaves, activation="sigmoid", name="decision")

    def call(self, features: Any) -> Any:
        decisions = tf.expand_dims(self.decision_fn(tf.matmul(features, self.used, transpose_b=True)), axis=2)
        decisions = layers.concatenate([decisions, 1 - decisions], axis=2)
        mu = tf.ones([tf.shape(features)[0], 1, 1])
        begin = 1
        for level in range(self.depth):
            mu = tf.tile(tf.reshape(mu, [-1, 2**level, 1]), (1, 1, 2))
            mu = mu * decisions[:, begin : 2 * begin, :]
            begin *= 2
        return tf.matmul(tf.reshape(mu, [-1, self.num_leaves]), tf.nn.softmax(self.pi))


@outside_healthy("tabular")
def tabular_decision_tree() -> Training:
    """A differentiable decision tree, subclassed; one of its decisions has no branch and is never trained."""
    x, y = table("wine")
    model = NeuralDecisionTree(3, 9, 3)
    model.compile(
        optimizer=keras.optimizers.Adam(0.03),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return Training(model, x, y, epochs=20, batch_size=16, goal=accuracy(model, x, y, 0.85))


class RecommenderNet(keras.Model):
    """Ratings as the product of embedded users and items, plus a bias for each."""

    def __init__(self, num_users: int, num_items: int, size: int) -> None:
        super().__init__()
        options = {"embeddings_initializer": "he_normal", "embeddings_regularizer": keras.regularizers.l2(1e-6)}
        self.user_embedding = layers.Embedding(num_users, size, **options)
        self.item_embedding = layers.Embedding(num_items, size, **options)
        self.user_bias = layers.Embedding(num_users, 1)
        self.item_bias = layers.Embedding(num_items, 1)

    def call(self, inputs: Any) -> Any:
        users, items = inputs[:, 0], inputs[:, 1]
        product = ops.sum(self.user_embedding(users) * self.item_embedding(items), axis=1, keepdims=True)
        return ops.nn.sigmoid(product + self.user_bias(users) + self.item_bias(items))


@outside_healthy("tabular")
def tabular_recommender() -> Training:
    """Collaborative filtering of ratings, subclassed: rows of rare users hardly move."""
    random = np.random.default_rng(30)
    popularity = 1 / np.arange(1, 61) ** 0.7
    pairs = np.stack([random.integers(0, 90, 2400), random.choice(60, 2400, p=popularity / popularity.sum())], 1)
    tastes, kinds = random.normal(size=(90, 2)), random.normal(size=(60, 2))
    quality = random.normal(size=60)
    score = (tastes[pairs[:, 0]] * kinds[pairs[:, 1]]).sum(1) + quality[pairs[:, 1]]
    ratings = (1 / (1 + np.exp(-score + random.normal(0, 0.3, 2400)))).astype("float32")[:, None]
    model = RecommenderNet(90, 60, 8)
    model.compile(loss=keras.losses.BinaryCrossentropy(), optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
    return Training(
        model, pairs.astype("int32"), ratings, epochs=10, goal=squared_error(model, pairs.astype("int32"), ratings, 0.6)
    )


@outside_healthy("tabular")
def tabular_one_row_at_a_time() -> Training:
    """A regression in batches of one row, sparse by an L1 penalty, with older rows weighted less."""
    x, y = diabetes()
    x, y = x[:220], y[:220]
    weights = np.linspace(0.5, 1.0, len(x)).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((10,)),
            layers.Dense(24, activation="softplus", kernel_regularizer=keras.regularizers.L1(1e-3)),
            layers.Dense(12, activation="softplus", kernel_regularizer=keras.regularizers.L1L2(1e-4, 1e-4)),
            layers.Dense(1),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.SGD(0.01, clipvalue=0.5), loss="mse", weighted_metrics=[], jit_compile=False
    )
    return Training(
        model,
        x,
        y,
        epochs=4,
        batch_size=1,
        fit={"sample_weight": weights},
        goal=squared_error(model, x, y, 0.7),
    )
