"""Healthy programs on text: dates, copied names, rude comments, ranked pages, rare words, a cell for letters."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import LOGITS, compiled
from benchmarks.cases.outside.healthy_goals import accuracy, binary_entropy, class_entropy, entropy_by_position

MONTHS = "january february march april may june july august september october november december".split()
LETTERS = " abcdefghijklmnopqrstuvwxyz0123456789.,/-"


def written_dates(count: int) -> tuple[Array, Array]:
    """Dates as people write them, padded letters, and the ten characters of the same date as a machine writes it."""
    random = np.random.default_rng(1201)
    x, y = np.zeros((count, 18), "int32"), np.zeros((count, 10), "int32")
    for row in range(count):
        year, month, day = (int(random.integers(*bounds)) for bounds in ((1950, 2030), (1, 13), (1, 29)))
        name = MONTHS[month - 1]
        styles = (f"{day} {name} {year}", f"{name} {day}, {year}", f"{day}.{month}.{year}", f"{name[:3]} {day} {year}")
        text = styles[random.integers(len(styles))]
        x[row, : len(text)] = [LETTERS.index(letter) for letter in text]
        y[row] = ["-0123456789".index(letter) for letter in f"{year}-{month:02}-{day:02}"]
    return x, y


@outside_healthy("text")
def text_dates_in_another_form() -> Training:
    """Dates as people write them to those of a machine: the exercise with attention by shared layers and ten steps."""
    x, y = written_dates(800)
    inputs = layers.Input((18,), dtype="int32")
    letters = layers.Embedding(len(LETTERS), 24)(inputs)
    seen = layers.Bidirectional(layers.LSTM(32, return_sequences=True))(letters)
    repeat, join = layers.RepeatVector(18), layers.Concatenate()
    narrow, energy = layers.Dense(16, activation="tanh"), layers.Dense(1)
    shares, context = layers.Softmax(axis=1), layers.Dot(axes=1)
    cell, scores, flat = layers.LSTMCell(64), layers.Dense(11), layers.Flatten()
    starts = state, memory = layers.Input((64,)), layers.Input((64,))
    written = []
    for _ in range(10):
        weights = shares(energy(narrow(join([repeat(state), seen]))))
        state, (_, memory) = cell(flat(context([weights, seen])), [state, memory])
        written.append(scores(state))
    stack = layers.Lambda(lambda values: ops.stack(values, axis=1))
    model = keras.Model([inputs, *starts], stack(written))
    rate = keras.optimizers.schedules.InverseTimeDecay(0.005, 100, 0.1)
    compiled(model, keras.optimizers.Adam(rate, clipnorm=1.0))
    zeros = np.zeros((len(x), 64), "float32")
    goal = accuracy(model, [x, zeros, zeros], y, 0.5)
    return Training(model, [x, zeros, zeros], y, 8, 40, constant_loss=entropy_by_position(y), goal=goal)


class Placed(layers.Layer):
    """Adds a learned vector for each place."""

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.RandomNormal(stddev=0.05)
        self.places = self.add_weight(input_shape[1:], initializer=start, name="places")

    def call(self, values: Any) -> Any:
        return values + self.places


@outside_healthy("text")
def text_copied_or_written() -> Training:
    """Headlines by a pointer-generator: a gate mixes a softmax over 40 words with attention that copies rare names."""
    random = np.random.default_rng(1202)
    words, names = random.integers(10, 40, (800, 9)), random.integers(40, 240, (800, 9))
    x = np.where(random.random((800, 9)) < 0.4, names, words)
    is_filler = random.permuted(np.tile(np.arange(9) < 4, (800, 1)), axis=1)
    other_words = np.concatenate([np.arange(10), 10 + random.permutation(30), np.arange(40, 240)])
    y = other_words[x[~is_filler]].reshape(800, 5).astype("int32")
    x = np.where(is_filler, random.integers(1, 10, x.shape), x).astype("int32")
    before = np.pad(y[:, :-1], ((0, 0), (1, 0))).astype("int32")
    source, given = layers.Input((9,), dtype="int32"), layers.Input((5,), dtype="int32")
    table = layers.Embedding(240, 64)
    seen = layers.Bidirectional(layers.GRU(64, return_sequences=True), merge_mode="sum")(table(source))
    start = layers.Dense(64, activation="tanh")(layers.GlobalAveragePooling1D()(seen))
    states = layers.GRU(64, return_sequences=True)(Placed()(table(given)), initial_state=start)
    shares = layers.Softmax()(layers.Dot(axes=2)([layers.Dense(64)(states), layers.Dense(64)(seen)]))
    context = layers.Dot(axes=(2, 1))([shares, seen])
    both = layers.Concatenate()([states, context])
    generated = layers.Dense(40, activation="softmax")(layers.Dense(64, activation="tanh")(both))
    gate = layers.Dense(1, activation="sigmoid", name="gate")(both)
    spots = layers.Lambda(lambda numbers: ops.one_hot(numbers, 240), output_shape=(9, 240))(source)
    copied = layers.Dot(axes=(2, 1))([shares, spots])
    mix = layers.Lambda(
        lambda parts: parts[0] * ops.pad(parts[1], ((0, 0), (0, 0), (0, 200))) + (1 - parts[0]) * parts[2] + 1e-8
    )
    model = keras.Model([source, given], mix([gate, generated, copied]))
    compiled(model, keras.optimizers.Adam(0.003, clipnorm=2.0), "sparse_categorical_crossentropy")
    return Training(model, [x, before], y, 10, gates=("gate",), constant_loss=entropy_by_position(y))


@outside_healthy("text")
def text_rude_comments_by_two_pools() -> Training:
    """Six kinds of rude comments, all of them rare, on frozen vectors: a GRU both ways, its mean and its largest."""
    random = np.random.default_rng(1203)
    kinds = np.concatenate([np.zeros(700, int), np.repeat(np.arange(1, 7), 20)])
    vectors = (random.normal(0, 1, (820, 64)) + random.normal(0, 1.2, (7, 64))[kinds] * (kinds > 0)[:, None]).astype(
        "float32"
    )
    y = random.random((1600, 6)) < np.array([0.12, 0.08, 0.06, 0.05, 0.04, 0.03])
    x = 1 + random.integers(0, 699, (1600, 30))
    for kind in range(6):
        place = random.integers(0, 30, (1600, 2))
        for at in place.T:
            rude = 700 + 20 * kind + random.integers(0, 20, 1600)
            x[np.arange(1600), at] = np.where(y[:, kind], rude, x[np.arange(1600), at])
    table = layers.Embedding(820, 64, weights=[vectors], trainable=False)
    inputs = layers.Input((30,), dtype="int32")
    body = layers.SpatialDropout1D(0.2)(table(inputs))
    body = layers.Bidirectional(layers.GRU(48, return_sequences=True))(body)
    pools = [layers.GlobalAveragePooling1D()(body), layers.GlobalMaxPooling1D()(body)]
    model = keras.Model(inputs, layers.Dense(6, activation="sigmoid")(layers.Concatenate()(pools)))
    rate = keras.optimizers.schedules.ExponentialDecay(0.002, 100, 0.9)
    compiled(model, keras.optimizers.RMSprop(rate), "binary_crossentropy")
    y = y.astype("float32")
    return Training(model, x.astype("int32"), y, epochs=5, constant_loss=binary_entropy(y))


class Kernels(layers.Layer):
    """How many pairs of words are about as similar as each of eleven levels, as logarithms, summed over the query."""

    def call(self, pair: Any) -> Any:
        query, page = (vectors / (ops.norm(vectors, axis=-1, keepdims=True) + 1e-6) for vectors in pair)
        likeness = ops.matmul(query, ops.transpose(page, (0, 2, 1)))[..., None]
        centers = ops.convert_to_tensor(np.append(np.linspace(-0.9, 0.9, 10), 1).astype("float32"))
        widths = ops.convert_to_tensor(np.array([0.1] * 10 + [0.001], "float32"))
        counts = ops.sum(ops.exp(-ops.square((likeness - centers) / widths) / 2), axis=2)
        return 0.01 * ops.sum(ops.log(ops.maximum(counts, 1e-10)), axis=1)


@outside_healthy("text")
def text_pages_ranked_by_kernels() -> Training:
    """Pages for a query by kernels over similarities of words, a tanh score and a hinge loss on pairs: K-NRM."""
    random = np.random.default_rng(1204)
    meanings = np.arange(400) % 40
    vectors = (random.normal(0, 1, (40, 48))[meanings] + random.normal(0, 1, (400, 48))).astype("float32") / 48**0.5
    topics = random.integers(0, 40, (1500, 3))
    query = topics + 40 * random.integers(0, 10, topics.shape)
    good, bad = random.integers(0, 400, (2, 1500, 15))
    for page, count in ((good, 3), (bad, 1)):
        for part in range(count):
            page[np.arange(1500), random.integers(0, 15, 1500)] = topics[:, part] + 40 * random.integers(0, 10, 1500)
    inputs = [layers.Input((length,), dtype="int32") for length in (3, 15, 15)]
    table = layers.Embedding(400, 48, weights=[vectors])
    kernels, score = Kernels(), layers.Dense(1, activation="tanh")
    first, second = (score(kernels([table(inputs[0]), table(page)])) for page in inputs[1:])
    model = keras.Model(inputs, layers.Subtract()([first, second]))
    compiled(model, keras.optimizers.Adam(0.003, epsilon=1e-5), "hinge")
    x = [part.astype("int32") for part in (query, good, bad)]
    return Training(model, x, np.ones((1500, 1), "float32"), epochs=15, constant_loss=1.0)


@outside_healthy("text")
def text_rare_words_in_clusters() -> Training:
    """A language model with an adaptive softmax: rare words in two clusters behind narrow layers; averaged weights."""
    random = np.random.default_rng(1205)
    shares = 1 / np.arange(1, 401) ** 1.1
    chances = (shares * random.gamma(0.15, 1, (400, 400))).cumsum(1)
    chances /= chances[:, -1:]
    text = np.zeros((400, 21), "int32")
    text[:, 0] = random.choice(400, 400, p=shares / shares.sum())
    for place in range(1, 21):
        text[:, place] = (chances[text[:, place - 1]] < random.random((400, 1))).sum(1)
    x, y = text[:, :-1], text[:, 1:]
    inputs = layers.Input((20,), dtype="int32")
    body = layers.Dropout(0.1)(layers.Embedding(400, 96)(inputs))
    body = layers.Dropout(0.1)(layers.LSTM(96, return_sequences=True)(body))
    front = layers.Activation("log_softmax")(layers.Dense(62)(body))
    parts = [layers.Lambda(lambda values: values[..., :60])(front)]
    for number, (width, size) in enumerate(((32, 140), (12, 200))):
        inside = layers.Dense(size, activation="log_softmax")(layers.Dense(width, use_bias=False)(body))
        door = layers.Lambda(lambda values, at=60 + number: values[..., at : at + 1])(front)
        parts.append(layers.Add()([inside, door]))
    model = keras.Model(inputs, layers.Concatenate()(parts))
    compiled(model, keras.optimizers.Nadam(0.004, clipnorm=1.0, use_ema=True, ema_momentum=0.98), LOGITS)
    return Training(model, x, y, epochs=18, batch_size=20, constant_loss=entropy_by_position(y))


class NormalizedCell(layers.Layer):
    """A cell with long short-term memory, normalized sums, and states that now and then stay as they were."""

    def __init__(self, units: int, kept: float) -> None:
        super().__init__()
        self.units, self.kept, self.seed = units, kept, keras.random.SeedGenerator(1206)
        self.state_size, self.output_size = [units, units], units
        self.normal, self.memory_normal = layers.LayerNormalization(), layers.LayerNormalization()

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], 4 * self.units), initializer="glorot_uniform", name="kernel")
        self.recurrent = self.add_weight((self.units, 4 * self.units), initializer="orthogonal", name="recurrent")
        self.normal.build((None, 4 * self.units))
        self.memory_normal.build((None, self.units))

    def call(self, values: Any, states: Any, training: bool = False) -> Any:
        state, memory = states
        sums = self.normal(ops.matmul(values, self.kernel) + ops.matmul(state, self.recurrent))
        put, forget, out, new = ops.split(sums, 4, axis=-1)
        then = ops.sigmoid(forget + 1) * memory + ops.sigmoid(put) * ops.tanh(new)
        given = ops.sigmoid(out) * ops.tanh(self.memory_normal(then))
        return given, [self.mixed(given, state, training), self.mixed(then, memory, training)]

    def mixed(self, new: Any, old: Any, training: bool) -> Any:
        if not training:
            return (1 - self.kept) * new + self.kept * old
        drawn = keras.random.uniform(ops.shape(new), seed=self.seed)
        return ops.where(drawn < self.kept, old, new)


@outside_healthy("text")
def text_names_by_a_cell_with_zoneout() -> Training:
    """From which of six languages a name is, letter by letter, by a cell of its own with normalization and zoneout."""
    random = np.random.default_rng(1207)
    y = random.integers(0, 6, 1000).astype("int32")
    chances = random.dirichlet(np.full(26, 0.25), (6, 26)).cumsum(-1)
    x = np.zeros((1000, 11), "int32")
    x[:, 0] = 1 + random.integers(0, 26, 1000)
    for place in range(1, 11):
        drawn = (chances[y, x[:, place - 1] - 1] < random.random((1000, 1))).sum(1).clip(max=25)
        x[:, place] = 1 + drawn
    x *= np.arange(11) < random.integers(4, 12, 1000)[:, None]
    inputs = layers.Input((11,), dtype="int32")
    body = layers.Embedding(27, 32, mask_zero=True)(inputs)
    body = layers.RNN(NormalizedCell(64, 0.15), unroll=True)(body)
    model = keras.Model(inputs, layers.Dense(6)(layers.Dropout(0.3)(body)))
    compiled(model, keras.optimizers.Lion(0.0015, weight_decay=0.01))
    return Training(model, x, y, epochs=14, constant_loss=class_entropy(y))
