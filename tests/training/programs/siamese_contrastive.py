"""A siamese network with a contrastive loss: two towers that share weights, a Lambda between, a loss in a closure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tb_activations import LayerHealth
from tests.training.programs.data import labels, pictures


def make_pairs(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    chance = np.random.default_rng(1)
    places = {digit: np.flatnonzero(y == digit) for digit in range(10)}
    partners = [chance.choice(places[int(digit if chance.random() < 0.5 else (digit + 1) % 10)]) for digit in y]
    return x, x[partners], (y != y[partners]).astype("float32")


def euclidean_distance(vects: Any) -> Any:
    x, y = vects
    sum_square = ops.sum(ops.square(x - y), axis=1, keepdims=True)
    return ops.sqrt(ops.maximum(sum_square, keras.backend.epsilon()))


def make_embedding_network() -> keras.Model:
    inputs = keras.layers.Input((8, 8, 1))
    x = layers.BatchNormalization()(inputs)
    x = layers.Conv2D(4, (3, 3), activation="tanh")(x)
    x = layers.AveragePooling2D(pool_size=(2, 2))(x)
    x = layers.Conv2D(8, (2, 2), activation="tanh")(x)
    x = layers.BatchNormalization()(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(10, activation="tanh")(x))


def contrastive_loss(margin: float = 1) -> Callable[[Any, Any], Any]:
    def loss(y_true: Any, y_pred: Any) -> Any:
        square_pred = ops.square(y_pred)
        margin_square = ops.square(ops.maximum(margin - y_pred, 0))
        return ops.mean((1 - y_true) * square_pred + y_true * margin_square)

    return loss


def train(log_dir: str | None) -> dict[str, keras.Model]:
    embedding_network = make_embedding_network()
    input_1, input_2 = layers.Input((8, 8, 1)), layers.Input((8, 8, 1))
    tower_1, tower_2 = embedding_network(input_1), embedding_network(input_2)
    merge_layer = layers.Lambda(euclidean_distance, output_shape=(1,))([tower_1, tower_2])
    normal_layer = layers.BatchNormalization()(merge_layer)
    output_layer = layers.Dense(1, activation="sigmoid")(normal_layer)
    siamese = keras.Model(inputs=[input_1, input_2], outputs=output_layer)
    siamese.compile(loss=contrastive_loss(1), optimizer="RMSprop", metrics=["accuracy"], jit_compile=False)
    x_1, x_2, y = make_pairs(pictures(), labels())
    callbacks = [LayerHealth(log_dir)] if log_dir else []
    siamese.fit([x_1, x_2], y, epochs=2, batch_size=32, shuffle=False, verbose=0, callbacks=callbacks)
    return {"siamese": siamese}
