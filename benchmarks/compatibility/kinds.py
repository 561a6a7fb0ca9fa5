"""Small models of every kind, with data that fits them: digits 0 to 9 as pictures, rows of pixels or tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

SAMPLES, BATCH = 64, 16
_LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@dataclasses.dataclass(frozen=True)
class Workload:
    """A model to be compiled with this loss and trained on these data."""

    model: keras.Model
    x: Any
    y: Any
    loss: Any = _LOSS


def pictures(axis: int = -1) -> np.ndarray:
    """`[SAMPLES, 8, 8, 1]`, or with the channel at `axis`."""
    return np.expand_dims(load_digits().images[:SAMPLES] / 16, axis).astype("float32")


def labels() -> np.ndarray:
    return np.asarray(load_digits().target[:SAMPLES])


def tokens() -> np.ndarray:
    """`[SAMPLES, 16]`, 0 to 16."""
    return (pictures().reshape(SAMPLES, 64)[:, ::4] * 16).astype("int32")


def sequential() -> Workload:
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", padding="same"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(10),
        ]
    )
    return Workload(model, pictures(), labels())


def functional() -> Workload:
    inputs = layers.Input((8, 8, 1))
    h = layers.Conv2D(4, 3, padding="same")(inputs)
    h = layers.Add()([h, layers.Conv2D(4, 3, padding="same", activation="relu")(h)])
    return Workload(keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(h))), pictures(), labels())


class Subclassed(keras.Model):
    """Layers in a list, called in a Python loop."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = layers.Flatten()
        self.blocks = [layers.Dense(12, "relu") for _ in range(2)]
        self.head = layers.Dense(10)

    def call(self, x: Any) -> Any:
        h = self.flatten(x)
        for block in self.blocks:
            h = block(h)
        return self.head(h)


def subclassed() -> Workload:
    return Workload(Subclassed(), pictures(), labels())


def nested() -> Workload:
    innermost = keras.Sequential([layers.Input((12,)), layers.Dense(12, "tanh")])
    inner = keras.Sequential([layers.Input((12,)), innermost, layers.Dense(12, "relu")])
    middle = keras.Sequential([layers.Input((64,)), layers.Dense(12, "relu"), inner])
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), middle, layers.Dense(10)])
    return Workload(model, pictures(), labels())


def shared() -> Workload:
    inputs = layers.Input((64,))
    both = layers.Dense(12, "relu")
    h = layers.Dense(12)(inputs)
    model = keras.Model(inputs, layers.Dense(10)(both(both(h))))
    return Workload(model, pictures().reshape(SAMPLES, 64), labels())


def several_inputs_and_outputs() -> Workload:
    x = pictures().reshape(SAMPLES, 64)
    left, right = layers.Input((32,), name="left"), layers.Input((32,), name="right")
    h = layers.Concatenate()([layers.Dense(8, "relu")(left), layers.Dense(8, "relu")(right)])
    model = keras.Model(
        {"left": left, "right": right},
        {"digit": layers.Dense(10, name="digit")(h), "ink": layers.Dense(1, name="ink")(h)},
    )
    targets = {"digit": labels(), "ink": x.mean(axis=1, keepdims=True)}
    return Workload(model, {"left": x[:, :32], "right": x[:, 32:]}, targets, {"digit": _LOSS, "ink": "mse"})


class Pair(keras.Model):
    """Takes a tuple and gives a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = layers.Dense(8, "relu"), layers.Dense(8, "relu")
        self.digit, self.ink = layers.Dense(10), layers.Dense(1)

    def call(self, pair: Any) -> Any:
        h = self.one(pair[0]) + self.other(pair[1])
        return self.digit(h), self.ink(h)


def tuples() -> Workload:
    x = pictures().reshape(SAMPLES, 64)
    return Workload(Pair(), (x[:, :32], x[:, 32:]), (labels(), x.mean(axis=1, keepdims=True)), [_LOSS, "mse"])


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


def separable_and_transposed() -> Workload:
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu"),
            layers.SeparableConv2D(4, 3, activation="relu"),
            layers.DepthwiseConv2D(3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )
    return Workload(model, pictures(), labels())


def channels_first() -> Workload:
    model = keras.Sequential(
        [
            layers.Input((1, 8, 8)),
            layers.Conv2D(4, 3, data_format="channels_first", activation="relu"),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
    return Workload(model, pictures(axis=1), labels())


class Split(layers.Layer):
    """Gives a tuple and a dict of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = layers.Dense(6, "relu"), layers.Dense(6, "tanh")

    def build(self, shape: Any) -> None:
        self.one.build(shape)
        self.other.build(shape)

    def call(self, x: Any) -> Any:
        return self.one(x), {"other": self.other(x)}


