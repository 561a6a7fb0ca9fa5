"""Healthy recommenders: attention over purchases, sessions side by side, baskets, interests, purchases after clicks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_dates_and_copies import Placed
from benchmarks.cases.outside.healthy_goals import binary_entropy

ITEMS = 120
"""Things that people can buy, numbered from 1; 0 is padding."""


def chains_of_items(random: np.random.Generator, count: int, length: int) -> Array:
    """Rows of items: after one of a group mostly comes one of the same or of the next group of ten."""
    x = np.zeros((count, length), int)
    x[:, 0] = random.integers(0, ITEMS, count)
    for place in range(1, length):
        group = (x[:, place - 1] // 10 + (random.random(count) < 0.4)) % 12
        fitting = 10 * group + np.minimum(random.geometric(0.25, count) - 1, 9)
        x[:, place] = np.where(random.random(count) < 0.85, fitting, random.integers(0, ITEMS, count))
    return (x + 1).astype("int32")


def between_pairs(truth: Any, scores: Any) -> Any:
    """Logistic loss of right items against drawn ones, over the places that are no padding."""
    right, wrong = ops.softplus(-scores[..., 0]), ops.softplus(scores[..., 1])
    return ops.sum((right + wrong) * truth, axis=1) / ops.sum(truth, axis=1)


@outside_healthy("tabular")
def recommend_next_item_by_attention() -> Training:
    """What people buy next, by attention over earlier things, with shared tables and a drawn item for each: SASRec."""
    random = np.random.default_rng(1221)
    rows = chains_of_items(random, 900, 17)
    is_there = np.arange(16) >= random.integers(0, 11, (900, 1))
    past, right = rows[:, :-1] * is_there, rows[:, 1:] * is_there
    wrong = random.integers(1, ITEMS + 1, right.shape) * is_there
    inputs = [layers.Input((16,), dtype="int32") for _ in range(3)]
    table = layers.Embedding(ITEMS + 1, 64, embeddings_regularizer=keras.regularizers.L2(1e-6))
    known = layers.Lambda(lambda items: ops.cast(items > 0, "float32")[..., None])(inputs[0])
    larger = layers.Lambda(lambda values: values * 8.0)(table(inputs[0]))
    body = layers.Multiply()([layers.Dropout(0.2)(Placed()(larger)), known])
    for _ in range(2):
        seen = layers.MultiHeadAttention(1, 64, dropout=0.2)(
            layers.LayerNormalization()(body), body, use_causal_mask=True
        )
        body = layers.Add()([body, seen])
        wide = layers.Dense(64, activation="relu")(layers.LayerNormalization()(body))
        body = layers.Multiply()([layers.Add()([body, layers.Dropout(0.2)(layers.Dense(64)(wide))]), known])
    body = layers.LayerNormalization()(body)
    scores = [layers.Lambda(lambda both: ops.sum(both[0] * both[1], axis=-1))([body, table(x)]) for x in inputs[1:]]
    model = keras.Model(inputs, layers.Lambda(lambda both: ops.stack(both, axis=-1))(scores))
    compiled(model, keras.optimizers.Adam(0.001, beta_2=0.98), between_pairs)
    x = [part.astype("int32") for part in (past, right, wrong)]
    return Training(model, x, is_there.astype("float32"), epochs=12, batch_size=64, constant_loss=2 * np.log(2))


class Remembered(layers.Layer):
    """A gated recurrent cell that keeps the state of each row until the next batch, unless a session begins."""

    def __init__(self, units: int, rows: int) -> None:
        super().__init__()
        self.cell, self.units, self.rows = layers.GRUCell(units), units, rows

    def build(self, shapes: Any) -> None:
        self.cell.build(shapes[0])
        self.state = self.add_weight((self.rows, self.units), initializer="zeros", trainable=False, name="state")

    def call(self, inputs: Any) -> Any:
        values, is_new = inputs
        before = (1 - ops.cast(is_new, "float32")[:, None]) * self.state
        given, _ = self.cell(values, [before])
        self.state.assign(ops.stop_gradient(given))
        return given


def best_of_batch(_: Any, scores: Any) -> Any:
    """Minus the logarithm of how sure the right item beats those of other rows, which weigh by their scores."""
    right = ops.diagonal(scores)[:, None]
    shares = ops.softmax(scores - 1e9 * ops.eye(scores.shape[0]))
    won = ops.sum(shares * ops.sigmoid(right - scores), axis=1)
    return -ops.log(won + 1e-9) + 0.5 * ops.sum(shares * ops.square(scores), axis=1) * 0.1


@outside_healthy("tabular")
def recommend_sessions_side_by_side() -> Training:
    """Clicks of 32 sessions at once: a recurrent state that stays between batches, and others' items as wrong ones."""
    random = np.random.default_rng(1222)
    item: list[Any] = []
    is_new: list[Any] = []
    target: list[Any] = []
    for _ in range(32):
        row: list[tuple[int, int, int]] = []
        while len(row) < 300:
            session = chains_of_items(random, 1, int(random.integers(3, 12)))[0]
            row += [(session[at], int(at == 0), session[at + 1]) for at in range(len(session) - 1)]
        for part, values in zip((item, is_new, target), zip(*row[:300], strict=True), strict=True):
            part.append(values)
    x = [np.array(part, "int32").T.reshape(-1) for part in (item, is_new, target)]
    inputs = [layers.Input((), batch_size=32, dtype="int32") for _ in range(3)]
    body = Remembered(96, 32)([layers.Embedding(ITEMS + 1, 64)(inputs[0]), inputs[1]])
    wanted = layers.Embedding(ITEMS + 1, 96)
    bias = layers.Embedding(ITEMS + 1, 1, embeddings_initializer="zeros")(inputs[2])
    product = layers.Lambda(lambda parts: ops.matmul(parts[0], ops.transpose(parts[1])) + parts[2][:, 0])
    model = keras.Model(inputs, product([layers.Dropout(0.2)(body), wanted(inputs[2]), bias]))
    compiled(model, keras.optimizers.Adagrad(0.08, initial_accumulator_value=0.01), best_of_batch)
    y = np.zeros(len(x[0]), "float32")
    view = View(model, [part[:32] for part in x], y[:32])
    state = keras.Model(inputs, body)

    def hits() -> float:
        found = []
        for start in range(0, 1600, 32):
            batch = [part[start : start + 32] for part in x]
            scores = np.asarray(state(batch)) @ wanted.get_weights()[0].T if wanted.built else np.zeros((32, 121))
            best = np.argsort(-scores, axis=1)[:, :10]
            found.append((best == batch[2][:, None]).any(1).mean())
        return float(np.mean(found))

    goal = Goal("share of clicks among the best ten", hits, at_least=0.3)
    return Training(model, x, y, 4, 32, views=(view,), fit={"shuffle": False}, goal=goal)


