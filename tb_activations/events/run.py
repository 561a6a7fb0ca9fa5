"""A recorded run as numpy arrays."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tb_activations.events.sequences import NO_SEQUENCES, Sequences, SequenceTable
from tb_activations.events.states import StoredState
from tb_activations.events.unit_coding import restore_activity, restore_peak
from tb_activations.events.units import UnitTable
from tb_activations.records.columns import HISTOGRAM_KINDS, LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.epoch_metrics import EpochMetrics
from tb_activations.records.finding import Finding, Outcome
from tb_activations.records.specs import RunSpec
from tb_activations.records.step_record import StepRecord
from tb_activations.records.unit_lives import UnitLife, unit_lives

_ARRAYS = (np.ndarray, UnitTable, SequenceTable)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Run:
    """One recorded training: S observed steps, L layers, W weights, U tracked units, H steps with histograms.

    Attributes:
        name: path of the run's folder relative to the log directory, "." for the log directory itself.
        spec: the run's description; the newest one if the run was continued.
        steps: `[S]` int64, strictly increasing.
        wall_times: `[S]` float64, seconds since the epoch.
        layer_table: `[S, L, LAYER_COLUMNS]` float32, NaN where not measured.
        weight_table: `[S, W, WEIGHT_COLUMNS]` float32, NaN where not measured.
        step_table: `[S, STEP_COLUMNS]` float32, NaN where not measured.
        unit_table: activity and peak of U units at S steps; U is 0 if none were recorded.
        histogram_steps: `[H]` int64, the observed steps with histograms.
        histogram_table: `[H, L, 2, 32]` float32: for each kind the lowest edge, the highest edge and 30 counts.
        outcomes: `[S, L, rules]` uint8, values of `Outcome`; a step that was not judged repeats the previous one.
        rules: rule ids, the last axis of `outcomes`.
        training: `[S, training rules]` uint8, values of `Outcome` for the training as a whole; no rules in runs of
            early versions.
        training_rules: rule ids, the last axis of `training`.
        findings: all findings, open and closed, as last written.
        cost: the last record of the monitoring overhead, by `COST_COLUMNS`; empty if there is none.
        dropped: number of values in the event file that did not fit the run's description and were skipped.
        sequence_table: cells of recurrent layers over time, at the steps with histograms; empty in early versions.
        states: states of the training at the ends of its epochs, and at its own; empty in runs of early versions.
        files: event files that it was read from, with those of other writers in the folder; empty if it was not read
            from files.
        epoch_metrics: the metrics that the training reported at the ends of epochs; empty in runs of early versions.
    """

    name: str
    spec: RunSpec
    steps: NDArray[np.int64]
    wall_times: NDArray[np.float64]
    layer_table: NDArray[np.float32]
    weight_table: NDArray[np.float32]
    step_table: NDArray[np.float32]
    unit_table: UnitTable
    histogram_steps: NDArray[np.int64]
    histogram_table: NDArray[np.float32]
    outcomes: NDArray[np.uint8]
    rules: tuple[str, ...]
    training: NDArray[np.uint8]
    training_rules: tuple[str, ...]
    findings: tuple[Finding, ...]
    cost: Mapping[str, float]
    dropped: int
    sequence_table: SequenceTable = NO_SEQUENCES
    states: tuple[StoredState, ...] = ()
    files: tuple[Path, ...] = ()
    epoch_metrics: tuple[EpochMetrics, ...] = ()

    def __repr__(self) -> str:
        steps = f"{len(self.steps)} observed steps"
        if len(self.steps):
            steps += f" from {self.steps[0]} to {self.steps[-1]}"
        still_open = sum(finding.closed_step is None for finding in self.findings)
        findings = f"{len(self.findings)} findings, {still_open} open"
        return f"<Run {self.name!r} of model {self.spec.model!r}: {len(self.layers)} layers, {steps}, {findings}>"

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers in call order."""
        return tuple(layer.name for layer in self.spec.layers)

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of the trainable weights."""
        return tuple(weight.name for weight in self.spec.weights)

    @property
    def epochs(self) -> NDArray[np.int64]:
        """`[S]` int64: the epoch of each observed step, counted from 0; -1 if unknown."""
        epochs = self.step_stat("epoch")
        return np.where(np.isfinite(epochs), epochs, -1).astype(np.int64)

    @property
    def has_ended(self) -> bool:
        """Whether the training is known to have ended; false for runs of versions before 0.9.7, and after a crash."""
        last = int(self.steps[-1]) if len(self.steps) else -1
        return bool(self.states) and self.states[-1].is_end and self.states[-1].step > last

    @property
    def last_outcomes(self) -> NDArray[np.uint8]:
        """`[L, rules]` uint8 after the last observed step; all `INSUFFICIENT_DATA` if there is no step."""
        if len(self.steps):
            last: NDArray[np.uint8] = self.outcomes[-1]
            return last
        return np.full((len(self.layers), len(self.rules)), Outcome.INSUFFICIENT_DATA, np.uint8)

    @property
    def last_training(self) -> dict[str, int]:
        """`Outcome` of the rules for the training as a whole by id, after the last observed step."""
        if not len(self.steps):
            return dict.fromkeys(self.training_rules, int(Outcome.INSUFFICIENT_DATA))
        return dict(zip(self.training_rules, self.training[-1].tolist(), strict=True))

    @property
    def nbytes(self) -> int:
        """Memory of the arrays in bytes."""
        return sum(_memory(value) for value in vars(self).values() if isinstance(value, _ARRAYS))

    @property
    def unit_codes(self) -> NDArray[np.uint8]:
        """`[S, 2, U]` uint8, activity and peak as encoded; computed from `unit_table`, and large for large models."""
        return self.unit_table.of_units(slice(0, self.unit_table.count))

    def stat(self, name: str) -> NDArray[np.float32]:
        """`[S, L]` float32 of one of `LAYER_COLUMNS`, NaN where not measured. Raises KeyError for other names."""
        return self.layer_table[:, :, _position(name, LAYER_COLUMNS)]

    def weight_stat(self, name: str) -> NDArray[np.float32]:
        """`[S, W]` float32 of one of `WEIGHT_COLUMNS`, NaN where not measured. Raises KeyError for other names."""
        return self.weight_table[:, :, _position(name, WEIGHT_COLUMNS)]

    def step_stat(self, name: str) -> NDArray[np.float32]:
        """`[S]` float32 of one of `STEP_COLUMNS`, NaN where not measured. Raises KeyError for other names."""
        return self.step_table[:, _position(name, STEP_COLUMNS)]

    def units(self, layer: str) -> NDArray[np.float32]:
        """`[S, units]` float32 in [0, 1]: the share of samples on which each unit of `layer` was active.

        Of a large model, only some records have the share of every unit. At the others, a unit that is active repeats
        its latest share; whether it is silent is recorded everywhere. `[S, 0]` if the units are not tracked or not
        recorded; NaN where not measured. Raises KeyError for an unknown layer.
        """
        return restore_activity(self._codes(layer)[:, 0])

    def unit_peaks(self, layer: str) -> NDArray[np.float32]:
        """`[S, units]` float32 >= 0: the largest absolute output of each unit of `layer`; otherwise like `units`.

        NaN at records without the share of every unit, unless a rule needs the peaks of the layer.
        """
        return restore_peak(self._codes(layer)[:, 1])

    def lives(self, layer: str) -> list[UnitLife]:
        """The history of each unit of `layer` and how certain it is; empty if the units were not recorded.

        Certainty counts samples, not positions: the positions of one image are not independent.
        """
        activity = self.units(layer)
        measured = ~np.isnan(activity).all(axis=1) if activity.shape[1] else np.zeros(len(activity), bool)
        return unit_lives(self.steps[measured], activity[measured], self.step_stat("samples")[measured])

    def histograms(self, kind: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Steps `[H]` and `[H, L, 32]` float32 of kind "activation" or "gradient". Raises KeyError for other kinds."""
        return self.histogram_steps, self.histogram_table[:, :, _position(kind, HISTOGRAM_KINDS)]

    def sequences(self, layer: str) -> Sequences:
        """A cell of a recurrent layer at each time step, at the steps with histograms: see `Sequences`.

        `layer` is the cell, or a recurrent layer, whose first cell then counts. Raises KeyError for an unknown layer
        and for one that was not measured over time.
        """
        return self.sequence_table.of(layer, self.spec)

    def at(self, places: Sequence[int] | NDArray[np.integer]) -> Run:
        """The run reduced to these of its observed steps, by ascending index, with the histograms of these steps."""
        chosen = np.asarray(places, np.int64)
        steps = self.steps[chosen]
        has_histogram = np.isin(self.histogram_steps, steps)
        return dataclasses.replace(
            self,
            steps=steps,
            wall_times=self.wall_times[chosen],
            layer_table=self.layer_table[chosen],
            weight_table=self.weight_table[chosen],
            step_table=self.step_table[chosen],
            unit_table=self.unit_table.at(chosen),
            histogram_steps=self.histogram_steps[has_histogram],
            histogram_table=self.histogram_table[has_histogram],
            sequence_table=self.sequence_table.at(steps),
            outcomes=self.outcomes[chosen],
            training=self.training[chosen],
        )

    def records(self) -> Iterator[StepRecord]:
        """The observed steps in order, as recorded."""
        for index, (step, codes) in enumerate(zip(self.steps, self.unit_table.steps(), strict=True)):
            yield StepRecord(
                step=int(step),
                layers=self.layer_table[index],
                weights=self.weight_table[index],
                totals=self.step_table[index],
                unit_activity=restore_activity(codes[0]),
                unit_peak=restore_peak(codes[1]),
            )

    def _codes(self, layer: str) -> NDArray[np.uint8]:
        return self.unit_table.of_units(self.spec.unit_slice(self.spec.layer_index(layer)))


def _memory(value: NDArray[np.generic] | UnitTable | SequenceTable) -> int:
    if not isinstance(value, np.ndarray):
        return value.nbytes
    # A table without values repeats one element.
    sizes = [size for size, stride in zip(value.shape, value.strides, strict=True) if stride or not size]
    return int(value.itemsize * math.prod(sizes))


def _position(name: str, allowed: tuple[str, ...]) -> int:
    if name not in allowed:
        raise KeyError(f"unknown statistic {name!r}; allowed are {', '.join(allowed)}")
    return allowed.index(name)
