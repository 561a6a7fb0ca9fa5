"""The rows of a batch that stand out, over all replicas."""

from __future__ import annotations

import numpy as np

from tb_activations.taps.numbers.layout import BATCH_ROWS
from tb_activations.taps.numbers.values import Vector


def standing_out(values: Vector, samples: Vector) -> dict[str, float]:
    """The step's totals about rows of the batch, from `[replicas, BATCH_ROWS]`.

    Rows are counted over the replicas, which share a batch in order. NaN where no row stands out: without values that
    are not finite, or if all rows have some, as after a batch normalization.

    Args:
        values: of each replica.
        samples: rows of each replica, NaN if unknown.
    """
    column = dict(zip(BATCH_ROWS, values.T, strict=True))
    before = np.cumsum(samples) - samples
    totals = {f"{kind}_row": _first(column, kind, before, samples) for kind in ("input", "output")}
    row, squares = column["gradient_row"], np.square(column["gradient_norm"])
    # The first axis of the last output may be something else than the batch.
    known = np.flatnonzero((column["gradient_rows"] == samples) & (row >= 0) & ~np.isnan(squares))
    if not known.size:
        return totals | {"gradient_row": np.nan, "gradient_row_share": np.nan}
    top = known[np.argmax(squares[known])]
    every = np.square(column["gradient_whole"][known]).sum()
    share = 1.0 if np.isinf(squares[top]) else float(squares[top] / every) if every > 0 else np.nan
    return totals | {"gradient_row": float(before[top] + row[top]), "gradient_row_share": share}


def _first(column: dict[str, Vector], kind: str, before: Vector, samples: Vector) -> float:
    rows, bad, every = column[f"{kind}_row"], np.nansum(column[f"{kind}_rows"]), np.nansum(samples)
    found = np.flatnonzero(np.isfinite(rows) & np.isfinite(before))
    if not found.size or bad >= every > 1:
        return float("nan")
    return float(before[found[0]] + rows[found[0]])
