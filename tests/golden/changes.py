"""A small training of digits, and changes of its code that a regression test must notice."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from tests.training.models import digits

BATCH = 32
SAMPLES = 192


def build(change: str = "") -> tuple[keras.Model, Any, Any, int]:
    """The compiled model, inputs, targets and batch size, changed in one way; "" for unchanged."""
    keras.utils.set_random_seed(3)
    x, y = digits(SAMPLES)
    if change == "data order":
        x, y = x[::-1], y[::-1]
    initializer = "he_uniform" if change == "initializer" else "glorot_uniform"
    first = layers.Dense(24, "relu", name="first")
    second = layers.Dense(
        24, "tanh" if change == "activation" else "relu", kernel_initializer=initializer, name="second"
    )
    norm = layers.BatchNormalization(name="norm")
    dropout = layers.Dropout(0.5 if change == "dropout rate" else 0.2, seed=5, name="dropout")
    middle = [norm, second] if change == "layer order" else [second, norm]
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Flatten(name="flatten"),
            first,
            *middle,
            dropout,
            layers.Dense(10, name="head"),
        ],
        name="digits",
    )
    if change == "frozen layer":
        first.trainable = False
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rate = 0.06 if change == "learning rate" else 0.05
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), loss, jit_compile=False)
    return model, x, y, 24 if change == "batch size" else BATCH


def train(change: str, callback: keras.callbacks.Callback) -> None:
    """One epoch of six steps (eight with the other batch size), in the order of the data."""
    if change == "library flag":
        keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model, x, y, batch = build(change)
        model.fit(x, y, batch_size=batch, epochs=1, shuffle=False, verbose=0, callbacks=[callback])
    finally:
        keras.mixed_precision.set_dtype_policy("float32")


CHANGES: dict[str, tuple[str, str]] = {
    "initializer": ("second", "kernel_initializer"),
    "learning rate": ("head", "learning_rate"),
    "activation": ("second", "activation"),
    "layer order": ("second", "layer at place 2"),
    "library flag": ("second", "dtype"),
    "dropout rate": ("dropout", "rate"),
    "batch size": ("flatten", "samples"),
    "data order": ("flatten", ""),
    "frozen layer": ("first", "trainable"),
}
"""For each change the layer that differs first, at step 0, and the cause, "" if only its effects are recorded."""
