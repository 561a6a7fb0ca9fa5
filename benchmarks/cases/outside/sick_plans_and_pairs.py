"""Programs whose learning rate is planned wrongly, whose network stays frozen, or whose pairs do not match."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from benchmarks.cases.base import WHOLE, Training, outside_sick
from benchmarks.cases.data import Array, digits, photo_patches
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import entropy_by_position

DAMAGE = (
    "stagnant_weights",
    "vanishing_gradient",
    "exploding_gradient",
    "saturated_units",
    "dead_units",
    "dormant_units",
    "collapsed_layer",
    "no_gradient",
    "no_learning",
    "learning_rate",
)
"""What steps of the wrong size do."""


def promoters(count: int = 512, length: int = 40) -> tuple[Array, Array]:
    """Stretches of DNA as one-hot letters, and whether one holds a motif of six letters."""
    random = np.random.default_rng(380)
    letters = random.integers(0, 4, (count, length))
    y = random.integers(0, 2, count)
    for row in np.flatnonzero(y):
        place = random.integers(0, length - 6)
        letters[row, place : place + 6] = (3, 0, 3, 0, 0, 3)
    return np.eye(4, dtype="float32")[letters], y.astype("float32")[:, None]


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="text",
    source="https://github.com/FunctionLab/selene/issues/115",
    accepted="The rate is reduced whenever the loss does not rise: the mode was made for a score and not for a loss.",
    also=DAMAGE,
)
def rate_reduced_while_the_loss_falls() -> Training:
    """Motifs in DNA by convolutions and SGD; the rate is divided by ten when the loss has not risen for an epoch."""
    x, y = promoters()
    model = keras.Sequential(
        [
            layers.Input((40, 4)),
            layers.Conv1D(24, 6, activation="relu", name="motifs"),
            layers.MaxPooling1D(4, name="pool"),
            layers.Conv1D(16, 3, activation="relu", name="conv"),
            layers.GlobalMaxPooling1D(name="most"),
            layers.Dense(1, activation="sigmoid", name="is_promoter"),
        ]
    )
    reduce = keras.callbacks.ReduceLROnPlateau(monitor="loss", mode="max", factor=0.1, patience=1, min_delta=0)
    compiled(model, keras.optimizers.SGD(0.01), "binary_crossentropy")
    return Training(model, x, y, epochs=22, fit={"callbacks": [reduce]})


def melodies(count: int = 192, length: int = 49, levels: int = 32) -> Array:
    """Waves of two tones in 32 levels, `[count, length]`."""
    random = np.random.default_rng(381)
    time, pitch = np.arange(length), random.uniform(0.2, 0.6, (2, count, 1))
    wave = (np.sin(time * pitch[0]) + 0.5 * np.sin(time * pitch[1] + 1)) / 1.5
    return np.asarray(np.clip((wave + 1) / 2 * levels, 0, levels - 1), "int32")


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="audio",
    source="https://github.com/ibab/tensorflow-wavenet/issues/136",
    accepted="The loss stays at that of a guess with the default rate, which has to be decreased to 0.001.",
    also=DAMAGE,
)
def dilated_convolutions_at_a_high_rate() -> Training:
    """The next level of a wave by gated dilated convolutions with skip connections, by Adam at a far too high rate."""
    levels = melodies()
    inputs = layers.Input((48,), dtype="int32")
    body = layers.Embedding(32, 16, name="levels")(inputs)
    skipped = []
    for n, rate in enumerate((1, 2, 4, 8)):
        options = {"dilation_rate": rate, "padding": "causal"}
        content = layers.Conv1D(16, 2, activation="tanh", name=f"content_{n}", **options)(body)
        gate = layers.Conv1D(16, 2, activation="sigmoid", name=f"gate_{n}", **options)(body)
        gated = layers.Multiply(name=f"gated_{n}")([content, gate])
        skipped.append(layers.Conv1D(24, 1, name=f"skip_{n}")(gated))
        body = layers.Add(name=f"sum_{n}")([body, layers.Conv1D(16, 1, name=f"residual_{n}")(gated)])
    body = layers.Activation("relu", name="rectified")(layers.Add(name="skips")(skipped))
    model = keras.Model(inputs, layers.Conv1D(32, 1, name="next_level")(body))
    compiled(model, keras.optimizers.Adam(0.5))
    gates = tuple(f"gate_{n}" for n in range(4))
    constant = entropy_by_position(levels[:, 1:])
    return Training(model, levels[:, :-1], levels[:, 1:], epochs=8, gates=gates, constant_loss=constant)


def translations(count: int = 320, length: int = 8) -> tuple[list[Array], Array]:
    """Sentences, their translations from the second word on, and the translations that precede them."""
    source = np.random.default_rng(385).integers(2, 26, (count, length))
    target = (source[:, ::-1] + 7) % 24 + 2
    before = np.pad(target[:, :-1], ((0, 0), (1, 0)), constant_values=1)
    return [source.astype("int32"), before.astype("int32")], target.astype("int32")


@outside_sick(
    "learning_rate",
    [WHOLE],
    family="text",
    source="https://github.com/OpenNMT/OpenNMT-py/issues/869",
    accepted="A rate of 2 is meant to be scaled by the decay method; without it Adam needs an adequate learning rate.",
    also=DAMAGE,
)
def translator_without_its_decay_method() -> Training:
    """A transformer translates backwards, by Adam with the factor of a schedule, 2, as its learning rate."""
    x, y = translations()
    source, before = (layers.Input((8,), dtype="int32", name=name) for name in ("source", "before"))
    embed = layers.Embedding(26, 24, name="shared_words")
    angles = np.arange(8)[:, None] / 100 ** (np.arange(24) // 2 / 12)
    places = np.where(np.arange(24) % 2, np.cos(angles), np.sin(angles)).astype("float32")
    body = layers.Lambda(lambda value: value + places, name="placed_source")(embed(source))
    seen = layers.MultiHeadAttention(2, 12, name="encoder_attention")(body, body)
    encoded = layers.LayerNormalization(name="encoder_norm")(layers.Add(name="encoder_sum")([body, seen]))
    body = layers.Lambda(lambda value: value + places, name="placed_target")(embed(before))
    seen = layers.MultiHeadAttention(2, 12, name="decoder_attention")(body, body, use_causal_mask=True)
    body = layers.LayerNormalization(name="decoder_norm_1")(layers.Add(name="decoder_sum_1")([body, seen]))
    seen = layers.MultiHeadAttention(2, 12, name="cross_attention")(body, encoded)
    body = layers.LayerNormalization(name="decoder_norm_2")(layers.Add(name="decoder_sum_2")([body, seen]))
    body = layers.Dense(48, activation="relu", name="feed_forward")(body)
    model = keras.Model([source, before], layers.Dense(26, name="generator")(body))
    compiled(model, keras.optimizers.Adam(2.0, beta_2=0.998))
    return Training(model, x, y, epochs=8, constant_loss=entropy_by_position(y))


@outside_sick(
    "no_learning",
    [WHOLE],
    family="generative",
    source="https://github.com/eriklindernoren/Keras-GAN/issues/22",
    accepted="The discriminator is frozen once for the generator and stays so; unfreeze it before its training.",
    also=("stagnant_weights", "learning_rate", "collapsed_layer"),
)
def discriminator_frozen_forever() -> Training:
    """A discriminator is frozen to be put behind a generator, and is then to learn what is real, still frozen."""
    real = digits(384)[0][..., None]
    codes = np.random.default_rng(382).normal(size=(384, 12)).astype("float32")
    generator = keras.Sequential(
        [
            layers.Input((12,)),
            layers.Dense(64, activation="sigmoid", name="pixels"),
            layers.Reshape((8, 8, 1), name="picture"),
        ]
    )
    discriminator = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(16, 3, strides=2, padding="same", name="conv"),
            layers.LeakyReLU(0.2, name="leaky"),
            layers.Flatten(name="flatten"),
            layers.Dense(1, activation="sigmoid", name="is_real"),
        ]
    )
    compiled(discriminator, keras.optimizers.Adam(2e-4), "binary_crossentropy")
    discriminator.trainable = False
    noise = layers.Input((12,))
    combined = keras.Model(noise, discriminator(generator(noise)))
    compiled(combined, keras.optimizers.Adam(2e-4), "binary_crossentropy")
    combined.fit(codes, np.ones((384, 1)), epochs=1, verbose=0)
    x = np.concatenate([real, generator(codes).numpy()])
    y = np.repeat([[1.0], [0.0]], 384, axis=0).astype("float32")
    return Training(discriminator, x, y, epochs=6)


def shifted(pictures: Array, seed: int) -> Array:
    """The pictures, each rolled by a random number of rows and columns and flipped or not."""
    random = np.random.default_rng(seed)
    moved = []
    for picture in pictures:
        step = random.integers(0, len(picture), 2)
        picture = np.roll(picture, tuple(step), (0, 1))
        moved.append(picture[:: random.choice([-1, 1]), :: random.choice([-1, 1])])
    return np.stack(moved)


@outside_sick(
    "no_learning",
    [WHOLE],
    family="vision",
    source="https://github.com/keras-team/keras-preprocessing/issues/125",
    accepted="Images and masks are transformed with different seeds, so that they do not belong together.",
    also=DAMAGE,
)
def masks_moved_by_another_seed() -> Training:
    """Bright places are marked in patches; patches and masks are each moved at random, with two seeds."""
    x = photo_patches(768, 12)
    gray = x.mean(-1, keepdims=True)
    y = (gray > np.median(gray, axis=(1, 2), keepdims=True)).astype("float32")
    inputs = layers.Input((12, 12, 3))
    first = layers.Conv2D(12, 3, padding="same", activation="relu", name="down_1")(inputs)
    body = layers.MaxPooling2D(name="pool")(first)
    body = layers.Conv2D(24, 3, padding="same", activation="relu", name="down_2")(body)
    body = layers.UpSampling2D(name="larger")(body)
    body = layers.Concatenate(name="skip")([body, first])
    body = layers.Conv2D(12, 3, padding="same", activation="relu", name="up_1")(body)
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid", name="mask")(body))
    compiled(model, keras.optimizers.Adam(0.001), "binary_crossentropy")
    return Training(model, shifted(x, 383), shifted(y, 384), epochs=6)
