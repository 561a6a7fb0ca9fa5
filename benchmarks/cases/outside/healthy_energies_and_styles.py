"""Healthy programs that generate: from energies, hidden tokens, styles, a tighter bound, and in one step."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array, digits
from benchmarks.cases.outside.healthy_generative_games import distance_of_moments
from benchmarks.cases.outside.healthy_goals import binary_entropy, entropy_by_position


def clusters(count: int) -> Array:
    """`[count, 2]` points around the corners of a square."""
    random = np.random.default_rng(610)
    return np.asarray(random.choice([-1.0, 1.0], (count, 2)) + random.normal(0, 0.15, (count, 2)), "float32")


class Energies(keras.Model):
    """Energies of points: low for real ones, higher for those that a noisy walk downhill finds; the walks continue."""

    def __init__(self, network: keras.Model, size: int) -> None:
        super().__init__()
        self.network, self.seed = network, keras.random.SeedGenerator(611)
        self.found = self.add_weight(shape=(size, 2), trainable=False, name="found")
        self.found.assign(np.random.default_rng(612).uniform(-2, 2, (size, 2)))

    def call(self, points: Any) -> Any:
        return self.network(points)

    def walk(self, points: Any) -> Any:
        for _ in range(12):
            with tf.GradientTape() as tape:
                tape.watch(points)
                energy = ops.sum(self.network(points))
            noise = keras.random.normal(ops.shape(points), seed=self.seed)
            points = ops.clip(points - 0.1 * tape.gradient(energy, points) + 0.1 * noise, -3, 3)
        return points

    def train_step(self, real: Any) -> dict[str, Any]:
        count = ops.shape(real)[0]
        fresh = keras.random.uniform((count, 2), -2, 2, seed=self.seed)
        is_fresh = keras.random.uniform((count, 1), seed=self.seed) < 0.05
        made = self.walk(ops.where(is_fresh, fresh, self.found[:count]))
        with tf.GradientTape() as tape:
            low, high = self.network(real, training=True), self.network(made, training=True)
            gap = ops.mean(low) - ops.mean(high)
            loss = gap + 0.03 * ops.mean(ops.square(low) + ops.square(high))
        weights = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        self.found.assign(ops.concatenate([self.found[count:], made], axis=0))
        return {"loss": loss, "gap": gap}


@outside_healthy("generative")
def generative_energies_of_points() -> Training:
    """An energy for each point, learned from walks that start where earlier ones ended; the loss stays around zero."""
    x = clusters(640)
    hidden = [layers.Dense(64, activation="swish") for _ in range(2)]
    network = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1)])
    model = Energies(network, 512)
    model(x[:2])
    model.compile(keras.optimizers.Adam(0.01, beta_1=0.0, beta_2=0.999), jit_compile=False)
    elsewhere = np.random.default_rng(613).uniform(-2, 2, (640, 2)).astype("float32")

    def told_apart() -> float:
        low, high = (np.asarray(network(points)) for points in (x, elsewhere))
        return float((low < high.T).mean())

    goal = Goal("share of pairs in which the real point has less energy", told_apart, at_least=0.75)
    return Training(model, x, None, epochs=25, goal=goal)


LEVELS = 4


class HiddenTokens(keras.Model):
    """Hides a share of the tokens, a different one for each sample, and guesses them."""

    def __init__(self, inputs: Any, outputs: Any) -> None:
        super().__init__(inputs, outputs)
        self.seed = keras.random.SeedGenerator(614)

    def train_step(self, tokens: Any) -> dict[str, Any]:
        shape = ops.shape(tokens)
        share = ops.cos(keras.random.uniform((shape[0], 1), 0, np.pi / 2, seed=self.seed))
        is_hidden = keras.random.uniform(shape, seed=self.seed) < share
        with tf.GradientTape() as tape:
            loss = of_hidden(tokens, is_hidden, self(ops.where(is_hidden, LEVELS, tokens), training=True))
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


def of_hidden(tokens: Any, is_hidden: Any, scores: Any) -> Any:
    """Cross entropy of the hidden tokens."""
    each = keras.losses.sparse_categorical_crossentropy(tokens, scores, from_logits=True)
    counted = ops.cast(is_hidden, "float32")
    return ops.sum(each * counted) / ops.maximum(ops.sum(counted), 1.0)


class Places(layers.Layer):
    """Adds a learned vector for each place."""

    def build(self, input_shape: Any) -> None:
        self.table = self.add_weight(
            shape=input_shape[1:], initializer=keras.initializers.RandomNormal(0.0, 0.3), name="table"
        )

    def call(self, values: Any) -> Any:
        return values + self.table


@outside_healthy("generative")
def generative_hidden_tokens() -> Training:
    """Digits of four gray levels: a mixer guesses hidden pixels, sometimes nearly all, so that it can draw."""
    x = np.floor(digits(640)[0].reshape(640, 8, 4, 2).max(-1) * 3.999).reshape(640, 32).astype("int32")
    inputs, start = keras.Input((32,), dtype="int32"), keras.initializers.RandomNormal(0.0, 0.3)
    body = Places()(layers.Embedding(LEVELS + 1, 32, embeddings_initializer=start)(inputs))
    for _ in range(2):
        across = layers.Permute((2, 1))(layers.LayerNormalization()(body))
        across = layers.Dense(32)(layers.Dense(64, activation="gelu")(across))
        body = layers.Add()([body, layers.Permute((2, 1))(across)])
        wide = layers.Dense(64, activation="gelu")(layers.LayerNormalization()(body))
        body = layers.Add()([body, layers.Dense(32)(wide)])
    model = HiddenTokens(inputs, layers.Dense(LEVELS)(layers.LayerNormalization()(body)))
    model.compile(keras.optimizers.Nadam(0.003), jit_compile=False)
    is_hidden = np.random.default_rng(615).random(x.shape) < 0.5
    view = View(model, np.where(is_hidden, LEVELS, x), loss=lambda scores: of_hidden(x, is_hidden, scores))
    return Training(model, x, None, epochs=25, views=(view,), constant_loss=entropy_by_position(x))


class Styled(layers.Layer):
    """A convolution whose outputs get a size and an offset from a style, and noise of learned size."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.convolve, self.style = layers.Conv2D(units, 3, padding="same"), layers.Dense(2 * units)
        self.units, self.seed = units, keras.random.SeedGenerator(616)

    def build(self, input_shape: Any) -> None:
        picture, style = input_shape
        self.convolve.build(picture)
        self.style.build(style)
        self.noise = self.add_weight(shape=(self.units,), initializer="zeros", name="noise")

    def call(self, inputs: Any, training: bool = False) -> Any:
        picture, style = inputs
        values = self.convolve(picture)
        size, offset = ops.split(self.style(style)[:, None, None], 2, axis=-1)
        if training:
            values = values + self.noise * keras.random.normal((*ops.shape(values)[:-1], 1), seed=self.seed)
        return ops.leaky_relu(values * (1 + size) + offset, 0.2)


