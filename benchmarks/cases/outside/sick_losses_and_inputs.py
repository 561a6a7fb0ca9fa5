"""Programs with losses that have no gradient, inputs that say nothing or far too much, and many flat slopes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, outside_sick
from benchmarks.cases.data import digits, photo_patches, words
from benchmarks.cases.networks import compiled

AT_REST = ("stagnant_weights", "vanishing_gradient", "collapsed_layer", "no_gradient", "no_learning", "dormant_units")
"""What goes with layers that no gradient changes."""


def tones(pictures: Any) -> Any:
    """How many pixels of each picture fall into eight steps of brightness."""
    return tf.map_fn(
        lambda picture: tf.cast(tf.histogram_fixed_width(picture, [0.0, 1.0], 8), "float32"),
        tf.cast(pictures, "float32"),
    )


def difference_of_tones(truth: Any, guess: Any) -> Any:
    return ops.mean(ops.square(tones(truth) - tones(guess)), axis=-1) / 64


@outside_sick(
    "no_gradient",
    ["tone_1", "toned"],
    family="vision",
    source="https://github.com/deepfakes/faceswap-model/issues/27",
    accepted="Counting values into a histogram is not differentiable, so it cannot be used in a loss.",
    also=AT_REST,
)
def histogram_of_tones_as_a_loss() -> Training:
    """A sharper picture by the squared error, and one of the right tones by the histogram of its pixels."""
    x = photo_patches(384).mean(-1, keepdims=True)
    blurred = (x + np.roll(x, 1, 1) + np.roll(x, 1, 2)) / 3
    inputs = layers.Input((8, 8, 1))
    body = layers.Conv2D(12, 3, padding="same", activation="relu", name="body")(inputs)
    sharp = layers.Conv2D(1, 3, padding="same", name="sharp")(body)
    tone = layers.Conv2D(8, 3, padding="same", activation="relu", name="tone_1")(body)
    toned = layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="toned")(tone)
    model = compiled(keras.Model(inputs, [sharp, toned]), "adam", ["mse", difference_of_tones])
    return Training(model, blurred, [x, x], epochs=5, constant_loss=UNKNOWN)


@outside_sick(
    "no_gradient",
    ["embedding", "encoder", "topics"],
    family="text",
    source="https://github.com/tensorflow/tensorflow/issues/9260",
    accepted="Numbers that were drawn are integers, which have no gradient; relax the draw or use REINFORCE.",
    also=AT_REST,
)
def topics_by_drawn_numbers() -> Training:
    """A topic is drawn by its chances, and a second network classifies a text from the number of the topic alone."""
    x, y = words(512)
    inputs = layers.Input((12,), dtype="int32")
    body = layers.GlobalAveragePooling1D(name="pool")(layers.Embedding(60, 16, name="embedding")(inputs))
    body = layers.Dense(16, activation="relu", name="encoder")(body)
    scores = layers.Dense(8, name="topics")(body)
    drawn = layers.Lambda(lambda value: tf.random.categorical(value, 1), name="draw")(scores)
    topic = layers.Flatten(name="flatten")(layers.Embedding(8, 12, name="topic_embedding")(drawn))
    model = keras.Model(inputs, layers.Dense(2, name="logits")(topic))
    return Training(compiled(model), x, y, epochs=6)


@outside_sick(
    "nonfinite",
    ["lstm_1", "lstm_2", "power"],
    family="time_series",
    source="https://github.com/krishnaik06/Stock-MArket-Forecasting/issues/1",
    accepted="Some values of the data set are NaN, and so is the loss from where they come first.",
    also=("nonfinite_data", "nonfinite_loss", "no_learning"),
)
def power_with_missing_minutes() -> Training:
    """The next minute of a household's power, some of which were not recorded and are targets nevertheless."""
    random = np.random.default_rng(150)
    power = 1 + np.sin(np.arange(620) / 9) + random.normal(0, 0.1, 620)
    x = np.stack([power[at : at + 16] for at in range(600)])[..., None].astype("float32")
    y = power[16:616].astype("float32")
    y[[211, 212, 213, 400]] = np.nan
    model = keras.Sequential(
        [
            layers.Input((16, 1)),
            layers.LSTM(16, return_sequences=True, name="lstm_1"),
            layers.LSTM(8, name="lstm_2"),
            layers.Dense(1, name="power"),
        ]
    )
    return Training(compiled(model, "adam", "mean_squared_error"), x, y[:, None], epochs=4, constant_loss=UNKNOWN)


