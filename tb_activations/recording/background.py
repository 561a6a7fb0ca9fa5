"""Work that the training need not wait for, done on a thread of its own, in order."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Protocol

from tb_activations.recording.bounded import processor_seconds

ROOM = 2
"""Actions that may wait for their turn: enough for a slow write, few enough to bound memory."""
WAIT_SECONDS = 90.0
"""How long the training waits for one action. Rules and filesystem have shorter limits of their own."""


class Worker(Protocol):
    """Performs actions in the order in which it gets them. An action must not raise."""

    def submit(self, action: Callable[[], None]) -> None:
        """Performs an action, now or later.

        Raises:
            TimeoutError: there is no room, and an earlier action has not ended in time.
        """

    def wait(self) -> None:
        """Returns once all actions have ended.

        Raises:
            TimeoutError: one has not ended in time.
        """

    def rest(self) -> None:
        """Ends the thread once it is idle; `submit` starts another."""

    def take_seconds(self) -> float:
        """Seconds of processor time that actions have used since the last call, without what the caller waited for."""


class Inline:
    """Performs each action before `submit` returns."""

    def submit(self, action: Callable[[], None]) -> None:
        action()

    def wait(self) -> None: ...

    def rest(self) -> None: ...

    def take_seconds(self) -> float:
        return 0.0


class Background:
    """Performs actions on one thread. The interpreter does not exit before the last one has ended.

    One thread submits; any may wait.

    Args:
        room: how many actions may wait; `submit` then waits for the oldest.
        seconds: how long `submit` and `wait` wait for one action.
        cpu_clock: seconds of processor time of the thread that calls it, and of what it waits for.
        clock: seconds.
    """

    def __init__(
        self,
        room: int = ROOM,
        seconds: float = WAIT_SECONDS,
        cpu_clock: Callable[[], float] = processor_seconds,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._room, self._seconds = room, seconds
        self._cpu_clock, self._clock = cpu_clock, clock
        self._executor: ThreadPoolExecutor | None = None
        self._pending: collections.deque[Future[float]] = collections.deque()
        self._stuck: Future[float] | None = None
        self._guard = threading.Lock()
        self._own_thread: int | None = None
        self._used = self._waited = 0.0

    def submit(self, action: Callable[[], None]) -> None:
        """See `Worker`."""
        self._collect(self._room)
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="tb_activations")
        try:
            self._pending.append(self._executor.submit(self._timed, action))
        except RuntimeError:  # The interpreter is ending, or has no thread left.
            self.wait()
            action()

    def wait(self) -> None:
        """See `Worker`."""
        self._collect(0)

    def rest(self) -> None:
        """See `Worker`."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None

    def take_seconds(self) -> float:
        """See `Worker`."""
        seconds, self._used, self._waited = max(0.0, self._used - self._waited), 0.0, 0.0
        return seconds

    def _collect(self, most: int) -> None:
        """Takes the results of actions that have ended, and waits until at most this many have not.

        An action does not wait for itself: a log handler may read the findings.
        """
        if threading.get_ident() == self._own_thread:
            return
        while (oldest := self._oldest(most)) is not None:
            began = self._clock()
            # What has been waited for once, in vain, is not waited for again.
            seconds = 0.0 if oldest is self._stuck else self._seconds
            if not wait([oldest], seconds).done:
                self._stuck = oldest
                raise TimeoutError(f"no end within {self._seconds:g} seconds")
            with self._guard:
                # Another thread may have waited for it too, to read the findings.
                if self._pending and self._pending[0] is oldest:
                    self._waited += self._clock() - began
                    self._used += self._pending.popleft().result()

    def _oldest(self, most: int) -> Future[float] | None:
        """The oldest action if it has ended or if there are more than this many; None otherwise."""
        with self._guard:
            oldest = self._pending[0] if self._pending else None
            return oldest if oldest is not None and (oldest.done() or len(self._pending) > most) else None

    def _timed(self, action: Callable[[], None]) -> float:
        began, self._own_thread = self._cpu_clock(), threading.get_ident()
        try:
            action()
        finally:
            # Another thread may get the same number once this one has ended.
            self._own_thread = None
        return self._cpu_clock() - began
