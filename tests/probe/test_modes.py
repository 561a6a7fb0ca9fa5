from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.probe import compare_modes
from tests.probe.models import KINDS, digits, is_same, make, state, trained


def test_batch_normalization_and_dropout_are_found() -> None:
    model, (x, _) = trained(make("functional")), digits()
    found = compare_modes(model, x)
    assert list(found) == ["conv", "norm", "drop", "flatten", "head"]
    assert {name for name, difference in found.items() if difference.own > 0.05} == {"norm", "drop"}
    assert {name for name, difference in found.items() if difference.whole > 0.05} == {
        "norm",
        "drop",
        "flatten",
        "head",
    }
    assert found["conv"].whole == found["conv"].own == found["head"].own == 0


def test_the_distance_of_batch_normalization_by_hand() -> None:
    norm = layers.BatchNormalization(name="norm", epsilon=0.0)
    model = keras.Sequential([layers.Input((2,)), norm])
    x = np.random.default_rng(0).normal(3, 2, (32, 2)).astype("float32")
    trained_output = (x - x.mean(axis=0)) / x.std(axis=0)
    expected = np.linalg.norm(trained_output - x) / np.linalg.norm(x)
    assert compare_modes(model, x)["norm"].own == pytest.approx(expected, rel=1e-4)


def test_dropout_of_a_rate_has_the_expected_distance() -> None:
    # Each value becomes 0 or x / (1 - r): the mean squared change is x² r / (1 - r).
    model = keras.Sequential([layers.Input((1000,)), layers.Dropout(0.2, name="drop")])
    assert compare_modes(model, np.ones((32, 1000)))["drop"].whole == pytest.approx(math.sqrt(0.25), rel=0.03)


class Block(layers.Layer):
    """Does not pass `training` on: Keras alone sets it for its dropout."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.inner = layers.Dropout(0.5, name="inner")

    def call(self, x: Any) -> Any:
        return self.inner(x)


def test_a_layer_includes_its_inner_layers() -> None:
    model = keras.Sequential([layers.Input((8,)), Block(name="block"), layers.Dense(2, name="head")])
    found = compare_modes(model, np.ones((32, 8)))
    assert found["block"].own > 0.5
    # Both use the same random numbers, so the first random layer does the same alone and in the whole model.
    assert found["block"] == found["block/inner"]
    assert found["block"].own == found["block"].whole
    assert found["head"].own == 0 < found["head"].whole


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_changed_and_a_second_call_gives_the_same(kind: str) -> None:
    model, (x, _) = trained(make(kind)), digits()
    before = state(model)
    first = compare_modes(model, x)
    assert is_same(before, state(model))
    assert first == compare_modes(model, x)


def test_seed_generators_and_states_are_unchanged() -> None:
    cell = layers.LSTM(3, stateful=True, return_sequences=True)
    model = keras.Sequential(
        [layers.Input((4, 2), batch_size=5), cell, layers.SpectralNormalization(layers.Dense(3)), layers.Dropout(0.5)]
    )
    x = np.random.default_rng(0).normal(size=(5, 4, 2)).astype("float32")
    model(x, training=True)
    before = state(model)
    seeds = [layer.seed_generator.state.numpy().tolist() for layer in model.layers if hasattr(layer, "seed_generator")]
    states = [part.numpy() for part in cell.states]
    compare_modes(model, x, batch_size=5)
    assert is_same(before, state(model))
    assert is_same(states, [part.numpy() for part in cell.states])
    assert seeds == [
        layer.seed_generator.state.numpy().tolist() for layer in model.layers if hasattr(layer, "seed_generator")
    ]
    model(x, training=True)
    assert not is_same(before, state(model))


def test_a_following_training_is_the_same_as_without() -> None:
    def weights(with_comparison: bool) -> list[np.ndarray]:
        model = trained(make("functional", seed=7))
        if with_comparison:
            compare_modes(model, digits()[0])
        model.fit(*digits(), batch_size=32, epochs=1, shuffle=False, verbose=0)
        return state(model)

    assert is_same(weights(False), weights(True))


class Spectrum(layers.Layer):
    def call(self, x: Any) -> Any:
        return tf.signal.rfft(x)

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((None, 5), "complex64")


def test_complex_outputs_are_compared_as_such() -> None:
    model = keras.Sequential([layers.Input((8,)), layers.Dropout(0.5, seed=1, name="drop"), Spectrum(name="spectrum")])
    found = compare_modes(model, np.eye(8, dtype=np.float32))
    assert found["spectrum"].own == 0
    # The transform of eight real numbers preserves distances except for the weight of its two ends.
    assert found["spectrum"].whole == pytest.approx(found["drop"].whole, rel=0.05)


class Silent(layers.Layer):
    def call(self, x: Any, training: bool = False) -> Any:
        return tf.ones_like(x) if training else tf.zeros_like(x)


def test_distances_without_a_finite_ratio() -> None:
    inputs = layers.Input((2,))
    outputs = layers.Rescaling(0.0, name="zero")(Silent(name="silent")(inputs))
    model = keras.Model(inputs, layers.Rescaling(math.inf, name="broken")(outputs))
    found = compare_modes(model, np.ones((3, 2)))
    assert found["silent"].own == math.inf
    assert found["zero"].whole == 0
    assert math.isnan(found["broken"].whole)
