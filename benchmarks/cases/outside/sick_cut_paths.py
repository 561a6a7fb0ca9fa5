"""Programs with a part that nothing trains: copied features, sorted numbers, a forgotten layer, averaged weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import make_moons

from benchmarks.cases.base import UNKNOWN, Training, outside_sick
from benchmarks.cases.data import Array, digits, waves
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import entropy_by_position
from benchmarks.cases.outside.partly_trained import PartlyTrained, trained_in_part

AT_REST = ("stagnant_weights", "vanishing_gradient", "no_learning", "collapsed_layer")
"""What goes with weights that nothing trains."""


def captions(count: int = 512) -> tuple[list[Array], Array]:
    """Pictures of digits with captions of four words, which repeat or count up from the digit."""
    x, y = digits(count)
    random = np.random.default_rng(350)
    upward = random.integers(0, 2, count)
    text = np.stack([10 + upward, *[(y + upward * step) % 10 for step in range(3)]], 1)
    return [x[..., None], np.pad(text[:, :-1] + 1, ((0, 0), (1, 0))).astype("int32")], text.astype("int32")


@outside_sick(
    "no_gradient",
    ["patches", "encoder"],
    family="vision",
    source="https://github.com/lucidrains/CoCa-pytorch/issues/6",
    accepted="The extractor of the features detaches them, so that no gradient reaches the encoder of images.",
    also=AT_REST,
)
def captions_from_detached_pictures() -> Training:
    """Captions are written with attention to features of a picture, which were detached when they were extracted."""
    x, y = captions()
    picture, text = layers.Input((8, 8, 1), name="picture"), layers.Input((4,), dtype="int32", name="text")
    seen = layers.Conv2D(24, 2, strides=2, activation="relu", name="patches")(picture)
    seen = layers.Reshape((16, 24), name="tokens")(seen)
    seen = layers.Dense(24, activation="relu", name="encoder")(seen)
    seen = layers.Lambda(ops.stop_gradient, name="extractor")(seen)
    body = layers.Embedding(13, 24, name="words")(text)
    body = layers.GRU(24, return_sequences=True, name="writer")(body)
    looked = layers.MultiHeadAttention(2, 12, name="look")(body, seen)
    body = layers.LayerNormalization(name="norm")(layers.Add(name="sum")([body, looked]))
    model = compiled(keras.Model([picture, text], layers.Dense(12, name="caption")(body)), keras.optimizers.Adam(0.003))
    return Training(model, x, y, epochs=8, constant_loss=entropy_by_position(y))


class Codebook(layers.Layer):
    """The nearest of learned codes, with gradients passed straight through to the inputs."""

    def __init__(self, count: int, name: str) -> None:
        super().__init__(name=name)
        self.count = count

    def build(self, input_shape: Any) -> None:
        self.codes = self.add_weight(shape=(self.count, input_shape[-1]), initializer="random_normal", name="codes")

    def call(self, inputs: Any) -> Any:
        far = ops.sum(ops.square(inputs[:, None] - self.codes), -1)
        nearest = ops.take(self.codes, ops.argmin(far, -1), axis=0)
        return inputs + ops.stop_gradient(nearest - inputs)


@outside_sick(
    "no_gradient",
    ["codebook"],
    family="generative",
    source="https://github.com/showlab/Olaf-World/issues/8",
    accepted="The codebook's loss uses the output that passes gradients straight through, not the codes.",
    also=AT_REST,
)
def codes_without_a_loss_of_their_own() -> Training:
    """Waves are rebuilt from one of 16 codes, and the loss of the codes is computed after the straight-through step."""
    x = waves(640, 16)[0]
    inputs = layers.Input((16, 1))
    body = layers.Conv1D(16, 4, strides=2, activation="relu", name="encode_1")(inputs)
    body = layers.Flatten(name="flatten")(body)
    encoded = layers.Dense(6, name="encode_2")(body)
    code = Codebook(16, name="codebook")(encoded)
    gap = layers.Lambda(lambda both: both[0] - ops.stop_gradient(both[1]), name="codebook_gap")([code, encoded])
    pull = layers.Lambda(lambda both: ops.stop_gradient(both[0]) - both[1], name="commitment")([code, encoded])
    body = layers.Dense(32, activation="relu", name="decode_1")(code)
    body = layers.Dense(16, name="decode_2")(body)
    outputs = {"rebuilt": layers.Reshape((16, 1), name="rebuilt")(body), "codebook_gap": gap, "commitment": pull}
    weights = {"rebuilt": 1.0, "codebook_gap": 0.25, "commitment": 1.0}
    model = compiled(keras.Model(inputs, outputs), "adam", dict.fromkeys(outputs, "mse"), loss_weights=weights)
    nothing = np.zeros((len(x), 6), "float32")
    y = {"rebuilt": x, "codebook_gap": nothing, "commitment": nothing}
    return Training(model, x, y, epochs=8, constant_loss=float(x.var(0).mean()))


def sentences(count: int = 384, length: int = 10) -> tuple[Array, dict[str, Array]]:
    """Texts of word numbers, their topic, and the places of five facts in their order in time."""
    random = np.random.default_rng(351)
    topic = random.integers(0, 3, count)
    x = random.integers(0, 20, (count, length)) + 20 * topic[:, None] * (random.random((count, length)) < 0.3)
    order = np.argsort(np.argsort(x[:, :5], axis=1), axis=1)
    return x.astype("int32"), {"order": order.astype("float32"), "topic": topic.astype("int32")}


def distance_of_ranks(truth: Any, scores: Any) -> Any:
    """Sum of the distances between the ranks of the scores and the true ones."""
    ranks = ops.cast(ops.argsort(ops.argsort(scores, axis=-1), axis=-1), "float32")
    return ops.sum(ops.abs(truth - ranks), axis=-1)


@outside_sick(
    "no_gradient",
    ["rank", "order"],
    family="text",
    source="https://github.com/keras-team/keras/issues/16663",
    accepted="Sorting gives indices, which have no gradient; with the squared error the model trains.",
    also=AT_REST,
)
def order_of_facts_by_sorted_scores() -> Training:
    """The topic of a text by cross entropy, and the order of its facts by the distance of sorted ranks."""
    x, y = sentences()
    inputs = layers.Input((10,), dtype="int32")
    body = layers.Embedding(60, 16, name="embedding")(inputs)
    body = layers.Bidirectional(layers.LSTM(12, name="inner"), name="reader")(body)
    rank = layers.Dense(16, activation="relu", name="rank")(body)
    outputs = {"order": layers.Dense(5, name="order")(rank), "topic": layers.Dense(3, name="topic")(body)}
    topics = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    losses = {"order": distance_of_ranks, "topic": topics}
    model = compiled(keras.Model(inputs, outputs), keras.optimizers.Adam(0.003), losses)
    return Training(model, x, y, epochs=8, constant_loss=UNKNOWN)


class EndTime(layers.Layer):
    """A learned time at which a flow ends, the square of a weight, repeated for every sample."""

    def build(self, input_shape: Any) -> None:
        self.root = self.add_weight(shape=(1,), initializer="ones", name="root")

    def call(self, inputs: Any) -> Any:
        return ops.square(self.root) * ops.ones_like(inputs[:, :1])


@outside_sick(
    "no_gradient",
    ["end_time"],
    family="generative",
    source="https://github.com/rtqichen/ffjord/pull/4",
    accepted="The root of the end time never gets a gradient, since the solver's times are made from its value.",
    also=AT_REST,
)
def end_time_of_a_flow() -> Training:
    """Points of a circle flow into two moons; the solver gets the learned end time as a plain number."""
    moons, _ = make_moons(512, noise=0.04, random_state=0)
    angles = np.arctan2(moons[:, 1] - 0.25, moons[:, 0] - 0.5)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1).astype("float32")
    inputs = layers.Input((2,))
    times = layers.Lambda(ops.stop_gradient, name="times")(EndTime(name="end_time")(inputs))
    field = [layers.Dense(48, activation="tanh", name="field_1"), layers.Dense(2, name="field_2")]
    body = inputs
    for step in range(4):
        given = layers.Concatenate(name=f"given_{step}")([body, times])
        speed = field[1](field[0](given))
        body = layers.Lambda(lambda parts: parts[0] + parts[1] * parts[2] / 4, name=f"step_{step}")(
            [body, speed, times]
        )
    model = compiled(keras.Model(inputs, body), keras.optimizers.Adam(0.005), "mse")
    return Training(model, circle, moons.astype("float32"), epochs=10)


def tagged(count: int = 384, length: int = 12) -> tuple[Array, Array]:
    """Word numbers, and a tag for each word that depends on its kind and on the word before it."""
    random = np.random.default_rng(352)
    x = random.integers(1, 50, (count, length))
    before = np.pad(x[:, :-1], ((0, 0), (1, 0)))
    return x.astype("int32"), ((x % 3 == 0) * 2 + (before % 2 == 0)).astype("int32")


@outside_sick(
    "stagnant_weights",
    ["fc"],
    family="fine_tuning",
    source="https://github.com/zjunlp/HVPNeT/issues/5",
    accepted="A line that appends the last layers to the optimizer's parameters is missing, so they are not trained.",
)
def tags_by_a_forgotten_layer() -> Training:
    """An encoder that guessed the next word is tuned to tag words, and its new last layer is not in the optimizer."""
    x, y = tagged()
    inputs = layers.Input((12,), dtype="int32")
    body = layers.Embedding(50, 24, name="embedding")(inputs)
    body = layers.LSTM(32, return_sequences=True, name="encoder")(body)
    first = keras.Model(inputs, layers.Dense(50, name="next_word")(body))
    compiled(first, keras.optimizers.Adam(0.01)).fit(x[:, :], np.roll(x, -1, 1), epochs=1, verbose=0)
    model = PartlyTrained(inputs, layers.Dense(4, name="fc")(body))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained_in_part(model, keras.optimizers.Adam(0.003), loss, "embedding", "encoder")
    return Training(model, x, y, epochs=8, constant_loss=entropy_by_position(y))


class Average(keras.callbacks.Callback):
    """Keeps a moving average of the weights and puts it into the model after every step."""

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.kept: list[Any] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.kept = self.model.get_weights()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        pairs = zip(self.kept, self.model.get_weights(), strict=True)
        self.kept = [self.decay * old + (1 - self.decay) * new for old, new in pairs]
        self.model.set_weights(self.kept)


@outside_sick(
    "stagnant_weights",
    ["conv_1", "conv_2", "new_kinds"],
    family="fine_tuning",
    source="https://github.com/Nerogar/OneTrainer/issues/889",
    accepted="With a moving average of the weights after every step nothing is learned, and without it all is well.",
    also=("no_learning", "learning_rate"),
)
def weights_replaced_by_their_average() -> Training:
    """A network that knows five digits is tuned to five others, and each step puts a slow average in its weights."""
    x, y = digits()
    old, new = y < 5, y >= 5
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(12, 3, activation="relu", name="conv_1"),
            layers.Conv2D(24, 3, activation="relu", name="conv_2"),
            layers.GlobalMaxPooling2D(name="pool"),
            layers.Dense(5, name="kinds"),
        ]
    )
    compiled(model, keras.optimizers.Adam(0.005)).fit(x[old][..., None], y[old], epochs=3, verbose=0)
    scores = layers.Dense(5, name="new_kinds")(model.get_layer("pool").output)
    tuned = keras.Model(model.inputs, scores)
    compiled(tuned, keras.optimizers.SGD(0.01))
    return Training(tuned, x[new][..., None], y[new] - 5, epochs=8, fit={"callbacks": [Average(0.9999)]})
