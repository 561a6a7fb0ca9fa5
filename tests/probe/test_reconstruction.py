from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.probe import reconstruction_error
from tests.probe.models import digits, make


class Autoencoder(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.flatten = layers.Flatten(name="flatten")
        self.encoder = keras.Sequential([layers.Dense(16, "relu", name="code")], name="encoder")
        self.decoder = keras.Sequential([layers.Dense(64, name="decoded"), layers.Reshape((8, 8, 1))], name="decoder")

    def call(self, x: Any) -> Any:
        return self.decoder(self.encoder(self.flatten(x)))


def test_errors_equal_those_by_hand() -> None:
    model, (x, _) = Autoencoder(), digits(50)
    error = reconstruction_error(model, x, batch_size=16)
    squared = np.square(model(x).numpy().astype("float64") - x)
    np.testing.assert_allclose(error.per_sample, squared.mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(error.per_output["output"], error.per_sample)
    np.testing.assert_allclose(error.per_element["output"], squared.mean(axis=0), rtol=1e-5)


def test_the_worst_sample_has_the_largest_error_after_training() -> None:
    keras.utils.set_random_seed(0)
    model, (x, _) = Autoencoder(), digits()
    model.compile("adam", "mse", jit_compile=False)
    model.fit(x, x, epochs=20, verbose=0)
    strange = np.concatenate([x[:20], np.random.default_rng(0).uniform(size=(1, 8, 8, 1)).astype("float32")])
    assert reconstruction_error(model, strange).per_sample.argmax() == 20


def test_between_two_named_layers() -> None:
    model, (x, _) = Autoencoder(), digits(10)
    error = reconstruction_error(model, x, between=("flatten", "decoded"))
    assert list(error.per_output) == ["decoded"]
    np.testing.assert_allclose(error.per_sample, reconstruction_error(model, x).per_sample, rtol=1e-6)


def test_several_outputs_count_by_their_size() -> None:
    left, right = layers.Input((3,), name="left"), layers.Input((1,), name="right")
    model = keras.Model(
        {"left": left, "right": right},
        {"left": layers.Rescaling(2.0)(left), "right": layers.Rescaling(1.0, offset=2.0)(right)},
    )
    error = reconstruction_error(model, {"left": np.ones((4, 3)), "right": np.zeros((4, 1))})
    assert error.per_output["[left]"].tolist() == [1] * 4
    assert error.per_output["[right]"].tolist() == [4] * 4
    assert error.per_sample.tolist() == [7 / 4] * 4
    assert error.per_element["[left]"].shape == (3,)


def test_datasets_with_targets_and_nan() -> None:
    model, (x, y) = Autoencoder(), digits(12)
    expected = reconstruction_error(model, x)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(5)
    np.testing.assert_allclose(reconstruction_error(model, dataset).per_sample, expected.per_sample, rtol=1e-5)
    x[3] = np.nan
    assert np.flatnonzero(np.isnan(reconstruction_error(model, x).per_sample)).tolist() == [3]


@pytest.mark.parametrize(
    ("between", "message"),
    [
        (None, r"Cannot compare \(4, 8, 8, 1\) with \(4, 10\)"),
        (("flatten", "head"), r"Cannot compare \(4, 64\) with \(4, 10\) \(output 'head'\)"),
        (("flatten", "other"), "`between`: 'other'"),
        ("flatten", "`between`: 'flatten'"),
    ],
)
def test_what_cannot_be_compared(between: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reconstruction_error(make("shared").model, digits(4)[0], between=between)


def test_numbers_of_inputs_and_outputs_must_match() -> None:
    inputs = layers.Input((3,))
    model = keras.Model(inputs, [layers.Dense(3)(inputs), layers.Dense(3)(inputs)])
    with pytest.raises(ValueError, match="2 outputs for 1 inputs"):
        reconstruction_error(model, np.ones((2, 3)))
