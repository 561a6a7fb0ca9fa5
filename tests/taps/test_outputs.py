"""Rows of one call are unpacked together, with the result that merging them one by one has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tb_activations.taps.numbers import outputs as module
from tb_activations.taps.numbers.layout import ACTIVATION_STATISTICS, GRADIENT_STATISTICS, HEAD_STATISTICS
from tb_activations.taps.numbers.outputs import OUTPUT_VALUES, Part, outputs

number = st.one_of(st.just(0.0), st.just(float("nan")), st.floats(0.001, 1000))
counts = st.integers(0, 3).map(float)


@st.composite
def part(draw: st.DrawFn, units: int) -> Part:
    elements = draw(counts)
    lost = min(draw(counts), elements)
    moments = [draw(st.floats(0.001, 1000)) for _ in range(4)]
    rest = [draw(number) for _ in range(4)]
    activation = [elements, *moments, min(draw(counts), elements), lost, *rest]
    gradient = draw(st.sampled_from([[np.nan] * 4, [4.0, 2.0, 3.0, 1.0], [2.0, 0.0, 0.0, 2.0]]))
    vectors = [np.array([[draw(number) for _ in range(units)]]) for _ in range(2)]
    heads = np.array([[draw(number) for _ in HEAD_STATISTICS]]) if draw(st.booleans()) else np.zeros((1, 0))
    return Part(np.array([activation]), np.array([[draw(number)]]), heads, np.array([gradient]), *vectors)


@pytest.mark.parametrize("units", [0, 1, 3])
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_rows_of_one_call_together_equal_each_merged_alone(units: int, data: st.DataObject) -> None:
    parts = [data.draw(part(units)) for _ in range(3)]
    table, activity, peak = outputs([[one] for one in parts], [units] * 3, 8.0)
    alone = [module._columns([one], units, 8.0) for one in parts]
    for name in OUTPUT_VALUES:
        expected = [columns.get(name, np.nan) for columns, _, _ in alone]
        np.testing.assert_allclose(table[name], expected, rtol=1e-12, err_msg=name)
    # Merging weighs the shares by the number of elements, and rounds once more.
    np.testing.assert_allclose(activity, np.concatenate([active for _, active, _ in alone]), rtol=1e-12)
    np.testing.assert_array_equal(peak, np.concatenate([largest for _, _, largest in alone]))


def _heads(elements: float, *values: float) -> Part:
    activation = np.zeros((1, len(ACTIVATION_STATISTICS)))
    activation[0, 0] = elements
    gradient = np.full((1, len(GRADIENT_STATISTICS)), np.nan)
    return Part(activation, np.full((1, 1), np.nan), np.array([values]), gradient, np.zeros((1, 2)), np.zeros((1, 2)))


def test_calls_of_attention_merge_to_the_extremes_and_the_mean_by_size() -> None:
    calls = [_heads(30, 7.0, 0.2, 0.8, 0.5, 0, 1), _heads(10, 3.0, 0.6, 0.4, 0.9, 1, 3)]
    table, _, _ = outputs([calls], [2], 1.0)
    found = [table[name][0] for name in HEAD_STATISTICS]
    np.testing.assert_allclose(found, [7.0, 0.3, 0.7, 0.9, 1, 3])


def test_a_call_of_attention_without_keys_counts_for_nothing() -> None:
    calls = [_heads(0, 0.0, *[np.nan] * 5), _heads(10, 3.0, 0.6, 0.4, 0.9, 1, 3)]
    table, _, _ = outputs([calls], [2], 1.0)
    np.testing.assert_allclose([table[name][0] for name in HEAD_STATISTICS], [3.0, 0.6, 0.4, 0.9, 1, 3])
