"""TensorFlow's graph optimizer, without which many tests train, changes nothing that is measured."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.taps.numbers.values import StepValues
from tests.training.models import train
from tests.training.observe import Observe
from tests.unoptimized import unoptimized


def first_step(kind: str) -> StepValues:
    """Of a training. In later ones, rounding decides on gradients that are zero, such as of the bias of keys."""
    train(kind, [observe := Observe(update_freq=8)], epochs=1)
    return observe.seen[0][1]


@pytest.mark.parametrize("kind", ["functional", "attention"])
def test_statistics_are_those_of_the_graph_as_it_was_traced(kind: str) -> None:
    optimized = first_step(kind)
    with unoptimized():
        traced = first_step(kind)
    assert [(row.call, row.not_observed) for row in optimized.rows] == [
        (row.call, row.not_observed) for row in traced.rows
    ]
    for one, other in ((optimized.layers, traced.layers), (optimized.weight_columns, traced.weight_columns)):
        assert one.keys() == other.keys()
        for column, values in one.items():
            np.testing.assert_allclose(other[column], values, rtol=1e-3, atol=1e-6, err_msg=column)
    np.testing.assert_allclose(traced.activity, optimized.activity, atol=1e-3)
    np.testing.assert_allclose(traced.peak, optimized.peak, rtol=1e-4, atol=1e-6)
    assert traced.totals["loss"] == pytest.approx(optimized.totals["loss"], rel=1e-5)
