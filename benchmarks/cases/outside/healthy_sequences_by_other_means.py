"""Healthy programs on sequences: turned positions, pointers, linear recurrences, reservoirs and heavy tails."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, outside_healthy
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy, entropy_by_position, squared_error


class RotaryAttention(layers.Layer):
    """Causal attention of one head, whose queries and keys are turned by their positions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def build(self, input_shape: Any) -> None:
        size = int(input_shape[-1])
        self.queries, self.keys, self.values = (
            self.add_weight((size, self.width), initializer="glorot_uniform", name=name) for name in ("q", "k", "v")
        )
        self.output_kernel = self.add_weight((self.width, size), initializer="glorot_uniform", name="o")
        rates = 1 / 100 ** (np.arange(self.width // 2) / (self.width // 2))
        angles = np.arange(int(input_shape[1]))[:, None] * rates
        self.cosines, self.sines = np.cos(angles).astype("float32"), np.sin(angles).astype("float32")
        self.future = np.triu(np.full((int(input_shape[1]),) * 2, -1e9, "float32"), 1)

    def turned(self, value: Any) -> Any:
        first, second = ops.split(value, 2, axis=-1)
        return ops.concatenate(
            [first * self.cosines - second * self.sines, first * self.sines + second * self.cosines], axis=-1
        )

    def call(self, inputs: Any) -> Any:
        queries, keys = (self.turned(ops.matmul(inputs, kernel)) for kernel in (self.queries, self.keys))
        scores = ops.matmul(queries, ops.transpose(keys, (0, 2, 1))) / math.sqrt(self.width) + self.future
        return ops.matmul(ops.matmul(ops.softmax(scores), ops.matmul(inputs, self.values)), self.output_kernel)


@outside_healthy("text")
def text_rotary_positions() -> Training:
    """A small language model with turned positions, root mean square normalization and gated linear units."""
    random = np.random.default_rng(270)
    text = random.integers(0, 12, (640, 17))
    for place in range(2, 17):
        follows = random.random(640) < 0.9
        text[:, place] = np.where(follows, (text[:, place - 2] + 1) % 12, text[:, place])
    x, y = text[:, :-1].astype("int32"), text[:, 1:].astype("int32")
    inputs = layers.Input((16,), dtype="int32")
    body = layers.Embedding(12, 32, embeddings_initializer=keras.initializers.RandomNormal(stddev=0.3))(inputs)
    for _ in range(2):
        body = layers.Add()([body, RotaryAttention(32)(layers.RMSNormalization()(body))])
        normal = layers.RMSNormalization()(body)
        gated = layers.Multiply()([layers.Dense(48, activation="silu")(normal), layers.Dense(48)(normal)])
        body = layers.Add()([body, layers.Dense(32)(gated)])
    model = keras.Model(inputs, layers.Dense(12)(layers.RMSNormalization()(body)))
    optimizer = keras.optimizers.AdamW(0.005, weight_decay=0.01)
    return Training(compiled(model, optimizer), x, y, epochs=10, constant_loss=entropy_by_position(y))


@outside_healthy("text")
def text_pointer_to_an_entry() -> Training:
    """Which entry of a list is asked for: a pointer is a softmax over the places of the list itself."""
    random = np.random.default_rng(271)
    numbers = random.permuted(np.tile(np.arange(20), (800, 1)), axis=1)[:, :8]
    asked = random.integers(0, 2, 800)
    y = np.where(asked == 0, numbers.argmax(1), numbers.argmin(1)).astype("int32")
    entries, question = layers.Input((8,), dtype="int32"), layers.Input((1,), dtype="int32")
    read = layers.Bidirectional(layers.GRU(24, return_sequences=True))(layers.Embedding(20, 16)(entries))
    wanted = layers.Flatten()(layers.Embedding(2, 48)(question))
    both = layers.Add()([layers.Dense(32)(read), layers.RepeatVector(8)(layers.Dense(32)(wanted))])
    both = layers.Activation("tanh")(both)
    scores = layers.Flatten()(layers.Dense(1, use_bias=False)(both))
    model = keras.Model([entries, question], scores)
    x = [numbers.astype("int32"), asked.astype("int32")[:, None]]
    return Training(compiled(model, keras.optimizers.Adam(0.005)), x, y, epochs=12)


class LinearRecurrence(layers.Layer):
    """Sums of waves that fade, as a long convolution over the past for each channel."""

    def build(self, input_shape: Any) -> None:
        length, width = int(input_shape[1]), int(input_shape[-1])
        shape = (8, width)
        self.size = self.add_weight(shape, initializer=keras.initializers.RandomNormal(stddev=0.3), name="size")
        self.fading = self.add_weight(shape, initializer=keras.initializers.RandomUniform(-3.0, -0.5), name="fading")
        self.pitch = self.add_weight(shape, initializer=keras.initializers.RandomUniform(0.1, 1.5), name="pitch")
        gap = np.arange(length)[:, None] - np.arange(length)
        self.past, self.gap = (gap >= 0).astype("float32")[..., None], np.maximum(gap, 0)
        self.time = np.arange(length, dtype="float32")[:, None, None]

    def call(self, inputs: Any) -> Any:
        waves = ops.exp(-ops.exp(self.fading) * self.time) * ops.cos(self.pitch * self.time)
        kernel = ops.sum(self.size * waves, axis=1)
        return ops.einsum("tsc,bsc->btc", ops.take(kernel, self.gap, axis=0) * self.past, inputs)


@outside_healthy("time_series")
def series_linear_recurrences() -> Training:
    """Which of three rhythms runs through a noisy series: two linear recurrences with gated units in between."""
    random = np.random.default_rng(272)
    y = random.integers(0, 3, 512).astype("int32")
    period = np.array([5, 8, 12])[y][:, None]
    beats = ((np.arange(40) + random.integers(0, 12, (512, 1))) % period == 0).astype("float32")
    x = (beats + random.normal(0, 0.3, beats.shape)).astype("float32")[..., None]
    inputs = layers.Input((40, 1))
    body = layers.Dense(24)(inputs)
    for _ in range(2):
        branch = LinearRecurrence()(layers.LayerNormalization()(body))
        branch = layers.Dense(24)(layers.Activation("gelu")(branch))
        body = layers.Add()([body, branch])
    body = layers.GlobalAveragePooling1D()(layers.Activation("gelu")(body))
    model = keras.Model(inputs, layers.Dense(3)(body))
    return Training(compiled(model, keras.optimizers.Adam(0.005)), x, y, epochs=12)


@outside_healthy("time_series")
def series_fixed_reservoir() -> Training:
    """An echo state network: a large recurrent layer that stays as it was drawn, and a trained linear readout."""
    random = np.random.default_rng(273)
    time = np.arange(700) / 4
    series = np.sin(time) * np.cos(0.31 * time) + random.normal(0, 0.03, 700)
    windows = np.lib.stride_tricks.sliding_window_view(series, 31)
    x, y = windows[:, :30, None].astype("float32"), windows[:, 30:].astype("float32")
    reservoir = layers.SimpleRNN(
        100,
        kernel_initializer=keras.initializers.RandomUniform(-0.5, 0.5),
        recurrent_initializer=keras.initializers.Orthogonal(0.9),
        trainable=False,
    )
    model = keras.Sequential([layers.Input((30, 1)), reservoir, layers.Dense(1)])
    return Training(compiled(model, keras.optimizers.Adam(0.01), "mse"), x, y, epochs=12)


def student_t(truth: Any, given: Any) -> Any:
    """Minus the log density of Student's t distribution with three degrees of freedom, without its constant."""
    scale = ops.softplus(given[:, 1:]) + 0.01
    return ops.log(scale) + 2 * ops.log(1 + ops.square((truth - given[:, :1]) / scale) / 3)


@outside_healthy("time_series")
def series_heavy_tails() -> Training:
    """Tomorrow's change of a price with sudden jumps, under a likelihood that forgives them, in units of 1."""
    random = np.random.default_rng(274)
    x = random.normal(size=(800, 15, 2)).astype("float32")
    mean = 6 * x[:, -1, 0] + 3 * x[:, -3, 1]
    y = (mean + 1.5 * random.standard_t(3, 800)).astype("float32")[:, None]
    model = keras.Sequential(
        [
            layers.Input((15, 2)),
            layers.Conv1D(24, 3, padding="causal", activation="relu"),
            layers.Conv1D(24, 3, padding="causal", dilation_rate=2, activation="relu"),
            layers.Cropping1D((14, 0)),
            layers.Flatten(),
            layers.Dense(24, activation="relu"),
            layers.Dense(2),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.005), student_t)
    goal = squared_error(lambda data, training: np.asarray(model(data, training=training))[:, :1], x, y, 0.7)
    return Training(model, x, y, epochs=12, goal=goal, constant_loss=UNKNOWN)


@outside_healthy("reinforcement_learning")
def reinforcement_memory_of_a_sign() -> Training:
    """A sign at the start of a corridor says where the reward is at its end: values of two turns by a GRU."""
    random = np.random.default_rng(275)
    sign = random.integers(0, 2, 640)
    x = random.normal(0, 0.3, (640, 10, 3)).astype("float32")
    x[:, 0, 0] += 2 * sign - 1
    x[:, -1, 2] += 1
    y = np.stack([1.0 - 2 * (sign == 1), 1.0 - 2 * (sign == 0)], 1) + random.normal(0, 0.1, (640, 2))
    y = y.astype("float32")
    model = keras.Sequential(
        [
            layers.Input((10, 3)),
            layers.Dense(16, activation="elu"),
            layers.GRU(24),
            layers.Dense(16, activation="elu"),
            layers.Dense(2),
        ]
    )
    compiled(model, keras.optimizers.RMSprop(0.003, clipnorm=1.0), "huber")
    return Training(model, x, y, epochs=15, goal=squared_error(model, x, y, 0.5))


@outside_healthy("audio")
def audio_separable_keywords() -> Training:
    """Spoken words by depthwise convolutions over time, residuals, batch normalization and a falling rate."""
    random = np.random.default_rng(276)
    y = random.integers(0, 5, 512).astype("int32")
    start, change = 2 + 2 * y, np.array([0.3, -0.1, 0.2, -0.2, 0.1])[y]
    tone = start[:, None] + change[:, None] * np.arange(24) + random.normal(0, 0.4, (512, 1))
    energy = np.exp(-np.square(np.arange(20) - tone[..., None]) / 2)
    x = np.log(energy + 0.05 * random.random((512, 24, 20)) + 0.01).astype("float32")
    inputs = layers.Input((24, 20))
    body = layers.Normalization(mean=float(x.mean()), variance=float(x.var()))(inputs)
    body = layers.ReLU()(layers.BatchNormalization()(layers.SeparableConv1D(32, 5, padding="same")(body)))
    for _ in range(2):
        branch = layers.BatchNormalization()(layers.SeparableConv1D(32, 7, padding="same")(body))
        body = layers.SpatialDropout1D(0.1)(layers.ReLU()(layers.Add()([body, branch])))
    body = layers.GlobalAveragePooling1D()(body)
    model = keras.Model(inputs, layers.Dense(5)(body))
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 50, 0.8)
    compiled(model, keras.optimizers.Adam(rate))
    return Training(model, x, y, epochs=12, goal=accuracy(model, x, y, 0.8))