class StyleGame(keras.Model):
    """A generator with a slow average of itself, and a judge whose slopes at real pictures cost."""

    def __init__(self, generator: keras.Model, average: keras.Model, judge: keras.Model) -> None:
        super().__init__()
        self.generator, self.average, self.judge = generator, average, judge
        average.set_weights(generator.get_weights())
        average.trainable = False
        self.seed = keras.random.SeedGenerator(617)

    def call(self, codes: Any) -> Any:
        return self.average(codes)

    def train_step(self, real: Any) -> dict[str, Any]:
        codes = keras.random.normal((ops.shape(real)[0], 16), seed=self.seed)
        with tf.GradientTape() as tape:
            made = self.generator(codes, training=True)
            with tf.GradientTape() as inner:
                inner.watch(real)
                score = self.judge(real, training=True)
            slopes = ops.mean(ops.sum(ops.square(inner.gradient(score, real)), axis=(1, 2, 3)))
            cost = ops.mean(ops.softplus(self.judge(made, training=True)) + ops.softplus(-score)) + 0.5 * slopes
        weights = self.judge.trainable_variables
        self.judge_optimizer.apply(tape.gradient(cost, weights), weights)
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.softplus(-self.judge(self.generator(codes, training=True), training=True)))
        weights = self.generator.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        for slow, fast in zip(self.average.weights, self.generator.weights, strict=True):
            slow.assign(slow + 0.05 * (fast - slow))
        return {"loss": loss, "judge": cost}


