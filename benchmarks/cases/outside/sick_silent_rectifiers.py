"""Programs whose rectifiers fall silent: in volumes, densities of crowds, series, genes and games."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import Training, outside_sick
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled

SILENCE = (
    "vanishing_gradient",
    "stagnant_weights",
    "no_gradient",
    "collapsed_layer",
    "poor_init",
    "no_learning",
    "exploding_gradient",
)
"""What goes with units that give nothing."""


def balls(count: int = 256, size: int = 8) -> tuple[Array, Array]:
    """Which cells of a cube are seen from one side, and which ones the ball fills; `[count, size, size, size, 1]`."""
    random = np.random.default_rng(300)
    place = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"), -1)
    center, radius = random.uniform(2.5, 4.5, (count, 1, 1, 1, 3)), random.uniform(1.5, 3, (count, 1, 1, 1))
    full = np.linalg.norm(place - center, axis=-1) < radius
    seen = full & (np.cumsum(full, axis=1) == 1)
    return seen.astype("float32")[..., None], full.astype("float32")[..., None]


@outside_sick(
    "dead_units",
    ["conv_1", "conv_2", "deconv_1"],
    family="vision",
    source="https://github.com/Yang7879/3D-RecGAN/issues/6",
    accepted="The predicted matrices of zeros were due to dead ReLU units, which depend on the initial weights.",
    also=SILENCE,
)
def volumes_of_nothing() -> Training:
    """Full shapes from one view by convolutions over cells, with weights uniform between -0.2 and 0.02, not 0.2."""
    x, y = balls()
    options = {"activation": "relu", "padding": "same"}
    start = keras.initializers.RandomUniform(-0.2, 0.02)
    model = keras.Sequential(
        [
            layers.Input((8, 8, 8, 1)),
            layers.Conv3D(8, 3, strides=2, kernel_initializer=start, name="conv_1", **options),
            layers.Conv3D(16, 3, strides=2, kernel_initializer=start, name="conv_2", **options),
            layers.Conv3DTranspose(8, 3, strides=2, kernel_initializer=start, name="deconv_1", **options),
            layers.Conv3DTranspose(1, 3, strides=2, padding="same", activation="sigmoid", name="cells"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy"), x, y, epochs=8)


def crowds(count: int = 320, size: int = 16) -> tuple[Array, Array]:
    """Gray pictures with some bright heads, pixels from 0 to 255, and how many heads there are per pixel."""
    random = np.random.default_rng(301)
    heads = random.random((count, size, size)) < random.uniform(0.005, 0.05, (count, 1, 1))
    blurred = np.sum([np.roll(heads, shift, (1, 2)) for shift in ((0, 0), (0, 1), (1, 0), (1, 1))], axis=0)
    pictures = np.clip(60 + 150 * blurred + random.normal(0, 15, heads.shape), 0, 255)
    return pictures.astype("float32")[..., None], (blurred / 4).astype("float32")[..., None]


@outside_sick(
    "dead_units",
    ["density"],
    family="vision",
    source="https://github.com/xiaochus/MSCNN/pull/3",
    accepted="The last layer must not have ReLU: otherwise all that is predicted becomes 0.",
    also=(*SILENCE, "learning_rate"),
)
def crowd_density_of_zero() -> Training:
    """Heads per pixel by three columns of convolutions whose joint output is rectified."""
    x, y = crowds()
    inputs = layers.Input((16, 16, 1))
    columns = []
    for width in (7, 5, 3):
        body = layers.Conv2D(8, width, padding="same", activation="relu", name=f"column_{width}_1")(inputs)
        columns.append(layers.Conv2D(8, width, padding="same", activation="relu", name=f"column_{width}_2")(body))
    body = layers.Concatenate(name="columns")(columns)
    density = layers.Conv2D(1, 1, activation="relu", name="density")(body)
    model = compiled(keras.Model(inputs, density), keras.optimizers.SGD(1e-3, momentum=0.9), "mse")
    return Training(model, x, y, epochs=6)


def tagged_steps(count: int = 320, length: int = 12) -> tuple[Array, Array]:
    """Raw sensors over time and the rain at every step, mostly none."""
    random = np.random.default_rng(302)
    x = np.cumsum(random.normal(0, 0.4, (count, length, 5)), axis=1)
    y = np.maximum(3 * np.tanh(x[..., :1] + x[..., 1:2]) - 2, 0)
    return (20 + 5 * x).astype("float32"), y.astype("float32")


@outside_sick(
    "dead_units",
    ["lstm_1", "lstm_2", "steps"],
    family="time_series",
    source="https://github.com/keras-team/keras/issues/3687",
    accepted="Every layer is rectified, also the last one, and momentum of 0.99 drives them all to zero.",
    also=(*SILENCE, "learning_rate"),
)
def zero_for_every_step() -> Training:
    """The rain at every step by two rectified LSTM layers and a rectified output, with momentum of 0.99."""
    x, y = tagged_steps()
    model = keras.Sequential(
        [
            layers.Input((12, 5)),
            layers.LSTM(32, activation="relu", return_sequences=True, name="lstm_1"),
            layers.LSTM(16, activation="relu", return_sequences=True, name="lstm_2"),
            layers.Dense(1, activation="relu", name="steps"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.01, momentum=0.99, nesterov=True, clipnorm=1.0)
    return Training(compiled(model, optimizer, "mean_squared_error"), x, y, epochs=8)


def expressions(count: int = 400, genes: int = 60) -> Array:
    """How strongly genes are expressed, from 0 to 16, as driven by six unknown factors."""
    random = np.random.default_rng(303)
    factors = random.normal(size=(count, 6)) @ random.normal(size=(6, genes))
    return np.clip(8 + 1.2 * factors + random.normal(0, 0.3, (count, genes)), 0, 16).astype("float32")


@outside_sick(
    "dead_units",
    ["encode_1", "encode_2", "decode_1"],
    family="tabular",
    source="https://github.com/MollyZhang/Multi-task-TCGA-learning/issues/16",
    accepted="The linear output of all hidden layers is negative, so ReLU gives 0 and only the last bias is learned.",
    also=(*SILENCE, "learning_rate"),
)
def mean_of_every_gene() -> Training:
    """An autoencoder of gene expression with ReLU and a large rate, which rebuilds the mean of every gene."""
    x = expressions()
    model = keras.Sequential(
        [
            layers.Input((60,)),
            layers.Dense(32, activation="relu", name="encode_1"),
            layers.Dense(8, activation="relu", name="encode_2"),
            layers.Dense(32, activation="relu", name="decode_1"),
            layers.Dense(60, name="rebuilt"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.05), "mse"), x, x, epochs=12)


def moves(count: int = 640) -> tuple[Array, Array]:
    """State of a simulated plant with one of five moves as a one-hot vector, and the cost of it, in thousands."""
    random = np.random.default_rng(304)
    state = random.uniform(0, 1, (count, 6))
    move = np.eye(5)[random.integers(0, 5, count)]
    cost = 800 + 2000 * np.abs(state[:, 0] - move @ np.linspace(0, 1, 5)) + 500 * state[:, 1]
    return np.concatenate([state, move], 1).astype("float32"), -cost.astype("float32")[:, None]


@outside_sick(
    "dead_units",
    ["hidden_1", "hidden_2"],
    family="reinforcement_learning",
    source="https://github.com/openai/baselines/issues/926",
    accepted="Rewards had to be scaled to less than 1; before, the same action was chosen whatever the state.",
    also=(*SILENCE, "learning_rate"),
)
def same_move_in_every_state() -> Training:
    """The value of a move in a state, whose rewards are costs in the thousands, by ReLU layers and Adam."""
    x, y = moves()
    model = keras.Sequential(
        [
            layers.Input((11,)),
            layers.Dense(64, activation="relu", name="hidden_1"),
            layers.Dense(64, activation="relu", name="hidden_2"),
            layers.Dense(1, name="value"),
        ]
    )
    return Training(compiled(model, keras.optimizers.SGD(0.001, momentum=0.9), "mse"), x, y, epochs=8)
