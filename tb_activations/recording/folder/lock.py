"""Allows one training at a time in a folder, by a lock that the system releases when the process dies."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import weakref

try:
    import fcntl
except ImportError:  # Windows: the lock works within one process, not between processes.
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".layer_health.lock"
_WITHOUT_LOCKS = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL}
"""Errors of a filesystem without locks. A training there runs without one rather than not at all."""

# `flock` cannot distinguish a finished training of this thread from a running one, so the locks of this process are
# tracked here as well. Weakly: a lock that nothing refers to any more must not block the folder.
_held: weakref.WeakValueDictionary[str, FolderLock] = weakref.WeakValueDictionary()
_guard = threading.Lock()


class FolderLock:
    """The right to write into a folder.

    Between processes the system manages the lock (`flock` on a file in the folder), so a killed process never blocks
    the next one. Folders on remote filesystems, whose path has a scheme, are guarded only within the process. A lock
    held by the same thread is taken over: its training is finished, or was interrupted without releasing the lock.
    """

    def __init__(self, key: str, descriptor: int | None, owner: int) -> None:
        self._key, self._descriptor = key, descriptor
        self._owner = owner
        # Closing the file releases the lock. The finalizer also does so for a lock that nobody releases.
        self._close = weakref.finalize(self, _close, descriptor)

    @classmethod
    def acquire(cls, folder: str, owner: int | None = None) -> FolderLock | None:
        """The lock of an existing folder; None while another training holds it.

        Args:
            folder: its path.
            owner: identifier of the thread that trains, None for this one.

        Raises:
            OSError: the lock's file cannot be made.
        """
        # Two paths to the same folder must meet in one lock.
        key = folder if is_remote(folder) else os.path.realpath(folder)
        owner = threading.get_ident() if owner is None else owner
        with _guard:
            holder = _held.get(key)
            if holder is not None and holder._is_of_another_living_thread(owner):
                return None
            if holder is not None:
                # Released first: within one process, a second `flock` on the same file fails while it is held.
                holder.release()
            try:
                descriptor = None if is_remote(folder) else _locked_file(folder)
            except BlockingIOError:
                return None
            _held[key] = lock = cls(key, descriptor, owner)
            return lock

    @property
    def is_held(self) -> bool:
        """Whether this lock still counts, that is, no later one has replaced it."""
        return _held.get(self._key) is self

    def release(self) -> None:
        """Releases it; does nothing if it is not held."""
        if self.is_held:
            del _held[self._key]
        self._close()

    def forget(self) -> None:
        """Closes the file in a forked child. The lock belongs to the parent and ends with it."""
        self._close()

    def _is_of_another_living_thread(self, owner: int) -> bool:
        # A thread that has ended cannot be training, even if it never released the lock.
        living = {thread.ident for thread in threading.enumerate()}
        return self._owner != owner and self._owner in living


def is_remote(folder: str) -> bool:
    """Whether the path has a scheme, such as `gs://`."""
    return "://" in folder


def _locked_file(folder: str) -> int | None:
    if fcntl is None:
        return None
    descriptor = os.open(os.path.join(folder, LOCK_FILE), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Not left to the garbage collector: each attempt at a taken folder would leak a file.
        os.close(descriptor)
        if error.errno in _WITHOUT_LOCKS:
            return None
        raise
    return descriptor


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _forget_all() -> None:
    global _guard
    # Another thread may have held the guard at the fork; it does not exist in the child and would never release it.
    _guard = threading.Lock()
    for lock in list(_held.values()):
        lock.forget()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
