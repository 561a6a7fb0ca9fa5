"""Programs with rectifiers that fall silent, ranges that do not fit, starts that are far off and rates too small."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import WHOLE, Training, outside_sick
from benchmarks.cases.data import digits, flat_digits, photo_patches, table
from benchmarks.cases.networks import compiled

SILENT = (
    "stagnant_weights",
    "vanishing_gradient",
    "no_gradient",
    "collapsed_layer",
    "no_learning",
    "exploding_gradient",
    "learning_rate",
)
"""What goes with units that say nothing."""


@outside_sick(
    "unfit_head",
    ["rebuilt"],
    family="tabular",
    source="https://github.com/yzhao062/pyod/issues/314",
    accepted="A sigmoid gives values between 0 and 1, but the standardized columns go below 0 and above 1.",
    also=("saturated_units", "dead_units", "vanishing_gradient", "stagnant_weights"),
)
def outliers_by_a_sigmoid_autoencoder() -> Training:
    """Outliers as errors of an autoencoder with a sigmoid output, on columns that are standardized first."""
    x, _ = table("breast_cancer")
    model = keras.Sequential([layers.Input((30,))])
    for n, width in enumerate((24, 12, 24), 1):
        model.add(layers.Dense(width, activation="relu", name=f"hidden_{n}"))
        model.add(layers.Dropout(0.1, name=f"dropout_{n}"))
    model.add(layers.Dense(30, activation="sigmoid", name="rebuilt"))
    return Training(compiled(model, "adam", "mean_squared_error"), x, x, epochs=10)


@outside_sick(
    "dead_units",
    ["scale"],
    family="vision",
    source="https://github.com/jvargasmu/population_estimation/issues/68",
    accepted="The first answers can all be zero because of the last ReLU, and then no gradients emerge; use softplus.",
    also=(*SILENT, "dormant_units"),
)
def people_counted_by_a_silent_scale() -> Training:
    """People per tile: the number of buildings times a scale that a network sees in the picture, and never below 0."""
    random = np.random.default_rng(250)
    pictures = photo_patches(512)
    buildings = random.poisson(3, (512, 1)).astype("float32")
    people = buildings * (1 + 4 * pictures.mean((1, 2, 3))[:, None])
    tiles, counts = layers.Input((8, 8, 3), name="tile"), layers.Input((1,), name="buildings")
    body: Any = tiles
    for n in (1, 2):
        start = keras.initializers.GlorotUniform(seed=15 + n)
        body = layers.Conv2D(12, 3, activation="relu", kernel_initializer=start, name=f"conv_{n}")(body)
    body = layers.GlobalAveragePooling2D(name="pool")(body)
    start = keras.initializers.GlorotUniform(seed=18)
    body = layers.Dense(1, activation="relu", kernel_initializer=start, name="scale")(body)
    model = keras.Model([tiles, counts], layers.Multiply(name="people")([body, counts]))
    return Training(compiled(model, "adam", "mean_squared_error"), [pictures, buildings], people, epochs=6)


@outside_sick(
    "dead_units",
    ["fc_2"],
    family="vision",
    source="https://github.com/martinwicke/tf-dev-summit-tensorboard-tutorial/issues/3",
    accepted="With a ReLU after the last dense layer the accuracy does not exceed 65 %; without it, it is over 99 %.",
    also=(*SILENT, "poor_init"),
)
def rectified_scores_of_digits() -> Training:
    """The tutorial's network: every layer has a ReLU, also the one that gives the scores of the ten digits."""
    x, y = digits(768)
    start = {"kernel_initializer": keras.initializers.TruncatedNormal(stddev=0.1)}
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(16, 5, padding="same", activation="relu", name="conv_1", **start),
            layers.MaxPooling2D(name="pool_1"),
            layers.Conv2D(32, 5, padding="same", activation="relu", name="conv_2", **start),
            layers.MaxPooling2D(name="pool_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="fc_1", **start),
            layers.Dense(10, activation="relu", name="fc_2", **start),
            layers.Softmax(name="digits"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return Training(model, x[..., None], y, epochs=6)


@outside_sick(
    "saturated_units",
    ["encoder_1", "encoder_2", "decoder_1"],
    family="generative",
    source="https://ho1-lee.github.io/why-Initialize-weights",
    accepted="With weights of mean 0 and variance 1 outputs tend to 0 or 1, where the sigmoid's gradient vanishes.",
    also=("vanishing_gradient", "stagnant_weights", "poor_init", "collapsed_layer", "exploding_gradient"),
)
def sigmoids_from_unit_variance() -> Training:
    """Digits are rebuilt by wide layers of sigmoids, all of whose weights have variance 1."""
    x = flat_digits(640)[0]
    start = keras.initializers.RandomNormal(stddev=1.0)
    model = keras.Sequential([layers.Input((64,))])
    for name in ("encoder_1", "encoder_2", "decoder_1"):
        model.add(layers.Dense(500, activation="sigmoid", kernel_initializer=start, name=name))
    model.add(layers.Dense(64, name="rebuilt"))
    return Training(compiled(model, keras.optimizers.SGD(0.01), "mean_squared_error"), x, x, epochs=8)


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="generative",
    source="https://github.com/tegg89/SRCNN-Tensorflow/issues/24",
    accepted="The loss drops by 0.03 % in the whole training; a larger learning rate makes it drop more quickly.",
    also=("stagnant_weights", "vanishing_gradient"),
)
def sharper_patches_at_a_tiny_rate() -> Training:
    """Patches twice as sharp by three convolutions and plain SGD at a rate that hardly moves them."""
    sharp = photo_patches(512, 16).mean(-1, keepdims=True)
    blurred = sharp.reshape(-1, 8, 2, 8, 2, 1).mean((2, 4)).repeat(2, 1).repeat(2, 2)
    model = keras.Sequential(
        [
            layers.Input((16, 16, 1)),
            layers.Conv2D(24, 9, padding="same", activation="relu", name="patches"),
            layers.Conv2D(16, 1, padding="same", activation="relu", name="mapped"),
            layers.Conv2D(1, 5, padding="same", name="rebuilt"),
        ]
    )
    compiled(model, keras.optimizers.SGD(1e-6), "mean_squared_error")
    return Training(model, blurred - 0.5, sharp - 0.5, epochs=5)


@outside_sick(
    "poor_init",
    ["layer_1"],
    family="vision",
    source="http://pullrequest.ru/11818227/neironnaya-set-odnim-skrytym-sloem-mozhet-byt-obuchena",
    accepted="All weights start at zero, where the gradient is zero too; a random start lets the model train.",
    also=("stagnant_weights", "vanishing_gradient", "no_gradient", "collapsed_layer", "no_learning"),
)
def two_layers_of_zeros() -> Training:
    """The one-layer softmax of a tutorial, with its zeros, gets a second layer of the same kind."""
    x, y = flat_digits(768)
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(10, activation="softmax", kernel_initializer="zeros", name="layer_1"),
            layers.Dense(10, activation="softmax", kernel_initializer="zeros", name="layer_2"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=8)