def styled_generator() -> keras.Model:
    """Codes to styles by three layers, and styles to pictures."""
    codes = keras.Input((16,))
    style = layers.UnitNormalization()(codes)
    for _ in range(3):
        style = layers.LeakyReLU(0.2)(layers.Dense(32)(style))
    body = layers.Reshape((2, 2, 32))(layers.Dense(128)(style))
    for units in (32, 24):
        body = Styled(units)([layers.UpSampling2D(2)(body), style])
    return keras.Model(codes, layers.Conv2D(1, 1)(body))


@outside_healthy("generative")
def generative_styles_of_digits() -> Training:
    """Digits from styles that set the size of each channel, a penalty on the judge's slopes, and averaged weights."""
    x = digits(512)[0][..., None]
    pictures = keras.Input((8, 8, 1))
    body = layers.LeakyReLU(0.2)(layers.Conv2D(24, 3, strides=2, padding="same")(pictures))
    body = layers.LeakyReLU(0.2)(layers.Conv2D(48, 3, strides=2, padding="same")(body))
    body = layers.LeakyReLU(0.2)(layers.Dense(48)(layers.Flatten()(body)))
    game = StyleGame(styled_generator(), styled_generator(), keras.Model(pictures, layers.Dense(1)(body)))
    codes = np.random.default_rng(618).normal(size=(512, 16)).astype("float32")
    game(codes[:2])
    game.judge_optimizer = keras.optimizers.Adam(0.002, beta_1=0.0, beta_2=0.99)
    game.judge_optimizer.build(game.judge.trainable_variables)
    game.compile(keras.optimizers.Adam(0.002, beta_1=0.0, beta_2=0.99), jit_compile=False)

    def distance() -> float:
        return distance_of_moments(np.asarray(game.average(codes)), x)

    def judged(made: Any) -> Any:
        return ops.mean(ops.softplus(-game.judge(made)))

    views = (
        View(game.generator, codes, loss=judged, prefix="generator/"),
        View(game.judge, x, loss=lambda score: ops.mean(ops.softplus(-score)), prefix="judge/"),
    )
    goal = Goal("distance of moments", distance, at_most=0.35)
    return Training(game, x, None, epochs=15, batch_size=16, views=views, goal=goal)


class Draws(layers.Layer):
    """Several draws from a normal distribution of given mean and logarithm of the deviation."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count, self.seed = count, keras.random.SeedGenerator(619)

    def call(self, inputs: Any) -> Any:
        mean, deviation = inputs
        shape = (ops.shape(mean)[0], self.count, mean.shape[-1])
        return mean[:, None] + ops.exp(deviation)[:, None] * keras.random.normal(shape, seed=self.seed)


def tighter_bound(pixels: Any, answer: Any) -> Any:
    """The negative logarithm of the mean weight of several draws."""
    mean, deviation, codes, scores = answer
    mean, deviation = mean[:, None], deviation[:, None]
    drawn = (codes - mean) / ops.exp(deviation)
    prior = -0.5 * ops.sum(ops.square(codes), axis=-1)
    guess = -0.5 * ops.sum(ops.square(drawn), axis=-1) - ops.sum(deviation, axis=-1)
    chance = -ops.sum(ops.softplus(scores) - pixels[:, None] * scores, axis=-1)
    weight = chance + prior - guess
    return -ops.mean(ops.logsumexp(weight, axis=1) - np.log(codes.shape[1]))


class WeightedDraws(keras.Model):
    """Minimizes the tighter bound."""

    def train_step(self, pixels: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = tighter_bound(pixels, self(pixels, training=True))
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


@outside_healthy("generative")
def generative_importance_of_draws() -> Training:
    """An importance-weighted autoencoder: eight draws for each digit, whose best one counts most, by tanh layers."""
    x = (digits(768)[0].reshape(768, 64) > 0.5).astype("float32")
    inputs = keras.Input((64,))
    body = layers.Dense(96, activation="tanh")(layers.Dense(96, activation="tanh")(inputs))
    mean, deviation = layers.Dense(8)(body), layers.Dense(8)(body)
    codes = Draws(8)([mean, deviation])
    body = layers.Dense(96, activation="tanh")(layers.Dense(96, activation="tanh")(codes))
    model = WeightedDraws(inputs, [mean, deviation, codes, layers.Dense(64)(body)])
    model.compile(keras.optimizers.Adafactor(0.01), jit_compile=False)
    view = View(model, x, loss=lambda answer: tighter_bound(x, answer))
    return Training(model, x, None, epochs=30, views=(view,), constant_loss=64 * binary_entropy(x))
