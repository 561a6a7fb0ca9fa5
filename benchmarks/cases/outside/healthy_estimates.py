"""Healthy programs that estimate beats, demand, ratings, returns, scores and voices, or train on in two phases."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import make_moons

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, binary_entropy


def beats(count: int = 900, length: int = 48) -> tuple[Array, Array]:
    """Heart beats of four kinds, of which three are rare."""
    random = np.random.default_rng(130)
    y = random.choice(4, count, p=(0.7, 0.12, 0.1, 0.08))
    time = np.linspace(0, 1, length)[None]
    at = 0.4 + random.normal(0, 0.03, (count, 1)) - 0.12 * (y == 1)[:, None]
    width = (0.03 + 0.05 * (y == 2))[:, None]
    wave = np.exp(-(((time - at) / width) ** 2)) + 0.3 * np.exp(-(((time - at - 0.3) / 0.08) ** 2))
    wave -= 0.6 * (y == 3)[:, None] * np.exp(-(((time - at - 0.3) / 0.08) ** 2))
    return (wave + random.normal(0, 0.05, wave.shape)).astype("float32")[..., None], y.astype("int32")


@outside_healthy("time_series")
def series_heart_beats() -> Training:
    """Kinds of heart beats, three of them rare, by residual convolutions that halve the length, and class weights."""
    x, y = beats()
    inputs = keras.Input((48, 1))
    body = layers.Conv1D(16, 5, padding="same")(inputs)
    for _ in range(3):
        inner = layers.Conv1D(16, 5, activation="relu", padding="same")(body)
        inner = layers.Conv1D(16, 5, padding="same")(inner)
        body = layers.MaxPooling1D(5, 2)(layers.Activation("relu")(layers.Add()([inner, body])))
    body = layers.Dense(16, activation="relu")(layers.Flatten()(body))
    model = keras.Model(inputs, layers.Dense(4, activation="softmax")(body))
    compiled(model, keras.optimizers.Adam(0.001, clipnorm=1.0), "sparse_categorical_crossentropy")
    weights = {kind: len(y) / (4 * float((y == kind).sum())) for kind in range(4)}
    goal = accuracy(model, x, y, 0.85)
    return Training(model, x, y, epochs=8, fit={"class_weight": weights}, goal=goal)


def normal_likelihood(truth: Any, guess: Any) -> Any:
    """Negative logarithm of the density of a normal distribution with a mean and a positive deviation."""
    mean, deviation = guess[..., :1], guess[..., 1:]
    return ops.mean(ops.log(deviation) + 0.5 * ops.square((truth - mean) / deviation), axis=-1)


@outside_healthy("time_series")
def series_probable_demand() -> Training:
    """Mean and deviation of the demand of the next day, for every day of a series, by a GRU over embedded articles."""
    random = np.random.default_rng(131)
    articles = random.integers(0, 12, 400)
    level = random.uniform(0.5, 2, 12)[articles][:, None]
    days = np.arange(25)[None] + random.integers(0, 7, (400, 1))
    demand = level * (1.2 + np.sin(days * 2 * np.pi / 7)) + random.normal(0, 0.15, (400, 25)) * level
    past, article = keras.Input((24, 1)), keras.Input((24,), dtype="int32")
    body = layers.Concatenate()([past, layers.Embedding(12, 4)(article)])
    body = layers.GRU(24, return_sequences=True)(body)
    mean, spread = layers.Dense(1)(body), layers.Dense(1, activation="softplus")(body)
    spread = layers.Lambda(lambda value: value + 1e-3)(spread)
    model = keras.Model([past, article], layers.Concatenate()([mean, spread]))
    compiled(model, keras.optimizers.Adam(0.005), normal_likelihood)
    y = demand[:, 1:, None].astype("float32")
    x = [demand[:, :-1, None].astype("float32"), np.repeat(articles[:, None], 24, 1).astype("int32")]
    return Training(model, x, y, epochs=12, constant_loss=float(np.log(y.std()) + 0.5))


class Crossed(layers.Layer):
    """Half of the difference between the square of a sum and the sum of squares: all products of two vectors."""

    def call(self, vectors: Any) -> Any:
        square = ops.square(ops.sum(vectors, axis=1)) - ops.sum(ops.square(vectors), axis=1)
        return 0.5 * ops.sum(square, axis=-1, keepdims=True)


@outside_healthy("tabular")
def tabular_factorization_machine() -> Training:
    """Clicks by a factorization machine: users, items and hours as tiny vectors, and all products of two of them."""
    random = np.random.default_rng(132)
    sizes = (80, 50, 24)
    columns = np.stack([np.minimum(random.geometric(4 / size, 2000) - 1, size - 1) for size in sizes], 1)
    tastes = [random.normal(0, 1, (size, 3)) for size in sizes]
    score = (tastes[0][columns[:, 0]] * tastes[1][columns[:, 1]]).sum(1) + 0.5 * tastes[2][columns[:, 2], 0]
    y = (random.random(2000) < 1 / (1 + np.exp(-2 * score))).astype("float32")[:, None]
    places = (columns + np.cumsum((0, *sizes[:-1]))).astype("int32")
    inputs = keras.Input((3,), dtype="int32")
    start = keras.initializers.RandomNormal(stddev=0.05)
    pairs = Crossed()(layers.Embedding(sum(sizes), 8, embeddings_initializer=start)(inputs))
    alone = layers.Lambda(lambda value: ops.sum(value, 1))(layers.Embedding(sum(sizes), 1)(inputs))
    model = keras.Model(inputs, layers.Activation("sigmoid")(layers.Add()([pairs, alone])))
    compiled(model, keras.optimizers.Adam(0.01), "binary_crossentropy")
    return Training(model, places, y, epochs=8, batch_size=64, constant_loss=binary_entropy(y))


@outside_healthy("reinforcement_learning")
def reinforcement_shares_of_returns() -> Training:
    """Shares of 21 returns instead of their mean, projected from a sample; no network can be sure of them."""
    random = np.random.default_rng(133)
    states = random.normal(size=(1200, 4)).astype("float32")
    actions = random.integers(0, 3, 1200)
    returns = np.clip(4 * np.tanh(states[np.arange(1200), actions]) + random.normal(0, 1, 1200), -9.99, 9.99) + 10
    low = np.floor(returns).astype(int)
    shares = np.zeros((1200, 21), "float32")
    shares[np.arange(1200), low] = 1 - (returns - low)
    shares[np.arange(1200), low + 1] = returns - low
    state, action = keras.Input((4,)), keras.Input((3,))
    body = layers.Dense(48, activation="relu")(layers.Dense(48, activation="relu")(state))
    atoms = layers.Softmax()(layers.Reshape((3, 21))(layers.Dense(63)(body)))
    chosen = layers.Dot(axes=(1, 1))([action, atoms])
    model = keras.Model([state, action], chosen)
    compiled(model, keras.optimizers.Adam(0.002, epsilon=1e-5), "categorical_crossentropy")
    return Training(model, [states, np.eye(3, dtype="float32")[actions]], shares, epochs=10)


@outside_healthy("generative")
def generative_scores_of_points() -> Training:
    """Scores of points on two moons: which way the density grows, learned from noise that is never fully known."""
    random = np.random.default_rng(134)
    points = make_moons(1500, noise=0.05, random_state=134)[0]
    noise = random.normal(size=points.shape)
    x = (points + 0.3 * noise).astype("float32")
    y = (-noise / 0.3).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(64, activation="softplus"),
            layers.Dense(64, activation="softplus"),
            layers.Dense(2),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003), "mse")
    return Training(model, x, y, epochs=10)


@outside_healthy("audio")
def audio_voice_activity() -> Training:
    """Whether someone speaks, for every frame of a noisy recording, by normalized bands and a bidirectional GRU."""
    random = np.random.default_rng(135)
    speaks = np.repeat(random.random((256, 8)) < 0.4, 5, axis=1)
    bands = random.normal(0, 1, (256, 40, 12)) + random.normal(0, 0.5, (256, 1, 12))
    bands += speaks[..., None] * np.linspace(1.5, 0, 12) * random.uniform(0.5, 1.5, (256, 1, 1))
    y = speaks[..., None].astype("float32")
    normal = layers.Normalization()
    normal.adapt(bands)
    model = keras.Sequential(
        [
            keras.Input((40, 12)),
            normal,
            layers.TimeDistributed(layers.Dense(16, activation="relu")),
            layers.Bidirectional(layers.GRU(12, return_sequences=True)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    compiled(model, keras.optimizers.RMSprop(0.005), "binary_crossentropy")
    return Training(model, bands.astype("float32"), y, epochs=10, batch_size=16, constant_loss=binary_entropy(y))


@outside_healthy("fine_tuning")
def tuning_pretrained_encoder() -> Training:
    """The encoder of an autoencoder gets a classifier and continues at a fifth of the rate, with 200 labels."""
    pictures, labels = digits(900)
    flat = pictures.reshape(len(pictures), -1)
    inputs = keras.Input((64,))
    code = layers.Dense(24, activation="relu")(layers.Dense(48, activation="relu")(inputs))
    rebuilt = layers.Dense(64, activation="sigmoid")(layers.Dense(48, activation="relu")(code))
    autoencoder = compiled(keras.Model(inputs, rebuilt), keras.optimizers.Adam(0.005), "binary_crossentropy")
    autoencoder.fit(flat, flat, epochs=8, verbose=0)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Dropout(0.2)(code)))
    compiled(model, keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")

    def share() -> float:
        return float((np.asarray(model(flat, training=False)).argmax(-1) == labels).mean())

    goal = Goal("accuracy on all pictures", share, at_least=0.5)
    return Training(model, flat[:200], labels[:200], epochs=25, batch_size=16, goal=goal)
