"""Event files, on every filesystem that TensorFlow or TensorBoard knows."""

from __future__ import annotations

import itertools
import math
import os
import re
import socket
import time
from collections.abc import Callable, Sequence

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.recording.folder.claim import Claim
from tb_activations.recording.folder.heads import Heads
from tb_activations.recording.folder.lock import is_remote
from tb_activations.recording.folder.storage import RecordWriter, exists, record_writer
from tb_activations.recording.folder.uploads import Start, Uploads, at_once

FLUSH_SECONDS = 5.0
REMOTE_SECONDS, REMOTE_SHARE = 60.0, 0.01
"""Between two remote files this time passes, or this share of the time so far if that is more: 700 files in a month."""
REMOTE_BYTES = 2**24
"""More is not kept in memory until it is uploaded."""
_FILE_VERSION = "brain.Event:2"
_counter = itertools.count()

Clock = Callable[[], float]


class RunWriter:
    """Writes summaries into a new event file of a claimed folder; they are on disk after at most a few seconds.

    The file sorts after those that are in the folder already, and wall times never go back, whatever the clock does.

    Remote filesystems upload a file as a whole, again whenever it is flushed. There every flush writes another file, so
    that all bytes are uploaded once, and comes after a minute or more; at the beginning sooner.

    Args:
        claim: the folder.
        clock: seconds; decides when to flush between the flushes that the caller asks for.
        wall_clock: seconds since the epoch, for the times of the records.
        not_before: wall time of the last record before this file.
        waiting: events that an earlier writer of the folder could not upload.
        start: starts an upload.
    """

    def __init__(
        self,
        claim: Claim,
        clock: Clock,
        wall_clock: Clock = time.time,
        not_before: float = 0.0,
        waiting: Sequence[bytes] = (),
        start: Start = at_once,
    ) -> None:
        self._claim = claim
        self._clock, self._wall_clock = clock, wall_clock
        self.last_time = max(not_before, claim.last_time)
        self._file: RecordWriter | None = None
        self._is_remote = is_remote(claim.log_dir)
        self._own: list[str] = []
        self._heads, self._last_step = Heads(), -1
        self._waiting = list(waiting)
        self._uploads = Uploads(start)
        self._begun = self._flushed = math.nan

    def write(self, summary: Summary, step: int) -> None:
        """Appends one event.

        Raises:
            TakenFolderError: the folder is no longer this writer's.
            OSError, tf.errors.OpError: the file cannot be written.
        """
        if self._is_remote:
            self._waiting += self._head()
            summary = self._heads.completed(summary)
        self._append(summary=summary, step=step)
        if self._is_due():
            self._put()

    def restart(self, step: int) -> None:
        """Tells TensorBoard to drop everything in earlier files from this step on.

        Raises:
            TakenFolderError, OSError, tf.errors.OpError: as in `write`.
        """
        self._append(session_log=SessionLog(status=SessionLog.START), step=step)

    def flush(self) -> None:
        """Puts everything written so far on disk; on a remote filesystem only if the last time was long ago.

        Raises:
            TakenFolderError: the folder is no longer this writer's.
            FileNotFoundError: the event file has been deleted, and what was in it.
            OSError, tf.errors.OpError: the file cannot be written.
        """
        self._claim.check()
        if not self._is_remote or self._is_due():
            self._put()

    def rest(self) -> None:
        """Puts everything on disk and lets others write into the folder; `resume` may follow."""
        self._claim.check()
        self._put()
        self._uploads.end()
        self._claim.release()

    def resume(self) -> bool:
        """Whether this file may be continued: no run has been written into the folder since `rest`."""
        return self._claim.renew(self._own)

    def close(self) -> None:
        """Closes the file and gives the folder back.

        Raises:
            OSError, tf.errors.OpError: what was not flushed cannot be written.
        """
        self._claim.release()
        file, self._file = self._file, None
        if file is not None:
            file.close()
        self._uploads.end()
        if self._waiting:
            self._upload()
            self._uploads.end()

    def take_back(self) -> list[bytes]:
        """Events, in their serialized form, that this writer has not uploaded and does not try to any more."""
        events, self._waiting = [*self._uploads.take_back(), *self._waiting], []
        return events

    def _is_due(self) -> bool:
        now, wait = self._clock(), FLUSH_SECONDS
        if self._is_remote:
            if sum(map(len, self._waiting)) > REMOTE_BYTES:
                return True
            if self._uploads.is_running:
                # What comes meanwhile goes into the next file.
                return False
            elapsed = now - self._begun
            wait = max(FLUSH_SECONDS, min(elapsed / 2, REMOTE_SECONDS), elapsed * REMOTE_SHARE)
        # The very first event is flushed at once: it is what makes the tab appear. A clock may go back.
        return not 0 <= now - self._flushed < wait

    def _put(self) -> None:
        if self._file is not None:
            self._file.flush()
            # Writing to a deleted file raises no error.
            if not exists(self._own[-1]):
                raise FileNotFoundError(f"the event file {self._own[-1]} has been deleted")
        elif self._waiting:
            self._upload()
        else:
            return
        self._flushed = self._clock()
        self._begun = self._flushed if math.isnan(self._begun) else self._begun

    def _upload(self) -> None:
        self._uploads.end()
        events, self._waiting = self._waiting, []
        self._uploads.begin(self._new_path(), self._event(file_version=_FILE_VERSION), events)
        if not self._uploads.is_running:
            self._uploads.end()

    def _append(self, *, step: int, **fields: object) -> None:
        self._claim.check()
        if self._is_remote:
            self._waiting.append(self._event(step=step, **fields))
        else:
            self._file = self._file or self._create()
            self._file.write(self._event(step=step, **fields))
        self._last_step = max(self._last_step, step)

    def _head(self) -> list[bytes]:
        """What a file begins with that is not the first, if the next event is its first."""
        description = None if self._waiting else self._heads.begin()
        # A description withdraws what was written before for its step and later ones: here, nothing.
        return [] if description is None else [self._event(summary=description, step=self._last_step + 1)]

    def _create(self) -> RecordWriter:
        file = record_writer(self._new_path())
        file.write(self._event(file_version=_FILE_VERSION))
        return file

    def _new_path(self) -> str:
        earlier = [*self._claim.present, *self._own]
        seconds = [int(found[1]) for path in earlier if (found := re.search(r"tfevents\.(\d{1,15})(?!\d)", path))]
        second = max(int(self._wall_clock()), max(seconds, default=0) + 1)
        name = f"events.out.tfevents.{second:010d}.{socket.gethostname()}.{os.getpid()}.{next(_counter)}"
        self._own.append(os.path.join(self._claim.log_dir, name))
        return self._own[-1]

    def _event(self, **fields: object) -> bytes:
        self.last_time = max(self.last_time, self._wall_clock())
        event: bytes = Event(wall_time=self.last_time, **fields).SerializeToString()
        return event
