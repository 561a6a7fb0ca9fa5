"""Healthy programs that generate: variational and quantized autoencoders, pixels, characters, densities, flows."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn import datasets

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import digits
from benchmarks.cases.outside.healthy_goals import binary_entropy, class_entropy, squared_error


class Sampling(layers.Layer):
    """Draws from the normal distribution with the given mean and logarithm of the variance."""

    def __init__(self) -> None:
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs: Any) -> Any:
        z_mean, z_log_var = inputs
        epsilon = keras.random.normal(shape=ops.shape(z_mean), seed=self.seed_generator)
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon


class VAE(keras.Model):
    """A variational autoencoder with its own step."""

    def __init__(self, encoder: keras.Model, decoder: keras.Model) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")

    @property
    def metrics(self) -> list[Any]:
        return [self.total_loss_tracker]

    def call(self, data: Any) -> Any:
        return self.decoder(self.encoder(data)[0])

    def train_step(self, data: Any) -> dict[str, Any]:
        data = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            z_mean, z_log_var, z = self.encoder(data)
            total_loss = variational_loss(data, self.decoder(z), z_mean, z_log_var)
        grads = tape.gradient(total_loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(grads, self.trainable_weights, strict=True))
        self.total_loss_tracker.update_state(total_loss)
        return {"loss": self.total_loss_tracker.result()}


def variational_loss(data: Any, reconstruction: Any, z_mean: Any, z_log_var: Any) -> Any:
    rebuilt = ops.mean(ops.sum(keras.losses.binary_crossentropy(data, reconstruction), axis=(1, 2)))
    kl_loss = -0.5 * (1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var))
    return rebuilt + 0.2 * ops.mean(ops.sum(kl_loss, axis=1))


@outside_healthy("generative")
def generative_variational_autoencoder() -> Training:
    """A convolutional variational autoencoder of digits; the loss is a sum over pixels that stays large."""
    x = digits(512)[0][..., None]
    encoder_inputs = keras.Input(shape=(8, 8, 1))
    body = layers.Conv2D(16, 3, activation="relu", strides=2, padding="same")(encoder_inputs)
    body = layers.Conv2D(32, 3, activation="relu", strides=2, padding="same")(body)
    body = layers.Dense(24, activation="swish")(layers.Flatten()(body))
    z_mean = layers.Dense(4, name="z_mean")(body)
    z_log_var = layers.Dense(4, name="z_log_var")(body)
    encoder = keras.Model(encoder_inputs, [z_mean, z_log_var, Sampling()([z_mean, z_log_var])], name="encoder")
    latent_inputs = keras.Input(shape=(4,))
    body = layers.Reshape((2, 2, 32))(layers.Dense(2 * 2 * 32, activation="relu")(latent_inputs))
    body = layers.Conv2DTranspose(32, 3, activation="relu", strides=2, padding="same")(body)
    body = layers.Conv2DTranspose(16, 3, activation="relu", strides=2, padding="same")(body)
    body = layers.Conv2DTranspose(1, 3, activation="sigmoid", padding="same")(body)
    decoder = keras.Model(latent_inputs, body, name="decoder")
    vae = VAE(encoder, decoder)
    vae.build((None, 8, 8, 1))
    vae.compile(optimizer=keras.optimizers.Adam(0.003), jit_compile=False)

    def judge(encoded: Any) -> Any:
        return variational_loss(x, decoder(encoded[2]), encoded[0], encoded[1])

    return Training(
        vae,
        x,
        None,
        epochs=15,
        views=(View(encoder, x, loss=judge, prefix="encoder/"),),
        goal=squared_error(vae, x, x, 0.7),
    )


class VectorQuantizer(layers.Layer):
    """Replaces each vector by the nearest one of a learned table."""

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.num_embeddings = num_embeddings
        self.embeddings = self.add_weight(
            shape=(embedding_dim, num_embeddings), initializer="random_uniform", name="embeddings_vqvae"
        )

    def call(self, x: Any) -> Any:
        flattened = ops.reshape(x, [-1, self.embedding_dim])
        distances = (
            ops.sum(flattened**2, axis=1, keepdims=True)
            + ops.sum(self.embeddings**2, axis=0)
            - 2 * ops.matmul(flattened, self.embeddings)
        )
        chosen = ops.one_hot(ops.argmin(distances, axis=1), self.num_embeddings)
        quantized = ops.reshape(ops.matmul(chosen, ops.transpose(self.embeddings)), ops.shape(x))
        self.add_loss(0.25 * ops.mean((ops.stop_gradient(quantized) - x) ** 2))
        self.add_loss(ops.mean((quantized - ops.stop_gradient(x)) ** 2))
        return x + ops.stop_gradient(quantized - x)


@outside_healthy("generative")
def generative_quantized_autoencoder() -> Training:
    """An autoencoder with a quantized code; gradients pass around the table, of which many rows are never used."""
    x = digits(512)[0][..., None]
    inputs = keras.Input(shape=(8, 8, 1))
    body = layers.Conv2D(16, 3, activation="relu", strides=2, padding="same")(inputs)
    body = layers.Conv2D(32, 3, activation="relu", strides=2, padding="same")(body)
    body = VectorQuantizer(32, 8)(layers.Conv2D(8, 1)(body))
    body = layers.Conv2DTranspose(32, 3, activation="relu", strides=2, padding="same")(body)
    body = layers.Conv2DTranspose(16, 3, activation="relu", strides=2, padding="same")(body)
    model = keras.Model(inputs, layers.Conv2DTranspose(1, 3, padding="same")(body))
    model.compile(optimizer=keras.optimizers.Adam(0.004), loss="mse", jit_compile=False)

    def error() -> float:
        return float(np.square(np.asarray(model(x)) - x).mean() / x.var(0).mean())

    goal = Goal("squared error as a share of a constant's", error, at_most=0.8)
    return Training(model, x, x, epochs=10, goal=goal)


class PixelConvLayer(layers.Layer):
    """A convolution that sees only the pixels before its own."""

    def __init__(self, mask_type: str, filters: int, kernel_size: int, **options: Any) -> None:
        super().__init__()
        self.mask_type = mask_type
        self.conv = layers.Conv2D(filters, kernel_size, padding="same", **options)

    def build(self, input_shape: Any) -> None:
        self.conv.build(input_shape)
        height, width = self.conv.kernel.shape[:2]
        mask = np.zeros(self.conv.kernel.shape, "float32")
        mask[: height // 2] = 1.0
        mask[height // 2, : width // 2 + (self.mask_type == "B")] = 1.0
        self.mask = mask

    def call(self, inputs: Any) -> Any:
        seen = tf.nn.conv2d(inputs, self.conv.kernel * self.mask, strides=1, padding="SAME")
        return self.conv.activation(tf.nn.bias_add(seen, self.conv.bias))


@outside_healthy("generative")
def generative_masked_pixels() -> Training:
    """Pixel by pixel with masked convolutions as in PixelCNN: nearly half of their weights never change."""
    x = (digits(384)[0] > 0.4).astype("float32")[..., None]
    inputs = keras.Input(shape=(8, 8, 1))
    body = PixelConvLayer("A", 24, 5, activation="relu")(inputs)
    for _ in range(2):
        inner = layers.Conv2D(12, 1, activation="relu")(body)
        inner = PixelConvLayer("B", 12, 3, activation="relu")(inner)
        inner = layers.Conv2D(24, 1, activation="relu")(inner)
        body = layers.add([body, inner])
    outputs = layers.Conv2D(1, 1, activation="sigmoid")(body)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss="binary_crossentropy", jit_compile=False)
    constant = binary_entropy(x.reshape(len(x), -1))
    return Training(model, x, x, epochs=14, constant_loss=constant)


@outside_healthy("generative")
def generative_characters_lstm() -> Training:
    """Text generation character by character with one LSTM; the loss stays far from zero."""
    text = "the small brown fox jumps over the lazy dog and then runs home to the warm den in the dark wood. " * 8
    characters = sorted(set(text))
    numbers = np.array([characters.index(character) for character in text])
    starts = np.arange(0, len(text) - 13, 2)
    x = np.eye(len(characters), dtype="float32")[numbers[starts[:, None] + np.arange(12)]]
    y = numbers[starts + 12]
    model = keras.Sequential(
        [
            keras.Input(shape=(12, len(characters))),
            layers.LSTM(48),
            layers.Dense(len(characters), activation="softmax"),
        ]
    )
    model.compile(
        loss="categorical_crossentropy", optimizer=keras.optimizers.RMSprop(learning_rate=0.01), jit_compile=False
    )
    labels = np.eye(len(characters), dtype="float32")[y]
    return Training(model, x, labels, epochs=10, constant_loss=class_entropy(y))


def mixture_loss(parts: int) -> Any:
    """Negative log-likelihood of a mixture of normal distributions."""

    def loss(y: Any, parameters: Any) -> Any:
        weights, means, deviations = (parameters[:, at * parts : (at + 1) * parts] for at in range(3))
        deviations = ops.softplus(deviations) + 1e-3
        each = -0.5 * ops.square((y - means) / deviations) - ops.log(deviations) - 0.5 * math.log(2 * math.pi)
        return -ops.logsumexp(ops.log_softmax(weights) + each, axis=-1)

    return loss


@outside_healthy("generative")
def generative_mixture_density() -> Training:
    """A density of several answers for each input: a mixture, whose loss may become negative."""
    random = np.random.default_rng(19)
    y = random.uniform(-1, 1, (600, 1)).astype("float32")
    x = (y + 0.3 * np.sin(2 * np.pi * y) + random.normal(0, 0.05, y.shape)).astype("float32")
    hidden = [layers.Dense(32, activation="tanh"), layers.Dense(32, activation="tanh")]
    model = keras.Sequential([keras.Input((1,)), *hidden, layers.Dense(12, name="mixture")])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=mixture_loss(4), jit_compile=False)

    def likelihood() -> float:
        return -float(np.mean(mixture_loss(4)(y, model(x))))

    constant = -math.log(2.0)
    goal = Goal("mean log-likelihood", likelihood, at_least=constant + 0.3)
    return Training(model, x, y, epochs=12, goal=goal)


def coupling(name: str) -> keras.Model:
    """Logarithm of the scale and shift of a coupling layer."""
    inputs = keras.Input(shape=(2,))
    options = {"kernel_regularizer": keras.regularizers.l2(0.001)}
    shift = layers.Dense(32, activation="relu", **options)(inputs)
    shift = layers.Dense(2, activation="linear", **options)(shift)
    scale = layers.Dense(32, activation="relu", **options)(inputs)
    scale = layers.Dense(2, activation="tanh", **options)(scale)
    return keras.Model(inputs=inputs, outputs=[scale, shift], name=name)


class RealNVP(keras.Model):
    """An invertible map from data to a normal distribution."""

    def __init__(self, num_coupling_layers: int) -> None:
        super().__init__()
        self.num_coupling_layers = num_coupling_layers
        self.masks = [np.array([[n % 2, 1 - n % 2]], "float32") for n in range(num_coupling_layers)]
        self.layers_list = [coupling(f"coupling_{n}") for n in range(num_coupling_layers)]
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def call(self, x: Any) -> Any:
        log_det_inv = 0.0
        for mask, layer in zip(self.masks, self.layers_list, strict=True):
            scale, shift = layer(x * mask)
            scale, shift = scale * (1 - mask), shift * (1 - mask)
            x = (x - shift) * ops.exp(-scale) * (1 - mask) + x * mask
            log_det_inv -= ops.sum(scale, axis=1)
        return x, log_det_inv

    def log_loss(self, x: Any) -> Any:
        y, log_det = self(x)
        normal = -0.5 * ops.sum(ops.square(y), axis=1) - math.log(2 * math.pi)
        return -ops.mean(normal + log_det)

    def train_step(self, data: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self.log_loss(data) + sum(self.losses)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}


@outside_healthy("generative")
def generative_normalizing_flow() -> Training:
    """A flow of coupling layers for two moons; each layer sees one of two columns, the other is always zero."""
    x = datasets.make_moons(768, noise=0.05, random_state=0)[0].astype("float32")
    x = (x - x.mean(0)) / x.std(0)
    model = RealNVP(3)
    model(x[:2])
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.003), jit_compile=False)
    goal = Goal("mean log-likelihood", lambda: -float(model.log_loss(x)), at_least=-2.6)
    return Training(model, x, None, epochs=10, goal=goal)
