"""The row of the batch, and the replica, that stands out in a step, for findings that may come from a single sample."""

from __future__ import annotations

import math

import numpy as np

from tb_activations.health.history import History

DOMINANT = 0.5
"""A row with at least this share of the gradient stands out; no row of a usual batch has so much."""


def bad_row(history: History) -> int | None:
    """The first row of the latest batch that is not finite: an input, else an output of the model; None without one."""
    for column in ("input_row", "output_row"):
        row = float(history.total(column)[-1])
        if math.isfinite(row):
            return int(row)
    return None


def lost_row(history: History) -> int | None:
    """The first row whose gradient at the output is not finite, if the loss is not; None if it is unknown."""
    row = float(history.total("gradient_row")[-1])
    is_lost = history.total("loss_nonfinite")[-1] == 1
    return int(row) if is_lost and math.isfinite(row) else None


def bad_replica(history: History, step: int) -> int | None:
    """The only replica whose values were not finite in that step; None for none, several, or an unknown step."""
    (found,) = np.nonzero(history.steps == step)
    replica = float(history.total("nonfinite_replica")[found[0]]) if found.size else math.nan
    return int(replica) if math.isfinite(replica) else None


def dominant_row(history: History) -> int | None:
    """The row that makes up most of the gradient at the output in the latest step; None without one."""
    row, share = (float(history.total(column)[-1]) for column in ("gradient_row", "gradient_row_share"))
    is_single = history.total("samples")[-1] <= 2
    return int(row) if math.isfinite(row) and share >= DOMINANT and not is_single else None


def bad_row_in_words(row: int | None, replica: int | None = None) -> str:
    """A sentence each with a leading space, "" without a row or replica."""
    of_row = f" Row {row} of that batch is the first that is not finite." if row is not None else ""
    of_replica = (
        f" Of all replicas, only replica {replica} (counted from 0) has such values." if replica is not None else ""
    )
    return of_row + of_replica


def dominant_row_in_words(row: int | None) -> str:
    """A sentence with a leading space, "" without a row."""
    return f" Row {row} of that batch makes up most of the gradient at the output." if row is not None else ""
