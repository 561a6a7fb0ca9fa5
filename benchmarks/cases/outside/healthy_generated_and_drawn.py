"""Healthy programs on tables whose weights are generated, dropped at learned rates, bounded, or averaged ahead."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import make_moons

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import diabetes, table
from benchmarks.cases.networks import compiled


class GeneratedLayer(layers.Layer):
    """A dense layer whose weights are an input."""

    def __init__(self, units: int, activation: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.activation = units, keras.activations.get(activation)

    def call(self, both: Any) -> Any:
        values, weights = both
        size = values.shape[-1] * self.units
        kernel = ops.reshape(weights[:, :size], (-1, values.shape[-1], self.units))
        return self.activation(ops.einsum("bi,bio->bo", values, kernel) + weights[:, size:])


@outside_healthy("tabular")
def tabular_weights_from_a_network() -> Training:
    """Yields of plots whose soils react differently: one network writes the weights of another for each soil."""
    random = np.random.default_rng(761)
    soil = random.normal(0, 1, (60, 8))
    reaction = np.tanh(soil @ random.normal(0, 0.6, (8, 5)))
    which, weather = random.integers(0, 60, 2400), random.normal(0, 1, (2400, 5))
    y = (reaction[which] * weather).sum(1) + reaction[which, 0] * np.sin(2 * weather[:, 1])
    y = (y + random.normal(0, 0.2, 2400)).astype("float32")[:, None]
    x = [weather.astype("float32"), soil[which].astype("float32")]
    weather_in, soil_in = keras.Input((5,), name="weather"), keras.Input((8,), name="soil")
    code = layers.Dense(64, activation="relu")(layers.Dense(64, activation="relu")(soil_in))
    small = keras.initializers.VarianceScaling(0.2)
    hidden = layers.Dense(5 * 24 + 24, kernel_initializer=small, name="hidden_weights")(code)
    last = layers.Dense(24 + 1, kernel_initializer=small, name="last_weights")(code)
    body = GeneratedLayer(24, "relu", name="generated")([weather_in, hidden])
    model = keras.Model([weather_in, soil_in], GeneratedLayer(1, name="yield")([body, last]))
    compiled(model, keras.optimizers.Adam(1e-3, clipnorm=1.0), "mse")
    return Training(model, x, y, epochs=15)


class LearnedDropout(layers.Layer):
    """Drops inputs softly at a rate that is learned; a loss keeps the rate from going to zero."""

    def __init__(self, samples: int, **options: Any) -> None:
        super().__init__(**options)
        self.samples, self.seeds = samples, keras.random.SeedGenerator(762)
        self.logit = self.add_weight((), initializer=keras.initializers.Constant(-2.0), name="logit")

    def call(self, values: Any, training: bool = False) -> Any:
        rate = ops.sigmoid(self.logit)
        entropy = -rate * ops.log(rate) - (1 - rate) * ops.log(1 - rate)
        self.add_loss(-entropy * values.shape[-1] / self.samples)
        if not training:
            return values
        drawn = keras.random.uniform(ops.shape(values), 1e-6, 1 - 1e-6, seed=self.seeds)
        dropped = ops.sigmoid((self.logit + ops.log(drawn) - ops.log(1 - drawn)) / 0.1)
        return values * (1 - dropped) / (1 - rate)


def normal_likelihood(truth: Any, answer: Any) -> Any:
    """Half of the negative logarithm of a normal density, from a mean and the logarithm of a variance."""
    mean, spread = answer[:, :1], answer[:, 1:]
    return (ops.square(truth - mean) * ops.exp(-spread) + spread)[:, 0]


@outside_healthy("tabular")
def tabular_rates_of_dropping_learned() -> Training:
    """Concrete dropout: how sure a network is about diabetes, with rates of dropping that it learns itself."""
    x, y = diabetes()
    inputs = keras.Input((10,))
    body = inputs
    for _ in range(3):
        body = LearnedDropout(len(x))(body)
        body = layers.Dense(128, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-4))(body)
    model = keras.Model(inputs, layers.Dense(2)(LearnedDropout(len(x))(body)))
    compiled(model, keras.optimizers.Adam(1e-3), normal_likelihood)
    return Training(model, x, y, epochs=30, batch_size=16)


@outside_healthy("tabular")
def tabular_distances_kept() -> Training:
    """Moons by residual layers of bounded slope before fixed random waves, as for Gaussian processes: SNGP."""
    x, y = make_moons(1500, noise=0.12, random_state=763)
    inputs = keras.Input((2,))
    body = layers.Dense(128, trainable=False, name="lift")(inputs)
    for depth in range(4):
        inner = layers.SpectralNormalization(layers.Dense(128, activation="relu"), name=f"bounded_{depth}")(body)
        body = layers.Add()([body, layers.Dropout(0.1)(inner)])
    waves = layers.Dense(
        256, trainable=False, kernel_initializer=keras.initializers.RandomNormal(0, 0.35), name="waves"
    )
    body = layers.Lambda(lambda values: ops.cos(values) * (2 / 256) ** 0.5, name="cosine")(waves(body))
    model = keras.Model(inputs, layers.Dense(1, kernel_regularizer=keras.regularizers.L2(1e-4), name="moon")(body))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    compiled(model, keras.optimizers.Adam(2e-3), loss)
    y = y.astype("float32")[:, None]
    return Training(model, x.astype("float32"), y, epochs=14)


class SlowAhead(keras.callbacks.Callback):
    """Lookahead: every six steps the weights go half of the way back to where they were."""

    def __init__(self) -> None:
        super().__init__()
        self.slow: list[Any] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.slow = [weight.numpy() for weight in self.model.trainable_variables]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch % 6 != 5:
            return
        for at, weight in enumerate(self.model.trainable_variables):
            self.slow[at] = (self.slow[at] + weight.numpy()) / 2
            weight.assign(self.slow[at])


@outside_healthy("tabular")
def tabular_weights_that_look_ahead() -> Training:
    """Tumors by a wide network with GELU and mixed rows; every six steps it goes half of the way back: Lookahead."""
    x, y = table("breast_cancer")
    random = np.random.default_rng(764)
    order = np.concatenate([random.permutation(len(x)) for _ in range(3)])
    share = random.beta(0.3, 0.3, (len(order), 1))
    x3, y3 = np.tile(x, (3, 1)), np.tile(y, 3)[:, None]
    mixed = (share * x3 + (1 - share) * x[order]).astype("float32")
    target = (share * y3 + (1 - share) * y[order][:, None]).astype("float32")
    model = keras.Sequential([keras.Input((30,))])
    for width in (256, 128):
        model.add(layers.Dense(width, activation="gelu"))
        model.add(layers.LayerNormalization())
        model.add(layers.Dropout(0.3))
    model.add(layers.Dense(1, activation="sigmoid"))
    compiled(model, keras.optimizers.AdamW(3e-3, weight_decay=0.02), "binary_crossentropy")
    options = {"callbacks": [SlowAhead()]}
    return Training(model, mixed, target, epochs=8, batch_size=24, fit=options)
