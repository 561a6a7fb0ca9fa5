"""Programs whose units are dead or saturated because of constants, rates, one-sided weights and raw columns."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import digits, flat_digits, raw_table
from benchmarks.cases.networks import compiled

STILL = ("vanishing_gradient", "stagnant_weights", "no_gradient", "collapsed_layer", "poor_init")
"""What goes with units that do not answer any more."""

SHAKEN = (*STILL, "exploding_gradient", "dormant_units", "dead_units", "saturated_units")
"""What steps that are too large may do to single layers."""


@outside_sick(
    "dead_units",
    ["hidden_2"],
    family="tabular",
    source="https://github.com/ayush9818/MLDS-SQ",
    accepted="Positive features times negative weights stay below 0, where ReLU has no gradient; swish has one.",
    also=STILL,
)
def constants_of_opposite_sign() -> Training:
    """The first ReLU layer starts at a constant of 0.5 and the second one at -0.5, on features between 0 and 1."""
    random = np.random.default_rng(140)
    x = random.random((500, 10)).astype("float32")
    y = (x[:, :5].sum(1) > x[:, 5:].sum(1)).astype("float32")[:, None]
    start = keras.initializers.Constant
    model = keras.Sequential(
        [
            layers.Input((10,)),
            layers.Dense(10, activation="relu", kernel_initializer=start(0.5), name="hidden_1"),
            layers.Dense(10, activation="relu", kernel_initializer=start(-0.5), name="hidden_2"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )
    return Training(compiled(model, "adam", "binary_crossentropy"), x, y, epochs=10)


@outside_sick(
    "dead_units",
    ["dense_1", "dense_2", "dense_3"],
    family="vision",
    source="https://github.com/Ayush-dhabale/Deeplearning",
    accepted="With a learning rate of 0.1 Adam drives the ReLU units to where they are 0 for every picture.",
    also=(*SHAKEN, "learning_rate"),
)
def adam_with_a_rate_of_a_tenth() -> Training:
    """Three ReLU layers classify digits, trained by Adam with a rate of 0.1."""
    x, y = digits(1024)
    hidden = [layers.Dense(width, activation="relu", name=f"dense_{n}") for n, width in ((1, 128), (2, 64), (3, 32))]
    model = keras.Sequential(
        [layers.Input((64,)), *hidden, layers.Dense(10, activation="softmax", name="output")],
    )
    compiled(model, keras.optimizers.Adam(0.1), "categorical_crossentropy")
    return Training(model, x.reshape(len(x), -1), np.eye(10, dtype="float32")[y], epochs=8)


@outside_sick(
    "saturated_units",
    ["hidden_1", "hidden_2"],
    family="vision",
    source="https://community.insaid.co/hc/en-us/articles/360051529674-Difference-between-rand-and-randn-function",
    accepted="Weights between 0 and 1 add up to inputs far from 0, where the slope of the sigmoid is tiny.",
    also=STILL,
)
def weights_between_zero_and_one() -> Training:
    """Two sigmoid layers classify digits from weights that were drawn between 0 and 1."""
    x, y = digits(768)
    start = keras.initializers.RandomUniform(0, 1)
    hidden = [
        layers.Dense(32, activation="sigmoid", kernel_initializer=start, bias_initializer=start, name=f"hidden_{n}")
        for n in (1, 2)
    ]
    head = layers.Dense(10, activation="softmax", kernel_initializer=start, name="classes")
    model = keras.Sequential([layers.Input((64,)), *hidden, head])
    compiled(model, keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return Training(model, x.reshape(len(x), -1), y)


@outside_sick(
    "saturated_units",
    ["dense_1"],
    family="tabular",
    source="https://wellsr.com/python/how-feature-scaling-improves-model-training-in-deep-learning/",
    accepted="Features of very different magnitudes must be scaled, or those with high values decide everything.",
    also=STILL,
)
def tumors_without_scaling() -> Training:
    """Two tanh layers tell tumors apart by their measured sizes, some of which are in the thousands."""
    x, y = raw_table("breast_cancer")
    model = keras.Sequential(
        [
            layers.Input((30,)),
            layers.Dense(24, activation="tanh", name="dense_1"),
            layers.Dense(12, activation="tanh", name="dense_2"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )
    return Training(compiled(model, "sgd", "binary_crossentropy"), x, y[:, None].astype("float32"), epochs=12)


@outside_sick(
    "saturated_units",
    ["dense_1"],
    family="tabular",
    source="https://github.com/snowch-notes/deep-learning",
    accepted="Large initial weights drive the sigmoids to 0 or 1, where they have no slope, and training stalls.",
    also=STILL,
)
def parity_from_large_weights() -> Training:
    """Parity of four bits, as -1 and 1, by a layer of sigmoids whose weights start with a deviation of 10."""
    bits = np.random.default_rng(141).integers(0, 2, (480, 4))
    x, y = (2 * bits - 1).astype("float32"), (bits.sum(1, keepdims=True) % 2).astype("float32")
    start = keras.initializers.RandomNormal(stddev=10)
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(12, activation="sigmoid", kernel_initializer=start, name="dense_1"),
            layers.Dense(1, activation="sigmoid", kernel_initializer=start, name="dense_2"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(0.1), "mean_squared_error"), x, y, epochs=12)


@outside_sick(
    "vanishing_gradient",
    [f"encoder_{n}" for n in range(1, 5)],
    family="generative",
    source="https://klaus.hkhazo.biz.id/2024/07/21/the-vanishing-gradient-problem-in-autoencoders-a-comprehensive-guide/?amp=1",
    accepted="Sigmoids shrink the gradient from layer to layer, so that the encoder of a deep autoencoder rests.",
    also=(*STILL, "dormant_units", "saturated_units"),
)
def deep_autoencoder_of_sigmoids() -> Training:
    """Four sigmoid layers encode digits and four decode them, trained with plain SGD."""
    x = (flat_digits(768)[0] > 0).astype("float32")
    model = keras.Sequential([layers.Input((64,))])
    for n, width in enumerate((48, 32, 16, 8), 1):
        model.add(layers.Dense(width, activation="sigmoid", name=f"encoder_{n}"))
    for n, width in enumerate((16, 32, 48), 1):
        model.add(layers.Dense(width, activation="sigmoid", name=f"decoder_{n}"))
    model.add(layers.Dense(64, activation="sigmoid", name="picture"))
    return Training(compiled(model, keras.optimizers.SGD(0.01), "mse"), x, x, epochs=10)
