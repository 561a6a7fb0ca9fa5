"""One event file of our own, written by TensorFlow: its framing, its checksums, every filesystem it knows."""

from __future__ import annotations

import itertools
import logging
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.events.assemble import decode
from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.folder_lock import FolderLock
from tb_activations.events.reader import collect, thinned
from tb_activations.events.run import Run
from tb_activations.events.schema import RUN
from tb_activations.health.records import RunSpec

_LOGGER = logging.getLogger("tb_activations")

FLUSH_SECONDS = 5.0
RESUMED_RECORDS = 4096
"""Of a run that is continued so many records are looked at, evenly spaced, whatever its length."""
_FILE_VERSION = "brain.Event:2"
_counter = itertools.count()

Clock = Callable[[], float]


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
    """Another `LayerHealth` of this process has begun to record in the same folder."""


class RunWriter:
    """Writes summaries into a new event file; what is written is on disk after at most a few seconds.

    The file sorts behind those that are in the folder already, and wall times never go back, whatever the clock does.
    A folder that another training is writing into is left alone: this run gets a new one inside it.

    Args:
        log_dir: folder of the run, made if missing.
        clock: seconds; decides when to flush between the flushes that the caller asks for.
        wall_clock: seconds since the epoch, for the times of the records.
        not_before: wall time of the last record before this file.

    Raises:
        OSError, tf.errors.OpError: the folder cannot be written.
    """

    def __init__(self, log_dir: str, clock: Clock, wall_clock: Clock = time.time, not_before: float = 0.0) -> None:
        self.log_dir = log_dir
        self._clock, self._wall_clock = clock, wall_clock
        self.last_time = not_before
        self._file: tf.io.TFRecordWriter | None = None
        self._path = ""
        self._flushed: float | None = None
        self._take(log_dir)

    @property
    def has_earlier(self) -> bool:
        """Whether event files of others were in the folder before."""
        return bool(self._before)

    def earlier(self) -> Run | None:
        """The run that was in the folder before this file, its records thinned to some thousands; None for none.

        Raises:
            UnreadableRunError: there is one that this version cannot read.
        """
        series = collect(thinned(_stored(self._before), RESUMED_RECORDS))
        if RUN not in series:
            return None
        run = decode(series)
        if len(run.wall_times):
            self.last_time = max(self.last_time, float(run.wall_times.max()))
        return run

    def beside(self, fits: Callable[[RunSpec], bool], reason: str) -> Run | None:
        """Goes on in the next folder inside this one that holds no run or one that fits; gives that run, or None."""
        top = self.log_dir
        self.close()
        for folder in _inner(top):
            if not self._acquire(folder):
                continue
            found = self._fitting(fits)
            if found is not False:
                _tell_apart(top, folder, reason)
                return found if isinstance(found, Run) else None
            self._lock.release()
        raise AssertionError("folders never end")

    def write(self, summary: Summary, step: int) -> None:
        """Appends one event.

        Raises:
            TakenFolderError: the folder is no longer this writer's.
            OSError, tf.errors.OpError: the file cannot be written.
        """
        self._check_lock()
        if self._file is None:
            self._file = self._create()
        self._file.write(self._event(step=step, summary=summary))
        # The very first event is flushed at once: it is what makes the tab appear. A clock may go back.
        if self._flushed is None or not 0 <= self._clock() - self._flushed < FLUSH_SECONDS:
            self.flush()

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
        """Whether this file may be gone on with: nobody has written into the folder since `rest`."""
        lock = FolderLock.acquire(self.log_dir) if tf.io.gfile.isdir(self.log_dir) else None
        if lock is None:
            return False
        self._lock = lock
        own = [self._path] if self._file is not None else []
        if _event_files(self.log_dir) == [*self._before, *own]:
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

    def _take(self, log_dir: str) -> None:
        if not self._acquire(log_dir):
            reason = "another training is recording there"
            for folder in _inner(log_dir):
                if self._acquire(folder):
                    if not self._before:
                        _tell_apart(log_dir, folder, reason)
                        return
                    self._lock.release()

    def _acquire(self, folder: str) -> bool:
        tf.io.gfile.makedirs(folder)
        lock = FolderLock.acquire(folder)
        if lock is None:
            return False
        self._lock, self.log_dir, self._before = lock, folder, _event_files(folder)
        return True

    def _fitting(self, fits: Callable[[RunSpec], bool]) -> Run | bool:
        try:
            run = self.earlier()
        except UnreadableRunError:
            return False
        return True if run is None else fits(run.spec) and run

    def _create(self) -> tf.io.TFRecordWriter:
        seconds = [int(found[1]) for path in self._before if (found := re.search(r"tfevents\.(\d+)", path))]
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


def _inner(folder: str) -> Iterator[str]:
    return (os.path.join(folder, f"run-{number}") for number in itertools.count(2))


def _tell_apart(top: str, folder: str, reason: str) -> None:
    _LOGGER.warning(
        "Layer health: %r is left as it is, since %s; this training is recorded in %r. "
        "Give every training a log_dir of its own.",
        top,
        reason,
        folder,
    )


def _event_files(folder: str) -> list[str]:
    return [os.path.join(folder, name) for name in sorted(tf.io.gfile.listdir(folder)) if "tfevents" in name]


def _stored(paths: Sequence[str]) -> Iterator[Event]:
    """The events of the files, each up to its first damaged or half-written record."""
    for path in paths:
        records = iter(tf.data.TFRecordDataset(path))
        while True:
            try:
                yield Event.FromString(next(records).numpy())
            except (StopIteration, tf.errors.DataLossError, DecodeError):
                break
