"""Healthy programs for sound that work on waves: separation, generation, pitch, similarity."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.outside.healthy_audio import LENGTH, sounds, spectrograms
from benchmarks.cases.outside.healthy_goals import entropy_by_position


@outside_healthy("audio")
def audio_source_mask() -> Training:
    """Separation of a voice by a mask on the spectrogram, as a small U-Net: where all is silent the mask is free."""
    voice, _ = sounds(320)
    noise = np.cumsum(np.random.default_rng(51).normal(0, 0.15, voice.shape), 1)
    noise = noise - noise.mean(1, keepdims=True)
    mixed, clean = (spectrograms(wave.astype("float32"))[:, :12, :16] for wave in (voice + noise, voice))
    inputs = keras.Input((12, 16))
    level = layers.Lambda(ops.log1p)(inputs)
    down = layers.Conv1D(24, 3, padding="same", activation="relu")(level)
    body = layers.Conv1D(32, 3, strides=2, padding="same", activation="elu")(down)
    body = layers.Conv1DTranspose(24, 4, strides=2, padding="same", activation="relu")(body)
    body = layers.concatenate([body, down])
    mask = layers.Conv1D(16, 3, padding="same", activation="sigmoid", name="mask")(body)
    model = keras.Model(inputs, layers.Multiply()([mask, inputs]))
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss="mae", jit_compile=False)
    constant = float(np.abs(clean - np.median(clean, 0)).mean())
    return Training(model, mixed, clean, epochs=16, gates=("mask",), constant_loss=constant)


def gated_block(x: Any, filters: int, dilation: int) -> tuple[Any, Any]:
    """A dilated convolution and its gate, with a part for the skip connection and a part for the next block."""
    signal = layers.Conv1D(filters, 2, dilation_rate=dilation, padding="causal", activation="tanh")(x)
    gate = layers.Conv1D(filters, 2, dilation_rate=dilation, padding="causal", activation="sigmoid")(x)
    gated = layers.multiply([signal, gate])
    return layers.add([x, layers.Conv1D(filters, 1)(gated)]), layers.Conv1D(filters, 1)(gated)


@outside_healthy("audio")
def audio_wave_generation() -> Training:
    """The next sample of a wave among 16 levels as in WaveNet: tanh times sigmoid in every block."""
    waves, _ = sounds(200)
    levels = np.digitize(np.tanh(waves[:, 100:133] * 2), np.linspace(-0.9, 0.9, 15))
    inputs = keras.Input((32,), dtype="int32")
    body = layers.Conv1D(16, 2, padding="causal")(layers.Embedding(16, 16)(inputs))
    skips = []
    for dilation in (1, 2, 4):
        body, skip = gated_block(body, 16, dilation)
        skips.append(skip)
    body = layers.ReLU()(layers.add(skips))
    body = layers.Conv1D(24, 1, activation="relu")(body)
    model = keras.Model(inputs, layers.Conv1D(16, 1)(body))
    model.compile(
        optimizer=keras.optimizers.Adam(0.005),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    x, y = levels[:, :-1].astype("int32"), levels[:, 1:]
    return Training(model, x, y, epochs=8, batch_size=16, constant_loss=entropy_by_position(y))


@outside_healthy("audio")
def audio_pitch_regression() -> Training:
    """Pitch in octaves from the raw wave with strided convolutions and Lion, whose steps all have the same size."""
    random = np.random.default_rng(52)
    octave = random.uniform(0, 2.5, 400).astype("float32")
    time = np.arange(LENGTH) / LENGTH
    wave = np.sin(2 * np.pi * 8 * 2 ** octave[:, None] * time + random.uniform(0, 6, (400, 1)))
    x = (wave + random.normal(0, 0.1, wave.shape)).astype("float32")[..., None]
    model = keras.Sequential(
        [
            keras.Input((LENGTH, 1)),
            layers.Conv1D(16, 9, strides=2, activation="leaky_relu"),
            layers.Conv1D(16, 9, strides=2, activation="leaky_relu"),
            layers.Conv1D(24, 5, strides=2, activation="leaky_relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(24, activation="leaky_relu"),
            layers.Dense(1),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Lion(learning_rate=0.0015, weight_decay=0.01), loss="mse", jit_compile=False
    )
    return Training(model, x, octave[:, None], epochs=8)


class TripletModel(keras.Model):
    """Pulls sounds of one kind together and pushes others away."""

    def __init__(self, embedding: keras.Model, margin: float) -> None:
        super().__init__()
        self.embedding = embedding
        self.margin = margin
        self.loss_tracker = keras.metrics.Mean(name="loss")

    @property
    def metrics(self) -> list[Any]:
        return [self.loss_tracker]

    def call(self, sound: Any) -> Any:
        return self.embedding(sound)

    def triplet_loss(self, anchor: Any, positive: Any, negative: Any) -> Any:
        near = ops.sum(ops.square(anchor - positive), -1)
        far = ops.sum(ops.square(anchor - negative), -1)
        return ops.mean(ops.maximum(near - far + self.margin, 0.0))

    def train_step(self, data: Any) -> dict[str, Any]:
        anchor, positive, negative = data
        with tf.GradientTape() as tape:
            embedded = [self.embedding(each, training=True) for each in (anchor, positive, negative)]
            loss = self.triplet_loss(*embedded)
        gradients = tape.gradient(loss, self.embedding.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.embedding.trainable_weights, strict=True))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}


def triplets(x: Array, kind: Array) -> list[Array]:
    """For each sound one of its kind and one of another kind."""
    random = np.random.default_rng(53)
    same = [random.choice(np.flatnonzero(kind == each)) for each in kind]
    other = [random.choice(np.flatnonzero(kind != each)) for each in kind]
    return [x, x[same], x[other]]


@outside_healthy("audio")
def audio_triplet_similarity() -> Training:
    """Similar voices with a triplet loss: it becomes zero for most triplets, which then have no gradient."""
    waves, kind = sounds(320)
    x = spectrograms(waves).astype("float32")
    embedding = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Conv1D(24, 3, activation="relu"),
            layers.Conv1D(24, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(12),
            layers.UnitNormalization(),
        ],
        name="embedding",
    )
    model = TripletModel(embedding, 0.5)
    model(x[:2])
    model.compile(optimizer=keras.optimizers.Adam(0.002), jit_compile=False)
    joined = np.concatenate(triplets(x, kind))
    count = len(x)
    dataset = tf.data.Dataset.from_tensor_slices(tuple(triplets(x, kind))).shuffle(count, seed=6).batch(32)

    def judge(embedded: Any) -> Any:
        return model.triplet_loss(embedded[:count], embedded[count : 2 * count], embedded[2 * count :])

    return Training(
        model,
        dataset,
        None,
        epochs=6,
        views=(View(embedding, joined, loss=judge, prefix="embedding/"),),
        fit={"batch_size": None, "shuffle": False},
    )
