"""Healthy trainings of plain layers: activations, sparse and small networks, converged ones, regression, tables."""

from __future__ import annotations

import keras
from keras import layers

from benchmarks.cases.base import Training, healthy
from benchmarks.cases.data import diabetes, digits, flat_digits, photo_patches, raw_table, table
from benchmarks.cases.networks import compiled, normal, on_digits, stack


@healthy
def relu_plain() -> Training:
    """Three ReLU layers and Adam, nothing special."""
    return on_digits(stack("relu", (32, 32, 32)))


@healthy
def relu_sparse_l1() -> Training:
    """Intentionally sparse: a penalty on activity keeps most ReLU outputs at zero, yet no unit is dead."""
    return on_digits(stack("relu", (48, 48), activity_regularizer=keras.regularizers.L1(2e-5)))


@healthy
def relu_sparse_bias() -> Training:
    """ReLU units with a bias of -0.7 that are each active on few samples only."""
    return on_digits(stack("relu", (48, 48), bias_initializer=keras.initializers.Constant(-0.7)), epochs=10)


@healthy
def relu_deep_he() -> Training:
    """Eight ReLU layers with He's initializer."""
    return on_digits(stack("relu", (32,) * 8, kernel_initializer="he_normal"))


@healthy
def tanh_deep() -> Training:
    """Five tanh layers with Glorot's initializer."""
    return on_digits(stack("tanh", (32,) * 5))


@healthy
def sigmoid_shallow() -> Training:
    """Two sigmoid layers: gradients are small but sufficient."""
    return on_digits(stack("sigmoid", (32, 32)), keras.optimizers.Adam(0.01))


@healthy
def selu_lecun() -> Training:
    """Self-normalizing layers."""
    return on_digits(stack("selu", (32,) * 5, kernel_initializer="lecun_normal"))


@healthy
def swish_plain() -> Training:
    """SiLU layers with RMSprop."""
    return on_digits(stack("silu", (32, 32, 32)), "rmsprop")


@healthy
def gelu_wide() -> Training:
    """GELU layers, most outputs near zero."""
    return on_digits(stack("gelu", (64, 64)))


@healthy
def leaky_momentum() -> Training:
    """Leaky ReLU and SGD with Nesterov momentum."""
    return on_digits(stack("leaky_relu", (32, 32)), keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True))


@healthy
def maxout_like() -> Training:
    """The larger of two linear layers."""
    inputs = layers.Input((64,))
    body = inputs
    for number in range(2):
        pieces = [layers.Dense(24, name=f"piece_{number}_{side}")(body) for side in "ab"]
        body = layers.Maximum(name=f"maxout_{number}")(pieces)
    return on_digits(keras.Model(inputs, layers.Dense(10, name="head")(body)))


@healthy
def highway_gates() -> Training:
    """Highway layers whose gates start nearly closed."""
    inputs = layers.Input((64,))
    body = layers.Dense(32, "relu", name="entry")(inputs)
    for number in range(3):
        bias = keras.initializers.Constant(-3.0)
        gate = layers.Dense(32, "sigmoid", bias_initializer=bias, name=f"gate_{number}")(body)
        new = layers.Dense(32, "relu", name=f"new_{number}")(body)
        kept = layers.Lambda(lambda value: 1 - value, name=f"closed_{number}")(gate)
        taken = layers.Multiply(name=f"taken_{number}")([gate, new])
        body = layers.Add(name=f"sum_{number}")([taken, layers.Multiply(name=f"kept_{number}")([kept, body])])
    model = keras.Model(inputs, layers.Dense(10, name="head")(body))
    return on_digits(model, gates=tuple(f"gate_{number}" for number in range(3)))


@healthy
def memorized() -> Training:
    """64 memorized samples: the loss, and with it gradients and steps, goes to zero."""
    x, y = flat_digits(64)
    return on_digits(stack("relu", (64, 64)), keras.optimizers.Adam(0.003), (x, y), epochs=120, batch_size=32)


@healthy
def converged_table() -> Training:
    """The wine set is learned within seconds; most of the training changes nothing."""
    x, y = table("wine")
    model = compiled(stack("tanh", (24, 24), 3, (13,)), keras.optimizers.Adam(0.01))
    return Training(model, x, y, epochs=25, batch_size=16)


@healthy
def iris_small() -> Training:
    """Four inputs, eight units, three classes."""
    return Training(
        compiled(stack("relu", (8, 8), 3, (4,)), keras.optimizers.Adam(0.01)), *table("iris"), epochs=25, batch_size=16
    )


