"""Color scales that people with color vision deficiencies can read.

The sequential scale runs from dark blue through gray to light yellow and gets lighter all the way; the diverging scale
runs from blue through white to orange. Dead units are vermilion, NaN is purple, gaps are white.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SEQUENTIAL = np.array([[10, 30, 85], [72, 84, 110], [125, 125, 122], [185, 172, 105], [255, 236, 80]], np.float64)
DIVERGING = np.array([[20, 60, 130], [120, 160, 205], [247, 247, 247], [240, 175, 90], [165, 75, 5]], np.float64)
NOT_A_NUMBER = np.array([204, 121, 167], np.uint8)
DEAD = np.array([213, 94, 0], np.uint8)
GAP = 255


def colored(
    values: NDArray[np.float64], low: float, high: float, scale: NDArray[np.float64] = SEQUENTIAL
) -> NDArray[np.uint8]:
    """`[..., 3]`: the color of each value, from the first of `scale` at `low` to its last at `high`.

    Values outside get the color of the nearest end, NaN is purple. If `low` equals `high` all get the middle color.
    """
    place = placed(values, low, high)
    stops = np.linspace(0, 1, len(scale))
    colors = np.stack([np.interp(np.nan_to_num(place), stops, channel) for channel in scale.T], axis=-1)
    colors = colors.round().astype(np.uint8)
    colors[np.isnan(place)] = NOT_A_NUMBER
    return colors


def true_colors(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    """`[..., 3]` from red, green and blue `[..., 3]`, darkest at `low`, brightest at `high`; purple if any is NaN."""
    place = placed(values, low, high)
    colors = (np.nan_to_num(place) * 255).round().astype(np.uint8)
    colors[np.isnan(place).any(axis=-1)] = NOT_A_NUMBER
    return colors


def placed(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Position of each value between `low` (0) and `high` (1), clipped to that range; NaN stays NaN."""
    width = high - low
    with np.errstate(invalid="ignore"):
        if width > 0:
            return np.clip((values - low) / width, 0, 1)
    return np.where(np.isnan(values), np.nan, 0.5)
