"""Healthy programs that tune known networks to new domains, controls, classes and tasks, partly by tiny parameters."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array, digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy


class Reversed(layers.Layer):
    """Passes values on, and their gradient with the opposite sign and a given size."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.turn = tf.custom_gradient(lambda values: (tf.identity(values), lambda up: -size * up))

    def call(self, values: Any) -> Any:
        return self.turn(values)


@outside_healthy("fine_tuning")
def tuning_domains_made_alike() -> Training:
    """A network of clean digits is tuned to unlabeled ones with a background; its features shall not tell which."""
    pictures, labels = digits(1024)
    random = np.random.default_rng(620)
    coarse = random.uniform(0, 1, (512, 2, 2)).repeat(4, 1).repeat(4, 2)
    clean, other = pictures[:512], 0.6 * pictures[512:] + 0.4 * coarse
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(24, 3, padding="same", activation="relu")(inputs)
    body = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(layers.BatchNormalization()(body))
    features = layers.Dense(48, activation="relu")(layers.Flatten()(body))
    classes = layers.Dense(10, name="classes")(layers.Dropout(0.3)(features))
    compiled(keras.Model(inputs, classes)).fit(clean[..., None], labels[:512], epochs=3, verbose=0)
    judge = layers.Dense(32, activation="relu")(Reversed(0.3)(features))
    model = keras.Model(inputs, {"classes": classes, "domain": layers.Dense(1, name="domain")(judge)})
    is_clean = np.repeat([1.0, 0.0], 512).astype("float32")
    losses = {
        "classes": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "domain": keras.losses.BinaryCrossentropy(from_logits=True),
    }
    compiled(model, keras.optimizers.SGD(0.02, momentum=0.9), losses)
    x = np.concatenate([clean, other])[..., None].astype("float32")
    y = {"classes": np.where(is_clean > 0, labels, 0).astype("int32"), "domain": is_clean[:, None]}
    weights = {"classes": is_clean, "domain": np.ones_like(is_clean)}

    def told(values: Any, training: bool = False) -> Any:
        return model(values, training=training)["classes"]

    goal = accuracy(told, x[512:], labels[512:], 0.75)
    return Training(model, x, y, epochs=15, fit={"sample_weight": weights}, goal=goal)


def outlines(pictures: Array) -> Array:
    """How much each pixel differs from those above and to the left."""
    padded = np.pad(pictures, ((0, 0), (1, 0), (1, 0)))
    return np.asarray(np.abs(pictures - padded[:, :-1, 1:]) + np.abs(pictures - padded[:, 1:, :-1]))


@outside_healthy("fine_tuning")
def tuning_control_by_zero_convolutions() -> Training:
    """A frozen denoiser of digits is steered by outlines: a copy of its encoder joins it by convolutions of zeros."""
    pictures = digits(640)[0]
    noisy = pictures + np.random.default_rng(621).normal(0, 0.6, pictures.shape)
    given, hint = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    encoder = [layers.Conv2D(24, 3, padding="same", activation="swish") for _ in range(2)]
    deep = layers.Conv2D(32, 3, strides=2, padding="same", activation="swish")
    known = [encoder[0](given)]
    known.append(encoder[1](known[0]))
    known.append(deep(known[1]))
    decoder = layers.Conv2DTranspose(24, 4, strides=2, padding="same", activation="swish")
    last = layers.Conv2D(1, 3, padding="same")
    first = keras.Model(given, last(layers.Concatenate()([decoder(known[2]), known[1]])))
    target = pictures[..., None]
    compiled(first, keras.optimizers.Adam(0.003), "mse").fit(noisy[..., None], target, epochs=6, verbose=0)
    first.trainable = False
    frozen = (*encoder, deep)
    copies = [layers.Conv2D.from_config(layer.get_config() | {"name": f"copy_{layer.name}"}) for layer in frozen]
    body = layers.Conv2D(24, 3, padding="same", activation="swish")(hint)
    body = layers.Add()([given, layers.Conv2D(1, 1, kernel_initializer="zeros")(body)])
    joined = []
    for copy, layer, values in zip(copies, frozen, known, strict=True):
        body = copy(body)
        copy.set_weights(layer.get_weights())
        zero = layers.Conv2D(body.shape[-1], 1, kernel_initializer="zeros")
        joined.append(layers.Add()([values, zero(body)]))
    model = keras.Model([given, hint], last(layers.Concatenate()([decoder(joined[2]), joined[1]])))
    compiled(model, keras.optimizers.AdamW(0.002, weight_decay=0.01), "mse")
    x = [noisy[..., None].astype("float32"), outlines(pictures)[..., None].astype("float32")]
    return Training(model, x, target, epochs=12)


