"""Statistics in eager code, in a graph and under XLA, compared with NumPy in float64."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from tb_activations.taps.numbers import statistics
from tb_activations.taps.numbers.histograms import BUCKETS, SAMPLE, histogram
from tb_activations.taps.numbers.layout import ACTIVATION_STATISTICS

Runner = Callable[[Callable[[Any], Any]], Callable[[Any], Any]]
"""Makes a function of a tensor run eagerly, in a graph or under XLA."""

# A function that several tests run is compiled once for every shape.
RUNNERS: dict[str, Runner] = {
    "eager": lambda f: f,
    "graph": functools.cache(lambda f: tf.function(f, jit_compile=False)),
    "xla": functools.cache(lambda f: tf.function(f, jit_compile=True)),
}
RANDOM = np.random.default_rng(3)
RELU = np.maximum(RANDOM.normal(size=(16, 5, 5, 6)), 0).astype(np.float32)
RELU[..., 2] = 0
VALUES: dict[str, NDArray[np.floating[Any]]] = {
    "relu maps": RELU,
    "far from zero": (1000 + RANDOM.normal(size=(64, 8))).astype(np.float32),
    "large": (1e25 * RANDOM.normal(size=(64, 8))).astype(np.float32),
    "tiny": (1e-25 * RANDOM.normal(size=(64, 8))).astype(np.float32),
    "zeros": np.zeros((64, 8), np.float32),
    "half precision": RANDOM.normal(size=(64, 8)).astype(np.float16),
    "one nan, two infinities": np.where(np.arange(512).reshape(64, 8) == 9, np.nan, RANDOM.normal(size=(64, 8))).astype(
        np.float32
    ),
}
VALUES["one nan, two infinities"][3, :2] = np.inf, -np.inf


@functools.cache
def activation_on(axis: int) -> Callable[[Any], Any]:
    """Statistics of outputs whose units lie on this axis."""
    return lambda x: statistics.activation(x, axis, with_histogram=None)


def gradient(x: Any) -> Any:
    return statistics.gradient(x, None).values


def unbounded_histogram(x: Any) -> Any:
    return histogram(x, None, None)


@pytest.fixture(params=list(RUNNERS))
def run(request: pytest.FixtureRequest) -> Runner:
    return RUNNERS[request.param]


@pytest.mark.parametrize("name", list(VALUES))
def test_activation_statistics_equal_numpy(run: Runner, name: str) -> None:
    value = VALUES[name]
    axis = value.ndim - 1
    seen = run(activation_on(axis))(tf.constant(value))
    exact = value.astype(np.float64)
    finite = exact[np.isfinite(exact)]
    expected = [
        exact.size,
        finite.mean(),
        finite.std(),
        finite.min(),
        finite.max(),
        np.count_nonzero(exact),
        exact.size - finite.size,
    ]
    # Under XLA, a CPU sums elements sequentially in float32.
    tolerance = [0, 2e-6 * np.abs(finite).max(), 1e-4 * finite.std(), 0, 0, 0, 0]
    for value, want, allowed in zip(seen.values.numpy()[: len(expected)], expected, tolerance, strict=True):
        assert value == pytest.approx(want, abs=allowed, rel=0)
    np.testing.assert_allclose(seen.active, (exact != 0).mean(axis=tuple(range(axis))), rtol=1e-6)


def spreads(values: Any) -> dict[str, float]:
    named = dict(zip((*ACTIVATION_STATISTICS,), values.numpy().tolist(), strict=True))
    return {name: named[name] for name in ("sample_std", "unit_std", "saturated", "kurtosis")}


@pytest.mark.parametrize("name", ["relu maps", "far from zero", "zeros", "half precision"])
def test_spreads_equal_numpy(run: Runner, name: str) -> None:
    rows = VALUES[name].astype(np.float64).reshape(-1, VALUES[name].shape[-1])
    axis = VALUES[name].ndim - 1
    seen = spreads(run(activation_on(axis))(tf.constant(VALUES[name])).values)
    assert seen["sample_std"] == pytest.approx(np.sqrt(((rows - rows.mean(0)) ** 2).mean()), rel=1e-3, abs=1e-9)
    assert seen["unit_std"] == pytest.approx(rows.mean(0).std(), rel=1e-3, abs=1e-9)
    assert np.isnan(seen["saturated"])
    square = (rows**2).mean()
    kurtosis = (rows**4).mean() / square**2 if square else np.nan
    assert seen["kurtosis"] == pytest.approx(kurtosis, rel=1e-3, nan_ok=True)


def test_spread_of_equal_samples_is_exactly_zero(run: Runner) -> None:
    value = np.tile(RANDOM.normal(size=(1, 8)).astype(np.float32) * 1000, (64, 1))
    seen = spreads(run(activation_on(1))(tf.constant(value)).values)
    assert seen["sample_std"] <= 1e-6 * seen["unit_std"]


@pytest.mark.parametrize(("name", "low", "high"), [("tanh", -0.95, 0.95), ("sigmoid", 0.025, 0.975)])
def test_saturated_outputs_are_those_near_a_bound(run: Runner, name: str, low: float, high: float) -> None:
    value = np.array([[low - 0.01, low + 0.01], [high + 0.01, high - 0.01]], np.float32)
    seen = spreads(run(lambda x: statistics.activation(x, 1, None, name).values)(tf.constant(value)))
    assert seen["saturated"] == 0.5


def test_spread_of_a_large_tensor_is_computed_on_a_sample(run: Runner) -> None:
    value = RANDOM.normal(2, 3, size=(2**14, 64)).astype(np.float32)
    seen = spreads(run(activation_on(1))(tf.constant(value)).values)
    assert seen["sample_std"] == pytest.approx(3, rel=0.02)


def test_peaks_and_activity_are_per_unit(run: Runner) -> None:
    seen = run(activation_on(3))(tf.constant(-RELU))
    np.testing.assert_array_equal(seen.peak, RELU.max(axis=(0, 1, 2)))
    assert seen.active.numpy()[2] == 0


def test_a_unit_that_is_active_once_in_a_large_tensor_is_not_silent(run: Runner) -> None:
    value = np.zeros((2**17, 16), np.float32)
    value[:, 1] = 1
    value[-1, 2] = 3
    seen = run(activation_on(1))(tf.constant(value))
    assert seen.active.numpy()[:4].tolist() == [0, 1, np.float32(1 / 2**17), 0]
    # The peak of a large tensor is that of a sample, and at least the mean of the unit.
    assert seen.peak.numpy()[:4].tolist() == [0, 1, np.float32(3 / 2**17), 0]


def test_channels_first_counts_channels(run: Runner) -> None:
    first = run(activation_on(1))(tf.constant(RELU.transpose(0, 3, 1, 2)))
    last = run(activation_on(3))(tf.constant(RELU))
    np.testing.assert_array_equal(first.active, last.active)
    np.testing.assert_array_equal(first.peak, last.peak)


@pytest.mark.parametrize("name", list(VALUES))
def test_gradient_statistics_equal_numpy(run: Runner, name: str) -> None:
    value = VALUES[name]
    values = run(gradient)(tf.constant(value))
    elements, norm, abs_sum, nonfinite = values.numpy()
    finite = value[np.isfinite(value)].astype(np.float64)
    assert elements == value.size
    assert norm == pytest.approx(np.linalg.norm(finite), rel=1e-4)
    assert abs_sum == pytest.approx(np.abs(finite).sum(), rel=1e-4)
    assert nonfinite == value.size - finite.size


def test_an_empty_tensor_has_no_statistics(run: Runner) -> None:
    seen = run(lambda x: statistics.activation(x, 1, with_histogram=tf.constant(True)))(tf.zeros([0, 4]))
    assert seen.values.numpy()[0] == 0
    gradient = run(lambda x: statistics.gradient(x, tf.constant(True)).values)(tf.zeros([0, 4]))
    np.testing.assert_array_equal(gradient, [0, 0, 0, 0])


def test_histogram_of_few_elements_equals_numpy(run: Runner) -> None:
    value = RANDOM.normal(size=(40, 7)).astype(np.float32)
    low, high = value.min(), value.max()
    seen = run(lambda x: histogram(x, tf.reduce_min(x), tf.reduce_max(x)))(tf.constant(value)).numpy()
    counts, _ = np.histogram(value, BUCKETS, (low, high))
    assert (seen[0], seen[1]) == (low, high)
    assert seen[2:].sum() == value.size
    # An element within rounding of an edge may fall on either side.
    assert np.abs(seen[2:] - counts).sum() <= 2


def test_histogram_of_many_elements_is_scaled_to_all_of_them(run: Runner) -> None:
    value = RANDOM.normal(size=(64, 40, 40, 3)).astype(np.float32)
    seen = run(lambda x: histogram(tf.reshape(x, [-1, 3]), None, None))(tf.constant(value)).numpy()
    assert value.size > SAMPLE
    assert seen[2:].sum() == pytest.approx(value.size, rel=1e-3)
    counts, _ = np.histogram(value, BUCKETS, (seen[0], seen[1]))
    assert np.abs(seen[2:] - counts).max() < 0.02 * value.size


def test_histogram_leaves_nonfinite_elements_out(run: Runner) -> None:
    seen = run(unbounded_histogram)(tf.constant([[np.nan, 1.0], [np.inf, 3.0]])).numpy()
    assert seen[:2].tolist() == [1, 3]
    assert seen[2:].sum() == 2


def test_histogram_of_equal_elements_is_one_bucket(run: Runner) -> None:
    seen = run(unbounded_histogram)(tf.fill([5, 2], 4.0)).numpy()
    assert seen[-1] == 10
    assert seen[2:].sum() == 10


def test_a_histogram_that_was_not_requested_is_nan(run: Runner) -> None:
    value = tf.constant([[1.0, 2.0]])
    wanted = run(lambda x: statistics.activation(x, 1, tf.constant(True)).histogram)(value)
    unwanted = run(lambda x: statistics.activation(x, 1, tf.constant(False)).histogram)(value)
    assert wanted.numpy()[:2].tolist() == [1, 2]
    assert np.isnan(unwanted).all()


def test_histogram_without_finite_elements_has_no_edges(run: Runner) -> None:
    seen = run(unbounded_histogram)(tf.fill([5, 2], np.nan)).numpy()
    assert np.isnan(seen[:2]).all()
    assert seen[2:].sum() == 0