@outside_healthy("tabular")
def recommend_baskets_by_variation() -> Training:
    """Which of 160 things belong in a basket, by a variational autoencoder with a multinomial likelihood."""
    random = np.random.default_rng(1223)
    tastes = random.dirichlet(np.full(12, 0.06), 1000)
    things = (random.random((12, 160)) < 0.1) + 0.005
    bought = np.stack([random.multinomial(16, row) for row in tastes @ (things / things.sum(1, keepdims=True))])
    x = (bought > 0).astype("float32")

    class Codes(layers.Layer):
        """Draws codes and adds their divergence with a small weight."""

        def __init__(self) -> None:
            super().__init__()
            self.seed = keras.random.SeedGenerator(1224)

        def call(self, parts: Any, training: bool = False) -> Any:
            mean, log_variance = parts
            spread = ops.exp(log_variance) + ops.square(mean) - 1 - log_variance
            self.add_loss(0.1 * ops.mean(ops.sum(spread, axis=1)))
            noise = keras.random.normal(ops.shape(mean), seed=self.seed)
            return mean + ops.exp(log_variance / 2) * noise if training else mean

    inputs = layers.Input((160,))
    body = layers.Dropout(0.5)(layers.UnitNormalization()(inputs))
    body = layers.Dense(128, activation="tanh")(body)
    body = Codes()([layers.Dense(16)(body), layers.Dense(16, kernel_initializer="zeros")(body)])
    body = layers.Dense(128, activation="tanh")(body)
    model = keras.Model(inputs, layers.Dense(160)(body))

    def likelihood(basket: Any, scores: Any) -> Any:
        return -ops.sum(basket * ops.log_softmax(scores), axis=-1)

    shares = x.sum(0) / x.sum()
    constant = float(-(x * np.log(shares + 1e-12)).sum(1).mean())
    compiled(model, keras.optimizers.Adam(0.002), likelihood)
    return Training(model, x, x, epochs=16, batch_size=25, constant_loss=constant)