class SeveralOutputs(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.flatten, self.split, self.head = layers.Flatten(), Split(), layers.Dense(10)

    def call(self, x: Any) -> Any:
        one, rest = self.split(self.flatten(x))
        return self.head(one * rest["other"])


def several_outputs() -> Workload:
    return Workload(SeveralOutputs(), pictures(), labels())


class Sometimes(layers.Layer):
    """Calls a layer under `tf.cond`."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = layers.Dense(12)

    def build(self, shape: Any) -> None:
        self.inner.build(shape)

    def call(self, x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0, lambda: self.inner(x), lambda: tf.zeros([tf.shape(x)[0], 12], x.dtype))

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], 12)


def under_a_condition() -> Workload:
    model = keras.Sequential([layers.Input((64,)), layers.Dense(12, "relu"), Sometimes(), layers.Dense(10)])
    return Workload(model, pictures().reshape(SAMPLES, 64), labels())


def frozen() -> Workload:
    workload = sequential()
    workload.model.layers[0].trainable = False
    workload.model.layers[1].trainable = False
    return workload


class Ragged(keras.Model):
    """Takes sequences of different lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = layers.Dense(12, "relu"), layers.Dense(10)

    def call(self, x: Any) -> Any:
        # Ragged where the data are; dense while Keras works out shapes.
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


class OwnStep(keras.Model):
    """Trains by a step of its own, on a loss of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten, self.hidden, self.head = layers.Flatten(), layers.Dense(12, "relu"), layers.Dense(10)

    def call(self, x: Any) -> Any:
        return self.head(self.hidden(self.flatten(x)))

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = _LOSS(y, self(x, training=True))
            scaled = self.optimizer.scale_loss(loss)
        self.optimizer.apply(tape.gradient(scaled, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


def own_step() -> Workload:
    return Workload(OwnStep(), pictures(), labels())


class Sparse(layers.Layer):
    """Adds a loss of its own."""

    def call(self, x: Any) -> Any:
        self.add_loss(1e-3 * keras.ops.mean(keras.ops.abs(x)))
        return x


def losses_of_layers() -> Workload:
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(12, "relu", kernel_regularizer="l2", activity_regularizer="l1"),
            Sparse(),
            layers.Dense(10),
        ]
    )
    return Workload(model, pictures(), labels())


def low_rank_adaptation() -> Workload:
    workload = sequential()
    workload.model.layers[-1].enable_lora(2)
    return workload


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


def separate_activations() -> Workload:
    hidden = [layers.Dense(12), layers.Activation("tanh"), layers.Dense(12), layers.Activation("sigmoid")]
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), *hidden, layers.Dense(10)])
    return Workload(model, pictures(), labels())


KINDS: dict[str, Callable[[], Workload]] = {
    "Sequential": sequential,
    "functional": functional,
    "subclassed": subclassed,
    "nested three deep": nested,
    "shared layer": shared,
    "dicts in and out": several_inputs_and_outputs,
    "tuples in and out": tuples,
    "TimeDistributed": time_distributed,
    "Bidirectional": bidirectional,
    "RNN cells": rnn_cells,
    "attention": attention,
    "embedding": embedding,
    "separable, transposed": separable_and_transposed,
    "channels_first": channels_first,
    "layer with several outputs": several_outputs,
    "under tf.cond": under_a_condition,
    "frozen part": frozen,
    "ragged input": ragged,
    "masked input": masked,
    "sequences of any length": any_length,
    "own train_step": own_step,
    "losses of layers": losses_of_layers,
    "LoRA": low_rank_adaptation,
    "separate activations": separate_activations,
}
