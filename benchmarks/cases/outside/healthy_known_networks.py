"""Healthy programs that continue known networks: held near their start, across domains, pruned, rounded, labeled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.cases.base import UNKNOWN, Goal, Training, View, outside_healthy
from benchmarks.cases.data import Array, digits, flat_digits
from benchmarks.cases.networks import compiled
from benchmarks.cases.outside.healthy_goals import accuracy


class NearStart(keras.regularizers.Regularizer):
    """Asks weights to stay near where they were, each as much as it matters for the first task."""

    def __init__(self, start: Array, importance: Array, strength: float) -> None:
        self.start = ops.convert_to_tensor(start)
        self.importance = ops.convert_to_tensor(importance)
        self.strength = strength

    def __call__(self, weights: Any) -> Any:
        return self.strength * ops.sum(self.importance * ops.square(weights - self.start))


def importance(model: keras.Model, x: Array, y: Array) -> list[Array]:
    """The mean squared gradients of the loss with respect to the kernels of the dense layers."""
    kernels = [layer.kernel for layer in model.layers if isinstance(layer, layers.Dense)]
    total = [np.zeros(kernel.shape, "float32") for kernel in kernels]
    for start in range(0, len(x), 4):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(None, y[start : start + 4], model(x[start : start + 4]))
        for sums, gradient in zip(total, tape.gradient(loss, [one.value for one in kernels]), strict=True):
            sums += np.square(np.asarray(gradient))
    return [sums / sums.mean() for sums in total]


@outside_healthy("fine_tuning")
def tuning_held_by_importance() -> Training:
    """Digits, then digits with their pixels in another order, while important weights are pulled to where they were."""
    x, y = flat_digits(900)
    model = keras.Sequential(
        [layers.Input((64,)), layers.Dense(100, "relu"), layers.Dense(100, "relu"), layers.Dense(10)]
    )
    compiled(model, keras.optimizers.Adam(0.002)).fit(x[:450], y[:450], epochs=8, verbose=0)
    weights = importance(model, x[:200], y[:200])
    for layer, important in zip(model.layers, weights, strict=True):
        layer.kernel_regularizer = NearStart(layer.kernel.numpy(), important.clip(max=20), 0.002)
        layer.kernel.regularizer = layer.kernel_regularizer
    order = np.random.default_rng(481).permutation(64)
    other = x[:, order]

    def both() -> float:
        scores = (np.asarray(model(part)).argmax(1) for part in (x, other))
        return float(min((given == y).mean() for given in scores))

    goal = Goal("accuracy in the worse of both tasks", both, at_least=0.7)
    return Training(compiled(model, keras.optimizers.SGD(0.05)), other, y, epochs=10, goal=goal)


def texts_of_authors(count: int, length: int = 16) -> tuple[Array, Array]:
    """Texts by two authors, who use the same words in another order, and who wrote them."""
    random = np.random.default_rng(482)
    chances = random.dirichlet(np.full(40, 0.15), (2, 40))
    chances = (0.5 * chances + 0.5 * chances.mean(0)).cumsum(-1)
    y = random.integers(0, 2, count)
    texts = random.integers(0, 40, (count, length))
    for place in range(1, length):
        drawn = random.random((count, 1))
        texts[:, place] = (chances[y, texts[:, place - 1]] < drawn).sum(-1).clip(max=39)
    return texts.astype("int32"), y.astype("int32")


@outside_healthy("fine_tuning")
def tuning_language_model_to_authors() -> Training:
    """A language model that has read all texts learns who wrote 500 of them; the rate rises, then falls slowly."""
    texts, y = texts_of_authors(900)
    inputs = layers.Input((None,), dtype="int32")
    body = layers.Embedding(40, 32)(inputs)
    body = layers.GRU(48, return_sequences=True)(layers.SpatialDropout1D(0.1)(body))
    language = compiled(keras.Model(inputs, layers.Dense(40)(body)), keras.optimizers.Adam(0.01))
    language.fit(texts[:, :-1], texts[:, 1:], epochs=6, verbose=0)
    pooled = [body[:, -1], layers.GlobalMaxPooling1D()(body), layers.GlobalAveragePooling1D()(body)]
    head = layers.BatchNormalization(momentum=0.9)(layers.Concatenate()(pooled))
    head = layers.Dense(32, activation="relu")(layers.Dropout(0.3)(head))
    model = keras.Model(inputs, layers.Dense(2)(layers.Dropout(0.1)(head)))

    def rate(epoch: int, _: float) -> float:
        share = (epoch + 0.5) / 10
        return 0.004 * (share / 0.2 if share < 0.2 else 1 - (share - 0.2) / 0.85)

    fit = {"callbacks": [keras.callbacks.LearningRateScheduler(rate)]}
    compiled(model, keras.optimizers.Adam(0.001, beta_1=0.7))
    return Training(model, texts[:500], y[:500], epochs=10, fit=fit)


class KeepZeros(keras.constraints.Constraint):
    """Weights that were cut stay zero."""

    def __init__(self, kept: Array) -> None:
        self.kept = ops.convert_to_tensor(kept.astype("float32"))

    def __call__(self, weights: Any) -> Any:
        return weights * self.kept


@outside_healthy("fine_tuning")
def tuning_after_pruning() -> Training:
    """Four in five weights of each kernel are cut because they are small; the rest recovers what that has cost."""
    x, y = digits(900)
    x = x[..., None]
    inputs = layers.Input((8, 8, 1))
    body = layers.Conv2D(24, 3, activation="relu", padding="same")(inputs)
    body = layers.Conv2D(32, 3, activation="relu")(layers.MaxPooling2D()(body))
    body = layers.Dense(64, activation="relu")(layers.Flatten()(body))
    model = keras.Model(inputs, layers.Dense(10)(body))
    compiled(model, keras.optimizers.Adam(0.002)).fit(x, y, epochs=8, verbose=0)
    for layer in model.layers:
        if getattr(layer, "kernel", None) is not None:
            kernel = layer.kernel.numpy()
            kept = np.abs(kernel) >= np.quantile(np.abs(kernel), 0.8)
            layer.kernel.assign(kernel * kept)
            layer.kernel.constraint = KeepZeros(kept)
    rate = keras.optimizers.schedules.PolynomialDecay(1e-3, 200, 1e-5)
    return Training(compiled(model, keras.optimizers.Adam(rate)), x, y, epochs=7)


class Rounded(layers.Layer):
    """Rounds to 7 steps between the bounds seen so far; gradients pass as if it did not."""

    def build(self, input_shape: Any) -> None:
        self.bound = self.add_weight((), initializer="ones", trainable=False, name="bound")

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            self.bound.assign(0.95 * self.bound + 0.05 * ops.max(ops.abs(inputs)))
        bound = ops.convert_to_tensor(self.bound)
        kept = ops.clip(inputs, -bound, bound)
        return kept + ops.stop_gradient(ops.round(kept / bound * 3) / 3 * bound - kept)


class RoundedDense(layers.Dense):
    """A dense layer whose kernel is rounded to 7 steps for each unit whenever it is used."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        bound = ops.stop_gradient(ops.max(ops.abs(self.kernel), axis=0, keepdims=True)) + 1e-6
        coarse = ops.round(self.kernel / bound * 3) / 3 * bound
        kernel = self.kernel + ops.stop_gradient(coarse - self.kernel)
        return self.activation(ops.matmul(inputs, kernel) + self.bias)


