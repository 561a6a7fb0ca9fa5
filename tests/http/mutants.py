"""Event files that nobody would write on purpose, made from one that somebody would."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.summary.writer.record_writer import RecordWriter

from tb_activations.events import schema

Mutation = Callable[[Path], object]
Edit = Callable[[Event, Summary.Value], object]

HUGE = 2**62
"""Values that a shape may claim. One of some billions would make TensorBoard itself, which repeats a single text for
each, take all memory of the machine; more than there can be it refuses."""
SHAPES: tuple[list[int], ...] = ([], [0], [-1], [1], [3], [7], [HUGE], [3, HUGE], [2**20], [1] * 40, [2, 2])
TEXTS = (
    b"",
    b"\xff",
    b"{}",
    b"[]",
    b"null",
    b"[" * 50_000,
    b'{"schema": 99, "columns": []}',
    b'{"schema": 1}',
    b"1" * 9999,
)
ODD: tuple[object, ...] = (
    None,
    True,
    -1,
    1.5,
    7,
    2**31,
    2**63,
    10**400,
    "",
    "NaN",
    "note",
    "x" * 10_000,
    [],
    [None],
    {},
)
TAGS = (*schema.COLUMNS, "feature_maps/dense_0", "<b>", "x" * 10_000, "../../etc/passwd", "a\x00\x1b\n", "")
STEPS = (-1, 0, 1, 7, 2**31, 2**63 - 1, -(2**63))
TIMES = (math.nan, math.inf, -math.inf, 0.0, -1.0, 1e300)


def records_of(content: bytes) -> list[bytes]:
    """The records of an undamaged event file."""
    found, place = [], 0
    while place < len(content):
        (length,) = struct.unpack("<Q", content[place : place + 8])
        found.append(content[place + 12 : place + 12 + length])
        place += 16 + length
    return found


def write_records(path: Path, records: Sequence[bytes]) -> None:
    """An event file of these records, whatever they hold, with the right checksums."""
    with path.open("wb") as file:
        writer = RecordWriter(file)
        for record in records:
            writer.write(record)


def write_mutant(log_dir: Path, name: str, mutation: Mutation) -> None:
    """Writes the only event file of a new run."""
    folder = log_dir / name
    folder.mkdir(parents=True)
    mutation(folder / "events.out.tfevents.1.mutant.1.0")


def mutations(content: bytes, *, are_events: bool = False) -> st.SearchStrategy[tuple[str, Mutation]]:
    """Ways to write a damaged or hostile file, each with the name of its kind.

    Args:
        content: of the undamaged file.
        are_events: whether records behind right checksums stay events. TensorBoard's Python loader gives up loading,
            for all runs, at the first that is none.
    """
    records = records_of(content)
    anywhere = st.floats(0, 1, exclude_max=True)
    # Behind a right checksum a damaged record reaches the decoder; without one the file ends there for the readers.
    spots = st.lists(st.tuples(anywhere, anywhere, st.binary(max_size=6)), min_size=1, max_size=4)
    kinds: dict[str, st.SearchStrategy[Mutation]] = {
        "field": st.lists(st.tuples(anywhere, anywhere, edits()), min_size=1, max_size=4).map(
            lambda made: partial(write_records, records=_edited(records, made))
        ),
        "record": spots.map(lambda made: partial(write_records, records=_damaged(records, made, are_events))),
        "order": st.lists(st.sampled_from(records), max_size=12).map(lambda own: partial(write_records, records=own)),
        "truncated": anywhere.map(lambda cut: _raw(content[: int(cut * len(content))])),
        "bits": st.lists(st.tuples(anywhere, st.integers(0, 7)), min_size=1, max_size=5).map(
            lambda flips: _raw(_flipped(content, flips))
        ),
        "foreign": st.binary(max_size=64).map(_raw)
        | st.sampled_from([b"\x89PNG\r\n\x1a\n" + content, b"\x00" * 4096, b"\xff" * 64, content + b"\x00" * 4096]).map(
            _raw
        ),
        "empty": st.just(_raw(b"")),
    }
    often = ["field"] * 10 + ["record"] * 4 + ["truncated", "bits"] * 3 + ["order"] * 2 + ["foreign", "empty"]
    return st.sampled_from(often).flatmap(lambda kind: kinds[kind].map(lambda mutation: (kind, mutation)))


def edits() -> st.SearchStrategy[Edit]:
    """Changes to one field of an event or of one of its values; what comes out is an event still."""
    texts, odd = st.sampled_from(TEXTS), st.tuples(st.integers(0, 999), st.sampled_from(ODD))
    return st.one_of(
        st.sampled_from(STEPS).map(lambda step: lambda event, value: setattr(event, "step", step)),
        st.sampled_from(TIMES).map(lambda time: lambda event, value: setattr(event, "wall_time", time)),
        st.sampled_from(TAGS).map(lambda tag: lambda event, value: setattr(value, "tag", tag)),
        st.sampled_from(SHAPES).map(lambda sizes: lambda event, value: _reshape(value, sizes)),
        st.sampled_from([0, 1, 2, 4, 7, 9, 19, 22]).map(
            lambda kind: lambda event, value: setattr(value.tensor, "dtype", kind)
        ),
        st.integers(0, 40).map(lambda size: lambda event, value: _cut(value, size)),
        texts.map(lambda text: lambda event, value: _retext(value, text)),
        odd.map(lambda pair: lambda event, value: _with_member(value, *pair)),
        st.sampled_from(["tensor", "metadata", "tag"]).map(lambda name: lambda event, value: value.ClearField(name)),
        st.just(lambda event, value: setattr(value, "simple_value", 1.0)),
        st.integers(0, 5).map(lambda kind: lambda event, value: setattr(value.metadata, "data_class", kind)),
        st.sampled_from([schema.PLUGIN_NAME, "images", "scalars", ""]).map(
            lambda name: lambda event, value: setattr(value.metadata.plugin_data, "plugin_name", name)
        ),
        texts.map(lambda text: lambda event, value: setattr(value.metadata.plugin_data, "content", text)),
        st.just(lambda event, value: event.summary.value.extend([value] * 50)),
    )


def _reshape(value: Summary.Value, sizes: Sequence[int]) -> None:
    value.tensor.tensor_shape.CopyFrom(TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes]))


def _cut(value: Summary.Value, size: int) -> None:
    value.tensor.tensor_content = value.tensor.tensor_content[:size]
    del value.tensor.string_val[size // 10 :]


def _retext(value: Summary.Value, text: bytes) -> None:
    kept = len(value.tensor.string_val)
    del value.tensor.string_val[:]
    value.tensor.string_val.extend([text] * max(1, kept))


def _with_member(value: Summary.Value, key: int, replacement: object) -> None:
    """One member of the JSON in the first text, on the first or second level, replaced."""
    try:
        members: Any = json.loads(value.tensor.string_val[0])
    except (IndexError, ValueError, RecursionError):
        return
    if not isinstance(members, dict) or not members:
        return
    name = sorted(members)[key % len(members)]
    inner = members[name][0] if isinstance(members[name], list) and members[name] else None
    if isinstance(inner, dict) and inner:
        inner[sorted(inner)[key // 7 % len(inner)]] = replacement
    else:
        members[name] = replacement
    value.tensor.string_val[0] = json.dumps(members).encode()


def _edited(records: Sequence[bytes], made: Sequence[tuple[float, float, Edit]]) -> list[bytes]:
    events = [Event.FromString(record) for record in records]
    for which, where, edit in made:
        event = events[int(which * len(events))]
        # The first event of a file holds no values.
        if event.summary.value:
            edit(event, event.summary.value[int(where * len(event.summary.value))])
    return [event.SerializeToString() for event in events]


def _raw(content: bytes) -> Mutation:
    return lambda path: path.write_bytes(content)


def _flipped(content: bytes, flips: Sequence[tuple[float, int]]) -> bytes:
    changed = bytearray(content)
    for place, bit in flips:
        changed[int(place * len(changed))] ^= 1 << bit
    return bytes(changed)


def _damaged(records: Sequence[bytes], spots: Sequence[tuple[float, float, bytes]], are_events: bool) -> list[bytes]:
    changed = list(records)
    for which, where, put in spots:
        index = int(which * len(changed))
        record, place = changed[index], int(where * len(changed[index]))
        damaged = record[:place] + put + record[place + len(put) :]
        changed[index] = damaged if not are_events or _is_event(damaged) else record
    return changed


def _is_event(record: bytes) -> bool:
    try:
        Event.FromString(record)
    except DecodeError:
        return False
    return True
