"""Finds the first difference between two runs.

The comparison covers everything that a repeated training reproduces: layers, weights, observed steps, all recorded
values, units, histograms, outcomes and findings. It ignores wall time, host, file and run names, monitoring overhead,
versions, cadence, thresholds, the wording of findings and the logs of epochs. In an "auto" run the clock decides after
which epochs the probe data are evaluated, so these values are compared only at steps where both runs have them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tb_activations.comparison.pairing import Pairing, pair, presence
from tb_activations.events.run import Run
from tb_activations.events.unit_coding import FIRST_LEVEL, LAST_LEVEL, restore_activity, restore_peak
from tb_activations.records.columns import (
    HISTOGRAM_BUCKETS,
    HISTOGRAM_KINDS,
    LAYER_COLUMNS,
    STEP_COLUMNS,
    WEIGHT_COLUMNS,
)
from tb_activations.records.finding import Finding, Outcome

_FORWARD = (
    "weight_norm",
    "weight_nonfinite",
    "elements",
    "mean",
    "std",
    "min",
    "max",
    "zero_fraction",
    "nonfinite",
    "silent_fraction",
)
"""Statistics of a layer's forward pass and of the weights it used, before the update."""
_BACKWARD = tuple(column for column in LAYER_COLUMNS if column not in _FORWARD)
_FINDING_FIELDS = (
    "severity",
    "samples",
    "checks",
    "since_step",
    "last_step",
    "closed_step",
    "units",
    "unit_count",
    "root",
)
_PROBED_BY_LAYER = LAYER_COLUMNS.index("mode_difference")
_PROBED_BY_STEP = STEP_COLUMNS.index("reconstruction_error")
_TIMED = 'update_freq="auto" depends on the clock after the first minute; use a number to compare runs'
_HISTOGRAM_ENTRIES = ("lowest edge", "highest edge", *(f"bucket {bucket}" for bucket in range(HISTOGRAM_BUCKETS)))


@dataclasses.dataclass(frozen=True)
class Difference:
    """Where two runs diverge.

    Attributes:
        what: the statistic or property that differs.
        expected: its value in the expected run.
        actual: its value in the actual run.
        step: the observed step, None for properties of the whole run.
        layer: name of the layer (or weight) in the expected run, None for the run as a whole.
        tolerance: the tolerance that was exceeded, "" if values must be equal.
        hint: another possible cause of the difference, "" if there is none.
    """

    what: str
    expected: object
    actual: object
    step: int | None = None
    layer: str | None = None
    tolerance: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """One sentence: step, layer, statistic, both values."""
        places = [f"step {self.step}"] if self.step is not None else []
        places += [f"layer {self.layer!r}"] if self.layer is not None else []
        where = ", ".join(places) + ": " if places else ""
        tolerance = f" ({self.tolerance})" if self.tolerance else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}{self.what} expected {self.expected!s}, got {self.actual!s}{tolerance}{hint}"


