"""Programs whose units are dead or saturated."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import Array, diabetes, digits, photo_patches, table, words
from benchmarks.cases.networks import compiled

STARVED = ("vanishing_gradient", "stagnant_weights", "no_gradient", "collapsed_layer")
"""What follows where a whole layer is dead."""

OVERSHOT = (*STARVED, "exploding_gradient", "poor_init", "unfit_head")
"""What goes with units that were killed by a step that was too large."""


@outside_sick(
    "dead_units",
    ["conv_1", "conv_2", "dense"],
    family="vision",
    source="https://github.com/keras-team/keras/issues/3752",
    accepted="ReLU turns negative inputs into 0; the network learns once its activation is tanh.",
    also=OVERSHOT,
)
def rectified_network_on_negative_pixels() -> Training:
    """A convolutional ReLU network gets pixels from -255 to 0, and its units are dead after the first steps."""
    x, y = digits(512)
    model = keras.Sequential([layers.Input((8, 8, 1))])
    for n in (1, 2):
        model.add(layers.Conv2D(12, 3, activation="relu", name=f"conv_{n}"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(32, kernel_initializer="random_normal", activation="relu", name="dense"))
    model.add(layers.Dense(10, kernel_initializer="random_normal", name="logits"))
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)
    return Training(compiled(model, optimizer), 255 * (x[..., None] - 1), y)


@outside_sick(
    "dead_units",
    ["hidden"],
    family="tabular",
    source="https://stats.stackexchange.com/questions/450100/understanding-relu-does-this-unlucky-intialized-network-assign-all-instances",
    accepted="A ReLU that is 0 for all inputs has no gradient and never recovers; standardize the inputs.",
    also=STARVED,
)
def positive_features_and_negative_weights() -> Training:
    """All features are positive and all first weights negative, so the ReLU units are 0 for every sample."""
    random = np.random.default_rng(25)
    x = random.uniform(0.5, 2, (400, 2)).astype("float32")
    y = (x[:, 0] > x[:, 1]).astype("float32")[:, None]
    model = keras.Sequential(
        [
            layers.Input((2,)),
            layers.Dense(4, "relu", kernel_initializer=keras.initializers.RandomUniform(-0.5, -0.05), name="hidden"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )
    return Training(compiled(model, "sgd", "binary_crossentropy"), x, y)


@outside_sick(
    "dead_units",
    ["dense"],
    family="tabular",
    source="https://medium.com/joelthchao/how-dead-neurons-hurt-training-5fc127d8db6a",
    accepted="A very negative bias keeps the units from being active, and without gradient it stays as it is.",
    also=STARVED,
)
def very_negative_bias() -> Training:
    """A hidden ReLU layer starts with a bias of -5, as a large step might have left it."""
    x, y = table("iris")
    bias = keras.initializers.Constant(-5)
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(16, activation="relu", bias_initializer=bias, name="dense"),
            layers.Dense(3, activation="softmax", name="classes"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=15)


@outside_sick(
    "dead_units",
    ["conv_1", "conv_2", "conv_3", "dense"],
    family="vision",
    source="https://github.com/keras-team/keras/issues/4066",
    accepted="SGD locks the network into predicting one class; with the smaller rate of Adam's default it learns.",
    also=OVERSHOT,
)
def locked_into_one_class() -> Training:
    """The convolutional example with SGD and Nesterov momentum at a rate that kills its ReLU units."""
    patches = photo_patches(512)
    y = (patches.mean((1, 2, 3)) > np.median(patches.mean((1, 2, 3)))).astype("int32")
    model = keras.Sequential([layers.Input((8, 8, 3))])
    for n in (1, 2, 3):
        model.add(layers.Conv2D(12, 3, padding="same", activation="relu", name=f"conv_{n}"))
    model.add(layers.MaxPooling2D(4, name="pool"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(48, activation="relu", name="dense"))
    model.add(layers.Dense(2, name="logits"))
    optimizer = keras.optimizers.SGD(2.0, momentum=0.9, nesterov=True)
    return Training(compiled(model, optimizer), patches, y, epochs=6)


@outside_sick(
    "dead_units",
    ["few"],
    family="tabular",
    source="https://github.com/keras-team/keras/issues/13891",
    accepted="With a layer of few ReLU neurons before the output all predictions are the same; linear or tanh works.",
    also=OVERSHOT,
)
def few_rectified_units_before_the_output() -> Training:
    """A layer of three ReLU units before the output of a regression dies in the first large steps."""
    x, y = diabetes(standard_target=False)
    model = keras.Sequential(
        [
            layers.Input((10,)),
            layers.Dense(3, activation="relu", name="few"),
            layers.Dense(1, name="output"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(0.05, clipnorm=500.0), "mse"), x, y, epochs=12)


@outside_sick(
    "dead_units",
    ["collision"],
    family="text",
    source="https://github.com/ProteomicsML/ProteomicsML/pull/203",
    accepted="The output has ReLU, and an unlucky start makes it 0 for all peptides, without any gradient.",
    also=STARVED,
)
def peptides_with_rectified_output() -> Training:
    """A recurrent regression of peptides ends in a ReLU unit that starts below 0 for all of them."""
    x, _ = words(384)
    y = (3 + (x % 5).mean(1)).astype("float32")[:, None]
    unlucky = keras.initializers.RandomUniform(-0.4, -0.1)
    model = keras.Sequential(
        [
            layers.Input((12,), dtype="int32"),
            layers.Embedding(60, 16, name="embedding"),
            layers.LSTM(16, name="lstm"),
            layers.Dense(16, activation="relu", name="dense"),
            layers.Dense(1, activation="relu", kernel_initializer=unlucky, name="collision"),
        ]
    )
    return Training(compiled(model, "adam", "mse"), x, y, epochs=5)


@outside_sick(
    "dead_units",
    ["gate_scores"],
    family="tabular",
    source="https://github.com/mrchor/HiNet/issues/1",
    accepted="An embedding of zeros through ReLU is 0 with a gradient of 0, so the gate's embedding is never updated.",
    also=(*STARVED, "poor_init", "dormant_units"),
)
def gate_of_a_zero_embedding() -> Training:
    """Experts are chosen by a gate whose domain embedding starts at zero and passes ReLU before its softmax."""
    random = np.random.default_rng(26)
    features = random.normal(size=(512, 8)).astype("float32")
    domains = random.integers(0, 4, 512).astype("int32")
    y = (features[:, 0] * (domains - 1.5) > 0).astype("float32")[:, None]
    given, domain = layers.Input((8,), name="features"), layers.Input((), dtype="int32", name="domain")
    known = layers.Embedding(4, 8, embeddings_initializer="zeros", name="domain_embedding")(domain)
    scores = layers.Dense(3, activation="relu", name="gate_scores")(known)
    gate = layers.Softmax(name="gate")(scores)
    experts = [layers.Dense(12, activation="tanh", name=f"expert_{n}")(given) for n in range(3)]
    stacked = layers.Lambda(lambda parts: keras.ops.stack(parts, 1), name="experts")(experts)
    mixed = layers.Dot((1, 1), name="mixed")([gate, stacked])
    model = keras.Model([given, domain], layers.Dense(1, activation="sigmoid", name="output")(mixed))
    return Training(compiled(model, "adam", "binary_crossentropy"), [features, domains], y, epochs=6, gates=("gate",))


@outside_sick(
    "dead_units",
    ["dense_1", "dense_2"],
    family="vision",
    source="https://github.com/keras-team/keras/issues/2139",
    accepted="The output is the same for all patches: after a huge first loss the rectified layers are silent.",
    also=OVERSHOT,
)
def patches_to_one_number() -> Training:
    """A regression of unscaled patches has a huge first loss, after which every prediction is the same number."""
    x = 255 * photo_patches(512)
    y = photo_patches(512).mean((1, 2, 3))[:, None]
    model = keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(8, 3, activation="relu", name="conv"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="relu", name="dense_1"),
            layers.Dense(32, activation="relu", name="dense_2"),
            layers.Dense(1, name="output"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(0.01, momentum=0.9, clipnorm=100.0), "mse"), x, y)


LOUD = ("poor_init", "collapsed_layer", "stagnant_weights", "vanishing_gradient", "exploding_gradient", "unfit_head")
"""What goes with inputs or weights that are too large for a bounded activation."""


@outside_sick(
    "saturated_units",
    ["dense"],
    family="tabular",
    source="http://stackoverflow.com.mevn.net/questions/52800582/why-do-i-fail-to-predict-y-x4-with-keras-y-x3-works",
    accepted="Inputs up to 100 saturate the sigmoid, and outputs up to 100,000,000 are out of reach of the weights.",
    also=LOUD,
)
def fourth_power_of_a_hundred() -> Training:
    """The fourth power of numbers from -100 to 100 by a sigmoid and an ELU layer, nothing of it scaled."""
    x = np.linspace(-100, 100, 600, dtype="float32")[:, None]
    model = keras.Sequential(
        [
            layers.Input((1,)),
            layers.Dense(4, activation="sigmoid", name="dense"),
            layers.Dense(8, activation="elu", name="dense_1"),
            layers.Dense(1, name="output"),
        ]
    )
    return Training(compiled(model, "adam", "mse"), x, x**4, epochs=10)


@outside_sick(
    "saturated_units",
    ["dense"],
    family="vision",
    source="https://datascience.stackexchange.com/questions/39929/why-normalize-when-all-features-are-on-the-same-scale",
    accepted="Outside a small range of inputs the derivative of the activation is near 0: divide the pixels by 255.",
    also=LOUD,
)
def pixels_not_divided() -> Training:
    """The first tutorial with tanh and pixels from 0 to 255."""
    x, y = digits()
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="tanh", name="dense"),
            layers.Dense(10, activation="softmax", name="classes"),
        ]
    )
    return Training(compiled(model, "adam", "sparse_categorical_crossentropy"), 255 * x, y)


def vehicles(count: int = 512) -> tuple[Array, Array]:
    """Raw states of a vehicle, distances up to 200, and how to steer."""
    random = np.random.default_rng(27)
    scale = np.array([200, 120, 180, 90, 40.0])
    states = random.uniform(-1, 1, (count, 5)) * scale
    steering: Any = np.tanh(states[:, 0] / 100 - states[:, 2] / 150)
    return states.astype("float32"), steering.astype("float32")[:, None]


@outside_sick(
    "saturated_units",
    ["actor_1"],
    family="reinforcement_learning",
    source="https://github.com/ZhihanLee/DDPG_Learning/issues/2",
    accepted="The actions saturate because the states are not normalized to [-1, 1].",
    also=LOUD,
)
def actor_of_raw_states() -> Training:
    """An actor with tanh layers gets the raw distances and speeds of a vehicle as its state."""
    x, y = vehicles()
    inputs = layers.Input((5,))
    body = layers.Dense(32, activation="tanh", name="actor_1")(inputs)
    body = layers.Dense(32, activation="tanh", name="actor_2")(body)
    model = keras.Model(inputs, layers.Dense(1, activation="tanh", name="steering")(body))
    return Training(compiled(model, keras.optimizers.Adam(0.0001), "mse"), x, y)


@outside_sick(
    "saturated_units",
    ["fully_connected_1", "fully_connected_2"],
    family="tabular",
    source="https://github.com/tflearn/tflearn/issues/669",
    accepted="Weights between -1 and 1 for 128 inputs drive the tanh layers to -1 or 1 and nothing in between.",
    also=LOUD,
)
def uniform_weights_into_tanh() -> Training:
    """Three tanh layers whose weights start between -1 and 1, for 128 inputs."""
    random = np.random.default_rng(28)
    x = random.uniform(-5, 5, (512, 128)).astype("float32")
    y = np.tanh(x[:, :8].mean(1, keepdims=True))
    start = keras.initializers.RandomUniform(-1.0, 1.0)
    model = keras.Sequential([layers.Input((128,))])
    for n, units in enumerate((64, 32, 1), 1):
        name = f"fully_connected_{n}"
        model.add(layers.Dense(units, activation="tanh", kernel_initializer=start, name=name))
    optimizer = keras.optimizers.SGD(0.001, momentum=0.9, clipnorm=1.0)
    return Training(compiled(model, optimizer, "mse"), x, y)


def sensors(count: int = 320, length: int = 12) -> tuple[Array, Array]:
    """Raw series of an engine's sensors, in the hundreds and thousands, and its remaining life."""
    random = np.random.default_rng(29)
    life = random.uniform(0, 1, (count, 1, 1))
    means = np.array([640, 1590, 1400, 550.0])
    drift = (1 - life) * np.arange(length)[None, :, None] * np.array([0.4, 4, 6, -1.0])
    series = means + drift + random.normal(0, 2, (count, length, 4))
    return series.astype("float32"), life[:, 0].astype("float32")


