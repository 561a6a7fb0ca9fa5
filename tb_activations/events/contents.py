"""What an event file of any writer contains: tags with their kinds, steps and sizes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_activations.events import schema
from tb_activations.events.record_file import DamagedFileError, records

FRAME_BYTES = 16
"""Bytes of a record in addition to its content: length and two checksums."""

_OLD_KINDS = {"simple_value": "scalars", "image": "images", "histo": "histograms", "audio": "audio"}
"""Kinds by the field that a value without metadata uses."""

_PARTS = ("graph_def", "meta_graph_def", "tagged_run_metadata", "session_log", "log_message")
"""Fields of events that are no summaries."""


@dataclasses.dataclass(frozen=True)
class Tag:
    """The points of one tag in one file.

    Attributes:
        name: the tag; for an event that is no summary the name of its field.
        kind: the plugin that shows it, such as "scalars", or "event" for an event that is no summary.
        points: number of points.
        first_step, last_step: the lowest and the highest step.
        nbytes: size of the points.
        schema: schema version, for tags of this package.
    """

    name: str
    kind: str
    points: int
    first_step: int
    last_step: int
    nbytes: int
    schema: int | None = None

    def with_points_of(self, other: Tag) -> Tag:
        """The same tag with the points of both; the kind and the schema of `other`."""
        return dataclasses.replace(
            other,
            points=self.points + other.points,
            first_step=min(self.first_step, other.first_step),
            last_step=max(self.last_step, other.last_step),
            nbytes=self.nbytes + other.nbytes,
        )


@dataclasses.dataclass(frozen=True)
class FileContents:
    """What was found in one event file.

    Attributes:
        path: the file.
        nbytes: its size.
        events: number of events that could be read.
        tags: sorted by kind and name.
        writer: what the file says about its writer, "" if nothing.
        first_time, last_time: seconds since the epoch; NaN without an event.
        remark: what is wrong with the file, "" if nothing.
    """

    path: Path
    nbytes: int
    events: int
    tags: tuple[Tag, ...]
    writer: str
    first_time: float
    last_time: float
    remark: str


def file_contents(path: Path) -> FileContents:
    """Reads a file as far as it goes.

    Raises:
        OSError: the file cannot be read.
    """
    reading = _Reading(path)
    for event in reading.events():
        reading.add(event)
    return reading.contents()


class _Reading:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._tags: dict[str, Tag] = {}
        self._kinds: dict[str, tuple[str, int | None]] = {}
        self._times: list[float] = []
        self._events = self._bytes = 0
        self._writer = self._damage = ""

    def events(self) -> Iterator[Event]:
        try:
            for content in records(self._path):
                event = Event.FromString(content)
                self._bytes += len(content) + FRAME_BYTES
                self._events += 1
                yield event
        except (DamagedFileError, DecodeError) as error:
            self._damage = str(error)

    def add(self, event: Event) -> None:
        if math.isfinite(event.wall_time):
            self._times = [*self._times[:1], event.wall_time]
        self._writer = self._writer or event.source_metadata.writer
        for field in _PARTS:
            if event.HasField(field):
                self._add(Tag(field, "event", 1, event.step, event.step, event.ByteSize()))
        for value in event.summary.value:
            kind, version = self._kind(value)
            self._add(Tag(value.tag, kind, 1, event.step, event.step, value.ByteSize(), version))

    def _kind(self, value: Summary.Value) -> tuple[str, int | None]:
        """The kind of a value and its schema; only the first value of a tag needs to state them."""
        plugin = value.metadata.plugin_data
        if value.tag not in self._kinds or plugin.plugin_name:
            kind = plugin.plugin_name or _OLD_KINDS.get(value.WhichOneof("value") or "", "tensors")
            version = schema.version(plugin.content) if kind == schema.PLUGIN_NAME else None
            self._kinds[value.tag] = (kind, version)
        return self._kinds[value.tag]

    def _add(self, point: Tag) -> None:
        known = self._tags.get(point.name)
        self._tags[point.name] = known.with_points_of(point) if known is not None else point

    def contents(self) -> FileContents:
        size = self._path.stat().st_size
        return FileContents(
            path=self._path,
            nbytes=size,
            events=self._events,
            tags=tuple(sorted(self._tags.values(), key=lambda tag: (tag.kind, tag.name))),
            writer=self._writer,
            first_time=self._times[0] if self._times else math.nan,
            last_time=self._times[-1] if self._times else math.nan,
            remark=self._remark(size),
        )

    def _remark(self, size: int) -> str:
        if not size:
            return "empty"
        if self._damage and not self._events:
            return f"not an event file, or damaged at its beginning: {self._damage}"
        if self._damage:
            return f"damaged; read up to there: {self._damage}"
        if self._bytes < size:
            left = f"{size - self._bytes:,} bytes of an incomplete record"
            return f"ends with {left}: it is still being written, or was cut off"
        return "" if self._tags else "no summaries"