def softened(truth: Any, scores: Any) -> Any:
    """Cross entropy of recorded chances and of scores at temperature 2."""
    return -4 * ops.sum(truth * ops.log_softmax(scores / 2), axis=-1)


@outside_healthy("fine_tuning")
def tuning_without_forgetting() -> Training:
    """Five new digits for a network of five others: the old answers to the new pictures are kept."""
    pictures, labels = digits(1024)
    is_new = labels >= 5
    inputs = keras.Input((8, 8, 1))
    body = layers.Conv2D(24, 3, activation="relu")(inputs)
    body = layers.Conv2D(32, 3, activation="relu")(body)
    body = layers.Dense(48, activation="relu")(layers.Flatten()(body))
    old = layers.Dense(5, name="old")(body)
    known = compiled(keras.Model(inputs, old), keras.optimizers.Adam(0.003))
    known.fit(pictures[~is_new][..., None], labels[~is_new], epochs=6, verbose=0)
    x = pictures[is_new][..., None]
    answers = np.asarray(ops.softmax(known(x) / 2))
    model = keras.Model(inputs, {"old": old, "new": layers.Dense(5, name="new")(body)})
    losses = {"old": softened, "new": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
    compiled(model, keras.optimizers.SGD(0.02, momentum=0.9), losses)

    def worse_half() -> float:
        answers = {name: np.asarray(scores).argmax(-1) for name, scores in model(pictures[..., None]).items()}
        return float(min((answers["old"] == labels)[~is_new].mean(), (answers["new"] == labels - 5)[is_new].mean()))

    goal = Goal("accuracy on old or new digits, whichever is worse", worse_half, at_least=0.8)
    y = {"old": answers, "new": (labels[is_new] - 5).astype("int32")}
    return Training(model, x, y, epochs=12, batch_size=16, goal=goal)


class VectorBypass(layers.Layer):
    """A frozen dense layer, and next to it two random matrices between which only two vectors are learned."""

    def __init__(self, known: keras.layers.Dense, rank: int, seed: int) -> None:
        super().__init__()
        self.known, self.rank, self.seed = known, rank, seed
        self.activation = known.activation

    def build(self, input_shape: Any) -> None:
        size, units = self.known.kernel.shape
        random = [keras.initializers.HeNormal(seed=self.seed + n) for n in range(2)]
        self.down = self.add_weight(shape=(size, self.rank), initializer=random[0], trainable=False, name="down")
        self.up = self.add_weight(shape=(self.rank, units), initializer=random[1], trainable=False, name="up")
        half = keras.initializers.Constant(0.5)
        self.inside = self.add_weight(shape=(self.rank,), initializer=half, name="inside")
        self.outside = self.add_weight(shape=(units,), initializer="zeros", name="outside")

    def call(self, values: Any) -> Any:
        bypass = self.outside * ops.matmul(self.inside * ops.matmul(values, self.down), self.up)
        return self.activation(ops.matmul(values, self.known.kernel) + self.known.bias + bypass)


@outside_healthy("fine_tuning")
def tuning_vectors_between_random_matrices() -> Training:
    """A frozen network reads digits that lie on their side, by two vectors per layer between random matrices: VeRA."""
    pictures, y = digits(1024)
    hidden = [layers.Dense(96, activation="gelu") for _ in range(2)]
    known = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10)])
    compiled(known, keras.optimizers.Adam(0.003)).fit(pictures.reshape(-1, 64), y, epochs=6, verbose=0)
    known.trainable = False
    x = np.rot90(pictures, axes=(1, 2)).reshape(-1, 64)
    inputs = keras.Input((64,))
    body = inputs
    for number, layer in enumerate(hidden):
        body = VectorBypass(layer, 48, 622 + 2 * number)(body)
    model = keras.Model(inputs, layers.Dense(10)(body))
    compiled(model, keras.optimizers.Nadam(0.01))
    return Training(model, np.ascontiguousarray(x), y, epochs=12)


@outside_healthy("fine_tuning")
def tuning_low_rank_on_whole_numbers() -> Training:
    """A network in whole numbers of eight bits is tuned to faint digits, by updates of low rank in full precision."""
    pictures, y = digits(1024)
    model = keras.Sequential([keras.Input((64,))])
    for _ in range(2):
        model.add(layers.Dense(96, activation="relu"))
    model.add(layers.Dense(10))
    compiled(model, keras.optimizers.Adam(0.003)).fit(pictures.reshape(-1, 64), y, epochs=6, verbose=0)
    model.quantize("int8")
    for layer in model.layers:
        layer.enable_lora(4)
    faint = 0.4 * pictures + np.random.default_rng(626).uniform(0, 0.4, pictures.shape)
    compiled(model, keras.optimizers.AdamW(0.003, weight_decay=0.01))
    return Training(model, faint.reshape(-1, 64).astype("float32"), y, epochs=12)


