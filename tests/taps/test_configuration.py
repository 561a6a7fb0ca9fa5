"""What a layer and an optimizer are described with: short, the same each time, and never a reason to fail."""

from __future__ import annotations

import json
import warnings
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.records.specs import CUT
from tb_activations.taps.configuration import LONGEST, layer_configuration, optimizer_configuration


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Dropout(0.2, seed=5), {"rate": 0.2, "seed": 5}),
        (
            layers.Dense(4, "relu", kernel_initializer="he_normal", kernel_regularizer=keras.regularizers.L2(0.01)),
            {
                "units": 4,
                "activation": "relu",
                "use_bias": True,
                "kernel_initializer": "he_normal",
                "kernel_regularizer": "l2(l2=0.01)",
                "bias_initializer": "zeros",
            },
        ),
        (layers.LeakyReLU(0.1), {"negative_slope": 0.1}),
        (layers.Rescaling([0.5, 1.0]), {"scale": (0.5, 1.0), "offset": 0.0}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_layer_is_described_by_its_arguments(layer: keras.Layer, expected: dict[str, Any]) -> None:
    found = layer_configuration(layer)
    assert {name: found.get(name) for name in expected} == expected
    assert not {"name", "dtype", "trainable"} & set(found)


@pytest.mark.parametrize(
    ("initializer", "text"),
    [
        ("zeros", "zeros"),
        (keras.initializers.HeUniform(seed=3), "he_uniform(seed=3)"),
        (keras.initializers.RandomNormal(stddev=0.1), "random_normal(mean=0.0, stddev=0.1)"),
        (keras.initializers.Constant(2.0), "constant(value=2.0)"),
        (
            keras.initializers.VarianceScaling(2.0, "fan_out", "uniform"),
            "variance_scaling(scale=2.0, mode=fan_out, distribution=uniform)",
        ),
    ],
)
def test_an_initializer_has_its_name_and_scale(initializer: Any, text: str) -> None:
    assert layer_configuration(layers.Dense(2, kernel_initializer=initializer))["kernel_initializer"] == text


def every_layer() -> list[keras.Layer]:
    """Layers with many arguments, and layers around layers."""
    regularizer = keras.regularizers.L1L2(0.001, 0.002)
    normal = keras.initializers.TruncatedNormal(0.01, 0.05, seed=1)
    return [
        layers.Conv2D(8, 3, kernel_initializer=normal, kernel_regularizer=regularizer, bias_regularizer=regularizer),
        layers.SeparableConv1D(8, 3, depthwise_initializer=normal, pointwise_initializer=normal),
        layers.LSTM(8, kernel_initializer=normal, recurrent_initializer=normal, dropout=0.1),
        layers.Bidirectional(layers.GRU(4)),
        layers.MultiHeadAttention(2, 4, kernel_initializer=normal),
        layers.BatchNormalization(),
        layers.Embedding(100, 8),
        layers.TimeDistributed(layers.Dense(2)),
        layers.Lambda(lambda value: value * 2),
        layers.Normalization(mean=np.zeros(50), variance=np.ones(50)),
        layers.StringLookup(vocabulary=[f"word {number}" for number in range(500)]),
    ]


@pytest.mark.parametrize("layer", every_layer(), ids=lambda layer: type(layer).__name__)
def test_a_configuration_is_short_and_the_same_each_time(layer: keras.Layer) -> None:
    found = layer_configuration(layer)
    assert len(json.dumps({name: value for name, value in found.items() if name != CUT}, allow_nan=False)) <= LONGEST
    assert list(found.items()) == list(layer_configuration(layer).items())
    assert "lambda value" not in str(found)


def test_what_is_cut_is_the_least_important() -> None:
    normal = keras.initializers.TruncatedNormal(0.01, 0.05, seed=1)
    found = layer_configuration(layers.LSTM(8, kernel_initializer=normal, recurrent_initializer=normal, dropout=0.1))
    assert found[CUT] is True
    assert {"units", "activation", "kernel_initializer", "recurrent_initializer", "dropout"} <= set(found)
    assert "unroll" not in found


def test_layers_that_cannot_be_described_are_left_out() -> None:
    class Broken(layers.Layer):
        def get_config(self) -> dict[str, Any]:
            raise RuntimeError("no configuration")

    class Odd(layers.Layer):
        def get_config(self) -> Any:
            return 5

    class Arrays(layers.Layer):
        def get_config(self) -> dict[str, Any]:
            warnings.warn("cannot be saved", stacklevel=1)
            return {
                "weights": np.zeros(9),
                "rate": np.float32(0.5),
                "nan": float("nan"),
                "any": object(),
                "some": [1, None],
            }

    assert layer_configuration(Broken()) == layer_configuration(Odd()) == {}
    assert layer_configuration(Arrays()) == {"rate": 0.5, "nan": "nan"}
    assert layer_configuration(keras.Sequential([layers.Dense(2)])) == {}


def test_a_variable_is_read_within_a_graph() -> None:
    class Scaled(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.scale = tf.Variable(0.25)

        def get_config(self) -> dict[str, Any]:
            return {"scale": float(self.scale.numpy())}

    layer, found = Scaled(), dict[str, Any]()

    step = tf.function(lambda: found.update(layer_configuration(layer)), autograph=False)
    step()
    assert found == {"scale": 0.25}
    assert not [one for one in step.get_concrete_function().graph.get_operations() if "Read" in one.type]


def test_an_optimizer_has_its_class_and_arguments() -> None:
    found = optimizer_configuration(keras.optimizers.Adam(0.01, beta_1=0.8, clipnorm=1.0))
    assert found["class_name"] == "Adam"
    assert (found["beta_1"], found["clipnorm"]) == (0.8, 1.0)
    assert not {"learning_rate", "name", "weight_decay"} & set(found)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 100, 0.9)
    text = optimizer_configuration(keras.optimizers.SGD(schedule, momentum=0.9))["learning_rate"]
    assert text == "exponential_decay(initial_learning_rate=0.1, decay_steps=100, decay_rate=0.9, staircase=False)"
    scaled = optimizer_configuration(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(momentum=0.9)))
    assert (scaled["class_name"], scaled["around"], scaled["momentum"]) == ("SGD", "LossScaleOptimizer", 0.9)
    assert optimizer_configuration(object()) == {"class_name": "object"}
