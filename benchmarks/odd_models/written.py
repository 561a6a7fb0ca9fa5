"""Subclassed models: where they keep their layers, when they make them, and how `call` uses them."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from benchmarks.odd_models.description import Description
from benchmarks.odd_models.pieces import CLASSES, Piece, make_body, make_head
from benchmarks.odd_models.steps import with_step

Shape = tuple[int, ...]


def written(described: Description, shape: Shape) -> Any:
    """A new model of this class."""
    base = _CLASSES[described.structure]
    model = with_step(base, described.step)(described)
    if described.structure == "subclass_built_by_shape":
        model.build((None, *shape))
    return model


class Written(keras.Model):
    """Layers are single attributes; subclasses keep and make them differently."""

    def __init__(self, described: Description) -> None:
        super().__init__()
        self.described = described
        self.begin()

    def begin(self) -> None:
        self.make()

    def make(self) -> None:
        """Makes the layers and stores them where Keras finds them."""
        self.pieces, self.head = tuple(make_body(self.described)), make_head(self.described)
        self.keep(self.pieces)

    def keep(self, pieces: tuple[Piece, ...]) -> None:
        for index, layer in enumerate(layer for piece in pieces for layer in piece.layers):
            setattr(self, f"layer_{index}", layer)

    def call(self, x: Any) -> Any:
        for piece in self.pieces:
            x = piece(x)
        return self.head(x)

    def forward(self, x: Any) -> Any:
        return self(x, training=True)


class InList(Written):
    def keep(self, pieces: tuple[Piece, ...]) -> None:
        self.blocks = [layer for piece in pieces for layer in piece.layers]


class InDict(Written):
    def keep(self, pieces: tuple[Piece, ...]) -> None:
        self.blocks = {f"block_{index}": list(piece.layers) for index, piece in enumerate(pieces)}


class InNestedList(Written):
    def keep(self, pieces: tuple[Piece, ...]) -> None:
        self.blocks = [[list(piece.layers)] for piece in pieces]


class MadeInBuild(Written):
    """The layers are made when shapes are known."""

    def begin(self) -> None:
        pass

    def build(self, shape: Any) -> None:
        self.make()
        for layer in (*(layer for piece in self.pieces for layer in piece.layers), self.head):
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True


class MadeInFirstCall(Written):
    """All but the head: Keras lets a `call` make layers only if another, unbuilt one exists."""

    def begin(self) -> None:
        self.pieces: Any = None
        self.head = make_head(self.described)

    def call(self, x: Any) -> Any:
        if self.pieces is None:
            self.pieces = tuple(make_body(self.described))
            self.keep(self.pieces)
        return super().call(x)


class Block(layers.Layer):
    """A piece as a custom layer."""

    def __init__(self, piece: Piece) -> None:
        super().__init__()
        self.piece, self.parts = piece, list(piece.layers)

    def call(self, x: Any) -> Any:
        return self.piece(x)


class OfOwnLayers(Written):
    def make(self) -> None:
        self.blocks = [Block(piece) for piece in make_body(self.described)]
        self.head = make_head(self.described)

    def call(self, x: Any) -> Any:
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class OfModels(Written):
    def make(self) -> None:
        body = make_body(self.described)
        self.pieces = (*body.first, body.to_vector)
        self.keep(self.pieces)
        self.tails = [keras.Sequential(piece.layers) for piece in body.later if piece.layers]
        self.afters = [piece.after or (lambda x: x) for piece in body.later if piece.layers]
        self.head = make_head(self.described)

    def call(self, x: Any) -> Any:
        for piece in self.pieces:
            x = piece(x)
        for tail, after in zip(self.tails, self.afters, strict=True):
            x = after(tail(x))
        return self.head(x)


class SeveralOutputs(Written):
    def make(self) -> None:
        super().make()
        self.number = layers.Dense(1)

    def call(self, x: Any) -> Any:
        for piece in self.pieces:
            x = piece(x)
        return self.head(x), self.number(x)


class WeightsOnly(Written):
    """No layer at all: weights and operations."""

    def make(self) -> None:
        outputs = 1 if self.described.is_regression else CLASSES
        self.w = self.add_weight(shape=(10, 6), initializer="glorot_uniform", name="w")
        self.v = self.add_weight(shape=(6, outputs), initializer="glorot_uniform", name="v")

    def call(self, x: Any) -> Any:
        outputs = tf.matmul(tf.nn.relu(tf.matmul(tf.cast(x, self.compute_dtype), self.w)), self.v)
        is_shares = self.described.loss == "name" and not self.described.is_regression
        return tf.nn.softmax(tf.cast(outputs, tf.float32)) if is_shares else outputs


class NoCall(keras.Model):
    """Consecutive networks that only `train_step` connects."""

    def __init__(self, **networks: Any) -> None:
        super().__init__()
        for name, network in networks.items():
            setattr(self, name, network)

    def forward(self, x: Any) -> Any:
        if hasattr(self, "network"):
            return self.network(x, training=True)
        return self.head(self.encoder(x, training=True), training=True)


_CLASSES: dict[str, type] = {
    "subclass_attributes": Written,
    "subclass_list": InList,
    "subclass_dict": InDict,
    "subclass_nested_list": InNestedList,
    "subclass_build": MadeInBuild,
    "subclass_first_call": MadeInFirstCall,
    "subclass_own_layers": OfOwnLayers,
    "subclass_of_models": OfModels,
    "subclass_built_by_shape": Written,
    "subclass_outputs": SeveralOutputs,
    "weights_only": WeightsOnly,
}
