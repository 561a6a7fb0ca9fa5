"""Tolerances that repeated trainings need."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tb_activations.comparison.axis import axis
from tb_activations.comparison.pairing import pair, rows_of
from tb_activations.comparison.tolerance import Tolerance, Tolerances
from tb_activations.events.run import Run
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS

MARGIN = 4.0
"""How many times the spread of the repetitions is allowed, since further repetitions spread more."""
_NEAR_ZERO = 1e-3
"""Values below this share of the largest value of a statistic in a layer get an absolute tolerance."""


def suggest_tolerances(runs: Sequence[Run], default: Tolerance | None = None, margin: float = MARGIN) -> Tolerances:
    """The tolerances with which any of these repetitions matches any other, with some reserve.

    For each statistic of each layer (and weight), `rtol` is `margin` times the largest spread between the runs,
    relative to the value; values near zero are taken relative to a thousandth of the largest. What does not vary by
    more than `default` allows keeps the default. Layers that these runs do not have get the largest tolerance of the
    statistic in any layer.

    Units, histograms and pictures keep the default. A statistic that is NaN in one run and finite in another cannot be
    made equal by a tolerance; `compare` will report it.

    Args:
        runs: at least two repetitions of the same training, with the same layers.
        default: the smallest tolerance; None for `Tolerance()`.
        margin: at least 1.

    Raises:
        ValueError: there are fewer than two runs, or two of them have no layer or step in common.
    """
    if len(runs) < 2:
        raise ValueError(f"runs must be at least two repetitions of a training, got {len(runs)}")
    if not margin >= 1:
        raise ValueError(f"margin must be at least 1, got {margin}")
    floor = default or Tolerance()
    own: dict[str, dict[str, Tolerance]] = {}
    statistics: dict[str, Tolerance] = {}
    for layer, statistic, found in _needed(runs, margin):
        if found.rtol <= floor.rtol and found.atol <= floor.atol:
            continue
        wider = Tolerance(max(found.rtol, floor.rtol), max(found.atol, floor.atol))
        if layer is not None:
            own.setdefault(layer, {})[statistic] = wider
        statistics[statistic] = _wider(wider, statistics.get(statistic, floor))
    # Every layer of these runs has its own tolerance, so that the widest applies to other layers only.
    for layer in (*runs[0].layers, *runs[0].weights):
        entries = own.setdefault(layer, {})
        entries |= {statistic: floor for statistic in statistics if statistic not in entries}
    return Tolerances(floor, statistics, own)


def _wider(one: Tolerance, other: Tolerance) -> Tolerance:
    return Tolerance(max(one.rtol, other.rtol), max(one.atol, other.atol))


def _needed(runs: Sequence[Run], margin: float) -> list[tuple[str | None, str, Tolerance]]:
    """The tolerance of each statistic that varies, by layer (or weight, or None for the training as a whole)."""
    widest: dict[tuple[str | None, str], Tolerance] = {}
    for one, other in itertools.combinations(runs, 2):
        for names, columns, values in _tables(one, other, runs[0]):
            rtol, atol = _spread(*values, margin)
            for row, column in np.argwhere(rtol > 0).tolist():
                key = names[row], columns[column]
                found = Tolerance(float(rtol[row, column]), float(atol[row, column]))
                widest[key] = _wider(found, widest.get(key, found))
    return [(layer, statistic, found) for (layer, statistic), found in widest.items()]


Table = tuple[list[str | None], tuple[str, ...], tuple[NDArray[np.float32], NDArray[np.float32]]]


def _tables(one: Run, other: Run, named: Run) -> list[Table]:
    """Rows, columns and values `[steps, rows, columns]` of what two runs have in common."""
    common, pairing = axis(one, other, "step"), pair(one.spec, other.spec)
    if not len(common.keys) or not pairing.layers:
        raise ValueError(f"the runs {one.name!r} and {other.name!r} have no layer or step in common")
    names = pair(named.spec, one.spec)
    weights = {names.actual.weights[there].name: named.weights[here] for here, there in names.weights}
    rows, partners = rows_of(pairing.layers)
    own, others = rows_of(pairing.weights)
    return [
        (
            [names.names.get(one.layers[row], one.layers[row]) for row in rows],
            LAYER_COLUMNS,
            (one.layer_table[common.here][:, rows], other.layer_table[common.there][:, partners]),
        ),
        (
            [weights.get(one.weights[row], one.weights[row]) for row in own],
            WEIGHT_COLUMNS,
            (one.weight_table[common.here][:, own], other.weight_table[common.there][:, others]),
        ),
        (
            [None],
            STEP_COLUMNS,
            (one.step_table[common.here][:, None], other.step_table[common.there][:, None]),
        ),
    ]


def _spread(
    one: NDArray[np.float32], other: NDArray[np.float32], margin: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`rtol` and `atol`, `[rows, columns]`, with which the values `[steps, rows, columns]` of two runs are equal."""
    values = np.stack([one, other]).astype(np.float64)
    is_finite = np.isfinite(values).all(axis=0)
    magnitude = np.where(is_finite, np.abs(values).min(axis=0), 0.0)
    apart = np.where(is_finite, np.abs(values[0] - values[1]), 0.0)
    near_zero = _NEAR_ZERO * np.where(is_finite, np.abs(values).max(axis=0), 0.0).max(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        needed = apart / np.maximum(magnitude, near_zero)
    rtol: NDArray[np.float64] = margin * np.nan_to_num(needed).max(axis=0)
    return rtol, rtol * near_zero
