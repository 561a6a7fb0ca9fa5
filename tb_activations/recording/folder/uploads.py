"""Uploads of event files, in the background of what records them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from tb_activations.recording.folder.storage import record_writer

Start = Callable[[Callable[[], None]], "Future[None]"]
"""Starts an action; what it raises is in the result."""


def at_once(action: Callable[[], None]) -> Future[None]:
    """Performs the action before it returns."""
    future: Future[None] = Future()
    _perform(action, future)
    return future


def in_background(action: Callable[[], None]) -> Future[None]:
    """Performs the action on a thread of its own, for which the interpreter does not wait."""
    future: Future[None] = Future()
    threading.Thread(target=_perform, args=(action, future), name="tb_activations upload", daemon=True).start()
    return future


def _perform(action: Callable[[], None], future: Future[None]) -> None:
    try:
        action()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(None)


class Uploads:
    """Writes event files one after the other, each at once.

    Args:
        start: starts the upload of a file.
    """

    def __init__(self, start: Start) -> None:
        self._start = start
        self._running: Future[None] | None = None
        self._events: Sequence[bytes] = ()

    @property
    def is_running(self) -> bool:
        """Whether an upload has not ended yet."""
        return self._running is not None and not self._running.done()

    def begin(self, path: str, head: bytes, events: Sequence[bytes]) -> None:
        """Begins to write a head and these events into a new file; the upload before must have ended, see `end`."""

        def put() -> None:
            file = record_writer(path)
            for event in (head, *events):
                file.write(event)
            file.close()

        self._events = events
        self._running = self._start(put)

    def end(self) -> None:
        """Waits for the upload, if there is one.

        Raises:
            OSError, tf.errors.OpError: it failed; `take_back` has its events.
        """
        if self._running is not None:
            self._running.result()
            self._running, self._events = None, ()

    def take_back(self) -> list[bytes]:
        """The events of an upload that failed or has not ended; they are no longer this object's."""
        events = list(self._events)
        self._running, self._events = None, ()
        return events
