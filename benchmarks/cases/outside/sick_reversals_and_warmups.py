"""Programs that tune a known network with a reversal, a warm-up or a recomputation that spoils it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import digits, words
from benchmarks.cases.networks import compiled


class Reversal(layers.Layer):
    """Passes values on, and the gradient with the opposite sign."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.turned = tf.custom_gradient(lambda values: (tf.identity(values), lambda up: -up))

    def call(self, values: Any) -> Any:
        return self.turned(values)


@outside_sick(
    "exploding_gradient",
    ["trunk_1", "trunk_2", "color_1", "color_2"],
    family="fine_tuning",
    source="https://github.com/janfreyberg/pytorch-revgrad/issues/5",
    accepted="The reversal stands right before the loss, so the branch maximizes it; it belongs before the branch.",
    also=(
        "nonfinite",
        "saturated_units",
        "dead_units",
        "stagnant_weights",
        "collapsed_layer",
        "vanishing_gradient",
        "no_gradient",
        "poor_init",
    ),
)
def reversal_right_before_the_loss() -> Training:
    """A known trunk shall forget the brightness of digits; the reversal comes after the branch that guesses it."""
    pictures, y = digits(640)
    bright = np.random.default_rng(660).integers(0, 4, 640).astype("int32")
    x = (pictures * (0.4 + 0.2 * bright[:, None, None])).reshape(640, 64).astype("float32")
    inputs = layers.Input((64,))
    trunk = layers.Dense(64, activation="relu", name="trunk_1")(inputs)
    trunk = layers.Dense(48, activation="relu", name="trunk_2")(trunk)
    who = layers.Dense(10, name="identity")(trunk)
    compiled(keras.Model(inputs, who), keras.optimizers.Adam(0.003)).fit(x, y, epochs=3, verbose=0)
    color = layers.Dense(32, use_bias=False, name="color_1")(trunk)
    color = Reversal(name="color")(layers.Dense(4, use_bias=False, name="color_2")(color))
    model = keras.Model(inputs, {"identity": who, "color": color})
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    compiled(model, keras.optimizers.SGD(0.01, momentum=0.9), {"identity": loss, "color": loss})
    return Training(model, x, {"identity": y, "color": bright}, epochs=6, constant_loss=UNKNOWN)


class LinearWarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises in a line for a number of steps and then stays."""

    def __init__(self, rate: float, steps: int) -> None:
        super().__init__()
        self.rate, self.steps = rate, steps

    def __call__(self, step: Any) -> Any:
        return self.rate * ops.minimum(1.0, (ops.cast(step, "float32") + 1) / self.steps)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "steps": self.steps}


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="fine_tuning",
    source="https://github.com/Morizeyao/GPT2-Chinese/issues/60",
    accepted="With 2000 warm-up steps by default and fewer steps in total, the rate never comes near the one given.",
    also=("stagnant_weights", "vanishing_gradient"),
)
def warm_up_longer_than_the_training() -> Training:
    """A model of the next word, tuned to another author; its rate rises for 20,000 steps, and there are only 60."""
    text, _ = words(640, length=10, vocabulary=40)
    inputs = layers.Input((9,), dtype="int32")
    body = layers.Embedding(40, 24, name="embedding")(inputs)
    normal = layers.LayerNormalization(name="norm_1")(body)
    seen = layers.MultiHeadAttention(2, 12, name="attention")(normal, normal, use_causal_mask=True)
    body = layers.Add(name="sum_1")([body, seen])
    wide = layers.Dense(48, activation="gelu", name="wide")(layers.LayerNormalization(name="norm_2")(body))
    body = layers.Add(name="sum_2")([body, layers.Dense(24, name="narrow")(wide)])
    model = keras.Model(inputs, layers.Dense(40, name="next_word")(body))
    old = np.sort(text, axis=1)
    compiled(model, keras.optimizers.Adam(0.005)).fit(old[:, :-1], old[:, 1:], epochs=4, verbose=0)
    new = old[:, ::-1].copy()
    compiled(model, keras.optimizers.AdamW(LinearWarmUp(2e-5, 20_000)))
    return Training(model, new[:320, :-1], new[:320, 1:], epochs=6, constant_loss=UNKNOWN)


def bypass(given: Any, down: Any, up: Any) -> Any:
    return given + ops.matmul(ops.gelu(ops.matmul(given, down)), up)


def with_recomputation(given: Any, down: Any, up: Any) -> Any:
    """The same, with a gradient for what is given only, which is computed from the start."""

    def gradient(upstream: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            answer = bypass(given, down, up)
        return tape.gradient(answer, given, output_gradients=upstream), None, None

    return bypass(given, down, up), gradient


recomputed = tf.custom_gradient(with_recomputation)


class Recomputed(layers.Layer):
    """An adapter whose inner values are not kept but computed again for the gradient, as to save memory."""

    def __init__(self, units: int, name: str) -> None:
        super().__init__(name=name)
        self.units = units

    def build(self, input_shape: Any) -> None:
        size = input_shape[-1]
        self.down = self.add_weight(shape=(size, self.units), initializer="glorot_uniform", name="down")
        self.up = self.add_weight(shape=(self.units, size), initializer="zeros", name="up")

    def call(self, values: Any) -> Any:
        return recomputed(values, tf.identity(self.down), tf.identity(self.up))


@outside_sick(
    "no_gradient",
    ["adapter_1", "adapter_2"],
    family="fine_tuning",
    source="https://github.com/huggingface/transformers/issues/26221",
    accepted="Reentrant checkpoints have no gradients where no input needs one, as behind frozen embeddings.",
    also=("stagnant_weights", "poor_init"),
)
def adapters_behind_a_recomputation() -> Training:
    """A frozen transformer with adapters for a new task; to save memory, each is recomputed for the gradient."""
    x, y = words(640)
    inputs = layers.Input((12,), dtype="int32")
    body = layers.Embedding(60, 24, name="embedding")(inputs)
    known = []
    for n in (1, 2):
        attention = layers.MultiHeadAttention(2, 12, name=f"attention_{n}")
        norm = layers.LayerNormalization(name=f"norm_{n}")
        adapter = Recomputed(8, name=f"adapter_{n}")
        body = adapter(norm(layers.Add(name=f"sum_{n}")([body, attention(body, body)])))
        known += [attention, norm]
    guess = layers.Dense(60, name="words")(body)
    hidden = np.where(np.random.default_rng(661).random(x.shape) < 0.2, 0, x)
    compiled(first := keras.Model(inputs, guess), keras.optimizers.Adam(0.003)).fit(hidden, x, epochs=2, verbose=0)
    for layer in (first.get_layer("embedding"), *known):
        layer.trainable = False
    pooled = layers.GlobalAveragePooling1D(name="pooled")(body)
    model = keras.Model(inputs, layers.Dense(2, name="logits")(pooled))
    return Training(compiled(model, keras.optimizers.AdamW(0.003)), x, y, epochs=8)
