"""A small line chart without axes."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from tb_activations.report.course import with_extremes
from tb_activations.report.drawing import lines

WIDTH, HEIGHT = 120, 24
_POINTS = 120


def sparkline(steps: NDArray[np.int64], values: NDArray[np.float32], *, scale: str = "linear") -> Markup:
    """A series over steps; "" if fewer than two values are finite. Not finite values are gaps.

    Args:
        steps: `[n]`, ascending.
        values: `[n]`.
        scale: "log" if it should be logarithmic; a series with values that are not positive is drawn as linear.
    """
    if np.count_nonzero(np.isfinite(values)) < 2:
        return Markup("")
    chosen = with_extremes(values, _POINTS)
    at = steps[chosen].astype(np.float64)
    heights = np.where(np.isfinite(values[chosen]), values[chosen], np.nan).astype(np.float64)
    if scale == "log" and np.nanmin(heights) > 0:
        heights = np.log10(heights)
    low, high = np.nanmin(heights), np.nanmax(heights)
    x = (at - at[0]) / max(at[-1] - at[0], 1.0) * WIDTH
    y = HEIGHT - 2 - (heights - low) / (high - low) * (HEIGHT - 4) if high > low else heights * 0 + HEIGHT / 2
    return Markup('<svg width="{}" height="{}" viewBox="-1 0 {} {}" aria-hidden="true">{}</svg>').format(
        WIDTH, HEIGHT, WIDTH + 2, HEIGHT, Markup("").join(lines(x, y, "tb-line"))
    )
