"""Takes turns at an expensive answer: one at a time, the latest request for a run first, within a time limit."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable, Iterator

from tb_activations.plugin.errors import ApiError, ErrorKind

SECONDS = 20.0
"""A request may wait and work for this long."""


class Turns:
    """One turn at a time. A newer request for the same subject ends the ones before it, waiting or working.

    Args:
        clock: seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float], seconds: float = SECONDS) -> None:
        self._clock, self._seconds = clock, seconds
        self._condition = threading.Condition()
        self._latest: dict[Hashable, int] = {}
        self._count = 0
        self._is_busy = False

    @contextlib.contextmanager
    def turn(self, subject: Hashable, hint: str) -> Iterator[Turn]:
        """Waits for a turn, and has it until the end of the block.

        Args:
            hint: what to do if the time is up.

        Raises:
            ApiError: a newer request came, or the time is up.
        """
        with self._condition:
            self._count += 1
            own = Turn(self, subject, self._count, self._clock() + self._seconds, hint)
            self._latest[subject] = own.number
            self._condition.notify_all()
        try:
            with self._condition:
                # Terminates: `check` raises when the time is up.
                while self._is_busy:
                    own.check()
                    self._condition.wait(max(0.0, own.deadline - self._clock()))
                own.check()
                self._is_busy = True
            try:
                yield own
            finally:
                with self._condition:
                    self._is_busy = False
                    self._condition.notify_all()
        finally:
            with self._condition:
                if self._latest.get(subject) == own.number:
                    del self._latest[subject]

    def is_latest(self, subject: Hashable, number: int) -> bool:
        """Whether no newer request for the subject has come."""
        return self._latest.get(subject, number) == number

    def check_time(self, deadline: float, hint: str) -> None:
        """Raises ApiError if the time is up."""
        if self._clock() >= deadline:
            message = f"this takes longer than the limit of {self._seconds:g} seconds; {hint}"
            raise ApiError(ErrorKind.TOO_SLOW, message)


class Turn:
    """One request that has or waits for a turn."""

    def __init__(self, turns: Turns, subject: Hashable, number: int, deadline: float, hint: str) -> None:
        self._turns, self._subject = turns, subject
        self.number, self.deadline, self._hint = number, deadline, hint

    def check(self) -> None:
        """Raises ApiError if a newer request came or the time is up."""
        if not self._turns.is_latest(self._subject, self.number):
            raise ApiError(ErrorKind.SUPERSEDED, "a newer request to judge this run replaced this one")
        self.check_time()

    def check_time(self) -> None:
        """Raises ApiError if the time is up; for work that a newer request needs as well."""
        self._turns.check_time(self.deadline, self._hint)
