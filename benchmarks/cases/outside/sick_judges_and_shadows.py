"""Programs that generate or compare: masks that stay at one, a judge left out, sigmoids, sines of pixels, one code."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Training, View, outside_sick
from benchmarks.cases.data import Array, digits, photo_patches
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_queues_and_fields import shaken
from benchmarks.cases.outside.sick_eyes_and_attention import HURT


class MaskedChange(keras.Model):
    """A generator that mixes a picture with new colors by a mask, and a fixed network that reads the expression."""

    def __init__(self, network: keras.Model, reader: keras.Model) -> None:
        super().__init__()
        self.network, self.reader = network, reader
        reader.trainable = False

    def call(self, inputs: Any) -> Any:
        return self.network(inputs)

    def error(self, picture: Any, old: Any, new: Any, changed: Any) -> Any:
        back = self.network([changed, old])
        read = ops.mean(ops.square(self.reader(changed) - new))
        return 0.02 * read + 10 * ops.mean(ops.abs(back - picture)) + 10 * ops.mean(ops.abs(changed - picture))

    def train_step(self, faces: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            changed = self.network([faces["picture"], faces["new"]], training=True)
            loss = self.error(faces["picture"], faces["old"], faces["new"], changed)
        weights = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


def faces(count: int = 384) -> dict[str, Array]:
    """`[count, 12, 12, 1]` round faces with a mouth, how much it smiles from -1 to 1, and a new wish."""
    random = np.random.default_rng(1810)
    rows, columns = np.meshgrid(np.linspace(-1, 1, 12), np.linspace(-1, 1, 12), indexing="ij")
    old, new = random.uniform(-1, 1, (2, count, 1))
    tone = random.uniform(0.4, 0.9, (count, 1, 1))
    face = np.where(np.square(rows) + np.square(columns) < 0.9, tone, 0.1)
    mouth = np.exp(-np.square(rows - 0.4 + old[..., None] * (np.square(columns) - 0.1)) / 0.02)
    picture = face - 0.4 * mouth * (np.abs(columns) < 0.5) + random.normal(0, 0.02, face.shape)
    named = {"picture": picture[..., None], "old": old, "new": new}
    return {name: values.astype("float32") for name, values in named.items()}


@outside_sick(
    "saturated_units",
    ["network/mask"],
    family="generative",
    source="https://github.com/albertpumarola/GANimation/issues/63",
    accepted="The attention mask goes to 1, where nothing changes; a penalty on the norm of the mask prevents this.",
    also=(*HURT, "unfit_head"),
)
def masks_that_keep_every_pixel() -> Training:
    """A face gets another expression by a mask and new colors; without a penalty the mask keeps every pixel."""
    data = faces()
    given = layers.Input((12, 12, 1))
    body = layers.Conv2D(24, 3, strides=2, padding="same", activation="relu")(given)
    body = layers.Dense(32, activation="relu")(layers.Flatten()(body))
    reader = compiled(keras.Model(given, layers.Dense(1)(body)), keras.optimizers.Adam(0.003), "mse")
    reader.fit(data["picture"], data["old"], epochs=6, verbose=0)
    picture, wish = layers.Input((12, 12, 1), name="picture"), layers.Input((1,), name="wish")
    spread = layers.Reshape((12, 12, 1), name="spread")(layers.RepeatVector(144, name="repeat")(wish))
    body = layers.Concatenate(name="both")([picture, spread])
    for n in (1, 2):
        body = layers.Conv2D(32, 3, padding="same", name=f"conv_{n}")(body)
        body = layers.LeakyReLU(0.1, name=f"leaky_{n}")(layers.GroupNormalization(8, name=f"normal_{n}")(body))
    mask = layers.Conv2D(1, 5, padding="same", activation="sigmoid", name="mask")(body)
    color = layers.Conv2D(1, 5, padding="same", activation="tanh", name="color")(body)
    kept = layers.Multiply(name="kept")([mask, picture])
    rest = layers.Lambda(lambda value: 1 - value, name="rest")(mask)
    changed = layers.Add(name="changed")([kept, layers.Multiply(name="painted")([rest, color])])
    network = keras.Model([picture, wish], changed)
    model = MaskedChange(network, reader)
    model([data["picture"][:2], data["new"][:2]])
    model.compile(keras.optimizers.Adam(0.005, beta_1=0.5), jit_compile=False)

    seen, old, new = (ops.convert_to_tensor(data[part]) for part in ("picture", "old", "new"))

    def error(answer: Any) -> Any:
        return model.error(seen, old, new, answer)

    view = View(network, [data["picture"], data["new"]], loss=error, prefix="network/")
    return Training(model, data, None, epochs=12, batch_size=16, views=(view,))


class TwoJudges(keras.Model):
    """A network that cleans waves, and judges of resolutions and of periods that should learn to tell."""

    def __init__(self, cleaner: keras.Model, spectra: keras.Model, periods: keras.Model) -> None:
        super().__init__()
        self.cleaner, self.spectra, self.periods = cleaner, spectra, periods
        self.judge_optimizer = keras.optimizers.Adam(0.001, beta_1=0.8)
        # Without the weights of the judge of periods.
        self.judged = list(spectra.trainable_variables)
        self.judge_optimizer.build(self.judged)

    def call(self, waves: Any) -> Any:
        return self.cleaner(waves)

    def train_step(self, data: Any) -> dict[str, Any]:
        noisy, clean = data
        judges = (self.spectra, self.periods)
        with tf.GradientTape() as tape:
            made = self.cleaner(noisy, training=True)
            fooled = sum(ops.mean(ops.square(judge(made) - 1)) for judge in judges)
            loss = ops.mean(ops.square(made - clean)) + 0.05 * fooled
        weights = self.cleaner.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        with tf.GradientTape() as tape:
            wrong = told_apart(self.spectra, clean, made) + told_apart(self.periods, clean, made)
        self.judge_optimizer.apply(tape.gradient(wrong, self.judged), self.judged)
        return {"loss": loss, "judges": wrong}


def told_apart(judge: keras.Model, clean: Any, made: Any) -> Any:
    """Squared distance to 1 for clean waves and to 0 for made ones."""
    return ops.mean(ops.square(judge(clean) - 1)) + ops.mean(ops.square(judge(made)))


def judge_of_waves(name: str, period: int) -> keras.Model:
    """Scores for pieces of a wave, seen in rows of one period."""
    inputs = layers.Input((96, 1))
    body = layers.Reshape((96 // period, period, 1), name=f"{name}_rows")(inputs)
    for n, filters in enumerate((16, 32), 1):
        body = layers.Conv2D(filters, (5, 1), strides=(2, 1), padding="same", name=f"{name}_conv_{n}")(body)
        body = layers.LeakyReLU(0.1, name=f"{name}_leaky_{n}")(body)
    return keras.Model(inputs, layers.Conv2D(1, (3, 1), padding="same", name=f"{name}_score")(body))


@outside_sick(
    "stagnant_weights",
    ["periods/periods_conv_1", "periods/periods_conv_2", "periods/periods_score"],
    family="audio",
    source="https://github.com/line/open-universe/issues/5",
    accepted="The optimizer got the weights of one discriminator twice and those of the one for periods not at all.",
    also=("no_learning",),
)
def judge_of_periods_left_out() -> Training:
    """Noise is taken from voices with two judges, and the optimizer of the judges does not know one of them."""
    random = np.random.default_rng(1811)
    time = np.arange(96)
    pitch = random.uniform(0.1, 0.5, (512, 1))
    clean = np.sin(pitch * time + random.uniform(0, 6, (512, 1))) + 0.4 * np.sin(2 * pitch * time)
    noisy = (clean + random.normal(0, 0.5, clean.shape))[..., None].astype("float32")
    clean = clean[..., None].astype("float32")
    inputs = layers.Input((96, 1))
    body = layers.Conv1D(32, 9, padding="same", activation="elu", name="clean_conv_1")(inputs)
    body = layers.Conv1D(32, 9, padding="same", dilation_rate=2, activation="elu", name="clean_conv_2")(body)
    cleaner = keras.Model(inputs, layers.Conv1D(1, 9, padding="same", name="clean_wave")(body))
    spectra, periods = judge_of_waves("spectra", 1), judge_of_waves("periods", 6)
    model = TwoJudges(cleaner, spectra, periods)
    model(noisy[:2])
    model.compile(keras.optimizers.Adam(0.002, beta_1=0.8), jit_compile=False)
    made = np.asarray(cleaner(noisy))
    both, is_clean = np.concatenate([clean, made]), np.repeat([1.0, 0.0], 512).astype("float32")

    def mistaken(scores: Any) -> Any:
        return ops.mean(ops.square(scores - is_clean.reshape(-1, 1, 1, 1)))

    views = (
        View(cleaner, noisy, loss=lambda wave: ops.mean(ops.square(wave - clean)), prefix="cleaner/"),
        View(spectra, both, loss=mistaken, prefix="spectra/"),
        View(periods, both, loss=mistaken, prefix="periods/"),
    )
    return Training(model, noisy, clean, epochs=8, views=views)


class Reparameterized(layers.Layer):
    """A draw from the code, and its divergence as a loss."""

    def call(self, inputs: Any) -> Any:
        mean, spread = inputs
        self.add_loss(0.5 * ops.mean(ops.sum(ops.square(mean) + ops.exp(spread) - spread - 1, axis=-1)))
        return mean + ops.exp(0.5 * spread) * keras.random.normal(ops.shape(mean), seed=1812)


def summed_entropy(truth: Any, scores: Any) -> Any:
    """Cross entropy of all pixels, summed."""
    return ops.sum(ops.softplus(scores) - truth * scores, axis=(1, 2, 3))


@outside_sick(
    "vanishing_gradient",
    ["conv_1", "conv_2", "dense"],
    family="generative",
    source="https://github.com/cdoersch/vae_tutorial/issues/5",
    accepted="Sigmoids instead of ReLU in the convolutional version; with them gradients vanish.",
    also=HURT,
)
def variational_convolutions_of_sigmoids() -> Training:
    """A convolutional variational autoencoder of digits whose hidden layers are sigmoids, trained with momentum."""
    x = digits(512)[0][..., None]
    inputs = layers.Input((8, 8, 1))
    body = layers.Conv2D(32, 3, padding="same", activation="sigmoid", name="conv_1")(inputs)
    body = layers.Conv2D(32, 3, strides=2, padding="same", activation="sigmoid", name="conv_2")(body)
    body = layers.Dense(64, activation="sigmoid", name="dense")(layers.Flatten(name="flat")(body))
    code = Reparameterized(name="code")([layers.Dense(8, name="mean")(body), layers.Dense(8, name="spread")(body)])
    body = layers.Dense(256, activation="sigmoid", name="wide")(code)
    body = layers.Reshape((4, 4, 16), name="grid")(body)
    body = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="sigmoid", name="deconv")(body)
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same", name="pixels")(body))
    compiled(model, keras.optimizers.SGD(1e-4, momentum=0.9), summed_entropy)
    shares = np.clip(x.mean(0), 1e-9, 1 - 1e-9)
    constant = float(-(shares * np.log(shares) + (1 - shares) * np.log(1 - shares)).sum())
    return Training(model, x, x, epochs=8, constant_loss=constant)


@outside_sick(
    "poor_init",
    ["sine_1"],
    family="generative",
    source="https://github.com/vsitzmann/siren/issues/19",
    accepted="The inputs were not between -1 and 1, as the start of the sines needs, and the rate was too high.",
    also=HURT,
)
def sines_of_pixel_numbers() -> Training:
    """A photograph as a function of its coordinates by sines, with the numbers of rows and columns as they are."""
    size = 256
    photo = photo_patches(1, size)[0]
    rows, columns = np.meshgrid(np.arange(0, size, 8), np.arange(0, size, 8), indexing="ij")
    x = np.stack([rows.ravel(), columns.ravel()], 1).astype("float32")
    y = (2 * photo[::8, ::8].reshape(-1, 3) - 1).astype("float32")
    inputs = layers.Input((2,))
    body = inputs
    for n in range(1, 4):
        bound = 1 / 2 if n == 1 else (6 / 96) ** 0.5 / 30
        start = keras.initializers.RandomUniform(-bound, bound)
        body = layers.Dense(96, kernel_initializer=start, name=f"sine_{n}")(body)
        body = layers.Lambda(lambda value: ops.sin(30 * value), name=f"wave_{n}")(body)
    model = keras.Model(inputs, layers.Dense(3, name="color")(body))
    return Training(compiled(model, keras.optimizers.Adam(0.01), "mse"), x, y, epochs=8)


class Agreement(keras.Model):
    """Predicts the code of one view from the other; the code itself is held still."""

    def error(self, first: Any, second: Any) -> Any:
        total = 0.0
        for (_, guess), (code, _) in ((first, second), (second, first)):
            total -= 0.5 * ops.mean(ops.sum(guess * ops.stop_gradient(code), axis=1))
        return total

    def train_step(self, views: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self.error(*(self(views[:, n], training=True) for n in range(2)))
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


@outside_sick(
    "collapsed_layer",
    ["conv_1", "conv_2", "project_1", "project_2", "predict_1", "predict_2", "code", "guess"],
    family="vision",
    source="https://github.com/leftthomas/SimSiam/issues/1",
    accepted="The loss collapses to -1 at once; the batch should be larger and the learning rate smaller.",
    also=HURT,
)
def views_that_agree_on_nothing() -> Training:
    """SimSiam in batches of eight at a very high rate: soon every picture has the same code, and the loss is -1."""
    pictures = digits(384)[0]
    views = np.stack([shaken(pictures, 1813), shaken(pictures, 1814)], 1)
    inputs = layers.Input((8, 8, 1))
    body = layers.Conv2D(24, 3, strides=2, padding="same", activation="relu", name="conv_1")(inputs)
    body = layers.Conv2D(48, 3, strides=2, padding="same", activation="relu", name="conv_2")(body)
    body = layers.GlobalAveragePooling2D(name="pool")(body)
    body = layers.Dense(48, name="project_2")(layers.Dense(48, activation="relu", name="project_1")(body))
    code = layers.UnitNormalization(name="code")(body)
    body = layers.Dense(48, name="predict_2")(layers.Dense(24, activation="relu", name="predict_1")(body))
    model = Agreement(inputs, [code, layers.UnitNormalization(name="guess")(body)])
    model.compile(keras.optimizers.SGD(10.0, momentum=0.9, weight_decay=1e-4), jit_compile=False)

    def error(answers: Any) -> Any:
        halves = [keras.tree.map_structure(lambda one, n=n: one[n::2], answers) for n in range(2)]
        return model.error(*halves)

    view = View(model, views.reshape(-1, 8, 8, 1), loss=error)
    return Training(model, views, None, epochs=6, batch_size=8, views=(view,), constant_loss=UNKNOWN)
