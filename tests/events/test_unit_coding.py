from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_activations.events.unit_coding import quantize_activity, quantize_peak, restore_activity, restore_peak

Coding = Callable[[Any], Any]

CODES = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize(
    ("quantize", "restore"), [(quantize_activity, restore_activity), (quantize_peak, restore_peak)]
)
def test_every_code_comes_back(quantize: Coding, restore: Coding) -> None:
    np.testing.assert_array_equal(quantize(restore(CODES)), CODES)


def test_never_always_and_not_measured_are_exact() -> None:
    values = np.array([0.0, 1.0, np.nan], np.float32)
    np.testing.assert_array_equal(restore_activity(quantize_activity(values)), values)


def test_zero_infinite_and_not_a_number_are_exact() -> None:
    values = np.array([0.0, np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(restore_peak(quantize_peak(values)), values)


@given(st.floats(1e-6, 0.9))
def test_activity_keeps_three_percent(share: float) -> None:
    assert restore_activity(quantize_activity(share)) == pytest.approx(share, rel=0.03)


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_rare_is_not_never_and_nearly_always_is_not_always(share: float) -> None:
    restored = restore_activity(quantize_activity(share))
    assert 0 < restored < 1


@given(st.floats(1e-12, 1e12))
def test_peak_keeps_twelve_percent(peak: float) -> None:
    assert restore_peak(quantize_peak(peak)) == pytest.approx(peak, rel=0.125)


@given(st.floats(0, exclude_min=True, allow_infinity=False, allow_subnormal=True))
def test_finite_peaks_stay_finite_and_above_zero(peak: float) -> None:
    restored = restore_peak(quantize_peak(peak))
    assert 0 < restored < np.inf


@given(st.lists(st.floats(0, 1), min_size=2))
def test_order_is_kept(shares: list[float]) -> None:
    codes = quantize_activity(np.sort(shares))
    assert np.all(np.diff(restore_activity(codes)) >= 0)


def test_shape_is_kept() -> None:
    assert restore_peak(quantize_peak(np.ones((2, 3)))).shape == (2, 3)
    assert quantize_activity(np.empty(0)).shape == (0,)


def test_rounding_above_one_is_always() -> None:
    assert quantize_activity(1.0000001) == 255


@pytest.mark.parametrize(("quantize", "name"), [(quantize_activity, "activity"), (quantize_peak, "peak")])
def test_negative_values_are_refused(quantize: Coding, name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} must not be negative, got -0\.5"):
        quantize([0.1, -0.5])
