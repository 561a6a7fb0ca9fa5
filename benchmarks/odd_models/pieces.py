"""The pieces of a body: layers and the activations after them, in all common styles."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.odd_models.description import Description, Part
from benchmarks.odd_models.keeping import KEEPERS, NOISES

CLASSES = 4
TOKENS = 12

Function = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Piece:
    """Consecutive layers, and an expression applied to the last output."""

    layers: tuple[Any, ...]
    after: Function | None = None

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x if self.after is None else self.after(x)


@dataclasses.dataclass(frozen=True)
class Body:
    """Everything between inputs and heads: `first` applies to the form of the inputs, `later` to vectors."""

    first: tuple[Piece, ...]
    to_vector: Piece
    later: tuple[Piece, ...]

    def __iter__(self) -> Iterator[Piece]:
        yield from (*self.first, self.to_vector, *self.later)


class OwnDense(layers.Layer):
    """A custom layer with weights."""

    def __init__(self, width: int, activation: str | None = None) -> None:
        super().__init__()
        self.width, self.activation = width, keras.activations.get(activation)

    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=(shape[-1], self.width), initializer="glorot_uniform", name="w")
        self.b = self.add_weight(shape=(self.width,), initializer="zeros", name="b")

    def call(self, x: Any) -> Any:
        return self.activation(keras.ops.matmul(x, self.w) + self.b)

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], self.width)


class Gated(layers.Layer):
    """Layers inside a layer, made in its `__init__`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value, self.gate, self.width = layers.Dense(width), layers.Dense(width), width

    def build(self, shape: Any) -> None:
        self.value.build(shape)
        self.gate.build(shape)

    def call(self, x: Any) -> Any:
        return self.value(x) * keras.ops.sigmoid(self.gate(x))

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], self.width)


class SelfAttention(layers.Layer):
    """Attention and a normalization, made in `build`."""

    def build(self, shape: Any) -> None:
        self.attention, self.norm = layers.MultiHeadAttention(2, 4, dropout=0.1), layers.LayerNormalization()
        self.attention.build(shape, shape)
        self.norm.build(shape)

    def call(self, x: Any) -> Any:
        return self.norm(x + self.attention(x, x))

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


_LAYERS: dict[str, Callable[[int, str | None], Sequence[Any]]] = {
    "dense": lambda width, name: [layers.Dense(width, activation=name)],
    "einsum_dense": lambda width, name: [layers.EinsumDense("ab,bc->ac", width, bias_axes="c", activation=name)],
    "own_dense": lambda width, name: [OwnDense(width, name)],
    "normalized_dense": lambda width, name: [layers.Dense(width, activation=name), layers.LayerNormalization()],
    "gated_dense": lambda width, _: [Gated(width)],
    "bottleneck": lambda width, name: [layers.Dense(3, use_bias=False), layers.Dense(width, activation=name)],
    "conv": lambda width, name: [layers.Conv2D(width, 3, padding="same", activation=name)],
    "strided_conv": lambda width, name: [layers.Conv2D(width, 3, 2, "same", activation=name), layers.UpSampling2D()],
    "separable_conv": lambda width, name: [layers.SeparableConv2D(width, 3, padding="same", activation=name)],
    "depthwise_conv": lambda _, name: [layers.DepthwiseConv2D(3, padding="same", activation=name)],
    "conv_transpose": lambda width, name: [layers.Conv2DTranspose(width, 3, padding="same", activation=name)],
    "conv_batch_norm": lambda width, _: [
        layers.Conv2D(width, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
    ],
    "lstm": lambda width, _: [layers.LSTM(width, return_sequences=True, recurrent_dropout=0.1)],
    "gru": lambda width, _: [layers.GRU(width, return_sequences=True)],
    "simple_rnn": lambda width, _: [layers.SimpleRNN(width, return_sequences=True)],
    "bidirectional": lambda width, _: [layers.Bidirectional(layers.LSTM(width // 2, return_sequences=True))],
    "rnn_cells": lambda width, _: [
        layers.RNN([layers.LSTMCell(width), layers.GRUCell(width)], return_sequences=True),
    ],
    "conv1d": lambda width, name: [layers.Conv1D(width, 3, padding="causal", activation=name)],
    "attention": lambda width, _: [layers.Dense(width), SelfAttention()],
    "time_distributed": lambda width, name: [layers.TimeDistributed(layers.Dense(width, activation=name))],
}
_TAKES_NO_ACTIVATION = {
    "gated_dense",
    "conv_batch_norm",
    "lstm",
    "gru",
    "simple_rnn",
    "bidirectional",
    "rnn_cells",
    "attention",
}


def make_body(described: Description) -> Body:
    """New layers for this description."""
    chance = np.random.default_rng([described.seed, 1])
    first, later = ([_piece(part) for part in parts] for parts in (described.first, described.later))
    if described.inputs == "tokens":
        first.insert(0, Piece((layers.Embedding(TOKENS, 6, mask_zero=bool(chance.random() < 0.3)),)))
    for make in (KEEPERS[described.state], NOISES[described.noise]):
        if make is not None:
            where = first if described.state != "spectral_norm" and chance.random() < 0.5 else later
            where.insert(int(chance.integers(1, len(where) + 1)) if where else 0, Piece((make(),)))
    return Body(tuple(first), _to_vector(described.inputs, chance), tuple(later))


def make_head(described: Description) -> Any:
    """The output layer; a loss given by name needs probabilities."""
    if described.is_regression:
        return layers.Dense(1)
    if described.loss != "name":
        return layers.Dense(CLASSES, dtype="float32")
    # Keras recovers the logits of each of them in a different way.
    shares = ("softmax", tf.nn.softmax, keras.ops.softmax)[np.random.default_rng([described.seed, 3]).integers(3)]
    return layers.Dense(CLASSES, activation=shares, dtype="float32")


def _to_vector(inputs: str, chance: np.random.Generator) -> Piece:
    if inputs == "vector":
        return Piece(())
    dimensions = "2D" if inputs == "picture" else "1D"
    kinds = ("Flatten", f"GlobalAveragePooling{dimensions}", f"GlobalMaxPooling{dimensions}")
    return Piece((getattr(layers, str(chance.choice(kinds)))(),))


def _piece(part: Part) -> Piece:
    name = None if part.activation == "none" else part.activation
    is_argument = part.style == "argument" and part.kind not in _TAKES_NO_ACTIVATION
    made = tuple(_LAYERS[part.kind](part.width, name if is_argument else None))
    if name is None or is_argument:
        return Piece(made)
    if part.style in ("argument", "layer"):
        return Piece((*made, layers.ReLU() if name == "relu" else layers.Activation(name)))
    function = _function(name, part.style)
    return Piece((*made, layers.Lambda(function))) if part.style == "lambda_layer" else Piece(made, function)


def _function(name: str, style: str) -> Function:
    """The activation in this style; a similar one if the style lacks it."""
    if style == "keras.ops":
        function: Function = getattr(keras.ops, name)
    elif style == "tf.nn":
        function = getattr(tf.nn, name, tf.nn.relu)
    elif style == "lambda":
        function = lambda x: keras.ops.maximum(x, 0.1 * x)  # noqa: E731
    elif style == "operator":
        function = _by_operators
    else:
        function = getattr(keras.activations, name)
    return function


def _by_operators(x: Any) -> Any:
    return x * tf.cast(x > 0, x.dtype)
