"""The content of one snapshot, compared with calls of the model by hand."""

from __future__ import annotations

import random
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations import probe
from tb_activations.probe.randomness import preserved_random
from tb_activations.snapshots import looks
from tb_activations.snapshots.settings import Samples
from tests.snapshots.models import autoencoder, classifier, digits


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return classifier()


def shared() -> keras.Model:
    """One dropout layer called twice, on values and on zeros."""
    inputs = layers.Input((12,))
    drop = layers.Dropout(0.5, name="drop")
    h = drop(layers.Dense(12, name="first")(inputs))
    return keras.Model(inputs, layers.Dense(3, name="head")(drop(layers.Dense(12, name="second")(h))))


def test_maps_are_the_first_ones_and_means_are_over_all(model: keras.Model) -> None:
    x, _ = digits(20)
    found = looks.layer_maps(model, x, None)
    expected = model.get_layer("conv")(x).numpy()
    assert list(found) == ["conv", "norm"]
    np.testing.assert_array_equal(found["conv"].maps, expected[: looks.MAP_SAMPLES])
    np.testing.assert_allclose(found["conv"].means, expected.mean(axis=(0, 1, 2)), rtol=1e-5)


def test_maps_of_channels_first_layers_have_their_channels_last() -> None:
    norm = layers.BatchNormalization(axis=1, name="norm")
    norm.data_format = "channels_first"
    x = np.random.default_rng(0).normal(size=(3, 5, 4, 6)).astype("float32")
    found = looks.layer_maps(keras.Sequential([layers.Input((5, 4, 6)), norm]), x, None)
    assert found["norm"].maps.shape == (2, 4, 6, 5)
    np.testing.assert_allclose(found["norm"].means, x.mean(axis=(0, 2, 3)), atol=1e-3)


def test_large_maps_are_thinned_evenly() -> None:
    model = keras.Sequential([layers.Input((100, 60, 2)), layers.Conv2D(20, 1, name="conv")])
    maps = looks.layer_maps(model, np.ones((2, 100, 60, 2), np.float32), None)["conv"].maps
    assert maps.shape == (2, 34, 30, looks.MAP_CHANNELS)


def test_mode_differences_are_those_of_probe_by_row(model: keras.Model) -> None:
    x, _ = digits(20)
    expected = probe.compare_modes(model, x, batch_size=20)
    found = looks.mode_differences(model, x, None)
    assert found == {name: difference.own for name, difference in expected.items()}
    assert found["drop"] > 0.5
    assert found["head"] == found["flatten"] == 0


def test_a_shared_layer_has_a_row_for_all_calls_with_the_largest() -> None:
    found = looks.mode_differences(shared(), np.ones((8, 12), np.float32), None)
    assert {"drop", "drop@1", "drop@2", "first"} <= set(found)
    assert found["drop"] == max(found["drop@1"], found["drop@2"])


@pytest.mark.parametrize("output", ["conv", "a/b", "drop@2", "lstm[0]", "mix@3[key]"])
def test_rows_of_outputs(output: str) -> None:
    expected = {"drop@2": ("drop", "drop@2"), "lstm[0]": ("lstm",), "mix@3[key]": ("mix", "mix@3")}
    assert looks.row_names(output) == expected.get(output, (output,))


@pytest.mark.parametrize("form", ["numbers", "column", "one-hot", "none"])
def test_saliency_is_that_of_the_labeled_class(model: keras.Model, form: str) -> None:
    x, labels = digits(5)
    forms = {
        "numbers": labels,
        "column": labels[:, None].astype("float32"),
        "one-hot": np.eye(10)[labels],
        "none": None,
    }
    found = looks.saliency(model, Samples(x, forms[form]))
    assert found is not None
    expected = probe.saliency(model, x, target=None if form == "none" else labels)
    np.testing.assert_array_equal(found[0], x)
    np.testing.assert_allclose(found[1], expected[..., 0], rtol=1e-6)


def test_saliency_is_for_rows_of_numbers_only() -> None:
    x, _ = digits(4)
    assert looks.saliency(autoencoder(), Samples(x)) is None
    assert looks.saliency(classifier(), Samples({"x": x})) is None


def test_reconstruction_error_is_that_of_all_samples() -> None:
    x, _ = digits(40)
    model = autoencoder()
    found = looks.reconstruction(model, Samples(x, x), is_autoencoder=False)
    assert found is not None
    assert found.error == pytest.approx(float(np.mean((model(x).numpy() - x) ** 2)), rel=1e-5)
    pairs = found.pairs["output"]
    assert pairs.shape == (2, looks.IMAGES, 8, 8, 1)
    np.testing.assert_array_equal(pairs[0], x[: looks.IMAGES])
    np.testing.assert_allclose(pairs[1], model(x[: looks.IMAGES]), atol=1e-6)


def test_a_denoising_autoencoder_is_compared_with_its_targets_on_request() -> None:
    x, _ = digits(16)
    noisy = x + np.float32(0.2)
    model = autoencoder()
    assert looks.reconstruction(model, Samples(noisy, x), is_autoencoder=False) is None
    found = looks.reconstruction(model, Samples(noisy, x), is_autoencoder=True)
    assert found is not None
    assert found.error == pytest.approx(float(np.mean((model(noisy).numpy() - x) ** 2)), rel=1e-5)


@pytest.mark.parametrize("make", [classifier, lambda: keras.Sequential([layers.Input((1,)), layers.Dense(1)])])
def test_other_models_have_no_reconstruction(make: Callable[[], keras.Model]) -> None:
    model = make()
    x = np.ones((4, *model.input_shape[1:]), np.float32)
    assert looks.reconstruction(model, Samples(x, x if x.ndim == 2 else np.arange(4)), is_autoencoder=True) is None


def test_maximized_inputs_exceed_the_samples(model: keras.Model) -> None:
    x, _ = digits(32)
    found = looks.maximized_inputs(model, x, None)
    assert list(found) == ["norm", "head"]
    assert found["head"].shape == (1, looks.UNITS, 8, 8, 1)
    of_data = model(x).numpy()[:, : looks.UNITS].max(axis=0)
    for unit, image in enumerate(found["head"][0]):
        assert model(image[None]).numpy()[0, unit] > of_data[unit]
    assert looks.maximized_inputs(model, {"x": x}, None) == {}


def test_a_unit_that_is_off_everywhere_has_an_empty_tile() -> None:
    bias = keras.initializers.Constant([-100.0, 0.0])
    model = keras.Sequential([layers.Input((6,)), layers.Dense(2, "relu", bias_initializer=bias, name="half")])
    tiles = looks.maximized_inputs(model, np.random.default_rng(0).random((4, 6), np.float32), None)["half"]
    assert np.isnan(tiles[0, 0]).all()
    assert np.isfinite(tiles[0, 1]).all()


@pytest.mark.parametrize("had_one", [True, False])
def test_random_numbers_are_restored(had_one: bool) -> None:
    def begin() -> None:
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(3)
        tf.random.get_global_generator().reset_from_seed(3)
        if had_one:
            keras.random.uniform(())

    begin()
    expected = draws()
    begin()
    with preserved_random():
        draws()
    assert draws() == expected


def draws() -> list[float]:
    """Two numbers from every global source of random numbers."""
    generator = tf.random.get_global_generator()
    numbers = (random.random, np.random.rand)
    tensors = (lambda: keras.random.uniform(()), lambda: tf.random.uniform(()), lambda: generator.uniform(()))
    return [float(draw()) for draw in (*numbers, *tensors) for _ in range(2)]