@outside_healthy("fine_tuning")
def tuning_for_three_bits() -> Training:
    """Training that knows it will be rounded: kernels and outputs of a known network to three bits, at a low rate."""
    x, y = flat_digits(900)
    full = keras.Sequential([layers.Input((64,)), layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(10)])
    compiled(full, keras.optimizers.Adam(0.002)).fit(x, y, epochs=3, verbose=0)
    rounded = [RoundedDense(64, "relu"), RoundedDense(64, "relu"), RoundedDense(10)]
    model = keras.Sequential([layers.Input((64,)), rounded[0], Rounded(), rounded[1], Rounded(), rounded[2]])
    for source, target in zip(full.layers, rounded, strict=True):
        target.set_weights(source.get_weights())
    compiled(model, keras.optimizers.Adam(5e-4))
    return Training(model, x, y, epochs=10, goal=accuracy(model, x, y, 0.93))


def captions(kinds: Array) -> Array:
    """Six words for each digit: two that name it somewhere among others, and zeros at the end."""
    random = np.random.default_rng(485)
    texts = random.integers(21, 40, (len(kinds), 6))
    places = random.random((len(kinds), 4)).argsort(1)[:, :2]
    np.put_along_axis(texts, places, np.stack([1 + kinds, 11 + kinds], 1), axis=1)
    texts[random.random(len(kinds)) < 0.5, 4:] = 0
    return texts.astype("int32")


