"""Models of sequences: recurrent, attention, embeddings, masks, different lengths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.compatibility.workload import BATCH, SAMPLES, Workload, labels, pictures, tokens


def time_distributed() -> Workload:
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.TimeDistributed(layers.Dense(6, "relu")),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
    return Workload(model, pictures()[..., 0], labels())


def bidirectional() -> Workload:
    model = keras.Sequential([layers.Input((8, 8)), layers.Bidirectional(layers.LSTM(4)), layers.Dense(10)])
    return Workload(model, pictures()[..., 0], labels())


def rnn_cells() -> Workload:
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.RNN([layers.LSTMCell(6), layers.GRUCell(6)], return_sequences=True),
            layers.SimpleRNN(6),
            layers.Dense(10),
        ]
    )
    return Workload(model, pictures()[..., 0], labels())


def attention() -> Workload:
    inputs = layers.Input((8, 8))
    h = layers.Dense(8)(inputs)
    h = layers.Add()([h, layers.MultiHeadAttention(2, 4)(h, h)])
    h = layers.LayerNormalization()(h)
    return Workload(
        keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling1D()(h))), pictures()[..., 0], labels()
    )


def embedding() -> Workload:
    model = keras.Sequential(
        [layers.Input((16,), dtype="int32"), layers.Embedding(17, 6), layers.Flatten(), layers.Dense(10)]
    )
    return Workload(model, tokens(), labels())


class Ragged(keras.Model):
    """Takes sequences of different lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = layers.Dense(12, "relu"), layers.Dense(10)

    def call(self, x: Any) -> Any:
        # Ragged if the data are; dense while Keras infers shapes.
        dense = x.to_tensor(shape=[None, 16]) if isinstance(x, tf.RaggedTensor) else x
        return self.head(self.hidden(tf.cast(dense, self.compute_dtype)))


def ragged() -> Workload:
    rows = [row[: 4 + index % 12].tolist() for index, row in enumerate(tokens().astype("float32"))]
    data = tf.data.Dataset.from_tensor_slices((tf.ragged.constant(rows, dtype=tf.float32), labels()))
    return Workload(Ragged(), data.ragged_batch(BATCH) if hasattr(data, "ragged_batch") else data.batch(BATCH), None)


def masked() -> Workload:
    model = keras.Sequential(
        [
            layers.Input((16,), dtype="int32"),
            layers.Embedding(17, 6, mask_zero=True),
            layers.LSTM(6, return_sequences=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(10),
        ]
    )
    return Workload(model, tokens(), labels())


def any_length() -> Workload:
    model = keras.Sequential(
        [
            layers.Input((None,), dtype="int32"),
            layers.Embedding(17, 6),
            layers.GRU(6, return_sequences=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(10),
        ]
    )

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, SAMPLES, BATCH):
            yield tokens()[start : start + BATCH, : 4 + start // BATCH * 3], labels()[start : start + BATCH]

    kind = (tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None,), tf.int64))
    data = tf.data.Dataset.from_generator(batches, output_signature=kind)
    return Workload(model, data.apply(tf.data.experimental.assert_cardinality(SAMPLES // BATCH)), None)
