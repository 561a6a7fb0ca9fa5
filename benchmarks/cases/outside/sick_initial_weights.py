"""Programs whose weights start equal, at zero, or of a size that does not fit the inputs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import digits, flat_digits, raw_table
from benchmarks.cases.networks import compiled

EFFECTS = (
    "exploding_gradient",
    "vanishing_gradient",
    "stagnant_weights",
    "dead_units",
    "no_gradient",
    "collapsed_layer",
    "saturated_units",
    "dormant_units",
)
"""What a poor start may lead to."""


@outside_sick(
    "poor_init",
    ["dense"],
    family="vision",
    source="https://github.com/keras-team/keras/issues/16539",
    accepted="The first layer was set to one constant, so that only its bias still seemed to change.",
    also=EFFECTS,
)
def kernel_set_to_a_constant() -> Training:
    """The kernel of the first layer is set to 0.75 everywhere before training."""
    x, y = digits(512)
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(10, name="dense"),
            layers.Dense(10, activation="softmax", name="dense_1"),
        ]
    )
    compiled(model, "rmsprop", "categorical_crossentropy")
    kernel, bias = model.layers[0].get_weights()
    model.layers[0].set_weights([np.ones_like(kernel) * 0.75, np.ones_like(bias) * 0.25])
    return Training(model, x.reshape(len(x), -1), np.eye(10, dtype="float32")[y])


@outside_sick(
    "poor_init",
    ["conv_1", "conv_2", "dense"],
    family="vision",
    source="https://github.com/tensorflow/models/issues/1529",
    accepted="A helper returns zeros where the random start is commented out.",
    also=EFFECTS,
)
def weight_variable_of_zeros() -> Training:
    """A helper for weights was left returning zeros, so that all units of a layer are the same."""

    def weight_variable(shape: Any, dtype: Any = None) -> Any:
        return keras.ops.zeros(shape, dtype)

    options = {"activation": "relu", "kernel_initializer": weight_variable}
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(8, 3, padding="same", name="conv_1", **options),
            layers.Conv2D(12, 3, padding="same", name="conv_2", **options),
            layers.MaxPooling2D(4, name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, name="dense", **options),
            layers.Dense(10, kernel_initializer=weight_variable, name="logits"),
        ]
    )
    x, y = digits(512)
    return Training(compiled(model, keras.optimizers.Adam(0.001)), x[..., None], y)


@outside_sick(
    "poor_init",
    ["fc_1", "fc_2", "fc_3"],
    family="vision",
    source="https://github.com/aiUIUC/pyAIUtils/issues/25",
    accepted="The first argument of the initializer is the mean, so the deviation stayed at its default of 1.",
    also=EFFECTS,
)
def deviation_passed_as_the_mean() -> Training:
    """The small deviation is passed as the mean of the initializer, whose deviation stays 1."""

    def random_normal_initializer(mean: float = 0.0, stddev: float = 1.0) -> Any:
        return keras.initializers.RandomNormal(mean, stddev)

    model = keras.Sequential([layers.Input((64,))])
    for n in range(1, 4):
        start = random_normal_initializer(0.05)
        model.add(layers.Dense(48, activation="relu", kernel_initializer=start, name=f"fc_{n}"))
    model.add(layers.Dense(10, name="logits"))
    return Training(compiled(model, keras.optimizers.Adam(0.001)), *flat_digits())


@outside_sick(
    "poor_init",
    ["hidden"],
    family="vision",
    source="https://github.com/MichalDanielDobrzanski/DeepLearningPython/issues/13",
    accepted="With ReLU for the sigmoid, weights must start at a tenth of their size, at a lower learning rate.",
    also=EFFECTS,
)
def rectifier_on_weights_for_sigmoids() -> Training:
    """A network made for sigmoids, with standard normal weights, gets ReLU instead and stays at chance."""
    x, y = digits()
    start = keras.initializers.RandomNormal(stddev=1.0)
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(30, activation="relu", kernel_initializer=start, bias_initializer=start, name="hidden"),
            layers.Dense(10, activation="relu", kernel_initializer=start, bias_initializer=start, name="output"),
        ]
    )
    compiled(model, keras.optimizers.SGD(3.0), "mean_squared_error")
    return Training(model, x.reshape(len(x), -1), np.eye(10, dtype="float32")[y], batch_size=10, epochs=3)


@outside_sick(
    "poor_init",
    ["fc_1", "fc_2", "fc_3"],
    family="vision",
    source="https://github.com/leonardoaraujosantos/DLMatFramework/issues/16",
    accepted="A deep network of ReLU layers did not train until its initialization was improved.",
    also=EFFECTS,
)
def deep_rectifiers_from_tiny_weights() -> Training:
    """Three ReLU layers whose weights start with a deviation of 0.001."""
    start = keras.initializers.RandomNormal(stddev=0.001)
    model = keras.Sequential([layers.Input((64,))])
    for n in range(1, 4):
        model.add(layers.Dense(32, activation="relu", kernel_initializer=start, name=f"fc_{n}"))
    model.add(layers.Dense(10, kernel_initializer=start, name="scores"))
    return Training(compiled(model, keras.optimizers.SGD(0.01)), *flat_digits())


@outside_sick(
    "poor_init",
    ["dense"],
    family="vision",
    source="https://stats.stackexchange.com/questions/367057/bad-performance-with-relu-activation-function-on-mnist-data-set",
    accepted="The pixels were not normalized to [0, 1], so the outputs of the first layers are far too large.",
    also=EFFECTS,
)
def rectifiers_on_raw_pixels() -> Training:
    """Two ReLU layers and softmax with Adam, on pixels from 0 to 255."""
    x, y = digits()
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(64, activation="relu", name="dense"),
            layers.Dense(64, activation="relu", name="dense_1"),
            layers.Dense(10, activation="softmax", name="classes"),
        ]
    )
    compiled(model, "adam", "categorical_crossentropy")
    return Training(model, 255 * x.reshape(len(x), -1), np.eye(10, dtype="float32")[y])


@outside_sick(
    "poor_init",
    ["dense"],
    family="tabular",
    source="https://52sbl.cn/discussion/118482.html",
    accepted="The data were not normalized, and a sigmoid turns everything above 10 into 1 and below -10 into 0.",
    also=EFFECTS,
)
def sure_of_everything() -> Training:
    """A binary classifier on unscaled columns whose sigmoid outputs are all exactly 0 or 1."""
    x, y = raw_table("breast_cancer")
    model = keras.Sequential([layers.Input((30,))])
    for n, units in enumerate((32, 64, 32)):
        model.add(layers.Dense(units, activation="relu", name=f"dense_{n}" if n else "dense"))
    model.add(layers.Dense(1, activation="sigmoid", name="output"))
    compiled(model, "adam", "binary_crossentropy")
    return Training(model, x, y.astype("float32")[:, None], epochs=6)
