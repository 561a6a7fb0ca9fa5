"""Values as colours that are told apart by people who do not see all colours.

Values run from dark blue over grey to light yellow, growing lighter all the way; values around a middle from blue over
white to orange. What stands out of them is vermilion (dead) or purple (not a number); gaps are white.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SEQUENTIAL = np.array([[10, 30, 85], [72, 84, 110], [125, 125, 122], [185, 172, 105], [255, 236, 80]], np.float64)
DIVERGING = np.array([[20, 60, 130], [120, 160, 205], [247, 247, 247], [240, 175, 90], [165, 75, 5]], np.float64)
NOT_A_NUMBER = np.array([204, 121, 167], np.uint8)
DEAD = np.array([213, 94, 0], np.uint8)
GAP = 255


def coloured(
    values: NDArray[np.float64], low: float, high: float, scale: NDArray[np.float64] = SEQUENTIAL
) -> NDArray[np.uint8]:
    """`[..., 3]`: each value's colour, from the first of `scale` at `low` to its last at `high`.

    Values beyond the ends get the colours of the ends, NaN purple; where both ends are one, the middle of the scale.
    """
    place = placed(values, low, high)
    stops = np.linspace(0, 1, len(scale))
    colours = np.stack([np.interp(np.nan_to_num(place), stops, channel) for channel in scale.T], axis=-1)
    colours = colours.round().astype(np.uint8)
    colours[np.isnan(place)] = NOT_A_NUMBER
    return colours


def true_colours(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    """`[..., 3]` of `[..., 3]` red, green, blue: the darkest at `low`, the brightest at `high`; a NaN makes purple."""
    place = placed(values, low, high)
    colours = (np.nan_to_num(place) * 255).round().astype(np.uint8)
    colours[np.isnan(place).any(axis=-1)] = NOT_A_NUMBER
    return colours


def placed(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Where values stand from `low` (0) to `high` (1), cut off at both; NaN stays."""
    width = high - low
    with np.errstate(invalid="ignore"):
        if width > 0:
            return np.clip((values - low) / width, 0, 1)
    return np.where(np.isnan(values), np.nan, 0.5)
