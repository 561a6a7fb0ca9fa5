"""Healthy programs for sound, on generated tones."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import Array
from benchmarks.cases.outside.healthy_goals import binary_entropy, class_entropy

LENGTH = 256


def sounds(count: int = 360) -> tuple[Array, Array]:
    """`[count, 256]` waveforms of a low tone, a high tone, a rising one or a chord, with noise, and which."""
    random = np.random.default_rng(49)
    time = np.arange(LENGTH) / LENGTH
    kind = random.integers(0, 4, count)
    phase, stretch = random.uniform(0, 6, (count, 1)), random.uniform(0.9, 1.1, (count, 1))
    pitch = np.array([12, 30, 12, 12])[kind][:, None] * stretch
    rising = np.where(kind[:, None] == 2, pitch * (1 + time), pitch)
    wave = np.sin(2 * np.pi * rising * time + phase)
    wave += np.where(kind[:, None] == 3, np.sin(2 * np.pi * 2.5 * pitch * time), 0)
    begins = random.uniform(0, 0.4, (count, 1))
    wave = wave * (time > begins) + random.normal(0, 0.15, wave.shape)
    return (0.4 * wave).astype("float32"), kind


def spectrograms(waves: Array) -> Array:
    """`[count, 15, 17]` sizes of frequencies over time."""
    return np.asarray(tf.abs(tf.signal.stft(waves, frame_length=32, frame_step=16)))


@outside_healthy("audio")
def audio_simple_commands() -> Training:
    """Spoken commands as pictures of spectrograms, resized and normalized in the model; half is dropped at the end."""
    waves, y = sounds()
    x = spectrograms(waves)[..., None]
    norm_layer = layers.Normalization()
    norm_layer.adapt(x)
    model = keras.Sequential(
        [
            layers.Input(shape=x.shape[1:]),
            layers.Resizing(12, 12),
            norm_layer,
            layers.Conv2D(12, 3, activation="relu"),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(48, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(4),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).cache().shuffle(360, seed=5).batch(32).prefetch(1)
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=3)
    return Training(
        model,
        dataset,
        None,
        epochs=8,
        views=(View(model, x, y),),
        constant_loss=class_entropy(y),
        fit={"batch_size": None, "shuffle": False, "callbacks": [stop]},
    )


def residual_block(x: Any, filters: int, conv_num: int) -> Any:
    s = layers.Conv1D(filters, 1, padding="same")(x)
    for _ in range(conv_num - 1):
        x = layers.Conv1D(filters, 3, padding="same")(x)
        x = layers.Activation("relu")(x)
    x = layers.Conv1D(filters, 3, padding="same")(x)
    x = layers.Activation("relu")(layers.Add()([x, s]))
    return layers.MaxPool1D(pool_size=2, strides=2)(x)


@outside_healthy("audio")
def audio_speakers_residual() -> Training:
    """Speakers by the Fourier transform of their voice with residual convolutions; most frequencies are silent."""
    waves, y = sounds()
    x = np.abs(np.fft.rfft(waves))[:, :64, None].astype("float32") / 8
    inputs = layers.Input(shape=(64, 1), name="input")
    body = residual_block(inputs, 8, 2)
    body = residual_block(body, 24, 3)
    body = layers.Flatten()(layers.AveragePooling1D(pool_size=3, strides=3)(body))
    body = layers.Dense(48, activation="relu")(body)
    outputs = layers.Dense(4, activation="softmax", name="output")(layers.Dense(24, activation="relu")(body))
    model = keras.Model(inputs=inputs, outputs=outputs)
    model.compile(optimizer="Adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    stop = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
    return Training(model, x, y, epochs=10, batch_size=16, fit={"callbacks": [stop], "validation_split": 0.1})


@outside_healthy("audio")
def audio_events_by_frame() -> Training:
    """Rare events in a recording, several answers for each frame, with a bidirectional GRU."""
    random = np.random.default_rng(50)
    frames = random.gamma(2.0, 0.2, (240, 20, 16))
    events = np.zeros((240, 20, 3), "float32")
    for event in range(3):
        begins = random.integers(0, 17, 240)
        occurs = random.random(240) < 0.5
        inside = (np.arange(20) >= begins[:, None]) & (np.arange(20) < begins[:, None] + 3) & occurs[:, None]
        frames[:, :, 4 * event : 4 * event + 4] += inside[..., None] * random.uniform(0.3, 1.2, (240, 1, 4))
        events[:, :, event] = inside
    model = keras.Sequential(
        [
            keras.Input((20, 16)),
            layers.BatchNormalization(momentum=0.9),
            layers.Bidirectional(layers.GRU(16, return_sequences=True), merge_mode="mul"),
            layers.TimeDistributed(layers.Dense(16, activation="relu")),
            layers.Dense(3, activation="sigmoid"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(0.005),
        loss="binary_crossentropy",
        metrics=["binary_accuracy"],
        jit_compile=False,
    )
    constant = binary_entropy(events.reshape(-1, 3))
    return Training(model, frames.astype("float32"), events, epochs=4, batch_size=16, constant_loss=constant)


class SpeechFeatures(layers.Layer):
    """Strided convolutions and a learned embedding of the position."""

    def __init__(self, num_hid: int) -> None:
        super().__init__()
        self.conv1 = layers.Conv1D(num_hid, 5, strides=2, padding="same", activation="relu")
        self.conv2 = layers.Conv1D(num_hid, 5, strides=2, padding="same", activation="relu")

    def build(self, input_shape: Any) -> None:
        self.conv1.build(input_shape)
        halved = self.conv1.compute_output_shape(input_shape)
        self.conv2.build(halved)
        self.position = self.add_weight(shape=self.conv2.compute_output_shape(halved)[1:], name="position")

    def call(self, x: Any) -> Any:
        return self.conv2(self.conv1(x)) + self.position


class EncoderLayer(layers.Layer):
    """One layer of a transformer's encoder."""

    def __init__(self, embed_dim: int, num_heads: int, feed_forward_dim: int) -> None:
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.ffn = keras.Sequential([layers.Dense(feed_forward_dim, activation="relu"), layers.Dense(embed_dim)])
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout = layers.Dropout(0.1)

    def build(self, input_shape: Any) -> None:
        self.att.build(input_shape, input_shape)
        for layer in (self.ffn, self.layernorm1, self.layernorm2):
            layer.build(input_shape)

    def call(self, inputs: Any, training: bool = False) -> Any:
        out1 = self.layernorm1(inputs + self.dropout(self.att(inputs, inputs), training=training))
        return self.layernorm2(out1 + self.dropout(self.ffn(out1), training=training))


@outside_healthy("audio")
def audio_speech_transformer() -> Training:
    """A speech transformer with strided convolutions first and a learning rate that rises and falls."""
    waves, y = sounds()
    x = np.log(spectrograms(waves) + 0.05)
    inputs = keras.Input(x.shape[1:])
    body = SpeechFeatures(24)(inputs)
    body = EncoderLayer(24, 2, 32)(body)
    model = keras.Model(inputs, layers.Dense(4)(layers.GlobalAveragePooling1D()(body)))
    schedule = keras.optimizers.schedules.CosineDecay(1e-5, 100, warmup_target=0.004, warmup_steps=24)
    model.compile(
        optimizer=keras.optimizers.Adam(schedule, beta_2=0.98),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return Training(model, x, y, epochs=8)
