"""The path of a run's folder, from the argument `log_dir`."""

from __future__ import annotations

import os

import tensorflow as tf

from tb_activations.recording.folder import storage
from tb_activations.recording.folder.lock import is_remote
from tb_activations.records.arguments import invalid

_ALLOWED = "the path of a folder, which is made if it does not exist"


def resolved_log_dir(log_dir: str | os.PathLike[str]) -> str:
    """The path that `log_dir` names now: absolute, without `~`, `file://` or a slash at its end.

    Paths with another scheme stay as they are, and so does an empty one.
    """
    path = os.fspath(log_dir)
    if path.startswith("file://"):
        # The part before the path is the name of a machine.
        path = "/" + path.removeprefix("file://").partition("/")[2]
    if is_remote(path):
        scheme, _, place = path.partition("://")
        return f"{scheme}://{place.rstrip('/')}"
    return os.path.abspath(os.path.expanduser(path)) if path else path


def check_log_dir(log_dir: str) -> None:
    """Raises ValueError, naming `log_dir`, if no event file can be put there: it is a file, or of no known filesystem.

    A filesystem that fails just now is no reason: it may work when it is needed.
    """
    if not log_dir:
        raise invalid("log_dir", repr(log_dir), _ALLOWED)
    try:
        storage.check_known(log_dir)
        is_taken = storage.is_file(log_dir)
    except ValueError as error:
        raise invalid("log_dir", f"{log_dir!r} ({error})", _ALLOWED) from error
    except (OSError, tf.errors.OpError):
        return
    if is_taken:
        raise invalid("log_dir", f"{log_dir!r} is a file", _ALLOWED)
