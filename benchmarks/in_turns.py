"""Trains several models in one process in turns, so that whatever else runs on the machine slows all of them alike."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras


class Turns:
    """Lets one of several threads run at a time; each hands over to the next that has not ended."""

    def __init__(self, count: int) -> None:
        self._running = list(range(count))
        self._now = 0
        self._changed = threading.Condition()

    def wait(self, number: int) -> None:
        """Returns when it is this thread's turn."""
        with self._changed:
            self._changed.wait_for(lambda: self._now == number)

    def hand_over(self, number: int, *, for_good: bool = False) -> None:
        """Ends this thread's turn, perhaps its last."""
        with self._changed:
            later = [*range(number + 1, max(self._running) + 1), *range(number + 1)]
            if for_good:
                self._running.remove(number)
            self._now = next((one for one in later if one in self._running), -1)
            self._changed.notify_all()


class InTurn(keras.callbacks.Callback):
    """Hands over after so many steps, and counts the seconds of this training's own turns.

    Args:
        turns: shared by all trainings.
        number: of this training, from 0.
        steps: of a turn.
        settle: called at the end of each turn, within its time.

    Attributes:
        seconds: of each turn: its steps, with what ends an epoch before them. The last but one is what ends the
            training, the last what Keras does after all callbacks: tf.data may take 20 s to delete an iterator.
    """

    async_safe = False

    def __init__(self, turns: Turns, number: int, steps: int = 1, settle: Callable[[], Any] = lambda: None) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._turns, self._number, self._steps, self._settle = turns, number, steps, settle
        self._before, self._began, self._left = 0.0, time.perf_counter(), steps

    def clock(self) -> float:
        """Seconds of all own turns so far."""
        return self._before + time.perf_counter() - self._began

    def begin(self) -> None:
        self._turns.wait(self._number)
        self._began, self._left = time.perf_counter(), self._steps

    def end(self, *, for_good: bool = False) -> None:
        self._settle()
        took = time.perf_counter() - self._began
        self._before += took
        self.seconds.append(took)
        self._turns.hand_over(self._number, for_good=for_good)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._left -= 1
        if not self._left:
            self._next_turn()

    def on_train_end(self, logs: Any = None) -> None:
        self._next_turn()

    def _next_turn(self) -> None:
        self.end()
        self.begin()


def run(trainings: Sequence[Callable[[], Any]], in_turn: Sequence[InTurn]) -> None:
    """Runs all trainings to their ends, each on a thread of its own, with its `InTurn` among its callbacks.

    Raises what the first training that failed has raised.
    """
    failures: list[Exception] = []

    def train(number: int) -> None:
        in_turn[number].begin()
        try:
            trainings[number]()
        except Exception as error:
            failures.append(error)
        finally:
            in_turn[number].end(for_good=True)

    threads = [threading.Thread(target=train, args=(number,)) for number in range(len(trainings))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