@dataclasses.dataclass(frozen=True)
class _Tolerance:
    rtol: float
    atol: float

    def equal(self, expected: NDArray[np.float32], actual: NDArray[np.float32]) -> NDArray[np.bool_]:
        equal: NDArray[np.bool_] = np.isclose(actual, expected, rtol=self.rtol, atol=self.atol, equal_nan=True)
        return equal

    def equal_codes(self, expected: NDArray[np.uint8], actual: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Neighboring codes count as equal: the values may lie on either side of a rounding limit."""
        equal: NDArray[np.bool_] = expected == actual
        if self.rtol == 0 and self.atol == 0:
            return equal
        lower, upper = np.minimum(expected, actual), np.maximum(expected, actual)
        neighbors = (lower >= FIRST_LEVEL) & (upper <= LAST_LEVEL) & (upper - lower <= 1)
        return equal | neighbors

    def __str__(self) -> str:
        return f"rtol={self.rtol:g}, atol={self.atol:g}"


def first_difference(expected: Run, actual: Run, rtol: float = 1e-5, atol: float = 1e-8) -> Difference | None:
    """The first difference, None if the runs match: properties of the whole run, then the earliest step.

    Within a step, causes come before their consequences:

    1. steps that only one of the runs observed;
    2. the forward pass, from the first layer to the last: for each layer its weights before the update, its
       activation, its units;
    3. the step as a whole: loss, then learning rate, epoch, samples and loss scale;
    4. the backward pass and the update, from the last layer to the first: for each layer the gradient with respect to
       its activation, the gradient of its weights, its update;
    5. histograms, single weights, outcomes of the rules, findings.

    Values from probe data (`mode_difference`, `reconstruction_error`) are compared at steps where both runs have them.

    Layers match by name. If the names differ but the sequence of classes and output shapes is the same, layers match by
    position, since Keras numbers automatic names per process.

    Args:
        expected: the reference.
        actual: the run to compare with it.
        rtol: largest allowed difference relative to the expected value, as in `numpy.isclose`.
        atol: largest allowed absolute difference. NaN equals NaN. Unit values are stored on a logarithmic scale:
            neighboring levels count as equal unless both tolerances are 0.

    Raises:
        ValueError: a tolerance is negative or NaN.
    """
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not value >= 0:
            raise ValueError(f"{name} must be a number >= 0, got {value}")
    paired = pair(expected.spec, actual.spec)
    if not isinstance(paired, Pairing):
        return Difference(paired.what, paired.expected, paired.actual, layer=paired.layer)
    if set(expected.rules) != set(actual.rules):
        return Difference("rules", list(expected.rules), list(actual.rules))
    differences = list(_Comparison(expected, actual, paired, _Tolerance(rtol, atol)).differences())
    # `min` returns the first of equals, so at the same step the order of comparison decides.
    return min(differences, key=_when, default=None)


@dataclasses.dataclass(frozen=True)
class _Values:
    """The values of a run: `[steps, layers, columns]` and `[steps, columns]`."""

    layers: NDArray[np.float32]
    steps: NDArray[np.float32]

    def is_probed(self) -> NDArray[np.bool_]:
        """`[steps]`: whether the step has values from probe data."""
        found = np.column_stack([self.layers[:, :, _PROBED_BY_LAYER], self.steps[:, _PROBED_BY_STEP]])
        is_probed: NDArray[np.bool_] = np.asarray((~np.isnan(found)).any(axis=1))
        return is_probed


def _common_values(*runs: tuple[Run, NDArray[np.intp]]) -> list[_Values]:
    """The values of each run at these places; those from probe data only where all runs have them."""
    values = [_Values(run.layer_table[places], run.step_table[places]) for run, places in runs]
    is_one_sided = ~np.logical_and.reduce([own.is_probed() for own in values])
    for own in values:
        own.layers[is_one_sided, :, _PROBED_BY_LAYER] = np.nan
        own.steps[is_one_sided, _PROBED_BY_STEP] = np.nan
    return values


class _Comparison:
    def __init__(self, expected: Run, actual: Run, pairing: Pairing, tolerance: _Tolerance) -> None:
        self._expected, self._actual = expected, actual
        self._pairing = pairing
        self._tolerance = tolerance
        self._steps, self._here, self._there = np.intersect1d(
            expected.steps, actual.steps, assume_unique=True, return_indices=True
        )
        self._values = _common_values((expected, self._here), (actual, self._there))

    def differences(self) -> Iterator[Difference]:
        """The first difference of each kind."""
        kinds: tuple[Callable[[], Difference | None], ...] = (
            self._observed_steps,
            self._forward,
            self._totals,
            self._backward,
            self._histogram_steps,
            self._histograms,
            self._weights,
            self._outcomes,
            self._findings,
        )
        for kind in kinds:
            difference = kind()
            if difference is not None:
                yield difference

    def _observed_steps(self) -> Difference | None:
        difference = _one_sided(self._expected.steps, self._actual.steps, "observed step")
        is_timed = any(run.spec.cadence.get("update_freq") == "auto" for run in (self._expected, self._actual))
        return dataclasses.replace(difference, hint=_TIMED) if difference and is_timed else difference

    def _forward(self) -> Difference | None:
        rows = range(len(self._expected.layers))
        found = [difference for difference in (self._layers(rows, _FORWARD), self._units()) if difference is not None]
        return min(found, key=lambda difference: (_when(difference), self._row(difference)), default=None)

    def _backward(self) -> Difference | None:
        return self._layers(range(len(self._expected.layers))[::-1], _BACKWARD)

    def _layers(self, rows: Sequence[int], columns: Sequence[str]) -> Difference | None:
        """The first difference by step, then in the order of `rows`, then of `columns`."""
        places = [LAYER_COLUMNS.index(column) for column in columns]
        others = [self._pairing.layers[row] for row in rows]
        expected, actual = (values.layers for values in self._values)
        expected, actual = expected[:, list(rows)][:, :, places], actual[:, others][:, :, places]
        return self._first(expected, actual, [self._expected.layers[row] for row in rows], columns)

    def _row(self, difference: Difference) -> int:
        """Row of the layer in the expected run, -1 for the run as a whole."""
        return -1 if difference.layer is None else self._expected.layers.index(difference.layer)

    def _weights(self) -> Difference | None:
        expected = self._expected.weight_table[self._here]
        actual = self._actual.weight_table[self._there][:, self._pairing.weights]
        return self._first(expected, actual, self._expected.weights, WEIGHT_COLUMNS)

    def _totals(self) -> Difference | None:
        expected, actual = (values.steps[:, None] for values in self._values)
        return self._first(expected, actual, (None,), STEP_COLUMNS)

    def _first(
        self,
        expected: NDArray[np.float32],
        actual: NDArray[np.float32],
        rows: Sequence[str | None],
        columns: Sequence[str],
    ) -> Difference | None:
        """The first difference between two arrays `[common steps, rows, columns]`."""
        place = _first_false(self._tolerance.equal(expected, actual))
        if place is None:
            return None
        step, row, column = place
        return self._difference(step, rows[row], columns[column], expected[place], actual[place])

    def _difference(
        self, step: int, layer: str | None, what: str, expected: np.float32, actual: np.float32
    ) -> Difference:
        return Difference(what, expected, actual, int(self._steps[step]), layer, str(self._tolerance))

    def _units(self) -> Difference | None:
        counts = self._expected.unit_table.count, self._actual.unit_table.count
        if bool(counts[0]) != bool(counts[1]):
            return Difference("recorded units", *counts)
        if not counts[0]:
            return None
        expected = self._expected.unit_codes[self._here]
        actual = self._actual.unit_codes[self._there][:, :, self._pairing.units]
        # Order: step, then unit, then activity before peak.
        equal = self._tolerance.equal_codes(expected, actual)
        for kind, restore in enumerate((restore_activity, restore_peak)):
            equal[:, kind] |= self._tolerance.equal(restore(expected[:, kind]), restore(actual[:, kind]))
        place = _first_false(equal.transpose(0, 2, 1))
        if place is None:
            return None
        step, position, kind = place
        row = int(np.searchsorted(self._pairing.unit_starts, position, side="right")) - 1
        restore = restore_peak if kind else restore_activity
        name = f"{'peak' if kind else 'activity'} of unit {position - self._pairing.unit_starts[row]}"
        values = [np.float32(restore(codes[step, kind, position])) for codes in (expected, actual)]
        return self._difference(step, self._expected.layers[row], name, values[0], values[1])

    def _histogram_steps(self) -> Difference | None:
        return _one_sided(self._expected.histogram_steps, self._actual.histogram_steps, "histograms")

    def _histograms(self) -> Difference | None:
        steps, here, there = np.intersect1d(
            self._expected.histogram_steps, self._actual.histogram_steps, assume_unique=True, return_indices=True
        )
        expected = self._expected.histogram_table[here]
        actual = self._actual.histogram_table[there][:, self._pairing.layers]
        place = _first_false(self._tolerance.equal(expected, actual))
        if place is None:
            return None
        step, row, kind, entry = place
        what = f"{HISTOGRAM_KINDS[kind]} histogram, {_HISTOGRAM_ENTRIES[entry]},"
        layer = self._expected.layers[row]
        return Difference(what, expected[place], actual[place], int(steps[step]), layer, str(self._tolerance))

    def _outcomes(self) -> Difference | None:
        columns = [self._actual.rules.index(rule) for rule in self._expected.rules]
        expected = self._expected.outcomes[self._here]
        actual = self._actual.outcomes[self._there][:, self._pairing.layers][:, :, columns]
        place = _first_false(expected == actual)
        if place is None:
            return None
        step, row, rule = place
        words = [Outcome(outcome[place]).name.lower() for outcome in (expected, actual)]
        what = f"outcome of {self._expected.rules[rule]}"
        return Difference(what, words[0], words[1], int(self._steps[step]), self._expected.layers[row])

    def _findings(self) -> Difference | None:
        expected = {_key(finding): finding for finding in self._expected.findings}
        actual = {_key(finding): finding for finding in map(self._renamed, self._actual.findings)}
        for key in sorted(expected.keys() | actual.keys(), key=lambda key: key[2]):
            rule, layer, step = key
            if key not in expected or key not in actual:
                return Difference(f"finding {rule}", presence(key, expected), presence(key, actual), step, layer)
            difference = self._finding(expected[key], actual[key])
            if difference is not None:
                return difference
        return None

    def _finding(self, expected: Finding, actual: Finding) -> Difference | None:
        for name in (*_FINDING_FIELDS, "value", "threshold"):
            values = getattr(expected, name), getattr(actual, name)
            close = name in ("value", "threshold") and bool(self._tolerance.equal(*values))
            if not close and values[0] != values[1]:
                tolerance = str(self._tolerance) if name in ("value", "threshold") else ""
                what = f"finding {expected.rule}, {name},"
                return Difference(what, *values, expected.opened_step, expected.layer, tolerance)
        return None

    def _renamed(self, finding: Finding) -> Finding:
        names = {other.id: self._renamed_id(other) for other in self._actual.findings}
        root = None if finding.root is None else names.get(finding.root, finding.root)
        return dataclasses.replace(finding, layer=self._name(finding), root=root)

    def _renamed_id(self, finding: Finding) -> str:
        return dataclasses.replace(finding, layer=self._name(finding)).id

    def _name(self, finding: Finding) -> str:
        return self._pairing.names.get(finding.layer, finding.layer)


def _when(difference: Difference) -> int:
    """Sort key: properties of the whole run come before all steps."""
    return -1 if difference.step is None else difference.step


def _key(finding: Finding) -> tuple[str, str, int]:
    return finding.rule, finding.layer, finding.opened_step


def _first_false(equal: NDArray[np.bool_]) -> tuple[int, ...] | None:
    """Index of the first False in row-major order."""
    if equal.all():
        return None
    return tuple(int(index) for index in np.unravel_index(int(np.argmin(equal)), equal.shape))


def _one_sided(expected: NDArray[np.int64], actual: NDArray[np.int64], what: str) -> Difference | None:
    steps = np.setxor1d(expected, actual)
    if not steps.size:
        return None
    return Difference(what, presence(steps[0], expected), presence(steps[0], actual), int(steps[0]))
