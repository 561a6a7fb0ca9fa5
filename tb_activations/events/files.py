"""Finds the folders and files that hold runs of this package, without TensorFlow.

An event file belongs to this package if the description of a run (`layer_health/run`) is among its first events. Only
these events are read from files of other writers.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event

from tb_activations.events import schema
from tb_activations.events.record_file import DamagedFileError, records

FIRST_EVENTS = 64
"""Events read to decide whether this package wrote a file."""
_DAMAGED_BYTES = 2**20
"""Bytes searched for our tag name in a file that is damaged before its description."""


@dataclasses.dataclass(frozen=True)
class Folder:
    """One folder at or below a log directory.

    Attributes:
        path: starts with the log directory as given.
        files: event files, sorted by name.
        closed: why the folder cannot be listed, "" if it can.
    """

    path: Path
    files: tuple[Path, ...] = ()
    closed: str = ""


def folders(top: Path) -> Iterator[Folder]:
    """`top` and every folder below it, each once, parents first; nothing if `top` is not a folder.

    Links are followed last, so that a folder below `top` is listed under its own name.
    """
    own, linked, seen = [top] if os.path.isdir(top) else [], deque[Path](), set[str]()
    # Terminates, even with circular links: each real folder is listed once, and only listing adds to the queues.
    while own or linked:
        path = own.pop() if own else linked.popleft()
        real = os.path.realpath(path)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = _entries(path)
            below = [entry for entry in entries if _is_folder(entry)]
        except OSError as error:
            yield Folder(path, closed=error.strerror or str(error))
            continue
        own += [path / entry.name for entry in reversed(below) if not entry.is_symlink()]
        linked += [path / entry.name for entry in below if entry.is_symlink()]
        yield Folder(path, tuple(path / entry.name for entry in entries if _is_event_file(entry)))


def event_files(folder: Path) -> list[Path]:
    """The event files of any writer in `folder`, sorted by name.

    Regular files and links to regular files; dangling links and folders with such a name are skipped.

    Raises:
        OSError: the folder cannot be listed.
    """
    return [folder / entry.name for entry in _entries(folder) if _is_event_file(entry)]


def is_ours(path: Path) -> bool:
    """Whether this package wrote the event file, judged by its first events.

    Raises:
        OSError: the file cannot be read.
    """
    return next(own_events(path), None) is not None


def own_events(path: Path) -> Iterator[Event]:
    """The events of a file that this package wrote, no events for other files; the file is opened once.

    Reading stops at a damaged or incomplete record; a warning names the damage. A file of this package that is damaged
    before its description yields one empty event.

    Raises:
        OSError: the file cannot be read.
    """
    damage: list[str] = []
    events = _events(path, damage)
    first: list[Event] = []
    is_described = False
    for event in islice(events, FIRST_EVENTS):
        first.append(event)
        is_described = any(value.tag == schema.RUN for value in event.summary.value)
        if is_described:
            break
    if is_described:
        yield from first
        yield from events
    elif damage and _names_us(path):
        yield Event()
    else:
        # Damage in files of other writers is not ours to report.
        return
    for reason in damage:
        warnings.warn(f"{path} is damaged; read up to there: {reason}", stacklevel=2)


def _events(path: Path, damage: list[str]) -> Iterator[Event]:
    try:
        for content in records(path):
            yield Event.FromString(content)
    except (DamagedFileError, DecodeError) as error:
        damage.append(str(error))


def _names_us(path: Path) -> bool:
    with path.open("rb") as file:
        return schema.RUN.encode() in file.read(_DAMAGED_BYTES)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # os.path.isdir is False for dangling and circular links, where the entry's own method raises.
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _is_event_file(entry: os.DirEntry[str]) -> bool:
    return "tfevents" in entry.name and os.path.isfile(entry.path)
