"""Healthy programs on series: marked numbers, sensors, two decoders, unusual windows, stages, an LSTM at the side."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn.metrics import roc_auc_score

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, class_entropy


class IndependentCell(layers.Layer):
    """A rectified recurrent cell in which each unit sees only itself of before."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = self.state_size = self.output_size = units

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(
            (input_shape[-1], self.units), initializer=keras.initializers.VarianceScaling(0.1), name="kernel"
        )
        start = keras.initializers.RandomUniform(0.0, 1.0)
        self.recurrent = self.add_weight((self.units,), initializer=start, name="recurrent")
        self.bias = self.add_weight((self.units,), initializer="zeros", name="bias")

    def call(self, values: Any, states: Any) -> Any:
        given = ops.relu(ops.matmul(values, self.kernel) + self.recurrent * states[0] + self.bias)
        return given, [given]


@outside_healthy("time_series")
def series_marked_numbers_added() -> Training:
    """The sum of two marked numbers among thirty, by two layers of independent units: first a plateau, then less."""
    random = np.random.default_rng(1211)
    x = np.zeros((1600, 30, 2), "float32")
    x[:, :, 0] = random.random((1600, 30))
    rows = np.arange(1600)
    x[rows, random.integers(0, 15, 1600), 1] = x[rows, random.integers(15, 30, 1600), 1] = 1
    y = (x[:, :, 0] * x[:, :, 1]).sum(1, keepdims=True).astype("float32")
    inputs = layers.Input((30, 2))
    body = layers.RNN(IndependentCell(64), return_sequences=True, unroll=True)(inputs)
    body = layers.RNN(IndependentCell(64), unroll=True)(body)
    last = layers.Dense(1, kernel_initializer=keras.initializers.VarianceScaling(0.05))
    model = keras.Model(inputs, last(body))
    rate = keras.optimizers.schedules.ExponentialDecay(0.002, 500, 0.5)
    compiled(model, keras.optimizers.Adam(rate, clipvalue=1.0), "mean_squared_error")
    return Training(model, x, y, epochs=20, batch_size=50)


class Drawn(layers.Layer):
    """Draws codes, and adds their divergence with a weight that a callback raises."""

    def __init__(self) -> None:
        super().__init__()
        self.seed = keras.random.SeedGenerator(1212)

    def build(self, _: Any) -> None:
        self.share = self.add_weight((), initializer="zeros", trainable=False, name="share")

    def call(self, codes: Any, training: bool = False) -> Any:
        mean, log_variance = codes
        spread = ops.exp(log_variance) + ops.square(mean) - 1 - log_variance
        self.add_loss(self.share * ops.mean(ops.sum(spread, axis=1)) / 2)
        noise = keras.random.normal(ops.shape(mean), seed=self.seed)
        return mean + ops.exp(log_variance / 2) * noise if training else mean


def summed_error(truth: Any, rebuilt: Any) -> Any:
    return ops.sum(ops.square(truth - rebuilt), axis=(1, 2))


@outside_healthy("time_series")
def series_sensors_by_variational_lstm() -> Training:
    """Windows of eight sensors by a variational autoencoder of LSTM layers; its divergence is turned on slowly."""
    random = np.random.default_rng(1213)
    count, time = 900, np.arange(16)[None, :, None]
    phase, speed = random.uniform(0, 6.3, (count, 1, 1)), random.uniform(0.3, 0.8, (count, 1, 1))
    load, heat = random.normal(0, 1, (2, count, 1, 1))
    parts = [np.sin(speed * time + phase), np.cos(speed * time + phase), load + 0 * time, heat * time / 16]
    mixed = np.concatenate(parts, -1) @ random.normal(0, 0.6, (4, 8))
    x = (mixed + random.normal(0, 0.15, mixed.shape)).astype("float32")
    inputs = layers.Input((16, 8))
    body = layers.LSTM(64)(inputs)
    mean, log_variance = layers.Dense(5)(body), layers.Dense(5, kernel_initializer="zeros")(body)
    drawn = Drawn()
    body = layers.RepeatVector(16)(drawn([mean, log_variance]))
    body = layers.LSTM(64, return_sequences=True)(body)
    model = keras.Model(inputs, layers.TimeDistributed(layers.Dense(8))(body))

    def raise_share(epoch: int, _: Any) -> None:
        drawn.share.assign(min(1.0, epoch / 6))

    compiled(model, keras.optimizers.AdamW(0.003, weight_decay=1e-4, clipnorm=5.0), summed_error)
    options = {"callbacks": [keras.callbacks.LambdaCallback(on_epoch_begin=raise_share)]}
    constant = float(np.square(x - x.mean(0)).sum((1, 2)).mean())
    return Training(model, x, x, 12, fit=options, constant_loss=constant)


