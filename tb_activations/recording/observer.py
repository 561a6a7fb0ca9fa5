"""From observed steps to records and findings: what `LayerHealth` and `Recorder` share."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np

from tb_activations.recording.announce import Announcer
from tb_activations.recording.continuation import TrainingState
from tb_activations.recording.recording import Recording
from tb_activations.records.finding import Finding
from tb_activations.taps.numbers import extras, unpack
from tb_activations.taps.numbers.layout import Layout
from tb_activations.taps.schedule.cadence import Cadence, Thinning

_LOGGER = logging.getLogger("tb_activations")

RuleChoice = Sequence[str] | Mapping[str, Mapping[str, float]] | None
EpochFreq = int | Literal["auto"]


class Layouts(Protocol):
    """What knows the layouts of packed vectors."""

    def layout(self, number: int) -> Layout:
        """The layout of this number."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """A finished observed step: its vectors, still on the device, and what it belongs to.

    `has_extras` tells whether histograms were filled, `loss` stands in where the step itself showed none.
    """

    step: int
    epoch: int
    packed: Mapping[str, Any]
    has_extras: bool
    loss: float = np.nan


class Observer:
    """Records the observed steps of one model and tells what is found.

    What fails while recording is said once and leaves the training alone.
    """

    def __init__(
        self, recording: Recording, announcer: Announcer, histograms: Thinning, clock: Callable[[], float]
    ) -> None:
        self._recording = recording
        self._announcer = announcer
        self._histograms_due = histograms
        self._clock = clock
        self._last: tuple[Layout, Mapping[str, Any]] | None = None
        self._last_histograms: unpack.Array | None = None
        self._is_broken = self._has_looked_for_layers = False
        self._told_run = 0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far: worst first, closed findings last."""
        return self._recording.findings

    def open(self, first_step: int, state: TrainingState) -> None:
        """Begins a training whose first step has this number, from this state of the model."""
        self._is_broken = False
        self.guarded(lambda recording: recording.open(first_step, state))

    def remember_state(self, state: TrainingState) -> None:
        """Stores where the training stands, at the end of an epoch or of the training."""
        self.guarded(lambda recording: recording.remember_state(state))

    def wants_histograms(self, step: int, epoch: int, is_epoch_end: bool) -> bool:
        """Whether the record of this step holds histograms."""
        return (is_epoch_end and self._histograms_due.is_due(epoch)) or self._recording.wants_histograms(step)

    def take(self, layouts: Layouts, seen: Seen, cadence: Cadence) -> None:
        """Records a step; tells what opened or closed with it."""
        changes: tuple[Finding, ...] = ()

        def record(recording: Recording) -> None:
            nonlocal changes
            changes = self._record(recording, layouts, seen, cadence)

        self.guarded(record)
        if self._recording.runs != self._told_run:
            self._told_run = self._recording.runs
            self._announcer.forget()
        if changes:
            # News is on disk at once, also where it ends the training.
            self.guarded(Recording.flush)
            self._announcer.tell(changes)

    def write_histograms(self, epoch: int) -> None:
        """Writes stock histograms of the last observed step at the end of an epoch, if they are due."""
        histograms = self._last_histograms
        if self._histograms_due.is_due(epoch) and histograms is not None:
            self.guarded(lambda recording: recording.write_histograms(histograms))
            self._histograms_due.done(epoch)

    def feature_maps(self) -> Mapping[str, unpack.Array]:
        """Layer name to `[samples, height, width, channels]` of the last observed step."""
        if self._last is None or "maps" not in self._last[1]:
            return {}
        return extras.feature_maps(self._last[1]["maps"].numpy(), self._last[0].calls)

    def flush(self) -> None:
        """Puts everything on disk."""
        self.guarded(Recording.flush)

    def close(self) -> None:
        """Writes the findings as they stand and ends a training."""
        self.guarded(Recording.finish)
        self.guarded(Recording.close)

    def guarded(self, action: Callable[[Recording], None]) -> None:
        """Runs what only records; if it fails, says so once and leaves the training alone."""
        if self._is_broken:
            return
        try:
            action(self._recording)
        except Exception as error:
            self._is_broken = True
            _LOGGER.warning(
                "Layer health: nothing more is recorded (%s: %s). The training continues.", type(error).__name__, error
            )

    def _record(self, recording: Recording, layouts: Layouts, seen: Seen, cadence: Cadence) -> tuple[Finding, ...]:
        packed = seen.packed["figures"].numpy()
        layout = layouts.layout(unpack.layout_number(packed))
        step = unpack.unpack(packed, layout, seen.loss)
        self._tell_what_is_missing(step.rows)
        self._last = (layout, seen.packed)
        cost = [cadence.share(self._clock()), cadence.last_cost, cadence.last_interval]
        histograms = None
        if "histograms" in seen.packed and seen.has_extras:
            histograms = extras.histograms(seen.packed["histograms"].numpy(), layout.calls, step.rows)
            self._last_histograms = histograms
        return recording.record(seen.step, seen.epoch, step, histograms, np.array(cost, np.float32))

    def _tell_what_is_missing(self, rows: Sequence[unpack.Row]) -> None:
        """Warns once where a step shows no layer at all, or the outputs of none."""
        if self._has_looked_for_layers:
            return
        self._has_looked_for_layers = True
        if not rows:
            _LOGGER.warning(
                "Layer health: the model has no layers with weights or outputs, so there is nothing to judge."
            )
        elif all(row.not_observed for row in rows):
            _LOGGER.warning(
                "Layer health: no layer's outputs can be observed (%s: %s). Only weights are judged.",
                rows[0].call.name,
                rows[0].not_observed,
            )


def check_epoch_freq(name: str, value: object) -> None:
    """Raises ValueError, naming the argument, for what says no frequency in epochs."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not is_count and value != "auto":
        raise ValueError(
            f'Invalid value for argument `{name}`: {value!r}. Allowed are "auto", 0 for never, or a number of epochs.'
        )
