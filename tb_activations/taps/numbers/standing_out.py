"""The rows of a batch that stand out."""

from __future__ import annotations

import math
from collections.abc import Mapping


def standing_out(found: Mapping[str, float], samples: float) -> dict[str, float]:
    """The step's totals about rows of the batch. NaN where no row stands out: without values that are not finite, or if
    all rows have some, as after a batch normalization.

    Args:
        found: the values of `BATCH_ROWS` by name.
        samples: rows of the batch, NaN if unknown.
    """
    totals = {
        f"{kind}_row": _first(found[f"{kind}_row"], found[f"{kind}_rows"], samples) for kind in ("input", "output")
    }
    row, norm, whole = (found[f"gradient_{name}"] for name in ("row", "norm", "whole"))
    # The first axis of the last output may be something else than the batch.
    if found["gradient_rows"] != samples or not row >= 0 or math.isnan(norm):
        return totals | {"gradient_row": math.nan, "gradient_row_share": math.nan}
    share = 1.0 if math.isinf(norm) else (norm / whole) ** 2 if whole > 0 else math.nan
    return totals | {"gradient_row": row, "gradient_row_share": share}


def _first(row: float, bad: float, samples: float) -> float:
    return row if math.isfinite(row) and not bad >= samples > 1 else math.nan
