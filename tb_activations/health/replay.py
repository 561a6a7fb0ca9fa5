"""The history of a stored run at each of its steps, without copying records: to judge it again and again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tb_activations.health.history import PEAK_CHECKS, WINDOW, History
from tb_activations.records.columns import LAYER_COLUMNS, STEP_COLUMNS, WEIGHT_COLUMNS
from tb_activations.records.specs import RunSpec
from tb_activations.records.step_record import StepRecord
from tb_activations.records.unit_lives import UnitHistory

Result = TypeVar("Result")

LARGEST_NOTES = 48 * 2**20
"""Bytes of results that are kept from one judging to the next."""

Records = Callable[[], Iterator[StepRecord]]


@dataclasses.dataclass(frozen=True, eq=False)
class Tables:
    """The arrays of a stored run, as in `Run`: `[S]`, `[S, L, columns]`, `[S, W, columns]`, `[S, columns]`."""

    steps: NDArray[np.int64]
    layers: NDArray[np.float32]
    weights: NDArray[np.float32]
    totals: NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class _Past:
    """What `History` knows at a step that does not depend on its window."""

    initial_loss: float
    initial_size: float
    loss: float
    lowest_loss: float
    peak_learning_rate: float
    gradient_blocks: NDArray[np.float64]


class Replay:
    """What the judgings of one stored run share: columns, and what depends on no threshold."""

    def __init__(self, spec: RunSpec, tables: Tables, records: Records) -> None:
        """Creates a replay.

        Args:
            records: gives those of all steps; they are read only if a rule asks for units.
        """
        self.spec, self.steps, self.records = spec, tables.steps, records
        self.totals = tables.totals.astype(np.float64)
        self.notes: list[dict[Hashable, Any]] = [{} for _ in tables.steps]
        self.common_peaks = np.full((len(tables.steps), len(spec.layers)), np.nan, np.float32)
        self.common_known = 0
        self._tables, self._columns = tables, dict[tuple[bool, int], NDArray[np.float32]]()
        self._left = LARGEST_NOTES
        self._template = History(spec, window=1)
        self.first = next(records(), None)
        self._past = list(self._follow())

    def history(self) -> StoredHistory:
        """A history before the first step."""
        return StoredHistory(self)

    def past(self, place: int) -> _Past:
        return self._past[place]

    def column(self, place: int, *, of_weights: bool = False) -> NDArray[np.float32]:
        """`[S, layers]` or `[S, weights]`: one column of the table."""
        key = of_weights, place
        if key not in self._columns:
            table = self._tables.weights if of_weights else self._tables.layers
            if of_weights and not table.shape[1]:
                # Stored runs may lack weight statistics.
                table = np.full((len(self.steps), len(self.spec.weights), len(WEIGHT_COLUMNS)), np.nan, np.float32)
            self._columns[key] = np.ascontiguousarray(table[:, :, place])
        return self._columns[key]

    def keep(self, place: int, key: Hashable, result: object) -> None:
        """Keeps a result for the next judging if it is as small as four vectors of the layers, and there is room."""
        size = _size(result)
        if size <= 32 * len(self.spec.layers) + 64 and size <= self._left:
            self._left -= size
            self.notes[place][key] = result

    def _follow(self) -> Iterator[_Past]:
        """The past at each step, as `History.update` has it."""
        history = self._template
        losses, rates = (self.totals[:, STEP_COLUMNS.index(name)] for name in ("loss", "learning_rate"))
        for place, (loss, rate) in enumerate(zip(losses, rates, strict=True)):
            history.note_totals(float(loss), float(rate))
            history.checks += 1
            history.note_losses(losses[max(0, place + 1 - WINDOW) : place + 1])
            norms = self.column(LAYER_COLUMNS.index("weight_gradient_norm"))
            history.close_block(norms[: place + 1])
            yield _Past(
                history.initial_loss,
                history.initial_size,
                history.loss,
                history.lowest_loss,
                history.peak_learning_rate,
                history.gradient_blocks,
            )


class StoredHistory(History):
    """A history that goes through the steps of a replay: equal to one that was updated with its records."""

    def __init__(self, replay: Replay) -> None:
        super().__init__(replay.spec, window=1)
        self._replay, self._place = replay, -1
        self._records, self._followed = replay.records(), 0
        self.first = replay.first
        self.first_step = -1 if self.first is None else self.first.step

    def __iter__(self) -> Iterator[StoredHistory]:
        """Itself at each step."""
        for place, step in enumerate(self._replay.steps.tolist()):
            self._place, self.step, self.checks = place, step, place + 1
            for name, value in vars(self._replay.past(place)).items():
                setattr(self, name, value)
            self._of_step = {}
            yield self

    @property
    def units(self) -> UnitHistory:
        self._follow_units()
        return self._units

    @units.setter
    def units(self, units: UnitHistory) -> None:
        self._units = units

    @property
    def recent_peaks(self) -> NDArray[np.float32]:
        self._follow_units()
        return super().recent_peaks

    @property
    def common_peaks(self) -> NDArray[np.float32]:
        if self._replay.common_known <= self._place:
            self._follow_units()
        return self._replay.common_peaks[self._window]

    def _follow_units(self) -> None:
        """Takes in the units of all records up to this step."""
        while self._followed <= self._place:
            record, place = next(self._records), self._followed
            self._followed += 1
            self._take_units(self._units, record)
            self._peaks[place % PEAK_CHECKS] = record.unit_peak
            if self._replay.common_known == place:
                self._replay.common_peaks[place] = self._common(record.unit_peak)
                self._replay.common_known += 1

    @property
    def _window(self) -> slice:
        return slice(max(0, self._place + 1 - WINDOW), self._place + 1)

    def once_a_step(self, key: Hashable, compute: Callable[[History], Result]) -> Result:
        known: Result
        kept = self._replay.notes[self._place]
        if key in kept:
            known = kept[key]
            return known
        if key not in self._of_step:
            known = self._of_step[key] = compute(self)
            self._replay.keep(self._place, key, known)
        known = self._of_step[key]
        return known

    @property
    def steps(self) -> NDArray[np.int64]:
        return self._replay.steps[self._window]

    def total(self, column: str) -> NDArray[np.float64]:
        return self._replay.totals[self._window, STEP_COLUMNS.index(column)]

    def weight_stat(self, column: str) -> NDArray[np.float32]:
        return self._replay.column(WEIGHT_COLUMNS.index(column), of_weights=True)[self._window]

    def stat(self, column: str) -> NDArray[np.float32]:
        return self._replay.column(LAYER_COLUMNS.index(column))[self._window]

    def latest(self, column: str) -> NDArray[np.float32]:
        values: NDArray[np.float32] = self._replay.column(LAYER_COLUMNS.index(column))[self._place]
        return values


def _size(result: object) -> int:
    """Bytes of the arrays in a result."""
    if isinstance(result, np.ndarray):
        return result.nbytes
    if isinstance(result, Sequence) and not isinstance(result, str):
        return sum(map(_size, result))
    if dataclasses.is_dataclass(result):
        return sum(map(_size, vars(result).values()))
    return 8
