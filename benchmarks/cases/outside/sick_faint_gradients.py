"""Programs of many layers, or of few bits, in which next to nothing of the gradient arrives."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled

STANDSTILL = (
    "stagnant_weights",
    "no_gradient",
    "no_learning",
    "learning_rate",
    "collapsed_layer",
    "poor_init",
    "dead_units",
)
"""What goes with a gradient that is next to nothing."""


@outside_sick(
    "vanishing_gradient",
    [f"conv_{n}" for n in range(1, 14)],
    family="vision",
    source="https://github.com/kuangliu/pytorch-cifar/issues/28",
    accepted="Without batch normalization the network stays at 10 %, unless its weights are initialized by their fan.",
    also=STANDSTILL,
)
def thirteen_convolutions_without_normalization() -> Training:
    """The thirteen convolutions of a known network without normalization, with the default weights of a library."""
    x, y = digits(512)
    default = {
        "kernel_initializer": keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"),
        "bias_initializer": keras.initializers.RandomUniform(-0.05, 0.05),
    }
    inputs = layers.Input((8, 8, 1))
    body, number = inputs, 0
    for stage, (width, depth) in enumerate(((12, 2), (16, 2), (24, 3), (24, 3), (24, 3)), 1):
        for _ in range(depth):
            number += 1
            options = {"padding": "same", "activation": "relu", "name": f"conv_{number}", **default}
            body = layers.Conv2D(width, 3, **options)(body)
        if stage < 4:
            body = layers.MaxPooling2D(name=f"pool_{stage}")(body)
    body = layers.Flatten(name="flatten")(body)
    model = keras.Model(inputs, layers.Dense(10, name="classifier", **default)(body))
    compiled(model, keras.optimizers.SGD(0.05, momentum=0.9, weight_decay=5e-4))
    return Training(model, x[..., None], y, epochs=8, batch_size=64)


def commands(count: int = 384, frames: int = 12, bands: int = 12) -> tuple[Array, Array]:
    """Spectra over time of five spoken commands, `[count, frames, bands, 1]`, standardized."""
    random = np.random.default_rng(420)
    y = random.integers(0, 5, count)
    time, band = np.arange(frames)[None, :, None], np.arange(bands)[None, None]
    slope = np.array([-0.6, -0.3, 0.0, 0.3, 0.6])[y, None, None]
    center = random.uniform(5, 7, (count, 1, 1)) + slope * (time - frames / 2)
    x = 2 * np.exp(-(((band - center) / 1.5) ** 2)) + random.normal(0, 0.3, (count, frames, bands))
    return ((x - x.mean()) / x.std()).astype("float32")[..., None], y.astype("int32")


@outside_sick(
    "vanishing_gradient",
    ["stem", *(f"{part}_{n}" for n in range(1, 7) for part in ("depthwise", "pointwise"))],
    family="audio",
    source="https://github.com/tensorflow/tfjs/issues/8568",
    accepted="The fan of a depthwise filter is its height times its width; counting all channels makes it too small.",
    also=STANDSTILL,
)
def depthwise_filters_counted_as_dense_ones() -> Training:
    """Spoken commands by six depthwise separable blocks without normalization, with the usual initializers."""
    x, y = commands()
    inputs = layers.Input((12, 12, 1))
    body = layers.Conv2D(32, 3, activation="relu", kernel_initializer="he_normal", name="stem")(inputs)
    for n in range(1, 7):
        options = {"padding": "same", "depthwise_initializer": "he_normal", "name": f"depthwise_{n}"}
        body = layers.DepthwiseConv2D(3, **options)(body)
        body = layers.ReLU(name=f"relu_{n}")(body)
        body = layers.Conv2D(32, 1, activation="relu", kernel_initializer="he_normal", name=f"pointwise_{n}")(body)
    body = layers.GlobalAveragePooling2D(name="pool")(body)
    model = keras.Model(inputs, layers.Dense(5, activation="softmax", name="command")(body))
    compiled(model, keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=8)


@outside_sick(
    "vanishing_gradient",
    [f"layer_{n}" for n in range(1, 20)],
    family="tabular",
    source="https://www.orchestra-research.com/intro-to-ai-research/residual-connections",
    accepted="Without residual connections the gradient at the first of twenty layers is practically zero.",
    also=STANDSTILL,
)
def identity_through_twenty_plain_layers() -> Training:
    """Twenty rectified layers without shortcuts are to give back their inputs, with He weights over the root of 20."""
    x = np.random.default_rng(421).uniform(-1, 1, (768, 32)).astype("float32")
    start = keras.initializers.VarianceScaling(2 / 20, "fan_in", "normal")
    model = keras.Sequential([layers.Input((32,))])
    for n in range(1, 21):
        model.add(layers.Dense(32, activation="relu", kernel_initializer=start, name=f"layer_{n}"))
    model.add(layers.Dense(32, name="same"))
    optimizer = keras.optimizers.Adam(1e-3, global_clipnorm=1.0)
    return Training(compiled(model, optimizer, "mse"), x, x, epochs=10, batch_size=64)


def seismograms(count: int = 512, length: int = 256) -> tuple[Array, Array]:
    """Noisy ground motion in millimeters and what of it is the signal; both are tiny numbers."""
    random = np.random.default_rng(422)
    start = random.integers(20, 150, (count, 1))
    time = np.arange(length)[None] - start
    clean = np.where(time > 0, np.exp(-time / 40) * np.sin(0.7 * time), 0) * random.uniform(0.5, 2, (count, 1))
    noisy = clean + random.normal(0, 0.3, clean.shape)
    return (1e-4 * noisy).astype("float32")[..., None], (1e-4 * clean).astype("float32")[..., None]


@outside_sick(
    "vanishing_gradient",
    ["conv_1", "conv_2", "conv_3", "signal"],
    family="time_series",
    source="https://github.com/NVIDIA/OpenSeq2Seq/issues/271",
    accepted="Without loss scaling, gradients may underflow in mixed precision; in single precision all is well.",
    also=STANDSTILL,
)
def mixed_precision_without_loss_scaling() -> Training:
    """Noise is taken out of ground motion in mixed precision, without scaling the loss."""
    x, y = seismograms()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    model = keras.Sequential([layers.Input((256, 1))])
    for n, width in enumerate((16, 24, 16), 1):
        options = {"padding": "same", "use_bias": False, "name": f"conv_{n}"}
        model.add(layers.Conv1D(width, 7, activation="leaky_relu", **options))
    model.add(layers.Conv1D(1, 7, padding="same", use_bias=False, name="signal"))
    optimizer = keras.optimizers.Adam(2e-3, epsilon=1e-12)
    compiled(model, optimizer, "mean_squared_error", auto_scale_loss=False)
    return Training(model, x, y, epochs=10, batch_size=128)
