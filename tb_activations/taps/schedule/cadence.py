"""Decides which steps are observed: every N, one per epoch, or as many as a time budget allows."""

from __future__ import annotations

import dataclasses

from tb_activations.records.arguments import invalid
from tb_activations.taps.schedule.account import Account

FREE_SECONDS = 60.0
"""For this long, an "auto" run follows a fixed schedule regardless of its overhead. With fewer observations the rules
could not judge a short training. Several trainings of a run share this time, since `fit` may be called in a loop. It
does not include tracing and compiling, which take minutes where a deep network is trained on a slow machine."""
_DENSE_STEPS = 10
"""The schedule observes every one of the first steps, because initialization problems show there."""
GROWTH = 1.12
"""Ratio of one scheduled step to the one before."""
_SPARSE_DENSE_STEPS, _SPARSE_GROWTH = 20, 1.25
"""The same for "sparse". The more steps in a row are observed first, the later the plain step is compiled, which a
training that ends for a problem then never needs."""
_EPOCH_END_SHARE = 1 / 50
"""The end of an epoch is observed if the last observation is at least this share of all steps ago."""
FINEST_SHARE = 1 / 150
"""Observations are at least this share of all steps apart, so that the number of records grows only slowly."""
LONGEST_GAP = 20.0
"""Seconds after which a live training is observed again, however little it has to spend: whoever watches it wants to
see that it runs. Where observing is expensive, the gap is as long as it needs to be to stay within the budget."""
_CLOSER_STEPS = 10
"""Observations in a row after something unusual."""

UpdateFreq = int | str


@dataclasses.dataclass(frozen=True)
class StepClock:
    """A step's number in the training, and whether it is the last of an epoch or of the planned training."""

    step: int
    is_epoch_end: bool
    is_last: bool = False


def check_cadence(update_freq: UpdateFreq, overhead: float) -> None:
    """Raises ValueError or TypeError, naming the argument, for values that are not allowed."""
    is_count = isinstance(update_freq, int) and not isinstance(update_freq, bool)
    if not (is_count and int(update_freq) > 0) and update_freq not in ("auto", "sparse", "batch", "epoch"):
        raise invalid(
            "update_freq", repr(update_freq), '"auto", "sparse", "batch", "epoch" or an integer of at least 1'
        )
    share = "a number above 0, at most 1"
    if isinstance(overhead, bool) or not isinstance(overhead, int | float):
        raise invalid("overhead", repr(overhead), share, TypeError)
    if not 0 < overhead <= 1:
        raise invalid("overhead", repr(overhead), share)


