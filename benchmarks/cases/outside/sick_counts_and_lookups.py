"""Programs on clicks and words: raw counts, logarithms of zero, nothing hidden, a lookup past the tape, one unit."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, View, outside_sick
from benchmarks.cases.data import Array
from benchmarks.cases.networks import LOGITS, compiled
from benchmarks.cases.outside.healthy_clicks_and_baskets import ITEMS, chains_of_items
from benchmarks.cases.outside.partly_trained import PartlyTrained, trained_in_part

LOST = ("nonfinite", "nonfinite_loss", "nonfinite_data", "no_learning", "collapsed_layer", "dead_units")
"""What goes with values that are not finite."""

IDLE = ("stagnant_weights", "vanishing_gradient", "no_gradient", "no_learning", "learning_rate", "collapsed_layer")
"""What goes with layers that do not learn."""


class Pairs(layers.Layer):
    """The products of all pairs of columns, each weighed by the product of two learned vectors."""

    def __init__(self, width: int, name: str) -> None:
        super().__init__(name=name)
        self.width = width

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.RandomNormal(stddev=0.1)
        self.factors = self.add_weight((input_shape[-1], self.width), initializer=start, name="factors")

    def call(self, columns: Any) -> Any:
        both = ops.square(ops.matmul(columns, self.factors))
        own = ops.matmul(ops.square(columns), ops.square(self.factors))
        return ops.sum(both - own, axis=1, keepdims=True) / 2


@outside_sick(
    "exploding_gradient",
    ["pairs"],
    family="tabular",
    source="https://github.com/blebreton/spark-FM-parallelSGD/issues/5",
    accepted="Integer columns as they are overflow; normalize them or take their logarithms.",
    also=(*LOST, "poor_init", "stagnant_weights", "learning_rate"),
)
def clicks_by_pairs_of_raw_counts() -> Training:
    """Clicks by a factorization machine and SGD; next to categories there are counts of up to thousands as they are."""
    random = np.random.default_rng(1241)
    counts = np.floor(random.lognormal(3.5, 1.3, (2000, 5)))
    kinds = [np.eye(size)[random.integers(0, size, 2000)] for size in (12, 8)]
    score = 0.8 * (np.log1p(counts[:, 0]) - 3.5) + kinds[0] @ random.normal(0, 1, 12)
    y = (random.random(2000) < 1 / (1 + np.exp(-score))).astype("float32")[:, None]
    x = np.concatenate([counts, *kinds], 1).astype("float32")
    model = keras.Sequential([layers.Input((25,)), Pairs(8, name="pairs")])
    compiled(model, keras.optimizers.SGD(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    return Training(model, x, y, epochs=6, batch_size=50)


@outside_sick(
    "nonfinite",
    ["logarithms"],
    family="tabular",
    source="https://github.com/WeiyuCheng/AFN-AAAI-20/issues/10",
    accepted="The embeddings have to be clipped from below before their logarithm is taken.",
    also=(*LOST, "poor_init"),
)
def crosses_by_logarithms_of_nothing() -> Training:
    """Crosses of any order by sums of logarithms; vectors of numbers are multiplied by them, and some numbers are 0."""
    random = np.random.default_rng(1242)
    numbers = random.poisson(1.5, (1600, 4)).astype("float32")
    kinds = random.integers(0, 30, (1600, 4)).astype("int32")
    score = numbers[:, 0] - numbers[:, 1] + (kinds[:, 0] % 3 == 0) * 2 - 0.5
    y = (random.random(1600) < 1 / (1 + np.exp(-score))).astype("float32")[:, None]
    given, words = layers.Input((4,)), layers.Input((4,), dtype="int32")
    field = layers.Lambda(lambda values: ops.broadcast_to(ops.arange(4), ops.shape(values)), name="field")(given)
    numeric = layers.Lambda(lambda both: both[0] * both[1][..., None], name="scaled")(
        [layers.Embedding(4, 10, name="number_table")(field), given]
    )
    vectors = layers.Concatenate(axis=1, name="fields")([numeric, layers.Embedding(30, 10, name="word_table")(words)])
    logs = layers.Lambda(lambda values: ops.log(ops.abs(values)), name="logarithms")(vectors)
    crosses = layers.Dense(24, use_bias=False, name="orders")(layers.Permute((2, 1), name="turned")(logs))
    crosses = layers.Flatten(name="flat")(layers.Activation("exponential", name="crosses")(crosses))
    body = layers.Dense(64, activation="relu", name="dense_1")(crosses)
    body = layers.Dense(32, activation="relu", name="dense_2")(body)
    model = keras.Model([given, words], layers.Dense(1, activation="sigmoid", name="click")(body))
    compiled(model, keras.optimizers.Adam(0.001), "binary_crossentropy")
    return Training(model, [numbers, kinds], y, epochs=5)


def mean_of_hidden(truth: Any, scores: Any) -> Any:
    """Cross entropy of the hidden items, divided by how many there are."""
    is_hidden = ops.cast(truth > 0, "float32")
    each = keras.losses.sparse_categorical_crossentropy(truth, scores, from_logits=True)
    return ops.sum(each * is_hidden) / ops.sum(is_hidden)


@outside_sick(
    "nonfinite",
    ["items", "attention", "wide", "narrow", "scores"],
    family="text",
    source="https://github.com/jaywonchung/BERT4Rec-VAE-Pytorch/issues/22",
    accepted="With short sequences or a low share of hidden items, sometimes none is hidden, and the loss becomes NaN.",
    also=LOST,
)
def sessions_with_nothing_hidden() -> Training:
    """Hidden items of short sessions by a transformer; with so few items per batch, in some batches none is hidden."""
    random = np.random.default_rng(1243)
    rows = chains_of_items(random, 640, 6)
    is_hidden = random.random(rows.shape) < 0.06
    x, y = np.where(is_hidden, ITEMS + 1, rows).astype("int32"), np.where(is_hidden, rows, 0).astype("int32")
    inputs = layers.Input((6,), dtype="int32")
    body = layers.Embedding(ITEMS + 2, 48, name="items")(inputs)
    seen = layers.MultiHeadAttention(2, 24, name="attention")(body, body)
    body = layers.LayerNormalization(name="norm_1")(layers.Add(name="add_1")([body, seen]))
    wide = layers.Dense(96, activation="gelu", name="wide")(body)
    body = layers.Add(name="add_2")([body, layers.Dense(48, name="narrow")(wide)])
    model = keras.Model(inputs, layers.Dense(ITEMS + 1, name="scores")(layers.LayerNormalization(name="norm_2")(body)))
    compiled(model, keras.optimizers.Adam(0.001), mean_of_hidden)
    return Training(model, x, y, epochs=4, batch_size=8, constant_loss=UNKNOWN)


class Lookup(layers.Layer):
    """Vectors of words, taken from the table by NumPy."""

    def __init__(self, count: int, width: int, name: str) -> None:
        super().__init__(name=name)
        self.count, self.width = count, width

    def build(self, _: Any) -> None:
        start = keras.initializers.RandomNormal(stddev=0.3)
        self.table = self.add_weight((self.count, self.width), initializer=start, name="table")

    def call(self, numbers: Any) -> Any:
        taken = tf.numpy_function(lambda table, chosen: table[chosen], [self.table, numbers], "float32")
        return ops.reshape(taken, (-1, numbers.shape[1], self.width))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.width)


@outside_sick(
    "no_gradient",
    ["lookup"],
    family="text",
    source="https://github.com/ooples/AiDotNet/pull/1210",
    accepted="The lookup of vectors was not recorded on the tape, so that their gradient was dropped silently.",
    also=IDLE,
)
def words_looked_up_past_the_tape() -> Training:
    """The tone of short texts by a transformer, whose vectors of words are looked up in a way the tape does not see."""
    random = np.random.default_rng(1244)
    x = random.integers(0, 200, (1000, 10)).astype("int32")
    tone = random.normal(0, 1, 200)
    y = (tone[x].sum(1) > 0).astype("int32")
    inputs = layers.Input((10,), dtype="int32")
    body = Lookup(200, 48, name="lookup")(inputs)
    seen = layers.MultiHeadAttention(4, 12, name="attention")(body, body)
    body = layers.LayerNormalization(name="norm_1")(layers.Add(name="add_1")([body, seen]))
    wide = layers.Dense(96, activation="gelu", name="wide")(body)
    body = layers.Add(name="add_2")([body, layers.Dense(48, name="narrow")(wide)])
    body = layers.GlobalAveragePooling1D(name="mean")(layers.LayerNormalization(name="norm_2")(body))
    model = keras.Model(inputs, layers.Dense(2, name="tone")(body))
    compiled(model, keras.optimizers.Adam(0.001), LOGITS)
    return Training(model, x, y, epochs=6)


@outside_sick(
    "unfit_head",
    ["class"],
    family="time_series",
    source="https://stackoverflow.com/questions/47241622/is-it-okay-to-use-stateful-recurrent-nn-lstm-for-classification",
    accepted="Softmax over a single unit always gives 1; use a sigmoid, or two units.",
    also=(*IDLE, "saturated_units"),
)
def one_unit_behind_a_stateful_lstm() -> Training:
    """Two kinds of binary sequences, labeled 1 and -1, by a stateful LSTM that ends in softmax over one unit."""
    random = np.random.default_rng(1245)
    y = random.integers(0, 2, 1200)
    x = np.zeros((1200, 24), int)
    for place in range(1, 24):
        turns = random.random(1200) < np.where(y == 1, 0.3, 0.6)
        x[:, place] = np.where(turns, 1 - x[:, place - 1], x[:, place - 1])
    model = keras.Sequential(
        [
            layers.Input((24, 1), batch_size=100),
            layers.LSTM(96, stateful=True, name="lstm"),
            layers.Dense(1, activation="softmax", name="class"),
        ]
    )
    compiled(model, "adam", "binary_crossentropy")
    y, x = (2 * y - 1).astype("float32")[:, None], x[..., None].astype("float32")
    view = View(model, x[:100], y[:100])
    return Training(model, x, y, 4, 100, views=(view,), constant_loss=UNKNOWN)


def turns(random: np.random.Generator, count: int, length: int) -> Array:
    """A wave with noise in windows of this length and one more, which is the answer."""
    time = np.arange(length + 1)[None] * random.uniform(0.2, 0.5, (count, 1)) + random.uniform(0, 6, (count, 1))
    return (np.sin(time) + random.normal(0, 0.1, time.shape)).astype("float32")


@outside_sick(
    "stagnant_weights",
    ["recurrent", "dense", "next"],
    family="time_series",
    source="https://github.com/LaurentMazare/ocaml-torch/issues/36",
    accepted="The optimizer is created before the layers, so that it has no variables; layers have to come first.",
    also=(*IDLE, "dead_units"),
)
def optimizer_before_its_layers() -> Training:
    """The next value of a wave by a recurrent network, whose optimizer got its variables before there were any."""
    values = turns(np.random.default_rng(1246), 800, 16)
    inputs = layers.Input((16, 1))
    body = layers.GRU(48, name="recurrent")(inputs)
    body = layers.Dense(32, activation="relu", name="dense")(body)
    model = PartlyTrained(inputs, layers.Dense(1, name="next")(body))
    trained_in_part(model, keras.optimizers.Adam(0.003), "mean_squared_error")
    return Training(model, values[:, :-1, None], values[:, -1:], epochs=5)
