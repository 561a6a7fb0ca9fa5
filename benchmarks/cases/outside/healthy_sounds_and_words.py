"""Healthy programs for sound and text: recurrent convolutions, tags, alignments, pairs of words and sentences."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_audio import sounds, spectrograms
from benchmarks.cases.outside.healthy_goals import binary_entropy, class_entropy, entropy_by_position
from benchmarks.cases.outside.healthy_text import VOCABULARY, reviews


@outside_healthy("audio")
def audio_recurrent_convolutions() -> Training:
    """Log spectrograms through convolutions, then a GRU over time, with batch normalization and ELU."""
    waves, y = sounds()
    x = np.log(spectrograms(waves) + 1e-2)[..., None]
    inputs = keras.Input(x.shape[1:])
    body = layers.BatchNormalization(momentum=0.9)(inputs)
    for filters in (12, 24):
        body = layers.Conv2D(filters, 3, padding="same")(body)
        body = layers.Activation("elu")(layers.BatchNormalization(momentum=0.9)(body))
        body = layers.Dropout(0.1)(layers.MaxPooling2D((1, 2))(body))
    body = layers.Reshape((15, -1))(body)
    body = layers.GRU(24)(layers.GRU(24, return_sequences=True)(body))
    model = keras.Model(inputs, layers.Dense(4, activation="softmax")(layers.Dropout(0.2)(body)))
    compiled(model, keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=8)


@outside_healthy("audio")
def audio_event_tags() -> Training:
    """Several tags for each sound: eight sigmoids, most of whose targets are zero, and raw sizes of frequencies."""
    random = np.random.default_rng(121)
    tags = random.random((500, 8)) < 0.15
    time = np.arange(256) / 256
    tones = np.sin(2 * np.pi * np.arange(8, 120, 14)[:, None] * time + 0.3)
    waves = (tags @ tones * 0.5 + random.normal(0, 0.1, (500, 256))).astype("float32")
    x = spectrograms(waves)
    inputs = keras.Input(x.shape[1:])
    body = layers.Conv1D(32, 3, activation="relu")(inputs)
    body = layers.Conv1D(32, 3, activation="relu")(layers.SpatialDropout1D(0.1)(body))
    body = layers.GlobalMaxPooling1D()(body)
    model = keras.Model(inputs, layers.Dense(8, activation="sigmoid")(body))
    compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy", metrics=["binary_accuracy"])
    y = tags.astype("float32")
    return Training(model, x, y, epochs=12, constant_loss=binary_entropy(y))


@outside_healthy("audio")
def audio_denoised_waves() -> Training:
    """Noise is taken from waves by a one-dimensional U-Net with tanh at its end, as samples lie between -1 and 1."""
    waves, _ = sounds(320)
    noisy = waves + np.random.default_rng(122).normal(0, 0.3, waves.shape)
    inputs = keras.Input((256, 1))
    first = layers.Conv1D(12, 9, strides=2, padding="same")(inputs)
    second = layers.Conv1D(24, 9, strides=2, padding="same")(layers.LeakyReLU()(first))
    up = layers.Conv1DTranspose(12, 9, strides=2, padding="same", activation="relu")(layers.LeakyReLU()(second))
    up = layers.Concatenate()([up, first])
    outputs = layers.Conv1DTranspose(1, 9, strides=2, padding="same", activation="tanh")(up)
    model = keras.Model(inputs, outputs)
    compiled(model, keras.optimizers.Adam(0.003), "mae")
    x = noisy.astype("float32")[..., None]
    return Training(model, x, waves[..., None], epochs=8, batch_size=16, constant_loss=float(np.abs(waves).mean()))


@outside_healthy("audio")
def audio_connectionist_labels() -> Training:
    """Sequences of tones to sequences of labels without alignment: the loss starts in the tens."""
    random = np.random.default_rng(123)
    labels = random.integers(1, 5, (320, 3)).astype("int32")
    tones = np.repeat(labels, 5, axis=1)
    x = np.eye(5)[tones][..., 1:] + random.normal(0, 0.2, (320, 15, 4))
    inputs = keras.Input((15, 4))
    body = layers.Bidirectional(layers.LSTM(24, return_sequences=True))(inputs)
    body = layers.Dense(24, activation="relu")(body)
    model = keras.Model(inputs, layers.Dense(5)(body))
    compiled(model, keras.optimizers.Adam(0.01), keras.losses.CTC())

    def exact() -> float:
        best = np.asarray(model(x.astype("float32"))).argmax(-1)
        decoded = [[k for at, k in enumerate(row) if k and (at == 0 or k != row[at - 1])] for row in best]
        return float(np.mean([np.isin(labels[at], found).all() for at, found in enumerate(decoded)]))

    return Training(model, x.astype("float32"), labels, epochs=14, goal=Goal("all labels found", exact, at_least=0.6))


@outside_healthy("text")
def text_bidirectional_sentiment() -> Training:
    """Two bidirectional LSTMs on embeddings of padded reviews; most words are rare and their rows hardly change."""
    x, y = reviews()
    inputs = keras.Input(shape=(None,), dtype="int32")
    body = layers.Embedding(VOCABULARY, 24)(inputs)
    body = layers.Bidirectional(layers.LSTM(16, return_sequences=True))(body)
    body = layers.Bidirectional(layers.LSTM(16))(body)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(body))
    compiled(model, keras.optimizers.Adam(0.003), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, x, y, epochs=6, constant_loss=binary_entropy(y))


@outside_healthy("text")
def text_parallel_convolutions() -> Training:
    """Convolutions of three widths side by side and the largest answer of each, for sentences."""
    x, y = reviews()
    inputs = keras.Input((20,), dtype="int32")
    words = layers.Dropout(0.3)(layers.Embedding(VOCABULARY, 24)(inputs))
    parts = [layers.GlobalMaxPooling1D()(layers.Conv1D(16, size, activation="relu")(words)) for size in (2, 3, 4)]
    body = layers.Dropout(0.5)(layers.Concatenate()(parts))
    penalty = keras.regularizers.l2(0.001)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid", kernel_regularizer=penalty)(body))
    compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy")
    return Training(model, x, y, epochs=8, constant_loss=binary_entropy(y))


@outside_healthy("text")
def text_skip_grams() -> Training:
    """Word vectors from pairs that occur together and drawn ones that do not; two tables and nothing else."""
    random = np.random.default_rng(124)
    topic = random.integers(0, 6, 3000)
    words = topic[:, None] * 10 + np.minimum(random.geometric(0.3, (3000, 2)) - 1, 9)
    drawn = np.stack([words[:, 0], random.permutation(words[:, 1])], 1)
    pairs = np.concatenate([words, drawn]).astype("int32")
    y = np.repeat([1.0, 0.0], 3000).astype("float32")[:, None]
    target, context = keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")
    near = layers.Embedding(60, 16, name="w2v_embedding")(target)
    far = layers.Embedding(60, 16, name="context_embedding")(context)
    model = keras.Model([target, context], layers.Flatten()(layers.Dot(axes=2)([near, far])))
    compiled(model, keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    return Training(model, [pairs[:, :1], pairs[:, 1:]], y, epochs=5, batch_size=128, constant_loss=0.693)


@outside_healthy("text")
def text_reversed_with_attention() -> Training:
    """Words are written in reverse order by a GRU with attention to the encoder's states."""
    random = np.random.default_rng(125)
    x = random.integers(2, 12, (900, 6)).astype("int32")
    y = x[:, ::-1]
    given = np.concatenate([np.ones((900, 1), "int32"), y[:, :-1]], 1)
    source, before = keras.Input((6,), dtype="int32"), keras.Input((6,), dtype="int32")
    places = layers.Embedding(6, 16)(np.arange(6)[None])
    read = layers.Embedding(12, 16)(source) + places
    keys, state = layers.GRU(32, return_sequences=True, return_state=True)(read)
    written = layers.GRU(32, return_sequences=True)(layers.Embedding(12, 16)(before), initial_state=state)
    seen = layers.Attention(use_scale=True)([written, keys])
    body = layers.Dense(32, activation="tanh")(layers.Concatenate()([written, seen]))
    model = keras.Model([source, before], layers.Dense(12)(body))
    compiled(model, keras.optimizers.Adam(0.01))
    return Training(model, [x, given], y, epochs=10, constant_loss=entropy_by_position(y))


