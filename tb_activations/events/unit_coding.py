"""Encodes the activity and the peak output of a unit in one byte each.

Values that decide a judgement (never, always, zero, infinite, not measured) are exact. Everything between is on a
logarithmic scale: a unit that is active on 0.1 % of samples matters, the difference between 41 % and 42 % does not.
`docs/events.md` has the tables.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64] | NDArray[np.float32]

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


def _levels(values: Floats, lowest: float, per_decade: float) -> NDArray[np.uint8]:
    # Zeros, NaN and infinities get an arbitrary level; the caller overwrites it.
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.log10(values) - lowest
        level *= per_decade
        levels: NDArray[np.uint8] = np.clip(np.rint(level) + FIRST_LEVEL, FIRST_LEVEL, LAST_LEVEL).astype(np.uint8)
    return levels


def _floats(values: ArrayLike, name: str) -> Floats:
    """As float64; restored values stay float32, which takes less time and is far from the next level.

    Raises:
        ValueError: a value is negative.
    """
    given = np.asarray(values)
    floats: Floats = given if given.dtype == np.float32 else given.astype(np.float64)
    if np.any(floats < 0):
        raise ValueError(f"{name} must not be negative, got {floats[floats < 0].flat[0]}")
    return floats


def quantize_activity(activity: ArrayLike) -> NDArray[np.uint8]:
    """Encode shares of samples in [0, 1], any shape, as one byte each.

    0 is "never", 1 and above are "always", NaN is "not measured". Values between are accurate to 3 % down to 1e-6;
    smaller positive shares become 1e-6.

    Raises:
        ValueError: a share is negative.
    """
    values = _floats(activity, "activity")
    codes = np.full(values.shape, NOT_MEASURED, np.uint8)
    codes[values == 0] = 0
    codes[values >= 1] = TOP
    # Most units of many networks are always active.
    between = (values > 0) & (values < 1)
    codes[between] = _levels(values[between], -_ACTIVITY_DECADES, _ACTIVITY_STEPS / _ACTIVITY_DECADES)
    return codes


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
    values = _floats(peak, "peak")
    codes = np.asarray(_levels(values, _PEAK_LOWEST, _PEAK_STEPS / _PEAK_DECADES))
    codes[values == 0] = 0
    codes[np.isposinf(values)] = TOP
    codes[np.isnan(values)] = NOT_MEASURED
    return codes


def restore_peak(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Largest absolute outputs, same shape as `codes`; `quantize_peak` returns the same codes for them."""
    return _PEAK[codes]
