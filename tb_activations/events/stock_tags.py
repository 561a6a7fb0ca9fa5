"""Reads the scalars and images of any writer from event files, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.util.tensor_util import make_ndarray

from tb_activations.events.record_file import DamagedFileError, records

SCALARS, IMAGES = "scalars", "images"
"""Names of TensorBoard's plugins."""
_OF_ONE_IMAGE = 3
"""Strings before and with the first image: width, height, PNG."""


class Scalars(NamedTuple):
    """A scalar tag: `[n]` int64 steps, `[n]` float64 seconds since the epoch, `[n]` float64 values."""

    steps: NDArray[np.int64]
    wall_times: NDArray[np.float64]
    values: NDArray[np.float64]


class StoredImage(NamedTuple):
    """One image: its step, seconds since the epoch, and the encoded image, usually a PNG."""

    step: int
    wall_time: float
    content: bytes


def tags(files: Iterable[Path], kind: str) -> list[str]:
    """The tags of this kind, sorted.

    Raises:
        OSError: a file cannot be read.
    """
    return sorted({value.tag for _, value in _values(files, kind)})


def scalars(files: Iterable[Path], tag: str) -> Scalars:
    """All values of a scalar tag, in the order written; empty if there is none.

    Raises:
        OSError: a file cannot be read.
    """
    return _scalars([(event.step, event.wall_time, _number(value)) for event, value in _values(files, SCALARS, tag)])


def all_scalars(files: Iterable[Path]) -> dict[str, Scalars]:
    """All scalar tags, sorted, with their values in the order written; the files are read once.

    Raises:
        OSError: a file cannot be read.
    """
    points: dict[str, list[tuple[int, float, float]]] = {}
    for event, value in _values(files, SCALARS):
        points.setdefault(value.tag, []).append((event.step, event.wall_time, _number(value)))
    return {tag: _scalars(points[tag]) for tag in sorted(points)}


def images(files: Iterable[Path], tag: str) -> list[StoredImage]:
    """All images of a tag, in the order written; a step may have several.

    Raises:
        OSError: a file cannot be read.
    """
    return [
        StoredImage(event.step, event.wall_time, content)
        for event, value in _values(files, IMAGES, tag)
        for content in _contents(value)
    ]


def _scalars(points: list[tuple[int, float, float]]) -> Scalars:
    steps, wall_times, values = zip(*points, strict=True) if points else ((), (), ())
    return Scalars(np.array(steps, np.int64), np.array(wall_times, np.float64), np.array(values, np.float64))


def _values(files: Iterable[Path], kind: str, tag: str | None = None) -> Iterator[tuple[Event, Summary.Value]]:
    """Values of this kind. A tag's metadata is written with its first value only, in each file."""
    for path in files:
        plugins: dict[str, str] = {}
        for event in _events(path):
            for value in event.summary.value:
                plugins.setdefault(value.tag, value.metadata.plugin_data.plugin_name)
                if (tag is None or value.tag == tag) and _kind(value, plugins[value.tag]) == kind:
                    yield event, value


def _events(path: Path) -> Iterator[Event]:
    """The events up to the first damaged record."""
    try:
        for content in records(path):
            yield Event.FromString(content)
    except (DamagedFileError, DecodeError):
        return


def _kind(value: Summary.Value, plugin: str) -> str:
    """The plugin that shows the value: stated in the metadata, or known from older fields."""
    if value.HasField("simple_value"):
        return SCALARS
    if value.HasField("image"):
        return IMAGES
    return plugin if value.HasField("tensor") else ""


def _number(value: Summary.Value) -> float:
    """NaN if it is no number."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    try:
        array = _array(value.tensor)
        return float(array) if array.size == 1 else float("nan")
    except (TypeError, ValueError):
        return float("nan")


def _contents(value: Summary.Value) -> list[bytes]:
    if value.HasField("image"):
        return [value.image.encoded_image_string]
    return list(value.tensor.string_val[_OF_ONE_IMAGE - 1 :])


def _array(tensor: TensorProto) -> NDArray[np.generic]:
    array: NDArray[np.generic] = make_ndarray(tensor)
    return array