class TwoDecoders(keras.Model):
    """An encoder and two decoders: the second learns to tell what the first has rebuilt, the first to deceive it."""

    def __init__(self, encoder: keras.Model, first: keras.Model, second: keras.Model) -> None:
        super().__init__()
        self.encoder, self.first, self.second = encoder, first, second
        self.other = keras.optimizers.Adam(0.001)
        self.epoch = self.add_weight((), initializer="ones", trainable=False, name="epoch")

    def call(self, inputs: Any) -> Any:
        return self.first(self.encoder(inputs))

    def train_step(self, data: Any) -> dict[str, Any]:
        share = 0.985**self.epoch
        with tf.GradientTape(persistent=True) as tape:
            code = self.encoder(data)
            once, other = self.first(code), self.second(code)
            twice = self.second(self.encoder(once))
            again = ops.mean(ops.square(data - twice))
            loss = share * ops.mean(ops.square(data - once)) + (1 - share) * again
            other_loss = share * ops.mean(ops.square(data - other)) - (1 - share) * again
        weights = [*self.encoder.trainable_variables, *self.first.trainable_variables]
        other_weights = [*self.encoder.trainable_variables, *self.second.trainable_variables]
        gradients, other_gradients = tape.gradient(loss, weights), tape.gradient(other_loss, other_weights)
        self.optimizer.apply(gradients, weights)
        self.other.apply(other_gradients, other_weights)
        return {"loss": loss, "other": other_loss}


