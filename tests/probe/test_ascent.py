from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.probe import activations, maximize_activation
from tb_activations.probe.ascent import maximize_units
from tb_activations.probe.blur import blurred
from tb_activations.probe.climbing import Ascent, MaximizedInput, Regularizers
from tests.probe.models import digits, is_same, make, state, trained


@functools.cache
def model_of(kind: str) -> keras.Model:
    """Trained once for all tests, which only read it."""
    return trained(make(kind), epochs=5)


@pytest.mark.parametrize(("kind", "layer"), [("functional", "conv"), ("functional", "head"), ("subclassed", "block_1")])
def test_a_maximized_unit_exceeds_every_training_sample(kind: str, layer: str) -> None:
    model, (x, _) = model_of(kind), digits()
    outputs = activations(model, x)[layer]
    by_sample = outputs.reshape(len(x), -1, outputs.shape[-1]).mean(axis=1)
    unit = int(by_sample.max(axis=0).argmax())
    best = maximize_activation(model, layer=layer, unit=unit, shape=(8, 8, 1), bounds=(0, 1), n_steps=100)
    assert best.activation > by_sample[:, unit].max()
    assert best.input.min() >= 0
    assert best.input.max() <= 1
    seen = activations(model, best.input[None])[layer]
    assert seen[..., unit].mean() == pytest.approx(best.activation, rel=1e-5)


def test_vectors_end_where_the_answer_is_known() -> None:
    # w·x within [-1, 1] is largest at sign(w).
    model = keras.Sequential([layers.Input((3,)), layers.Dense(2, use_bias=False, name="dense")])
    model.layers[0].kernel.assign([[2.0, 0.0], [-3.0, 0.0], [0.5, 1.0]])
    best = maximize_activation(model, layer="dense", unit=0, shape=(3,), bounds=(-1, 1))
    np.testing.assert_array_equal(best.input, [1, -1, 1])
    assert best.activation == 5.5
    assert best.history.shape == (200,)


def test_ascent_without_bounds_finds_a_peak() -> None:
    # The step length falls to 0, so the climb ends on the peak instead of oscillating around it.
    inputs = layers.Input((2,))
    peak = layers.Lambda(lambda x: -tf.reduce_sum((x - [1.0, -2.0]) ** 2, axis=1, keepdims=True), name="peak")
    best = maximize_activation(keras.Model(inputs, peak(inputs)), layer="peak", unit=0, start=[4.0, 4.0], n_steps=300)
    np.testing.assert_allclose(best.input, [1, -2], atol=0.05)


def test_the_seed_decides() -> None:
    model = model_of("functional")
    arguments: dict[str, Any] = {"shape": (8, 8, 1), "n_steps": 10, "jitter": 2, "blur": 0.5, "norm": 0.01}
    first = maximize_activation(model, layer="conv", unit=0, seed=1, **arguments)
    again = maximize_activation(model, layer="conv", unit=0, seed=1, **arguments)
    assert np.array_equal(first.input, again.input)
    assert not np.allclose(first.input, maximize_activation(model, layer="conv", unit=0, seed=2, **arguments).input)


def test_regularizers_have_their_effect() -> None:
    model = model_of("functional")

    def roughness(image: np.ndarray) -> float:
        return float(np.square(np.diff(image, axis=0)).mean() / np.square(image - image.mean()).mean())

    plain = maximize_activation(model, layer="head", unit=3, shape=(8, 8, 1), n_steps=40)
    smooth = maximize_activation(model, layer="head", unit=3, shape=(8, 8, 1), n_steps=40, blur=1.0)
    small = maximize_activation(model, layer="head", unit=3, shape=(8, 8, 1), n_steps=40, norm=0.2)
    assert roughness(smooth.input) < 0.5 * roughness(plain.input)
    assert np.linalg.norm(small.input) < 0.5 * np.linalg.norm(plain.input)


@pytest.mark.parametrize(("shape", "std"), [((9, 7), 1.0), ((2, 3), 2.0)])
def test_blur_is_the_gaussian_sum(shape: tuple[int, int], std: float) -> None:
    image = np.random.default_rng(0).normal(size=shape)
    radius = int(np.ceil(3 * std))
    offsets = range(-radius, radius + 1)
    weights = {(i, j): np.exp(-(i * i + j * j) / (2 * std * std)) for i in offsets for j in offsets}
    expected = np.zeros(shape)
    for row, column in np.ndindex(shape):
        for (i, j), weight in weights.items():
            place = np.clip(row + i, 0, shape[0] - 1), np.clip(column + j, 0, shape[1] - 1)
            expected[row, column] += weight * image[place] / sum(weights.values())
    np.testing.assert_allclose(blurred(tf.constant(image[None, ..., None]), std)[0, ..., 0], expected, rtol=1e-6)


