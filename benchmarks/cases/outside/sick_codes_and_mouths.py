"""Programs that rebuild, draw or speak: codes that start far off, weights of zero over zero, a missing update."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, WHOLE, Training, View, outside_sick
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled

LOST = ("nonfinite", "nonfinite_loss", "nonfinite_data", "no_learning", "collapsed_layer", "exploding_gradient")
"""What goes with values that are not finite."""


class Codebook(layers.Layer):
    """Replaces each vector by the nearest code; the gradient passes as if nothing had happened."""

    def __init__(self, count: int, start: Any, name: str) -> None:
        super().__init__(name=name)
        self.count, self.start = count, start

    def build(self, input_shape: Any) -> None:
        shape = (self.count, input_shape[-1])
        self.codes = self.add_weight(shape=shape, initializer=self.start, name="codes")

    def call(self, values: Any) -> Any:
        far = ops.sum(ops.square(values[..., None, :] - self.codes), axis=-1)
        chosen = ops.take(self.codes, ops.argmin(far, axis=-1), axis=0)
        moved = ops.mean(ops.square(ops.stop_gradient(values) - chosen))
        self.add_loss(moved + 0.25 * ops.mean(ops.square(values - ops.stop_gradient(chosen))))
        return values + ops.stop_gradient(chosen - values)


@outside_sick(
    "poor_init",
    ["codebook"],
    family="generative",
    source="https://github.com/lucidrains/vector-quantize-pytorch/issues/19",
    accepted="The codes are drawn from a normal law, where the original has a uniform one that is far narrower.",
    also=("stagnant_weights", "vanishing_gradient", "dead_units", "collapsed_layer", "dormant_units", "no_gradient"),
)
def codes_from_a_normal_law() -> Training:
    """Digits as four of 256 codes from a standard normal law: most are farther off than anything ever gets."""
    x = digits(768)[0].reshape(768, 64)
    inputs = layers.Input((64,))
    body = layers.Dense(64, activation="relu", name="encode_1")(inputs)
    body = layers.Dense(48, name="encode_2")(body)
    body = Codebook(256, keras.initializers.RandomNormal(0.0, 1.0), name="codebook")(
        layers.Reshape((4, 12), name="parts")(body)
    )
    body = layers.Dense(64, activation="relu", name="decode_1")(layers.Flatten(name="joined")(body))
    model = keras.Model(inputs, layers.Dense(64, name="decode_2")(body))
    return Training(compiled(model, keras.optimizers.Adam(0.001), "mse"), x, x, epochs=10)


STEPS = 40


def shares_of_signal() -> Array:
    """The share of the picture that is left after each step, by the usual betas, moved so that the last one is zero."""
    root = np.sqrt(np.cumprod(1 - np.linspace(0.003, 0.2, STEPS)))
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    return np.asarray(np.square(root), "float32")


def weighted_by_signal(truth: Any, noise: Any) -> Any:
    """The error of the noise, weighted by the ratio of signal to noise, at most 5, over that ratio."""
    ratio = truth[:, -1]
    return ops.minimum(ratio, 5.0) / ratio * ops.mean(ops.square(truth[:, :-1] - noise), axis=-1)


@outside_sick(
    "nonfinite_loss",
    [WHOLE],
    family="generative",
    source="https://github.com/TiankaiHang/Min-SNR-Diffusion-Training/pull/4",
    accepted="With betas that leave no signal at the last step, the weight there is zero over zero and the loss NaN.",
    also=LOST,
)
def weight_of_the_last_step() -> Training:
    """Noise in digits is predicted under weights by the signal that is left; after the last step nothing is left."""
    x = digits(768)[0].reshape(768, 64)
    x = ((x - x.mean()) / x.std()).astype("float32")
    random = np.random.default_rng(650)
    at = random.integers(0, STEPS, 768)
    signal = shares_of_signal()[at][:, None]
    noise = random.normal(0, 1, x.shape).astype("float32")
    noisy = np.sqrt(signal) * x + np.sqrt(1 - signal) * noise
    pictures, step = layers.Input((64,), name="noisy"), layers.Input((), dtype="int32", name="step")
    time = layers.Embedding(STEPS, 16, name="time")(step)
    body = layers.Dense(96, activation="swish", name="dense_1")(layers.Concatenate(name="both")([pictures, time]))
    body = layers.Dense(96, activation="swish", name="dense_2")(body)
    model = keras.Model([pictures, step], layers.Dense(64, name="noise")(body))
    compiled(model, keras.optimizers.AdamW(0.001), weighted_by_signal)
    targets = np.concatenate([noise, signal / (1 - signal)], 1)
    return Training(model, [noisy, at.astype("int32")], targets, epochs=5, constant_loss=UNKNOWN)


def speech(count: int = 480) -> tuple[Array, Array]:
    """`[count, 12, 6]` bands of sound over time, and `[count, 64]` pictures of mouths, wider open if it is loud."""
    random = np.random.default_rng(651)
    loud = random.uniform(0, 1, (count, 1))
    tilt = random.uniform(-1, 1, (count, 1, 1)) * np.linspace(-1, 1, 6)
    sound = loud[..., None] + 0.3 * tilt + random.normal(0, 0.1, (count, 12, 6))
    rows, columns = np.meshgrid(np.linspace(-1, 1, 8), np.linspace(-1, 1, 8), indexing="ij")
    far = np.square(rows.ravel() / (0.15 + 0.7 * loud)) + np.square(columns.ravel() / 0.8)
    return sound.astype("float32"), (1 / (1 + np.exp(-8 * (1 - far)))).astype("float32")


class SpeakingMouths(keras.Model):
    """A generator of mouths for sounds and a judge of both, each of which should be updated in every step."""

    def __init__(self, generator: keras.Model, judge: keras.Model) -> None:
        super().__init__()
        self.generator, self.judge = generator, judge
        self.judge_optimizer = keras.optimizers.Adam(0.001, beta_1=0.5)
        self.judge_optimizer.build(judge.trainable_variables)

    def call(self, sound: Any) -> Any:
        return self.generator(sound)

    def wish(self, sound: Any, real: Any, made: Any) -> Any:
        score = self.judge([ops.convert_to_tensor(sound), made])
        return ops.mean(ops.softplus(-score)) + 10 * ops.mean(ops.abs(real - made))

    def train_step(self, data: Any) -> dict[str, Any]:
        sound, real = data
        with tf.GradientTape() as tape:
            made = self.generator(sound, training=True)
            wrong, right = self.judge([sound, made], training=True), self.judge([sound, real], training=True)
            cost = ops.mean(ops.softplus(wrong) + ops.softplus(-right))
        weights = self.judge.trainable_variables
        self.judge_optimizer.apply(tape.gradient(cost, weights), weights)
        loss = self.wish(sound, real, self.generator(sound, training=True))
        return {"loss": loss, "judge": cost}


@outside_sick(
    "stagnant_weights",
    ["generator/listen", "generator/draw_1", "generator/draw_2"],
    family="audio",
    source="https://github.com/PrashanthaTP/wav2mov/issues/3",
    accepted="After the backward passes of the generator the function that updates its weights is never called.",
    also=("saturated_units", "vanishing_gradient", "exploding_gradient", "dead_units", "dormant_units", "unfit_head"),
)
def mouths_that_are_never_updated() -> Training:
    """Pictures of mouths from sounds, against a judge; the step updates the judge and forgets the generator."""
    sound, mouths = speech()
    given = layers.Input((12, 6), name="sound")
    body = layers.Dense(48, activation="relu", name="draw_1")(layers.GRU(32, name="listen")(given))
    generator = keras.Model(given, layers.Dense(64, activation="sigmoid", name="draw_2")(body), name="generator")
    heard, seen = layers.Input((12, 6), name="heard"), layers.Input((64,), name="seen")
    body = layers.Concatenate(name="both")([layers.Flatten(name="flat")(heard), seen])
    body = layers.LeakyReLU(0.2, name="leak")(layers.Dense(48, name="judge_1")(body))
    judge = keras.Model([heard, seen], layers.Dense(1, name="judge_2")(body), name="judge")
    model = SpeakingMouths(generator, judge)
    model(sound[:2])
    model.compile(keras.optimizers.Adam(0.001, beta_1=0.5), jit_compile=False)
    views = (
        View(generator, sound, loss=lambda made: model.wish(sound, mouths, made), prefix="generator/"),
        View(judge, [sound, mouths], loss=lambda score: ops.mean(ops.softplus(-score)), prefix="judge/"),
    )
    return Training(model, sound, mouths, epochs=8, views=views)


class Averages(layers.Layer):
    """The mean of the frames that belong to each sound."""

    def call(self, inputs: Any) -> Any:
        frames, owners = inputs
        sums = ops.matmul(ops.transpose(owners, (0, 2, 1)), frames)
        return sums / ops.sum(owners, axis=1)[..., None]


@outside_sick(
    "nonfinite",
    ["averages"],
    family="audio",
    source="https://github.com/tuanh123789/AdaSpeech/issues/5",
    accepted="The new aligner gives some phonemes no frame at all; the mean of their spectrum has to be replaced.",
    also=LOST,
)
def phonemes_without_a_frame() -> Training:
    """Spectra from phonemes and the mean spectrum of each; the alignment gives a few of the phonemes no frames."""
    random = np.random.default_rng(652)
    sounds = random.integers(0, 20, (480, 8))
    lengths = random.multinomial(24, np.full(8, 1 / 8), 480)
    lengths[::16, 3] += lengths[::16, 4]
    lengths[::16, 4] = 0
    keep = (lengths > 0).all(1) | (np.arange(480) % 16 == 0)
    sounds, lengths = sounds[keep], lengths[keep]
    owner = np.stack([np.repeat(np.arange(8), row) for row in lengths])
    colors = random.normal(0, 1, (20, 10))[np.take_along_axis(sounds, owner, 1)]
    spectra = (colors + random.normal(0, 0.3, (len(colors), 1, 10)) + random.normal(0, 0.1, colors.shape)).astype(
        "float32"
    )
    owners = np.eye(8, dtype="float32")[owner]
    frames, who = layers.Input((24, 10), name="frames"), layers.Input((24, 8), name="owners")
    phonemes = layers.Input((8,), dtype="int32", name="phonemes")
    means = Averages(name="averages")([frames, who])
    means = layers.Conv1D(16, 3, padding="same", activation="relu", name="acoustic")(means)
    body = layers.Concatenate(name="both")([layers.Embedding(20, 24, name="embedding")(phonemes), means])
    body = layers.Dense(48, activation="relu", name="encode")(body)
    body = layers.Dot(axes=(2, 1), name="expanded")([who, body])
    body = layers.Bidirectional(layers.GRU(24, return_sequences=True), name="decode")(body)
    model = keras.Model([frames, who, phonemes], layers.Dense(10, name="spectrum")(body))
    compiled(model, keras.optimizers.Adam(0.002), "mae")
    return Training(model, [spectra, owners, sounds.astype("int32")], spectra, epochs=5)
