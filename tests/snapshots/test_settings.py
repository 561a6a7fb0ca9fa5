"""The arguments that choose what snapshots show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tb_activations import LayerHealth
from tb_activations.pictures.kinds import KINDS
from tb_activations.snapshots.settings import watch_settings

X, Y = np.zeros((4, 3), np.float32), np.arange(4)


def test_by_default_everything_but_the_expensive_kind_is_drawn() -> None:
    assert watch_settings(None, None, "common").kinds == set(KINDS) - {"maximized_input"}
    assert watch_settings(X, ["maximized_input"], "each").kinds == {"maximized_input"}
    assert watch_settings(None, [], "common").kinds == set()


@pytest.mark.parametrize("form", ["pair", "x alone", "one-tuple", "dict", "dataset"])
def test_forms_of_probe_data(form: str) -> None:
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)
    forms = {"pair": (X, Y), "x alone": X, "one-tuple": (X,), "dict": {"a": X}, "dataset": dataset}
    samples = watch_settings(forms[form], None, "common").samples[""]
    np.testing.assert_array_equal(samples.x["a"] if form == "dict" else samples.x, X)
    assert (samples.y is None) == (form in ("x alone", "one-tuple", "dict"))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"images": ["saliency", "salience"]}, ValueError, "`images`: 'salience'. Allowed: \"feature_maps\""),
        ({"images": "saliency"}, TypeError, "`images`: 'saliency'. Allowed: None or a list"),
        ({"images": ["units", "saliency"]}, ValueError, "`images`: 'saliency' without `probe_data`.*'mean_activation'"),
        ({"images": ["reconstruction", "maximized_input"]}, ValueError, "'reconstruction', 'maximized_input' without"),
        ({"image_scale": "own"}, ValueError, '`image_scale`: \'own\'. Allowed: "common" and "each"'),
        ({"image_freq": "batch"}, ValueError, "`image_freq`: 'batch'"),
        ({"probe_data": (X, Y[:3])}, ValueError, r"`probe_data`: \[3, 4\] samples in x and y"),
        ({"probe_data": X[:0]}, ValueError, "`probe_data`: allowed are .*has no sample"),
        ({"probe_data": 3.0}, ValueError, "`probe_data`: allowed are "),
        ({"probe_data": tf.data.Dataset.from_tensor_slices(X[:0])}, ValueError, "`probe_data`: the dataset has no"),
    ],
)
def test_arguments_that_are_not_allowed(
    arguments: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        LayerHealth(tmp_path, **arguments)


def test_several_models_have_samples_by_name() -> None:
    settings = watch_settings({"two": (X, Y)}, None, "common", ("one", "two"))
    assert list(settings.samples) == ["two"]
    np.testing.assert_array_equal(settings.samples["two"].x, X)
    assert watch_settings(None, None, "common", ("one", "two")).samples == {}


@pytest.mark.parametrize(
    ("probe_data", "error", "message"),
    [
        (X, TypeError, "`probe_data`: ndarray for several models. Allowed: a mapping .*'one', 'two'"),
        ({"three": X}, ValueError, "`probe_data`: 'three'. Allowed: a mapping .*'one', 'two'"),
        ({}, ValueError, "`probe_data`: an empty mapping"),
    ],
)
def test_samples_that_fit_no_model(probe_data: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        watch_settings(probe_data, None, "common", ("one", "two"))
