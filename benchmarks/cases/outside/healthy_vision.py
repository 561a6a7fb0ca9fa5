"""Healthy programs for images: classification with convolutions, patches and attention."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, View, outside_healthy
from benchmarks.cases.data import digits, photo_patches


@outside_healthy("vision")
def vision_simple_convnet() -> Training:
    """A first convnet for handwritten digits; half of what the head sees is dropped."""
    x, y = digits()
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(32, kernel_size=(2, 2), activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        loss="categorical_crossentropy",
        optimizer=keras.optimizers.Adam(0.003),
        metrics=["accuracy"],
        jit_compile=False,
    )
    labels = keras.utils.to_categorical(y, 10)
    return Training(model, x[..., None], labels, batch_size=64, fit={"validation_split": 0.1})


class Patches(layers.Layer):
    """Cuts images into square patches."""

    def __init__(self, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size

    def call(self, images: Any) -> Any:
        size = self.patch_size
        patches = ops.image.extract_patches(images, size=size)
        count = (images.shape[1] // size) * (images.shape[2] // size)
        return ops.reshape(patches, (-1, count, size * size * images.shape[-1]))


class PatchEncoder(layers.Layer):
    """Projects patches and adds an embedding of their position."""

    def __init__(self, num_patches: int, projection_dim: int) -> None:
        super().__init__()
        self.num_patches = num_patches
        self.projection = layers.Dense(units=projection_dim)
        self.position_embedding = layers.Embedding(input_dim=num_patches, output_dim=projection_dim)

    def call(self, patch: Any) -> Any:
        positions = ops.expand_dims(ops.arange(0, self.num_patches, 1), 0)
        return self.projection(patch) + self.position_embedding(positions)


def mlp(x: Any, hidden_units: list[int], dropout_rate: float) -> Any:
    for units in hidden_units:
        x = layers.Dense(units, activation=keras.activations.gelu)(x)
        x = layers.Dropout(dropout_rate)(x)
    return x


@outside_healthy("vision")
def vision_transformer() -> Training:
    """A vision transformer on patches of 2 by 2 pixels; attention starts nearly uniform."""
    x, y = digits(512)
    inputs = keras.Input(shape=(8, 8, 1))
    encoded = PatchEncoder(16, 24)(Patches(2)(inputs))
    x1 = layers.LayerNormalization(epsilon=1e-6)(encoded)
    attention_output = layers.MultiHeadAttention(num_heads=2, key_dim=12, dropout=0.1)(x1, x1)
    x2 = layers.Add()([attention_output, encoded])
    x3 = layers.LayerNormalization(epsilon=1e-6)(x2)
    encoded = layers.Add()([mlp(x3, [48, 24], 0.1), x2])
    representation = layers.Flatten()(layers.LayerNormalization(epsilon=1e-6)(encoded))
    features = mlp(layers.Dropout(0.3)(representation), [64], 0.3)
    model = keras.Model(inputs=inputs, outputs=layers.Dense(10)(features))
    model.compile(
        optimizer=keras.optimizers.AdamW(learning_rate=0.002, weight_decay=0.0001),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=False,
    )
    return Training(model, x[..., None], y, epochs=6)


class MixerBlock(layers.Layer):
    """Mixes patches, then channels."""

    def __init__(self, num_patches: int, hidden_units: int) -> None:
        super().__init__()
        self.tokens = keras.Sequential([layers.Dense(num_patches, activation="gelu"), layers.Dense(num_patches)])
        self.channels = keras.Sequential([layers.Dense(hidden_units, activation="gelu"), layers.Dense(hidden_units)])
        self.normalize = layers.LayerNormalization(epsilon=1e-6)

    def build(self, input_shape: Any) -> None:
        batch, patches, channels = input_shape
        self.tokens.build((batch, channels, patches))
        self.channels.build(input_shape)
        self.normalize.build(input_shape)

    def call(self, inputs: Any) -> Any:
        by_channel = ops.transpose(self.normalize(inputs), (0, 2, 1))
        mixed = inputs + ops.transpose(self.tokens(by_channel), (0, 2, 1))
        return mixed + self.channels(self.normalize(mixed))


@outside_healthy("vision")
def vision_mlp_mixer() -> Training:
    """An MLP-Mixer for patches; the learning rate falls when the validation loss rests."""
    x, y = digits(512)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            Patches(2),
            layers.Dense(32),
            MixerBlock(16, 32),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(rate=0.2),
            layers.Dense(10),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Nadam(learning_rate=0.003),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["acc"],
        jit_compile=False,
    )
    rate = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=2)
    return Training(model, x[..., None], y, epochs=10, fit={"callbacks": [rate], "validation_split": 0.1})


@outside_healthy("vision")
def vision_small_xception() -> Training:
    """Classification of photographs from scratch with separable convolutions, augmentation and a partial last batch."""
    patches = photo_patches(330, 16) * 255
    labels = (tf.range(len(patches)) % 2).numpy().astype("float32")[:, None]
    inputs = keras.Input(shape=(16, 16, 3))
    x = layers.RandomFlip("horizontal")(inputs)
    x = layers.Rescaling(1.0 / 255)(x)
    x = layers.Conv2D(16, 3, strides=1, padding="same")(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Activation("relu")(x)
    entry = x
    x = layers.Activation("relu")(x)
    x = layers.SeparableConv2D(24, 3, padding="same")(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Activation("relu")(x)
    x = layers.SeparableConv2D(24, 3, padding="same")(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    residual = layers.Conv2D(24, 1, strides=2, padding="same")(entry)
    x = layers.add([x, residual])
    x = layers.Dropout(0.25)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, layers.Dense(1, activation=None)(x))
    model.compile(
        optimizer=keras.optimizers.Adam(3e-3),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(name="acc")],
        jit_compile=False,
    )
    dataset = tf.data.Dataset.from_tensor_slices((patches, labels)).shuffle(330, seed=1).batch(50)
    return Training(
        model,
        dataset.prefetch(1),
        None,
        epochs=5,
        views=(View(model, patches, labels),),
        constant_loss=0.693,
        fit={"batch_size": None, "shuffle": False},
    )


def inverted_residual(x: Any, filters: int, expansion: int, strides: int) -> Any:
    """Expands, convolves each channel, scales channels by gates of their means and projects."""
    channels = x.shape[-1]
    y = layers.Conv2D(channels * expansion, 1, padding="same", use_bias=False)(x)
    y = layers.Activation("swish")(layers.BatchNormalization(momentum=0.9)(y))
    y = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(y)
    y = layers.Activation("swish")(layers.BatchNormalization(momentum=0.9)(y))
    se = layers.GlobalAveragePooling2D(keepdims=True)(y)
    se = layers.Conv2D(max(1, channels // 4), 1, activation="swish")(se)
    se = layers.Conv2D(channels * expansion, 1, activation="sigmoid")(se)
    y = layers.multiply([y, se])
    y = layers.BatchNormalization(momentum=0.9)(layers.Conv2D(filters, 1, padding="same", use_bias=False)(y))
    return layers.add([x, layers.Dropout(0.1, noise_shape=(None, 1, 1, 1))(y)]) if channels == filters else y


@outside_healthy("vision")
def vision_inverted_residuals() -> Training:
    """Inverted residual blocks with channel gates as in EfficientNet, whole branches dropped, labels smoothed."""
    x, y = digits(512)
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(12, 3, padding="same", use_bias=False)(inputs)
    body = layers.Activation("swish")(layers.BatchNormalization(momentum=0.9)(body))
    body = inverted_residual(body, 12, 3, 1)
    body = layers.GlobalAveragePooling2D()(layers.Activation("swish")(body))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(body))
    schedule = keras.optimizers.schedules.CosineDecay(1e-4, 150, warmup_target=0.01, warmup_steps=20)
    model.compile(
        optimizer=keras.optimizers.RMSprop(schedule, momentum=0.5),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return Training(model, x[..., None], keras.utils.to_categorical(y, 10), epochs=8)
