"""Programs on speech and series: rectified pitch, magnitudes above 1, labels that do not fit, columns of one value."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.cases.base import UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.networks import compiled, normal
from benchmarks.cases.outside.healthy_time_series import windows

RESTING = ("stagnant_weights", "vanishing_gradient", "collapsed_layer", "no_gradient", "no_learning")
"""What goes with a part of the network that gives nothing."""

LOST = ("nonfinite", "nonfinite_data", "no_learning", "collapsed_layer")
"""What goes with values that are not finite."""


@outside_sick(
    "dead_units",
    ["pitch_net"],
    family="audio",
    source="https://github.com/NVIDIA/mellotron/issues/42",
    accepted="With a kernel of size 1 and a negative weight, ReLU makes zeros of every pitch; another seed solves it.",
    also=RESTING,
)
def pitch_that_is_not_heard() -> Training:
    """Spectra of song from sounds and pitch, which first passes a rectified convolution of size 1 with one filter."""
    random = np.random.default_rng(611)
    sounds = random.integers(0, 8, (400, 16)).astype("int32")
    pitch = random.uniform(1, 3, (400, 1, 1)) + np.cumsum(random.normal(0, 0.1, (400, 16, 1)), 1)
    pitch = np.where(random.random(pitch.shape) < 0.2, 0, np.maximum(pitch, 0.5)).astype("float32")
    bands = np.arange(12)
    shapes = random.normal(0, 1, (8, 12))
    y = (shapes[sounds] + np.cos(pitch * bands / 3) + random.normal(0, 0.1, (400, 16, 12))).astype("float32")
    sound, tone = layers.Input((16,), dtype="int32"), layers.Input((16, 1))
    start = keras.initializers.GlorotUniform(seed=3)
    heard = layers.Conv1D(1, 1, use_bias=False, activation="relu", kernel_initializer=start, name="pitch_net")(tone)
    body = layers.Concatenate(name="both")([layers.Embedding(8, 16, name="embedding")(sound), heard])
    body = layers.LSTM(32, return_sequences=True, name="decoder")(body)
    model = keras.Model([sound, tone], layers.Dense(12, name="spectrum")(body))
    return Training(compiled(model, keras.optimizers.Adam(0.003), "mse"), [sounds, pitch], y, epochs=10)


@outside_sick(
    "unfit_head",
    ["clean"],
    family="audio",
    source="https://github.com/Ryuk17/SpeechAlgorithms/issues/5",
    accepted="The labels are magnitudes that are not scaled to [0, 1], but the last layer is a sigmoid.",
    also=("saturated_units", "dead_units", "vanishing_gradient"),
)
def magnitudes_behind_a_sigmoid() -> Training:
    """Clean magnitudes from standardized noisy ones of five frames, by three dense layers and a sigmoid."""
    random = np.random.default_rng(612)
    shapes = random.gamma(0.6, 1.5, (10, 16))
    clean = shapes[random.integers(0, 10, 804)] * random.gamma(4, 0.25, (804, 1))
    noisy = clean + random.gamma(1, 0.4, clean.shape)
    scaled = (noisy - noisy.mean(0)) / noisy.std(0)
    x = np.stack([scaled[at : at + 5].ravel() for at in range(800)]).astype("float32")
    model = keras.Sequential([layers.Input((80,))])
    for n in range(1, 4):
        model.add(layers.Dense(64, activation="relu", name=f"dense_{n}"))
        model.add(layers.Dropout(0.1, name=f"dropout_{n}"))
    model.add(layers.Dense(16, activation="sigmoid", name="clean"))
    compiled(model, keras.optimizers.Adam(0.001), "mean_squared_error")
    return Training(model, x, clean[2:802].astype("float32"), epochs=10)


def connectionist(truth: Any, scores: Any) -> Any:
    """The loss without alignment; the last class is the blank, and zeros fill up the labels."""
    lengths = tf.fill([tf.shape(scores)[0]], scores.shape[1])
    labels = tf.sparse.from_dense(tf.cast(truth, "int32"))
    return tf.compat.v1.nn.ctc_loss(labels, scores, lengths, time_major=False)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="audio",
    source="https://github.com/scionoftech/DeepAsr/pull/1",
    accepted="The loss is infinite where labels repeat, for each repetition needs a blank and so one frame more.",
    also=(*LOST, "vanishing_gradient", "stagnant_weights"),
)
def letters_that_repeat_in_few_frames() -> Training:
    """Spoken letters without alignment from frames that are halved twice; some words have double letters."""
    random = np.random.default_rng(613)
    labels = random.integers(1, 7, (320, 6))
    for at in range(1, 6):
        again = labels[:, at] == labels[:, at - 1]
        labels[again, at] = labels[again, at] % 6 + 1
    labels[::40] = labels[::40, :1]
    tones = np.repeat(labels, 5, axis=1)
    x = (np.eye(7)[tones][..., 1:] + random.normal(0, 0.2, (320, 30, 6))).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((30, 6)),
            layers.Conv1D(24, 5, strides=2, padding="same", activation="relu", name="conv_1"),
            layers.Conv1D(24, 3, strides=2, padding="same", activation="relu", name="conv_2"),
            layers.Bidirectional(layers.GRU(16, return_sequences=True), name="gru"),
            layers.Dense(8, name="letters"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.003), connectionist)
    return Training(model, x, labels.astype("int32"), epochs=5, batch_size=20, constant_loss=UNKNOWN)


@outside_sick(
    "collapsed_layer",
    ["norm"],
    family="time_series",
    source="https://github.com/pytorch/pytorch/issues/108956",
    accepted="A row of one value has that value as its mean, so that layer normalization rightly gives 0 for all.",
    also=(*RESTING, "dormant_units", "dead_units"),
)
def readings_of_one_column_normalized() -> Training:
    """The next reading of one sensor by a GRU, behind a layer normalization over its only column."""
    random = np.random.default_rng(614)
    time = np.arange(700)
    readings = np.sin(2 * np.pi * time / 24) + random.normal(0, 0.1, 700)
    x, y = windows(readings[:, None].astype("float32"), 24, 1)
    model = keras.Sequential(
        [
            layers.Input((24, 1)),
            layers.LayerNormalization(name="norm"),
            layers.GRU(24, name="gru"),
            layers.Dense(12, activation="tanh", name="dense"),
            layers.Dense(1, name="reading"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.005), "mse"), x, y, epochs=8)


@outside_sick(
    "vanishing_gradient",
    [f"{kind}_{level}" for level in range(1, 5) for kind in ("conv", "again")],
    family="time_series",
    source="https://github.com/intel/ipex-llm/issues/3736",
    accepted="Weights that start with a deviation of 0.01 keep the loss where it is; Kaiming's mostly do not.",
    also=("poor_init", "stagnant_weights", "collapsed_layer", "no_learning", "learning_rate", "dead_units"),
)
def temporal_blocks_of_tiny_weights() -> Training:
    """Rides of taxis, scaled to [0, 1], by four temporal blocks, whose weights all start with a deviation of 0.01."""
    random = np.random.default_rng(615)
    time = np.arange(800)
    rides = 0.5 + 0.3 * np.sin(2 * np.pi * time / 24) + 0.1 * np.sin(2 * np.pi * time / 168)
    x, y = windows((rides + random.normal(0, 0.02, 800))[:, None].astype("float32"), 32, 1)
    inputs = layers.Input((32, 1))
    body = inputs
    for level in range(1, 5):
        options = {"dilation_rate": 2 ** (level - 1), "padding": "causal", "activation": "relu"}
        branch = layers.Conv1D(6, 3, kernel_initializer=normal(0.01), name=f"conv_{level}", **options)(body)
        branch = layers.Dropout(0.1, name=f"dropout_{level}")(branch)
        branch = layers.Conv1D(6, 3, kernel_initializer=normal(0.01), name=f"again_{level}", **options)(branch)
        if level == 1:
            body = layers.Conv1D(6, 1, kernel_initializer=normal(0.01), name="shortcut")(body)
        body = layers.ReLU(name=f"relu_{level}")(layers.Add(name=f"add_{level}")([body, branch]))
    last = layers.Flatten(name="last")(layers.Cropping1D((31, 0), name="crop")(body))
    model = keras.Model(inputs, layers.Dense(1, kernel_initializer=normal(0.01), name="rides")(last))
    return Training(compiled(model, keras.optimizers.SGD(0.01), "mse"), x, y, epochs=8)


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="time_series",
    source="https://github.com/pytorch/examples/issues/243",
    accepted="The learning rate of the example, 0.8, is far too high; with a much lower one it finds a good solution.",
    also=(
        "exploding_gradient",
        "nonfinite",
        "saturated_units",
        "stagnant_weights",
        "collapsed_layer",
        "vanishing_gradient",
        "dormant_units",
    ),
)
def sines_continued_at_a_high_rate() -> Training:
    """The next value of sine waves by two LSTM layers of 51 units, as in an example, by Adam at a rate of 1.5."""
    random = np.random.default_rng(616)
    shift = random.integers(-80, 80, (100, 1))
    wave = np.sin((np.arange(61) + shift) / 6)[..., None].astype("float32")
    model = keras.Sequential([layers.Input((60, 1))])
    for n in (1, 2):
        starts = [keras.initializers.RandomUniform(-0.14, 0.14) for _ in range(2)]
        options = {"kernel_initializer": starts[0], "recurrent_initializer": starts[1]}
        model.add(layers.LSTM(51, return_sequences=True, name=f"lstm_{n}", **options))
    model.add(layers.Dense(1, name="next_value"))
    compiled(model, keras.optimizers.Adam(1.5), "mse")
    return Training(model, wave[:, :-1], wave[:, 1:], epochs=10, batch_size=20)
