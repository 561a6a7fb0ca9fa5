"""Rows of one call are unpacked together, with the result that merging them one by one has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tb_activations.taps.numbers import outputs as module
from tb_activations.taps.numbers.outputs import OUTPUT_VALUES, Part, outputs

number = st.one_of(st.just(0.0), st.just(float("nan")), st.floats(0.001, 1000))
counts = st.integers(0, 3).map(float)


@st.composite
def part(draw: st.DrawFn, units: int) -> Part:
    elements = draw(counts)
    lost = min(draw(counts), elements)
    moments = [draw(st.floats(0.001, 1000)) for _ in range(4)]
    rest = [draw(number) for _ in range(3)]
    activation = [elements, *moments, min(draw(counts), elements), lost, *rest]
    gradient = draw(st.sampled_from([[np.nan] * 4, [4.0, 2.0, 3.0, 1.0], [2.0, 0.0, 0.0, 2.0]]))
    vectors = [np.array([[draw(number) for _ in range(units)]]) for _ in range(2)]
    return Part(np.array([activation]), np.array([[draw(number)]]), np.array([gradient]), *vectors)


@pytest.mark.parametrize("units", [0, 1, 3])
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_rows_of_one_call_together_equal_each_merged_alone(units: int, data: st.DataObject) -> None:
    parts = [data.draw(part(units)) for _ in range(3)]
    table, activity, peak = outputs([[one] for one in parts], [units] * 3, 8.0)
    alone = [module._columns([one], units, 8.0) for one in parts]
    for name in OUTPUT_VALUES:
        np.testing.assert_allclose(table[name], [columns[name] for columns, _, _ in alone], rtol=1e-12, err_msg=name)
    # Merging weighs the shares by the number of elements, and rounds once more.
    np.testing.assert_allclose(activity, np.concatenate([active for _, active, _ in alone]), rtol=1e-12)
    np.testing.assert_array_equal(peak, np.concatenate([largest for _, _, largest in alone]))
