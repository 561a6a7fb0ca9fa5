"""Weights that several layers share belong to the layer that created them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from tb_activations import LayerHealth, load
from tb_activations.taps.layers import find_layers, weight_key, weight_owners

pytestmark = pytest.mark.usefixtures("unoptimized_graphs")


class Scores(layers.Layer):
    """Scores of all words as products with their embeddings."""

    def __init__(self, table: layers.Embedding) -> None:
        super().__init__(name="scores")
        self.table = table

    def call(self, states: Any) -> Any:
        return ops.matmul(states, ops.transpose(self.table.embeddings))


class Mirrored(layers.Layer):
    """A decoder that takes the kernel of the encoder, transposed."""

    def __init__(self, encoder: layers.Dense) -> None:
        super().__init__(name="mirrored")
        self.kernel = encoder.kernel

    def call(self, codes: Any) -> Any:
        return ops.matmul(codes, ops.transpose(self.kernel))


def language_model() -> keras.Model:
    words = layers.Input((6,), dtype="int32")
    table = layers.Embedding(20, 8, name="table")
    body = layers.Dense(8, activation="tanh", name="body")(table(words))
    model = keras.Model(words, Scores(table)(body))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def autoencoder() -> keras.Model:
    inputs = layers.Input((12,))
    encoder = layers.Dense(4, name="encoder")
    codes = encoder(inputs)
    model = keras.Model(inputs, Mirrored(encoder)(codes))
    model.compile("adam", "mse")
    return model


def recorded(model: keras.Model, x: Any, folder: Path) -> Any:
    model.fit(x, x, batch_size=16, epochs=2, verbose=0, callbacks=[LayerHealth(folder, update_freq=1)])
    return load(folder)


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_an_output_layer_that_takes_the_embeddings_does_not_own_them(tmp_path: Path, run_eagerly: bool) -> None:
    model = language_model()
    model.run_eagerly = run_eagerly
    run = recorded(model, np.random.default_rng(0).integers(0, 20, (96, 6)).astype("int32"), tmp_path)
    assert {weight.name: weight.layer for weight in run.spec.weights} == {
        "table/embeddings": "table",
        "body/kernel": "body",
        "body/bias": "body",
    }
    assert {layer.name: layer.trainable for layer in run.spec.layers} == {"table": True, "body": True, "scores": False}
    assert [finding for finding in run.findings if finding.rule in ("stagnant_weights", "no_gradient")] == []


def test_a_layer_that_takes_a_weight_itself_does_not_own_it(tmp_path: Path) -> None:
    run = recorded(autoencoder(), np.random.default_rng(0).normal(size=(192, 12)).astype("float32"), tmp_path)
    assert {weight.layer for weight in run.spec.weights} == {"encoder"}
    assert {layer.name: layer.trainable for layer in run.spec.layers} == {"encoder": True, "mirrored": False}
    assert [finding for finding in run.findings if finding.rule in ("stagnant_weights", "no_gradient")] == []


def test_a_layer_inside_another_one_owns_its_weights() -> None:
    model = keras.Sequential(
        [layers.Input((4, 3)), layers.TimeDistributed(layers.Dense(2, name="inner"), name="outer")]
    )
    named = find_layers(model)
    owners = weight_owners(named)
    assert {owners[weight_key(weight)] for weight in model.weights} == {"outer/inner"}


def test_a_layer_in_a_wrapper_that_takes_its_kernel_owns_it() -> None:
    wrapped = layers.SpectralNormalization(layers.Dense(2, name="inner"), name="outer")
    model = keras.Sequential([layers.Input((3,)), wrapped])
    owners = weight_owners(find_layers(model))
    assert [owners[weight_key(weight)] for weight in model.trainable_weights] == ["outer/inner", "outer/inner"]
