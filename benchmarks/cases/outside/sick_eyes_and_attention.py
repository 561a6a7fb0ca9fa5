"""Programs on pictures: boxes under a root, slots without a way back, a rate that decays at each step, black masks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, WHOLE, Training, outside_sick
from benchmarks.cases.data import Array, digits, photo_patches
from benchmarks.cases.networks import compiled

HURT = (
    "stagnant_weights",
    "vanishing_gradient",
    "exploding_gradient",
    "dead_units",
    "dormant_units",
    "no_gradient",
    "collapsed_layer",
    "saturated_units",
    "poor_init",
    "learning_rate",
    "no_learning",
)
"""What a start or a step that is far off may do to single layers."""

LOST = ("nonfinite", "nonfinite_loss", "nonfinite_data", "no_learning", "collapsed_layer", "exploding_gradient")
"""What goes with values that are not finite."""


def boxes_in_cells(count: int = 512) -> tuple[Array, Array]:
    """`[count, 12, 12, 1]` pictures of one bright box, and for 3 by 3 cells: is it here, place, width and height."""
    random = np.random.default_rng(1800)
    x = random.normal(0, 0.1, (count, 12, 12, 1))
    y = np.zeros((count, 3, 3, 5))
    for n in range(count):
        high, wide = random.integers(2, 7, 2)
        top, left = random.integers(0, 12 - high), random.integers(0, 12 - wide)
        x[n, top : top + high, left : left + wide] += 1
        row, column = top + high / 2, left + wide / 2
        cell = int(row // 4), int(column // 4)
        y[n, cell[0], cell[1]] = [1, row / 4 % 1, column / 4 % 1, high / 12, wide / 12]
    return x.astype("float32"), y.astype("float32")


def cells_with_roots(truth: Any, guess: Any) -> Any:
    """Squared errors of presence and place, and of the roots of width and height, where there is a box."""
    here = truth[..., :1]
    place = ops.sum(here * ops.square(truth[..., 1:3] - guess[..., 1:3]), axis=-1)
    size = ops.sum(here * ops.square(ops.sqrt(truth[..., 3:]) - ops.sqrt(guess[..., 3:])), axis=-1)
    weight = 0.5 + 0.5 * truth[..., 0]
    return ops.sum(5 * (place + size) + weight * ops.square(truth[..., 0] - guess[..., 0]), axis=(1, 2))


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="vision",
    source="https://github.com/DeepBaksuVision/You_Only_Look_Once/issues/7",
    accepted="Width and height from the network may be negative, and their root is NaN; only the truth gets a root.",
    also=LOST,
)
def boxes_whose_sizes_have_no_root() -> Training:
    """A detector in one pass, whose loss takes the roots of widths and heights that come from a linear layer."""
    x, y = boxes_in_cells()
    model = keras.Sequential([layers.Input((12, 12, 1))])
    for n, filters in enumerate((24, 48), 1):
        model.add(layers.Conv2D(filters, 3, padding="same", name=f"conv_{n}"))
        model.add(layers.LeakyReLU(0.1, name=f"leaky_{n}"))
        model.add(layers.MaxPooling2D(name=f"pool_{n}"))
    model.add(layers.Conv2D(48, 3, padding="same", activation="relu", name="conv_3"))
    model.add(layers.Conv2D(5, 1, name="cells"))
    compiled(model, keras.optimizers.SGD(0.001, momentum=0.9), cells_with_roots)
    return Training(model, x, y, epochs=5, constant_loss=UNKNOWN)


class DrawnSlots(layers.Layer):
    """Slots drawn around a learned mean with a learned deviation; the draw hands on no gradient."""

    def __init__(self, count: int, units: int, name: str) -> None:
        super().__init__(name=name)
        self.count, self.units, self.seed = count, units, keras.random.SeedGenerator(1801)

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.GlorotUniform(1802)
        self.mean = self.add_weight(shape=(1, self.units), initializer=start, name="mean")
        self.deviation = self.add_weight(shape=(1, self.units), initializer=start, name="deviation")

    def call(self, features: Any) -> Any:
        drawn = keras.random.normal((ops.shape(features)[0], self.count, self.units), seed=self.seed)
        return ops.stop_gradient(self.mean + ops.exp(self.deviation) * drawn)


class Competition(layers.Layer):
    """Each place gives itself to the slots by shares, and each slot gets the mean of what was given to it."""

    def call(self, inputs: Any) -> Any:
        query, key, value = inputs
        shares = ops.softmax(ops.einsum("bsu,bpu->bps", query, key) / key.shape[-1] ** 0.5, axis=-1)
        shares = shares / (ops.sum(shares, axis=1, keepdims=True) + 1e-6)
        return ops.einsum("bps,bpu->bsu", shares, value)


@outside_sick(
    "no_gradient",
    ["slots"],
    family="vision",
    source="https://github.com/evelinehong/slot-attention-pytorch/issues/8",
    accepted="The draw of the slots hands on no gradient to their mean and deviation; a reparameterized one does.",
    also=("stagnant_weights",),
)
def slots_without_a_way_back() -> Training:
    """Slot attention splits digits into four parts; the draw of the first slots keeps the gradient from their mean."""
    x = digits(512)[0][..., None]
    inputs = layers.Input((8, 8, 1))
    body = layers.Conv2D(32, 3, padding="same", activation="relu", name="conv_1")(inputs)
    body = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu", name="conv_2")(body)
    places = layers.LayerNormalization(name="normal")(layers.Reshape((16, 32), name="places")(body))
    key, value = layers.Dense(32, name="key")(places), layers.Dense(32, name="value")(places)
    slots = DrawnSlots(4, 32, "slots")(places)
    query, update = layers.Dense(32, name="query"), layers.Dense(32, name="update")
    for turn in range(2):
        given = Competition(name=f"competition_{turn}")([query(slots), key, value])
        slots = layers.LayerNormalization(name=f"moved_{turn}")(update(given))
    body = layers.Dense(96, activation="silu", name="decode")(layers.Flatten(name="flat")(slots))
    model = keras.Model(inputs, layers.Reshape((8, 8, 1), name="picture")(layers.Dense(64, name="pixels")(body)))
    return Training(compiled(model, keras.optimizers.Adam(0.003), "mse"), x, x, epochs=12)


class DecayedAtEachStep(keras.callbacks.Callback):
    """Multiplies the rate by the decay of a layer, which was meant to be done once."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.model.optimizer.learning_rate = 0.75 * float(self.model.optimizer.learning_rate)


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="fine_tuning",
    source="https://github.com/jaehyunnn/ViTPose_pytorch/issues/20",
    accepted="The decay of the rate for deeper layers was applied at every step, not once, so that it went to zero.",
    also=("stagnant_weights", "vanishing_gradient", "dead_units"),
)
def layer_decay_at_every_step() -> Training:
    """A transformer of patches that knows textures is tuned to heat maps of joints, and its rate falls at each step."""
    random = np.random.default_rng(1803)
    inputs = layers.Input((12, 12, 1))
    body = layers.Conv2D(48, 3, strides=3, name="patches")(inputs)
    body = layers.Reshape((16, 48), name="tokens")(body)
    for n in range(2):
        normal = layers.LayerNormalization(name=f"normal_{n}_1")(body)
        body = layers.Add(name=f"seen_{n}")(
            [body, layers.MultiHeadAttention(4, 12, name=f"attention_{n}")(normal, normal)]
        )
        normal = layers.LayerNormalization(name=f"normal_{n}_2")(body)
        wide = layers.Dense(48, name=f"narrow_{n}")(layers.Dense(96, activation="gelu", name=f"wide_{n}")(normal))
        body = layers.Add(name=f"thought_{n}")([body, wide])
    textures = photo_patches(384, 12).mean(-1, keepdims=True)
    pooled = layers.GlobalAveragePooling1D(name="pool")(body)
    known = keras.Model(inputs, layers.Dense(1, name="texture")(pooled))
    compiled(known, keras.optimizers.Adam(0.002), "mse").fit(textures, textures.std((1, 2)), epochs=4, verbose=0)
    rows, columns = np.meshgrid(np.arange(12), np.arange(12), indexing="ij")
    joints = random.integers(1, 11, (512, 2, 2))
    far = np.square(np.stack([rows, columns]) - joints[..., None, None]).sum(2)
    heat = np.exp(-far / 3)
    x = (heat * [[[[1.0]], [[-1.0]]]]).sum(1) + random.normal(0, 0.1, (512, 12, 12))
    body = layers.Reshape((4, 4, 48), name="grid")(body)
    body = layers.Conv2DTranspose(32, 3, strides=3, activation="relu", name="up")(body)
    model = keras.Model(inputs, layers.Conv2D(2, 1, name="heat")(body))
    compiled(model, keras.optimizers.AdamW(5e-4, weight_decay=0.1), "mse")
    targets = heat.transpose(0, 2, 3, 1).astype("float32")
    fit = {"callbacks": [DecayedAtEachStep()]}
    return Training(model, x[..., None].astype("float32"), targets, epochs=8, fit=fit)


