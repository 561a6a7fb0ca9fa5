"""Steps that XLA compiles: the same statistics, computed after the step."""

from __future__ import annotations

import functools
import gc
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tb_activations.taps.numbers.values import StepValues
from tb_activations.taps.step.packing import Packing
from tests.training.models import functional, small, train
from tests.training.observe import Observe


def observed(**compiled: Any) -> tuple[list[tuple[int, StepValues]], list[np.ndarray]]:
    observe = Observe(update_freq=3)
    # Without dropout: XLA draws other random numbers.
    model = train(functional, [observe], epochs=1, **compiled)
    return observe.seen, model.get_weights()


@functools.cache
def observed_under_xla() -> tuple[list[tuple[int, StepValues]], list[np.ndarray]]:
    """For all tests: compiling takes seconds."""
    return observed(jit_compile=True)


def test_statistics_are_those_of_the_step_without_xla() -> None:
    (plain, plain_weights), (compiled, weights) = observed(), observed_under_xla()
    assert [step for step, _ in compiled] == [step for step, _ in plain] == [0, 3, 6]
    for (_, one), (_, other) in zip(plain, compiled, strict=True):
        assert [row.call for row in one.rows] == [row.call for row in other.rows]
        for tables in ((one.layers, other.layers), (one.weight_columns, other.weight_columns)):
            for column, values in tables[0].items():
                np.testing.assert_allclose(tables[1][column], values, rtol=0.02, atol=1e-4, err_msg=column)
        assert one.histograms is not None
        assert other.histograms is not None
        np.testing.assert_allclose(other.histograms[..., :2], one.histograms[..., :2], rtol=0.02, atol=1e-4)
    for expected, got in zip(plain_weights, weights, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0.02, atol=1e-4)


def test_a_step_with_other_shapes_has_results_of_its_own() -> None:
    # 250 samples: the last batch of 26 is compiled apart.
    observe = Observe(update_freq=1)
    model, x, y = small()
    train(lambda: (model, x[:250], y[:250]), [observe], epochs=1, jit_compile=True)
    assert [seen.totals["samples"] for _, seen in observe.seen[-2:]] == [32, 26]
    assert all(np.isfinite(seen.layers["std"]).all() for _, seen in observe.seen)


# From TensorFlow: the setting does not apply to `tf.data`.
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`:UserWarning")
def test_steps_that_run_eagerly_all_the_same_leave_nothing_in_memory() -> None:
    observe = Observe(update_freq=1)
    tf.config.run_functions_eagerly(True)
    try:
        train(small, [observe], epochs=1, jit_compile=True)
    finally:
        tf.config.run_functions_eagerly(False)
    gc.collect()
    assert len(observe.seen) == 8
    assert not [one for one in gc.get_objects() if isinstance(one, Packing)]


def test_what_cannot_be_computed_after_the_step_ends_observing_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: Packing) -> None:
        raise ValueError("no room")

    _, weights = observed_under_xla()
    monkeypatch.setattr(Packing, "vectors", fail)
    seen, unobserved = observed(jit_compile=True)
    assert seen == []
    assert "the observed step failed (ValueError: no room). Training continues." in caplog.text
    for one, other in zip(weights, unobserved, strict=True):
        np.testing.assert_allclose(other, one, rtol=0.02, atol=1e-4)