@outside_sick(
    "saturated_units",
    ["rnn"],
    family="time_series",
    source="https://github.com/austineaero/Remaining-Useful-Life-RUL-Estimation/issues/19",
    accepted="The sensor data must be normalized: recurrent layers cannot work with unscaled values.",
    also=LOUD,
)
def engine_sensors_unscaled() -> Training:
    """The remaining life of an engine from raw sensor values of up to 1,600 by a plain recurrent layer."""
    x, y = sensors()
    model = keras.Sequential(
        [
            layers.Input((12, 4)),
            layers.SimpleRNN(24, name="rnn"),
            layers.Dense(1, name="life"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.0001), "mse"), x, y, epochs=6)


@outside_sick(
    "saturated_units",
    ["rnn"],
    family="text",
    source="https://github.com/mukul-rathi/deep-learning-tutorials/issues/2",
    accepted="The recurrent units are saturated because of how their weights are initialized.",
    also=LOUD,
)
def characters_through_standard_normal_weights() -> Training:
    """A recurrent network on characters whose weights are drawn from a standard normal distribution."""
    x, y = words(384)
    start = keras.initializers.RandomNormal(stddev=1.0)
    model = keras.Sequential(
        [
            layers.Input((12,), dtype="int32"),
            layers.Embedding(60, 32, embeddings_initializer=start, name="characters"),
            layers.SimpleRNN(48, kernel_initializer=start, recurrent_initializer=start, name="rnn"),
            layers.Dense(2, name="logits"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(0.01)), x, y, epochs=5)
