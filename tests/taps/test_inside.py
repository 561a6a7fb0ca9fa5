"""Layers in conditions, loops and inner functions of the step, compared with the same layers called eagerly."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.taps.numbers.values import StepValues
from tests.training.observe import Observe, value_of

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(16, 6)).astype("float32")
Y = RANDOM.normal(size=(16, 5)).astype("float32")
TURNS = 3
ONE = tf.constant(1.0)


class Inside(keras.Model):
    """A layer in the branch that is taken, one in the other branch, one in a loop, one in a function."""

    def __init__(self) -> None:
        super().__init__()
        names = {
            "first": "tanh",
            "taken": "relu",
            "left": "relu",
            "turned": "sigmoid",
            "called": "tanh",
            "idle": "relu",
        }
        self.parts = {name: layers.Dense(5, activation, name=name) for name, activation in names.items()}
        self.parts["idle"].trainable = False
        self.head = layers.Dense(5, name="head")

    def call(self, x: Any) -> Any:
        parts = self.parts
        h = parts["first"](x)
        h = tf.cond(tf.reduce_sum(x) < 1e6, lambda: parts["taken"](h), lambda: parts["left"](h))
        _, h = tf.while_loop(
            lambda turn, _: turn < TURNS,
            # The factor is a constant that Python holds, not a tensor of the step.
            lambda turn, value: (turn + 1, parts["turned"](value * ONE)),
            (0, h),
            maximum_iterations=TURNS,
        )
        tf.cond(tf.reduce_sum(x) < 1e6, lambda: parts["idle"](h), lambda: h)
        return self.head(self.function(h))

    @tf.function  # type: ignore[untyped-decorator]
    def function(self, h: Any) -> Any:
        if tf.reduce_sum(h) < 1e6:
            h = h + 1.0
        return self.parts["called"](h)


def model() -> keras.Model:
    keras.utils.set_random_seed(1)
    made = Inside()
    for part in made.parts.values():
        part.build((None, 6 if part.name == "first" else 5))
    made.head.build((None, 5))
    made.built = True
    return made


def trained(**mode: Any) -> tuple[keras.Model, list[tuple[int, StepValues]]]:
    made, observe = model(), Observe(update_freq=2, with_histograms=False)
    made.compile("sgd", "mse", **{"jit_compile": False} | mode)
    made.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=[observe])
    return made, observe.seen


@functools.cache
def trained_in(mode: str) -> tuple[keras.Model, StepValues]:
    """The model after the training, and the values of its first step; whoever needs them first trains."""
    made, seen = trained(jit_compile=mode == "XLA")
    return made, seen[0][1]


@pytest.fixture(scope="module", params=["compiled", "XLA"])
def observed(request: pytest.FixtureRequest) -> tuple[keras.Model, StepValues]:
    return trained_in(request.param)


@functools.cache
def truth() -> dict[str, tuple[Any, Any]]:
    """By layer: `[samples, units]` outputs, and gradients of the loss at them, of the first batch."""
    parts, outputs = model().parts, {}
    head = model().head
    with tf.GradientTape(persistent=True) as tape:
        outputs["first"] = [parts["first"](X[:8])]
        outputs["taken"] = [parts["taken"](outputs["first"][0])]
        outputs["turned"] = [parts["turned"](outputs["taken"][0])]
        for _ in range(TURNS - 1):
            outputs["turned"].append(parts["turned"](outputs["turned"][-1]))
        outputs["called"] = [parts["called"](outputs["turned"][-1] + 1.0)]
        loss = tf.reduce_mean(tf.square(head(outputs["called"][0]) - Y[:8]))
    return {
        name: (np.concatenate(values), np.concatenate(tape.gradient(loss, values))) for name, values in outputs.items()
    }


@pytest.mark.parametrize("layer", ["first", "taken", "turned", "called"])
def test_statistics_are_those_of_the_same_layers_outside(layer: str, observed: tuple[Any, StepValues]) -> None:
    outputs, gradients = truth()[layer]
    expected = {
        "elements": outputs.size,
        "mean": outputs.mean(),
        "std": outputs.std(),
        "zero_fraction": (outputs == 0).mean(),
        "sample_std": np.sqrt(outputs.var(0).mean()),
        "unit_std": outputs.mean(0).std(),
        "silent_fraction": (outputs == 0).all(0).mean(),
        "nonfinite": 0,
        "gradient_norm": np.linalg.norm(gradients),
        "gradient_mean_abs": np.abs(gradients).mean(),
    }
    seen = observed[1]
    for column, value in expected.items():
        assert value_of(seen, layer, column) == pytest.approx(float(value), rel=1e-3, abs=1e-6), column


@pytest.mark.parametrize("layer", ["taken", "turned"])
def test_peaks_of_units_are_estimated(layer: str, observed: tuple[Any, StepValues]) -> None:
    seen, names = observed[1], [row.call.name for row in observed[1].rows]
    start = sum(row.units for row in seen.rows[: names.index(layer)])
    largest = np.abs(truth()[layer][0]).max(0)
    estimated = seen.peak[start : start + 5]
    assert (estimated <= largest * 1.001).all()
    assert (estimated >= largest * 0.8).all()
    assert np.isnan(value_of(seen, layer, "max"))


def test_a_branch_that_is_not_taken_has_no_values(observed: tuple[Any, StepValues]) -> None:
    assert value_of(observed[1], "left", "elements") == 0
    columns = ("mean", "gradient_norm", "weight_gradient_norm", "update_ratio")
    assert np.isnan([value_of(observed[1], "left", column) for column in columns]).all()
    assert value_of(observed[1], "left", "weight_norm") > 0
    assert value_of(observed[1], "taken", "weight_gradient_norm") > 0


def test_a_layer_without_influence_on_the_loss_says_so(observed: tuple[Any, StepValues]) -> None:
    reasons = {row.call.name: row.not_observed for row in observed[1].rows if row.not_observed}
    assert set(reasons) == {"idle"}
    assert "the loss does not depend on its output" in reasons["idle"]


def test_rows_stand_in_call_order_with_their_sources(observed: tuple[Any, StepValues]) -> None:
    rows = {row.call.name: row.call.inputs for row in observed[1].rows if not row.not_observed}
    assert list(rows) == ["first", "taken", "left", "turned", "called", "head"]
    assert rows["taken"] == rows["left"] == ("first",)


def test_observing_changes_no_weight() -> None:
    alone = model()
    alone.compile("sgd", "mse", jit_compile=False)
    alone.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for one, other in zip(alone.get_weights(), trained_in("compiled")[0].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_failing_tap_leaves_the_other_layers_observed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise TypeError("no such sums")

    monkeypatch.setattr("tb_activations.taps.numbers.sums.forward", fail)
    seen = trained()[1][0][1]
    reasons = {row.call.name: row.not_observed for row in seen.rows if row.not_observed}
    assert set(reasons) == {"taken", "left", "turned", "idle"}
    assert "TypeError: no such sums" in reasons["taken"]
    assert value_of(seen, "first", "gradient_norm") > 0


class CalledTwice(keras.Model):
    """A layer that is called outside, and again in a branch that is not taken."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.head = layers.Dense(6, "tanh", name="shared"), layers.Dense(5, name="head")
        self.shared.build((None, 6))
        self.head.build((None, 6))
        self.built = True

    def call(self, x: Any) -> Any:
        h = self.shared(x)
        return self.head(tf.cond(tf.reduce_sum(x) > 1e6, lambda: self.shared(h), lambda: h))


def test_a_layer_that_also_runs_outside_keeps_its_gradients() -> None:
    made, observe = CalledTwice(), Observe(with_histograms=False)
    made.compile("sgd", "mse")
    made.fit(X, Y, batch_size=16, verbose=0, callbacks=[observe])
    seen = observe.seen[0][1]
    assert value_of(seen, "shared", "elements", call_site=2) == 0
    assert value_of(seen, "shared", "weight_gradient_norm") > 0
    assert value_of(seen, "shared", "update_ratio") > 0
