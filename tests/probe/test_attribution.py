from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.probe import saliency
from tests.probe.models import digits, is_same, make, state, trained

METHODS = ["gradient", "smoothgrad", "integrated", "gradcam"]


def planted(samples: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dim noise; in every second image one pixel is bright, and that is the label. Images, labels, places."""
    random = np.random.default_rng(seed)
    x = random.uniform(0, 0.3, (samples, 64)).astype("float32")
    y, places = np.arange(samples) % 2, random.integers(0, 64, samples)
    x[np.arange(samples)[y == 1], places[y == 1]] = 1
    return x.reshape(samples, 8, 8, 1), y, places


class Watcher(keras.Model):
    """Subclassed, so that no sub-model can be built from it; gives the logit of "the pixel is bright"."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = layers.Conv2D(4, 1, activation="relu", name="conv")
        self.pool = layers.GlobalMaxPooling2D(name="pool")
        self.head = layers.Dense(1, name="head")

    def call(self, x: Any) -> Any:
        return self.head(self.pool(self.conv(x)))


@pytest.fixture(scope="module")
def watcher() -> keras.Model:
    keras.utils.set_random_seed(1)
    model = Watcher()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss, metrics=["accuracy"], jit_compile=False)
    x, y, _ = planted(256, 0)
    model.fit(x, y, epochs=15, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.99
    return model


@functools.cache
def model_of(kind: str) -> keras.Model:
    """Trained once for all tests: `saliency` changes nothing, as `test_nothing_is_changed` shows."""
    return trained(make(kind), epochs=8)


@pytest.mark.parametrize("method", METHODS)
def test_the_planted_pixel_is_found(watcher: keras.Model, method: Any) -> None:
    x, y, places = planted(32, 5)
    found = np.abs(saliency(watcher, x[y == 1], target=0, method=method)).reshape(16, 64)
    assert found.argmax(axis=1).tolist() == places[y == 1].tolist()


def test_gradient_equals_a_hand_written_tape() -> None:
    model, (x, y) = model_of("functional"), digits(10)
    with tf.GradientTape() as tape:
        batch = tf.constant(x)
        tape.watch(batch)
        score = tf.reduce_sum(tf.gather(model(batch, training=False), y, axis=1, batch_dims=1))
    np.testing.assert_allclose(
        saliency(model, x, target=y, batch_size=4), tape.gradient(score, batch), rtol=1e-4, atol=1e-6
    )


def test_no_target_is_the_largest_output() -> None:
    model, (x, _) = model_of("functional"), digits(10)
    largest = model(x).numpy().argmax(axis=1)
    assert np.array_equal(saliency(model, x), saliency(model, x, target=largest))
    other = saliency(model, x, target=(largest + 1) % 10)
    assert not np.allclose(saliency(model, x), other)


def test_a_function_as_target() -> None:
    model, (x, _) = model_of("functional"), digits(6)
    by_function = saliency(model, x, target=lambda outputs: outputs[:, 3])
    np.testing.assert_allclose(by_function, saliency(model, x, target=3), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", ["functional", "subclassed", "nested", "shared"])
def test_integrated_gradients_are_complete(kind: str) -> None:
    model, (x, y) = model_of(kind), digits(12)
    found = saliency(model, x, target=y, method="integrated", n_steps=8)
    at = np.take_along_axis(model(x).numpy(), y[:, None], 1)[:, 0]
    from_zero = np.take_along_axis(model(np.zeros_like(x)).numpy(), y[:, None], 1)[:, 0]
    difference = at - from_zero
    assert np.all(np.abs(found.sum(axis=(1, 2, 3)) - difference) <= 0.01 * np.abs(difference) + 1e-4)


def test_integrated_gradients_of_a_product_are_known_exactly() -> None:
    # f = a b from (0, 0): both inputs have half of it; from (1, 0): ∫ (a-1) t b dt and ∫ b (1 + (a-1) t) dt.
    inputs = layers.Input((2,))
    model = keras.Model(inputs, layers.Lambda(lambda x: x[:, :1] * x[:, 1:])(inputs))
    x = np.array([[3.0, 4.0]])
    np.testing.assert_allclose(saliency(model, x, target=0, method="integrated"), [[6, 6]], rtol=1e-5)
    for baselines in ([1.0, 0.0], [[1.0, 0.0]]):
        found = saliency(model, x, target=0, method="integrated", baselines=baselines)
        np.testing.assert_allclose(found, [[4, 8]], rtol=1e-5)


def test_each_sample_can_have_a_baseline_of_its_own() -> None:
    inputs = layers.Input((2,))
    model = keras.Model(inputs, layers.Lambda(lambda x: x[:, :1] * x[:, 1:])(inputs))
    x = np.array([[3.0, 4.0], [3.0, 4.0], [5.0, 1.0]])
    own = np.array([[0.0, 0.0], [1.0, 0.0], [5.0, 1.0]])
    found = saliency(model, x, target=0, method="integrated", baselines=own, batch_size=2)
    np.testing.assert_allclose(found, [[6, 6], [4, 8], [0, 0]], rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_integrated_gradients_allow_for_the_rounding_of_half_precision(policy: str) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((64,)), layers.Dense(16, "relu", dtype=policy), layers.Dense(3)])
    x = digits(6)[0].reshape(6, 64)
    difference = model(x).numpy()[:, 1] - model(np.zeros_like(x)).numpy()[:, 1]
    found = saliency(model, x, target=1, method="integrated")
    np.testing.assert_allclose(found.sum(axis=1), difference, rtol=0.05, atol=0.1)


def test_integrated_gradients_refuse_an_output_that_jumps() -> None:
    inputs = layers.Input((1,))
    model = keras.Model(inputs, layers.Lambda(lambda x: tf.where(x > 0.5, x + 1, x))(inputs))
    with pytest.raises(ArithmeticError, match="miss the change of the output by 1: the output jumps"):
        saliency(model, np.array([[1.0]]), target=0, method="integrated", n_steps=4)


def test_smoothgrad_is_the_mean_gradient_over_the_noise() -> None:
    # f = x³: the mean of 3 (x + n)² is 3 (x² + std²), with std = 0.2 times the range of the sample, 4.
    inputs = layers.Input((2,))
    model = keras.Model(inputs, layers.Lambda(lambda x: tf.reduce_sum(x**3, axis=1, keepdims=True))(inputs))
    found = saliency(
        model, np.tile([1.0, 5.0], (500, 1)), target=0, method="smoothgrad", n_samples=20, noise=0.2, batch_size=500
    )
    np.testing.assert_allclose(found.mean(axis=0), [3 * (1 + 0.64), 3 * (25 + 0.64)], rtol=0.05)


def test_smoothgrad_depends_only_on_the_seed() -> None:
    model, (x, _) = model_of("functional"), digits(7)
    first = saliency(model, x, target=1, method="smoothgrad", n_samples=3, seed=4)
    np.testing.assert_allclose(
        first, saliency(model, x, target=1, method="smoothgrad", n_samples=3, seed=4, batch_size=2), atol=1e-5
    )
    assert not np.allclose(first, saliency(model, x, target=1, method="smoothgrad", n_samples=3, seed=5), atol=1e-3)


@pytest.mark.parametrize("layer", ["conv", "norm"])
def test_gradcam_equals_the_published_formula(layer: str) -> None:
    model, (x, _) = model_of("functional"), digits(6)
    sub_model = keras.Model(model.inputs, [model.get_layer(layer).output, model.output])
    with tf.GradientTape() as tape:
        maps, outputs = sub_model(tf.constant(x))
        score = tf.reduce_sum(outputs[:, 2])
    gradient = tape.gradient(score, maps).numpy()
    expected = np.zeros((6, 8, 8))
    for sample in range(6):
        for channel in range(6):
            alpha = gradient[sample, ..., channel].sum() / 64
            expected[sample] += alpha * maps.numpy()[sample, ..., channel]
    found = saliency(model, x, target=2, method="gradcam", layer=layer)
    np.testing.assert_allclose(found, np.maximum(expected, 0), rtol=1e-3, atol=1e-5)


def test_gradcam_takes_the_last_maps_and_enlarges_them() -> None:
    keras.utils.set_random_seed(0)
    parts = [layers.Conv2D(3, 3, padding="same", name="first"), layers.Conv2D(4, 2, strides=2, name="last")]
    model = keras.Sequential([layers.Input((8, 8, 1)), *parts, layers.GlobalAveragePooling2D(keepdims=True)])
    model.add(layers.Flatten())
    x = digits(3)[0]
    found = saliency(model, x, target=1, method="gradcam")
    assert found.shape == (3, 8, 8)
    assert np.array_equal(found, saliency(model, x, target=1, method="gradcam", layer="last"))


def test_nothing_is_changed() -> None:
    model, (x, y) = model_of("functional"), digits(6)
    before = state(model)
    for method in METHODS:
        saliency(model, x, target=y[:6], method=method, n_samples=2, n_steps=4)  # type: ignore[arg-type]
    assert is_same(before, state(model))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "lime"}, ValueError, "`method`: 'lime'"),
        ({"target": 10}, ValueError, "`target`: 10.*from 0 to 9"),
        ({"target": [1, 2, 3]}, ValueError, "`target`: 3 units for 2 samples"),
        ({"target": 0.5}, ValueError, "`target`: 0.5"),
        ({"target": lambda outputs: outputs}, ValueError, r"`target`: the function returned \(2, 10\)"),
        ({"n_steps": 0}, ValueError, "`n_steps`"),
        ({"n_samples": 0}, ValueError, "`n_samples`"),
        ({"noise": -1}, ValueError, "`noise`"),
        ({"method": "integrated", "baselines": [1.0, 2.0]}, ValueError, r"`baselines`: shape \(2,\)"),
        ({"method": "gradcam", "layer": "head"}, ValueError, r"`layer`: 'head' has the output shape \(2, 10\).*'conv'"),
        ({"method": "gradcam", "layer": "other"}, ValueError, "`layer`: 'other' is not a layer output.*'conv'"),
        ({"x": {"a": np.ones((2, 3))}}, TypeError, "`x`: dict"),
    ],
)
def test_arguments_that_are_not_allowed(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    given: dict[str, Any] = {"x": digits(2)[0], "target": 0} | arguments
    with pytest.raises(error, match=message):
        saliency(make("functional").model, **given)


def test_models_without_an_answer() -> None:
    with pytest.raises(ValueError, match="no layer output with height and width"):
        saliency(make("shared").model, digits(2)[0], target=0, method="gradcam")
    tokens = keras.Sequential([layers.Input((4,), dtype="int32"), layers.Embedding(6, 3), layers.Flatten()])
    with pytest.raises(ValueError, match="`x`: the model's output has no gradient"):
        saliency(tokens, np.array([[1, 2, 3, 4]]), target=0)
    inputs = layers.Input((3,))
    two = keras.Model(inputs, [layers.Dense(1)(inputs), layers.Dense(1)(inputs)])
    with pytest.raises(ValueError, match="`target`: None does not select one number per sample"):
        saliency(two, np.ones((2, 3)))
