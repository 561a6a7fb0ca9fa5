"""Healthy trainings of structures that look sick to a naive rule: normalized, residual, gated, recurrent."""

from __future__ import annotations

import keras
from keras import layers

from benchmarks.cases.base import Training, healthy
from benchmarks.cases.data import Array, digits, waves, words
from benchmarks.cases.networks import compiled, on_digits


def small_digits() -> tuple[Array, Array]:
    return digits(512)


def image_model(*body: keras.layers.Layer) -> keras.Sequential:
    """Digits as pictures of one channel through `body` to a linear head."""
    start = [layers.Input((8, 8)), layers.Reshape((8, 8, 1), name="reshape")]
    return keras.Sequential([*start, *body, layers.Dense(10, name="head")])


@healthy
def convolution_plain() -> Training:
    """Two ReLU convolutions and pooling."""
    model = image_model(
        layers.Conv2D(8, 3, padding="same", activation="relu", name="conv_0"),
        layers.MaxPooling2D(name="pool"),
        layers.Conv2D(16, 3, padding="same", activation="relu", name="conv_1"),
        layers.Flatten(name="flatten"),
    )
    return on_digits(model, keras.optimizers.Adam(0.003), small_digits())


@healthy
def convolution_batch_normalized() -> Training:
    """Batch normalization between convolution and ReLU: gradients shrink as weights grow."""
    model = image_model(
        layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv_0"),
        layers.BatchNormalization(name="norm_0"),
        layers.ReLU(name="relu_0"),
        layers.Conv2D(12, 3, padding="same", use_bias=False, name="conv_1"),
        layers.BatchNormalization(name="norm_1"),
        layers.ReLU(name="relu_1"),
        layers.GlobalAveragePooling2D(name="pool"),
    )
    return on_digits(model, keras.optimizers.SGD(0.1, momentum=0.9), small_digits())


@healthy
def convolution_depthwise() -> Training:
    """Depthwise and pointwise convolutions with ReLU6."""
    model = image_model(
        layers.Conv2D(8, 3, padding="same", activation="relu6", name="conv"),
        layers.DepthwiseConv2D(3, padding="same", activation="relu6", name="depthwise"),
        layers.Conv2D(16, 1, activation="relu6", name="pointwise"),
        layers.Flatten(name="flatten"),
    )
    return on_digits(model, keras.optimizers.Adam(0.003), small_digits())


@healthy
def squeeze_excite() -> Training:
    """Channels scaled by sigmoid gates of their own means."""
    inputs = layers.Input((8, 8))
    body = layers.Reshape((8, 8, 1), name="reshape")(inputs)
    body = layers.Conv2D(12, 3, padding="same", activation="relu", name="conv_0")(body)
    means = layers.GlobalAveragePooling2D(name="squeeze")(body)
    gate = layers.Dense(12, "sigmoid", name="gate")(layers.Dense(6, "relu", name="excite")(means))
    body = layers.Multiply(name="scaled")([body, layers.Reshape((1, 1, 12), name="spread")(gate)])
    body = layers.Flatten(name="flatten")(layers.Conv2D(12, 3, activation="relu", name="conv_1")(body))
    model = keras.Model(inputs, layers.Dense(10, name="head")(body))
    return on_digits(model, keras.optimizers.Adam(0.003), small_digits(), gates=("gate",))


@healthy
def layer_normalized() -> Training:
    """Layer normalization before each GELU layer."""
    hidden = [
        layer
        for n in range(3)
        for layer in (layers.LayerNormalization(name=f"norm_{n}"), layers.Dense(32, "gelu", name=f"hidden_{n}"))
    ]
    return on_digits(keras.Sequential([layers.Input((64,)), *hidden, layers.Dense(10, name="head")]))


def residual(last: str, norm: bool) -> keras.Model:
    """Four residual branches of two layers; `last` initializes the second layer of each."""
    inputs = layers.Input((64,))
    body = layers.Dense(32, name="entry")(inputs)
    for n in range(4):
        branch = layers.LayerNormalization(name=f"norm_{n}")(body) if norm else body
        branch = layers.Dense(32, "relu", name=f"inner_{n}")(branch)
        branch = layers.Dense(32, kernel_initializer=last, name=f"outer_{n}")(branch)
        body = layers.Add(name=f"sum_{n}")([body, branch])
    return keras.Model(inputs, layers.Dense(10, name="head")(body))


@healthy
def residual_plain() -> Training:
    """Residual branches with layer normalization."""
    return on_digits(residual("glorot_uniform", True))


@healthy
def residual_zero_branches() -> Training:
    """Every residual branch ends in weights of zero, so at first it outputs zero and learns nothing."""
    return on_digits(residual("zeros", False))


@healthy
def residual_zero_gains() -> Training:
    """Residual branches that end in a batch normalization whose gain starts at zero."""
    inputs = layers.Input((64,))
    body = layers.Dense(32, "relu", name="entry")(inputs)
    for n in range(3):
        branch = layers.Dense(32, use_bias=False, name=f"inner_{n}")(body)
        branch = layers.BatchNormalization(gamma_initializer="zeros", name=f"norm_{n}")(branch)
        body = layers.ReLU(name=f"relu_{n}")(layers.Add(name=f"sum_{n}")([body, branch]))
    return on_digits(keras.Model(inputs, layers.Dense(10, name="head")(body)))


