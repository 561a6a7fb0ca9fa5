"""Differences between the measured statistics of two runs: layers, weights, and the training as a whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_activations.comparison.axis import Axis
from tb_activations.comparison.difference import Cause, Difference, Largest, Placed
from tb_activations.comparison.pairing import Pairing, rows_of, weight_key
from tb_activations.comparison.tolerance import Tolerances, close, sizes
from tb_activations.events.run import Run
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS

FORWARD, TOTALS, BACKWARD, HISTOGRAMS, WEIGHTS, FINDINGS, PICTURES = range(1, 8)
"""The order of differences at one step: causes come before their consequences."""

FORWARD_COLUMNS = (
    "weight_norm",
    "weight_nonfinite",
    "input_rms",
    "elements",
    "mean",
    "std",
    "sample_std",
    "unit_std",
    "min",
    "max",
    "zero_fraction",
    "nonfinite",
    "silent_fraction",
    "saturated_fraction",
    "kurtosis",
    "logit_max",
    "attention_entropy",
    "heaviest_key",
    "head_similarity",
    "similar_head",
    "similar_other",
)
"""Statistics of a layer's forward pass and of the weights it used, before the update."""
_BACKWARD_COLUMNS = tuple(column for column in LAYER_COLUMNS if column not in FORWARD_COLUMNS)
_PLACES = ("gradient_row", "nonfinite_replica", "similar_head", "similar_other")
"""Which of several is the largest: rounding decides where they are nearly equal. Their values are compared instead."""
_HYPERPARAMETERS = ("learning_rate", "samples", "loss_scale", "epoch")
_PROBED_BY_LAYER = LAYER_COLUMNS.index("mode_difference")
_PROBED_BY_STEP = STEP_COLUMNS.index("reconstruction_error")


@dataclasses.dataclass(frozen=True, eq=False)
class Matched:
    """Two runs, and which of their layers and steps belong together."""

    expected: Run
    actual: Run
    pairing: Pairing
    axis: Axis
    tolerances: Tolerances

    def layer(self, row: int) -> str:
        """Name of a layer of the expected run."""
        return self.expected.spec.layers[row].name


def statistics(matched: Matched) -> Iterator[Placed]:
    """Every statistic that differs, of layers, weights and the training as a whole; one difference for each.

    Values from probe data are compared at steps where both runs have them, because the clock decides when they are
    measured.
    """
    one, other = _layer_tables(matched)
    yield from _layers(matched, one, other)
    yield from _totals(matched)
    yield from _weights(matched)


def _layer_tables(matched: Matched) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rows, partners = rows_of(matched.pairing.layers)
    axis = matched.axis
    one = matched.expected.layer_table[axis.here][:, rows]
    other = matched.actual.layer_table[axis.there][:, partners]
    is_one_sided = ~(_is_probed(matched.expected)[axis.here] & _is_probed(matched.actual)[axis.there])
    for table in (one, other):
        table[is_one_sided, :, _PROBED_BY_LAYER] = np.nan
    return one, other


def _is_probed(run: Run) -> NDArray[np.bool_]:
    """`[steps]`: whether the step has values from probe data."""
    found = np.column_stack([run.layer_table[:, :, _PROBED_BY_LAYER], run.step_table[:, _PROBED_BY_STEP]])
    is_probed: NDArray[np.bool_] = np.asarray((~np.isnan(found)).any(axis=1))
    return is_probed


def _layers(matched: Matched, one: NDArray[np.float32], other: NDArray[np.float32]) -> Iterator[Placed]:
    names = [matched.layer(row) for row, _ in matched.pairing.layers]
    for phase, columns in ((FORWARD, FORWARD_COLUMNS), (BACKWARD, _BACKWARD_COLUMNS)):
        places = [LAYER_COLUMNS.index(column) for column in columns]
        own, others = one[:, :, places], other[:, :, places]
        for row, column, difference in table_differences(matched, own, others, names, columns):
            # The backward pass begins at the last layer.
            rank = row if phase == FORWARD else -row
            yield _placed(difference, phase, rank, column)


def _totals(matched: Matched) -> Iterator[Placed]:
    axis = matched.axis
    one, other = matched.expected.step_table[axis.here], matched.actual.step_table[axis.there]
    is_one_sided = ~(_is_probed(matched.expected)[axis.here] & _is_probed(matched.actual)[axis.there])
    for table in (one, other):
        table[is_one_sided, _PROBED_BY_STEP] = np.nan
    for _, column, difference in table_differences(matched, one[:, None], other[:, None], [None], STEP_COLUMNS):
        if difference.what in _HYPERPARAMETERS:
            difference = dataclasses.replace(difference, cause=Cause.HYPERPARAMETER)
        yield _placed(difference, TOTALS, column)


def _weights(matched: Matched) -> Iterator[Placed]:
    axis, spec = matched.axis, matched.expected.spec
    rows, partners = rows_of(matched.pairing.weights)
    one = matched.expected.weight_table[axis.here][:, rows]
    other = matched.actual.weight_table[axis.there][:, partners]
    names = [spec.weights[row].name for row in rows]
    for row, column, difference in table_differences(matched, one, other, names, WEIGHT_COLUMNS):
        layer, own = weight_key(spec.weights[rows[row]], {})
        yield _placed(dataclasses.replace(difference, layer=layer or None, weight=own), WEIGHTS, row, column)


def table_differences(
    matched: Matched,
    expected: NDArray[np.float32],
    actual: NDArray[np.float32],
    names: Sequence[str | None],
    columns: Sequence[str],
) -> Iterator[tuple[int, int, Difference]]:
    """Row, column and difference of every series that differs, of two tables `[steps, rows, columns]`."""
    rtol, atol = matched.tolerances.limits(names, columns)
    # One column at a time: runs may have a thousand layers and as many steps.
    for column, statistic in enumerate(columns):
        if statistic in _PLACES:
            continue
        one, other = expected[:, :, column], actual[:, :, column]
        differs = ~close(one, other, rtol[:, column], atol[:, column])
        for row in np.flatnonzero(differs.any(axis=0)).tolist():
            tolerance = str(matched.tolerances.at(statistic, names[row]))
            found = of_series(
                matched.axis, differs[:, row], one[:, row], other[:, row], statistic, names[row], tolerance
            )
            yield row, column, found


def of_series(
    axis: Axis,
    differs: NDArray[np.bool_],
    expected: NDArray[Any],
    actual: NDArray[Any],
    what: str,
    layer: str | None,
    tolerance: str,
) -> Difference:
    """The difference between two series over the steps of an axis; at least one step differs."""
    places, size = np.flatnonzero(differs), sizes(expected, actual)
    first, most = places[0], places[np.argmax(size[places])]
    return Difference(
        what,
        expected[first],
        actual[first],
        int(axis.steps[first]),
        layer,
        tolerance,
        epoch=axis.epoch(first),
        count=len(places),
        compared=len(differs),
        largest=Largest(int(axis.steps[most]), expected[most], actual[most], float(size[most])),
    )


def _placed(difference: Difference, *rank: int) -> Placed:
    return Placed((-1 if difference.step is None else difference.step, *rank), difference)
