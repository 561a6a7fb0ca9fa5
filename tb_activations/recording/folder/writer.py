"""One event file, written by TensorFlow: its framing, its checksums, every filesystem it knows."""

from __future__ import annotations

import itertools
import os
import re
import socket
import time
from collections.abc import Callable

import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.recording.folder.claim import Claim

FLUSH_SECONDS = 5.0
_FILE_VERSION = "brain.Event:2"
_counter = itertools.count()

Clock = Callable[[], float]


class RunWriter:
    """Writes summaries into a new event file of a claimed folder; they are on disk after at most a few seconds.

    The file sorts after those that are in the folder already, and wall times never go back, whatever the clock does.

    Args:
        claim: the folder.
        clock: seconds; decides when to flush between the flushes that the caller asks for.
        wall_clock: seconds since the epoch, for the times of the records.
        not_before: wall time of the last record before this file.
    """

    def __init__(self, claim: Claim, clock: Clock, wall_clock: Clock = time.time, not_before: float = 0.0) -> None:
        self._claim = claim
        self._clock, self._wall_clock = clock, wall_clock
        self.last_time = max(not_before, claim.last_time)
        self._file: tf.io.TFRecordWriter | None = None
        self._path = ""
        self._flushed: float | None = None

    def write(self, summary: Summary, step: int) -> None:
        """Appends one event.

        Raises:
            TakenFolderError: the folder is no longer this writer's.
            OSError, tf.errors.OpError: the file cannot be written.
        """
        self._append(summary=summary, step=step)
        # The very first event is flushed at once: it is what makes the tab appear. A clock may go back.
        if self._flushed is None or not 0 <= self._clock() - self._flushed < FLUSH_SECONDS:
            self.flush()

    def restart(self, step: int) -> None:
        """Tells TensorBoard to drop everything in earlier files from this step on.

        Raises:
            TakenFolderError, OSError, tf.errors.OpError: as in `write`.
        """
        self._append(session_log=SessionLog(status=SessionLog.START), step=step)

    def flush(self) -> None:
        """Puts everything written so far on disk.

        Raises:
            TakenFolderError: the folder is no longer this writer's.
            FileNotFoundError: the event file has been deleted, and what was in it.
            OSError, tf.errors.OpError: the file cannot be written.
        """
        self._claim.check()
        if self._file is None:
            return
        self._file.flush()
        # Writing to a deleted file raises no error.
        if not tf.io.gfile.exists(self._path):
            raise FileNotFoundError(f"the event file {self._path} has been deleted")
        self._flushed = self._clock()

    def rest(self) -> None:
        """Flushes and lets others write into the folder; `resume` may follow."""
        self.flush()
        self._claim.release()

    def resume(self) -> bool:
        """Whether this file may be continued: no run has been written into the folder since `rest`."""
        return self._claim.renew([self._path] if self._file is not None else [])

    def close(self) -> None:
        """Closes the file and gives the folder back.

        Raises:
            OSError, tf.errors.OpError: what was not flushed cannot be written.
        """
        self._claim.release()
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _append(self, **fields: object) -> None:
        self._claim.check()
        if self._file is None:
            self._file = self._create()
        self._file.write(self._event(**fields))

    def _create(self) -> tf.io.TFRecordWriter:
        seconds = [
            int(found[1]) for path in self._claim.present if (found := re.search(r"tfevents\.(\d{1,15})(?!\d)", path))
        ]
        second = max(int(self._wall_clock()), max(seconds, default=0) + 1)
        name = f"events.out.tfevents.{second:010d}.{socket.gethostname()}.{os.getpid()}.{next(_counter)}"
        self._path = os.path.join(self._claim.log_dir, name)
        file = tf.io.TFRecordWriter(self._path)
        file.write(self._event(file_version=_FILE_VERSION))
        return file

    def _event(self, **fields: object) -> bytes:
        self.last_time = max(self.last_time, self._wall_clock())
        event: bytes = Event(wall_time=self.last_time, **fields).SerializeToString()
        return event
