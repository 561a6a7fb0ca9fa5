"""Models of every kind, each with the outputs of its layers found by calling them one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

Outputs = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Known:
    """A model and, by the names `probe` should give them, its layers' outputs for a batch."""

    model: keras.Model
    one_by_one: Callable[[tf.Tensor], Outputs]


def digits(samples: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Images `[samples, 8, 8, 1]` in [0, 1] and labels 0 to 9."""
    data = load_digits()
    return (data.images[:samples, ..., None] / 16).astype("float32"), data.target[:samples]


def functional() -> Known:
    conv = layers.Conv2D(6, 3, activation="relu", padding="same", name="conv")
    norm = layers.BatchNormalization(name="norm")
    drop = layers.Dropout(0.4, name="drop", seed=3)
    flatten, head = layers.Flatten(name="flatten"), layers.Dense(10, name="head")
    inputs = layers.Input((8, 8, 1))

    def one_by_one(x: Any) -> Outputs:
        a = conv(x)
        b = norm(a)
        c = drop(b)
        d = flatten(c)
        return {"conv": a, "norm": b, "drop": c, "flatten": d, "head": head(d)}

    return Known(keras.Model(inputs, one_by_one(inputs)["head"]), one_by_one)


class Subclassed(keras.Model):
    """Has no `layer.output`; one part is a layer of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = layers.Flatten(name="flatten")
        self.blocks = [layers.Dense(12, "relu", name=f"block_{index}") for index in range(2)]
        self.gate = Gate(name="gate")
        self.head = layers.Dense(10, name="head")

    def call(self, x: Any) -> Any:
        h = self.flatten(x)
        for block in self.blocks:
            h = block(h)
        return self.head(self.gate(h)["gated"])


class Gate(layers.Layer):
    """Outputs a dict and has inner layers."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.strength = layers.Dense(12, "sigmoid", name="strength")

    def call(self, x: Any) -> dict[str, Any]:
        strength = self.strength(x)
        return {"gated": strength * x, "strength": strength}


def subclassed() -> Known:
    model = Subclassed()

    def one_by_one(x: Any) -> Outputs:
        seen = {"flatten": model.flatten(x)}
        seen["block_0"] = model.blocks[0](seen["flatten"])
        seen["block_1"] = model.blocks[1](seen["block_0"])
        seen["gate/strength"] = model.gate.strength(seen["block_1"])
        gate = model.gate(seen["block_1"])
        seen |= {"gate[gated]": gate["gated"], "gate[strength]": gate["strength"]}
        return seen | {"head": model.head(gate["gated"])}

    return Known(model, one_by_one)


def nested() -> Known:
    first, second = layers.Dense(7, "tanh", name="dense"), layers.Dense(5, "relu", name="second")
    inner = keras.Sequential([layers.Input((64,)), first, second], name="inner")
    flatten, outer = layers.Flatten(name="flatten"), layers.Dense(10, name="dense")
    inputs = layers.Input((8, 8, 1))
    model = keras.Model(inputs, outer(inner(flatten(inputs))))

    def one_by_one(x: Any) -> Outputs:
        a = flatten(x)
        b = first(a)
        c = second(b)
        return {"flatten": a, "inner/dense": b, "inner/second": c, "dense": outer(c)}

    return Known(model, one_by_one)


def shared() -> Known:
    flatten, enter = layers.Flatten(name="flatten"), layers.Dense(8, name="enter")
    twice, head = layers.Dense(8, "tanh", name="twice"), layers.Dense(10, name="head")
    inputs = layers.Input((8, 8, 1))

    def one_by_one(x: Any) -> Outputs:
        a = flatten(x)
        b = enter(a)
        c = twice(b)
        d = twice(c)
        return {"flatten": a, "enter": b, "twice": d, "twice@1": c, "twice@2": d, "head": head(d)}

    return Known(keras.Model(inputs, one_by_one(inputs)["head"]), one_by_one)


KINDS: dict[str, Callable[[], Known]] = {
    "functional": functional,
    "subclassed": subclassed,
    "nested": nested,
    "shared": shared,
}


def make(kind: str, seed: int = 0) -> Known:
    keras.utils.set_random_seed(seed)
    return KINDS[kind]()


def trained(known: Known, epochs: int = 1) -> keras.Model:
    """The model after a short training on digits, so that moving averages and biases have changed."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # For so few steps tracing would take longer than running them eagerly.
    known.model.compile("adam", loss, run_eagerly=True)
    known.model.fit(*digits(), batch_size=32, epochs=epochs, shuffle=False, verbose=0)
    return known.model


def state(model: keras.Model) -> list[np.ndarray]:
    """Copies of all weights, moving averages, seed states and metric variables."""
    metrics = [variable for metric in model.metrics for variable in metric.variables]
    return [np.copy(variable.numpy()) for variable in [*model.variables, *metrics]]


def is_same(before: list[np.ndarray], after: list[np.ndarray]) -> bool:
    return len(before) == len(after) and all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
