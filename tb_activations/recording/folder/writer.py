"""One event file of our own, written by TensorFlow: its framing, its checksums, every filesystem it knows."""

from __future__ import annotations

import itertools
import os
import re
import socket
import time
from collections.abc import Callable, Iterable

import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.events.assemble import decode
from tb_activations.events.reader import collect, thinned
from tb_activations.events.run import Run
from tb_activations.events.schema import RUN
from tb_activations.recording.folder import files
from tb_activations.recording.folder.lock import FolderLock, is_remote

FLUSH_SECONDS = 5.0
RESUMED_RECORDS = 4096
"""Of a run that is continued so many records are looked at, evenly spaced, whatever its length."""
_FILE_VERSION = "brain.Event:2"
_counter = itertools.count()

Clock = Callable[[], float]


def resolved_log_dir(log_dir: str | os.PathLike[str]) -> str:
    """The path of the folder that `log_dir` names now: absolute, without `~`, `file://` or a slash at its end.

    Paths with another scheme stay as they are, and so does one that is empty.
    """
    path = os.fspath(log_dir)
    if path.startswith("file://"):
        # What stands before the path is the name of a machine.
        path = "/" + path.removeprefix("file://").partition("/")[2]
    if is_remote(path):
        scheme, _, place = path.partition("://")
        return f"{scheme}://{place.rstrip('/')}"
    return os.path.abspath(os.path.expanduser(path)) if path else path


def check_log_dir(log_dir: str) -> None:
    """Raises ValueError, naming `log_dir`, if no event file can be put there: it is no folder, or of no filesystem.

    A filesystem that fails just now is no reason: it may work when it is needed.
    """
    allowed = "Allowed is the path of a folder, which is made if it does not exist."
    if not log_dir:
        raise ValueError(f"Invalid value for argument `log_dir`: {log_dir!r}. Allowed is the path of a folder.")
    try:
        is_file = tf.io.gfile.exists(log_dir) and not tf.io.gfile.isdir(log_dir)
    except tf.errors.UnimplementedError as error:
        raise ValueError(f"Invalid value for argument `log_dir`: {log_dir!r} ({error.message}). {allowed}") from error
    except tf.errors.OpError:
        return
    if is_file:
        raise ValueError(f"Invalid value for argument `log_dir`: {log_dir!r} is a file. {allowed}")


class TakenFolderError(RuntimeError):
    """Another training records in the folder, or another `LayerHealth` of this process has begun to."""


class RunWriter:
    """Writes summaries into a new event file; what is written is on disk after at most a few seconds.

    The file sorts behind those that are in the folder already, and wall times never go back, whatever the clock does.

    Args:
        log_dir: folder of the run, made if missing.
        clock: seconds; decides when to flush between the flushes that the caller asks for.
        wall_clock: seconds since the epoch, for the times of the records.
        not_before: wall time of the last record before this file.
        owner: identifier of the thread that trains, None for this one.

    Raises:
        TakenFolderError: another training is recording in the folder.
        OSError, tf.errors.OpError: the folder cannot be written.
    """

    def __init__(
        self,
        log_dir: str,
        clock: Clock,
        wall_clock: Clock = time.time,
        not_before: float = 0.0,
        owner: int | None = None,
    ) -> None:
        self.log_dir = log_dir
        self._clock, self._wall_clock = clock, wall_clock
        self.last_time = not_before
        self._owner = owner
        self._file: tf.io.TFRecordWriter | None = None
        self._path = ""
        self._flushed: float | None = None
        tf.io.gfile.makedirs(log_dir)
        lock = FolderLock.acquire(log_dir, owner)
        if lock is None:
            raise TakenFolderError("another training is recording in the folder")
        self._lock = lock
        self._known = files.event_files(log_dir)
        self._before = [path for path in self._known if files.holds_a_run(path)]

    @property
    def has_earlier(self) -> bool:
        """Whether event files with a run were in the folder before."""
        return bool(self._before)

    @property
    def is_in_new_folder(self) -> bool:
        """Whether no event files at all were in the folder before."""
        return not self._known

    @property
    def earlier_size(self) -> int:
        """Bytes of the run that was in the folder before."""
        return files.size(self._before)

    def earlier(self) -> Run | None:
        """The run that was in the folder before this file, its records thinned to some thousands; None for none.

        Raises:
            UnreadableRunError: there is one that this version cannot read.
        """
        return self._decoded(files.events(self._before), RESUMED_RECORDS)

    def outline(self) -> Run | None:
        """As `earlier`, but with the last record only: what it is a run of, and where it stands.

        Raises:
            UnreadableRunError: as in `earlier`.
        """
        return self._decoded(files.outline(self._before), 1)

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
        """Tells TensorBoard that what stands in earlier files from this step on does not count any more.

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
        self._check_lock()
        if self._file is None:
            return
        self._file.flush()
        # What goes into a deleted file is gone, without an error.
        if not tf.io.gfile.exists(self._path):
            raise FileNotFoundError(f"the event file {self._path} has been deleted")
        self._flushed = self._clock()

    def rest(self) -> None:
        """Flushes and lets others write into the folder; `resume` may follow."""
        self.flush()
        self._lock.release()

    def resume(self) -> bool:
        """Whether this file may be continued: no run has been written into the folder since `rest`."""
        lock = FolderLock.acquire(self.log_dir, self._owner) if tf.io.gfile.isdir(self.log_dir) else None
        if lock is None:
            return False
        self._lock = lock
        present, own = files.event_files(self.log_dir), {self._path} if self._file is not None else set()
        if own <= set(present) and not any(map(files.holds_a_run, sorted({*present} - {*self._known, *own}))):
            self._known = [path for path in present if path not in own]
            return True
        lock.release()
        return False

    def close(self) -> None:
        """Closes the file and gives the folder back.

        Raises:
            OSError, tf.errors.OpError: what was not flushed cannot be written.
        """
        self._lock.release()
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _check_lock(self) -> None:
        if not self._lock.is_held:
            raise TakenFolderError("another LayerHealth of this process has begun to record in the same folder")

    def _append(self, **fields: object) -> None:
        self._check_lock()
        if self._file is None:
            self._file = self._create()
        self._file.write(self._event(**fields))

    def _decoded(self, events: Iterable[Event], limit: int) -> Run | None:
        series = collect(thinned(events, limit))
        if RUN not in series:
            return None
        run = decode(series)
        if len(run.wall_times):
            self.last_time = max(self.last_time, float(run.wall_times.max()))
        return run

    def _create(self) -> tf.io.TFRecordWriter:
        seconds = [int(found[1]) for path in self._known if (found := re.search(r"tfevents\.(\d{1,15})(?!\d)", path))]
        second = max(int(self._wall_clock()), max(seconds, default=0) + 1)
        name = f"events.out.tfevents.{second:010d}.{socket.gethostname()}.{os.getpid()}.{next(_counter)}"
        self._path = os.path.join(self.log_dir, name)
        file = tf.io.TFRecordWriter(self._path)
        file.write(self._event(file_version=_FILE_VERSION))
        return file

    def _event(self, **fields: object) -> bytes:
        self.last_time = max(self.last_time, self._wall_clock())
        event: bytes = Event(wall_time=self.last_time, **fields).SerializeToString()
        return event
