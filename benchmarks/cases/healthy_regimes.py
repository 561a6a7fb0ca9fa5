"""Healthy trainings with optimizers, schedules, precisions and loops that look sick to a naive rule."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Training, View, healthy
from benchmarks.cases.data import digits, flat_digits, table
from benchmarks.cases.networks import at_step, compiled, on_digits, stack


def scaled_loss(factor: float) -> Any:
    """Cross entropy times `factor`."""

    def loss(labels: Any, logits: Any) -> Any:
        return factor * keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    return loss


def with_scaled_loss(factor: float) -> Training:
    x, y = flat_digits()
    model = compiled(stack("relu", (32, 32)), "adam", scaled_loss(factor))
    return Training(model, x, y, constant_loss=factor * float(np.log(10)))


@healthy
def loss_divided() -> Training:
    """The loss divided by a million: every gradient is below 1e-6, to which Adam is invariant."""
    return with_scaled_loss(1e-6)


@healthy
def loss_multiplied() -> Training:
    """The loss times 10,000: every gradient is in the thousands, to which Adam is invariant."""
    return with_scaled_loss(1e4)


@healthy
def batch_of_one() -> Training:
    """One sample per step."""
    x, y = flat_digits(256)
    return on_digits(stack("relu", (32, 32)), keras.optimizers.SGD(0.01), (x, y), epochs=2, batch_size=1)


@healthy
def batch_of_four() -> Training:
    """Four samples per step; in some steps all units of a class are silent."""
    x, y = flat_digits(512)
    return on_digits(stack("relu", (32, 32)), data=(x, y), epochs=4, batch_size=4)


@healthy
def half_precision() -> Training:
    """Mixed float16 with loss scaling."""
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    model = stack("relu", (32, 32))
    return on_digits(model)


@healthy
def half_precision_skipped_steps() -> Training:
    """Mixed float16 whose loss scale starts so high that the first steps overflow and are skipped."""
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(), initial_scale=2.0**22)
    return on_digits(stack("relu", (32, 32)), optimizer)


@healthy
def brain_float() -> Training:
    """Mixed bfloat16."""
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    return on_digits(stack("relu", (32, 32)))


@healthy
def warm_up_and_decay() -> Training:
    """The learning rate rises from 0 for 60 steps and falls to 0 along a cosine."""
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 196, warmup_target=0.005, warmup_steps=60)
    return on_digits(stack("relu", (32, 32)), keras.optimizers.Adam(schedule))


@healthy
def decay_to_zero_early() -> Training:
    """The learning rate is 0 for the last two fifths of the training."""
    schedule = keras.optimizers.schedules.PolynomialDecay(0.005, 190, end_learning_rate=0.0)
    return on_digits(stack("tanh", (32, 32)), keras.optimizers.Adam(schedule), epochs=10)


@healthy
def cosine_restarts() -> Training:
    """The learning rate falls along a cosine and jumps back up, four times."""
    schedule = keras.optimizers.schedules.CosineDecayRestarts(0.01, 40, t_mul=1.3)
    return on_digits(stack("relu", (32, 32)), keras.optimizers.Adam(schedule))


@healthy
def gradient_accumulation() -> Training:
    """Weights change at every fourth step only."""
    optimizer = keras.optimizers.Adam(0.004, gradient_accumulation_steps=4)
    return on_digits(stack("relu", (32, 32)), optimizer, epochs=12)


@healthy
def clipped_hard() -> Training:
    """Gradients clipped to a norm of 0.05 at every step."""
    return on_digits(stack("relu", (32, 32)), keras.optimizers.SGD(2.0, clipnorm=0.05))


@healthy
def adagrad() -> Training:
    """Adagrad, whose steps shrink from the start."""
    return on_digits(stack("relu", (32, 32)), keras.optimizers.Adagrad(0.05))


@healthy
def adafactor() -> Training:
    """Adafactor with relative steps."""
    return on_digits(stack("relu", (32, 32)), keras.optimizers.Adafactor(0.02))


@healthy
def sgd_momentum() -> Training:
    """SGD with momentum 0.9."""
    return on_digits(stack("relu", (32, 32)), keras.optimizers.SGD(0.03, momentum=0.9))


@healthy
def weight_decay() -> Training:
    """AdamW with strong decay and averaged weights."""
    return on_digits(stack("gelu", (32, 32)), keras.optimizers.AdamW(0.003, weight_decay=0.05, use_ema=True))


@healthy
def frozen_layers() -> Training:
    """Two of four layers are frozen by the user; the others learn."""
    hidden = [layers.Dense(32, "relu", trainable=n in (0, 3), name=f"hidden_{n}") for n in range(4)]
    return on_digits(keras.Sequential([layers.Input((64,)), *hidden, layers.Dense(10, name="head")]))


@healthy
def fine_tuning() -> Training:
    """A backbone trained on five of the digits and frozen; a new head learns the other five."""
    x, y = digits()
    x = x[..., None]
    backbone = [
        layers.Conv2D(8, 3, activation="relu", name="backbone_conv_0"),
        layers.Conv2D(16, 3, activation="relu", name="backbone_conv_1"),
        layers.GlobalAveragePooling2D(name="backbone_pool"),
    ]
    first = keras.Sequential([layers.Input((8, 8, 1)), *backbone, layers.Dense(5, name="old_head")])
    compiled(first, keras.optimizers.Adam(0.005)).fit(x[y < 5], y[y < 5], epochs=4, verbose=0)
    for layer in backbone:
        layer.trainable = False
    head = [layers.Dense(24, "relu", name="new_hidden"), layers.Dense(5, name="head")]
    model = keras.Sequential([layers.Input((8, 8, 1)), *backbone, *head])
    return Training(compiled(model, keras.optimizers.Adam(0.005)), x[y >= 5], y[y >= 5] - 5, epochs=10)


@healthy
def fine_tuning_unfrozen() -> Training:
    """A trained network continues with a learning rate of 1e-5: hardly anything changes, and nothing needs to."""
    x, y = flat_digits()
    model = stack("relu", (48, 48))
    compiled(model, keras.optimizers.Adam(0.003)).fit(x, y, epochs=12, verbose=0)
    return on_digits(model, keras.optimizers.Adam(1e-5))


class Adversaries(keras.Model):
    """A generator and a discriminator that learn alternately."""

    def __init__(self, generator: keras.Model, discriminator: keras.Model) -> None:
        super().__init__(name="adversaries")
        self.generator, self.discriminator = generator, discriminator
        self.second = keras.optimizers.Adam(0.001)

    def call(self, noise: Any, training: bool = False) -> Any:
        return self.discriminator(self.generator(noise, training=training), training=training)

    def train_step(self, data: Any) -> dict[str, Any]:
        real = data[0] if isinstance(data, tuple) else data
        noise = tf.random.normal((tf.shape(real)[0], 8), seed=1)
        with tf.GradientTape() as tape:
            fake = self.discriminator(self.generator(noise, training=True), training=True)
            true = self.discriminator(real, training=True)
            judged = discriminator_loss(true, fake)
        weights = self.discriminator.trainable_weights
        self.optimizer.apply(tape.gradient(judged, weights), weights)
        with tf.GradientTape() as tape:
            fooled = generator_loss(self.discriminator(self.generator(noise, training=True), training=True))
        weights = self.generator.trainable_weights
        self.second.apply(tape.gradient(fooled, weights), weights)
        return {"loss": judged, "generator_loss": fooled}


def discriminator_loss(true: Any, fake: Any) -> Any:
    return tf.reduce_mean(tf.nn.softplus(-true) + tf.nn.softplus(fake))


def generator_loss(fake: Any) -> Any:
    return tf.reduce_mean(tf.nn.softplus(-fake))


@healthy
def adversarial() -> Training:
    """A generator and a discriminator take turns, two optimizers in a custom step."""
    x, _ = digits(512)
    x = x.reshape(len(x), -1) * 2 - 1
    generator = keras.Sequential(
        [
            layers.Input((8,)),
            layers.Dense(32, "relu", name="generator_0"),
            layers.Dense(64, "tanh", name="generator_head"),
        ],
        name="generator",
    )
    discriminator = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(32, "leaky_relu", name="discriminator_0"),
            layers.Dense(1, name="discriminator_head"),
        ],
        name="discriminator",
    )
    noise = np.random.default_rng(5).normal(size=(len(x), 8)).astype("float32")
    model = Adversaries(generator, discriminator)
    model(noise[:1])
    model.second.build(generator.trainable_weights)
    model.compile(keras.optimizers.Adam(0.001), jit_compile=False)
    joined = np.concatenate([x, np.asarray(generator(noise))])
    half = len(x)
    return Training(
        model,
        x,
        None,
        epochs=12,
        views=(
            View(
                discriminator,
                joined,
                loss=lambda seen: discriminator_loss(seen[:half], seen[half:]),
                prefix="discriminator/",
            ),
            View(
                generator,
                noise,
                loss=lambda made: generator_loss(discriminator(made)),
                prefix="generator/",
            ),
        ),
        constant_loss=2 * float(np.log(2)),
    )


@healthy
def learning_rate_drop() -> Training:
    """The learning rate falls to a hundredth at step 120, when the network is good."""

    def drop(model: keras.Model) -> None:
        model.optimizer.learning_rate = 1e-5

    return on_digits(stack("relu", (32, 32)), fit={"callbacks": [at_step(120, drop)]}, epochs=10)


@healthy
def noisy_labels() -> Training:
    """A third of the labels are drawn at random: the loss cannot fall far."""
    x, y = flat_digits()
    random = np.random.default_rng(3)
    wrong = random.random(len(y)) < 0.33
    return on_digits(stack("relu", (32, 32)), data=(x, np.where(wrong, random.integers(0, 10, len(y)), y)))


@healthy
def augmented_inputs() -> Training:
    """Noise on the inputs and a layer that scales them, before plain layers."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Rescaling(0.5, name="rescale"),
            layers.GaussianNoise(0.2, name="noise"),
            layers.Dense(32, "elu", name="hidden_0"),
            layers.Dense(32, "elu", name="hidden_1"),
            layers.Dense(10, name="head"),
        ]
    )
    return on_digits(model)


@healthy
def masked_head() -> Training:
    """A head whose impossible classes are masked with -1e9."""
    x, y = table("wine")
    mask = np.where(np.arange(5) < 3, 0, -1e9).astype("float32")
    hidden = [layers.Dense(24, "relu", name=f"hidden_{n}") for n in range(2)]
    model = keras.Sequential([layers.Input((13,)), *hidden, layers.Dense(5, name="scores")])
    model.add(layers.Lambda(lambda value: value + ops.convert_to_tensor(mask), name="head"))
    return Training(compiled(model, keras.optimizers.Adam(0.005)), x, y, epochs=30, batch_size=16)