@healthy
def low_rank_adapters() -> Training:
    """A frozen layer with a trained bypass of rank 4 whose second half starts at zero."""
    inputs = layers.Input((64,))
    body = layers.Dense(48, "relu", name="entry")(inputs)
    for n in range(2):
        frozen = layers.Dense(48, trainable=False, name=f"frozen_{n}")(body)
        low = layers.Dense(4, use_bias=False, name=f"down_{n}")(body)
        low = layers.Dense(48, use_bias=False, kernel_initializer="zeros", name=f"up_{n}")(low)
        body = layers.ReLU(name=f"relu_{n}")(layers.Add(name=f"sum_{n}")([frozen, low]))
    return on_digits(keras.Model(inputs, layers.Dense(10, name="head")(body)))


@healthy
def dropout_heavy() -> Training:
    """Half of the inputs and 60 % of the hidden outputs are dropped."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dropout(0.5, name="drop_0"),
            layers.Dense(64, "relu", name="hidden_0"),
            layers.Dropout(0.6, name="drop_1"),
            layers.Dense(64, "relu", name="hidden_1"),
            layers.Dropout(0.6, name="drop_2"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model, keras.optimizers.Adam(0.003))


@healthy
def recurrent_lstm() -> Training:
    """An LSTM whose gates open and close."""
    x, y = waves(512)
    model = keras.Sequential([layers.Input((12, 1)), layers.LSTM(16, name="lstm"), layers.Dense(3, name="head")])
    return Training(compiled(model, keras.optimizers.Adam(0.01)), x, y)


@healthy
def recurrent_gru_stack() -> Training:
    """Two GRUs on top of each other, gradients clipped."""
    x, y = waves(512)
    gru = [layers.GRU(12, return_sequences=True, name="gru_0"), layers.GRU(12, name="gru_1")]
    model = keras.Sequential([layers.Input((12, 1)), *gru, layers.Dense(3, name="head")])
    return Training(compiled(model, keras.optimizers.Adam(0.01, clipnorm=1.0)), x, y, epochs=6)


@healthy
def recurrent_simple() -> Training:
    """A plain tanh RNN with orthogonal recurrent weights."""
    x, y = waves(512)
    model = keras.Sequential([layers.Input((12, 1)), layers.SimpleRNN(24, name="rnn"), layers.Dense(3, name="head")])
    return Training(compiled(model, keras.optimizers.Adam(0.005)), x, y)


@healthy
def embedding_rare_rows() -> Training:
    """Most rows of the table belong to words that a batch rarely holds."""
    x, y = words()
    model = keras.Sequential(
        [
            layers.Input((12,), dtype="int32"),
            layers.Embedding(60, 12, name="table"),
            layers.GlobalAveragePooling1D(name="mean"),
            layers.Dense(24, "relu", name="hidden_0"),
            layers.Dense(2, name="head"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.01)), x, y)


@healthy
def embedding_masked_lstm() -> Training:
    """An embedding that masks zeros, and an LSTM."""
    x, y = words(512)
    model = keras.Sequential(
        [
            layers.Input((12,), dtype="int32"),
            layers.Embedding(60, 12, mask_zero=True, name="table"),
            layers.LSTM(16, name="lstm"),
            layers.Dense(2, name="head"),
        ]
    )
    return Training(compiled(model, keras.optimizers.Adam(0.01)), x, y)


@healthy
def transformer() -> Training:
    """Attention and a GELU block, each after layer normalization and with a skip connection."""
    x, y = words(512)
    inputs = layers.Input((12,), dtype="int32")
    body = layers.Embedding(60, 16, name="table")(inputs)
    normal = layers.LayerNormalization(name="norm_0")(body)
    attended = layers.MultiHeadAttention(2, 8, name="attention")(normal, normal)
    body = layers.Add(name="sum_0")([body, attended])
    inner = layers.Dense(32, "gelu", name="inner")(layers.LayerNormalization(name="norm_1")(body))
    body = layers.Add(name="sum_1")([body, layers.Dense(16, name="outer")(inner)])
    body = layers.GlobalAveragePooling1D(name="mean")(body)
    model = keras.Model(inputs, layers.Dense(2, name="head")(body))
    return Training(compiled(model, keras.optimizers.Adam(0.005)), x, y)


@healthy
def attention_on_rows() -> Training:
    """Attention over the rows of an image without normalization."""
    x, y = small_digits()
    inputs = layers.Input((8, 8))
    body = layers.Dense(16, name="entry")(inputs)
    body = layers.Add(name="sum")([body, layers.MultiHeadAttention(2, 8, name="attention")(body, body)])
    model = keras.Model(inputs, layers.Dense(10, name="head")(layers.Flatten(name="flatten")(body)))
    return Training(compiled(model, keras.optimizers.Adam(0.003)), x, y)


@healthy
def gated_linear() -> Training:
    """Outputs multiplied by sigmoid gates, as in gated linear units."""
    inputs = layers.Input((64,))
    body = inputs
    for n in range(2):
        gate = layers.Dense(32, "sigmoid", name=f"gate_{n}")(body)
        body = layers.Multiply(name=f"gated_{n}")([gate, layers.Dense(32, name=f"value_{n}")(body)])
    return on_digits(keras.Model(inputs, layers.Dense(10, name="head")(body)), gates=("gate_0", "gate_1"))
