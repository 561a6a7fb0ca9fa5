"""The public `capture(model)`."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_activations import capture, probe
from tests.training.models import KINDS, digits


@pytest.mark.parametrize("kind", ["sequential", "subclassed"])
def test_captured_outputs_equal_those_of_calling_layer_by_layer(kind: str) -> None:
    keras.utils.set_random_seed(0)
    model, x, _ = KINDS[kind]()
    model(x[:1])
    with capture(model) as seen:
        model(x[:4])
    h = x[:4]
    chain = model.layers if kind == "sequential" else [model.flatten, *model.blocks, *model.inner.layers]
    names = [layer.name for layer in chain]
    if kind == "subclassed":
        names[-2:] = ["inner/first", "inner/last"]
    for name, layer in zip(names, chain, strict=True):
        h = layer(h)
        np.testing.assert_array_equal(seen[name], h)
    assert list(seen) == names


def test_calls_of_a_shared_layer_have_separate_names() -> None:
    model, x, _ = KINDS["functional"]()
    with capture(model, layers=["shared"]) as seen:
        model(x[:4])
    assert list(seen) == ["shared", "shared@1", "shared@2"]
    np.testing.assert_array_equal(seen["shared"], seen["shared@2"])
    assert not np.array_equal(seen["shared@1"], seen["shared@2"])


def test_unknown_names_are_a_key_error_that_lists_the_names() -> None:
    model, x, _ = KINDS["functional"]()
    with capture(model, layers=["shared"]) as seen:
        model(x[:4])
    for name in ("shared@0", "shared@3", "shared@9", "other", "shared@", "@1", 3, None):
        assert name not in seen
        with pytest.raises(KeyError, match="the names are 'shared', 'shared@1', 'shared@2'"):
            _ = seen[name]  # type: ignore[index]
    assert [] not in seen  # type: ignore[comparison-overlap]
    assert seen.get("shared@9") is None
    assert len(seen) == 3


def test_a_layer_called_once_has_no_numbered_calls() -> None:
    model, x, _ = KINDS["sequential"]()
    with capture(model, layers=["head"]) as seen:
        model(x[:4])
    assert list(seen) == ["head"]
    assert "head@1" not in seen


def test_calls_have_the_same_names_as_in_probe() -> None:
    model, x, _ = KINDS["functional"]()
    with capture(model) as seen:
        model(x[:4])
    stored = probe.activations(model, x[:4])
    assert list(seen) == list(stored)
    for name, value in stored.items():
        np.testing.assert_array_equal(seen[name], value)


def test_a_captured_tensor_can_be_used_in_a_loss_inside_a_function() -> None:
    model, x, _ = KINDS["sequential"]()
    model(x[:1])

    def gradient(batch: Any) -> Any:
        with tf.GradientTape() as tape, capture(model, layers="hidden") as seen:
            model(batch)
            loss = tf.reduce_sum(tf.abs(seen["hidden"]))
        return tape.gradient(loss, model.get_layer("hidden").kernel.value)

    assert np.abs(tf.function(gradient)(x[:4])).sum() > 0


def test_the_model_is_unchanged_afterwards_even_after_an_error() -> None:
    model, _, _ = KINDS["sequential"]()
    with pytest.raises(RuntimeError), capture(model):
        raise RuntimeError
    assert not any("call" in vars(layer) for layer in model.layers)


def test_captures_can_be_nested() -> None:
    model, x, _ = KINDS["sequential"]()
    with capture(model) as outer, capture(model, layers=["head"]) as inner:
        model(x[:2])
    np.testing.assert_array_equal(outer["head"], inner["head"])


def test_a_predicate_and_a_compiled_expression_choose_layers() -> None:
    model, x, _ = KINDS["sequential"]()
    with capture(model, layers=lambda layer: isinstance(layer, keras.layers.Dense)) as dense:
        model(x[:2])
    with capture(model, layers=re.compile("^(hidden|head)$")) as by_name:
        model(x[:2])
    assert list(dense) == list(by_name) == ["hidden", "head"]


def test_an_unknown_layer_is_an_error_that_lists_the_layers() -> None:
    model, _, _ = KINDS["sequential"]()
    with pytest.raises(ValueError, match=r"`layers`.*'hiden'.*'conv', 'norm'"), capture(model, layers=["hiden"]):
        pass
    with capture(model) as seen, pytest.raises(KeyError, match="no layer was called"):
        seen["head"]


def test_layers_with_equal_names_get_different_names() -> None:
    class Twins(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = keras.layers.Dense(4, name="twin"), keras.layers.Dense(4, name="twin")

        def call(self, x: Any) -> Any:
            return self.two(self.one(x))

    x, _ = digits()
    model = Twins()
    with capture(model) as seen:
        model(x[:2].reshape(2, 64))
    assert list(seen) == ["twin", "twin~2"]


def test_the_cell_of_an_rnn_is_left_out_in_eager_code_too() -> None:
    model, x, _ = KINDS["lstm"]()
    with capture(model) as seen:
        model(x[:2])
    assert list(seen) == ["lstm", "gru", model.layers[-1].name]
