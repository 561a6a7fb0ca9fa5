"""Programs whose gradients vanish on their way to the first layers."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from sklearn.datasets import make_circles

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import Array, digits, flat_digits, table
from benchmarks.cases.networks import compiled

FADED = ("collapsed_layer", "stagnant_weights", "poor_init", "dormant_units", "saturated_units")
"""What goes with a vanishing gradient: outputs and weights that hardly change."""


@outside_sick(
    "vanishing_gradient",
    ["dense_1", "dense_2", "dense_3"],
    family="tabular",
    source="https://ai.stackexchange.com/questions/16557/what-could-be-the-problem-when-a-neural-network-with-four-hidden-layers-with-the",
    accepted="Every sigmoid shrinks the gradient at least fourfold, so after four layers little of it is left.",
    also=FADED,
)
def four_sigmoid_layers() -> Training:
    """Four wide sigmoid layers map binary vectors to a number with plain SGD."""
    random = np.random.default_rng(22)
    x = random.integers(0, 2, (512, 16)).astype("float32")
    pairs = x[:, :8] != x[:, 8:]
    y = (pairs @ random.normal(size=(8, 1))).astype("float32")
    model = keras.Sequential([layers.Input((16,))])
    for n in range(1, 5):
        model.add(layers.Dense(48, activation="sigmoid", name=f"dense_{n}"))
    model.add(layers.Dense(1, name="output"))
    return Training(compiled(model, keras.optimizers.SGD(0.002), "mse"), x, y, epochs=15)


@outside_sick(
    "vanishing_gradient",
    [f"dense_{n}" for n in range(1, 5)],
    family="vision",
    source="https://www.mohdvasim.com/blog/deep-learning/03-activations",
    accepted="In a network of five sigmoid layers the gradient vanishes and the loss barely moves.",
    also=FADED,
)
def five_sigmoid_layers() -> Training:
    """Five sigmoid layers classify digits, and the loss barely moves."""
    hidden = [layers.Dense(32, activation="sigmoid", name=f"dense_{n}") for n in range(1, 6)]
    model = keras.Sequential([layers.Input((64,)), *hidden, layers.Dense(10, activation="softmax", name="classes")])
    compiled(model, keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    return Training(model, *flat_digits(), epochs=8)


@outside_sick(
    "vanishing_gradient",
    [f"dense_{n}" for n in range(1, 5)],
    family="tabular",
    source="https://www.aiproblog.com/index.php/2019/01/10/how-to-fix-vanishing-gradients-using-the-rectified-linear-activation-function/",
    accepted="A deep network of tanh layers cannot pass useful gradients back to its first layers; ReLU can.",
    also=FADED,
)
def two_circles_by_deep_tanh() -> Training:
    """Two circles are separated by ten narrow tanh layers with uniform weights, momentum and a small rate."""
    x, y = make_circles(n_samples=500, noise=0.1, random_state=1)
    start = keras.initializers.RandomUniform(minval=-0.3, maxval=0.3)
    hidden = [layers.Dense(5, activation="tanh", kernel_initializer=start, name=f"dense_{n}") for n in range(1, 11)]
    head = layers.Dense(1, activation="sigmoid", kernel_initializer=start, name="output")
    model = keras.Sequential([layers.Input((2,)), *hidden, head])
    compiled(model, keras.optimizers.SGD(0.01, momentum=0.9), "binary_crossentropy")
    return Training(model, x.astype("float32"), y.astype("float32")[:, None], epochs=10)


def first_of_many(count: int = 512, length: int = 40) -> tuple[Array, Array]:
    """Long sequences of noise whose first value decides the class."""
    random = np.random.default_rng(23)
    y = np.arange(count) % 2
    x = random.normal(0, 0.1, (count, length, 1))
    x[:, 0, 0] = 2 * y - 1
    return x.astype("float32"), y.astype("int32")


@outside_sick(
    "vanishing_gradient",
    ["rnn_1", "rnn_2"],
    family="time_series",
    source="https://github.com/Atcold/NYU-DLSP20/pull/93",
    accepted="The gradients of a plain RNN at early inputs of a long sequence are far smaller than those of an LSTM.",
    also=FADED,
)
def first_value_of_a_long_sequence() -> Training:
    """Two plain recurrent layers with sigmoid must remember the first of forty values."""
    x, y = first_of_many()
    model = keras.Sequential(
        [
            layers.Input((40, 1)),
            layers.SimpleRNN(16, activation="sigmoid", return_sequences=True, name="rnn_1"),
            layers.SimpleRNN(16, activation="sigmoid", name="rnn_2"),
            layers.Dense(2, name="logits"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(0.05)), x, y, epochs=6, fit={"shuffle": False})


def frames(count: int = 768) -> tuple[Array, Array]:
    """Spectra of 60 bands with one of six formants, and which one."""
    random = np.random.default_rng(24)
    y = random.integers(0, 6, count)
    bands = np.arange(60)[None]
    x = np.exp(-(((bands - 8 - 9 * y[:, None]) / 4) ** 2)) + random.normal(0, 0.2, (count, 60))
    return x.astype("float32"), y.astype("int32")


@outside_sick(
    "vanishing_gradient",
    [f"dense_{n}" for n in range(1, 7)] + ["phones"],
    family="audio",
    source="https://github.com/keras-team/keras/issues/1013",
    accepted="Six layers that start from small uniform weights learn nothing from the coefficients of speech.",
    also=(*FADED, "dead_units"),
)
def speech_frames_through_small_weights() -> Training:
    """Six ReLU layers with weights between -0.05 and 0.05 classify frames of speech."""
    start = keras.initializers.RandomUniform(-0.05, 0.05)
    model = keras.Sequential([layers.Input((60,))])
    for n in range(1, 7):
        model.add(layers.Dense(48, kernel_initializer=start, activation="relu", name=f"dense_{n}"))
    model.add(layers.Dense(6, kernel_initializer=start, activation="softmax", name="phones"))
    return Training(compiled(model, keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy"), *frames(), epochs=8)


@outside_sick(
    "vanishing_gradient",
    [f"layer_{n}" for n in range(1, 6)],
    family="tabular",
    source="https://github.com/s-4-m-a-n/365-days-of-ML-challange",
    accepted="The derivative of the sigmoid is near 0 for most inputs, so the first layers hardly change.",
    also=FADED,
)
def seven_sigmoid_layers_by_hand() -> Training:
    """Seven sigmoid layers of ten units classify wines, each made of a linear layer and an activation."""
    x, y = table("wine")
    model = keras.Sequential([layers.Input((13,))])
    for n in range(1, 8):
        model.add(layers.Dense(10, name=f"layer_{n}"))
        model.add(layers.Activation("sigmoid", name=f"sigmoid_{n}"))
    model.add(layers.Dense(3, name="scores"))
    return Training(compiled(model, keras.optimizers.SGD(0.05)), x, y, epochs=25, batch_size=16)


@outside_sick(
    "vanishing_gradient",
    ["project", "deconv_1", "deconv_2", "deconv_3"],
    family="generative",
    source="https://github.com/tensorflow/tensorflow/issues/46135",
    accepted="Tanh often suffers from vanishing gradients; ReLU or another activation is worth a try.",
    also=FADED,
)
def generator_of_tanh_deconvolutions() -> Training:
    """A generator of five tanh deconvolutions that start with a deviation of 0.02 draws digits from codes."""
    x, y = digits(384)
    codes = np.eye(10, dtype="float32")[y]
    start = keras.initializers.RandomNormal(stddev=0.02)
    model = keras.Sequential(
        [
            layers.Input((10,)),
            layers.Dense(4 * 4 * 8, activation="tanh", kernel_initializer=start, name="project"),
            layers.Reshape((4, 4, 8), name="reshape"),
        ]
    )
    for n in range(1, 5):
        options = {"padding": "same", "activation": "tanh", "kernel_initializer": start, "name": f"deconv_{n}"}
        model.add(layers.Conv2DTranspose(8, 3, strides=2 if n == 2 else 1, **options))
    model.add(layers.Conv2DTranspose(1, 3, padding="same", activation="tanh", kernel_initializer=start, name="picture"))
    return Training(compiled(model, keras.optimizers.SGD(0.05), "mse"), codes, 2 * x[..., None] - 1, epochs=8)
