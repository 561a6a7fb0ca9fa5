"""Differences between the units and histograms of two runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_activations.comparison.axis import Axis, histogram_axis
from tb_activations.comparison.difference import Cause, Difference, Largest, Placed
from tb_activations.comparison.statistics import FORWARD, FORWARD_COLUMNS, HISTOGRAMS, Matched
from tb_activations.comparison.structure import one_sided
from tb_activations.comparison.tolerance import Tolerance, close, sizes
from tb_activations.events.unit_coding import FIRST_LEVEL, LAST_LEVEL, restore_activity, restore_peak
from tb_activations.records.columns import HISTOGRAM_BUCKETS, HISTOGRAM_KINDS

UNIT_KINDS = ("activity", "peak")
_RESTORE = (restore_activity, restore_peak)
_ENTRIES = ("lowest edge", "highest edge", *(f"bucket {bucket}" for bucket in range(HISTOGRAM_BUCKETS)))
_AFTER_COLUMNS = len(FORWARD_COLUMNS)


def units(matched: Matched) -> Iterator[Placed]:
    """For each layer, the first unit whose activity or peak differs, and how many do.

    Unit values are stored on a logarithmic scale: neighboring levels count as equal unless both tolerances are 0.
    """
    counts = matched.expected.unit_table.count, matched.actual.unit_table.count
    if bool(counts[0]) != bool(counts[1]):
        yield Placed((-1,), Difference("recorded units", *counts, cause=Cause.HYPERPARAMETER))
        return
    if not counts[0] or not len(matched.axis.keys):
        return
    for place, (row, _) in enumerate(matched.pairing.layers):
        slices = matched.pairing.units(place)
        if slices is None or slices[0].start == slices[0].stop:
            continue
        one = matched.expected.unit_table.of_units(slices[0])[matched.axis.here]
        other = matched.actual.unit_table.of_units(slices[1])[matched.axis.there]
        for kind, name in enumerate(UNIT_KINDS):
            tolerance = matched.tolerances.at(name, matched.layer(row))
            values = _RESTORE[kind](one[:, kind]), _RESTORE[kind](other[:, kind])
            differs = ~(_equal_codes(one[:, kind], other[:, kind], tolerance) | _equal(values, tolerance))
            if differs.any():
                what = f"{name} of unit"
                difference = _of_table(matched.axis, differs, *values, what, matched.layer(row), tolerance)
                yield Placed((difference.step or 0, FORWARD, place, _AFTER_COLUMNS, kind), difference)


def histograms(matched: Matched) -> Iterator[Placed]:
    """For each layer and kind, the first edge or bucket that differs, and how many do."""
    axis = histogram_axis(matched.expected, matched.actual, matched.axis.match)
    for difference in one_sided(axis, "histograms"):
        yield Placed((difference.step or 0, HISTOGRAMS), difference)
    for place, (row, partner) in enumerate(matched.pairing.layers):
        one = matched.expected.histogram_table[axis.here, row]
        other = matched.actual.histogram_table[axis.there, partner]
        for kind, name in enumerate(HISTOGRAM_KINDS):
            tolerance = matched.tolerances.at(f"{name} histogram", matched.layer(row))
            values = one[:, kind], other[:, kind]
            differs = ~_equal(values, tolerance)
            if differs.any():
                what = f"{name} histogram"
                difference = _of_table(axis, differs, *values, what, matched.layer(row), tolerance)
                yield Placed((difference.step or 0, HISTOGRAMS, place, kind), difference)


def _equal(values: tuple[NDArray[np.float32], NDArray[np.float32]], tolerance: Tolerance) -> NDArray[np.bool_]:
    return close(*values, tolerance.rtol, tolerance.atol)


def _equal_codes(expected: NDArray[np.uint8], actual: NDArray[np.uint8], tolerance: Tolerance) -> NDArray[np.bool_]:
    """Neighboring codes count as equal: the values may lie on either side of a rounding limit."""
    equal: NDArray[np.bool_] = expected == actual
    if tolerance.is_exact:
        return equal
    lower, upper = np.minimum(expected, actual), np.maximum(expected, actual)
    return equal | ((lower >= FIRST_LEVEL) & (upper <= LAST_LEVEL) & (upper - lower <= 1))


def _of_table(
    axis: Axis,
    differs: NDArray[np.bool_],
    expected: NDArray[Any],
    actual: NDArray[Any],
    what: str,
    layer: str,
    tolerance: Tolerance,
) -> Difference:
    """The difference between two tables `[steps, entries]`: units by number, or the entries of a histogram."""
    places = np.argwhere(differs)
    size = sizes(expected, actual)[differs]
    first, most = places[0], places[np.argmax(size)]
    entry = f" {first[1]}" if what.endswith("unit") else f", {_ENTRIES[first[1]]},"
    return Difference(
        what + entry,
        expected[tuple(first)],
        actual[tuple(first)],
        int(axis.steps[first[0]]),
        layer,
        str(tolerance),
        epoch=axis.epoch(first[0]),
        count=len(places),
        compared=differs.size,
        largest=Largest(int(axis.steps[most[0]]), expected[tuple(most)], actual[tuple(most)], float(size.max())),
    )
