"""Programs whose weights do not change, although the learning rate is not to blame."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import WHOLE, Training, View, outside_sick
from benchmarks.cases.data import Array, digits, flat_digits, photo_patches, words
from benchmarks.cases.networks import compiled


@outside_sick(
    "stagnant_weights",
    ["body_1", "body_2", "head"],
    family="fine_tuning",
    source="https://github.com/keras-team/keras-hub/issues/2629",
    accepted="The weights are bfloat16, so small steps of Adam are lost and the loss is the same every epoch.",
)
def adam_steps_lost_in_half_precision() -> Training:
    """A network whose weights are bfloat16 is fine-tuned by Adam with steps below their last bit."""
    keras.mixed_precision.set_dtype_policy("bfloat16")
    x, y = flat_digits(512)
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, activation="gelu", name="body_1"),
            layers.Dense(32, activation="gelu", name="body_2"),
            layers.Dense(10, name="head"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(2e-6)), x, y)


class EncoderForgotten(keras.Model):
    """An autoencoder whose training step hands only the weights of the decoder to the optimizer."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network

    def call(self, inputs: Any) -> Any:
        return self.network(inputs)

    def train_step(self, data: Any) -> dict[str, Any]:
        pictures = data[0] if isinstance(data, tuple) else data
        decoder = [weight for weight in self.network.trainable_weights if "decoder" in weight.path]
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(pictures - self.network(pictures, training=True)))
        self.optimizer.apply(tape.gradient(loss, [weight.value for weight in decoder]), decoder)
        return {"loss": loss}


@outside_sick(
    "stagnant_weights",
    ["picture/encoder_1", "picture/encoder_2"],
    family="generative",
    source="https://github.com/soumik12345/tf2_gans/issues/14",
    accepted="The encoder is not part of the model whose variables are trained, so it is never updated.",
)
def encoder_left_out_of_the_update() -> Training:
    """A training step that updates the decoder of an autoencoder and forgets the encoder."""
    x = photo_patches(512).reshape(512, -1)
    inputs = layers.Input((192,))
    body = layers.Dense(32, activation="tanh", name="encoder_1")(inputs)
    code = layers.Dense(8, name="encoder_2")(body)
    body = layers.Dense(32, activation="tanh", name="decoder_1")(code)
    network = keras.Model(inputs, layers.Dense(192, name="decoder_2")(body), name="picture")
    model = EncoderForgotten(network)
    model(x[:1])
    model.compile(keras.optimizers.Adam(0.003), jit_compile=False)
    model.optimizer.build([weight for weight in network.trainable_weights if "decoder" in weight.path])
    view = View(network, x, loss=lambda rebuilt: tf.reduce_mean((x - rebuilt) ** 2), prefix="picture/")
    variance = float(x.var(0).mean())
    return Training(model, x, None, epochs=10, views=(view,), constant_loss=variance)


@outside_sick(
    "stagnant_weights",
    ["hidden", "classes"],
    family="vision",
    source="https://coderapp.vercel.app/answer/73462535",
    accepted="The loss is one for regression under a softmax for classes, so that gradients are tiny.",
)
def squared_error_of_one_large_batch() -> Training:
    """Sigmoid and softmax layers under a squared error, with one step of SGD per epoch over all pictures."""
    x, y = digits(1000)
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="sigmoid", name="hidden"),
            layers.Dense(10, activation="softmax", name="classes"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.001)
    return Training(compiled(model, optimizer, "mean_squared_error"), x, np.eye(10, dtype="float32")[y], 20, 1000)


def shuffled_apart(x: Array, y: Array) -> tuple[Array, Array]:
    """The pictures in a new order and the labels in the old one."""
    return x[np.random.default_rng(11).permutation(len(x))], y


@outside_sick(
    "no_learning",
    [WHOLE],
    family="vision",
    source="https://github.com/keras-team/keras/issues/12355",
    accepted="The generator shuffled pictures and names apart, so that labels no longer belonged to their pictures.",
)
def labels_of_other_pictures() -> Training:
    """A generator shuffles the pictures but hands out the labels in their old order."""
    x, y = shuffled_apart(*digits(1024))
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.Reshape((8, 8, 1), name="reshape"),
            layers.Conv2D(6, 3, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(10, name="logits"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.001)), x, y, epochs=5)


@outside_sick(
    "no_learning",
    [WHOLE],
    family="vision",
    source="https://github.com/keras-team/keras/issues/255",
    accepted="The array was still of integers when it was divided by 255, so every pixel became 0.",
    also=("collapsed_layer", "no_gradient", "vanishing_gradient", "stagnant_weights", "dead_units"),
)
def pixels_divided_as_integers() -> Training:
    """Pixels are scaled to [0, 1] in an integer array: all pictures are black."""
    x, y = digits(512)
    pixels = (x * 254).astype("int32")
    pixels //= 255
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="relu", name="dense_1"),
            layers.Dense(32, activation="relu", name="dense_2"),
            layers.Dense(10, activation="softmax", name="classes"),
        ]
    )
    compiled(model, "rmsprop", "sparse_categorical_crossentropy")
    return Training(model, pixels.astype("float32"), y)


@outside_sick(
    "no_learning",
    [WHOLE],
    family="time_series",
    source="https://github.com/keras-team/keras/issues/4563",
    accepted="The values to predict are very high; they must be rescaled before training.",
    also=("exploding_gradient", "vanishing_gradient", "stagnant_weights", "saturated_units"),
)
def recurrent_regression_of_huge_values() -> Training:
    """An LSTM predicts values around 50,000 under an absolute error that gives every step the same small size."""
    random = np.random.default_rng(8)
    x = random.normal(size=(384, 10, 4)).astype("float32")
    y = (5e4 + 2e4 * x.mean((1, 2)) + random.normal(0, 500, 384)).astype("float32")[:, None]
    model = keras.Sequential(
        [
            layers.Input((10, 4)),
            layers.LSTM(16, name="lstm"),
            layers.Dropout(0.3, name="dropout"),
            layers.Dense(1, name="value"),
        ]
    )
    compiled(model, keras.optimizers.SGD(0.0008, momentum=0.9, nesterov=True), "mean_absolute_error")
    return Training(model, x, y, constant_loss=float("nan"))


@outside_sick(
    "no_learning",
    [WHOLE],
    family="fine_tuning",
    source="https://github.com/GantMan/nsfw_model/issues/33",
    accepted="Layers are unfrozen from one of a certain name on; without that name in the model nothing is trained.",
)
def everything_stays_frozen() -> Training:
    """Layers are unfrozen from the one of a given name on, and no layer has that name."""
    x, y = words(512)
    model = keras.Sequential(
        [
            layers.Input((12,), dtype="int32"),
            layers.Embedding(60, 16, name="embedding"),
            layers.Conv1D(16, 3, activation="relu", name="conv1d_1"),
            layers.GlobalMaxPooling1D(name="pool"),
            layers.Dense(2, name="logits"),
        ]
    )
    is_trained = False
    for layer in model.layers:
        is_trained = is_trained or layer.name == "conv1d_56"
        layer.trainable = is_trained
    return Training(compiled(model), x, y, epochs=5)