@healthy
def binary_saturated_head() -> Training:
    """A sigmoid head that is confident about nearly every sample, as it should be."""
    x, y = table("breast_cancer")
    model = stack("relu", (24, 24), 1, (30,))
    model = keras.Sequential([*model.layers[:-1], layers.Dense(1, "sigmoid", name="head")])
    model.build((None, 30))
    return Training(compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy"), x, y[:, None], epochs=25)


@healthy
def class_imbalance() -> Training:
    """Nine in ten samples are of one class, weighted accordingly."""
    x, y = flat_digits()
    y = (y == 3).astype("int32")
    model = compiled(stack("relu", (32, 32), 2))
    return Training(model, x, y, fit={"class_weight": {0: 0.55, 1: 5.0}})


@healthy
def softmax_label_smoothing() -> Training:
    """A softmax head with smoothed labels: the loss cannot fall below 0.5."""
    x, y = flat_digits()
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "relu", name="hidden_0"),
            layers.Dense(32, "relu", name="hidden_1"),
            layers.Dense(10, "softmax", name="head"),
        ]
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    return Training(compiled(model, "adam", loss), x, keras.utils.to_categorical(y, 10))


@healthy
def noise_floor() -> Training:
    """The diabetes target from one feature, most of it noise: the loss stays at 0.95 of a constant's."""
    x, y = diabetes()
    model = compiled(stack("tanh", (16, 16), 1, (1,)), keras.optimizers.Adam(0.003), "mse")
    return Training(model, x[:, :1], y, epochs=20)


@healthy
def regression_raw_targets() -> Training:
    """Targets of mean 152, not standardized: Adam approaches them slowly, the loss is in the thousands."""
    x, y = diabetes(standard_target=False)
    return Training(compiled(stack("relu", (32, 32), 1, (10,)), keras.optimizers.Adam(0.01), "mse"), x, y, epochs=25)


@healthy
def raw_inputs_normalized() -> Training:
    """The raw wine set after a normalization layer adapted to it."""
    x, y = raw_table("wine")
    normalizer = layers.Normalization(name="normalize")
    normalizer.adapt(x)
    hidden = [layers.Dense(24, "relu", name=f"hidden_{n}") for n in range(2)]
    model = keras.Sequential([layers.Input((13,)), normalizer, *hidden, layers.Dense(3, name="head")])
    return Training(compiled(model), x, y, epochs=30, batch_size=16)


@healthy
def autoencoder() -> Training:
    """Digits through a bottleneck of 8 and back, sigmoid at the end, pixels mostly black."""
    x, _ = digits()
    x = x.reshape(len(x), -1)
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "relu", name="encoder"),
            layers.Dense(8, name="bottleneck"),
            layers.Dense(32, "relu", name="decoder"),
            layers.Dense(64, "sigmoid", name="head"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.003), "mse"), x, x, epochs=10)


@healthy
def convolutional_autoencoder() -> Training:
    """Patches of photographs through strided convolutions and back."""
    x = photo_patches(512)
    model = keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(12, 3, strides=2, padding="same", activation="relu", name="down_0"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="down_1"),
            layers.Conv2DTranspose(12, 3, strides=2, padding="same", activation="relu", name="up_0"),
            layers.Conv2DTranspose(3, 3, strides=2, padding="same", name="head"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.003), "mse"), x, x, epochs=10)


@healthy
def zero_head() -> Training:
    """The head starts at zero, as is common: no gradient passes it at the first step."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "relu", name="hidden_0"),
            layers.Dense(32, "relu", name="hidden_1"),
            layers.Dense(10, kernel_initializer="zeros", name="head"),
        ]
    )
    return on_digits(model)


@healthy
def small_init_adam() -> Training:
    """Weights of standard deviation 0.05 as in many recipes: half of the ideal, but it works."""
    return on_digits(stack("relu", (48, 48), kernel_initializer=normal(0.05)))


@healthy
def l2_regularized() -> Training:
    """Strong weight decay: weights shrink while the network learns."""
    return on_digits(stack("relu", (32, 32), kernel_regularizer=keras.regularizers.L2(1e-3)), epochs=10)


@healthy
def l1_regularized() -> Training:
    """L1 drives single weights, not units, to zero."""
    return on_digits(stack("tanh", (32, 32), kernel_regularizer=keras.regularizers.L1(1e-4)), epochs=10)


@healthy
def tied_weights() -> Training:
    """One layer called three times in a row."""
    inputs = layers.Input((64,))
    body = layers.Dense(32, "tanh", name="entry")(inputs)
    shared = layers.Dense(32, "tanh", name="shared")
    for _ in range(3):
        body = shared(body)
    return on_digits(keras.Model(inputs, layers.Dense(10, name="head")(body)))


@healthy
def multi_output() -> Training:
    """Two outputs, the digit and whether it is even, with loss weights 1 and 0.05."""
    x, y = flat_digits()
    inputs = layers.Input((64,))
    body = layers.Dense(32, "relu", name="hidden_0")(inputs)
    digit = layers.Dense(10, name="digit")(layers.Dense(24, "relu", name="digit_hidden")(body))
    even = layers.Dense(1, "sigmoid", name="even")(layers.Dense(8, "relu", name="even_hidden")(body))
    model = keras.Model(inputs, {"digit": digit, "even": even})
    losses = {"digit": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "even": "binary_crossentropy"}
    compiled(model, "adam", losses, loss_weights={"digit": 1.0, "even": 0.05})
    return Training(model, x, {"digit": y, "even": (y % 2 == 0).astype("float32")[:, None]})
