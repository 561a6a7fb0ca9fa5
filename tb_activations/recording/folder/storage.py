"""Files and folders on every filesystem that TensorFlow or TensorBoard knows.

TensorFlow comes first. Since 2.20 it has none for `s3://` any more; TensorBoard has one, which needs `boto3`, and
reaches all filesystems of `fsspec` if that is installed.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol

import tensorflow as tf
from tensorboard.compat.tensorflow_stub import errors
from tensorboard.compat.tensorflow_stub.io import gfile

from tb_activations.events.record_file import framed
from tb_activations.recording.folder.lock import is_remote


class RecordWriter(Protocol):
    """Writes records into a new file."""

    def write(self, record: bytes) -> None:
        """Appends a record."""

    def flush(self) -> None:
        """Puts the records so far on disk."""

    def close(self) -> None:
        """Puts all records on disk."""


def is_of_tensorflow(path: str) -> bool:
    """Whether TensorFlow knows the filesystem of this path."""
    return not is_remote(path) or path.partition("://")[0] in tf.io.gfile.get_registered_schemes()


def check_known(path: str) -> None:
    """Raises ValueError if neither TensorFlow nor TensorBoard can use this path as a folder."""
    if not is_of_tensorflow(path):
        scheme, _, place = path.partition("://")
        try:
            gfile.get_filesystem(path)
        except (ValueError, ImportError) as error:
            hint = "pip install boto3" if scheme == "s3" else "install fsspec and what it needs for this scheme"
            raise ValueError(f"file system scheme {scheme!r} not implemented; {hint}") from error
        if scheme == "s3" and "/" not in place:
            raise ValueError("give a folder below the bucket")


def exists(path: str) -> bool:
    """Whether there is a file or folder at this path."""
    if is_of_tensorflow(path):
        return bool(tf.io.gfile.exists(path))
    return is_folder(path) or is_file(path)


def is_file(path: str) -> bool:
    """Whether there is a file at this path."""
    if is_of_tensorflow(path):
        return bool(tf.io.gfile.exists(path)) and not tf.io.gfile.isdir(path)
    try:
        # TensorBoard's `exists` takes any longer path for the same one.
        _through_tensorboard(lambda: gfile.stat(path))
    except FileNotFoundError:
        return False
    return not is_folder(path)


def is_folder(path: str) -> bool:
    """Whether there is a folder at this path."""
    return bool(tf.io.gfile.isdir(path) if is_of_tensorflow(path) else _through_tensorboard(lambda: gfile.isdir(path)))


def listed(folder: str) -> list[str]:
    """Names in the folder; on some filesystems those of folders end with a slash."""
    own = is_of_tensorflow(folder)
    names = tf.io.gfile.listdir(folder) if own else _through_tensorboard(lambda: gfile.listdir(folder))
    return [str(name) for name in names]


def make_folders(path: str) -> None:
    """Makes a folder and those above it."""
    if is_of_tensorflow(path):
        tf.io.gfile.makedirs(path)
    else:
        _through_tensorboard(lambda: gfile.makedirs(path))


def length(path: str) -> int:
    """Bytes of a file."""
    found = tf.io.gfile.stat(path) if is_of_tensorflow(path) else _through_tensorboard(lambda: gfile.stat(path))
    return int(found.length)


@contextlib.contextmanager
def opened(path: str) -> Iterator[Any]:
    """A file to read bytes from."""
    if is_of_tensorflow(path):
        with tf.io.gfile.GFile(path, "rb") as file:
            yield file
    else:
        yield read(path)


def read(path: str) -> BinaryIO:
    """All of a file of a filesystem that TensorFlow does not know."""
    content, _ = _through_tensorboard(lambda: gfile.get_filesystem(path).read(path, binary_mode=True))
    return io.BytesIO(content)


def record_writer(path: str) -> RecordWriter:
    """A new event file."""
    writer: RecordWriter = tf.io.TFRecordWriter(path) if is_of_tensorflow(path) else _Upload(path)
    return writer


class _Upload:
    """Keeps records until the file is closed, and then writes it at once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._records: list[bytes] = []

    def write(self, record: bytes) -> None:
        self._records.append(framed(record))

    def flush(self) -> None:
        """Nothing: the file would be uploaded as a whole each time."""

    def close(self) -> None:
        content = b"".join(self._records)
        _through_tensorboard(lambda: gfile.get_filesystem(self._path).write(self._path, content, binary_mode=True))


def _through_tensorboard(action: Callable[[], Any]) -> Any:
    """Runs the action; whatever fails there, each library with errors of its own, is an `OSError`."""
    try:
        return action()
    except errors.NotFoundError as error:
        raise FileNotFoundError(str(error)) from error
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
