"""Numbers as people read them, the same in every text and in the tab (`frontend/src/core/format.ts`)."""

from __future__ import annotations

import math

DIGITS = 3
_SMALLEST, _LARGEST = 1e-3, 1e5
_ALMOST_ALL = 0.9995


def number(value: float, digits: int = DIGITS) -> str:
    """Three significant digits, or as many as given: `0.0124`, `1230`, `1.13e-4`. NaN and infinity in words."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    if value != 0 and not _SMALLEST <= abs(float(f"{mantissa}e{exponent}")) < _LARGEST:
        return f"{float(mantissa):g}e{int(exponent)}"
    # Adding 0 turns -0 into 0.
    return f"{float(f'{mantissa}e{exponent}') + 0:.10f}".rstrip("0").rstrip(".")


def different(low: float, high: float) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to distinguish them, at most seven."""
    for digits in range(DIGITS, 8):
        if number(low, digits) != number(high, digits):
            break
    return number(low, digits), number(high, digits)


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


def size(nbytes: int) -> str:
    """A number of bytes: `512 B`, `12.4 kB`, `3.1 MB`; a kB is 1,000 bytes."""
    if nbytes < 1000:
        return f"{nbytes} B"
    value, unit = nbytes / 1000, "kB"
    for larger in ("MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{number(value)} {unit}"