def found_in_batch(truth: Any, both: Any) -> Any:
    """Cross entropy of the right text for each picture and the reverse; texts of the same digit are all right."""
    picture, text, scale = both[:, :24], both[:, 24:48], both[:, 48:]
    scores = ops.matmul(picture, ops.transpose(text)) * ops.exp(scale[0, 0])
    same = ops.cast(ops.equal(truth, ops.transpose(truth)), "float32")
    wish = same / ops.sum(same, axis=1, keepdims=True)
    terms = [-ops.sum(wish * ops.log_softmax(one, axis=-1), axis=-1) for one in (scores, ops.transpose(scores))]
    return (terms[0] + terms[1]) / 2


class WithScale(layers.Layer):
    """Joins codes of unit length and appends the logarithm of a learned scale."""

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight((1,), initializer=keras.initializers.Constant(2.0), name="scale")

    def call(self, codes: Sequence[Any]) -> Any:
        scale = ops.broadcast_to(self.scale, (ops.shape(codes[0])[0], 1))
        return ops.concatenate([*(ops.normalize(code, axis=-1) for code in codes), scale], axis=-1)


@outside_healthy("fine_tuning")
def tuning_texts_for_locked_pictures() -> Training:
    """A frozen network of pictures, and one of texts that learns to describe them, by a contrast within the batch."""
    pictures, kinds = digits(960)
    x = pictures[..., None]
    picture, text = layers.Input((8, 8, 1)), layers.Input((6,), dtype="int32")
    body = layers.Conv2D(16, 3, activation="gelu")(picture)
    body = layers.Conv2D(24, 3, activation="gelu")(layers.MaxPooling2D()(body))
    tower = keras.Model(picture, layers.Flatten()(body))
    known = compiled(keras.Sequential([tower, layers.Dense(10)]), keras.optimizers.Adam(0.005))
    known.fit(x[:480], kinds[:480], epochs=8, verbose=0)
    tower.trainable = False
    words = layers.Embedding(40, 24, mask_zero=True)(text)
    words = layers.GRU(32)(words)
    codes = [layers.Dense(24)(tower.output), layers.Dense(24)(words)]
    model = keras.Model([picture, text], WithScale()(codes))
    compiled(model, keras.optimizers.Adam(0.003), found_in_batch)
    given = [x, captions(kinds)]

    def found() -> float:
        both = np.asarray(model(given, training=False))
        nearest = (both[:, :24] @ both[:, 24:48].T).argmax(1)
        return float((kinds[nearest] == kinds).mean())

    goal = Goal("pictures whose nearest text names them", found, at_least=0.7)
    view = View(model, given, kinds[:, None])
    return Training(model, given, kinds[:, None], 12, 64, views=(view,), goal=goal, constant_loss=UNKNOWN)


class Scaled(layers.Layer):
    """Multiplies each unit by a learned number that starts at one."""

    def build(self, input_shape: Any) -> None:
        self.sizes = self.add_weight((input_shape[-1],), initializer="ones", name="sizes")

    def call(self, inputs: Any) -> Any:
        return self.sizes * inputs


@outside_healthy("fine_tuning")
def tuning_by_sizes_of_units() -> Training:
    """A frozen transformer on rows of digits reads them upside down by a size for each unit, and a new head."""
    pictures, y = digits(800)
    attend, value = layers.MultiHeadAttention(4, 8), layers.Dense(32)
    first, wide, narrow = layers.Dense(32), layers.Dense(64, activation="gelu"), layers.Dense(32)

    def network(is_adapted: bool) -> keras.Model:
        def sized(values: Any) -> Any:
            return Scaled()(values) if is_adapted else values

        inputs = layers.Input((8, 8))
        body = first(inputs)
        body = layers.Add()([body, attend(body, sized(value(body)), sized(body))])
        body = layers.LayerNormalization(trainable=is_adapted)(body)
        body = layers.Add()([body, narrow(sized(wide(body)))])
        body = layers.Flatten()(layers.LayerNormalization(trainable=is_adapted)(body))
        return keras.Model(inputs, layers.Dense(10)(body))

    compiled(network(False), keras.optimizers.Adam(0.003)).fit(pictures, y, epochs=5, verbose=0)
    for layer in (attend, value, first, wide, narrow):
        layer.trainable = False
    rate = keras.optimizers.schedules.PolynomialDecay(0.01, 250, 1e-4)
    model = compiled(network(True), keras.optimizers.Adam(rate))
    return Training(model, pictures[:, ::-1], y, epochs=8)
