"""Numbers as people read them, the same in every text and in the tab (`frontend/src/core/format.ts`)."""

from __future__ import annotations

import math

DIGITS = 3
_SMALLEST, _LARGEST = 1e-3, 1e5
_ALMOST_ALL = 0.9995


def number(value: float) -> str:
    """Three significant digits: `0.0124`, `1230`, `1.13e-4`. NaN and infinity in words."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    mantissa, _, exponent = f"{value:.{DIGITS - 1}e}".partition("e")
    if value != 0 and not _SMALLEST <= abs(float(f"{mantissa}e{exponent}")) < _LARGEST:
        return f"{float(mantissa):g}e{int(exponent)}"
    # Adding 0 turns -0 into 0.
    return f"{float(f'{mantissa}e{exponent}') + 0:.10f}".rstrip("0").rstrip(".")


def percent(value: float) -> str:
    """`0.9375` as "93.8%". A share below 1 is never rounded to 100%."""
    if _ALMOST_ALL <= value < 1:
        return ">99.9%"
    return f"{number(100 * value)}%" if math.isfinite(value) else number(value)


def count(value: float) -> str:
    """A count with its digits grouped: `12,500`."""
    return f"{value:,.0f}" if math.isfinite(value) else number(value)


def measured(value: float, unit: str) -> str:
    """A value in its unit: "share" in percent, "count" grouped, anything else as `number`."""
    return {"share": percent, "count": count}.get(unit, number)(value)
