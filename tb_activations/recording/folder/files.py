"""Event files already in a folder, on every filesystem that TensorFlow knows. Other writers' files stay unread."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event

from tb_activations.events.errors import UnreadableRunError
from tb_activations.events.record_file import DamagedFileError, records_in
from tb_activations.events.schema import LAYERS, RUN, STATE
from tb_activations.recording.folder import storage
from tb_activations.recording.folder.lock import is_remote

LARGEST_RUN = 2**30
"""Bytes of a run that may be read before a training; a larger run is not continued."""
_FIRST_RECORDS = 64
"""The description of a run is among the first events of its file."""
_HEAD = 65_536
_RECORD_HEAD = 256
"""The name of the first tag is within this many bytes of a record."""
_BATCH = 512
_OURS = b"layer_health/"
_METADATA = b'{"schema": '
"""The beginning of the metadata of our tags."""

Wanted = Callable[[bytes], bool]


def event_files(folder: str) -> list[str]:
    """Paths of everything in the folder that has the name of an event file, sorted."""
    return [os.path.join(folder, name) for name in sorted(storage.listed(folder)) if "tfevents" in name]


def holds_a_run(path: str) -> bool:
    """Whether the file's first events describe a run; False for what cannot be read: a link to nothing, a folder."""
    # Opening anything but a regular file may block.
    if not is_remote(path) and not os.path.isfile(path):
        return False
    try:
        with storage.opened(path) as file:
            return any(RUN.encode() in head for head in _record_heads(file))
    except (OSError, tf.errors.OpError):
        return False


def size(paths: Sequence[str]) -> int:
    """Bytes of the files together."""
    return sum(map(storage.length, paths))


def events(paths: Sequence[str], wanted: Wanted = lambda record: _OURS in record) -> Iterator[Event]:
    """The wanted events of the files, each file up to its first damaged or half-written record.

    Raises:
        UnreadableRunError: the files are larger than `LARGEST_RUN`.
    """
    if size(paths) > LARGEST_RUN:
        raise UnreadableRunError(f"the event files are larger than {LARGEST_RUN >> 20} MiB")
    for path in paths:
        for record in _records(path):
            if wanted(record):
                try:
                    yield Event.FromString(record)
                except DecodeError:
                    break


def outline(paths: Sequence[str]) -> Iterator[Event]:
    """The events that identify a run and its progress: descriptions, metadata, states, and the last record."""
    last: list[bytes] = []

    def is_telling(record: bytes) -> bool:
        if LAYERS.encode() in record:
            last[:] = [record]
        return any(part in record for part in (RUN.encode(), STATE.encode(), _METADATA))

    yield from events(paths, is_telling)
    for record in last:
        try:
            yield Event.FromString(record)
        except DecodeError:
            return


def _record_heads(file: Any) -> Iterator[bytes]:
    """The first bytes of the first records; a record is its length, 8 bytes, a checksum of 4, the event, another 4."""
    head, start = file.read(_HEAD), 0
    is_whole = len(head) < _HEAD
    for _ in range(_FIRST_RECORDS):
        begin = start + 12
        if is_whole or begin + _RECORD_HEAD <= len(head):
            rest = head[start : begin + _RECORD_HEAD]
        else:
            file.seek(start)
            rest = file.read(12 + _RECORD_HEAD)
        if len(rest) < 12:
            return
        (length,) = struct.unpack("<Q", rest[:8])
        yield rest[12 : 12 + min(length, _RECORD_HEAD)]
        start = begin + length + 4
        if start >= 2**62:
            return


def _records(path: str) -> Iterator[bytes]:
    if not is_remote(path):
        # TensorFlow takes 30 ms for each file, however small: half a second for a run of 15 trainings.
        with open(path, "rb") as file, contextlib.suppress(DamagedFileError):
            yield from records_in(file)
        return
    if not storage.is_of_tensorflow(path):
        with contextlib.suppress(DamagedFileError):
            yield from records_in(storage.read(path))
        return
    dataset, delivered = tf.data.TFRecordDataset(path, buffer_size=2**22), 0
    try:
        for batch in dataset.batch(_BATCH):
            records = batch.numpy()
            yield from records
            delivered += len(records)
    except tf.errors.DataLossError:
        # Records before the damage did not fill a batch.
        yield from _up_to_damage(dataset.skip(delivered))


def _up_to_damage(dataset: tf.data.Dataset) -> Iterator[bytes]:
    records = iter(dataset)
    # At most a batch: the damage is within it.
    for _ in range(_BATCH):
        try:
            yield next(records).numpy()
        except (StopIteration, tf.errors.DataLossError):
            return