@outside_healthy("tabular")
def recommend_by_interests_near_an_ad() -> Training:
    """Clicks on ads, a fifth of all: earlier purchases weigh by how near they are to the ad, without a softmax."""
    random = np.random.default_rng(1225)
    past = chains_of_items(random, 2400, 12) * (np.arange(12) < random.integers(3, 13, (2400, 1)))
    ad = random.integers(1, ITEMS + 1, 2400)
    fits = (((past - 1) // 10 == (ad[:, None] - 1) // 10) & (past > 0)).sum(1)
    y = (random.random(2400) < np.where(fits > 0, 0.55 + 0.1 * np.minimum(fits, 3), 0.05)).astype("float32")
    inputs = [layers.Input((12,), dtype="int32"), layers.Input((1,), dtype="int32")]
    table = layers.Embedding(ITEMS + 1, 24, embeddings_regularizer=keras.regularizers.L2(1e-5))
    items, wanted = table(inputs[0]), table(inputs[1])
    repeated = layers.Lambda(lambda both: both[1] + 0 * both[0])([items, wanted])
    parts = [items, repeated, layers.Subtract()([items, repeated]), layers.Multiply()([items, repeated])]
    weight = layers.Dense(36)(layers.Concatenate()(parts))
    weight = layers.Dense(1)(layers.PReLU(shared_axes=[1])(weight))
    known = layers.Lambda(lambda numbers: ops.cast(numbers > 0, "float32")[..., None])(inputs[0])
    interest = layers.Lambda(lambda three: ops.sum(three[0] * three[1] * three[2], axis=1))([items, weight, known])
    alone = layers.Flatten()(wanted)
    body = layers.Concatenate()([interest, alone, layers.Multiply()([interest, alone])])
    for units in (80, 40):
        body = layers.PReLU()(layers.BatchNormalization(momentum=0.9)(layers.Dense(units)(body)))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(body))
    rate = keras.optimizers.schedules.ExponentialDecay(0.004, 100, 0.9)
    compiled(model, keras.optimizers.Adam(rate), "binary_crossentropy")
    x = [past.astype("int32"), ad.astype("int32")[:, None]]
    return Training(model, x, y[:, None], epochs=6, constant_loss=binary_entropy(y))


@outside_healthy("tabular")
def recommend_clicks_then_purchases() -> Training:
    """Clicks and purchases on the whole space: a purchase is a click times what follows, and most rows are neither."""
    random = np.random.default_rng(1226)
    columns = random.integers(0, [60, 40, 12, 7], (4000, 4))
    tastes = [random.normal(0, 1, (size, 2)) for size in (60, 40, 12, 7)]
    score = sum(taste[column] for taste, column in zip(tastes, columns.T, strict=True))
    clicked = random.random(4000) < 1 / (1 + np.exp(2.2 - 1.3 * score[:, 0]))
    bought = clicked & (random.random(4000) < 1 / (1 + np.exp(0.5 - 1.2 * score[:, 1])))
    inputs = [layers.Input((), dtype="int32") for _ in range(4)]
    vectors = [layers.Embedding(size, 16)(x) for size, x in zip((60, 40, 12, 7), inputs, strict=True)]
    joined = layers.Concatenate()(vectors)
    chances = []
    for task in ("click", "purchase_after_click"):
        body = layers.Dropout(0.1)(layers.Dense(96, activation="relu")(joined))
        body = layers.Dense(32, activation="relu")(body)
        chances.append(layers.Dense(1, activation="sigmoid", name=task)(body))
    both = layers.Multiply(name="purchase")(chances)
    model = keras.Model(inputs, [chances[0], both])
    optimizer = keras.optimizers.Adagrad(0.05, initial_accumulator_value=0.1)
    compiled(model, optimizer, ["binary_crossentropy", "binary_crossentropy"])
    y = [value.astype("float32")[:, None] for value in (clicked, bought)]
    x = list(columns.T.astype("int32"))
    return Training(model, x, y, 8, 64, constant_loss=sum(binary_entropy(value) for value in y))


class DrawnAgain(keras.Model):
    """Draws four items for each user and item of a batch, others in each step, as examples of no interest."""

    draws: keras.random.SeedGenerator

    def train_step(self, data: Any) -> dict[str, Any]:
        (user, item), _ = data
        drawn = keras.random.randint((4 * ops.shape(user)[0],), 0, ITEMS, seed=self.draws)
        users, items = ops.tile(user, (5,)), ops.concatenate([item, ops.cast(drawn, "int32")])
        is_real = ops.cast(ops.arange(ops.shape(users)[0]) < ops.shape(user)[0], "float32")[:, None]
        with tf.GradientTape() as tape:
            loss = self.compute_loss([users, items], is_real, self([users, items], training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@outside_healthy("tabular")
def recommend_by_products_beside_layers() -> Training:
    """Who likes what, from purchases alone: products of tables next to layers, and items drawn at each step."""
    random = np.random.default_rng(1228)
    taste, kind = random.normal(0, 1, (200, 4)), random.normal(0, 1, (ITEMS, 4))
    chances = np.exp(1.6 * taste @ kind.T)
    chances /= chances.sum(1, keepdims=True)
    user = np.repeat(np.arange(200), 12)
    item = np.concatenate([random.choice(ITEMS, 12, replace=False, p=row) for row in chances])
    inputs = [layers.Input((), dtype="int32"), layers.Input((), dtype="int32")]
    first, second = (
        [layers.Embedding(size, width)(x) for size, x in zip((200, ITEMS), inputs, strict=True)] for width in (16, 32)
    )
    body = layers.Concatenate()(second)
    for units in (64, 32, 16):
        body = layers.Dense(units, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-5))(body)
    both = layers.Concatenate()([layers.Multiply()(first), body])
    model = DrawnAgain(inputs, layers.Dense(1, activation="sigmoid", kernel_initializer="lecun_uniform")(both))
    model.draws = keras.random.SeedGenerator(1227)
    compiled(model, keras.optimizers.Adam(0.003), "binary_crossentropy")
    others = random.integers(0, ITEMS, 4 * len(user))
    x = [np.tile(user, 5).astype("int32"), np.concatenate([item, others]).astype("int32")]
    y = np.repeat([1.0, 0.0], [len(user), 4 * len(user)])[:, None].astype("float32")
    view = View(model, x, y)
    given = [part[: len(user)] for part in x]
    return Training(model, given, y[: len(user)], 12, 64, views=(view,), constant_loss=binary_entropy(y))