def test_channels_first_counts_channels() -> None:
    reshape = layers.Permute((3, 1, 2), name="channels_first")
    norm = layers.BatchNormalization(axis=1, name="norm")
    model = keras.Sequential([layers.Input((4, 4, 2)), reshape, norm])
    norm.data_format = "channels_first"
    with pytest.raises(ValueError, match="from 0 to 1, the units of layer 'norm'"):
        maximize_activation(model, layer="norm", unit=3, shape=(4, 4, 2))


def test_calls_of_a_shared_layer_have_names_of_their_own() -> None:
    model = make("shared").model
    first = maximize_activation(model, layer="twice@1", unit=0, shape=(8, 8, 1), n_steps=20)
    second = maximize_activation(model, layer="twice@2", unit=0, shape=(8, 8, 1), n_steps=20)
    assert not np.allclose(first.input, second.input)
    last = maximize_activation(model, layer="twice", unit=0, shape=(8, 8, 1), n_steps=20)
    assert np.array_equal(last.input, second.input)
    with pytest.raises(ValueError, match=r"`layer`: 'twice@3' is not a layer output.*'twice@1', 'twice@2'"):
        maximize_activation(model, layer="twice@3", unit=0, shape=(8, 8, 1))


def test_nan_is_a_clear_error() -> None:
    model = make("functional").model
    model.get_layer("conv").bias.assign(np.full(6, np.nan))
    with pytest.raises(FloatingPointError, match=r"nan at step 0.*`learning_rate`"):
        maximize_activation(model, layer="head", unit=0, shape=(8, 8, 1))


def test_unbounded_growth_is_a_clear_error() -> None:
    inputs = layers.Input((1,))
    model = keras.Model(inputs, layers.Lambda(tf.exp, name="exp")(inputs))
    with pytest.raises(FloatingPointError, match=r"inf at step [1-9]"):
        maximize_activation(model, layer="exp", unit=0, start=[0.0], learning_rate=5)


def test_a_unit_that_is_off_is_a_clear_error() -> None:
    model = make("functional").model
    model.get_layer("conv").bias.assign(np.full(6, -1e6))
    with pytest.raises(ValueError, match="No gradient of unit 2 of layer 'conv' reaches the start"):
        maximize_activation(model, layer="conv", unit=2, shape=(8, 8, 1))


def test_units_that_climb_together_end_where_each_does_alone() -> None:
    model = keras.Sequential([layers.Input((4, 4, 1)), layers.Conv2D(3, 3, activation="relu", name="conv")])
    model.layers[0].bias.assign([0.5, -1e6, 0.5])
    ascent = Ascent(12, 0.1, Regularizers(jitter=1, blur=0.5, bounds=(0.0, 1.0)))
    one, off, other = maximize_units(model, "conv", [0, 1, 2], (4, 4, 1), ascent)
    assert isinstance(off, ValueError)
    assert "No gradient of unit 1" in str(off)
    for unit, together in ((0, one), (2, other)):
        alone = maximize_activation(
            model, layer="conv", unit=unit, shape=(4, 4, 1), n_steps=12, jitter=1, blur=0.5, bounds=(0, 1)
        )
        assert isinstance(together, MaximizedInput)
        np.testing.assert_allclose(together.input, alone.input, atol=1e-6)
        np.testing.assert_allclose(together.history, alone.history, rtol=1e-5)
        assert together.activation == pytest.approx(alone.activation, rel=1e-5)


def test_nothing_is_changed() -> None:
    model = trained(make("functional"))
    before = state(model)
    maximize_activation(model, layer="head", unit=0, shape=(8, 8, 1), n_steps=3)
    assert is_same(before, state(model))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": "other"}, "`layer`: 'other'.*'conv'"),
        ({"unit": 10}, "`unit`: 10.*from 0 to 9"),
        ({"unit": -1}, "`unit`: -1"),
        ({"shape": None}, "neither given"),
        ({"start": np.ones((8, 8, 1))}, "both given"),
        ({"shape": (8, 0, 1)}, "`shape`"),
        ({"n_steps": 0}, "`n_steps`"),
        ({"learning_rate": float("nan")}, "`learning_rate`"),
        ({"norm": 2}, "`norm`: 2"),
        ({"bounds": (1, 0)}, "`bounds`"),
        ({"shape": (64,), "jitter": 1}, r"`jitter`: only images.*not samples of shape \(64,\)"),
        ({"shape": (64,), "blur": 1}, "`blur`"),
    ],
)
def test_arguments_that_are_not_allowed(arguments: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"layer": "head", "unit": 0, "shape": (8, 8, 1)} | arguments
    with pytest.raises(ValueError, match=message):
        maximize_activation(make("functional").model, **given)
