"""Timing steps and deciding which of them are observed."""

from __future__ import annotations

from collections.abc import Callable

from tb_activations.taps.schedule.cadence import Cadence, StepClock


class Pace:
    """Hands a cadence the time that every step took.

    A step's time runs to the beginning of the next one, since until then its work may still be in flight, or to
    `close_step`.
    """

    def __init__(self, cadence: Cadence, clock: Callable[[], float]) -> None:
        self._cadence = cadence
        self._clock = clock
        self._entered: float | None = None
        self._was_observed: int | None = None

    def begin_step(self, step: StepClock) -> bool:
        """Whether this step, which begins now, is to be observed."""
        now = self._clock()
        self.close_step()
        self._entered = now
        return self._cadence.is_due(step, now)

    def observed(self, step: int) -> None:
        """Takes note that the step which began last was observed; `step` counts from the beginning of the training."""
        self._was_observed = step

    def close_step(self) -> None:
        """Ends the time of the last step, if it has not ended yet."""
        if self._entered is None:
            return
        seconds = self._clock() - self._entered
        if self._was_observed is None:
            self._cadence.plain_step(seconds)
        else:
            self._cadence.observed_step(self._was_observed, seconds)
        self._entered = self._was_observed = None