@outside_healthy("text")
def text_bag_of_words() -> Training:
    """Multi-hot words through two ReLU layers with L2 and dropout by RMSprop: the classic first example."""
    x, y = reviews(640)
    hot = np.zeros((len(x), VOCABULARY), "float32")
    hot[np.arange(len(x))[:, None], x] = 1.0
    penalty = keras.regularizers.l2(0.002)
    model = keras.Sequential(
        [
            keras.Input((VOCABULARY,)),
            layers.Dense(16, kernel_regularizer=penalty, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(16, kernel_regularizer=penalty, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    compiled(model, "rmsprop", "binary_crossentropy", metrics=["accuracy"])
    return Training(model, hot, y, epochs=12, goal=accuracy_of_sign(model, hot, y))


def accuracy_of_sign(model: keras.Model, x: Array, y: Array) -> Goal:
    """The share of rows on whose side of one half the answer is."""

    def measure() -> float:
        return float(((np.asarray(model(x)) > 0.5) == (y > 0.5)).mean())

    return Goal("accuracy", measure, at_least=0.85)


@outside_healthy("text")
def text_sentence_pairs() -> Training:
    """Whether two sentences mean the same: one encoder for both, absolute differences and products."""
    random = np.random.default_rng(126)
    left = random.integers(1, 30, (900, 8)).astype("int32")
    is_same = random.random(900) < 0.5
    shuffled = np.take_along_axis(left, random.random((900, 8)).argsort(1), 1)
    right = np.where(is_same[:, None], shuffled, random.integers(1, 30, (900, 8))).astype("int32")
    words = layers.Embedding(30, 16)
    encode = layers.Dense(24, activation="tanh")

    def code(tokens: Any) -> Any:
        return encode(layers.GlobalAveragePooling1D()(words(tokens)))

    first, second = keras.Input((8,), dtype="int32"), keras.Input((8,), dtype="int32")
    u, v = code(first), code(second)
    gap = layers.Lambda(lambda pair: ops.abs(pair[0] - pair[1]))([u, v])
    body = layers.Concatenate()([u, v, gap, layers.Multiply()([u, v])])
    body = layers.Dense(32, activation="relu")(body)
    model = keras.Model([first, second], layers.Dense(2, activation="softmax")(body))
    compiled(model, keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    return Training(model, [left, right], is_same.astype("int32"), epochs=10, constant_loss=class_entropy(is_same))


@outside_healthy("text")
def text_next_characters() -> Training:
    """A small transformer that continues text, with learned positions and a causal mask, in AdamW with warmup."""
    text = "she sells sea shells by the sea shore and the shells she sells are sea shells for sure. " * 12
    letters = sorted(set(text))
    numbers = np.array([letters.index(letter) for letter in text])
    starts = np.arange(0, len(text) - 17, 2)
    x = numbers[starts[:, None] + np.arange(16)].astype("int32")
    y = numbers[starts[:, None] + np.arange(1, 17)].astype("int32")
    inputs = keras.Input((16,), dtype="int32")
    body = layers.Embedding(len(letters), 24)(inputs) + layers.Embedding(16, 24)(np.arange(16)[None])
    for _ in range(2):
        normed = layers.LayerNormalization()(body)
        body = body + layers.MultiHeadAttention(2, 12)(normed, normed, use_causal_mask=True)
        body = body + layers.Dense(24)(layers.Dense(48, activation="gelu")(layers.LayerNormalization()(body)))
    model = keras.Model(inputs, layers.Dense(len(letters))(layers.LayerNormalization()(body)))
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 150, warmup_target=0.005, warmup_steps=20)
    compiled(model, keras.optimizers.AdamW(schedule, weight_decay=0.01))
    return Training(model, x, y, epochs=8, constant_loss=class_entropy(y))
