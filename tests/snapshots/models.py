"""Small models for the content of snapshots, and for what they must not change."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

Array = np.ndarray[Any, Any]


def digits(samples: int = 128) -> tuple[Array, Array]:
    """Images `[samples, 8, 8, 1]` in [0, 1] and labels 0 to 9."""
    data = load_digits()
    return (data.images[:samples, ..., None] / 16).astype("float32"), data.target[:samples]


class OutsideNoise(layers.Layer):
    """Draws from the global random numbers, in every mode."""

    def call(self, x: Any) -> Any:
        return x + 0.01 * keras.random.normal(tf.shape(x)) + 0.01 * tf.random.normal(tf.shape(x))


def everything_with_a_state(*, is_recurrent: bool, **compile_arguments: Any) -> keras.Model:
    """Batch normalization, dropout, noise from outside, a stateful recurrent layer."""
    inputs = layers.Input((8, 8, 1), batch_size=32 if is_recurrent else None)
    h = layers.Conv2D(6, 3, padding="same", activation="relu", name="conv")(inputs)
    h = layers.BatchNormalization(name="norm")(h)
    h = OutsideNoise(name="noise")(h)
    h = layers.Dropout(0.3, name="drop")(h)
    h = layers.Reshape((8, 48), name="rows")(h)
    h = layers.GRU(6, stateful=True, name="gru")(h) if is_recurrent else layers.Flatten(name="flatten")(h)
    return compiled(keras.Model(inputs, layers.Dense(10, name="head")(h)), metrics=["accuracy"], **compile_arguments)


def classifier() -> keras.Model:
    return compiled(
        keras.Sequential(
            [
                layers.Input((8, 8, 1)),
                layers.Conv2D(6, 3, padding="same", activation="relu", name="conv"),
                layers.BatchNormalization(name="norm"),
                layers.Flatten(name="flatten"),
                layers.Dropout(0.5, name="drop"),
                layers.Dense(10, name="head"),
            ]
        )
    )


def autoencoder() -> keras.Model:
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="encode"),
            layers.Flatten(name="flatten"),
            layers.Dense(16, name="code"),
            layers.Dense(64, "sigmoid", name="decode"),
            layers.Reshape((8, 8, 1), name="image"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    return model


def compiled(model: keras.Model, **arguments: Any) -> keras.Model:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=False, **arguments)
    return model