def plant(count: int, seed: int) -> Array:
    """Flattened windows of five steps of twelve sensors between 0 and 1, which move together."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(1214).normal(0, 1, (4, 12))
    time = random.uniform(0, 100, (count, 1)) + np.arange(5)[None]
    waves = np.stack([np.sin(time * pace) for pace in (0.3, 0.5, 0.11, 0.9)], -1) @ mixing
    values = 1 / (1 + np.exp(-waves)) + random.normal(0, 0.02, waves.shape)
    return values.clip(0, 1).reshape(count, -1).astype("float32")


@outside_healthy("time_series")
def series_water_plant_by_two_decoders() -> Training:
    """Anomalies of a plant by an autoencoder with two decoders that play against each other more with every epoch."""
    x = plant(1200, 1215)

    def stack(sizes: tuple[int, ...], last: str, inputs: int) -> keras.Model:
        hidden = [layers.Dense(size, "relu") for size in sizes[:-1]]
        return keras.Sequential([keras.Input((inputs,)), *hidden, layers.Dense(sizes[-1], last)])

    encoder = stack((96, 48, 12), "linear", 60)
    model = TwoDecoders(encoder, *(stack((48, 96, 60), "sigmoid", 12) for _ in range(2)))
    model(x[:2])
    model.other.build([*encoder.trainable_variables, *model.second.trainable_variables])
    model.compile(keras.optimizers.Adam(0.001), jit_compile=False)
    usual = plant(300, 1216)
    unusual = usual.copy().reshape(300, 5, 12)
    unusual[:, 2:, ::3] = plant(300, 1217).reshape(300, 5, 12)[:, 2:, ::3]
    both = np.concatenate([usual, unusual.reshape(300, -1)])

    def found() -> float:
        once = np.asarray(model.first(encoder(both)))
        twice = np.asarray(model.second(encoder(once)))
        score = 0.5 * np.square(both - once).mean(1) + 0.5 * np.square(both - twice).mean(1)
        return float(roc_auc_score(np.repeat([0, 1], 300), score))

    def next_epoch(epoch: int, _: Any) -> None:
        model.epoch.assign(epoch + 1)

    inputs = keras.Input((60,))
    values: Any = inputs
    for layer in [*encoder.layers, *model.first.layers]:
        values = layer(values)
    view = View(keras.Model(inputs, values), x, loss=lambda given: ops.mean(ops.square(x - given)))
    goal = Goal("area under the curve of anomalies", found, at_least=0.85)
    options = {"callbacks": [keras.callbacks.LambdaCallback(on_epoch_begin=next_epoch)]}
    return Training(model, x, None, 10, 32, views=(view,), fit=options, goal=goal)


@outside_healthy("time_series")
def series_few_unusual_windows_pushed_out() -> Training:
    """Usual windows are drawn to a center, the few known unusual ones pushed out: convolutions without biases."""
    random = np.random.default_rng(1218)
    time, speed = np.arange(32)[None], random.uniform(0.25, 0.45, (900, 1))
    x = np.stack([np.sin(time * speed), np.cos(time * speed), np.sin(2 * time * speed)], -1)
    is_odd = random.random(900) < 0.12
    broken = np.concatenate([x[:, :16], np.roll(x, 9, axis=1)[:, 16:]], 1) * random.uniform(0.8, 1.3, (900, 1, 3))
    x = np.where(is_odd[:, None, None], broken, x) + random.normal(0, 0.3, x.shape)
    x = x.astype("float32")
    is_known = is_odd & (random.random(900) < 0.5)
    body = inputs = layers.Input((32, 3))
    for filters in (32, 48):
        body = layers.Conv1D(filters, 5, padding="same", use_bias=False)(body)
        body = layers.LeakyReLU(negative_slope=0.1)(layers.BatchNormalization(center=False)(body))
        body = layers.MaxPooling1D(2)(body)
    model = keras.Model(inputs, layers.Dense(24, use_bias=False)(layers.Flatten()(body)))
    center = np.asarray(model(x, training=True)).mean(0)
    center = np.where(np.abs(center) < 0.1, np.where(center < 0, -0.1, 0.1), center).astype("float32")

    def distance(known: Any, codes: Any) -> Any:
        far = ops.mean(ops.square(codes - center), axis=-1)
        return ops.where(known[:, 0] > 0, 1 / (far + 1e-3), far)

    rate = keras.optimizers.schedules.PiecewiseConstantDecay([170], [0.001, 0.0001])
    compiled(model, keras.optimizers.Adam(rate, weight_decay=1e-5), distance)

    def found() -> float:
        return float(roc_auc_score(is_odd, np.square(np.asarray(model(x)) - center).mean(1)))

    goal = Goal("area under the curve of unusual windows", found, at_least=0.9)
    return Training(model, x, is_known.astype("float32")[:, None], epochs=9, goal=goal)


def steps_and_smoothness(truth: Any, scores: Any) -> Any:
    """Cross entropy of each frame, and the squared change of logarithms from frame to frame, cut off at 16."""
    right = keras.losses.sparse_categorical_crossentropy(truth, scores, from_logits=True)
    logs = ops.log_softmax(scores)
    change = ops.square(logs[:, 1:] - ops.stop_gradient(logs[:, :-1]))
    return ops.mean(right) + 0.15 * ops.mean(ops.minimum(change, 16.0))


@outside_healthy("time_series")
def series_steps_of_work_in_stages() -> Training:
    """Which step of work each frame shows, by three stages of dilated residuals, two of them on shares of classes."""
    random = np.random.default_rng(1219)
    y = np.zeros((160, 48), "int32")
    for row in y:
        order, cuts = random.permutation(6)[:4], np.sort(random.integers(4, 44, 3))
        row[:] = order[np.searchsorted(cuts, np.arange(48), side="right")]
    x = (random.normal(0, 0.7, (6, 24))[y] + random.normal(0, 1.3, (160, 48, 24))).astype("float32")

    def stage(values: Any, number: int) -> Any:
        body = layers.Conv1D(48, 1)(values)
        for depth in range(4):
            wide = layers.Conv1D(48, 3, padding="same", dilation_rate=2**depth, activation="relu")(body)
            body = layers.Add()([body, layers.Dropout(0.3)(layers.Conv1D(48, 1)(wide))])
        return layers.Conv1D(6, 1, name=f"stage_{number}")(body)

    inputs = layers.Input((48, 24))
    scores = [stage(inputs, 0)]
    for number in (1, 2):
        scores.append(stage(layers.Softmax()(scores[-1]), number))
    model = keras.Model(inputs, scores)
    compiled(model, keras.optimizers.Adam(0.0015), [steps_and_smoothness] * 3)
    last = keras.Model(inputs, scores[-1])
    goal = accuracy(last, x, y, 0.8)
    return Training(model, x, [y] * 3, 12, 16, goal=goal, constant_loss=3 * class_entropy(y))


@outside_healthy("time_series")
def series_lstm_beside_convolutions() -> Training:
    """Kinds of curves: three normalized convolutions, and an LSTM of eight units, most dropped, on turned axes."""
    random = np.random.default_rng(1220)
    y = random.integers(0, 3, 360).astype("int32")
    time = np.arange(48)[None]
    start, length = random.integers(4, 16, (360, 1)), random.integers(12, 28, (360, 1))
    inside = (time >= start) & (time < start + length)
    slope = np.stack([np.ones((360, 48)), (time - start) / length, (start + length - time) / length], 0)
    curve = 3 * inside * slope[y, np.arange(360)] + random.normal(0, 0.9, (360, 48))
    x = ((curve - curve.mean(1, keepdims=True)) / curve.std(1, keepdims=True)).astype("float32")[..., None]
    inputs = layers.Input((48, 1))
    side = layers.Dropout(0.8)(layers.LSTM(8)(layers.Permute((2, 1))(inputs)))
    body: Any = inputs
    for filters, width in ((64, 8), (96, 5), (64, 3)):
        body = layers.Conv1D(filters, width, padding="same", kernel_initializer="he_uniform")(body)
        body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
    body = layers.Concatenate()([side, layers.GlobalAveragePooling1D()(body)])
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(body))
    compiled(model, "adam", "sparse_categorical_crossentropy")
    slower = keras.callbacks.ReduceLROnPlateau("loss", factor=2**-0.5, patience=2, min_lr=1e-4)
    return Training(model, x, y, epochs=12, fit={"callbacks": [slower]})
