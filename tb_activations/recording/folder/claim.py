"""Claiming a folder: nobody else records in it, and what is in it is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tensorboard.compat.proto.event_pb2 import Event

from tb_activations.events.assemble import decode
from tb_activations.events.reader import collect, thinned
from tb_activations.events.run import Run
from tb_activations.events.schema import RUN
from tb_activations.recording.folder import files, storage
from tb_activations.recording.folder.lock import FolderLock

RESUMED_RECORDS = 4096
"""Of a run that is continued at most this many records are read, evenly spaced."""


class TakenFolderError(RuntimeError):
    """Another training records in the folder, or another `LayerHealth` of this process has begun to."""


class Claim:
    """The right to record in a folder, from `claim_folder` to `release`.

    Attributes:
        log_dir: the folder.
        present: event files that were in the folder when it was claimed.
        last_time: wall time of the last record that was read from them, 0 before any was.
    """

    def __init__(self, log_dir: str, lock: FolderLock, owner: int | None) -> None:
        self.log_dir = log_dir
        self._lock, self._owner = lock, owner
        self.present = files.event_files(log_dir)
        self._runs = [path for path in self.present if files.holds_a_run(path)]
        self.last_time = 0.0

    @property
    def has_run(self) -> bool:
        """Whether event files with a run were in the folder."""
        return bool(self._runs)

    @property
    def is_new_folder(self) -> bool:
        """Whether the folder had no event files at all."""
        return not self.present

    @property
    def run_size(self) -> int:
        """Bytes of the run that was in the folder."""
        return files.size(self._runs)

    def run(self) -> Run | None:
        """The run that was in the folder, its records thinned to some thousands; None for none.

        Raises:
            UnreadableRunError: there is one that this version cannot read.
        """
        return self._decoded(files.events(self._runs), RESUMED_RECORDS)

    def outline(self) -> Run | None:
        """As `run`, but with the last record only: which model it is of, and how far it has come.

        Raises:
            UnreadableRunError: as in `run`.
        """
        return self._decoded(files.outline(self._runs), 1)

    def check(self) -> None:
        """Raises TakenFolderError if the folder is no longer claimed."""
        if not self._lock.is_held:
            raise TakenFolderError("another LayerHealth of this process has begun to record in the same folder")

    def release(self) -> None:
        """Lets others record in the folder."""
        self._lock.release()

    def renew(self, own: Sequence[str]) -> bool:
        """Claims the folder again after `release`; False if it is gone or taken, or if others wrote a run into it.

        Args:
            own: event files that the claimant wrote.
        """
        lock = FolderLock.acquire(self.log_dir, self._owner) if storage.is_folder(self.log_dir) else None
        if lock is None:
            return False
        self._lock = lock
        present = files.event_files(self.log_dir)
        strangers = sorted({*present} - {*self.present, *own})
        if {*own} <= {*present} and not any(map(files.holds_a_run, strangers)):
            self.present = [path for path in present if path not in own]
            return True
        lock.release()
        return False

    def _decoded(self, events: Iterable[Event], limit: int) -> Run | None:
        series = collect(thinned(events, limit))
        if RUN not in series:
            return None
        run = decode(series)
        if len(run.wall_times):
            self.last_time = max(self.last_time, float(run.wall_times.max()))
        return run


def claim_folder(log_dir: str, owner: int | None = None) -> Claim:
    """Claims a folder, which is made if missing.

    Args:
        log_dir: the folder.
        owner: identifier of the thread that trains, None for this one.

    Raises:
        TakenFolderError: another training is recording in the folder.
        OSError, tf.errors.OpError: the folder cannot be made or read.
    """
    storage.make_folders(log_dir)
    lock = FolderLock.acquire(log_dir, owner)
    if lock is None:
        raise TakenFolderError("another training is recording in the folder")
    try:
        return Claim(log_dir, lock, owner)
    except BaseException:
        lock.release()
        raise
