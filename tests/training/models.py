"""Small models of every kind, with matching data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

Trainable = tuple[keras.Model, Any, Any]


def digits(samples: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Images `[samples, 8, 8, 1]` in [0, 1] and labels 0 to 9."""
    data = load_digits()
    return (data.images[:samples, ..., None] / 16).astype("float32"), data.target[:samples]


def sequential() -> Trainable:
    x, y = digits()
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu", padding="same", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, "relu", name="hidden"),
            layers.Dropout(0.3, name="dropout"),
            layers.Dense(10, name="head"),
        ]
    )
    return model, x, y


def small() -> Trainable:
    """Two layers, for tests that are not about the layers: quick to trace."""
    x, y = digits()
    parts = [layers.Flatten(name="flatten"), layers.Dense(8, "relu", name="hidden"), layers.Dense(10, name="head")]
    return keras.Sequential([layers.Input((8, 8, 1)), *parts]), x, y


def functional() -> Trainable:
    x, y = digits()
    inputs = layers.Input((8, 8, 1))
    h = layers.Conv2D(8, 3, padding="same", name="stem")(inputs)
    branch = layers.Conv2D(8, 3, padding="same", activation="relu", name="branch")(h)
    h = layers.Add(name="add")([h, branch])
    h = layers.GlobalAveragePooling2D(name="mean")(h)
    shared = layers.Dense(8, "tanh", name="shared")
    return keras.Model(inputs, layers.Dense(10, name="head")(shared(shared(h)))), x, y


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    """A nested model without `layer.output`, with a loop over a list of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = layers.Flatten(name="flatten")
        self.blocks = [layers.Dense(16, "relu", name=f"block_{index}") for index in range(3)]
        first, last = layers.Dense(16, "gelu", name="first"), layers.Dense(10, name="last")
        self.inner = keras.Sequential([first, last], name="inner")

    def call(self, x: Any, training: bool = False) -> Any:
        h = self.flatten(x)
        for block in self.blocks:
            h = block(h)
        return self.inner(h)


def subclassed() -> Trainable:
    x, y = digits()
    return Subclassed(), x, y


class Noise(layers.Layer):
    """Adds noise drawn by this function of a shape."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        super().__init__(name="noise")
        self._draw = draw

    def call(self, x: Any) -> Any:
        return x + 0.1 * self._draw(tf.shape(x))


def noisy(draw: Callable[[Any], Any]) -> Trainable:
    x, y = digits()
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), Noise(draw), layers.Dense(10, name="head")])
    return model, x, y


def lstm() -> Trainable:
    x, y = digits()
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.LSTM(12, return_sequences=True, name="lstm"),
            layers.GRU(8, name="gru"),
            layers.Dense(10),
        ]
    )
    return model, x[..., 0], y


def attention() -> Trainable:
    x, y = digits()
    tokens = (x.reshape(len(x), 64)[:, ::4] * 16).astype("int32")
    inputs = layers.Input((16,), dtype="int32")
    h = layers.Embedding(17, 12, name="embedding")(inputs)
    h = layers.Add(name="residual")([h, layers.MultiHeadAttention(2, 6, name="attention")(h, h)])
    h = layers.LayerNormalization(name="norm")(h)
    h = layers.GlobalAveragePooling1D(name="mean")(layers.Dense(24, "gelu", name="mlp")(h))
    return keras.Model(inputs, layers.Dense(10, name="head")(h)), tokens, y


def masked_attention() -> Trainable:
    """Tokens of which some are padding, attention with dropout, then causal attention in groups."""
    x, y = digits()
    tokens = (x.reshape(len(x), 64)[:, ::4] * 16).astype("int32")
    inputs = layers.Input((16,), dtype="int32")
    h = layers.Embedding(17, 12, mask_zero=True, name="embedding")(inputs)
    h = layers.Add()([h, layers.MultiHeadAttention(2, 6, dropout=0.1, name="first")(h, h)])
    h = layers.Add()([h, layers.GroupQueryAttention(6, 4, 2, name="second")(h, h, use_causal_mask=True)])
    return keras.Model(inputs, layers.Dense(10, name="head")(layers.GlobalAveragePooling1D()(h))), tokens, y


KINDS: dict[str, Callable[[], Trainable]] = {
    "sequential": sequential,
    "functional": functional,
    "subclassed": subclassed,
    "lstm": lstm,
    "attention": attention,
}


def probabilities() -> Trainable:
    """A softmax head, whose cross entropy Keras computes from its logits."""
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(16, "relu")])
    model.add(layers.Dense(10, "softmax", name="head"))
    return model, *digits()


def train(
    kind: str | Callable[[], Trainable],
    callbacks: list[keras.callbacks.Callback],
    *,
    epochs: int = 2,
    seed: int = 0,
    optimizer: Any = "sgd",
    from_logits: bool = True,
    **compile_arguments: Any,
) -> keras.Model:
    """Builds, compiles and fits one of `KINDS` (or what the function makes) from a fixed seed.

    Gradient descent takes half the time to trace that Adam does, and is compiled without XLA, which takes a tenth.
    """
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    model, x, y = (KINDS[kind] if isinstance(kind, str) else kind)()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    model.compile(optimizer, loss, **{"jit_compile": False} | compile_arguments)
    model.fit(x, y, batch_size=32, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    return model
