"""Connections between layers and gates, found in a traced step."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from tb_activations.taps.numbers.values import StepValues
from tests.training.observe import Observe


def wired(model: keras.Model, x: Any, y: Any, **options: Any) -> StepValues:
    keras.utils.set_random_seed(0)
    model.compile("sgd", "mse", **{"jit_compile": False} | options)
    callback = Observe(with_histograms=False)
    model.fit(x, y, batch_size=8, epochs=1, verbose=0, callbacks=[callback])
    return callback.seen[0][1]


def inputs_of(values: StepValues) -> dict[str, set[str]]:
    return {row.call.name: set(row.call.inputs) for row in values.rows if row.call_site == 0}


def gates_of(values: StepValues) -> set[str]:
    return {row.call.name for row in values.rows if row.call.is_gate}


X = np.random.default_rng(0).normal(size=(16, 12)).astype("float32")
Y = X[:, :3]


def branched() -> keras.Model:
    inputs = layers.Input((12,))
    stem = layers.Dense(12, "relu", name="stem")(inputs)
    branch = layers.Dense(12, "tanh", name="branch")(stem)
    added = layers.Add(name="added")([stem, branch])
    return keras.Model(inputs, layers.Dense(3, name="head")(added * 2.0))


def test_a_residual_branch_joins_where_it_is_added() -> None:
    values = wired(branched(), X, Y)
    assert inputs_of(values) == {
        "stem": set(),
        "branch": {"stem"},
        "added": {"stem", "branch"},
        "head": {"added"},
    }
    assert gates_of(values) == set()


def test_what_a_functional_model_returns_is_an_output_also_if_a_layer_takes_it() -> None:
    inputs = layers.Input((12,))
    early = layers.Dense(3, "sigmoid", name="early")(layers.Dense(12, "relu", name="stem")(inputs))
    late = layers.Dense(3, name="late")(layers.Concatenate(name="joined")([inputs, early]))
    values = wired(keras.Model(inputs, {"early": early, "late": late}), X, {"early": Y, "late": Y})
    assert {row.call.name for row in values.rows if row.call.is_output} == {"early", "late"}


def test_a_subclassed_model_does_not_say_what_it_returns() -> None:
    assert not any(row.call.is_output for row in wired(Gated(), X, Y).rows)


class Gated(keras.Model):
    """Squeeze-and-excitation by hand, without layers for the products."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = layers.Dense(12, "relu", name="stem")
        self.squeeze = layers.Dense(4, "relu", name="squeeze")
        self.gate = layers.Dense(12, "sigmoid", name="gate")
        self.drop = layers.Dropout(0.5, name="drop")
        self.head = layers.Dense(3, "sigmoid", name="head")

    def call(self, inputs: Any, training: bool = False) -> Any:
        value = self.stem(inputs)
        gate = keras.ops.reshape(self.gate(self.squeeze(value)), (-1, 12))
        return self.head(self.drop(value * gate, training=training))


def test_gates_of_a_subclassed_model_are_found() -> None:
    model = Gated()
    model(X[:1])
    values = wired(model, X, Y)
    assert inputs_of(values)["drop"] == {"stem", "gate"}
    assert "gate" in gates_of(values)
    assert gates_of(values) <= {"gate", "stem"}


def test_eager_steps_have_no_connections() -> None:
    values = wired(branched(), X, Y, run_eagerly=True)
    assert set().union(*inputs_of(values).values()) == set()
