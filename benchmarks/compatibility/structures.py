"""Models composed of Keras layers in every way."""

from __future__ import annotations

import keras
from keras import layers

from benchmarks.compatibility.workload import LOSS, SAMPLES, Workload, labels, pictures


def sequential() -> Workload:
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", padding="same"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(10),
        ]
    )
    return Workload(model, pictures(), labels())


def functional() -> Workload:
    inputs = layers.Input((8, 8, 1))
    h = layers.Conv2D(4, 3, padding="same")(inputs)
    h = layers.Add()([h, layers.Conv2D(4, 3, padding="same", activation="relu")(h)])
    return Workload(keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(h))), pictures(), labels())


def nested() -> Workload:
    innermost = keras.Sequential([layers.Input((12,)), layers.Dense(12, "tanh")])
    inner = keras.Sequential([layers.Input((12,)), innermost, layers.Dense(12, "relu")])
    middle = keras.Sequential([layers.Input((64,)), layers.Dense(12, "relu"), inner])
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), middle, layers.Dense(10)])
    return Workload(model, pictures(), labels())


def shared() -> Workload:
    inputs = layers.Input((64,))
    both = layers.Dense(12, "relu")
    h = layers.Dense(12)(inputs)
    model = keras.Model(inputs, layers.Dense(10)(both(both(h))))
    return Workload(model, pictures().reshape(SAMPLES, 64), labels())


def several_inputs_and_outputs() -> Workload:
    x = pictures().reshape(SAMPLES, 64)
    left, right = layers.Input((32,), name="left"), layers.Input((32,), name="right")
    h = layers.Concatenate()([layers.Dense(8, "relu")(left), layers.Dense(8, "relu")(right)])
    model = keras.Model(
        {"left": left, "right": right},
        {"digit": layers.Dense(10, name="digit")(h), "ink": layers.Dense(1, name="ink")(h)},
    )
    targets = {"digit": labels(), "ink": x.mean(axis=1, keepdims=True)}
    return Workload(model, {"left": x[:, :32], "right": x[:, 32:]}, targets, {"digit": LOSS, "ink": "mse"})


def separable_and_transposed() -> Workload:
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu"),
            layers.SeparableConv2D(4, 3, activation="relu"),
            layers.DepthwiseConv2D(3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )
    return Workload(model, pictures(), labels())


def channels_first() -> Workload:
    model = keras.Sequential(
        [
            layers.Input((1, 8, 8)),
            layers.Conv2D(4, 3, data_format="channels_first", activation="relu"),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
    return Workload(model, pictures(axis=1), labels())


def frozen() -> Workload:
    workload = sequential()
    workload.model.layers[0].trainable = False
    workload.model.layers[1].trainable = False
    return workload


def low_rank_adaptation() -> Workload:
    workload = sequential()
    workload.model.layers[-1].enable_lora(2)
    return workload


def separate_activations() -> Workload:
    hidden = [layers.Dense(12), layers.Activation("tanh"), layers.Dense(12), layers.Activation("sigmoid")]
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), *hidden, layers.Dense(10)])
    return Workload(model, pictures(), labels())


def dense_block() -> Workload:
    inputs = layers.Input((8, 8, 1))
    stem = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    first = layers.Conv2D(4, 3, padding="same", activation="relu")(stem)
    second = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.Concatenate()([stem, first]))
    third = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.Concatenate()([stem, first, second]))
    h = layers.GlobalAveragePooling2D()(layers.Concatenate()([stem, first, second, third]))
    return Workload(keras.Model(inputs, layers.Dense(10)(h)), pictures(), labels())


def random_layers() -> Workload:
    augment = [layers.RandomFlip(seed=1), layers.RandomTranslation(0.1, 0.1, seed=2), layers.GaussianNoise(0.1)]
    hidden = [layers.SpatialDropout1D(0.1), layers.Dense(12, "relu"), layers.AlphaDropout(0.1)]
    rows = [layers.Reshape((8, 8)), *hidden, layers.Flatten(), layers.Dense(10)]
    return Workload(keras.Sequential([layers.Input((8, 8, 1)), *augment, *rows]), pictures(), labels())