class Reptile(keras.Model):
    """Weights move a little toward those that a few steps on a task lead to; each sample is a task."""

    def train_step(self, task: Any) -> dict[str, Any]:
        weights = self.trainable_variables
        before = [ops.copy(weight) for weight in weights]
        x, y = task[0, 0][:, None], task[0, 1][:, None]
        losses = []
        for _ in range(6):
            with tf.GradientTape() as tape:
                losses.append(ops.mean(ops.square(self(x, training=True) - y)))
            for weight, gradient in zip(weights, tape.gradient(losses[-1], weights), strict=True):
                weight.assign(weight - 0.03 * gradient)
        moved = [old - weight for old, weight in zip(before, weights, strict=True)]
        for old, weight in zip(before, weights, strict=True):
            weight.assign(old)
        self.optimizer.apply(moved, weights)
        return {"loss": losses[0], "loss_after": losses[-1]}


def curves(count: int, seed: int) -> Array:
    """`[count, 2, 20]` places and values of sines of unknown height and phase."""
    random = np.random.default_rng(seed)
    place = random.uniform(-2, 2, (count, 20))
    value = random.uniform(1, 2, (count, 1)) * np.sin(2 * place + random.uniform(0, np.pi, (count, 1)))
    return np.stack([place, value], 1).astype("float32")


@outside_healthy("fine_tuning")
def tuning_quickly_from_a_good_start() -> Training:
    """Reptile: weights from which a few steps reach any sine; the loss before those steps cannot fall."""
    tasks = curves(700, 627)
    inputs = keras.Input((1,))
    body = layers.Dense(48, activation="tanh")(layers.Dense(48, activation="tanh")(inputs))
    model = Reptile(inputs, layers.Dense(1)(body))
    model.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.5, 1400)), jit_compile=False)
    tried = curves(12, 628)

    def after_a_few_steps() -> float:
        start, errors = model.get_weights(), []
        for x, y in tried[..., None]:
            for _ in range(10):
                with tf.GradientTape() as tape:
                    loss = ops.mean(ops.square(model(x) - y))
                for weight, gradient in zip(
                    model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
                ):
                    weight.assign(weight - 0.03 * gradient)
            errors.append(float(np.square(np.asarray(model(x)) - y).mean() / y.var()))
            model.set_weights(start)
        return float(np.mean(errors))

    flat = tasks[:60].transpose(1, 0, 2).reshape(2, -1, 1)
    view = View(model, flat[0], loss=lambda answer: ops.mean(ops.square(answer - flat[1])))
    goal = Goal("error after ten steps as a share of a constant's", after_a_few_steps, at_most=0.6)
    return Training(model, tasks, None, epochs=2, batch_size=1, views=(view,), goal=goal)


@outside_healthy("fine_tuning")
def tuning_hints_from_the_middle() -> Training:
    """A deep thin student first has to give, half-way, what a known teacher gives there, besides the classes."""
    pictures, y = digits(768)
    x = pictures[..., None]
    inputs = keras.Input((8, 8, 1))
    middle = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(inputs)
    ends = layers.Dense(10)(layers.Flatten()(layers.Conv2D(48, 3, padding="same", activation="relu")(middle)))
    teacher = keras.Model(inputs, [middle, ends])
    compiled(keras.Model(inputs, ends), keras.optimizers.Adam(0.003)).fit(x, y, epochs=6, verbose=0)
    hints = np.asarray(teacher(x)[0])
    body = inputs
    for strides in (1, 2, 1):
        body = layers.Conv2D(12, 3, strides=strides, padding="same", use_bias=False)(body)
        body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
    hint = layers.Conv2D(32, 1, name="hint")(body)
    for _ in range(2):
        body = layers.Conv2D(12, 3, padding="same", use_bias=False)(body)
        body = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(body))
    model = keras.Model(inputs, {"hint": hint, "classes": layers.Dense(10, name="classes")(layers.Flatten()(body))})
    losses = {"hint": "mse", "classes": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
    compiled(model, keras.optimizers.Adam(0.004), losses, loss_weights={"hint": 5.0, "classes": 1.0})
    return Training(model, x, {"hint": hints, "classes": y}, epochs=12)
