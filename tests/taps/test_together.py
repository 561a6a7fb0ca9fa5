"""Outputs and gradients that are measured together, compared with each measured alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tb_activations.taps.numbers import statistics, together
from tb_activations.taps.numbers.histograms import BUCKETS
from tb_activations.taps.numbers.statistics import activation, gradient
from tests.training.forward import row_of, seen_by, value_of
from tests.training.models import train
from tests.training.observe import Observe

RANDOM = np.random.default_rng(8)


def normal(*shape: int) -> Any:
    return RANDOM.normal(size=shape).astype(np.float32)


def spoiled(*shape: int) -> Any:
    value = normal(*shape)
    value.flat[3], value.flat[7], value.flat[9] = np.nan, np.inf, -np.inf
    return value


OUTPUTS: dict[str, tuple[Any, int | None, str | None]] = {
    "rows": (normal(40, 16), 1, None),
    "images": (normal(6, 5, 5, 16), 3, None),
    "channels first": (normal(6, 16, 5, 5), 1, None),
    "other columns": (normal(40, 32), 1, None),
    "narrow": (normal(40, 3), 1, None),
    "no units": (normal(40, 16), None, None),
    "bounded": (np.tanh(3 * normal(40, 16)), 1, "tanh"),
    "not finite": (spoiled(40, 16), 1, None),
    "large values": (1e25 * normal(40, 16), 1, None),
    "zeros": (np.zeros((40, 16), np.float32), 1, None),
    "half precision": (normal(40, 16).astype(np.float16), 1, None),
    "many": (normal(9000, 16), 1, "sigmoid"),
    "empty": (np.zeros((0, 16), np.float32), 1, None),
}


def of_shapes(kind: str, measure: Callable[..., Any], values: Sequence[Any]) -> Any:
    """A function of tensors in a graph that knows their whole shapes, or all but the number of samples."""
    specs = [
        tf.TensorSpec(value.shape if kind == "known" else [None, *value.shape[1:]], value.dtype) for value in values
    ]
    return tf.function(measure, input_signature=specs)(*map(tf.constant, values))


@pytest.mark.parametrize("shapes", ["known", "of any number of samples"])
@pytest.mark.parametrize("histograms", [None, True, False])
def test_outputs_together_equal_each_alone(histograms: bool | None, shapes: str) -> None:
    values, axes, names = zip(*OUTPUTS.values(), strict=True)
    wanted = None if histograms is None else tf.constant(histograms)

    def given(tensors: Sequence[tf.Tensor]) -> list[Any]:
        return [(value, axis, wanted, name, None) for value, axis, name in zip(tensors, axes, names, strict=True)]

    found = of_shapes(shapes, lambda *tensors: together.activations(given(tensors)), values)
    every = [activation(*one) for one in given([tf.constant(value) for value in values])]
    for name, one, alone in zip(OUTPUTS, found, every, strict=True):
        for seen, expected in zip(one, alone, strict=True):
            np.testing.assert_allclose(seen, expected, rtol=2e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("shapes", ["known", "of any number of samples"])
@pytest.mark.parametrize("histograms", [None, True])
def test_gradients_together_equal_each_alone(histograms: bool | None, shapes: str) -> None:
    wanted = None if histograms is None else tf.constant(histograms)
    values = [value for value, *_ in OUTPUTS.values()]
    scalar = tf.constant(3.0)
    found = of_shapes(shapes, lambda *tensors: together.gradients([*tensors, scalar], wanted), values)
    every = [gradient(value, wanted) for value in [*map(tf.constant, values), scalar]]
    for name, one, alone in zip([*OUTPUTS, "scalar"], found, every, strict=True):
        for seen, expected in zip(one, alone, strict=True):
            np.testing.assert_allclose(seen, expected, rtol=2e-5, atol=1e-6, err_msg=name)


def test_what_is_not_finite_in_one_tensor_stays_there() -> None:
    good, bad = tf.constant(normal(40, 16)), tf.constant(spoiled(40, 16))
    seen = tf.function(lambda: together.activations([(one, 1, None, None, None) for one in (good, bad, good)]))()
    np.testing.assert_array_equal(seen[0].values, seen[2].values)
    assert np.isfinite(seen[0].values.numpy()[:7]).all()
    assert (seen[0].values.numpy()[6], seen[1].values.numpy()[6]) == (0, 3)


def test_one_nan_among_millions_is_seen() -> None:
    value = normal(2**16, 64)
    value[12_345, 6] = np.nan
    found = tf.function(lambda: (activation(tf.constant(value), 1, None), gradient(tf.constant(value), None)))()
    assert found[0].values.numpy()[6] >= 1
    assert found[1].values.numpy()[3] >= 1
    assert found[0].values.numpy()[1] == pytest.approx(0, abs=0.05)


def test_large_gradients_that_overflow_when_squared_are_finite() -> None:
    value = 1e25 * normal(2**14, 64)
    elements, norm, _, nonfinite = gradient(tf.constant(value), None).values.numpy().tolist()
    assert (elements, nonfinite) == (value.size, 0)
    assert norm == pytest.approx(np.linalg.norm(value.astype(np.float64)), rel=0.02)


def test_a_histogram_of_a_sample_counts_all_elements() -> None:
    value = normal(2**15, 32)
    given = [(tf.constant(value), 1, tf.constant(True), None, None)] * 2
    for seen in tf.function(lambda: together.activations(given))():
        assert seen.histogram.numpy()[2:].sum() == pytest.approx(value.size, rel=1e-3)
        assert len(seen.histogram) == 2 + BUCKETS


def test_under_xla_tensors_are_measured_alone() -> None:
    given = [(tf.constant(value), axis, None, name, None) for value, axis, name in list(OUTPUTS.values())[:3]]
    for one, other in zip(
        tf.function(lambda: together.activations(given), jit_compile=True)(), together.activations(given), strict=True
    ):
        np.testing.assert_allclose(one.values, other.values, rtol=1e-4, atol=1e-6)


def refuse(*_: Any) -> Any:
    raise ValueError("cannot measure these together")


def refusing_twelve(measure: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which fails for 12 columns."""

    def picky(value: Any, *more: Any) -> Any:
        if value.shape[-1] == 12:
            raise ValueError("cannot measure this")
        return measure(value, *more)

    return picky


def test_outputs_that_cannot_be_measured_together_are_measured_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "activations", refuse)
    monkeypatch.setattr(statistics, "activation", refusing_twelve(activation))
    seen = seen_by(network(), normal(20, 5))
    assert "cannot measure this" in row_of(seen, "twelve").not_observed
    assert value_of(seen, "twenty", "std") > 0


def test_gradients_that_cannot_be_measured_together_are_measured_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "gradients", refuse)
    monkeypatch.setattr(statistics, "gradient", refusing_twelve(gradient))
    observe = Observe()
    train(lambda: (network(), normal(64, 5), RANDOM.integers(0, 3, 64)), [observe])
    assert np.isnan(value_of(observe.seen[0][1], "twelve", "gradient_norm"))
    assert value_of(observe.seen[0][1], "twelve", "std") > 0
    assert value_of(observe.seen[0][1], "twenty", "gradient_norm") > 0


def network() -> keras.Model:
    return keras.Sequential(
        [layers.Input((5,)), layers.Dense(12, name="twelve"), layers.Dense(20, name="twenty"), layers.Dense(3)]
    )