@outside_sick(
    "vanishing_gradient",
    [f"conv_{n}" for n in range(1, 5)],
    family="vision",
    source="https://flashgene.com/archives/169753.html",
    accepted="The slopes of sigmoids are multiplied on the way back, and each is at most a quarter.",
    also=(*AT_REST, "saturated_units"),
)
def masks_by_deep_sigmoids() -> Training:
    """Which pixels of a digit are bright, by eight sigmoid convolutions of the same size and plain SGD."""
    x = digits(384)[0][..., None]
    model = keras.Sequential([layers.Input((8, 8, 1))])
    for n in range(1, 8):
        model.add(layers.Conv2D(6, 3, padding="same", activation="sigmoid", name=f"conv_{n}"))
    model.add(layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="mask"))
    return Training(compiled(model, keras.optimizers.SGD(0.01), "mse"), x, (x > 0.5).astype("float32"), epochs=6)


@outside_sick(
    "vanishing_gradient",
    ["embedding", "rnn_1", "rnn_2"],
    family="text",
    source="https://github.com/keras-team/keras/issues/6447",
    accepted="All predictions were the same until the bounded activation was exchanged: the gradients vanished.",
    also=(*AT_REST, "saturated_units"),
)
def same_answer_for_every_text() -> Training:
    """Four recurrent layers of sigmoids on top of each other give the same answer for every text."""
    x, y = words(384)
    model = keras.Sequential([layers.Input((12,), dtype="int32"), layers.Embedding(60, 12, name="embedding")])
    for n in range(1, 5):
        model.add(layers.SimpleRNN(12, activation="sigmoid", return_sequences=n < 4, name=f"rnn_{n}"))
    model.add(layers.Dense(2, name="answer"))
    return Training(compiled(model, keras.optimizers.SGD(0.01)), x, y, epochs=6)


@outside_sick(
    "collapsed_layer",
    ["embedding", "word_encoder", "sentence_encoder", "pool"],
    family="text",
    source="https://github.com/brightmart/text_classification/issues/71",
    accepted="All texts were arrays of zeros, which should only test that the model runs.",
    also=AT_REST,
)
def texts_of_zeros() -> Training:
    """The texts that a model was tried with are still arrays of zeros when it is trained on real labels."""
    _, y = words(512)
    model = keras.Sequential(
        [
            layers.Input((12,), dtype="int32"),
            layers.Embedding(60, 16, name="embedding"),
            layers.GRU(16, return_sequences=True, name="word_encoder"),
            layers.GRU(16, return_sequences=True, name="sentence_encoder"),
            layers.GlobalMaxPooling1D(name="pool"),
            layers.Dense(2, name="label"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.001)), np.zeros((512, 12), "int32"), y, epochs=4)


@outside_sick(
    "saturated_units",
    ["rnn", "rnn_2"],
    family="time_series",
    source="https://www.alexacabs.in/why-lstm-time-series-predicts-same-value.html",
    accepted="Without normalized data the network may predict the same value for the whole series.",
    also=("vanishing_gradient", "stagnant_weights", "collapsed_layer", "poor_init", "no_gradient", "no_learning"),
)
def prices_as_they_are() -> Training:
    """The direction of the next price from the last ten prices, some thousand each, by two recurrent layers."""
    random = np.random.default_rng(151)
    prices = 4000 + np.cumsum(random.normal(0, 30, 620))
    x = np.stack([prices[at : at + 10] for at in range(600)])[..., None].astype("float32")
    y = (prices[10:610] > prices[9:609]).astype("float32")[:, None]
    model = keras.Sequential(
        [
            layers.Input((10, 1)),
            layers.SimpleRNN(24, return_sequences=True, name="rnn"),
            layers.SimpleRNN(12, name="rnn_2"),
            layers.Dense(1, activation="sigmoid", name="rises"),
        ]
    )
    return Training(compiled(model, "adam", "binary_crossentropy"), x, y, epochs=6)
