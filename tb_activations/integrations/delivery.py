"""Delivers findings in the background: a slow or broken receiver never stops or stalls a training."""

from __future__ import annotations

import atexit
import contextvars
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

_LOGGER = logging.getLogger("tb_activations")

LONGEST_QUEUE = 1000
EXIT_SECONDS = 5.0
"""How long the end of the program waits for deliveries."""

Action = Callable[[], Any]


class Delivery:
    """Runs deliveries one after another in a thread of its own, each once: a failed one is logged and not repeated.

    Args:
        receiver: for the log.
    """

    def __init__(self, receiver: str) -> None:
        self._receiver = receiver
        self._waiting: queue.Queue[tuple[contextvars.Context, Action, threading.Event]] = queue.Queue(LONGEST_QUEUE)
        self._last = threading.Event()
        self._last.set()
        self._worker: threading.Thread | None = None
        self._has_failed = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Delivery:
        """The same object: Keras Tuner copies callbacks for each trial, but they share the receiver."""
        return self

    def submit(self, deliver: Action, patience: float = 0.0) -> None:
        """Takes a delivery.

        Args:
            deliver: runs in the thread, with the context variables of the caller.
            patience: seconds to wait for its end, if none before it is still waiting.
        """
        is_free, done = self._last.is_set(), threading.Event()
        try:
            self._waiting.put_nowait((contextvars.copy_context(), deliver, done))
        except queue.Full:
            self._failed(f"{LONGEST_QUEUE} findings are waiting")
            return
        self._last = done
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name=f"findings to {self._receiver}", daemon=True)
            self._worker.start()
            atexit.register(self.flush)
        if is_free and patience:
            done.wait(patience)

    def flush(self, seconds: float = EXIT_SECONDS) -> bool:
        """Waits for everything that was submitted; returns whether it is done."""
        return self._last.wait(seconds)

    def _work(self) -> None:
        while True:
            context, deliver, done = self._waiting.get()
            try:
                context.run(deliver)
            except Exception as error:
                self._failed(f"{type(error).__name__}: {error}")
            done.set()

    def _failed(self, reason: str) -> None:
        """Warns once; further failures are logged at level INFO."""
        level, self._has_failed = (logging.INFO if self._has_failed else logging.WARNING), True
        _LOGGER.log(level, "Layer health: a finding did not reach %s (%s). Training continues.", self._receiver, reason)
