"""Healthy programs on pictures and words with gates, groups of channels, glimpses and averages of weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.cases.base import Training, outside_healthy
from benchmarks.cases.data import digits, photo_patches, words
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy


@outside_healthy("vision")
def vision_shuffled_groups() -> Training:
    """Convolutions in groups of channels, which are shuffled in between, with batch normalization and residuals."""
    x, y = digits(512)

    def shuffled(value: Any) -> Any:
        grouped = ops.reshape(value, (-1, 8, 8, 4, 8))
        return ops.reshape(ops.transpose(grouped, (0, 1, 2, 4, 3)), (-1, 8, 8, 32))

    inputs = layers.Input((8, 8, 1))
    body = layers.Conv2D(32, 3, padding="same", use_bias=False)(inputs)
    body = layers.ReLU()(layers.BatchNormalization()(body))
    for _ in range(2):
        branch = layers.Conv2D(32, 1, groups=4, use_bias=False)(body)
        branch = layers.ReLU()(layers.BatchNormalization()(branch))
        branch = layers.Lambda(shuffled)(branch)
        branch = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(branch)
        branch = layers.Conv2D(32, 1, groups=4, use_bias=False)(layers.BatchNormalization()(branch))
        body = layers.ReLU()(layers.Add()([body, layers.BatchNormalization()(branch)]))
    body = layers.GlobalAveragePooling2D()(body)
    model = keras.Model(inputs, layers.Dense(10)(body))
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)
    return Training(compiled(model, optimizer), x[..., None], y, epochs=6)


@outside_healthy("vision")
def vision_hard_swish_blocks() -> Training:
    """Mobile blocks with hard swish and gates of hard sigmoid, smoothed labels, AdamW and a cosine rate."""
    x, y = digits(640)
    inputs = layers.Input((8, 8, 1))
    body = layers.Activation("hard_swish")(layers.Conv2D(16, 3, padding="same")(inputs))
    for width, strides in ((16, 1), (24, 2)):
        wide = layers.Activation("hard_swish")(layers.BatchNormalization()(layers.Conv2D(32, 1)(body)))
        wide = layers.DepthwiseConv2D(3, strides=strides, padding="same")(wide)
        wide = layers.Activation("hard_swish")(layers.BatchNormalization()(wide))
        gate = layers.GlobalAveragePooling2D(keepdims=True)(wide)
        gate = layers.Conv2D(16, 1, activation="relu")(gate)
        gate = layers.Conv2D(32, 1, activation="hard_sigmoid")(gate)
        body = layers.BatchNormalization()(layers.Conv2D(width, 1)(layers.Multiply()([wide, gate])))
    body = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(body))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(body))
    rate = keras.optimizers.schedules.CosineDecay(1e-4, 180, warmup_target=4e-3, warmup_steps=20)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01)
    return Training(compiled(model, optimizer, loss), x[..., None], np.eye(10, dtype="float32")[y], epochs=10)


class Glimpse(layers.Layer):
    """Cuts a window of 8 by 8 out of a picture at positions between pixels, by linear interpolation."""

    def call(self, inputs: Any) -> Any:
        pictures, shift = inputs
        places = ops.arange(8, dtype="float32") + 4
        pixels = ops.arange(16, dtype="float32")
        rows, columns = (
            ops.relu(1 - ops.abs(places[None, :, None] + 4 * shift[:, n, None, None] - pixels)) for n in (0, 1)
        )
        return ops.einsum("bip,bpq,bjq->bij", rows, pictures, columns)


@outside_healthy("vision")
def vision_where_to_look() -> Training:
    """Digits somewhere in a larger picture: one network says where to look, another reads what is there."""
    small, y = digits(900)
    corner = np.random.default_rng(260).integers(0, 9, (900, 2))
    x = np.zeros((900, 16, 16), "float32")
    for number, (top, left) in enumerate(corner):
        x[number, top : top + 8, left : left + 8] = small[number]
    inputs = layers.Input((16, 16))
    seen = layers.MaxPooling2D(2)(layers.Reshape((16, 16, 1))(inputs))
    seen = layers.Dense(48, activation="relu")(layers.Flatten()(seen))
    shift = layers.Dense(2, activation="tanh")(seen)
    body = layers.Reshape((8, 8, 1))(Glimpse()([inputs, shift]))
    body = layers.Conv2D(24, 3, activation="relu")(body)
    body = layers.Dense(48, activation="relu")(layers.Flatten()(body))
    model = keras.Model(inputs, layers.Dense(10)(body))
    return Training(compiled(model, keras.optimizers.Adam(0.003)), x, y, epochs=12)


@outside_healthy("vision")
def vision_averaged_weights() -> Training:
    """Two kinds of texture by a network whose weights are averaged over the steps, with clipped gradients."""
    patches = photo_patches(800, 12)
    rough = patches.std((1, 2)).mean(-1)
    y = (rough > np.median(rough)).astype("float32")[:, None]
    x = patches / (patches.std((1, 2, 3), keepdims=True) + 0.05)
    x = (x - x.mean((1, 2, 3), keepdims=True)).astype("float32")
    x *= (0.5 + rough / rough.max())[:, None, None, None].astype("float32")
    model = keras.Sequential(
        [
            layers.Input((12, 12, 3)),
            layers.GaussianNoise(0.02),
            layers.Conv2D(16, 3, strides=2, activation="silu"),
            layers.GroupNormalization(4),
            layers.Conv2D(32, 3, strides=2, activation="silu"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    optimizer = keras.optimizers.Nadam(0.003, use_ema=True, ema_momentum=0.95, global_clipnorm=1.0)
    return Training(compiled(model, optimizer, "binary_crossentropy"), x, y, epochs=8)


@outside_healthy("text")
def text_highways_over_letters() -> Training:
    """Convolutions of three widths over letters and two highway layers, whose gates start nearly closed."""
    x, y = words(900)
    inputs = layers.Input((12,), dtype="int32")
    letters = layers.Embedding(60, 12)(inputs)
    parts = [
        layers.GlobalMaxPooling1D()(layers.Conv1D(width * 8, width, activation="tanh")(letters)) for width in (1, 2, 3)
    ]
    body = layers.Concatenate()(parts)
    closed = keras.initializers.Constant(-2.0)
    for _ in range(2):
        change = layers.Dense(48, activation="relu")(body)
        gate = layers.Dense(48, activation="sigmoid", bias_initializer=closed)(body)
        passed = layers.Multiply()([layers.Lambda(lambda value: 1 - value)(gate), body])
        body = layers.Add()([layers.Multiply()([gate, change]), passed])
    model = keras.Model(inputs, layers.Dense(2)(body))
    compiled(model, keras.optimizers.Adam(0.003))
    return Training(model, x, y, epochs=10, goal=accuracy(model, x, y, 0.8))
