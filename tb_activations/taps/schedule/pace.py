"""Times steps, and asks the cadence which of them to observe."""

from __future__ import annotations

from collections.abc import Callable

from tb_activations.taps.schedule.cadence import Cadence, StepClock


class Pace:
    """Reports the time of every step to a cadence.

    A step lasts until the next one begins, because its work may still be running on the device after the call
    returns, or until `close_step`.
    """

    def __init__(self, cadence: Cadence, clock: Callable[[], float]) -> None:
        self._cadence = cadence
        self._clock = clock
        self._entered: float | None = None
        self._was_observed: int | None = None

    @property
    def prefers_full_batches(self) -> bool:
        """Whether another step may be observed in place of one with a partial batch."""
        return self._cadence.prefers_full_batches

    def begin_step(self, step: StepClock) -> bool:
        """Begins a step and returns whether to observe it."""
        now = self._clock()
        self.close_step()
        self._entered = now
        return self._cadence.is_due(step, now)

    def observed(self, step: int) -> None:
        """Marks the step that began last as observed; `step` counts from the beginning of the training."""
        self._was_observed = step

    def close_step(self) -> None:
        """Stops timing the last step, if that has not happened yet."""
        if self._entered is None:
            return
        seconds = self._clock() - self._entered
        if self._was_observed is None:
            self._cadence.plain_step(seconds)
        else:
            self._cadence.observed_step(self._was_observed, seconds)
        self._entered = self._was_observed = None
