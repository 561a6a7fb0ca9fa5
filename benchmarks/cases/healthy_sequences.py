"""Healthy trainings with loops and attention: cells, gates and heads have rows of their own, which must stay quiet."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.cases.base import Training, healthy
from benchmarks.cases.data import digits, waves, words
from benchmarks.cases.networks import compiled


@healthy
def recurrent_both_ways() -> Training:
    """A bidirectional LSTM over padded sequences."""
    x, y = words(512)
    model = keras.Sequential(
        [
            layers.Input((12,), dtype="int32"),
            layers.Embedding(60, 12, mask_zero=True, name="table"),
            layers.Bidirectional(layers.LSTM(12, name="lstm"), name="both"),
            layers.Dense(2, name="head"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.01)), x, y)


@healthy
def recurrent_cell_stack() -> Training:
    """An LSTM cell and a GRU cell that run in one loop."""
    x, y = waves(512)
    cells = [layers.LSTMCell(12, name="lower"), layers.GRUCell(12, name="upper")]
    model = keras.Sequential([layers.Input((12, 1)), layers.RNN(cells, name="rnn"), layers.Dense(3, name="head")])
    return Training(compiled(model, keras.optimizers.Adam(0.01)), x, y)


@healthy
def recurrent_convolution() -> Training:
    """A convolutional LSTM over the rows of a picture."""
    x, y = digits(512)
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.Reshape((8, 8, 1), name="rows"),
            layers.ConvLSTM1D(8, 3, padding="same", name="lstm"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, name="head"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.01)), x, y)


@healthy
def recurrent_forecast() -> Training:
    """A GRU that predicts the next value at each time step."""
    x, _ = waves(512, length=17)
    model = keras.Sequential(
        [
            layers.Input((16, 1)),
            layers.GRU(16, return_sequences=True, name="gru"),
            layers.TimeDistributed(layers.Dense(1, name="next"), name="each"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.01), "mse"), x[:, :-1], x[:, 1:])


@healthy
def decoder_with_grouped_queries() -> Training:
    """A causal decoder block with grouped queries that predicts the next row of a picture."""
    x, _ = digits(512)
    inputs = layers.Input((7, 8))
    body = layers.Dense(16, name="entry")(inputs)
    normal = layers.LayerNormalization(name="norm_0")(body)
    attention = layers.GroupQueryAttention(4, 4, 2, name="attention")
    body = layers.Add(name="sum_0")([body, attention(normal, normal, use_causal_mask=True)])
    inner = layers.Dense(32, "gelu", name="inner")(layers.LayerNormalization(name="norm_1")(body))
    body = layers.Add(name="sum_1")([body, layers.Dense(16, name="outer")(inner)])
    model = keras.Model(inputs, layers.Dense(8, name="head")(body))
    return Training(compiled(model, keras.optimizers.Adam(0.003), "mse"), x[:, :-1], x[:, 1:])


@healthy
def attention_with_scaled_scores() -> Training:
    """Dot-product attention whose only weight scales its scores."""
    x, y = digits(512)
    inputs = layers.Input((8, 8))
    body = layers.LayerNormalization(name="norm")(layers.Dense(16, name="entry")(inputs))
    body = layers.Add(name="sum")([body, layers.Attention(use_scale=True, name="attention")([body, body])])
    model = keras.Model(inputs, layers.Dense(10, name="head")(layers.Flatten(name="flatten")(body)))
    return Training(compiled(model, keras.optimizers.Adam(0.003)), x, y)


class InBranches(layers.Layer):
    """A layer in each branch of a condition, then one that is called three times in a loop."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.bright = layers.Dense(24, "relu", name="bright")
        self.dark = layers.Dense(24, "relu", name="dark")
        self.again = layers.Dense(24, "tanh", name="again")

    def build(self, input_shape: Any) -> None:
        self.bright.build(input_shape)
        self.dark.build(input_shape)
        self.again.build((None, 24))
        self.built = True

    def call(self, x: Any) -> Any:
        h = tf.cond(tf.reduce_mean(x) > 0.3, lambda: self.bright(x), lambda: self.dark(x))
        return tf.while_loop(lambda turn, _: turn < 3, lambda turn, h: (turn + 1, h + self.again(h)), (0, h))[1]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], 24)


@healthy
def branches_and_loops() -> Training:
    """Layers in a condition, whose branch depends on the batch, and in a loop."""
    x, y = digits(512)
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.Flatten(name="flatten"),
            InBranches(name="branches"),
            layers.Dense(10, name="head"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.003)), np.ascontiguousarray(x), y)


SEQUENCES = (
    "recurrent_lstm",
    "recurrent_gru_stack",
    "recurrent_simple",
    "embedding_masked_lstm",
    "transformer",
    "attention_on_rows",
    "recurrent_both_ways",
    "recurrent_cell_stack",
    "recurrent_convolution",
    "recurrent_forecast",
    "decoder_with_grouped_queries",
    "attention_with_scaled_scores",
    "branches_and_loops",
)
"""Every healthy case with loops or attention."""
