"""Which steps are observed: every N, once an epoch, or as many as a budget allows."""

from __future__ import annotations

import collections
import dataclasses
import statistics

FREE_SECONDS = 60.0
"""So long an "auto" run is observed by a fixed schedule, whatever that costs: fewer observations would not be enough
for the rules to judge a short training."""
_DENSE_STEPS = 10
_GROWTH = 1.12
_EPOCH_END_SHARE = 1 / 50
_FINEST_SHARE = 1 / 400
_RECENT = 31

UpdateFreq = int | str


@dataclasses.dataclass(frozen=True)
class StepClock:
    """Where a step stands: its number in the training, whether an epoch or the training as planned ends with it."""

    step: int
    is_epoch_end: bool
    is_last: bool = False


def check_cadence(update_freq: UpdateFreq, overhead: float) -> None:
    """Raises ValueError or TypeError, naming the argument, for values that are not allowed."""
    is_count = isinstance(update_freq, int) and not isinstance(update_freq, bool)
    if not (is_count and int(update_freq) > 0) and update_freq not in ("auto", "batch", "epoch"):
        raise ValueError(
            f"Invalid value for argument `update_freq`: {update_freq!r}. "
            'Allowed are "auto", "batch", "epoch" or a whole number of steps from 1.'
        )
    if isinstance(overhead, bool) or not isinstance(overhead, int | float):
        raise TypeError(f"Invalid value for argument `overhead`: {overhead!r}. Allowed is a number above 0, at most 1.")
    if not 0 < overhead <= 1:
        raise ValueError(
            f"Invalid value for argument `overhead`: {overhead!r}. Allowed is a number above 0, at most 1."
        )


class Cadence:
    """Decides step by step, and keeps the account of what observing has cost.

    In mode "auto" the observations of the first minute follow a fixed schedule: the first ten steps, then ever wider
    spaced ones, and ends of epochs as far as they are not closer. Later a step is observed only if what all
    observations have cost, this one included, stays under `overhead` of the time that training took. The last step is
    observed where it is known. There are never more than about `400 (1 + ln(steps / 400))` observations.

    All times are seconds of one clock, handed in by the caller.
    """

    def __init__(
        self, update_freq: UpdateFreq, overhead: float, *, is_timed: bool = True, has_asked_looks: bool = False
    ) -> None:
        """Without `is_timed` "auto" keeps to its schedule for ever, so that processes that train together agree.

        With `has_asked_looks` the user asked for looks at the model after epochs: "auto" then observes the last step of
        every epoch, whose record they complete, and what they cost does not make observations rarer.
        """
        check_cadence(update_freq, overhead)
        self._has_asked_looks = has_asked_looks
        self._is_timed = is_timed
        self._freq = 1 if update_freq == "batch" else update_freq
        self._allowed = float(overhead)
        self._last: int | None = None
        self._scheduled = 0
        self._began: float | None = None
        self._plain: collections.deque[float] = collections.deque(maxlen=_RECENT)
        self._observed: collections.deque[float] = collections.deque(maxlen=5)
        self._observed_total = self._looked = 0.0
        self._is_warm = False
        self.observations = 0
        self.last_interval = 0

    def is_due(self, clock: StepClock, now: float) -> bool:
        """Whether to observe this step."""
        if self._began is None:
            self._began = now
        if isinstance(self._freq, int):
            return self._last is None or clock.step - self._last >= self._freq
        if self._freq == "epoch":
            return clock.is_epoch_end
        since = clock.step - (self._last if self._last is not None else -1)
        if clock.is_last or (self._has_asked_looks and clock.is_epoch_end):
            return True
        if not self._is_timed or now - self._began < FREE_SECONDS:
            is_end = clock.is_epoch_end and since >= clock.step * _EPOCH_END_SHARE
            return is_end or clock.step >= self._scheduled
        return since >= max(1.0, clock.step * _FINEST_SHARE) and self._is_affordable(now)

    def _is_affordable(self, now: float) -> bool:
        assert self._began is not None
        next_cost = max(0.0, statistics.median(self._observed) - self._usual()) if self._observed else 0.0
        charged = self.spent - self._looked if self._has_asked_looks else self.spent
        return charged + next_cost <= self._allowed * (now - self._began)

    def _usual(self) -> float:
        return statistics.median(self._plain) if self._plain else 0.0

    @property
    def spent(self) -> float:
        """Seconds that observing took so far: observed steps, tracing and writing, less what plain steps would take,
        and looks between them.
        """
        return max(0.0, self._observed_total - self.observations * self._usual()) + self._looked

    def plain_step(self, seconds: float) -> None:
        """Takes note of how long a step without observation took; the first one was traced and does not count."""
        if self._is_warm:
            self._plain.append(seconds)
        self._is_warm = True

    def observed_step(self, step: int, seconds: float) -> None:
        """Takes note of an observed step and of how long it took, everything included."""
        self._observed.append(seconds)
        self._observed_total += seconds
        self.observations += 1
        if step >= self._scheduled:
            self._scheduled = max(step + 1, int(step * _GROWTH)) if step >= _DENSE_STEPS else step + 1
        self.last_interval = step - self._last if self._last is not None else 0
        self._last = step

    def look(self, seconds: float) -> None:
        """Takes note of how long a look at the model between steps took."""
        self._looked += seconds

    @property
    def last_cost(self) -> float:
        """Seconds that the last observation took beyond a plain step, 0 before the first."""
        return max(0.0, self._observed[-1] - self._usual()) if self._observed else 0.0

    def share(self, now: float) -> float:
        """Share of the time since the first step that observing took, 0 to 1; 0 before the first step."""
        elapsed = now - self._began if self._began is not None else 0.0
        return min(1.0, self.spent / elapsed) if elapsed > 0 else 0.0


class Thinning:
    """Which epochs get histograms and pictures: every N-th, or less and less often so that files stay small."""

    def __init__(self, frequency: int | str) -> None:
        self._frequency = frequency
        self._next = 0

    def is_due(self, epoch: int) -> bool:
        """Whether the end of this epoch (from 0) is one of them."""
        if isinstance(self._frequency, int):
            return self._frequency > 0 and (epoch + 1) % self._frequency == 0
        return epoch >= self._next

    def done(self, epoch: int) -> None:
        """Takes note that this epoch had its turn."""
        self._next = max(epoch + 1, int(epoch * 1.2))
