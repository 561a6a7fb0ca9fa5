"""How cells are measured at each time step: bins, padding, extreme values, replicas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tb_activations.taps.numbers.layout import SEQUENCE_VALUES, Call
from tb_activations.taps.numbers.through_time import profile
from tb_activations.taps.numbers.unpack_sequences import merged, sequences
from tb_activations.taps.numbers.values import Row

RANDOM = np.random.default_rng(0)


def measured(value: Any, gradient: Any = None, mask: Any = None, *, wanted: bool = True) -> Any:
    """`[SEQUENCE_VALUES]`."""
    backward, kept = (None if one is None else tf.constant(one) for one in (gradient, mask))
    return profile(tf.constant(value), backward, kept, tf.constant(wanted)).numpy()


def rms(values: Any) -> Any:
    """Over batch and units, for each time step."""
    return np.sqrt(np.nanmean(np.square(values.astype(np.float64)), axis=(0, 2)))


@pytest.mark.parametrize("length", [1, 63, 64])
def test_a_short_sequence_has_a_bin_for_each_time_step(length: int) -> None:
    value, gradient = RANDOM.normal(size=(2, 3, length, 5)).astype("float32")
    found = measured(value, gradient)
    assert found[0] == length
    counts, outputs, _, gradients = np.split(found[1:], 4)
    np.testing.assert_array_equal(counts, np.where(np.arange(64) < length, 15, 0))
    np.testing.assert_allclose(outputs[:length], rms(value), rtol=1e-5)
    np.testing.assert_allclose(gradients[:length], rms(gradient), rtol=1e-5)
    assert np.isnan(outputs[length:]).all()


def test_a_long_sequence_has_64_bins_of_nearly_equal_size() -> None:
    value = RANDOM.normal(size=(2, 150, 3, 2)).astype("float32")
    counts, outputs, *_ = np.split(measured(value)[1:], 4)
    bins = np.arange(150) * 64 // 150
    np.testing.assert_array_equal(counts, 12 * np.bincount(bins))
    expected = [np.sqrt(np.mean(value[:, bins == place] ** 2)) for place in range(64)]
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)


def test_padding_and_values_that_are_not_finite_are_left_out() -> None:
    value = np.ones((2, 3, 2), np.float32)
    value[0, 0], value[1, 1] = np.inf, np.nan
    mask = np.array([[True, True, False], [True, False, False]])
    counts, outputs, *_ = np.split(measured(value, mask=mask)[1:], 4)
    assert counts[:3].tolist() == [2, 2, 0]
    assert outputs[:2].tolist() == [1, 1]
    assert np.isnan(outputs[2])


def test_tiny_and_huge_values_are_exact() -> None:
    value = np.ones((1, 3, 4), np.float32) * np.array([1e-30, 0, 1e30], np.float32)[:, None]
    assert measured(value)[65:68] == pytest.approx([1e-30, 0, 1e30], rel=1e-5)


def test_half_precision_and_an_empty_batch() -> None:
    assert measured(np.full((2, 2, 1), 300, np.float16))[65:67].tolist() == [300, 300]
    assert np.isnan(measured(np.zeros((0, 2, 3), np.float32))[65:]).sum() == 128


def test_nothing_is_computed_unless_it_is_wanted() -> None:
    assert np.isnan(measured(np.ones((1, 2, 3), np.float32), wanted=False)[0])


def test_replicas_count_by_their_elements() -> None:
    one, other = np.full((1, 2, 3), 1, np.float32), np.full((3, 2, 3), 2, np.float32)
    whole = merged(np.stack([measured(one), measured(other)]))
    np.testing.assert_allclose(whole, merged(measured(np.concatenate([one, other]))[None]), rtol=1e-6)
    assert whole[1:3] == pytest.approx([np.sqrt(13 / 4)] * 2)


def test_bins_of_different_lengths_are_not_mixed() -> None:
    long, short = measured(np.full((1, 200, 1), 2, np.float32)), measured(np.full((1, 10, 1), 1, np.float32))
    assert merged(np.stack([short, long]))[:65].tolist() == [200, *[2] * 64]
    nine = measured(np.full((1, 9, 1), 7, np.float32))
    # Where bins are time steps, they agree as far as both sequences go.
    assert merged(np.stack([short, nine]))[[0, 1, 10]] == pytest.approx([10, 5, 1])


def test_rows_without_a_cell_are_not_measured_and_the_loss_scale_is_undone() -> None:
    calls = [
        Call(name, "Cell", 1, (), "float32", 0, None, 0, True, is_cell=name == "cell") for name in ("cell", "head")
    ]
    packed = measured(np.ones((1, 2, 1), np.float32), np.full((1, 2, 1), 8, np.float32))[None]
    assert packed.shape == (1, SEQUENCE_VALUES)
    table = sequences(packed, calls, [Row(call, 0, 0) for call in calls], loss_scale=4.0)
    assert table[0, [0, 1, 2, 65, 66]].tolist() == [2, 1, 1, 2, 2]
    assert np.isnan(table[1]).all()
