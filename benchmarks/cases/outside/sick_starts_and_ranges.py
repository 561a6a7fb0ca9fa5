"""Programs whose weights start in a way that cannot work, and heads whose range is not that of the targets."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled, normal

EFFECTS = (
    "exploding_gradient",
    "vanishing_gradient",
    "stagnant_weights",
    "dead_units",
    "no_gradient",
    "collapsed_layer",
    "saturated_units",
    "dormant_units",
    "no_learning",
    "learning_rate",
)
"""What a poor start or an unfit head may lead to."""


def reviews(count: int = 512, length: int = 10) -> tuple[Array, Array, Array]:
    """Word numbers, whether words of the first half prevail, and whether even ones do."""
    x = np.random.default_rng(370).integers(0, 40, (count, length))
    return x.astype("int32"), (x < 20).mean(1) > 0.5, (x % 2 == 0).mean(1) > 0.5


@outside_sick(
    "poor_init",
    ["low_rank_down", "low_rank_up"],
    family="fine_tuning",
    source="https://github.com/circle-hit/SAPT/issues/11",
    accepted="Both low-rank matrices start at zero, so all their gradients are zero; the first one must be random.",
    also=EFFECTS,
)
def low_rank_matrices_of_zeros() -> Training:
    """A frozen network that knows one property of texts is tuned to another one by a low-rank update of a layer."""
    x, first, second = reviews()
    inputs = layers.Input((10,), dtype="int32")
    embedded = layers.Embedding(40, 16, name="embedding")(inputs)
    pooled = layers.GlobalAveragePooling1D(name="pool")(embedded)
    frozen = layers.Dense(24, name="frozen")(pooled)
    scores = layers.Dense(2, name="scores")
    known = keras.Model(inputs, scores(layers.Activation("relu", name="rectified")(frozen)))
    compiled(known, keras.optimizers.Adam(0.01)).fit(x, first.astype("int32"), epochs=6, verbose=0)
    known.trainable = False
    update = layers.Dense(4, use_bias=False, kernel_initializer="zeros", name="low_rank_down")(pooled)
    update = layers.Dense(24, use_bias=False, kernel_initializer="zeros", name="low_rank_up")(update)
    body = layers.Activation("relu", name="tuned")(layers.Add(name="sum")([frozen, update]))
    model = compiled(keras.Model(inputs, scores(body)), keras.optimizers.AdamW(0.01))
    return Training(model, x, second.astype("int32"), epochs=8)


@outside_sick(
    "poor_init",
    ["conv_1", "conv_2", "fc", "out"],
    family="vision",
    source="https://github.com/aymericdamien/TensorFlow-Examples/issues/255",
    accepted="Biases should start at zero, and the random weights need a lower standard deviation than 1.",
    also=EFFECTS,
)
def raw_convolutions_of_unit_variance() -> Training:
    """The example of a raw convolutional network, all of whose weights and biases are drawn with a deviation of 1."""
    x, y = digits()
    options: dict[str, Any] = {"kernel_initializer": normal(1.0), "bias_initializer": normal(1.0)}
    inputs = layers.Input((8, 8, 1))
    body = layers.Conv2D(16, 5, padding="same", activation="relu", name="conv_1", **options)(inputs)
    body = layers.MaxPooling2D(name="pool_1")(body)
    body = layers.Conv2D(32, 5, padding="same", activation="relu", name="conv_2", **options)(body)
    body = layers.MaxPooling2D(name="pool_2")(body)
    body = layers.Dense(64, activation="relu", name="fc", **options)(layers.Flatten(name="flatten")(body))
    body = layers.Dropout(0.25, name="dropout")(body)
    model = keras.Model(inputs, layers.Dense(10, name="out", **options)(body))
    return Training(compiled(model, keras.optimizers.Adam(0.001)), x[..., None], y, epochs=5)


def scenes(count: int = 512) -> tuple[list[Array], Array]:
    """Pictures of two bars, a word for one of the two directions, and where the bar of that direction is."""
    random = np.random.default_rng(371)
    row, column, word = random.integers(0, 8, (3, count))
    word %= 2
    pictures = 0.5 * (np.arange(8)[:, None] == row[:, None, None]) + 0.5 * (np.arange(8) == column[:, None, None])
    masks = np.where(
        word[:, None, None], np.arange(8) == column[:, None, None], np.arange(8)[:, None] == row[:, None, None]
    )
    masks = np.broadcast_to(masks, pictures.shape)
    return [pictures.astype("float32")[..., None], word.astype("int32")[:, None]], masks.astype("float32")[..., None]


@outside_sick(
    "poor_init",
    ["gate_1", "gate_2"],
    family="vision",
    source="https://github.com/yz93/LAVT-RIS/issues/25",
    accepted="If both layers of the gate start at zero, neither gets a gradient; only the second one may.",
    also=EFFECTS,
)
def language_gate_of_zeros() -> Training:
    """What a sentence means is added to a picture through a gate of two layers, and both of them start at zero."""
    x, y = scenes()
    picture, word = layers.Input((8, 8, 1)), layers.Input((1,), dtype="int32")
    body = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv_1")(picture)
    meant = layers.Reshape((1, 1, 16), name="sentence")(layers.Embedding(2, 16, name="embedding")(word))
    fused = layers.Multiply(name="fused")([body, meant])
    options: dict[str, Any] = {"use_bias": False, "kernel_initializer": "zeros"}
    gate = layers.Conv2D(16, 1, activation="relu", name="gate_1", **options)(fused)
    gate = layers.Conv2D(16, 1, activation="tanh", name="gate_2", **options)(gate)
    body = layers.Add(name="sum")([body, layers.Multiply(name="gated")([gate, fused])])
    body = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv_2")(body)
    mask = layers.Conv2D(1, 1, activation="sigmoid", name="mask")(body)
    model = compiled(keras.Model([picture, word], mask), keras.optimizers.Adam(0.003), "binary_crossentropy")
    return Training(model, x, y, epochs=8)


@outside_sick(
    "unfit_head",
    ["saw"],
    family="time_series",
    source="https://github.com/keras-team/keras/issues/321",
    accepted="The output is a softmax, but the next values of the saw run from 1 to 10; use a linear output.",
    also=EFFECTS,
)
def saw_teeth_behind_a_softmax() -> Training:
    """The next row of two columns that count from 1 to 10, by an LSTM that ends in softmax and a squared error."""
    start = np.random.default_rng(372).integers(0, 10, (400, 1, 2))
    rows = (1 + (start + np.arange(9)[:, None]) % 10).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((8, 2)),
            layers.LSTM(48, name="lstm"),
            layers.Dense(2, name="dense"),
            layers.Activation("softmax", name="saw"),
        ]
    )
    return Training(compiled(model, "rmsprop", "mean_squared_error"), rows[:, :-1], rows[:, -1], epochs=8)


@outside_sick(
    "unfit_head",
    ["output"],
    family="tabular",
    source="https://github.com/BrainJS/brain.js/issues/518",
    accepted="The default sigmoid only supports outputs from 0 to 1; the values have to be normalized.",
    also=EFFECTS,
)
def middle_of_five_numbers() -> Training:
    """The default network of a library, a sigmoid layer and a sigmoid output, learns the middle of five numbers."""
    x = np.sort(np.random.default_rng(373).uniform(1, 9, (400, 5)), axis=1).astype("float32")
    model = keras.Sequential(
        [
            layers.Input((5,)),
            layers.Dense(3, activation="sigmoid", name="hidden"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.3, momentum=0.1)
    return Training(compiled(model, optimizer, "mse"), x, x[:, 2:3], epochs=8, batch_size=8)


def sheet_breaks(count: int = 400, length: int = 8) -> Array:
    """Standardized sensors of a paper mill over time, `[count, length, 6]`."""
    random = np.random.default_rng(374)
    states = np.cumsum(random.normal(0, 0.3, (count, length, 2)), axis=1) + random.normal(size=(count, 1, 2))
    x = states @ random.normal(size=(2, 6)) + random.normal(0, 0.1, (count, length, 6))
    return np.asarray((x - x.mean((0, 1))) / x.std((0, 1)), "float32")


@outside_sick(
    "unfit_head",
    ["rebuilt"],
    family="time_series",
    source="https://github.com/cran2367/lstm_autoencoder_classifier/issues/2",
    accepted="After standardization a part of the data is below 0, which a last layer with ReLU cannot rebuild.",
    also=EFFECTS,
)
def standardized_sensors_rebuilt_by_relu() -> Training:
    """An autoencoder of recurrent layers rebuilds standardized sensors, and its last layer is rectified."""
    x = sheet_breaks()
    inputs = layers.Input((8, 6))
    body = layers.LSTM(24, return_sequences=True, name="encode_1")(inputs)
    body = layers.LSTM(8, name="encode_2")(body)
    body = layers.RepeatVector(8, name="repeat")(body)
    body = layers.LSTM(24, return_sequences=True, name="decode_1")(body)
    model = keras.Model(inputs, layers.Dense(6, activation="relu", name="rebuilt")(body))
    return Training(compiled(model, keras.optimizers.Adam(0.003), "mse"), x, x, epochs=6)
