"""From observed steps to records, findings and what follows from them; for loops that are not Keras' own."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np

from tb_activations.capture import extras, figures
from tb_activations.capture.cadence import Cadence, Thinning
from tb_activations.capture.layout import Layout
from tb_activations.events import pictures
from tb_activations.health.records import Finding, Severity
from tb_activations.recording import Recording, RunSettings
from tb_activations.run_output import RunOutput

_LOGGER = logging.getLogger("tb_activations")

_MAPS = "First samples of the last observed step (down), channels (across), in training mode."

RuleChoice = Sequence[str] | Mapping[str, Mapping[str, float]] | None
OnProblem = Literal["warn", "stop", "raise"] | Callable[[Finding], None]
EpochFreq = int | Literal["auto"]


class LayerHealthError(RuntimeError):
    """A training was ended by `on_problem="raise"`; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


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


@dataclasses.dataclass(frozen=True)
class Wishes:
    """How often what is written beside the figures, and what to do about problems."""

    histograms: Thinning
    images: Thinning
    on_problem: OnProblem
    stop: Callable[[], None]


class Observer:
    """Records the observed steps of one model and acts on what is found.

    What fails while recording is said once and leaves the training alone.
    """

    def __init__(self, output: RunOutput, settings: RunSettings, wishes: Wishes, clock: Callable[[], float]) -> None:
        self._wishes = wishes
        self._clock = clock
        self._recording = Recording(settings, output)
        self._last: tuple[Layout, tuple[figures.Row, ...], Mapping[str, Any]] | None = None
        self._last_histograms: figures.Array | None = None
        self._is_broken = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far: worst first, closed findings last."""
        return self._recording.findings

    @property
    def last_step(self) -> int:
        """The last recorded step, also of a run in the folder that is gone on with; -1 before the first."""
        return self._recording.last_step

    def open(self) -> None:
        """Begins to record."""
        self._guarded(Recording.open)

    def wants_histograms(self, step: int, epoch: int, is_epoch_end: bool) -> bool:
        """Whether the record of this step holds histograms."""
        return (is_epoch_end and self._wishes.histograms.is_due(epoch)) or self._recording.wants_histograms(step)

    def take(self, layouts: Layouts, seen: Seen, cadence: Cadence) -> None:
        """Records a step; logs what opened or closed with it and acts on problems."""
        changes: tuple[Finding, ...] = ()

        def record(recording: Recording) -> None:
            nonlocal changes
            changes = self._record(recording, layouts, seen, cadence)

        self._guarded(record)
        for finding in changes:
            self._act_on(finding)

    def end_epoch(self, epoch: int) -> None:
        """Writes histograms and pictures of the last observed step if they are due; flushes."""
        histograms, wishes = self._last_histograms, self._wishes
        if wishes.histograms.is_due(epoch) and histograms is not None:
            self._guarded(lambda recording: recording.write_histograms(histograms))
            wishes.histograms.done(epoch)
        if wishes.images.is_due(epoch):
            self._guarded(self._draw)
            wishes.images.done(epoch)
        self._guarded(Recording.flush)

    def close(self) -> None:
        """Writes the findings as they stand and closes the file."""
        self._guarded(Recording.finish)
        self._guarded(Recording.close)

    def _record(self, recording: Recording, layouts: Layouts, seen: Seen, cadence: Cadence) -> tuple[Finding, ...]:
        packed = seen.packed["figures"].numpy()
        layout = layouts.layout(figures.layout_number(packed))
        step = figures.unpack(packed, layout, seen.loss)
        self._last = (layout, step.rows, seen.packed)
        histograms = None
        if "histograms" in seen.packed and seen.has_extras:
            histograms = extras.histograms(seen.packed["histograms"].numpy(), layout.calls, step.rows)
            self._last_histograms = histograms
        cost = [cadence.share(self._clock()), cadence.last_cost, cadence.last_interval]
        return recording.record(seen.step, seen.epoch, step, histograms, np.array(cost, np.float32))

    def _draw(self, recording: Recording) -> None:
        maps: Mapping[str, figures.Array] = {}
        if self._last is not None and "maps" in self._last[2]:
            maps = extras.feature_maps(self._last[2]["maps"].numpy(), self._last[0].calls)
        drawn = {
            f"feature_maps/{layer}": pictures.feature_maps(own, common_scale=True, about=_MAPS)
            for layer, own in maps.items()
        }
        recording.write_pictures(drawn, step=recording.last_step, with_units=True)

    def _act_on(self, finding: Finding) -> None:
        if finding.closed_step is not None:
            _LOGGER.info("Layer health: over at step %d: %s", finding.closed_step, finding.message)
            return
        if finding.severity is Severity.NOTE:
            return
        _LOGGER.warning("Layer health, %s: %s", finding.severity.value, finding.message)
        if finding.severity is not Severity.PROBLEM:
            return
        on_problem = self._wishes.on_problem
        if on_problem == "stop":
            self._wishes.stop()
        elif on_problem == "raise":
            raise LayerHealthError(finding)
        elif callable(on_problem):
            on_problem(finding)

    def _guarded(self, action: Callable[[Recording], None]) -> None:
        if self._is_broken:
            return
        try:
            action(self._recording)
        except Exception as error:
            self._is_broken = True
            _LOGGER.warning(
                "Layer health: nothing more is recorded (%s: %s). The training goes on.",
                type(error).__name__,
                error,
            )


def check_epoch_freq(name: str, value: object) -> None:
    """Raises ValueError, naming the argument, for what says no frequency in epochs."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not is_count and value != "auto":
        raise ValueError(
            f'Invalid value for argument `{name}`: {value!r}. Allowed are "auto", 0 for never, or a number of epochs.'
        )


def check_on_problem(value: object) -> None:
    """Raises ValueError for what says nothing to do about a problem."""
    if value not in ("warn", "stop", "raise") and not callable(value):
        raise ValueError(
            f"Invalid value for argument `on_problem`: {value!r}. "
            'Allowed are "warn", "stop", "raise" or a function that takes a finding.'
        )
