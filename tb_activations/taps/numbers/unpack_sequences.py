"""Unpacks what cells of recurrent layers were like over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tb_activations.records.columns import TIME_BINS
from tb_activations.taps.numbers.layout import SEQUENCE_VALUES, Call
from tb_activations.taps.numbers.values import Array, Row


def sequences(packed: Array, calls: Sequence[Call], rows: Sequence[Row], loss_scale: float) -> Array:
    """`[rows, 1 + 2 * TIME_BINS]` float32, see `StepValues`, from `[1, cells * SEQUENCE_VALUES]`."""
    cells = [call for call in calls if call.is_cell]
    table = packed.reshape(len(packed), len(cells), SEQUENCE_VALUES)
    result = np.full((len(rows), 1 + 2 * TIME_BINS), np.nan, np.float32)
    for index, row in enumerate(rows):
        members = [
            place
            for place, call in enumerate(cells)
            if call.name == row.call.name and row.call_site in (0, call.number)
        ]
        if members:
            result[index] = merged(table[:, members].reshape(-1, SEQUENCE_VALUES))
            # The loss scale does not belong to the gradient.
            result[index, 1 + TIME_BINS :] /= loss_scale
    return result


def merged(parts: Array) -> Array:
    """`[1 + 2 * TIME_BINS]`: joins `[parts, SEQUENCE_VALUES]` of calls by their number of elements.

    Bins of different lengths agree only where they are time steps; otherwise the longest parts count.
    """
    lengths = parts[:, 0]
    result = np.full(1 + 2 * TIME_BINS, np.nan, np.float32)
    if np.isnan(lengths).all():
        return result
    longest = np.nanmax(lengths)
    same = parts[lengths <= TIME_BINS if longest <= TIME_BINS else lengths == longest].astype(np.float64)
    result[0] = longest
    for kind in range(2):
        counts, means = np.split(same[:, 1 + 2 * kind * TIME_BINS :][:, : 2 * TIME_BINS], 2, axis=1)
        count = counts.sum(axis=0)
        squares = np.where(counts > 0, counts * np.square(np.where(counts > 0, means, 0)), 0).sum(axis=0)
        bins = np.sqrt(np.divide(squares, count, out=np.full(TIME_BINS, np.nan), where=count > 0))
        result[1 + kind * TIME_BINS :][:TIME_BINS] = bins
    return result
