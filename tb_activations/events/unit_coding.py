"""Encodes the activity and the peak output of a unit in one byte each.

Values that decide a judgement (never, always, zero, infinite, not measured) are exact. Everything between is on a
logarithmic scale: a unit that is active on 0.1 % of samples matters, the difference between 41 % and 42 % does not.
`docs/events.md` has the tables.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FIRST_LEVEL = 1
LAST_LEVEL = 253
NOT_MEASURED = 254
TOP = 255

_ACTIVITY_DECADES = 6.0
_ACTIVITY_STEPS = LAST_LEVEL
"""One more than the number of intervals, so that the last level stays below 1: "nearly always" is not "always"."""

_PEAK_LOWEST = -12.0
_PEAK_DECADES = 24.0
_PEAK_STEPS = LAST_LEVEL - FIRST_LEVEL


def _table(exponents: NDArray[np.float64], top: float) -> NDArray[np.float32]:
    levels = np.power(10.0, exponents)
    return np.concatenate([[0.0], levels, [np.nan, top]]).astype(np.float32)


_LEVELS = np.arange(LAST_LEVEL, dtype=np.float64)
_ACTIVITY = _table(-_ACTIVITY_DECADES + _ACTIVITY_DECADES * _LEVELS / _ACTIVITY_STEPS, 1.0)
_PEAK = _table(_PEAK_LOWEST + _PEAK_DECADES * _LEVELS / _PEAK_STEPS, np.inf)


def _levels(values: NDArray[np.float64], lowest: float, per_decade: float) -> NDArray[np.float64]:
    # Zeros, NaN and infinities get an arbitrary level; the caller overwrites it.
    with np.errstate(divide="ignore", invalid="ignore"):
        exponents = np.log10(values) - lowest
    level = np.rint(np.nan_to_num(exponents, nan=0.0, posinf=0.0, neginf=0.0) * per_decade)
    clipped: NDArray[np.float64] = np.clip(level + FIRST_LEVEL, FIRST_LEVEL, LAST_LEVEL)
    return clipped


def _reject_negative(values: NDArray[np.float64], name: str) -> None:
    if np.any(values < 0):
        raise ValueError(f"{name} must not be negative, got {values[values < 0].flat[0]}")


def quantize_activity(activity: ArrayLike) -> NDArray[np.uint8]:
    """Encode shares of samples in [0, 1], any shape, as one byte each.

    0 is "never", 1 and above are "always", NaN is "not measured". Values between are accurate to 3 % down to 1e-6;
    smaller positive shares become 1e-6.

    Raises:
        ValueError: a share is negative.
    """
    values = np.asarray(activity, np.float64)
    _reject_negative(values, "activity")
    codes = _levels(values, -_ACTIVITY_DECADES, _ACTIVITY_STEPS / _ACTIVITY_DECADES)
    codes = np.where(values == 0, 0, codes)
    codes = np.where(values >= 1, TOP, codes)
    return np.where(np.isnan(values), NOT_MEASURED, codes).astype(np.uint8)


def restore_activity(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shares of samples, same shape as `codes`; `quantize_activity` returns the same codes for them."""
    return _ACTIVITY[codes]


def quantize_peak(peak: ArrayLike) -> NDArray[np.uint8]:
    """Encode largest absolute outputs (>= 0), any shape, as one byte each.

    0 is exact, infinity is 255, NaN (not measured, or the output is NaN) is 254. Other values are clipped to 1e-12 to
    1e12 and accurate to 12 %.

    Raises:
        ValueError: a value is negative.
    """
    values = np.asarray(peak, np.float64)
    _reject_negative(values, "peak")
    codes = _levels(values, _PEAK_LOWEST, _PEAK_STEPS / _PEAK_DECADES)
    codes = np.where(values == 0, 0, codes)
    codes = np.where(np.isposinf(values), TOP, codes)
    return np.where(np.isnan(values), NOT_MEASURED, codes).astype(np.uint8)


def restore_peak(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Largest absolute outputs, same shape as `codes`; `quantize_peak` returns the same codes for them."""
    return _PEAK[codes]