class Cadence:
    """Decides for each step whether to observe it.

    In mode "auto" the observations of the first minute follow a fixed schedule: the first ten steps, then steps at
    growing intervals, and ends of epochs that are not too close to the last observation. After that a step is observed
    if the time spent on all observations, this one included, stays below the share `overhead` of the training time, at
    most about `150 (1 + ln(steps / 150))` times; and before the last observation is `LONGEST_GAP` ago, unless the
    cost of an observation divided by `overhead` is longer. The last step is observed if it is known.

    Mode "sparse" has a fixed schedule without a clock: the first twenty steps, then steps at intervals that grow by a
    quarter, and the last one.

    What is paid once, the first observation with its tracing and the first look, is counted apart.

    All times are in seconds of one clock, passed in by the caller.

    Attributes:
        account: what observing has cost.
        last_interval: steps between the last two observations, 0 before the second.
    """

    def __init__(
        self,
        update_freq: UpdateFreq,
        overhead: float,
        *,
        is_timed: bool = True,
        has_asked_looks: bool = False,
        free_seconds: float = FREE_SECONDS,
    ) -> None:
        """Creates a cadence without observations.

        Args:
            update_freq, overhead: as in `check_cadence`.
            is_timed: if false, "auto" follows its schedule for the whole training, so that several processes that
                train together choose the same steps.
            has_asked_looks: whether the user requested looks at the model after epochs. "auto" then observes the last
                step of every epoch, because a look belongs to that step's record, and the time for looks does not
                reduce the number of observations.
            free_seconds: how much of `FREE_SECONDS` is left.
        """
        check_cadence(update_freq, overhead)
        self._has_asked_looks = has_asked_looks
        self._is_timed = is_timed
        self._freq = 1 if update_freq == "batch" else update_freq
        self._allowed = float(overhead)
        self._free = free_seconds
        is_sparse = update_freq == "sparse"
        self._dense, self._growth = (_SPARSE_DENSE_STEPS, _SPARSE_GROWTH) if is_sparse else (_DENSE_STEPS, GROWTH)
        self._last: int | None = None
        self._scheduled = 0
        self._began: float | None = None
        self._latest = 0.0
        self._due_at = 0.0
        self._dense_left = 0
        self.account = Account()
        self.last_interval = 0

    @property
    def prefers_full_batches(self) -> bool:
        """Whether another step may be observed in place of one with a partial batch."""
        return not isinstance(self._freq, int)

    @property
    def seconds(self) -> float:
        """From the first step to the latest, without tracing and compiling."""
        return max(0.0, self._latest - self._began - self.account.preparing) if self._began is not None else 0.0

    def begin_run(self) -> None:
        """Begins a run, which has all of `FREE_SECONDS`."""
        self._free = FREE_SECONDS

    def is_due(self, clock: StepClock, now: float) -> bool:
        """Whether to observe this step."""
        self._latest = now
        is_due = self._decide(clock, now)
        if is_due:
            self._due_at = now
        return is_due

    def _decide(self, clock: StepClock, now: float) -> bool:
        if self._began is None:
            self._began = now
        if isinstance(self._freq, int):
            return self._last is None or clock.step - self._last >= self._freq
        if self._freq == "epoch":
            return clock.is_epoch_end
        # Without an observation, the last one counts as step -1, so that step 0 is due.
        since = clock.step - (self._last if self._last is not None else -1)
        if clock.is_last or (self._has_asked_looks and clock.is_epoch_end):
            return True
        if self._freq == "sparse":
            return clock.step >= self._scheduled
        if self._dense_left and self._is_affordable(now):
            return True
        if not self._is_timed or self.seconds < self._free:
            is_end = clock.is_epoch_end and since >= clock.step * _EPOCH_END_SHARE
            return is_end or clock.step >= self._scheduled
        if now - self._due_at >= self._longest_gap():
            return True
        return since >= max(1.0, clock.step * FINEST_SHARE) and self._is_affordable(now)

    def _longest_gap(self) -> float:
        """Seconds after which a step is observed although the budget is used up."""
        affordable = self.account.next_cost / self._allowed
        # One more plain step must not make the gap too long.
        return affordable if affordable > LONGEST_GAP else LONGEST_GAP - self.account.long_step

    def _is_affordable(self, now: float) -> bool:
        assert self._began is not None
        # Looks that the user requested would otherwise use up the budget of the statistics.
        charged = self.account.spent - (self.account.looked if self._has_asked_looks else 0.0)
        # The observation about to start is charged in advance: afterwards it could already exceed the budget.
        return charged + self.account.next_cost <= self._allowed * (now - self._began)

    def plain_step(self, seconds: float) -> None:
        """Records an unobserved step and its duration."""
        self.account.plain_step(seconds)

    def observed_step(self, step: int, seconds: float) -> None:
        """Records an observed step and its duration, with tracing and writing."""
        self.account.observed_step(seconds)
        # An unscheduled observation (the end of an epoch) leaves the schedule as it is.
        if step >= self._scheduled:
            self._scheduled = max(step + 1, int(step * self._growth)) if step >= self._dense else step + 1
        self.last_interval = step - self._last if self._last is not None else 0
        self._last = step
        self._dense_left = max(self._dense_left - 1, 0)

    def look_closer(self) -> None:
        """Asks an "auto" run to observe the next steps, as far as the budget allows."""
        self._dense_left = _CLOSER_STEPS

    def share(self, now: float) -> float:
        """Share of the time since the first step that was spent on observing, 0 to 1; 0 before the first step."""
        elapsed = now - self._began if self._began is not None else 0.0
        return min(1.0, self.account.spent / elapsed) if elapsed > 0 else 0.0


class Thinning:
    """Chooses the epochs with histograms and images: every N-th, or less and less often so that files stay small."""

    def __init__(self, frequency: int | str) -> None:
        self._frequency = frequency
        self.begin_run()

    def begin_run(self) -> None:
        """Begins a run, which has none of them yet."""
        self._next = self._before = self._passed = 0
        self._is_new_training = False

    def begin_training(self) -> None:
        """Begins another training of the run; its epochs may be counted from 0 again."""
        self._is_new_training = True

    def is_due(self, epoch: int) -> bool:
        """Whether the end of this epoch (counted from 0) gets them."""
        number = self._of_run(epoch)
        if isinstance(self._frequency, int):
            return self._frequency > 0 and (epoch + 1) % self._frequency == 0
        return number >= self._next

    def done(self, epoch: int) -> None:
        """Records that this epoch got them."""
        number = self._of_run(epoch)
        # Spaced by a factor, so that their number grows with the logarithm of the epochs.
        self._next = max(number + 1, int(number * 1.2))

    def _of_run(self, epoch: int) -> int:
        """The number of an epoch in the run."""
        if self._is_new_training:
            self._is_new_training = False
            self._before = max(0, self._passed - epoch)
        number = self._before + epoch
        self._passed = max(self._passed, number + 1)
        return number