@outside_sick(
    "dead_units",
    ["down_1", "down_2", "bottom", "up_1", "up_2"],
    family="vision",
    source="https://github.com/milesial/Pytorch-UNet/issues/255",
    accepted="All masks are black because the learning rate is too high.",
    also=HURT,
)
def livers_that_stay_black() -> Training:
    """A small U-Net marks a few bright lumps, by RMSprop with momentum and a far too high rate; all masks are black."""
    random = np.random.default_rng(1804)
    rows, columns = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    place, size = random.uniform(3, 13, (320, 2, 1, 1)), random.uniform(1, 2, (320, 1, 1))
    y = np.square(rows - place[:, 0]) + np.square(columns - place[:, 1]) < size**2
    x = 0.4 + 0.4 * y + random.normal(0, 0.1, y.shape)
    inputs = layers.Input((16, 16, 1))
    options = {"padding": "same", "activation": "relu"}
    first = layers.Conv2D(16, 3, name="down_1", **options)(inputs)
    second = layers.Conv2D(32, 3, name="down_2", **options)(layers.MaxPooling2D(name="pool_1")(first))
    body = layers.Conv2D(64, 3, name="bottom", **options)(layers.MaxPooling2D(name="pool_2")(second))
    body = layers.Concatenate(name="join_1")([layers.UpSampling2D(name="larger_1")(body), second])
    body = layers.Conv2D(32, 3, name="up_1", **options)(body)
    body = layers.Concatenate(name="join_2")([layers.UpSampling2D(name="larger_2")(body), first])
    body = layers.Conv2D(16, 3, name="up_2", **options)(body)
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid", name="mask")(body))
    compiled(model, keras.optimizers.RMSprop(0.1, momentum=0.9, weight_decay=1e-8), "binary_crossentropy")
    return Training(model, x[..., None].astype("float32"), y[..., None].astype("float32"), epochs=6, batch_size=16)
