"""What observing a training has cost so far, and what the next observation is likely to cost."""

from __future__ import annotations

import collections
import statistics

_RECENT = 31
"""Plain steps whose median is the usual duration of a step."""
_ENOUGH = 5
"""Plain steps after which that median is known."""
_LATEST = 11
"""Observations whose median is the cost of the next one."""


class Account:
    """Adds up the seconds that observing has cost.

    An observed step costs what it took longer than a plain step took at that time: a machine that others use becomes
    slower and faster during a training, and so do steps whose batches differ.

    Attributes:
        looked: seconds that looks at the model between steps have taken, without the first one.
        observations: number of observed steps.
    """

    def __init__(self) -> None:
        self.looked = 0.0
        self.observations = 0
        self._plain: collections.deque[float] = collections.deque(maxlen=_RECENT)
        self._observed: collections.deque[float] = collections.deque(maxlen=_LATEST)
        self._costs: collections.deque[float] = collections.deque(maxlen=_LATEST)
        self._host: collections.deque[float] = collections.deque(maxlen=_LATEST)
        self._charged = self._host_total = self._ends = 0.0
        self._early_total, self._early = 0.0, 0
        self._first_observation = self._first_look = 0.0
        self._first_plain: float | None = None

    def plain_step(self, seconds: float) -> None:
        """Records the duration of an unobserved step; the first one is ignored, because it includes tracing."""
        if self._first_plain is None:
            self._first_plain = seconds
            return
        self._plain.append(seconds)
        if self._early and len(self._plain) >= _ENOUGH:
            usual = self._usual()
            self._charged += self._early_total - self._early * usual
            self._costs.extend(observed - usual for observed in self._observed)
            self._early_total, self._early = 0.0, 0

    def observed_step(self, seconds: float) -> None:
        """Records the duration of an observed step, with tracing and writing."""
        if not self.observations:
            self._first_observation = seconds
        else:
            if self.observations == 1:
                self._charge(min(self._first_observation, seconds))
            self._charge(seconds)
            self._observed.append(seconds)
        self.observations += 1

    def _charge(self, seconds: float) -> None:
        if len(self._plain) < _ENOUGH:
            self._early_total, self._early = self._early_total + seconds, self._early + 1
        else:
            # Less than nothing counts too: otherwise the noise of both medians would add up.
            cost = seconds - self._usual()
            self._charged += cost
            self._costs.append(cost)

    def host_work(self, seconds: float) -> None:
        """Records processor time that was used in the background for an earlier observation."""
        self._host.append(seconds)
        self._host_total += seconds

    def look(self, seconds: float) -> None:
        """Records the duration of a look at the model between steps, its pictures written."""
        if self._first_look:
            self.looked += seconds
        else:
            self._first_look = seconds

    def end_of_epoch(self, seconds: float) -> None:
        """Records how long everything took that happens between two epochs, looks included."""
        self._ends += seconds

    @property
    def spent(self) -> float:
        """Seconds spent on observing so far, without what `one_time` counts.

        Observed steps, what follows them in the background, looks at the model, and ends of epochs.
        """
        early = self._early_total - self._early * self._usual()
        ends = max(self._ends - self._first_look, self.looked)
        return max(0.0, self._charged + early) + self._host_total + ends

    @property
    def one_time(self) -> float:
        """Seconds paid once: by which the first observation took longer than a later one, and the first look."""
        return max(0.0, self._first_observation - self._usual_observed()) + self._first_look

    @property
    def preparing(self) -> float:
        """Seconds by which the first step of either kind, which is traced and compiled, took longer than a later one.

        All of such a step, as long as there is no later one.
        """
        plain = max(0.0, (self._first_plain or 0.0) - self._usual())
        return plain + max(0.0, self._first_observation - self._usual_observed())

    @property
    def next_cost(self) -> float:
        """Seconds that another observation is likely to cost; 0 as long as fewer than two are known.

        The lower one of two: each may have been traced again, which says nothing of the next one. Without a plain step
        to compare with, only the work in the background is known.
        """
        host = statistics.median(self._host) if self._host else 0.0
        if not self._plain:
            return host
        costs = self._costs or [seconds - self._usual() for seconds in self._observed]
        return max(0.0, statistics.median_low(costs)) + host if len(costs) > 1 else host

    @property
    def last_cost(self) -> float:
        """Seconds by which the last observed step was longer than a plain step, with the latest known background work.

        0 before the first.
        """
        if not self._observed:
            return 0.0
        return max(0.0, self._observed[-1] - self._usual()) + (self._host[-1] if self._host else 0.0)

    @property
    def long_step(self) -> float:
        """Seconds that the next plain step takes at most, unless it is exceptionally slow; 0 before the second step.

        As long as no plain step is known, an observed one stands for it.
        """
        return min(max(self._plain), 2 * self._usual()) if self._plain else self._usual_observed()

    def _usual(self) -> float:
        # A median, because single steps can take far longer: a checkpoint, a slow batch.
        return statistics.median(self._plain) if self._plain else 0.0

    def _usual_observed(self) -> float:
        return statistics.median(self._observed) if self._observed else self._usual()
