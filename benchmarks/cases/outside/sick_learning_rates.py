"""Programs whose learning rate is zero, too low, gone too early or too high."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import WHOLE, Training, outside_sick
from benchmarks.cases.data import Array, digits, photo_patches, waves, words
from benchmarks.cases.networks import compiled

DAMAGE = (
    "stagnant_weights",
    "exploding_gradient",
    "vanishing_gradient",
    "dead_units",
    "saturated_units",
    "collapsed_layer",
    "no_gradient",
    "dormant_units",
    "poor_init",
)
"""What a learning rate that is far too high may do to single layers."""


def small_pictures(count: int = 512) -> tuple[Array, Array]:
    x, y = digits(count)
    return x[..., None], y


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="vision",
    source="https://github.com/apple/coremltools/issues/486",
    accepted="The loss fell at a tiny rate because the learning rate was too small; a larger one trained well.",
    also=("stagnant_weights",),
)
def updates_too_small_to_see() -> Training:
    """A small convolutional network is updated with plain SGD and a learning rate of 1e-7."""
    x, y = small_pictures()
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu", name="conv_1"),
            layers.Conv2D(16, 3, activation="relu", name="conv_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="relu", name="dense_1"),
            layers.Dense(10, activation="softmax", name="dense_2"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(1e-7), "sparse_categorical_crossentropy"), x, y)


def chained_words(count: int = 384, length: int = 10, vocabulary: int = 24) -> tuple[Array, Array]:
    """Sequences in which two words decide the next one but for a tenth of noise, and the same shifted by one."""
    random = np.random.default_rng(4)
    text = np.zeros((count, length + 1), "int32")
    text[:, :2] = random.integers(0, vocabulary, (count, 2))
    for place in range(1, length):
        noise = random.random(count) < 0.1
        text[:, place + 1] = np.where(
            noise, random.integers(0, vocabulary, count), (5 * text[:, place] + 7 * text[:, place - 1]) % vocabulary
        )
    return text[:, :-1], text[:, 1:]


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="text",
    source="https://github.com/rajveermalviya/language-modeling/issues/3",
    accepted="Adam had a learning rate of 1.0; with its default of 0.001 the loss went down.",
    also=DAMAGE,
)
def language_model_rate_of_one() -> Training:
    """A language model of one recurrent layer is trained by Adam with a learning rate of 1."""
    x, y = chained_words()
    model = keras.Sequential(
        [
            layers.Input((10,), dtype="int32"),
            layers.Embedding(24, 16, name="embedding"),
            layers.LSTM(24, return_sequences=True, name="lstm"),
            layers.Dense(24, name="logits"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return Training(compiled(model, keras.optimizers.Adam(1.0), loss), x, y, epochs=6, constant_loss=float(np.log(24)))


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="time_series",
    source="https://github.com/LINCellularNeuroscience/VAME/issues/26",
    accepted="With the scheduler off the factor of the step decay was 0 and not 1, so the rate fell to 0.",
    also=("stagnant_weights",),
)
def step_decay_by_zero() -> Training:
    """A recurrent autoencoder whose scheduler multiplies the learning rate by 0 after the first epochs."""
    x, _ = waves(256)

    def schedule(epoch: int, rate: float) -> float:
        gamma, step_size = 0.0, 2
        return rate * gamma if epoch and epoch % step_size == 0 else rate

    model = keras.Sequential(
        [
            layers.Input((12, 1)),
            layers.SimpleRNN(16, name="encoder"),
            layers.RepeatVector(12, name="repeat"),
            layers.SimpleRNN(16, return_sequences=True, name="decoder"),
            layers.Dense(1, name="rebuilt"),
        ]
    )
    compiled(model, keras.optimizers.Adam(1e-4), "mse")
    fit = {"callbacks": [keras.callbacks.LearningRateScheduler(schedule)]}
    return Training(model, x, x, epochs=6, fit=fit)


class PolynomialRate(keras.optimizers.schedules.LearningRateSchedule):
    """Falls from `start` to 0 within `steps`, which nobody checks for being positive."""

    def __init__(self, start: float, steps: int) -> None:
        self.start, self.steps = start, steps

    def __call__(self, step: Any) -> Any:
        done = keras.ops.minimum(keras.ops.cast(step, "float32"), self.steps) / self.steps
        return self.start * (1 - done)

    def get_config(self) -> dict[str, Any]:
        return {"start": self.start, "steps": self.steps}


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="vision",
    source="https://github.com/keras-team/keras/pull/18722",
    accepted="The unknown size of a generator is -2, so the number of decay steps is negative and the rate becomes 0.",
    also=("stagnant_weights",),
)
def decay_over_negative_steps() -> Training:
    """The steps of a polynomial decay come from the size of a generator, which is reported as -2."""
    x, y = small_pictures()
    epochs, size_of_generator = 8, -2
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(12, 3, activation="relu", name="conv_1"),
            layers.Flatten(name="flatten"),
            layers.Dense(24, activation="relu", name="dense_1"),
            layers.Dense(10, activation="softmax", name="dense_2"),
        ]
    )
    optimizer = keras.optimizers.Adam(PolynomialRate(0.005, size_of_generator * epochs))
    return Training(compiled(model, optimizer, "sparse_categorical_crossentropy"), x, y, epochs=epochs)


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="generative",
    source="https://github.com/leftthomas/SRGAN/issues/94",
    accepted="The scheduler was stepped after every batch, not every epoch, so the rate was zero after a few steps.",
    also=("stagnant_weights",),
)
def scheduler_stepped_every_batch() -> Training:
    """A super-resolution network whose learning rate is divided by ten every few batches, not every few epochs."""
    y = photo_patches(512)
    x = y[:, ::2, ::2]
    epochs = 12
    rate = keras.optimizers.schedules.ExponentialDecay(2e-4, epochs // 4, 0.1, staircase=True)
    model = keras.Sequential(
        [
            layers.Input((4, 4, 3)),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv_1"),
            layers.UpSampling2D(name="enlarge"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv_2"),
            layers.Conv2D(3, 3, padding="same", name="picture"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(rate), "mse"), x, y, epochs=epochs)


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="vision",
    source="https://github.com/keras-team/keras/pull/6182",
    accepted="The learning rate of RMSprop was too large for the example: the loss rose again after a few epochs.",
    also=DAMAGE,
)
def rmsprop_rate_too_large() -> Training:
    """A convolutional classifier trained by RMSprop with a learning rate a thousand times its default."""
    x, y = small_pictures()
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="conv_1"),
            layers.MaxPooling2D(name="pool"),
            layers.Conv2D(16, 3, activation="relu", name="conv_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="relu", name="dense_1"),
            layers.Dense(10, name="logits"),
        ]
    )
    return Training(compiled(model, keras.optimizers.RMSprop(1.0)), x, y)


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="fine_tuning",
    source="https://github.com/huggingface/transformers/issues/735",
    accepted="Fine-tuning gave the same output for all inputs at a learning rate of 0.01; 5e-5 solved it.",
    also=DAMAGE,
)
def fine_tuning_destroys_the_body() -> Training:
    """A network that knows half of the digits is fine-tuned on all of them with a far too high learning rate."""
    x, y = digits(768)
    x = x.reshape(len(x), -1)
    body = [
        layers.Dense(48, activation="tanh", name="body_1"),
        layers.Dense(48, activation="tanh", name="body_2"),
    ]
    first = compiled(keras.Sequential([layers.Input((64,)), *body, layers.Dense(10, name="old_head")]))
    first.fit(x[y < 5], y[y < 5], epochs=4, verbose=0)
    model = keras.Sequential([layers.Input((64,)), *body, layers.Dense(10, name="head")])
    return Training(compiled(model, keras.optimizers.Adam(2.0)), x, y)


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="text",
    source="https://github.com/graykode/nlp-tutorial/issues/77",
    accepted="The learning rate must be reduced: at 0.01 the loss swings between 2 and 18, at 0.0001 it falls to 0.1.",
    also=DAMAGE,
)
def small_attention_rate_too_high() -> Training:
    """One block of self-attention on short texts, trained by Adam with a learning rate of 0.5."""
    x, y = words(512)
    inputs = layers.Input((12,), dtype="int32")
    body = layers.Embedding(60, 16, name="embedding")(inputs)
    seen = layers.MultiHeadAttention(2, 8, name="attention")(body, body)
    body = layers.Add(name="sum")([body, seen])
    body = layers.Dense(32, activation="tanh", name="feed_forward")(body)
    body = layers.GlobalAveragePooling1D(name="mean")(body)
    model = keras.Model(inputs, layers.Dense(2, name="logits")(body))
    return Training(compiled(model, keras.optimizers.Adam(0.5)), x, y)
